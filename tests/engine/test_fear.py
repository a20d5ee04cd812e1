"""A VIX that leaps shuts entries at once; a wrong print does not, and calm has to last."""

import csv

import pytest

from joed.engine.fear import CALM, KEY
from joed.engine.step import refold, step
from joed.model.commands import CancelOrder, LiftBlock, OpenSession, RaiseBlock
from joed.model.events import RegimeJudged, RegimeRead, Tick
from joed.model.settings import Fear
from joed.model.values import MINUTE, SECOND
from tests.engine.build import (
    CLOSE,
    OPEN,
    SESSION,
    START,
    D,
    bracket,
    holding,
    kinds,
    of_kind,
    quote,
    stop_of,
    submitted,
    trading_state,
)


def vix(state, *prices, at=START):
    """Let VIX print these, and give what was decided on each."""
    return [step(state, at, quote("VIX", price, price, at=at)) for price in prices]


def calm_state(price=15.0, minutes=6, **changes):
    """Give a State in which VIX has stood still for a while."""
    state = trading_state(vix=Fear(**changes))
    for second in range(minutes * 60):
        at = START + second * SECOND
        vix(state, price, at=at)
        step(state, at, Tick())
    return state


@pytest.mark.parametrize(("price", "shut"), [(34.99, False), (35.0, True)])
def test_the_level_shuts_entries_by_its_second_print(price, shut):
    """At the level, not a hundredth under it; resting entries are cancelled and the alert is told once."""
    state = trading_state()
    submitted(state, bracket("AAPL"))

    first, second = vix(state, price, price)

    assert first == []
    assert kinds(second) == (["RaiseBlock", "RaiseAlert", "CancelOrder"] if shut else [])
    assert (KEY in state.blocks) is shut


def test_protection_is_not_among_what_fear_cancels():
    """Entries go, stops and targets stay."""
    state = holding("MSFT")
    submitted(state, bracket("AAPL"))

    commands = vix(state, 40.0, 40.0)[1]

    assert of_kind(commands, CancelOrder) == [CancelOrder("AAPL-e", "VIX")]
    assert state.orders[stop_of("MSFT")].live


@pytest.mark.parametrize(("price", "shut"), [(25.9, False), (26.0, True)])
def test_a_rise_over_the_last_close_shuts_entries(price, shut):
    """Thirty percent over 20 are 26."""
    state = trading_state()
    step(state, START, RegimeJudged(1, RegimeRead("bull", 1.0), {"VIX": 20.0}))

    vix(state, price, price)

    assert (KEY in state.blocks) is shut


@pytest.mark.parametrize(("price", "shut"), [(17.24, False), (17.26, True)])
def test_a_rise_within_minutes_shuts_entries(price, shut):
    """Fifteen percent over the lowest of the window: 15 becomes 17.25."""
    state = calm_state()

    vix(state, price, price, at=state.now)

    assert (KEY in state.blocks) is shut


def test_a_falling_vix_lowers_the_level_for_the_very_next_print():
    """The window's lowest is the measure, also for a print that lay inside the bounds before it."""
    state = calm_state(20.0)
    step(state, START + 370 * SECOND, Tick())
    vix(state, 18.5, at=state.now)
    step(state, START + 381 * SECOND, Tick())

    vix(state, 21.4, 21.4, at=state.now)

    assert KEY in state.blocks


def test_one_wrong_print_shuts_nothing_and_is_no_anchor():
    """High for one print, then as before: entries stay on, and no later leap is measured from it."""
    state = calm_state()

    vix(state, 60.0, at=state.now)
    step(state, state.now + 10 * SECOND, Tick())
    vix(state, 15.0, 15.0, at=state.now)

    assert KEY not in state.blocks
    assert {level for _, level in state.fright.anchors} == {15.0}


def test_one_wrong_low_print_makes_no_leap_of_the_next():
    """A print of 1 is doubted, so that 15 after it is no rise of 1,400 percent."""
    state = calm_state()

    vix(state, 1.0, at=state.now)
    step(state, state.now + 10 * SECOND, Tick())
    vix(state, 15.0, 15.0, at=state.now)

    assert KEY not in state.blocks


def test_a_slow_rise_in_steps_under_the_window_is_still_measured_from_its_beginning():
    """Ten percent, then five and a half more within the window: measured from the low, not from the last step."""
    state = calm_state()

    vix(state, 16.5, 16.5, at=state.now)
    between = KEY in state.blocks
    for _ in range(60):
        step(state, state.now + SECOND, Tick())
        vix(state, 16.5, at=state.now)
    vix(state, 17.3, 17.3, at=state.now)

    assert (between, KEY in state.blocks) == (False, True)


def test_entries_come_back_after_calm_has_lasted():
    """The hold counts from the last price that was not calm, and calm is below the level that shut."""
    state = trading_state(vix=Fear(hold_s=60.0))
    vix(state, 36.0, 36.0)
    vix(state, 35 * CALM + 0.1, at=START)
    step(state, START + 30 * SECOND, Tick())
    vix(state, 35 * CALM - 0.1, at=START + 30 * SECOND)

    early = step(state, START + 89 * SECOND, Tick())
    due = step(state, START + 90 * SECOND, Tick())

    assert of_kind(early, LiftBlock) == []
    assert of_kind(due, LiftBlock) == [LiftBlock(KEY, "VIX is calm again")]


def test_fear_that_has_lifted_can_come_again():
    """Shutting twice in a session raises two Blocks."""
    state = trading_state(vix=Fear(hold_s=10.0))
    raised = 0
    for second in range(40):
        at = START + second * SECOND
        price = 36.0 if second in {0, 1, 30, 31} else 20.0
        commands = [*vix(state, price, at=at)[0], *step(state, at, Tick())]
        raised += len(of_kind(commands, RaiseBlock))

    assert raised == 2


def test_a_new_session_forgets_yesterdays_anchors_and_not_that_entries_are_off():
    """A Block that outlives the night is lifted by calm, not kept for ever by a level of nothing."""
    state = trading_state(vix=Fear(hold_s=60.0))
    vix(state, 36.0, 36.0)
    refold(state, START + MINUTE, Tick(), [OpenSession(f"{SESSION}b", OPEN, CLOSE, D(100_000))])
    vix(state, 20.0, at=START + MINUTE)

    lifted = []
    for second in range(1, 130):
        lifted += of_kind(step(state, START + MINUTE + second * SECOND, Tick()), LiftBlock)

    assert [command.key for command in lifted] == [KEY]
    assert state.fright.level == 0.0


def market(state, price, *, close=None, at=START):
    """Let the index trade here, its last close known or not."""
    if close is not None:
        step(state, at, RegimeJudged(1, RegimeRead("bull", 1.0), {"SPY": close, "VIX": 12.0}))
    step(state, at, quote("SPY", price, price, at=at))


def stands(state, price, seconds, *, index):
    """Let a print of VIX stand for so many seconds, the index beside it; give when entries were shut, or None."""
    vix(state, price, at=START)
    for second in range(1, seconds + 1):
        at = START + second * SECOND
        market(state, index, at=at)
        step(state, at, Tick())
        if KEY in state.blocks:
            return second
    return None


@pytest.mark.parametrize(("index", "shut"), [(99.51, False), (99.5, True)])
def test_a_market_that_does_not_move_does_not_confirm_a_leap(index, shut):
    """Half a percent below the last close confirms it, a hundredth less does not, however many prints agree."""
    state = trading_state(symbols=("SPY",))
    market(state, index, close=100.0)

    vix(state, 40.0, 40.0, 40.0)

    assert (KEY in state.blocks) is shut


def test_a_leap_that_nothing_confirms_counts_once_it_has_stood_for_a_minute():
    """Two prints agree and the market is still: 60 seconds, not 59."""
    state = trading_state(symbols=("SPY",))
    market(state, 100.0, close=100.0)
    vix(state, 40.0)

    assert stands(state, 40.0, 90, index=100.0) == 60
    assert state.blocks[KEY].words == "VIX at 40.00, SPY +0.00%, which does not confirm it"


def test_whoever_waits_for_no_confirmation_is_shut_by_the_second_print():
    """With a wait of nothing, in the very record: several prints taken in at one instant are enough."""
    state = trading_state(symbols=("SPY",), vix=Fear(unconfirmed_s=0.0))
    market(state, 100.0, close=100.0)

    first, second = vix(state, 40.0, 40.0)

    assert (kinds(first), kinds(second)) == ([], ["RaiseBlock", "RaiseAlert"])


def test_one_print_that_stands_while_the_market_falls_counts_after_ten_seconds():
    """No second print comes: ten seconds of persistence are as good, with the market's word."""
    state = trading_state(symbols=("SPY",))
    market(state, 99.0, close=100.0)

    assert stands(state, 40.0, 30, index=99.0) == 10


def test_one_print_that_stands_where_nobody_can_confirm_it_shuts_nothing():
    """Without the index it takes several prints, which then need no confirmation."""
    state = trading_state()
    vix(state, 40.0)

    assert KEY not in state.blocks
    for second in range(1, 120):
        step(state, START + second * SECOND, Tick())
    assert KEY not in state.blocks
    vix(state, 40.0, at=state.now)
    assert KEY in state.blocks


def test_a_market_that_falls_after_the_prints_confirms_them_within_the_second():
    """The next Tick looks again: nobody waits for another print of VIX."""
    state = trading_state(symbols=("SPY",))
    market(state, 100.0, close=100.0)
    vix(state, 40.0, 40.0)
    market(state, 99.2)

    assert KEY not in state.blocks
    assert "RaiseBlock" in kinds(step(state, START + SECOND, Tick()))


def test_a_vix_that_closed_high_needs_no_confirmation():
    """The morning after a crash the market may rise, and fear is still there."""
    state = trading_state(symbols=("SPY",))
    market(state, 102.0, close=100.0)
    step(state, START, RegimeJudged(2, RegimeRead("bull", 1.0), {"SPY": 100.0, "VIX": 38.0}))

    vix(state, 36.0, 36.0)

    assert "near its last close" in state.blocks[KEY].words


REAL = {"2018-02-05": True, "2024-08-05": True, "2005-06-06": False, "2005-07-25": False}


@pytest.mark.parametrize(("day", "shut"), REAL.items())
def test_the_fast_path_catches_the_real_spikes_and_leaves_the_bad_prints_alone(day, shut, data_dir):
    """VIX and the S&P 500 of that day from their files, each price printed for half a minute.

    In an order that they can have had: the low of the index comes with the high of VIX. The
    bad prints stand as long as the real ones: it is the market that tells them apart.
    """
    before, today = day_of(data_dir / "daily" / "vix_daily_1990_2026.csv", day)
    index = "spy_daily_stooq_2018_2026.csv" if day > "2020-04" else "spx_ohlcv_1999_2020.csv"
    closed, index_today = day_of(data_dir / "daily" / index, day)
    state = trading_state(symbols=("SPY",))
    step(state, START, RegimeJudged(1, RegimeRead("bull", 1.0), {"SPY": closed["close"], "VIX": before["close"]}))

    at = START
    for level, price in zip(path(today), path(index_today, falls=True), strict=True):
        for _ in range(30):
            at += SECOND
            market(state, price, at=at)
            vix(state, level, at=at)
            step(state, at, Tick())

    assert (KEY in state.blocks) is shut


def path(bar, *, falls=False):
    """Give a day's prices in an order that they can have had: up to the high and back, or down to the low."""
    return [bar["open"], bar["low"] if falls else bar["high"], bar["close"], bar["close"]]


def day_of(file, day):
    """Give the bar before a day and the day's own."""
    with file.open() as stream:
        rows = [{name.lower(): word for name, word in row.items()} for row in csv.DictReader(stream)]
    place = next(place for place, row in enumerate(rows) if row["date"] == day)
    prices = ("open", "high", "low", "close")
    return tuple({name: float(row[name]) for name in prices} for row in rows[place - 1 : place + 1])
