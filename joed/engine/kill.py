"""The kill: the gate shut at once, then what its scope asks for, pressed until the broker's evidence shows it done."""

from msgspec.structs import replace

from joed.engine import foreign
from joed.engine.binding import mistaken
from joed.engine.exits import flatten
from joed.engine.orders import cancel_entries, listens, resting
from joed.engine.receipt import open_ends, receipt_of, summed
from joed.model.blocks import ALL, Block, key
from joed.model.commands import (
    Answer,
    CancelOrder,
    Command,
    EndDrill,
    LatchKill,
    LiftBlock,
    RaiseAlert,
    ReadBroker,
    SettleKill,
    Unlatch,
)
from joed.model.events import BrokerUp, EpochStarted, Event, LatchGone, LatchSeen, OperatorAsked
from joed.model.kill import Kill
from joed.model.state import State
from joed.model.values import SECOND, Scope, Severity

KILLED = "killed"
AT = key(ALL, KILLED)
"""The Block of a kill."""


def asked(state: State, now: int, event: OperatorAsked, commands: list[Command]) -> None:
    """Latch the kill at the widest scope asked for so far, and act on it."""
    name = event.args.get("scope", Scope.ORDERS.value)
    if name not in tuple(Scope):
        commands.append(Answer(event.request, event.verb, "unknown_scope", f"there is no scope {name!r}"))
        return
    scope = Scope(name)
    words = f"killed by uid {event.uid}: {event.reason or 'no reason given'}"
    latch(state, now, scope, words, commands, request=event.request)
    if not any(isinstance(command, LatchKill) for command in commands):
        # The file was seen first, or the kill is not the first: who asked, and why, is still worth knowing.
        commands.insert(0, LatchKill(scope, words, event.request))
    commands.append(Answer(event.request, event.verb, "ok", aim(state, widest(state, scope))))


def seen(state: State, now: int, event: LatchSeen, commands: list[Command]) -> None:
    """Honour a kill file that somebody else made."""
    latch(state, now, event.scope, f"the kill file of uid {event.uid}", commands)


def begun(state: State, now: int, event: EpochStarted, commands: list[Command]) -> None:
    """Honour at a start what was latched outside the journal; a drill that a restart cut short is a kill now."""
    drill = state.kill is not None and state.kill.drill
    if event.suspect:
        latch(state, now, Scope.ORDERS, event.suspect, commands)
    if event.killed is not None:
        latch(state, now, event.killed, "the kill file was there at the start", commands)
    elif drill and state.killed is not None:
        latch(state, now, state.killed, "a restart cut a drill short", commands)


def gone(state: State, now: int, event: LatchGone, commands: list[Command]) -> None:
    """Tell that the file of a kill is gone although nobody released it; the Block stays, the shell makes it anew."""
    if state.killed is not None:
        words = "the kill has no file although nobody released it: joed makes it again, the kill stays"
        commands.append(RaiseAlert(f"{KILLED}:gone:{now}", Severity.CRITICAL, words))


def widest(state: State, scope: Scope) -> Scope:
    """Give the scope that holds once this one is asked for: a narrower kill never narrows."""
    return scope if state.killed is None or scope.width > state.killed.width else state.killed


def latch(state: State, now: int, scope: Scope, words: str, commands: list[Command], *, request: str = "") -> None:
    """Shut the gate for entries, and begin what the scope asks for."""
    drill = state.kill is not None and state.kill.drill
    wider = state.killed is None or scope.width > state.killed.width
    if drill:
        commands.append(EndDrill(passed=False, words=f"overtaken: {words}"))
    if wider or drill:
        commands.append(LatchKill(scope, words, request))
        commands.append(RaiseAlert(f"{KILLED}:{now}", Severity.CRITICAL, f"{scope.value}: {words}"))
    act(state, now, widest(state, scope), commands)
    if wider and not drill and not any(open_ends(state, kill_of(state, now, LatchKill(scope, words, request)))):
        commands.append(SettleKill())


def act(state: State, now: int, scope: Scope, commands: list[Command]) -> None:
    """Cancel, close and clear as far as the scope reaches; `closing`, `overdue` and `press` go on each second."""
    if scope.width >= Scope.ORDERS.width:
        commands.extend(cancel_entries(state, KILLED))
    if scope.width >= Scope.FLATTEN.width:
        for position in state.positions.values():
            if position.quantity:
                flatten(state, now, position, KILLED, commands)
    if scope is Scope.ACCOUNT:
        foreign.clear(state, now, commands)
        commands.extend(ReadBroker(name, KILLED) for name in state.settings.brokers if listens(state, name))


def press(state: State, now: int, commands: list[Command]) -> None:
    """Go on with what is not ours, each second."""
    if state.killed is Scope.ACCOUNT:
        foreign.clear(state, now, commands)


def back(state: State, now: int, event: BrokerUp, commands: list[Command]) -> None:
    """Send the cancels first when a broker is back: one may be repeated, and harms nothing that is gone already."""
    if state.killed is None or state.killed.width < Scope.ORDERS.width or mistaken(state, event):
        return
    commands.extend(CancelOrder(order.order, KILLED) for order in resting(state) if order.broker == event.broker)


def aim(state: State, scope: Scope) -> str:
    """Say in words what a kill of this scope does now."""
    said = ["no entries any more"]
    if scope.width >= Scope.ORDERS.width:
        said.append(f"{counted(len(resting(state)), 'resting entry', 'resting entries')} to be cancelled")
    if scope.width >= Scope.FLATTEN.width:
        held = sum(1 for position in state.positions.values() if position.quantity)
        said.append(f"{counted(held, 'position', 'positions')} to be closed")
    else:
        said.append("stops kept")
    if scope is Scope.ACCOUNT:
        orders = sum(len(broker.foreign) for broker in state.brokers.values())
        held = sum(1 for quantity in state.external.values() if quantity)
        said.append(
            f"{counted(orders, 'order', 'orders')} and {counted(held, 'position', 'positions')}"
            " that are not ours to be cleared"
        )
    return f"{scope.value}: {', '.join(said)}"


def counted(number: int, one: str, many: str) -> str:
    """Give a number with its noun."""
    return f"{number or 'no'} {one if number == 1 else many}"


def settle(state: State, now: int, event: Event, commands: list[Command]) -> None:
    """Note when all is done, tell what is not after a while, and take it back where something came alive again."""
    kill = state.kill
    if kill is None:
        return
    waits = list(open_ends(state, kill))
    late = now - kill.since_ns >= int(state.settings.health.kill_late_s * SECOND)
    if waits and kill.done_ns:
        commands.append(SettleKill(done=False))
        commands.append(RaiseAlert(f"{KILLED}:again:{now}", Severity.CRITICAL, f"after the kill was done: {waits[0]}"))
    elif not waits and not kill.done_ns:
        commands.append(SettleKill())
        commands.extend(done(state, now, kill))
    elif waits and late and kill.drill:
        commands.append(EndDrill(passed=False, words=waits[0]))
        commands.append(LatchKill(kill.scope, f"a drill was not done in time: {waits[0]}", kill.request))
        commands.append(RaiseAlert(f"{KILLED}:drill:{now}", Severity.CRITICAL, f"the drill failed: {waits[0]}"))
    elif waits and late and (alert := f"{KILLED}:late:{kill.since_ns}") not in state.alerts:
        more = f" (and {len(waits) - 1} more: joectl kill --show)" if len(waits) > 1 else ""
        words = f"{kill.scope.value}: not done after {(now - kill.since_ns) // SECOND} s: {waits[0]}{more}"
        commands.append(RaiseAlert(alert, Severity.CRITICAL, words))


def done(state: State, now: int, kill: Kill) -> list[Command]:
    """Give what follows when all is done: the news, or the end of a drill, which releases itself."""
    receipt = receipt_of(state)
    assert receipt is not None
    took_s = (now - kill.since_ns) / SECOND
    words = f"{kill.scope.value}: done {took_s:.1f} s after the kill: {summed(receipt)}"
    if not kill.drill:
        return [RaiseAlert(f"{KILLED}:done:{now}", Severity.INFO, words)]
    return [
        EndDrill(passed=True, words=words),
        LiftBlock(AT, "the drill is over"),
        Unlatch(drill=True),
        RaiseAlert(f"kill_drill:{now}", Severity.INFO, f"the kill drill passed: {words}"),
    ]


def kill_of(state: State, now: int, command: LatchKill) -> Kill:
    """Give the kill that this command makes, with what it meets now and what an earlier one met."""
    before = state.kill
    kill = Kill(command.request, command.scope, command.words, now, drill=command.drill)
    kill.entries = tuple(dict.fromkeys([*(before.entries if before else ()), *state.resting]))
    kill.held = {name: position.quantity for name, position in state.positions.items() if position.quantity}
    kill.held |= before.held if before else {}
    kill.foreign, kill.external = (before.foreign, before.external) if before else ({}, {})
    return kill


def apply_latch(state: State, now: int, command: LatchKill) -> None:
    """Shut the gate; a narrower kill after a wider one narrows nothing, a real one after a drill ends the drill."""
    kill = state.kill
    if state.killed is None or command.scope.width > state.killed.width:
        state.kill = kill_of(state, now, command)
        state.killed = command.scope
        for broker in state.brokers.values():
            foreign.note_met(state, broker)
    elif kill is not None and not kill.request and not kill.drill:
        kill.request, kill.words = command.request, command.words  # its file was seen before its author's word came
    elif kill is not None and kill.drill and not command.drill:
        state.kill = replace(kill, drill=False, words=command.words, request=command.request, since_ns=now, done_ns=0)
    state.blocks[AT] = Block(ALL, KILLED, command.words, now, latched=True)


def apply_settle(state: State, now: int, command: SettleKill) -> None:
    """Note when it was done, or that it is not."""
    assert state.kill is not None
    state.kill.done_ns = now if command.done else 0
