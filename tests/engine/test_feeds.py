"""What an adapter tells of its feeds: what it cannot serve is left alone, the rest trades, a person is told by name."""

import pytest

from joed.daemon.record import decode_state, encode_state
from joed.engine import feeds, times
from joed.engine.risk import matches
from joed.engine.step import step
from joed.model.commands import LiftBlock, RaiseAlert, RaiseBlock
from joed.model.events import BrokerDown, EpochStarted
from joed.model.feeds import (
    POLL,
    STREAM,
    BarsAsked,
    BarsFetched,
    BrokerExamined,
    FeedChanged,
    InstrumentServed,
    InstrumentSetAside,
)
from joed.model.state import Job
from joed.model.values import HOUR, MINUTE, SECOND, Severity
from tests.engine.build import START, trading_state


@pytest.fixture
def state():
    """Give a day in the middle of trading."""
    return trading_state()


def alerts(commands):
    """Give what a person is told."""
    return [(one.severity, one.words) for one in commands if isinstance(one, RaiseAlert)]


def aside(instrument="AAPL", words="no market data permission (354): subscribe to it, or take it out"):
    """Give an instrument that its broker cannot serve."""
    return InstrumentSetAside("paper", instrument, "no_permission", words)


def test_an_instrument_that_is_set_aside_is_not_opened_and_the_others_are(state):
    """Its own Block, with the cause; told once, however often the adapter says so."""
    first = step(state, START, aside())
    again = step(state, START + SECOND, aside())

    assert matches(state, "AAPL", "breakout").reason == feeds.ASIDE
    assert matches(state, "MSFT", "breakout") is None
    [(severity, words)] = alerts(first)
    assert severity is Severity.WARNING
    assert words.startswith("AAPL: paper: no market data permission (354)")
    assert again == []
    assert state.brokers["paper"].aside["AAPL"].startswith("no_permission: ")


def test_an_instrument_that_is_served_again_trades_again(state):
    """The Block goes with its cause, and only this instrument's alert with it."""
    step(state, START, aside("AAPL"))
    step(state, START, aside("KO"))

    step(state, START + SECOND, InstrumentServed("paper", "AAPL"))

    assert matches(state, "AAPL", "breakout") is None
    assert matches(state, "KO", "breakout").reason == feeds.ASIDE
    assert [alert.words[:2] for alert in state.alerts.values()] == ["KO"]
    assert step(state, START + SECOND, InstrumentServed("paper", "AAPL")) == []


def test_another_process_believes_nothing_that_the_last_was_told(state):
    """Permissions may have been bought over night: each adapter says anew what it cannot serve."""
    step(state, START, aside())
    step(state, START, BrokerExamined("paper", "hedging", False, "hedging mode is on", halts=True))
    step(state, START, FeedChanged("paper", POLL))

    commands = step(state, START + SECOND, EpochStarted(2, "start", "0", "code"))

    lifted = [one.key for one in commands if isinstance(one, LiftBlock)]
    assert lifted == ["instrument:AAPL/set_aside", "broker:paper/examined"]
    broker = state.brokers["paper"]
    assert (broker.aside, broker.findings, broker.source) == ({}, {}, "")


def test_a_fall_back_to_polling_is_a_warning_and_the_way_back_is_told(state):
    """Both are events with a person's words; the source stands in the books."""
    fallen = step(state, START, FeedChanged("paper", POLL, "no frame for 10 s"))
    assert state.brokers["paper"].source == POLL
    back = step(state, START + MINUTE, FeedChanged("paper", STREAM))

    assert alerts(fallen) == [(Severity.WARNING, "paper: prices come by poll (no frame for 10 s)")]
    assert alerts(back) == [(Severity.INFO, "paper: prices come by stream")]
    assert state.brokers["paper"].source == STREAM


def test_what_halts_a_broker_halts_it_until_it_is_well(state):
    """A change of hedging mode would let a sell open instead of close; a finding that only warns blocks nothing."""
    warned = step(state, START, BrokerExamined("paper", "hours", False, "its hours end at 15:00, ours at 16:00"))
    assert matches(state, "AAPL", "breakout") is None
    assert alerts(warned) == [(Severity.WARNING, "paper hours: its hours end at 15:00, ours at 16:00")]

    halted = step(state, START, BrokerExamined("paper", "hedging", False, "hedging mode is on: off", halts=True))
    assert [one.block.reason for one in halted if isinstance(one, RaiseBlock)] == [feeds.EXAMINED]
    assert alerts(halted)[0][0] is Severity.CRITICAL
    assert matches(state, "AAPL", "breakout").scope == "broker:paper"

    step(state, START, BrokerExamined("paper", "hedging", True, "hedging mode is off", halts=True))
    assert matches(state, "AAPL", "breakout") is None
    assert state.brokers["paper"].findings["hedging"].ok


def test_thinking_waits_for_daily_bars_and_not_for_ever(state):
    """A regime judged without a history is one of nothing; after five minutes it is judged with what there is."""
    state.jobs["regime"] = Job("regime")
    step(state, START, BarsAsked("paper", 3))

    assert times.TABLE["regime"].waits(state, START + feeds.WAIT_NS - 1) == "daily bars"
    assert times.TABLE["regime"].waits(state, START + feeds.WAIT_NS) == ""
    step(state, START + SECOND, BarsFetched("paper", "daily", 3, 900))
    assert times.TABLE["regime"].waits(state, START + SECOND) == ""


def test_a_broker_that_is_down_is_not_waited_for(state):
    """Another broker's instruments are thought about meanwhile."""
    step(state, START, BarsAsked("paper", 3))
    step(state, START, BrokerDown("paper", "cable"))

    assert not feeds.waits(state, START)


def test_bars_that_came_have_the_thinking_done_anew(state):
    """Daily bars: the regime and the scan; minutes: the scan and the watchlist; nothing where nothing came."""
    state.jobs = {name: Job(name, next_ns=START + HOUR) for name in ("regime", "scan", "watchlist", "strategies")}
    step(state, START, BarsFetched("paper", "daily", 0, 0, {"AAPL": "no answer"}))
    assert {job.next_ns for job in state.jobs.values()} == {START + HOUR}

    step(state, START + 1, BarsFetched("paper", "daily", 3, 900))
    assert [name for name, job in state.jobs.items() if job.next_ns == START + 1] == ["regime", "scan"]
    step(state, START + 2, BarsFetched("paper", "minute", 3, 180))
    assert [name for name, job in state.jobs.items() if job.next_ns != START + HOUR] == ["regime", "scan", "watchlist"]


def test_missing_history_is_told_by_name_once(state):
    """Which names, of which kind, and why; a long list is cut and says so."""
    missing = {f"N{number}": "no history (162)" for number in range(10)}

    told = alerts(step(state, START, BarsFetched("paper", "daily", 1, 300, missing)))
    again = step(state, START, BarsFetched("paper", "daily", 1, 300, missing))

    names = ", ".join(f"N{number}" for number in range(8))
    assert told == [(Severity.WARNING, f"paper gave no daily bars of {names} and 2 more: no history (162)")]
    assert again == []
    assert state.brokers["paper"].fetched["daily"].missing == missing


def test_what_is_remembered_is_bounded(state):
    """An adapter that goes mad fills no memory."""
    for number in range(feeds.ASIDE_MAX + 5):
        feeds.note_aside(state, START, InstrumentSetAside("paper", f"N{number}", "unknown", "x" * 1000))
    for number in range(feeds.FINDINGS_MAX + 5):
        feeds.note_finding(state, START, BrokerExamined("paper", f"f{number}", False, "x"))

    broker = state.brokers["paper"]
    assert len(broker.aside) == feeds.ASIDE_MAX
    assert max(map(len, broker.aside.values())) == feeds.WORDS_MAX
    assert len(broker.findings) == feeds.FINDINGS_MAX


def test_the_books_of_feeds_survive_a_snapshot(state):
    """A restart folds to the same State."""
    step(state, START, aside())
    step(state, START, BrokerExamined("paper", "hours", False, "they differ"))
    step(state, START, BarsFetched("paper", "daily", 3, 900, {"KO": "none"}))

    assert decode_state(encode_state(state), b"key").brokers == state.brokers
