"""Splits and dividends of the night: books follow the broker's and exits follow the books, or nothing is touched."""

import pytest
from msgspec.structs import replace

from joed.engine.corporate import WHOLE_MAX, due, explains, first_day, whole
from joed.engine.positions import unrealised
from joed.engine.step import refold, step
from joed.engine.verdicts import ADJUSTED, RESIZED
from joed.model.blocks import key
from joed.model.commands import (
    AdjustPosition,
    AmendOrder,
    JudgeBooks,
    LiftBlock,
    RaiseAlert,
    SubmitOrder,
)
from joed.model.events import OrderCancelled, OrderSeen, OrderWorking, PositionSeen, SettingsLoaded, Tick
from joed.model.orders import Position
from joed.model.values import HOUR, SECOND, Leg, Severity, Side, Status, Verdict
from tests.engine.build import OPEN, D, holding, of_kind, quote, settings_of, stop_of, target_of, whole_read
from tests.engine.test_overnight import AT, MORNING, morning, next_day

SPLIT = {"AAPL": ("2026-09-22 split 4:1",)}
FROZEN = key("instrument:AAPL", RESIZED)


def shown(state, at, quantity, *, exits=True, stop="10", level="196"):
    """Give the broker's whole book of the morning: what is held, and the exits that it still has."""
    rows = (
        OrderSeen(stop_of("AAPL"), "s", "AAPL", Side.SELL, D(stop), Status.WORKING, D(level)),
        OrderSeen(target_of("AAPL"), "t", "AAPL", Side.SELL, D(stop), Status.WORKING, D(220)),
    )
    held = (PositionSeen("AAPL", D(quantity), D(200)),) if D(quantity) else ()
    return whole_read(at, connection=2, orders=rows if exits else (), positions=held, cash=str(state.cash), ended={})


def kept(dates=None, **more):
    """Give a State that kept ten AAPL over the night, bought at 200, with a trail of 2 under a high of 210."""
    return next_day(dates=dates or {}, **more)


def test_a_split_that_the_dates_name_scales_the_books_and_moves_the_exits():
    """Forty for ten, at a quarter of each price, in the very step that shows them; the money paid is the same."""
    state = kept(SPLIT)
    position = state.positions["AAPL"]

    commands = step(state, MORNING + 1, shown(state, MORNING + 1, "40"))

    assert of_kind(commands, AdjustPosition) == [AdjustPosition("AAPL", D(40), 4, 1, D(0), "2026-09-22")]
    assert of_kind(commands, AmendOrder) == [
        AmendOrder(stop_of("AAPL"), D(49), D(40), reason="split 4:1"),
        AmendOrder(target_of("AAPL"), D(55), D(40), reason="split 4:1"),
    ]
    assert [one.what for one in of_kind(commands, JudgeBooks)][-1] == ADJUSTED
    assert (position.quantity, position.average, position.risk) == (40, 50, 1)
    assert (position.trail, position.best) == (D("0.5"), 52.5)
    assert state.orders["AAPL-e"].cost == 2000


def test_after_a_split_the_books_agree_and_nothing_is_made_or_lost():
    """The price of yesterday counts by the ratio too; the next read finds nothing, the Block on the instrument goes."""
    state = kept(SPLIT)
    before = unrealised(state)
    step(state, MORNING + 1, shown(state, MORNING + 1, "40"))
    for name, level in ((stop_of("AAPL"), 49), (target_of("AAPL"), 55)):
        step(state, MORNING + 2, OrderWorking(name, D(40), D(level)))

    again = step(state, MORNING + SECOND, shown(state, MORNING + SECOND, "40", stop="40", level="49"))
    step(state, MORNING + 2 * SECOND, Tick())

    assert unrealised(state) == before
    assert of_kind(again, AdjustPosition | AmendOrder) == []
    assert [one.scope for one in state.blocks.values()] == []
    assert state.positions["AAPL"].unprotected_ns == 0


def test_a_stop_that_the_broker_cancelled_with_the_split_is_placed_at_the_new_price():
    """IBKR ends orders of a share that splits: forty get a stop at a quarter of where it stood."""
    state = kept(SPLIT)
    step(state, MORNING + 1, OrderCancelled(stop_of("AAPL"), "corporate action"))
    step(state, MORNING + 1, OrderCancelled(target_of("AAPL"), "corporate action"))
    step(state, MORNING + 2, shown(state, MORNING + 2, "40", exits=False))

    sent = [one for s in range(1, 4) for one in of_kind(step(state, MORNING + s * SECOND, Tick()), SubmitOrder)]

    assert [(one.leg, one.quantity, one.level) for one in sent] == [(Leg.STOP, 40, 49)]


def test_a_share_less_for_the_fraction_is_explained_and_the_books_follow():
    """Ten by 1:4 are two and a half: the broker has two and pays the rest; our books say two."""
    state = kept({"AAPL": ("2026-09-22 split 1:4",)})

    commands = step(state, MORNING + 1, shown(state, MORNING + 1, "2"))

    assert [(one.level, one.quantity) for one in of_kind(commands, AmendOrder)] == [(784, 2), (880, 2)]
    assert state.positions["AAPL"].quantity == 2
    assert state.external == {}


def test_a_dividend_lowers_the_base_of_the_trail_alone():
    """Half a dollar a share: the stop stays where it is, and is not raised by a high that was with the dividend."""
    state = kept({"AAPL": ("2026-09-22 dividend 0.5",)})

    commands = step(state, MORNING + 1, shown(state, MORNING + 1, "10"))
    again = step(state, MORNING + 2, shown(state, MORNING + 2, "10"))

    assert state.positions["AAPL"].best == 209.5
    assert of_kind(commands + again, AmendOrder) == []
    assert len(of_kind(commands + again, AdjustPosition)) == 1


def test_a_quantity_that_no_date_explains_freezes_the_instrument_and_says_what_to_do():
    """Seen twice: no entries, an alert with the row to add; the stop at its old price is not placed anew."""
    state = kept()
    step(state, MORNING + 1, OrderCancelled(stop_of("AAPL"), "corporate action"))
    first = step(state, MORNING + 2, shown(state, MORNING + 2, "40", exits=False))
    second = step(state, MORNING + 3, shown(state, MORNING + 3, "40", exits=False))
    later = [one for s in range(1, 60) for one in step(state, MORNING + s * SECOND, Tick())]

    (verdict,) = [one for one in of_kind(second, JudgeBooks) if one.what == RESIZED]
    told = [one for one in of_kind(second, RaiseAlert) if one.key.startswith(RESIZED)]
    assert verdict.verdict is Verdict.FREEZE
    assert FROZEN in state.blocks
    assert [one.severity for one in told] == [Severity.CRITICAL]
    assert "'AAPL,2026-09-22,split 4:1'" in told[0].words
    assert of_kind(first + second + later, SubmitOrder | AmendOrder | AdjustPosition) == []
    assert AT not in state.blocks


def test_a_frozen_position_is_valued_at_what_it_cost():
    """Ten at 200 in our books and a price of 50: no loss of 1500, and no breaker that latches on it."""
    state = kept()
    for at in (1, 2, 3):
        step(state, MORNING + at, shown(state, MORNING + at, "40"))
    state.markets["AAPL"].quote = quote("AAPL", 50.0, at=MORNING + 4)

    assert unrealised(state) == 0
    del state.blocks[FROZEN]
    assert unrealised(state) < -1000


def test_the_date_that_a_person_adds_later_thaws_it():
    """A reload is enough: the next read takes the split over and lifts the Block."""
    state = kept()
    for at in (1, 2, 3):
        step(state, MORNING + at, shown(state, MORNING + at, "40"))
    assert FROZEN in state.blocks
    told = SettingsLoaded(settings_of(dates=SPLIT), "digest2")
    step(state, MORNING + 4, told)

    taken = step(state, MORNING + SECOND, shown(state, MORNING + SECOND, "40"))
    lifted = step(state, MORNING + 2 * SECOND, shown(state, MORNING + 2 * SECOND, "40", stop="40", level="49"))

    assert len(of_kind(taken, AdjustPosition)) == 1
    assert FROZEN in [one.key for one in of_kind(lifted, LiftBlock)]


@pytest.mark.parametrize("theirs", ["13", "0", "-10"])
def test_what_is_no_splits_ratio_is_judged_as_ever(theirs):
    """Three bought by hand, all sold, turned: external, and no freeze of the night's."""
    state = kept()
    for at in (1, 2, 3):
        step(state, MORNING + at, shown(state, MORNING + at, theirs))

    assert FROZEN not in state.blocks
    assert state.external == {"AAPL": D(theirs) - 10}


def test_within_a_session_whose_size_was_seen_a_change_is_no_split():
    """Half sold by hand at noon: the stop shrinks as ever."""
    state = kept()
    step(state, MORNING + 1, shown(state, MORNING + 1, "10"))
    for at in (2, 3, 4):
        step(state, MORNING + at * SECOND, shown(state, MORNING + at * SECOND, "5"))

    assert FROZEN not in state.blocks
    assert state.external == {"AAPL": -5}


def test_what_somebody_held_beside_ours_yesterday_is_no_split_today():
    """Thirty of a person's beside ten of ours, the same forty in the morning: nothing is frozen, the ten trade on."""
    state = holding("AAPL", trail="2")
    for at in (1, 2, 3):
        read = replace(shown(state, state.now + at * SECOND, "40"), connection=1)
        step(state, state.now + at * SECOND, read)
    assert state.external == {"AAPL": 30}
    morning(state)
    for at in (1, 2, 3):
        step(state, MORNING + at, shown(state, MORNING + at, "40"))

    assert FROZEN not in state.blocks
    assert state.positions["AAPL"].sized == "2026-09-22"


def test_a_split_of_a_share_that_somebody_holds_too_scales_ours_alone():
    """A hundred and sixty of forty, of which ten were ours: forty are."""
    state = holding("AAPL", trail="2", dates=SPLIT)
    for at in (1, 2, 3):
        read = replace(shown(state, state.now + at * SECOND, "40"), connection=1)
        step(state, state.now + at * SECOND, read)
    morning(state)

    commands = step(state, MORNING + 1, shown(state, MORNING + 1, "160"))

    assert [one.quantity for one in of_kind(commands, AdjustPosition)] == [40]
    for at in (2, 3, 4):
        step(state, MORNING + at, shown(state, MORNING + at, "160", stop="40", level="49"))
    assert (state.positions["AAPL"].quantity, state.external) == (40, {"AAPL": 120})
    assert FROZEN not in state.blocks


def test_the_first_day_is_the_session_in_the_entrys_id():
    """After the bell in New York it is tomorrow in Greenwich already."""
    late = Position("AAPL", "paper", D(10), opened_ns=OPEN + 12 * HOUR, groups=("j1-20260921-1-7.0-E-ab12",))

    assert first_day(late) == "2026-09-21"
    assert first_day(Position("AAPL", "paper", D(10), opened_ns=OPEN + 12 * HOUR, groups=("x",))) == "2026-09-22"


def test_a_position_of_this_session_is_not_from_the_night():
    """Its size is its fills'."""
    state = holding("AAPL", dates={"AAPL": ("2026-09-21 split 4:1",)})
    state.now += SECOND
    read = replace(shown(state, state.now, "40"), connection=1)

    assert of_kind(step(state, state.now, read), AdjustPosition) == []


def test_what_is_due_lies_between_the_first_day_and_this_session():
    """The day of the purchase has its price already, tomorrow's is not yet; earnings are none of these."""
    rows = (
        "2026-09-21 split 9:1",
        "2026-09-22 dividend 0.25",
        "2026-09-22 split 3:2",
        "2026-09-22 earnings",
        "2026-09-23 split 7:1",
    )
    state = kept({"AAPL": rows})

    assert due(state, state.positions["AAPL"]) == (3, 2, D("0.25"), "2026-09-22")


@pytest.mark.parametrize(
    ("ours", "theirs", "ratio"),
    [
        ("10", "40", (4, 1)),
        ("-10", "-5", (1, 2)),
        ("10", "15", (3, 2)),
        ("12", "9", (3, 4)),
        ("17", "11", None),
        ("10", "13", None),
        ("10", "10", None),
        ("10", "-5", None),
    ],
)
def test_a_ratio_is_of_small_whole_numbers_and_of_one_side(ours, theirs, ratio):
    """Others are somebody's trade."""
    assert whole(D(ours), D(theirs)) == ratio
    assert whole(D(1), D(WHOLE_MAX + 1)) is None


def test_a_split_explains_its_own_quantity_less_than_a_share_off_and_no_other():
    """Forty of ten by 4:1, not forty one, nor thirty nine; two of ten by 1:4, not three."""
    split = due(kept(SPLIT), kept(SPLIT).positions["AAPL"])

    assert [explains(split, D(10), D(theirs)) for theirs in (40, 41, 39, -40)] == [True, False, False, False]


def test_recovery_folds_a_split_without_deciding_it():
    """The command alone carries all that it changes."""
    state = kept(SPLIT)
    other = kept(SPLIT)
    read = shown(state, MORNING + 1, "40")
    commands = step(state, MORNING + 1, read)

    refold(other, MORNING + 1, read, commands)

    assert other.positions["AAPL"] == state.positions["AAPL"]
    assert other.orders == state.orders


def test_a_price_of_after_the_split_is_not_scaled_again():
    """Before the open there may be quotes of the new shares already."""
    state = kept(SPLIT)
    step(state, MORNING + 1, quote("AAPL", 50.0, at=MORNING + 1))
    state.markets["AAPL"].quote = quote("AAPL", 50.0, at=MORNING + 1)

    step(state, MORNING + 2, shown(state, MORNING + 2, "40"))

    assert state.markets["AAPL"].quote.bid == 50.0
