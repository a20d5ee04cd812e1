"""`joed --once --trade`: a few minutes of the daemon's own life: read the books, think once, let triggers fire, end.

The same jobs, gate, door and record as the daemon, under the same lock; it ends as a daemon does: resting entries are
cancelled, stops stay. A signal that became an entry is spent in the record, so the next run does not enter it again.
"""

import asyncio
import sys
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from joed.brokers.base import Broker
from joed.compose import live_choices
from joed.daemon.clock import Clock
from joed.daemon.daemon import Daemon
from joed.daemon.log import Log
from joed.daemon.places import Places
from joed.daemon.plan import Emit, Plan
from joed.daemon.reads import Record
from joed.daemon.supervise import Work
from joed.daemon.systemd import Notifier
from joed.daemon.trading import Worker
from joed.market.thinker import bars_of, market_of
from joed.model import events as e
from joed.model.commands import RefuseEntry, SubmitOrder
from joed.model.events import StopAsked
from joed.model.settings import Settings
from joed.model.state import State
from joed.model.triggers import Trigger
from joed.model.values import MINUTE, SECOND

FIRE_NS = 60 * SECOND
"""How long the triggers may fire, once they are made."""
IDLE_NS = 30 * SECOND
"""After so long without a session there is none."""
PATIENCE_NS = 300 * SECOND
"""When a batch that has not thought through is given up."""
OK, FAILED = 0, 1


@dataclass
class Batch:
    """What one run did, told record by record."""

    begun_ns: int = 0
    made_ns: int = 0
    ended: str = ""
    triggers: dict[str, Trigger] = field(default_factory=dict)
    entries: list[SubmitOrder] = field(default_factory=list)
    refused: list[RefuseEntry] = field(default_factory=list)
    fills: list[e.OrderFilled] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def tell(self, record: Record) -> None:
        """Take in a record that has become durable."""
        match record.event:
            case e.TriggersMade(triggers=triggers, faults=faults):
                self.triggers |= {trigger.signal: trigger for trigger in triggers}
                self.failed += [f"strategy {name}: {reason}" for name, reason in faults.items()]
            case e.JobFailed(job=job, reason=reason):
                self.failed.append(f"job {job}: {reason}")
            case e.OrderFilled():
                self.fills.append(record.event)
        self.entries += [command for command in record.commands if isinstance(command, SubmitOrder) and command.opens]
        self.refused += [command for command in record.commands if isinstance(command, RefuseEntry)]

    def over(self, state: State, now: int) -> str:
        """Say why this run is over at `now`, "" while it is not."""
        day, thought = state.day, state.jobs.get("strategies")
        if thought is not None and thought.ended_ns > self.begun_ns:
            self.made_ns = self.made_ns or thought.ended_ns
        if self.made_ns and now - self.made_ns >= FIRE_NS:
            return "the triggers had their time"
        if not day.session or day.close_ns <= now:
            return "no session is due" if now - self.begun_ns >= IDLE_NS else ""
        if now < day.open_ns and state.scanned_ns >= self.begun_ns:
            return "the market is not open yet"
        if now - self.begun_ns >= PATIENCE_NS:
            self.failed.append(f"not thought through within {PATIENCE_NS // SECOND} s")
            return "given up"
        return ""

    def watch(self, daemon: Daemon, clock: Clock, emit: Emit) -> None:
        """Look each second whether it is over, and have the daemon end in order then."""
        self.begun_ns = clock.now()

        def look() -> None:
            self.ended = self.over(daemon.state, clock.now())
            if self.ended:
                emit(StopAsked(f"once: {self.ended}"))
            else:
                clock.call_at(clock.now() + SECOND, look)

        clock.call_at(clock.now() + SECOND, look)


def trade_once(plan: Plan, where: Places, log: Log, *, as_json: bool) -> int:
    """Live once, print what came of it, and give the exit status: 0, 1 where something failed, or the daemon's own."""
    batch = Batch()
    daemon = Daemon(plan, where, Notifier(), log)

    def connect(clock: Clock, emit: Emit) -> Mapping[str, Broker]:
        batch.watch(daemon, clock, emit)
        return plan.connect(clock, emit)

    daemon.plan = replace(plan, connect=connect, tell=batch.tell)
    status = asyncio.run(daemon.run())
    sys.stdout.write(as_data(batch, daemon.state) if as_json else as_text(batch, daemon.state))
    return status or (FAILED if batch.failed else OK)


def with_the_morning(plan: Plan, options: Namespace, settings: Settings, folder: Path | None, where: Places) -> Plan:
    """Give the worker of the embedded market the minutes of today that are over: a batch was not there to see them."""
    market = market_of(live_choices(options, settings, folder, where).day)

    def worker(at: Clock, root: Path) -> tuple[Worker, list[Work]]:
        made, works = plan.worker(at, root)
        for symbol in market.symbols:
            made.bars([bar for bar in bars_of(symbol, market.minutes(symbol)) if bar.at_ns + MINUTE <= at.now()])
        return made, works

    return replace(plan, worker=worker)


def as_data(batch: Batch, state: State) -> str:
    """Give the run as JSON."""
    shown = {
        "session": state.day.session,
        "ended": batch.ended,
        "regime": state.regime,
        "watchlist": state.watchlist,
        "triggers": list(batch.triggers.values()),
        "entries": batch.entries,
        "refused": batch.refused,
        "fills": batch.fills,
        "failed": batch.failed,
        "blocks": list(state.blocks.values()),
    }
    return msgspec.json.format(msgspec.json.encode(shown), indent=2).decode() + "\n"


def as_text(batch: Batch, state: State) -> str:
    """Give the run in words."""
    regime = f"{state.regime.name} ({state.regime.score:+.1f})" if state.regime else "not judged"
    lines = [
        f"Session {state.day.session or 'none'}: {batch.ended or 'ended early'}",
        f"Regime  {regime}",
        f"Watched {', '.join(row.instrument for row in state.watchlist) or 'nothing'}",
        f"Armed   {len(batch.triggers)} triggers",
    ]
    lines += [
        f"Entered {row.side} {row.quantity} {row.instrument} to {row.level}, stop {row.stop}: {'; '.join(row.reasons)}"
        for row in batch.entries
    ]
    lines += [f"Filled  {row.side} {row.quantity} {row.instrument} at {row.price}" for row in batch.fills]
    lines += [f"Refused {row.instrument}: {row.words} ({row.code})" for row in batch.refused]
    lines += [f"Blocked {row.scope}: {row.words}" for row in state.blocks.values()]
    lines += [f"Failed  {words}" for words in batch.failed]
    return "\n".join(lines) + "\n"
