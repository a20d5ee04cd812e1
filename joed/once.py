"""The batch pipeline: analyse once, print the regime, the watchlist and what would open a position, end."""

import asyncio
import sys
from argparse import Namespace
from pathlib import Path

import msgspec

from joed.brokerage import checked, is_real
from joed.compose import calendars_for, clock_of, live_choices
from joed.daemon.clock import RealClock
from joed.daemon.credentials import Secrets
from joed.daemon.job_context import context_of
from joed.daemon.places import default_root, places
from joed.daemon.visit import Visit
from joed.daemon.worker_main import InlineWorker
from joed.engine.schedule import names, params
from joed.engine.sessions import session_at
from joed.engine.step import refold
from joed.engine.times import deadline_ns
from joed.market.thinker import bars_of, market_of, teach
from joed.model.commands import OpenSession, RunJob
from joed.model.events import JobFailed, Tick
from joed.model.settings import Settings
from joed.model.state import State
from joed.model.values import MINUTE

PIPELINE = ("regime", "scan", "strategies")


def run_once(options: Namespace, settings: Settings, folder: Path | None) -> int:
    """Run each job once on what is known now, and print what came of it; 1 where a job failed."""
    if is_real(settings):
        return _at_brokers(options, settings, folder)
    choices = live_choices(options, settings, folder, places(options.state_dir or default_root()))
    now, market = choices.origin_ns, market_of(choices.day)
    state = State(settings=choices.settings, calendars=choices.calendars, cash=choices.settings.paper.cash)
    worker = InlineWorker()
    teach(worker, market)
    for symbol in market.symbols:
        worker.bars([bar for bar in bars_of(symbol, market.minutes(symbol)) if bar.at_ns + MINUTE <= now])
    refold(state, now, Tick(), [OpenSession(market.session, market.open_ns, market.close_ns, state.cash)])
    return _tell(options, state, now, worker)


def _at_brokers(options: Namespace, settings: Settings, folder: Path | None) -> int:
    """Do the same with what the brokers tell; nothing is sent to them but questions."""
    settings, credentials = checked(settings, Secrets.of())
    now, _ = clock_of(options.clock, settings)
    state = State(settings=settings, calendars=calendars_for(settings, folder))
    worker = InlineWorker()
    missing = asyncio.run(Visit(state, worker, RealClock(now)).run(credentials))
    found = session_at(state.calendars[settings.calendar], now)
    refold(state, now, Tick(), [OpenSession(found.date.isoformat(), found.open_ns, found.close_ns, state.cash)])
    for words in missing:
        sys.stderr.write(f"joed: {words}\n")
    return _tell(options, state, now, worker)


def _tell(options: Namespace, state: State, now: int, worker: InlineWorker) -> int:
    """Think, and print what came of it."""
    failures = [failed for job in PIPELINE if (failed := _think(state, now, worker, job))]
    told = _json(state) if options.json else _text(state, now)
    sys.stdout.write(told)
    for failed in failures:
        sys.stderr.write(f"joed: {failed}\n")
    return 1 if failures else 0


def _think(state: State, now: int, worker: InlineWorker, job: str) -> str:
    """Run one job and let State have its answer; give what failed, or ""."""
    command = RunJob(job, 1, now + deadline_ns(state.settings.jobs, job), params(state, job), names(state, job))
    event = worker.run(command, context_of(state, job))
    if isinstance(event, JobFailed):
        return f"job {job} failed: {event.reason}"
    refold(state, now, event, [])
    return ""


def _json(state: State) -> str:
    shown = {
        "session": state.day.session,
        "regime": state.regime,
        "watchlist": state.watchlist,
        "triggers": list(state.triggers.values()),
    }
    return msgspec.json.format(msgspec.json.encode(shown), indent=2).decode() + "\n"


def _text(state: State, now: int) -> str:
    lines = [f"Session {state.day.session}"]
    if state.regime is not None:
        lines += [f"Regime  {state.regime.name} ({state.regime.score:+.1f})"]
        lines += [f"        {part}" for part in state.regime.parts]
    lines.append("Watchlist")
    lines += [f"  {row.instrument:<6} {row.score:6.1f}  {'; '.join(row.reasons)}" for row in state.watchlist]
    lines.append("Triggers")
    lines += [
        f"  {trigger.side} {trigger.instrument:<6} at {trigger.level}, stop {trigger.stop}, target {trigger.target}: "
        f"{'; '.join(trigger.reasons)}"
        for trigger in state.triggers.values()
    ]
    if not state.triggers:
        open_now = state.day.open_ns <= now < state.day.close_ns
        lines.append("  none now" if open_now else "  none: they are made while the market is open")
    return "\n".join(lines) + "\n"
