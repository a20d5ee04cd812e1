"""What is due, asked once a second: the session, the jobs, the daily close, the end."""

import datetime as dt

import pytest

from joed.engine import schedule
from joed.engine.step import refold, step
from joed.engine.times import TABLE, plan
from joed.model.blocks import Block
from joed.model.calendars import Calendar
from joed.model.commands import LiftBlock, MarkEquity, OpenSession, RaiseBlock, RunJob, Stop, WindDown
from joed.model.events import (
    BrokerUp,
    Candidate,
    EpochStarted,
    JobFailed,
    MarketScanned,
    OrderCancelled,
    RegimeJudged,
    RegimeRead,
    SettingsLoaded,
    StopAsked,
    SummaryWritten,
    Tick,
)
from joed.model.settings import Confirm, Jobs, Own, Risk, Strategies
from joed.model.state import State
from joed.model.values import HOUR, MINUTE, SECOND
from tests.engine.build import (
    CLOSE,
    START,
    D,
    bracket,
    of_kind,
    settings_of,
    submitted,
    trading_state,
    whole_read,
)

STOCKS = Calendar(name="STOCKS", timezone="UTC", open="09:30", close="16:00")
MONDAY = int(dt.datetime(2026, 9, 21, tzinfo=dt.UTC).timestamp()) * SECOND
BELL, END = MONDAY + 9 * HOUR + 30 * MINUTE, MONDAY + 16 * HOUR


def morning(now, *, reconciled=True, **changes):
    """Give a State before its session, at this instant, with a calendar."""
    state = State(id_key=b"key")
    settings = settings_of(calendar="STOCKS", **changes)
    refold(state, now, EpochStarted(1, "start", "0", "c"), [])
    refold(state, now, SettingsLoaded(settings, "digest", {"STOCKS": STOCKS}), [])
    if reconciled:
        refold(state, now, BrokerUp("paper", "DEMO", "paper", 1), [])
        refold(state, now, whole_read(now, cash="100000"), [])
    return state


def jobs_of(commands):
    """Give the names of the jobs that are started."""
    return [command.job for command in of_kind(commands, RunJob)]


def idle():
    """Give an open session in which no job has run yet."""
    state = trading_state()
    state.jobs = {}
    plan(state, START)
    return state


@pytest.mark.parametrize(("lead_s", "opens"), [(3901, False), (3900, True)])
def test_a_session_begins_its_lead_before_the_bell(lead_s, opens):
    """Sixty-five minutes, once the books are known; the Block of no session goes with it."""
    state = morning(BELL - 2 * HOUR)
    step(state, BELL - 2 * HOUR, Tick())

    commands = step(state, BELL - lead_s * SECOND, Tick())

    found = of_kind(commands, OpenSession)
    assert found == ([OpenSession("2026-09-21", BELL, END, D(100_000))] if opens else [])
    assert ("all/no_session" in [command.key for command in of_kind(commands, LiftBlock)]) is opens


def test_a_session_waits_for_reconciled_books():
    """Its first equity is that of the broker, not of a guess; without a broker there is none."""
    for state in (morning(BELL - HOUR, reconciled=False), morning(BELL - HOUR)):
        for broker in state.brokers.values():
            broker.reconciled = False

        assert of_kind(step(state, BELL - HOUR, Tick()), OpenSession) == []


def test_a_session_begins_once_also_across_a_restart():
    """Its counters belong to the day, not to the process."""
    state = morning(BELL - HOUR)
    step(state, BELL - HOUR, Tick())
    state.day.trades = 7
    step(state, BELL, EpochStarted(2, "crash", "0", "c"))
    step(state, BELL, BrokerUp("paper", "DEMO", "paper", 2))
    step(state, BELL + 1, whole_read(BELL + 1, connection=2))

    assert of_kind(step(state, BELL + SECOND, Tick()), OpenSession) == []
    assert state.day.trades == 7


def test_a_signature_lasts_one_session():
    """The next one begins unconfirmed, though the settings are the same (I23)."""
    state = morning(BELL - HOUR, confirm=Confirm(paper=True))
    state.day.confirmed = "digest"

    commands = step(state, BELL - HOUR, Tick())

    keys = [command.block.key for command in of_kind(commands, RaiseBlock)]
    assert "all/not_confirmed" in keys
    assert [type(command) for command in commands].index(OpenSession) < len(commands)
    assert state.day.confirmed == ""


@pytest.mark.parametrize(
    ("now", "closed"), [(BELL - 1, True), (BELL, False), (END - 1, False), (END, True), (BELL + 5 * 24 * HOUR, True)]
)
def test_a_calendars_block_stands_while_its_market_is_closed(now, closed):
    """Open at the bell, closed at the close and on a Saturday."""
    state = morning(now)

    step(state, now, Tick())

    assert ("calendar:STOCKS/market_closed" in state.blocks) is closed


def test_the_first_jobs_are_regime_then_scan_then_strategies():
    """Each needs what the one before it found."""
    state = idle()
    first = step(state, START, Tick())
    step(state, START, RegimeJudged(1, RegimeRead("bull", 1.0)))
    second = step(state, START + SECOND, Tick())
    step(state, START, MarketScanned(1, (Candidate("AAPL", 1.0),)))
    third = step(state, START + 2 * SECOND, Tick())

    assert jobs_of(first) == ["regime", "analytics"]
    assert jobs_of(second) == ["scan"]
    assert jobs_of(third) == ["watchlist", "strategies"]


def test_strategies_run_each_minute_right_after_the_full_minute():
    """One second after it, when the minute's bar is whole."""
    state = idle()
    state.watchlist = (Candidate("AAPL", 1.0),)
    begun = []
    for second in range(1, 200):
        for command in of_kind(step(state, START + 7 * SECOND + second * SECOND, Tick()), RunJob):
            if command.job == "strategies":
                begun.append(second + 7)
                state.jobs["strategies"].running = 0

    assert begun == [8, 61, 121, 181]


def test_a_job_that_still_runs_is_not_started_twice_and_one_that_is_lost_is():
    """After its deadline and half a minute more nobody will answer."""
    state = idle()
    state.settings = settings_of(jobs=Jobs(regime_s=10.0, deadline_s=5.0))
    begun = [second for second in range(60) if "regime" in jobs_of(step(state, START + second * SECOND, Tick()))]

    assert begun == [0, 35]


def test_a_job_carries_all_its_parameters_and_its_names():
    """Its answer follows from the record: the deadline, the settings, the instruments that can be traded."""
    state = idle()
    state.watchlist = (Candidate("KO", 1.0),)
    state.regime = RegimeRead("bull", 1.0)
    commands = {command.job: command for command in of_kind(step(state, START, Tick()), RunJob)}

    regime = commands["regime"].params["regime"]
    assert (regime["index"], regime["vix"], regime["days_long"]) == ("SPY", "VIX", 200)
    assert schedule.SHARES.isdisjoint(regime)
    scans = commands["scan"].params
    assert (scans["scan"]["watchlist_size"], scans["scan"]["index"], scans["scan"]["price_min"]) == (12, "SPY", 5.0)
    assert scans["score"]["momentum"] == 0.3
    assert (scans["sectors"], scans["dates"]) == ({}, {})
    assert commands["strategies"].params["breakout"]["regimes"] == ["bull", "neutral"]
    assert commands["scan"].instruments == ("AAPL", "MSFT", "KO")
    assert commands["strategies"].instruments == ("KO",)
    assert commands["scan"].deadline_ns == START + 30 * SECOND
    assert commands["analytics"].params == {}


def test_crypto_is_read_only_where_there_is_some():
    """No instrument of that kind, no job."""
    state = idle()

    assert "crypto" not in jobs_of(step(state, START, Tick()))
    assert set(TABLE) >= {"crypto", "summary"}


def test_nothing_is_started_outside_a_session_or_while_stopping():
    """Nobody would look at the answer."""
    before, ending = idle(), idle()
    before.day.session = ""
    step(ending, START, StopAsked("SIGTERM"))

    assert jobs_of(step(before, START, Tick())) == jobs_of(step(ending, START, Tick())) == []


def test_the_summary_is_written_once_a_minute_after_the_close():
    """Not before, and not again."""
    state = trading_state(now=CLOSE)
    early = jobs_of(step(state, CLOSE + MINUTE - 1, Tick()))
    due = jobs_of(step(state, CLOSE + MINUTE, Tick()))
    step(state, CLOSE + MINUTE, SummaryWritten(1, "a day"))
    again = [jobs_of(step(state, CLOSE + second * SECOND, Tick())) for second in range(61, 200)]

    assert (early, due, [jobs for jobs in again if jobs]) == ([], ["summary"], [])


def test_the_accounts_worth_is_noted_each_minute_and_once_after_the_close():
    """The equity curve has no gap of its own making."""
    state = trading_state(now=CLOSE - 3 * MINUTE)
    marked = [
        second for second in range(-180, 120) if of_kind(step(state, CLOSE + second * SECOND, Tick()), MarkEquity)
    ]

    assert marked == [-180, -120, -60, 0]


def test_the_day_ends_itself_after_the_close():
    """Five minutes after it the end begins; a second later, with nothing resting, the process may stop."""
    state = trading_state(now=CLOSE)
    early = step(state, CLOSE + 300 * SECOND - 1, Tick())
    due = step(state, CLOSE + 300 * SECOND, Tick())
    after = step(state, CLOSE + 301 * SECOND, Tick())

    assert (of_kind(early, WindDown), of_kind(due, Stop)) == ([], [])
    assert len(of_kind(due, WindDown)) == 1
    assert of_kind(after, Stop) == [Stop(f"session {state.day.session} is over")]


@pytest.mark.parametrize("answered", [True, False])
def test_an_orderly_end_waits_for_resting_entries_but_not_for_ever(answered):
    """Their cancels are answered, or ten seconds are over."""
    state = trading_state()
    submitted(state, bracket("AAPL"))
    step(state, START, StopAsked("SIGTERM"))
    if answered:
        step(state, START + 2 * SECOND, OrderCancelled("AAPL-e"))
    stops = [second for second in range(1, 13) if of_kind(step(state, START + second * SECOND, Tick()), Stop)]

    assert stops[0] == (1 if answered else 10)


def test_a_second_request_to_stop_begins_nothing_anew():
    """The wait counts from the first."""
    state = trading_state()
    step(state, START, StopAsked("SIGTERM"))

    assert step(state, START + 5 * SECOND, StopAsked("SIGTERM")) == []
    assert (state.stopping, state.stopping_ns) == ("SIGTERM", START)


def test_a_failed_job_is_due_again_within_a_minute():
    """Its own next time would be an hour away."""
    state = idle()
    step(state, START, Tick())
    step(state, START, JobFailed("regime", 1, "x"))
    begun = [second for second in range(1, 70) if "regime" in jobs_of(step(state, START + second * SECOND, Tick()))]

    assert begun == [60]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("2026-09-20 earnings", ""),
        ("2026-09-21 earnings", "2026-09-21 earnings"),
        ("2026-09-22 ex-dividend", "2026-09-22 ex-dividend"),
        ("2026-09-23 earnings", ""),
    ],
)
def test_what_is_dated_goes_with_the_scan_from_its_day_to_the_day_after(row, words):
    """The session is of 2026-09-21, and `dates_days` is one."""
    state = trading_state(dates={"AAPL": (row,)})

    assert schedule.ahead(state, "AAPL") == words
    assert schedule.ahead(state, "KO") == ""
    assert schedule.params(state, "scan")["dates"] == ({"AAPL": words} if words else {})


def test_a_strategy_of_the_users_own_is_asked_only_as_it_was_tried():
    """Without `tried`, with another's, or switched off it rests; a strategy that failed is asked no more."""
    code = {"file": "/x/mine.py", "digest": "3fa9c2d1" + "0" * 56, "params": {"n": "1"}}
    own = {
        "tried": Own(**code, tried="3fa9c2d1"),
        "untried": Own(**code),
        "changed": Own(**code, tried="77777777"),
        "off": Own(**code, tried="3fa9c2d1", enabled=False),
    }
    state = trading_state(strategies=Strategies(own=own))
    asked = schedule.params(state, "strategies")
    failed = Block("strategy:own:tried", schedule.FAILED, "it raised", START, latched=True)
    state.blocks[failed.key] = failed

    assert sorted(asked) == ["breakout", "own:tried", "risk"]
    assert asked["own:tried"]["params.n"] == "1"
    assert asked["own:tried"]["regimes"] == ["bull", "neutral"]
    assert "own:tried" not in schedule.params(state, "strategies")


def test_strategies_are_told_what_one_trade_may_risk():
    """The setting itself, to the digit: a person who doubles it gets twice the size."""
    state = trading_state(risk=Risk(per_trade=D("0.010")))

    assert schedule.params(state, "strategies")["risk"] == {"per_trade": "0.010"}
