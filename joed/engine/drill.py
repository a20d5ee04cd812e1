"""The drill: a kill of the paper account that nobody has to release, to prove that the road from file to fill works.

It latches, lets permit refuse an entry that is never sent, has the broker read whole, and releases itself. Whatever
goes wrong on the way, or is really killed meanwhile, leaves a real kill in force.
"""

from joed.engine.kill import KILLED, aim
from joed.engine.orders import cancel_entries, listens, rehearsal
from joed.engine.receipt import SHUT
from joed.model.commands import (
    Answer,
    Command,
    EndDrill,
    LatchKill,
    RaiseAlert,
    ReadBroker,
    RehearseKill,
)
from joed.model.events import KillRehearsed, OperatorAsked
from joed.model.kill import Drill
from joed.model.state import State
from joed.model.values import Mode, Scope, Severity

SCOPES = (Scope.ENTRIES, Scope.ORDERS)
"""How far a drill may reach: it closes nothing."""


def asked(state: State, now: int, event: OperatorAsked, commands: list[Command]) -> None:
    """Begin a drill, or say why not."""
    name = event.args.get("scope", Scope.ORDERS.value)
    code, words = refusal(state, name)
    if code:
        commands.append(Answer(event.request, event.verb, code, words))
        return
    scope = Scope(name)
    commands.append(LatchKill(scope, f"a drill by uid {event.uid}", event.request, drill=True))
    if scope is Scope.ORDERS:
        commands.extend(cancel_entries(state, "kill drill"))
    commands.append(RehearseKill(scope, rehearsal(state, len(commands))))
    commands.extend(ReadBroker(broker, "kill drill") for broker in state.settings.brokers)
    commands.append(Answer(event.request, event.verb, "ok", f"drill begun: {aim(state, scope)}"))


def refusal(state: State, scope: str) -> tuple[str, str]:
    """Say why no drill may be held now: a code and words, both "" where it may."""
    if state.mode is not Mode.PAPER:
        return "drill_live", "a drill is for paper alone, and this account is real"
    if scope not in SCOPES:
        return "drill_scope", "a drill closes nothing: its scope is entries or orders"
    if state.killed is not None:
        return "already_killed", "a kill is in force: release it first"
    away = [name for name in state.settings.brokers if not listens(state, name)]
    if away or state.journal_down:
        return "not_reconciled", f"{', '.join(away) or 'the journal'} does not answer: a drill would prove nothing"
    return "", ""


def rehearsed(state: State, now: int, event: KillRehearsed, commands: list[Command]) -> None:
    """Judge what permit said: anything but a refusal by the file is a failed drill, and the kill stays."""
    kill = state.kill
    if kill is None or not kill.drill or event.proof == SHUT:
        return
    words = f"permit said {event.proof or 'yes'!r} to an entry during a kill"
    commands.append(EndDrill(passed=False, words=words))
    commands.append(LatchKill(kill.scope, f"a drill failed: {words}", kill.request))
    commands.append(RaiseAlert(f"{KILLED}:drill:{now}", Severity.CRITICAL, f"the drill failed: {words}"))


def apply_rehearsed(state: State, now: int, event: KillRehearsed) -> None:
    """Keep what was measured."""
    if state.kill is not None and state.kill.drill:
        state.kill.rehearsed, state.kill.latch_ns, state.kill.proof = True, event.latch_ns, event.proof


def apply_end(state: State, now: int, command: EndDrill) -> None:
    """Remember how it went."""
    kill, before = state.kill, state.drilled
    if kill is None:
        return
    passed_ns = now if command.passed else before.passed_ns if before else 0
    state.drilled = Drill(
        at_ns=now,
        scope=kill.scope,
        passed=command.passed,
        words=command.words,
        latch_ns=kill.latch_ns,
        done_ns=now - kill.since_ns,
        passed_ns=passed_ns,
    )
