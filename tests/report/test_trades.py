"""Tests of joed.report.trades: executions in, trades and their kinds of exit out."""

from decimal import Decimal

import pytest

from joed.model.commands import AmendOrder, SubmitOrder
from joed.model.values import Kind, Leg, Side
from joed.report.rows import Fill
from joed.report.trades import counted, fold, kind_of, story_of

D = Decimal


def entry(order="j1-E"):
    """An entry with its bracket: stop at 98, target at 110."""
    return SubmitOrder(
        order=order,
        broker="paper",
        instrument="AAA",
        side=Side.BUY,
        quantity=D(10),
        kind=Kind.LIMIT,
        leg=Leg.ENTRY,
        opens=True,
        level=D(100),
        stop_order=f"{order}-S",
        stop=D(98),
        target_order=f"{order}-T",
        target=D(110),
        strategy="breakout",
        signal="s",
        reasons=("because",),
    )


def close(order="j1-C", group="j1-E", leg=Leg.CLOSE, reasons=(), level=None):
    """An order that only reduces."""
    return SubmitOrder(
        order=order,
        broker="paper",
        instrument="AAA",
        side=Side.SELL,
        quantity=D(10),
        kind=Kind.MARKET,
        leg=leg,
        opens=False,
        level=level,
        group=group,
        reasons=reasons,
    )


def fill(order, side, quantity, price, leg, seq=10, execution="x"):
    """An execution with a fee of 1."""
    return Fill(seq, seq * 100, "day", order, execution, "AAA", side, D(quantity), D(price), D(1), leg)


def test_executions_of_one_entry_are_one_trade():
    """Partial fills on both sides: means by quantity, what was gained after all fees, closed when nothing is left."""
    fills = [
        fill("j1-E", Side.BUY, 4, 100, "E", 1),
        fill("j1-E", Side.BUY, 6, 101, "E", 2),
        fill("j1-E-S", Side.SELL, 3, 98, "S", 3, "x3"),
        fill("j1-E-S", Side.SELL, 7, 97, "S", 4, "x4"),
    ]

    (trade,) = fold(fills, story_of([(0, entry())], [], []))

    assert (trade.quantity, trade.held, trade.closed_ns, trade.strategy) == (10, 0, 400, "breakout")
    assert (trade.entry, trade.exit) == (100.6, 97.3)
    assert (trade.gained, trade.fees) == (D(973) - D(1006) - D(4), 4)
    assert [(end.execution, end.kind) for end in trade.exits] == [("x3", "stop"), ("x4", "stop")]


def test_what_is_still_held_is_no_closed_trade():
    """Open, it has no time of closing and is in no count of exits; a short one is held negative."""
    long, short = fill("j1-E", Side.BUY, 4, 100, "E"), fill("j2-E", Side.SELL, 5, 100, "E")

    one, two = fold([long, short], story_of([(0, entry()), (0, entry("j2-E"))], [], []))

    assert (one.held, two.held) == (4, -5)
    assert one.closed_ns is two.closed_ns is None
    assert counted([one, two]) == {}


@pytest.mark.parametrize(
    ("levels", "kind"),
    [((), "stop"), (((5, D(98)),), "stop"), (((5, D(99)),), "trailing stop"), (((15, D(99)),), "stop")],
)
def test_a_stop_trailed_once_the_broker_confirmed_another_level(levels, kind):
    """What was only asked for, or confirmed after the fill, did not move it."""
    confirmed = [(seq, "j1-E-S", level) for seq, level in levels]
    story = story_of([(0, entry())], [(4, AmendOrder("j1-E-S", D(99), reason="trail"))], confirmed)

    assert kind_of(fill("j1-E-S", Side.SELL, 10, 99, "S"), story) == kind


@pytest.mark.parametrize(("seq", "kind"), [(5, "end of day"), (15, "target")])
def test_a_target_that_was_moved_closed_for_that_reason(seq, kind):
    """A target amended before its fill was made marketable for a reason; amended after it, it was just reached."""
    story = story_of([(0, entry())], [(seq, AmendOrder("j1-E-T", D(90), reason="end of day"))], [])

    assert kind_of(fill("j1-E-T", Side.SELL, 10, 99, "T"), story) == kind


def test_a_close_at_the_market_says_why_where_the_record_does():
    """By its own reason, else by the target's that was moved before it, else by none."""
    executed = fill("j1-C", Side.SELL, 10, 99, "C")
    moved = [(3, AmendOrder("j1-E-T", D(90), reason="killed"))]

    assert kind_of(executed, story_of([(0, entry()), (4, close(reasons=("alone",)))], moved, [])) == "alone"
    assert kind_of(executed, story_of([(0, entry()), (4, close())], moved, [])) == "killed"
    assert kind_of(executed, story_of([(0, entry()), (4, close())], [], [])) == "market"


def test_a_stop_that_was_set_anew_is_a_stop_of_its_own():
    """A repaired stop stands at its own first level: only another one after it is a trail."""
    anew = close("j1-R", leg=Leg.STOP, level=D(97))
    executed = fill("j1-R", Side.SELL, 10, 97, "S")

    assert kind_of(executed, story_of([(0, entry()), (4, anew)], [], [(5, "j1-R", D(97))])) == "stop"
    assert kind_of(executed, story_of([(0, entry()), (4, anew)], [], [(5, "j1-R", D("97.5"))])) == "trailing stop"


def test_exits_are_counted_by_kind_in_a_fixed_order():
    """The same trades give the same table, whatever their order."""
    story = story_of([(0, entry()), (0, entry("j2-E"))], [], [])
    fills = [
        fill("j2-E", Side.BUY, 1, 100, "E", 1),
        fill("j2-E-T", Side.SELL, 1, 110, "T", 2),
        fill("j1-E", Side.BUY, 1, 100, "E", 3),
        fill("j1-E-S", Side.SELL, 1, 98, "S", 4),
    ]

    assert list(counted(fold(fills, story)).items()) == [("stop", 1), ("target", 1)]
