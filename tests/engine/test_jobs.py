"""What a job's answer, or its failure, writes into State."""

import pytest

from joed.engine.step import refold, step
from joed.model.commands import RunJob
from joed.model.events import (
    AnalyticsMade,
    Candidate,
    CryptoRead,
    JobFailed,
    MarketScanned,
    RegimeJudged,
    RegimeRead,
    SummaryWritten,
    Tick,
    TriggersMade,
    WatchlistScored,
)
from joed.model.values import MINUTE
from tests.engine.build import SESSION, START, D, kinds, quote, trading_state, trigger

NAMES = (Candidate("AAPL", 2.0), Candidate("KO", 1.0))
ANSWERS = {
    "regime": RegimeJudged(1, RegimeRead("bull", 1.0), {"AAPL": 199.0}),
    "scan": MarketScanned(1, NAMES),
    "watchlist": WatchlistScored(1, NAMES),
    "strategies": TriggersMade(1, (trigger(),)),
    "analytics": AnalyticsMade(1, {"sharpe": 1.0}),
    "summary": SummaryWritten(1, "a day"),
    "crypto": CryptoRead(1, {"fear": 20.0}),
}


def running(job):
    """Give a State in which this job runs for the first time."""
    state = trading_state()
    refold(state, START, Tick(), [RunJob(job, 1, START + MINUTE)])
    return state


@pytest.mark.parametrize("job", ANSWERS)
def test_an_answer_ends_its_run(job):
    """It runs no more, and when the last analysis was is known."""
    state = running(job)
    busy = state.jobs[job].running

    step(state, START + 5, ANSWERS[job])

    assert (busy, state.jobs[job].running, state.jobs[job].ended_ns) == (1, 0, START + 5)
    assert (state.jobs[job].failed, state.analysed_ns) == ("", START + 5)


def test_an_answer_of_a_run_that_was_given_up_ends_no_later_one():
    """The second run is still under way."""
    state = running("regime")
    refold(state, START, Tick(), [RunJob("regime", 2, START + MINUTE)])

    step(state, START, ANSWERS["regime"])

    assert state.jobs["regime"].running == 2


def test_what_the_answers_leave_behind():
    """Regime and closes, watchlist, Triggers, figures, summary."""
    state = trading_state()
    for answer in ANSWERS.values():
        step(state, START, answer)

    assert (state.regime.name, state.regime_ns, state.markets["AAPL"].previous_close) == ("bull", START, 199.0)
    assert (state.watchlist, state.scanned_ns) == (NAMES, START)
    assert state.markets["AAPL"].signals == list(state.triggers) == ["signal-AAPL-200.00"]
    assert state.figures == {"sharpe": 1.0, "fear": 20.0}
    assert (state.summary, state.summarised) == ("a day", SESSION)


def test_closes_that_are_no_prices_or_of_no_name_of_ours_are_left_out():
    """VIX's rise over a close of nothing would be endless."""
    state = trading_state()
    closes = {"AAPL": float("nan"), "VIX": 0.0, "KO": float("inf"), "ZZZZ": 5.0}

    step(state, START, RegimeJudged(1, RegimeRead("bull", 1.0), closes))

    assert {name for name, market in state.markets.items() if market.previous_close is not None} == set()
    assert "ZZZZ" not in state.markets


def test_new_triggers_take_the_place_of_the_old_ones():
    """Each stands in its market's list once; a spent signal and an unknown name stand in none."""
    state = trading_state()
    step(state, START, TriggersMade(1, (trigger(), trigger("KO"))))
    state.signals["signal-MSFT-200.00"] = "entered"

    made = (trigger("KO"), trigger("KO"), trigger("MSFT"), trigger("ZZZZ"))
    step(state, START, TriggersMade(2, made))

    assert list(state.triggers) == ["signal-KO-200.00"]
    signals = {name: market.signals for name, market in state.markets.items() if market.signals}
    assert signals == {"KO": ["signal-KO-200.00"]}
    assert step(state, START, quote("AAPL", 200.0)) == []


def test_a_strategy_that_failed_is_asked_no_more_until_a_person_releases_it():
    """A latched Block on it alone, told once; the others' Triggers hold."""
    state = trading_state()
    failed = TriggersMade(1, (trigger("KO"),), {"breakout": "division by zero"})

    assert [kinds(step(state, START, failed)) for _ in range(2)] == [["RaiseBlock", "RaiseAlert"], []]
    assert list(state.triggers) == ["signal-KO-200.00"]
    assert state.blocks["strategy:breakout/strategy_failed"].latched


def test_a_job_that_failed_is_told_and_tried_again_within_a_minute():
    """An hour without a regime would be an hour without a watchlist."""
    state = running("regime")
    planned = state.jobs["regime"].next_ns

    commands = step(state, START + 5, JobFailed("regime", 1, "timed out"))

    job = state.jobs["regime"]
    assert kinds(commands) == ["RaiseAlert"]
    assert (planned, job.next_ns) == (START + 55 * MINUTE, START + 5 + MINUTE)
    assert (job.running, job.failed, job.failures) == (0, "timed out", 1)


def test_a_summary_that_failed_is_not_tried_again():
    """The day is over; the report can be made from the record."""
    state = running("summary")

    step(state, START, JobFailed("summary", 1, "no words"))

    assert state.summarised == SESSION


def test_a_failure_of_an_unknown_job_changes_nothing():
    """It is told all the same."""
    state = trading_state()
    before = list(state.jobs)

    assert kinds(step(state, START, JobFailed("astrology", 1, "no stars"))) == ["RaiseAlert"]
    assert list(state.jobs) == before


def test_a_trigger_replaced_while_its_entry_rests_keeps_its_trail():
    """What it asked for was noted when it fired."""
    state = trading_state()
    step(state, START, TriggersMade(1, (trigger(trail=D(3)),)))
    [command] = step(state, START, quote("AAPL", 200.0))
    step(state, START, TriggersMade(2, ()))

    assert state.trails == {command.signal: D(3)}
