"""Slips in the books: what an execution counts for, and how often."""

from msgspec.structs import replace as with_fields

from joed.engine import positions, reconcile
from joed.engine.changes import APPLY_EVENT
from joed.model.events import BrokerRead
from joed.model.values import ZERO, Status
from tests.planted.planting import around, together


def booking(wrap):
    """Give the patches by which every execution is booked another way, heard or read."""
    return together(around(positions, "apply_fill", wrap), around(reconcile, "apply_fill", wrap))


def count_a_fill_twice():
    """Forget which executions are known."""

    def forgetful(apply_fill):
        def book(state, now, fill):
            if fill.order in state.orders:
                state.orders[fill.order].executions.pop(fill.execution, None)
            return apply_fill(state, now, fill)

        return book

    return around(positions, "apply_fill", forgetful)


def count_a_correction_twice():
    """Take the corrected word on an execution for another execution."""

    def add(apply_fill):
        def book(state, now, fill):
            anew = f"{fill.execution}.{fill.revision}" if fill.revision else fill.execution
            return apply_fill(state, now, with_fields(fill, execution=anew))

        return book

    return booking(add)


def drop_a_fill_after_the_end():
    """Leave out what fills after its order was cancelled."""

    def strict(apply_fill):
        def book(state, now, fill):
            order = state.orders.get(fill.order)
            return (order is None or order.live) and apply_fill(state, now, fill)

        return book

    return booking(strict)


def drop_fills_that_a_read_brings():
    """Wait for each fill's own message, which was lost."""

    def deaf(apply):
        return lambda state, now, read: apply(state, now, with_fields(read, executions=()))

    return around(APPLY_EVENT, BrokerRead, deaf)


def call_a_part_the_whole():
    """Take the first fill of an entry for all of it."""

    def content(move):
        def fill_up(state, order, now, fill):
            move(state, order, now, fill)
            if order.opens and order.status is Status.PARTIAL:
                order.status = Status.FILLED
                positions.note_resting(state, order)

        return fill_up

    return around(positions, "_move", content)


def forget_the_fees_of_exits():
    """Book what an exit cost as nothing."""

    def free(apply_fill):
        def book(state, now, fill):
            order = state.orders.get(fill.order)
            opens = order is None or order.opens
            return apply_fill(state, now, fill if opens else with_fields(fill, fee=ZERO))

        return book

    return booking(free)


def score_before_the_fees():
    """Call a trade won whose fees ate the gain."""

    def proud(score):
        def count(state, position):
            fees, position.fees = position.fees, ZERO
            score(state, position)
            position.fees = fees

        return count

    return around(positions, "_score", proud)


BUGS = {
    drop_a_fill_after_the_end: ("a person is told of a bare position", "a bare position is mended"),
    count_a_fill_twice: ("positions agree", "cash agrees", "counters agree", "always protected"),
    count_a_correction_twice: ("positions agree", "cash agrees", "counters agree"),
    drop_fills_that_a_read_brings: ("positions agree", "ends agree", "orders agree", "counters agree"),
    call_a_part_the_whole: ("orders agree", "ends agree", "one entry at a time"),
    forget_the_fees_of_exits: ("counters agree",),
    score_before_the_fees: ("counters agree",),
}
