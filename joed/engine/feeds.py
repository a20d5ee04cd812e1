"""What becomes of an adapter's word about its feeds: what it cannot serve is left alone, what fails is told by name.

An instrument that is set aside has a Block of its own, so the others trade on. A new process asks everything anew.
"""

from collections.abc import Callable
from typing import Any

from joed.engine import hours, previews
from joed.engine.health import keep
from joed.engine.reconcile import broker_of
from joed.model.blocks import Block, key
from joed.model.commands import Command, LiftBlock, RaiseAlert, RaiseBlock
from joed.model.event import Event
from joed.model.feeds import (
    STREAM,
    BarsAsked,
    BarsFetched,
    BrokerExamined,
    FeedChanged,
    HoursTold,
    InstrumentServed,
    InstrumentSetAside,
    MarginTold,
)
from joed.model.state import Fetched, Finding, State
from joed.model.values import MINUTE, Severity

ASIDE = "set_aside"
EXAMINED = "examined"
DAILY, MINUTES = "daily", "minute"
WAIT_NS = 5 * MINUTE
"""How long thinking waits for a broker's history; then it thinks with what there is, and says so."""
NAMES_MAX = 8
FINDINGS_MAX = 32
ASIDE_MAX = 2_000
WORDS_MAX = 300


def note_aside(state: State, now: int, event: InstrumentSetAside) -> None:
    """Remember what a broker cannot serve (part of `apply`)."""
    aside = broker_of(state, event.broker).aside
    if event.instrument in aside or len(aside) < ASIDE_MAX:
        aside[event.instrument] = f"{event.code}: {event.words}"[:WORDS_MAX]


def note_served(state: State, now: int, event: InstrumentServed) -> None:
    """Forget that it could not be served (part of `apply`)."""
    broker_of(state, event.broker).aside.pop(event.instrument, None)


def note_source(state: State, now: int, event: FeedChanged) -> None:
    """Remember how prices come (part of `apply`)."""
    broker_of(state, event.broker).source = event.source


def note_finding(state: State, now: int, event: BrokerExamined) -> None:
    """Remember what the adapter found (part of `apply`)."""
    findings = broker_of(state, event.broker).findings
    if event.name in findings or len(findings) < FINDINGS_MAX:
        findings[event.name] = Finding(event.ok, event.words[:WORDS_MAX], event.halts, now)


def note_asked(state: State, now: int, event: BarsAsked) -> None:
    """Remember that history is on its way; what came before is of another life (part of `apply`)."""
    broker = broker_of(state, event.broker)
    broker.bars_asked_ns, broker.fetched = now, {}


def note_fetched(state: State, now: int, event: BarsFetched) -> None:
    """Remember what has come, and have the thinking that stands on it done anew (part of `apply`)."""
    fetched = Fetched(now, event.instruments, event.bars, event.missing, event.rejected)
    broker_of(state, event.broker).fetched[event.kind] = fetched
    if not event.bars:
        return
    for name in ("regime", "scan") if event.kind == DAILY else ("scan", "watchlist"):
        if name in state.jobs:
            state.jobs[name].next_ns = min(state.jobs[name].next_ns, now)


def begin(state: State) -> None:
    """Believe nothing that another process was told (part of `apply`, at an epoch)."""
    for broker in state.brokers.values():
        broker.source, broker.findings, broker.aside = "", {}, {}
        broker.hours, broker.margins = {}, {}
        broker.bars_asked_ns, broker.fetched = 0, {}


def clear(state: State, commands: list[Command]) -> None:
    """Lift the Blocks that only the last process's adapters stood for: this one's will say what holds now."""
    commands.extend(LiftBlock(name) for name, block in state.blocks.items() if block.reason in (ASIDE, EXAMINED))


def waits(state: State, now: int) -> bool:
    """Say whether a broker's daily bars are still awaited: a judgement without them would be one of nothing."""
    return any(
        broker.up and broker.bars_asked_ns and DAILY not in broker.fetched and now < broker.bars_asked_ns + WAIT_NS
        for broker in state.brokers.values()
    )


def on_aside(state: State, now: int, event: InstrumentSetAside, commands: list[Command]) -> None:
    """Open nothing in an instrument that its broker cannot serve."""
    scope, words = f"instrument:{event.instrument}", f"{event.broker}: {event.words}"[:WORDS_MAX]
    if key(scope, ASIDE) not in state.blocks:
        commands.append(RaiseBlock(Block(scope, ASIDE, words, now)))
        commands.append(RaiseAlert(f"{key(scope, ASIDE)}:{now}", Severity.WARNING, f"{event.instrument}: {words}"))


def on_served(state: State, now: int, event: InstrumentServed, commands: list[Command]) -> None:
    """Let it trade again."""
    if (at := key(f"instrument:{event.instrument}", ASIDE)) in state.blocks:
        commands.append(LiftBlock(at))


def on_source(state: State, now: int, event: FeedChanged, commands: list[Command]) -> None:
    """Tell a person when prices come another way, and when they come as they should again."""
    back = event.source == STREAM
    words = f"{event.broker}: prices come by {event.source}{f' ({event.reason})' if event.reason else ''}"
    severity = Severity.INFO if back else Severity.WARNING
    commands.append(RaiseAlert(f"feed:{event.broker}:{event.source}:{now}", severity, words))


def on_examined(state: State, now: int, event: BrokerExamined, commands: list[Command]) -> None:
    """Tell of what is not well; where it halts, nothing is opened at that broker until it is."""
    scope, reason = f"broker:{event.broker}", EXAMINED
    halting = [name for name, found in state.brokers[event.broker].findings.items() if found.halts and not found.ok]
    words = f"{', '.join(halting)}: {event.words}"[:WORDS_MAX]
    if bool(halting) != (key(scope, reason) in state.blocks):
        keep(state, now, commands, bool(halting), scope, reason, words)
    alert = f"{event.broker}:{event.name}:{state.day.session}:{event.words}"[:WORDS_MAX]
    if not event.ok and alert not in state.alerts:
        severity = Severity.CRITICAL if event.halts else Severity.WARNING
        commands.append(RaiseAlert(alert, severity, f"{event.broker} {event.name}: {event.words}"))


def on_fetched(state: State, now: int, event: BarsFetched, commands: list[Command]) -> None:
    """Tell of the names that have no history: nothing is made up in its place."""
    alert = f"bars:{event.broker}:{event.kind}:{state.day.session}:{len(event.missing)}"
    if event.missing and alert not in state.alerts:
        commands.append(RaiseAlert(alert, Severity.WARNING, missing_words(event.broker, event.kind, event.missing)))


def missing_words(broker: str, kind: str, missing: dict[str, str]) -> str:
    """Say which names have no bars of a kind, and why the first has none."""
    names = list(missing)
    more = f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else ""
    return f"{broker} gave no {kind} bars of {', '.join(names[:NAMES_MAX])}{more}: {missing[names[0]]}"


APPLY: dict[type[Event], Callable[[State, int, Any], None]] = {
    InstrumentSetAside: note_aside,
    InstrumentServed: note_served,
    FeedChanged: note_source,
    BrokerExamined: note_finding,
    HoursTold: hours.note_told,
    MarginTold: previews.note_told,
    BarsAsked: note_asked,
    BarsFetched: note_fetched,
}
"""The rows of these events in `changes.APPLY_EVENT`."""

RULES: dict[type[Event], tuple[Callable[[State, int, Any, list[Command]], None], ...]] = {
    InstrumentSetAside: (on_aside,),
    InstrumentServed: (on_served,),
    FeedChanged: (on_source,),
    BrokerExamined: (on_examined,),
    HoursTold: (hours.on_told,),
    BarsFetched: (on_fetched,),
}
"""Their rows in `step.RULES`."""
