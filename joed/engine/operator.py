"""What people ask for, verb by verb; each gets an Answer, a yes or a named refusal, in the same record."""

from collections.abc import Callable

from joed.engine.confirming import answer, confirm, needs_confirmation, unconfirmed
from joed.engine.exits import flatten
from joed.engine.hands import HANDS
from joed.engine.orders import cancel_entries, resting
from joed.engine.reconcile import reconciled
from joed.model.blocks import ALL, Block, key
from joed.model.commands import Answer, Command, LatchKill, LiftBlock, RaiseAlert, RaiseBlock
from joed.model.events import LatchSeen, OperatorAsked
from joed.model.state import State
from joed.model.values import Scope, Severity

KILLED = "killed"
PAUSED = "paused"


def asked(state: State, now: int, event: OperatorAsked, commands: list[Command]) -> None:
    """Answer one request; an unknown verb is an answer too, and what was answered before is answered the same."""
    before = state.answers.get(event.request)
    if before is not None:
        commands.append(before)
        return
    verb = VERBS.get(event.verb)
    if verb is None:
        commands.append(Answer(event.request, event.verb, "unknown_verb", f"joed does not know {event.verb!r}"))
        return
    verb(state, now, event, commands)


def kill(state: State, now: int, event: OperatorAsked, commands: list[Command]) -> None:
    """Latch the kill at the widest scope asked for so far, and act on it."""
    name = event.args.get("scope", Scope.ORDERS.value)
    if name not in tuple(Scope):
        commands.append(answer(event, f"there is no scope {name!r}", "unknown_scope"))
        return
    scope = Scope(name)
    words = f"killed by uid {event.uid}: {event.reason or 'no reason given'}"
    if state.killed is not None and scope.width <= state.killed.width:
        commands.append(LatchKill(scope, words))  # the file was seen first: who asked, and why, is still worth knowing
    latch(state, now, scope, words, commands)
    commands.append(answer(event, receipt(state, scope)))


def receipt(state: State, scope: Scope) -> str:
    """Say in words what a kill of this scope does now."""
    said = ["no entries any more"]
    if scope.width >= Scope.ORDERS.width:
        said.append(f"{counted(len(resting(state)), 'resting entry', 'resting entries')} to be cancelled")
    if scope.width >= Scope.FLATTEN.width:
        held = sum(1 for position in state.positions.values() if position.quantity)
        said.append(f"{counted(held, 'position', 'positions')} to be closed")
    else:
        said.append("stops kept")
    return f"{scope.value}: {', '.join(said)}"


def counted(number: int, one: str, many: str) -> str:
    """Give a number with its noun."""
    return f"{number or 'no'} {one if number == 1 else many}"


def seen(state: State, now: int, event: LatchSeen, commands: list[Command]) -> None:
    """Honour a kill file that somebody else made."""
    latch(state, now, event.scope, f"the kill file of uid {event.uid}", commands)


def latch(state: State, now: int, scope: Scope, words: str, commands: list[Command]) -> None:
    """Shut the gate for entries, cancel and close as far as the scope reaches."""
    if state.killed is None or scope.width > state.killed.width:
        commands.append(LatchKill(scope, words))
        commands.append(RaiseAlert(f"{KILLED}:{now}", Severity.CRITICAL, f"{scope.value}: {words}"))
    if scope.width >= Scope.ORDERS.width:
        commands.extend(cancel_entries(state, KILLED))
    if scope.width >= Scope.FLATTEN.width:  # and again each second, until the broker shows flat (closing)
        for position in state.positions.values():
            if position.quantity:
                flatten(state, now, position, KILLED, commands)


def release(state: State, now: int, event: OperatorAsked, commands: list[Command]) -> None:
    """Lift a latched Block, by name or the kill's: needs a reason and reconciled brokers; live mode confirms anew."""
    at = event.args.get("block", key(ALL, KILLED))
    block = state.blocks.get(at)
    if block is None or not block.latched:
        commands.append(answer(event, f"{at} is not latched", "nothing_to_release"))
    elif not event.reason.strip():
        commands.append(answer(event, "say why with --reason", "reason_needed"))
    elif not reconciled(state):
        commands.append(answer(event, "the brokers' books are not reconciled", "not_reconciled"))
    else:
        commands.append(LiftBlock(at, f"released by uid {event.uid}: {event.reason}"))
        if needs_confirmation(state):
            commands.append(RaiseBlock(unconfirmed(now)))
        commands.append(answer(event, f"{at} is released"))


def pause(state: State, now: int, event: OperatorAsked, commands: list[Command]) -> None:
    """Forbid entries until resumed; positions stay managed."""
    commands.append(RaiseBlock(Block(ALL, PAUSED, event.reason or f"paused by uid {event.uid}", now)))
    commands.append(answer(event, "entries are paused"))


def resume(state: State, now: int, event: OperatorAsked, commands: list[Command]) -> None:
    """Allow entries again after a pause."""
    at = key(ALL, PAUSED)
    if at in state.blocks:
        commands.append(LiftBlock(at, f"resumed by uid {event.uid}"))
        commands.append(answer(event, "entries are allowed again, as far as nothing else forbids them"))
    else:
        commands.append(answer(event, "nothing is paused", "nothing_to_resume"))


VERBS: dict[str, Callable[[State, int, OperatorAsked, list[Command]], None]] = {
    "confirm": confirm,
    "kill": kill,
    "release": release,
    "pause": pause,
    "resume": resume,
    **HANDS,
}
"""What a person may ask of the engine; reading and flushing are the shell's."""
