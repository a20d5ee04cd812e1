"""Slips in what protects a position and in what closes it."""

from decimal import Decimal

from msgspec.structs import replace as with_fields

from joed.engine import closing, exits, kill, orders, triggers
from joed.model.commands import CancelOrder
from joed.model.values import ceil_to, decimal, floor_to
from tests.planted.planting import around, patched, together


def enter_without_a_stop():
    """Open a position with a target only."""
    return around(triggers, "enter", lambda enter: lambda *args: with_fields(enter(*args), stop_order="", stop=None))


def cancel_stops_at_shutdown():
    """Cancel all that works when joed is stopped."""

    def all_of_them(state, reason):
        return [orders.CancelOrder(order.order, reason) for order in state.orders.values() if order.live]

    return patched(orders, "cancel_entries", all_of_them)


def loosen_a_trail():
    """Follow the price down as well."""

    def both_ways(state, position, stop):
        quote = state.markets[position.instrument].quote
        if position.quantity > 0:
            return floor_to(decimal(quote.bid) - position.trail, Decimal("0.01"))
        return ceil_to(decimal(quote.ask) + position.trail, Decimal("0.01"))

    return patched(exits, "trailed", both_ways)


def sweep_before_flat():
    """Take the stop away with the close that is only asked for."""

    def hasty(flatten):
        def close_and_sweep(state, now, position, reason, commands):
            flatten(state, now, position, reason, commands)
            stop = state.orders.get(position.stop_order)
            if stop is not None and stop.live:
                commands.append(CancelOrder(stop.order, "its position is being closed"))

        return close_and_sweep

    return together(around(closing, "flatten", hasty), around(kill, "flatten", hasty))


def close_twice():
    """Send another close while the first is under way."""
    return patched(exits, "under_way", lambda state, now, position, *, patient=False: False)


BUGS = {
    enter_without_a_stop: ("always protected",),
    cancel_stops_at_shutdown: ("stops stay", "always protected"),
    loosen_a_trail: ("stops never loosen",),
    sweep_before_flat: ("stops stay",),
    close_twice: ("one close at a time", "reducing orders reduce"),
}
