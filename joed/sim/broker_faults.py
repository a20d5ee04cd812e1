"""What brokers do wrong: words out of order, late or twice, refusals, corrections, fills that nobody ordered."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from random import Random

from joed.model.events import (
    AmendRejected,
    CancelRejected,
    Event,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    OrderWorking,
    Quote,
)
from joed.model.values import SECOND, Side, Status
from joed.sim.draws import Kind, count, draw_one, number, one_for, seconds
from joed.sim.scenario import Args, Traits
from joed.sim.stage import Stage

STORM = 2_000
"""How many quotes a storm has, within a hundredth of a second."""
NAN = Decimal("NaN")
LEAP_EACH_S, LEAP = 4.0, 0.0015
"""How often prices leap in the dark, and by which share: a little further than Triggers lie away."""


def arms(oddity: str) -> Callable[[Stage, Args], None]:
    """Have the exchange do something odd at the next chances."""

    def act(stage: Stage, args: Args) -> None:
        stage.exchange.armed[oddity] += int(number(args, "count"))

    return act


def spends(fault: str) -> Callable[[Stage, Args], None]:
    """Have the wire do something to the next messages."""

    def act(stage: Stage, args: Args) -> None:
        setattr(stage.wire, fault, getattr(stage.wire, fault) + int(number(args, "count")))

    return act


def draw_shuffle(chance: Random, traits: Traits) -> Args:
    """Draw how long words come out of order, and by how much."""
    return {"seconds": round(chance.uniform(5, 40), 1), "late_s": chance.choice((0.05, 0.4, 2.0))}


def shuffle(stage: Stage, args: Args) -> None:
    """Have words come in any order: a fill before the acknowledgement, a status after it."""
    stage.wire.shuffle_s = number(args, "late_s")
    stage.after(number(args, "seconds"), lambda: setattr(stage.wire, "shuffle_s", 0.0))


def draw_late(chance: Random, traits: Traits) -> Args:
    """Draw how late entries come: when nobody waits for them any more."""
    return {"count": chance.randint(1, 2), "late_s": round(chance.uniform(2, 40), 1)}


def late_entries(stage: Stage, args: Args) -> None:
    """Have the next entries come late."""
    stage.wire.late_s = number(args, "late_s")
    stage.wire.late_entries += int(number(args, "count"))


def draw_luck(chance: Random, traits: Traits) -> Args:
    """Draw which one it is about."""
    return {"luck": round(chance.random(), 3)}


def correction(stage: Stage, args: Args) -> None:
    """Say that an execution was at another price."""
    stage.broker.act(lambda now: stage.exchange.correct(now, number(args, "luck"), bust=False))


def bust(stage: Stage, args: Args) -> None:
    """Say that an execution never was."""
    stage.broker.act(lambda now: stage.exchange.correct(now, number(args, "luck"), bust=True))


HANDS = ("more", "less", "flat", "flip", "other")


def draw_hand(chance: Random, traits: Traits) -> Args:
    """Draw what a person trades by hand."""
    return {"instrument": chance.choice(traits.instruments), "what": chance.choice(HANDS)}


def manual(stage: Stage, args: Args) -> None:
    """Have a person trade in the same account: more of what is held, less, all of it, through zero, or something."""
    wanted, what = str(args["instrument"]), str(args["what"])
    names = (wanted, *stage.scenario.traits.instruments)
    name = next((name for name in names if stage.exchange.own(name)), wanted)
    held = stage.exchange.own(name) or Decimal(3)
    quantity = {"more": held, "less": -held / abs(held), "flat": -held, "flip": -2 * held}.get(what, Decimal(11))
    stage.broker.act(lambda now: stage.exchange.by_hand(now, name, quantity))


def manual_order(stage: Stage, args: Args) -> None:
    """Have a person leave an order far from the market."""
    stage.broker.act(lambda now: stage.exchange.rest_by_hand(now, str(args["instrument"])))


def split(stage: Stage, args: Args) -> None:
    """Let a position double without a trade, and be set right later."""
    name = str(args["instrument"])
    quantity = stage.exchange.position(name) or Decimal(20)
    stage.broker.act(lambda now: stage.exchange.split(now, name, quantity))
    set_right = partial(stage.exchange.unsplit, instrument=name)
    stage.after(number(args, "seconds"), lambda: stage.broker.act(set_right))


def draw_partials(chance: Random, traits: Traits) -> Args:
    """Draw how long everything fills in parts, and what comes after the first part."""
    return {"seconds": round(chance.uniform(10, 60), 1), "then": chance.choice(("outage", "silence"))}


def partials(stage: Stage, args: Args) -> None:
    """Have orders fill in parts; after the first the link is cut, or the price goes away until the time-out."""
    stage.fill_in_parts(1.0)
    stage.after(number(args, "seconds"), lambda: stage.fill_in_parts(stage.scenario.traits.partial_share))

    def then() -> None:
        if args["then"] == "outage":
            stage.wire.outage(4.0, "the link was cut within an order")
            return
        for walk in stage.prices.walks.values():
            walk.silent_until_ns = stage.clock.now() + 9 * SECOND

    stage.traps.append(("filled", then))


def draw_forged(chance: Random, traits: Traits) -> Args:
    """Draw what is told of an order that joed never sent."""
    return {"instrument": chance.choice(traits.instruments), "what": chance.choice(tuple(FORGED))}


def forged(stage: Stage, args: Args) -> None:
    """Tell of an order that joed never sent: by an id that looks like one of ours, by another's, by none."""
    name = FORGED[str(args["what"])]
    stage.counts["forged"] += 1
    number_of = f"forged-{stage.counts['forged']}"
    fill = OrderFilled(name, number_of, str(args["instrument"]), Side.BUY, Decimal(9), Decimal(50), broker="paper")
    stage.wire.receive(fill)
    stage.wire.receive(OrderWorking(name, Decimal(9), Decimal(50)))


FORGED = {
    "ours by its looks": "j1-20260901-1-77.0-E-0000",
    "another's": "tws-17",
    "nobody's": "",
    "not an id": "j1-\n\x00-\u202e",
}


def odd_words(stage: Stage, args: Args) -> None:
    """Say what cannot be of orders that are: too large a fill, no numbers, answers to nothing."""
    orders = [o for o in stage.exchange.orders.values() if o.group][-4:]
    for index in range(int(number(args, "count"))):
        if orders:
            order = orders[index % len(orders)]
            make = ODD_WORDS[(index + len(stage.exchange.log)) % len(ODD_WORDS)]
            stage.wire.receive(make(order.order, order.instrument, order.side, f"odd-{stage.counts['odd words']}"))
            stage.counts["odd words"] += 1


ODD_WORDS: tuple[Callable[[str, str, Side, str], Event], ...] = (
    lambda order, name, side, fill: OrderFilled(order, fill, name, side, NAN, Decimal(1)),
    lambda order, name, side, fill: OrderFilled(order, fill, name, side, Decimal(-3), Decimal(1)),
    lambda order, name, side, fill: OrderFilled(order, fill, name, side, Decimal(3), Decimal(0)),
    lambda order, _name, side, fill: OrderFilled(order, fill, "ELSE", side, Decimal(3), Decimal(9)),
    lambda order, name, side, fill: OrderFilled(order, fill, name, side.opposite, Decimal(3), Decimal(9)),
    lambda order, name, side, fill: OrderFilled(order, fill, name, side, Decimal("Infinity"), Decimal(9)),
    lambda order, *_: AmendRejected(order, "what amendment?"),
    lambda order, *_: CancelRejected(order, "10147: no such order"),
    lambda order, *_: OrderAccepted(f"{order}-no", "77"),
    lambda order, *_: OrderCancelled(f"{order}-no", "gone"),
    lambda order, *_: OrderRejected(f"{order}-no", "399", "a warning"),
)
"""Words that mean nothing, or nothing that can be."""


def storm(stage: Stage, args: Args) -> None:
    """Send thousands of quotes within a moment."""
    walk = stage.prices.walks[str(args["instrument"])]
    for index in range(STORM):
        if index % 10 == 0:
            walk.move(0.01)
        stage.after(index * 5e-6, partial(send, stage, walk.quote(stage.clock.now(), prints_last=True)))


def send(stage: Stage, quote: Quote) -> None:
    """Send a quote of the storm."""
    stage.broker.quote(quote)


def stale(stage: Stage, args: Args) -> None:
    """Send a price that was received long ago, and was never true since."""
    walk = stage.prices.walks[str(args["instrument"])]
    stage.wire.receive_old(walk.quote(stage.clock.now(), prints_last=True), number(args, "seconds"))


def draw_clock(chance: Random, traits: Traits) -> Args:
    """Draw by how much the broker's clock is off."""
    return {"offset_s": chance.choice((-30, -5, 5, 30, 3600))}


def broker_clock(stage: Stage, args: Args) -> None:
    """Have the broker's clock be off from here on."""
    stage.wire.broker_clock_ns = int(number(args, "offset_s") * SECOND)


def drops(status: Status) -> Callable[[Stage, Args], None]:
    """Have the exchange end a live order, whatever it is for."""

    def act(stage: Stage, args: Args) -> None:
        stage.broker.act(lambda now: stage.exchange.drop(now, number(args, "luck"), status))

    return act


def _leap(stage: Stage, sign: int) -> None:
    for name in stage.scenario.traits.instruments:
        stage.prices.walks[name].price *= 1.0 + sign * LEAP


def dark(stage: Stage, args: Args) -> None:
    """Have orders reach the exchange and rest there, while no answer and no reading comes back: all is doubt.

    Prices leap to and fro meanwhile, so that what may be entered is.
    """
    for_s = number(args, "seconds")
    for index in range(int(for_s / LEAP_EACH_S)):
        stage.after(index * LEAP_EACH_S, partial(_leap, stage, -1 if index % 2 else 1))
    stage.wire.dark_until_ns = stage.clock.now() + int(for_s * SECOND)
    stage.exchange.slow_until_ns = stage.wire.dark_until_ns


BROKER_FAULTS: dict[str, Kind] = {
    "shuffle": Kind(draw_shuffle, shuffle, bites=True),  # F59, F60
    "late_repeats": Kind(count(6), spends("late_repeats")),  # F58, F79
    "lost_reads": Kind(count(4), spends("lost_reads")),  # F45
    "lost_cancels": Kind(count(4), spends("lost_cancels")),  # F64
    "late_entries": Kind(draw_late, late_entries),  # F48, F78
    "stop_rejected": Kind(count(4), arms("stop_rejected")),  # F67
    "overfill": Kind(count(1), arms("overfill")),  # I12
    "both_fill": Kind(count(1), arms("both_fill")),  # F69
    "late_fill": Kind(count(2), arms("late_fill")),  # F62
    "cancel_rejected": Kind(count(3), arms("cancel_rejected")),  # F63
    "close_rejected": Kind(count(3), arms("close_rejected")),  # F87
    "amend_rejected": Kind(count(4), arms("amend_rejected")),
    "odd_reject": Kind(count(2), arms("odd_reject")),  # F74, F75
    "correction": Kind(draw_luck, correction, bites=True),  # F61
    "bust": Kind(draw_luck, bust, bites=True),  # F61
    "expire": Kind(draw_luck, drops(Status.EXPIRED), bites=True),
    "refuse_late": Kind(draw_luck, drops(Status.REJECTED), bites=True),  # F74
    "doubt": Kind(count(6), spends("doubts"), bites=True),  # F55, F76
    "dark": Kind(seconds(10, 50), dark),  # F55, I19
    "mute": Kind(count(8), spends("mutes"), bites=True),  # F59
    "manual": Kind(draw_hand, manual),  # F68, F70
    "manual_order": Kind(draw_one, manual_order),  # F71
    "split": Kind(one_for(8, 40), split),  # F72
    "partials": Kind(draw_partials, partials),  # F65, F66
    "forged": Kind(draw_forged, forged),  # S31
    "odd_words": Kind(count(6), odd_words),  # F75, F81
    "storm": Kind(draw_one, storm),  # F82
    "stale": Kind(one_for(6, 600), stale),  # F81
    "broker_clock": Kind(draw_clock, broker_clock),  # F37
}
"""What brokers do, each with its row of the catalogue."""
