"""The only code that decides: an event comes in, commands come out, and only `apply` writes State.

`step` is `apply(event)`, then `decide` (which reads), then `apply(commands)`. It does no I/O, asks no clock and throws
no dice: the same State and events give the same commands, today or in a replay. Recovery calls `refold`, which applies
what was recorded and decides nothing.
"""

from collections.abc import Callable
from typing import Any

from joed.engine import (
    alerting,
    binding,
    changes,
    channels,
    closing,
    confirming,
    corporate,
    drill,
    exits,
    fear,
    feeds,
    health,
    kill,
    operator,
    orders,
    overnight,
    protection,
    reconcile,
    reloading,
    schedule,
    triggers,
    verdicts,
)
from joed.engine.bands import tighten
from joed.engine.changes import APPLY_COMMAND, APPLY_EVENT
from joed.model import commands as c
from joed.model import events as e
from joed.model.blocks import Block
from joed.model.commands import Command
from joed.model.events import Event, Quote
from joed.model.state import State
from joed.model.values import ZERO, Leg, Severity, Status


def step(state: State, now: int, event: Event) -> list[Command]:
    """Give what is to be done about one event, and let State know of both."""
    if type(event) is Quote and inside_band(state, now, event):
        return []
    apply(state, now, event)
    commands = decide(state, now, event)
    for command in commands:
        APPLY_COMMAND[type(command)](state, now, command)
    settle(state, now, event, commands)
    return commands


def refold(state: State, now: int, event: Event, commands: list[Command]) -> None:
    """Let State know of an event and of the commands that were recorded with it, without deciding again."""
    if type(event) is Quote and not commands and inside_band(state, now, event):
        return
    apply(state, now, event)
    for command in commands:
        APPLY_COMMAND[type(command)](state, now, command)
    settle(state, now, event, commands)


def inside_band(state: State, now: int, quote: Quote) -> bool:
    """Take a quote in without thought where no rule can act on it: the road of nearly every quote."""
    market = state.markets.get(quote.instrument)
    if market is None or not market.lo < quote.bid <= quote.ask < market.hi:
        return False
    last = quote.last
    if last is None:
        last = (quote.bid + quote.ask) / 2
    elif not market.last_lo < last < market.last_hi:
        return False
    state.seq += 1
    state.now = now
    state.finished = NOTHING
    market.quote = quote
    market.quotes += 1
    if last > market.high:  # noqa: PLR1730 - max() is a call, and this is the road of every quote
        market.high = last
    if last < market.low:  # noqa: PLR1730 - as above, no call
        market.low = last
    return True


NOTHING: list[Any] = []
"""No minute bar was finished by this step; shared, and never added to."""


def apply(state: State, now: int, event: Event) -> None:
    """Write one event into State."""
    state.seq += 1
    state.now = now
    state.finished = []
    APPLY_EVENT[type(event)](state, now, event)


def decide(state: State, now: int, event: Event) -> list[Command]:
    """Give the commands that follow from an event, rule by rule; nothing is written here."""
    commands: list[Command] = []
    for rule in RULES.get(type(event), ()):
        rule(state, now, event, commands)
    return commands


def settle(state: State, now: int, event: Event, commands: list[Command]) -> None:
    """Bring what is derived up to date: who is unprotected since when, and the bands of what was touched."""
    if commands:
        changes.touch(state, commands)
    if type(event) is Quote:
        market = state.markets.get(event.instrument)
        if market is not None:
            tighten(state, market)
    elif type(event) is e.BrokerRead or type(event) is e.EpochStarted or retires(commands):
        protection.note(state, now)
    elif (order := state.orders.get(getattr(event, "order", ""))) is not None:
        protection.note(state, now, order.instrument)


PROTECTING = c.CancelOrder | c.MarkUncertain | c.RetireOrder | c.ClaimOrder | c.AdoptPosition | c.AdjustPosition


def retires(commands: list[Command]) -> bool:
    """Say whether a command changed what protects, or what is to be protected."""
    return any(isinstance(command, PROTECTING) for command in commands)


def on_quote(state: State, now: int, quote: Quote, commands: list[Command]) -> None:
    """Act on a price: fear first, then the trail of what is held, then what may be opened."""
    market = state.markets.get(quote.instrument)
    if market is None or market.quote is not quote:
        return  # left out: it was no price, or of nothing that we know
    if quote.instrument == state.settings.vix.instrument:
        fear.shut(state, now, market, commands)
    lifted = health.fresh(state, now, quote, commands)
    position = state.positions.get(quote.instrument)
    if position is not None:
        exits.trail(state, now, position, quote, commands)
    if market.signals and not state.stopping and not lifted:
        triggers.fire(state, now, market, quote, commands)


def on_tick(state: State, now: int, event: e.Tick, commands: list[Command]) -> None:
    """Look up once a second: what is overdue, unprotected, silent, due."""
    schedule.session(state, now, commands)
    overnight.watch(state, now, commands)
    confirming.expire(state, now, commands)
    confirming.remind(state, now, commands)
    fear.persists(state, now, commands)
    fear.reopen(state, now, commands)
    health.feeds(state, now, commands)
    health.losses(state, now, commands)
    health.storms(state, now, commands)
    commands.extend(orders.overdue(state, now))
    protection.watch(state, now, commands)
    for position in state.positions.values():
        if position.trailing and position.quantity and not position.closing:
            exits.ratchet(state, now, position, commands)
    closing.leave_over(state, now, commands)
    closing.press(state, now, commands)
    kill.press(state, now, commands)
    schedule.jobs(state, now, commands)
    schedule.mark(state, now, commands)
    schedule.wind_down(state, now, commands)
    alerting.repeat(state, now, commands)
    channels.send(state, now, commands)


def on_fill(state: State, now: int, event: e.OrderFilled, commands: list[Command]) -> None:
    """Tell of what should not be; protection is watched each second."""
    protection.judge(state, now, event, commands)


def on_executions(state: State, now: int, event: e.BrokerRead, commands: list[Command]) -> None:
    """Look at what a read showed as at words that came one by one, and fit the exits to what is held."""
    if state.brokers[event.broker].differences:
        for fill in event.executions:
            if fill.order in state.orders:
                protection.judge(state, now, fill, commands)
    protection.fit(state, now, event, commands)


def on_ended(state: State, now: int, event: e.OrderCancelled | e.OrderExpired, commands: list[Command]) -> None:
    """Read the book where an entry ended half filled: its exits are fitted to what it filled."""
    order = state.orders.get(event.order)
    if order is not None and order.opens and ZERO < order.filled < order.quantity:
        commands.append(c.ReadBroker(order.broker, f"{order.order} ended half filled"))


def on_doubted(state: State, now: int, event: e.OrderDoubted, commands: list[Command]) -> None:
    """Ask the broker at once what became of an order whose answer will not come."""
    order = state.orders.get(event.order)
    if order is not None and order.status.doubtful:
        commands.append(c.ReadBroker(order.broker, f"{event.order}: {event.reason}"))
    if order is not None and order.status is Status.QUARANTINED:
        words = f"{event.order} is one of {', '.join(event.candidates)}: joectl resolve says which"
        protection.tell(state, f"quarantined:{event.order}", Severity.CRITICAL, words, commands)


def on_rejected(state: State, now: int, event: e.OrderRejected, commands: list[Command]) -> None:
    """Tell of a refusal, and latch a Block on an instrument that is refused again and again."""
    order = state.orders.get(event.order)
    name = order.instrument if order is not None else "an unknown order"
    entry = state.orders.get(order.group) if order is not None else None
    with_entry = entry is not None and entry is not order and entry.status is Status.REJECTED
    alert = f"rejected:{event.order}"
    if alert not in state.alerts and not with_entry:
        words = f"the broker refused {event.order} ({name}): {event.code} {event.words}".strip()
        commands.append(c.RaiseAlert(alert, Severity.WARNING, words))
    if order is not None and order.leg is Leg.CLOSE:
        alert = f"close_refused:{name}:{state.day.session}"
        words = f"{name} could not be closed ({event.code} {event.words}): tried again, later and later"
        protection.tell(state, alert, Severity.CRITICAL, words, commands)
    limit = state.settings.risk.rejects_max
    if order is not None and state.rejects.get(name, 0) >= limit:
        block = Block(f"instrument:{name}", "rejects_max", f"refused {limit} times", now, latched=True)
        if block.key not in state.blocks:
            commands.append(c.RaiseBlock(block))


def on_stop(state: State, now: int, event: e.StopAsked, commands: list[Command]) -> None:
    """Begin the orderly end: resting entries go, protection stays."""
    if state.stopping:
        return
    commands.append(c.WindDown(event.reason))
    commands.extend(orders.cancel_entries(state, event.reason))


def on_epoch(state: State, now: int, event: e.EpochStarted, commands: list[Command]) -> None:
    """Honour a kill that was latched outside the journal, and tell of what the last process could not handle."""
    kill.begun(state, now, event, commands)
    feeds.clear(state, commands)
    for block in state.blocks.values():
        key = f"{block.key}:{block.since_ns}"
        if block.reason == "event_faulted" and key not in state.alerts:
            commands.append(c.RaiseAlert(key, Severity.CRITICAL, block.words))


def on_settings(state: State, now: int, event: e.SettingsLoaded, commands: list[Command]) -> None:
    """Ask for the day's signature where it is needed anew; each broker's entries are off until its books are read."""
    confirming.on_settings(state, now, event, commands)
    reloading.on_settings(state, now, event, commands)
    unread = [name for name in event.settings.brokers if not orders.listens(state, name)]
    commands.extend(c.RaiseBlock(reconcile.unread(name, now)) for name in unread)


def on_job_failed(state: State, now: int, event: e.JobFailed, commands: list[Command]) -> None:
    """Tell of a job that failed; trading goes on with the last good answer."""
    key = f"job_failed:{event.job}:{event.run}"
    commands.append(c.RaiseAlert(key, Severity.WARNING, f"job {event.job} failed: {event.reason}"))


def on_failsafe(state: State, now: int, event: e.FailsafeRan, commands: list[Command]) -> None:
    """Take over what a failsafe sent in our name: decided anew, a record tells of the same orders."""
    commands.extend(event.closes)


def on_triggers(state: State, now: int, event: e.TriggersMade, commands: list[Command]) -> None:
    """Ask a strategy that failed no more, and refuse Triggers whose numbers cannot be; the others hold."""
    triggers.refuse_senseless(state, event.triggers, commands)
    for strategy, reason in event.faults.items():
        block = Block(
            f"strategy:{strategy}", schedule.FAILED, f"strategy {strategy} failed: {reason}", now, latched=True
        )
        if block.key not in state.blocks:
            commands.append(c.RaiseBlock(block))
            words = f"{block.words}: it is asked no more, joectl release --block {block.key} lets it go on"
            commands.append(c.RaiseAlert(f"{block.key}:{now}", Severity.WARNING, words))


Rule = Callable[[State, int, Any, list[Command]], None]

RULES: dict[type[Event], tuple[Rule, ...]] = {
    e.Quote: (on_quote,),
    e.Tick: (on_tick, kill.settle),
    e.ClockStepped: (reconcile.on_slept,),
    e.EpochStarted: (on_epoch,),
    e.SettingsLoaded: (on_settings,),
    e.StopAsked: (on_stop,),
    e.JournalFailed: (health.journal_failed,),
    e.HeartbeatMeasured: (health.heartbeat,),
    e.BrokerUp: (kill.back, reconcile.on_up, binding.on_up, confirming.on_up),
    e.BrokerDown: (reconcile.on_down,),
    e.BrokerRead: (verdicts.tell, reconcile.on_read, corporate.on_read, on_executions, kill.settle),
    e.OrderFilled: (verdicts.tell, on_fill, kill.settle),
    e.OrderAccepted: (verdicts.tell,),
    e.OrderWorking: (verdicts.tell, protection.refit),
    e.OrderDoubted: (on_doubted,),
    e.OrderRejected: (on_rejected, kill.settle),
    e.OrderCancelled: (on_ended, kill.settle),
    e.OrderExpired: (on_ended, kill.settle),
    e.TriggersMade: (on_triggers,),
    e.JobFailed: (on_job_failed,),
    e.OperatorAsked: (operator.asked,),
    e.LatchSeen: (kill.seen,),
    e.LatchGone: (kill.gone,),
    e.AlertDelivered: (channels.fails,),
    e.KillRehearsed: (drill.rehearsed, kill.settle),
    e.FailsafeRan: (on_failsafe,),
    **feeds.RULES,
}
"""Which rules look at which event; an event that is not here only changes State."""
