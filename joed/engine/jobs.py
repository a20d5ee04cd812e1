"""What a job's beginning, answer or failure writes into State: part of `apply`, a row each in its tables."""

from math import isfinite

from joed.engine import times
from joed.engine.markets import empty_band, empty_bands, known, market_of
from joed.engine.orders import spent
from joed.engine.triggers import sane
from joed.model import commands as c
from joed.model import events as e
from joed.model.state import Job, Reading, State
from joed.model.values import MINUTE

RETRY_NS = MINUTE
"""A job that failed is tried again this soon, or at its own next time."""


def run_job(state: State, now: int, command: c.RunJob) -> None:
    """Note that a job runs, and when it is due again."""
    job = state.jobs.setdefault(command.job, Job(command.job))
    job.runs, job.running, job.started_ns = command.run, command.run, now
    job.next_ns = times.following(state, command.job, now)


def regime_judged(state: State, now: int, event: e.RegimeJudged) -> None:
    """Take the regime and the last closes over."""
    _job_ended(state, now, "regime", event.run)
    state.regime, state.regime_ns = event.regime, now
    for instrument, close in event.closes.items():
        if known(state, instrument) and isfinite(close) and close > 0:
            market_of(state, instrument).previous_close = close
    empty_bands(state)


def market_scanned(state: State, now: int, event: e.MarketScanned) -> None:
    """Take a new watchlist over."""
    _job_ended(state, now, "scan", event.run)
    state.watchlist, state.scanned_ns = event.watchlist, now
    state.left_out, state.aside = event.rejected, event.aside


def watchlist_scored(state: State, now: int, event: e.WatchlistScored) -> None:
    """Take the new scores over."""
    _job_ended(state, now, "watchlist", event.run)
    state.watchlist = event.watchlist


def triggers_made(state: State, now: int, event: e.TriggersMade) -> None:
    """Put the new Triggers in place of the old ones, each in its market's list; what cannot be traded is left out."""
    _job_ended(state, now, "strategies", event.run)
    for trigger in state.triggers.values():
        market = market_of(state, trigger.instrument)
        market.signals = []
        empty_band(market)
    state.triggers = {}
    for trigger in event.triggers:
        if trigger.signal in state.triggers or trigger.instrument not in state.settings.universe:
            continue
        if not spent(state, trigger) and sane(trigger):
            state.triggers[trigger.signal] = trigger
            market = market_of(state, trigger.instrument)
            market.signals.append(trigger.signal)
            empty_band(market)


def analytics_made(state: State, now: int, event: e.AnalyticsMade) -> None:
    """Take the figures over."""
    _job_ended(state, now, "analytics", event.run)
    state.figures = event.figures


def summary_written(state: State, now: int, event: e.SummaryWritten) -> None:
    """Take the day's summary over."""
    _job_ended(state, now, "summary", event.run)
    state.summary, state.summarised = event.text, state.day.session


def crypto_read(state: State, now: int, event: e.CryptoRead) -> None:
    """Take the readings over."""
    _job_ended(state, now, "crypto", event.run)
    state.figures = {**state.figures, **event.readings}
    known = {name: value for name, value in event.readings.items() if value is not None and isfinite(value)}
    state.crypto = {name: Reading(value, min(event.read_ns.get(name, now), now)) for name, value in known.items()}


def job_failed(state: State, now: int, event: e.JobFailed) -> None:
    """Note the failure; the job is tried again within a minute, the day's summary not."""
    job = state.jobs.get(event.job)
    if job is not None and job.running == event.run:
        job.running, job.ended_ns, job.failed, job.took_ns = 0, now, event.reason, now - job.started_ns
        job.next_ns = min(job.next_ns, now + RETRY_NS)
        job.failures += 1
    if event.job == "summary":
        state.summarised = state.day.session


def _job_ended(state: State, now: int, name: str, run: int) -> None:
    job = state.jobs.get(name)
    if job is not None and job.running == run:
        job.running, job.ended_ns, job.failed, job.took_ns = 0, now, "", now - job.started_ns
    state.analysed_ns = now
