"""What each event and each command writes into State: two tables, the only hands that touch it."""

from collections.abc import Callable
from typing import Any

from joed.engine import (
    alerting,
    binding,
    channels,
    confirming,
    corporate,
    drill,
    exits,
    exposure,
    fear,
    feeds,
    foreign,
    health,
    jobs,
    kill,
    life,
    money,
    orders,
    overnight,
    phase,
    positions,
    protection,
    reconcile,
    reloading,
    requests,
    seconds,
    times,
    verdicts,
)
from joed.engine.markets import empty_band, empty_bands, market_of, take
from joed.model import commands as c
from joed.model import events as e
from joed.model.blocks import ALL, Block, key
from joed.model.commands import Command
from joed.model.events import Event
from joed.model.state import Day, Fright, State
from joed.model.values import MINUTE, Scope

REFUSALS_MAX = 100
ALERTS_MAX = 1_000
FAULTS_MAX = 1_000
FAULT_WINDOW_NS = 10 * MINUTE

PAUSED = key(ALL, "paused")
UNCONFIRMED = key(ALL, phase.UNCONFIRMED)
"""Blocks that State also holds as a fact of its own, for people."""


def quote(state: State, now: int, event: e.Quote) -> None:
    """Take a quote in, or leave it out."""
    if not take(state, event):
        return
    if event.instrument == state.settings.vix.instrument:
        fear.note_print(state, now, market_of(state, event.instrument), event)
    position = state.positions.get(event.instrument)
    if position is not None:
        exits.note_best(state, position, event)


def epoch_started(state: State, now: int, event: e.EpochStarted) -> None:
    """Let a new process take the books over; it vouches for nothing that was under way."""
    state.epoch = event.epoch
    state.stopping, state.sealed, state.journal_down = "", False, False
    if now < state.day.close_ns:
        state.day.epoch = event.epoch
    state.version, state.code = event.version, event.code
    life.apply_restart(state, now)
    for broker in state.brokers.values():
        broker.up, broker.reconciled = False, False
    feeds.begin(state)
    channels.begin(state)
    for job in state.jobs.values():
        if job.running:
            job.running, job.started_ns, job.next_ns = 0, 0, min(job.next_ns, now)
    empty_bands(state)


def settings_loaded(state: State, now: int, event: e.SettingsLoaded) -> None:
    """Put other settings in force; a Trigger on what they do not name, or of a strategy that is off, is gone."""
    before = state.settings.alerts
    state.settings, state.settings_digest = reloading.with_held(state, event.settings), event.digest
    state.calendars = event.calendars
    state.mode = event.settings.mode
    times.plan(state, now)
    channels.note_settings(state, now, before)
    state.triggers = {
        name: trigger
        for name, trigger in state.triggers.items()
        if trigger.instrument in event.settings.universe and not reloading.is_off(event.settings, trigger.strategy)
    }
    for market in state.markets.values():
        market.signals = [signal for signal in market.signals if signal in state.triggers]
    empty_bands(state)


def stop_asked(state: State, now: int, event: e.StopAsked) -> None:
    """Change nothing: the end begins with the WindDown command that answers this."""


def session_ended(state: State, now: int, event: e.SessionEnded) -> None:
    """Seal the books: nothing follows in this process."""
    state.sealed = True


def event_faulted(state: State, now: int, event: e.EventFaulted) -> None:
    """Remember a poisonous event, leave its instrument alone, and shut all entries at the second in ten minutes.

    Written here and not decided: the process that meets the fault may no longer trust its own State to decide on.
    """
    recent = any(at_ns > now - FAULT_WINDOW_NS for at_ns in state.faulted.values())
    state.faulted[event.digest] = now
    _bound(state.faulted, FAULTS_MAX)
    scope = f"instrument:{event.instrument}" if event.instrument else ALL
    block = Block(scope, "event_faulted", f"a {event.kind} could not be handled: {event.error}", now, latched=True)
    state.blocks[block.key] = block
    if recent:
        kill.apply_latch(state, now, c.LatchKill(Scope.ENTRIES, "two faulted events in ten minutes"))


def journal_restored(state: State, now: int, event: e.JournalRestored) -> None:
    """Note that it commits again; its Block waits for a person's release."""
    state.journal_down = False


def journal_failed(state: State, now: int, event: e.JournalFailed) -> None:
    """Note that nothing can be kept; the Block follows as a command."""
    state.journal_down = True


def heartbeat(state: State, now: int, event: e.HeartbeatMeasured) -> None:
    """Keep the measures."""
    health.note_heartbeat(state, event)


def broker_read(state: State, now: int, event: e.BrokerRead) -> None:
    """Take a read over, then note which exits it shows with nothing to guard, and which stops working."""
    reconcile.apply_read(state, now, event)
    if state.brokers[event.broker].differences:
        exposure.note_worth(state)
    protection.note_spare(state, event)
    overnight.note_verified(state, event)


def order_filled(state: State, now: int, event: e.OrderFilled) -> None:
    """Book an execution, once."""
    verdicts.begin(state)
    if positions.apply_fill(state, now, event):
        exposure.note_worth(state)


def order_rejected(state: State, now: int, event: e.OrderRejected) -> None:
    """Move the order and count the refusal against its instrument."""
    order = state.orders.get(event.order)
    if order is not None and order.live and event.code != life.EXISTS:
        state.rejects[order.instrument] = state.rejects.get(order.instrument, 0) + 1
        exits.note_refused(state, order)
    word(state, now, event)


def nothing(state: State, now: int, event: Event | Command) -> None:
    """Change nothing: it is only a record."""


def raise_block(state: State, now: int, command: c.RaiseBlock) -> None:
    """Forbid."""
    block = command.block
    state.blocks[block.key] = block
    if block.key == fear.KEY:
        fear.note_shut(state)
    if block.reason == health.STALE:
        market_of(state, block.scope.partition(":")[2]).blocked = True
    if block.key == PAUSED:
        state.paused = True
    if block.key == UNCONFIRMED:
        confirming.forget(state)


def lift_block(state: State, now: int, command: c.LiftBlock) -> None:
    """Allow again."""
    block = state.blocks.pop(command.key, None)
    if block is None:
        return
    instrument = block.scope.partition(":")[2]
    told = (f"{block.reason}:", f"{block.key}:")
    state.alerts = {name: alert for name, alert in state.alerts.items() if not name.startswith(told)}
    if block.reason == health.STALE:
        market_of(state, instrument).blocked = False
    if block.reason == "rejects_max":
        state.rejects.pop(instrument, None)
    if block.reason == health.STORM:
        state.signal_orders = {}
    if block.key == kill.AT:
        state.killed = state.kill = None
    if block.key == PAUSED:
        state.paused = False
    if block.key == fear.KEY:
        state.fright = Fright()


def amend(state: State, now: int, command: c.AmendOrder) -> None:
    """Note what was asked, and that a target which is moved for a reason of its own closes its position."""
    orders.apply_amend(state, now, command)
    exits.note_closing(state, now, command)


def submit(state: State, now: int, command: c.SubmitOrder) -> None:
    """Put the order into the ledger; its trail waits for the first fill."""
    if command.opens and (trigger := state.triggers.get(command.signal)) is not None:
        state.trails[command.signal] = trigger.trail
    orders.apply_submit(state, now, command)
    positions.place_close(state, command)


def raise_alert(state: State, now: int, command: c.RaiseAlert) -> None:
    """Remember that it was told."""
    state.alerts[command.key] = command
    alerting.note(state, now, command)
    _bound(state.alerts, ALERTS_MAX)


def refuse_entry(state: State, now: int, command: c.RefuseEntry) -> None:
    """Spend the signal and count the refusal."""
    state.signals[command.signal] = command.code
    state.day.refusals[command.code] = state.day.refusals.get(command.code, 0) + 1
    state.refused.append(command)
    del state.refused[:-REFUSALS_MAX]


def ratchet_trail(state: State, now: int, command: c.RatchetTrail) -> None:
    """Let the stop follow from here on."""
    position = state.positions.get(command.instrument)
    if position is not None:
        exits.start_trail(state, position, command.distance)


def mark_equity(state: State, now: int, command: c.MarkEquity) -> None:
    """Keep the high-water mark."""
    state.marked_ns = now
    state.equity_high = max(state.equity_high, command.equity)


def open_session(state: State, now: int, command: c.OpenSession) -> None:
    """Begin a day: its counters start again; positions, orders and latched Blocks stay."""
    state.day = Day(command.session, command.open_ns, command.close_ns, command.equity)
    state.day.epoch, state.day.unrealised_start = state.epoch, command.unrealised
    state.equity_high = max(state.equity_high, command.equity)
    state.signals, state.trails, state.triggers, state.rejects = {}, {}, {}, {}
    state.signal_orders, state.quotes_rejected = {}, {}
    fear.note_session(state)
    state.marked_ns = 0
    for job in state.jobs.values():
        job.next_ns = 0
    times.plan(state, now)
    for market in state.markets.values():
        market.signals, market.anchor, market.suspects, market.suspect = [], 0.0, 0, None
    orders.forget_ended(state)
    for instrument in [name for name, position in state.positions.items() if position.quantity == 0]:
        del state.positions[instrument]
    empty_bands(state)


def wind_down(state: State, now: int, command: c.WindDown) -> None:
    """Open nothing any more."""
    state.stopping, state.stopping_ns = command.reason, now


def answer(state: State, now: int, command: c.Answer) -> None:
    """Remember the answer, for the same request asked again."""
    requests.note_answer(state, now, command)


def _bound(table: dict[str, Any], size_max: int) -> None:
    """Let the oldest go."""
    while len(table) > size_max:
        del table[next(iter(table))]


def touch(state: State, commands: list[Command]) -> None:
    """Have the account valued anew at the next Tick, and empty the bands of what the commands speak of."""
    state.ticked_seq = -1
    for command in commands:
        if isinstance(command, c.SubmitOrder | c.RefuseEntry | c.RatchetTrail):
            empty_band(market_of(state, command.instrument))
        elif isinstance(command, c.AmendOrder | c.CancelOrder | c.MarkUncertain | c.RetireOrder | c.ClaimOrder):
            empty_band(market_of(state, state.orders[command.order].instrument))
        elif isinstance(command, c.RaiseBlock | c.LiftBlock | c.LatchKill | c.OpenSession):
            empty_bands(state)


def word(state: State, now: int, event: life.Word) -> None:
    """Move the order by the table; its instrument's next quote is looked at anew."""
    verdicts.begin(state)
    life.apply_word(state, now, event)
    order = state.orders.get(event.order)
    if order is not None:
        empty_band(market_of(state, order.instrument))


APPLY_EVENT: dict[type[Event], Callable[[State, int, Any], None]] = {
    e.Quote: quote,
    e.Tick: seconds.tick,
    e.ClockStepped: reconcile.apply_clock,
    e.EpochStarted: epoch_started,
    e.SettingsLoaded: settings_loaded,
    e.StopAsked: stop_asked,
    e.SessionEnded: session_ended,
    e.EventFaulted: event_faulted,
    e.JournalFailed: journal_failed,
    e.JournalRestored: journal_restored,
    e.HeartbeatMeasured: heartbeat,
    e.BrokerUp: reconcile.apply_up,
    e.BrokerDown: reconcile.apply_down,
    e.BrokerRead: broker_read,
    e.RateSeen: money.note_rate,
    e.OrderFilled: order_filled,
    e.OrderRejected: order_rejected,
    e.OrderAccepted: word,
    e.OrderWorking: word,
    e.OrderCancelled: word,
    e.OrderExpired: word,
    e.OrderDoubted: word,
    e.CancelRejected: word,
    e.AmendRejected: word,
    e.CommandSent: word,
    e.CommandDropped: word,
    e.RegimeJudged: jobs.regime_judged,
    e.MarketScanned: jobs.market_scanned,
    e.WatchlistScored: jobs.watchlist_scored,
    e.TriggersMade: jobs.triggers_made,
    e.AnalyticsMade: jobs.analytics_made,
    e.SummaryWritten: jobs.summary_written,
    e.CryptoRead: jobs.crypto_read,
    e.JobFailed: jobs.job_failed,
    e.OperatorAsked: requests.note_key,
    e.LatchSeen: nothing,
    e.LatchGone: nothing,
    e.KillRehearsed: drill.apply_rehearsed,
    e.AlertDelivered: alerting.note_delivered,
    e.FailsafeRan: nothing,
    **feeds.APPLY,
}

APPLY_COMMAND: dict[type[Command], Callable[[State, int, Any], None]] = {
    c.SubmitOrder: submit,
    c.AmendOrder: amend,
    c.CancelOrder: orders.apply_cancel,
    c.CancelForeign: foreign.apply_cancel,
    c.ReadBroker: nothing,
    c.RunJob: jobs.run_job,
    c.RaiseAlert: raise_alert,
    c.SendAlert: channels.note_sent,
    c.Acknowledge: alerting.note_acknowledged,
    c.Stop: nothing,
    c.RaiseBlock: raise_block,
    c.LiftBlock: lift_block,
    c.LatchKill: kill.apply_latch,
    c.SettleKill: kill.apply_settle,
    c.RehearseKill: nothing,
    c.EndDrill: drill.apply_end,
    c.Unlatch: nothing,
    c.RefuseEntry: refuse_entry,
    c.RetireOrder: reconcile.apply_retired,
    c.MarkUncertain: orders.apply_uncertain,
    c.JudgeBooks: verdicts.apply_judged,
    c.RatchetTrail: ratchet_trail,
    c.FlattenPosition: positions.apply_flatten,
    c.ClaimOrder: reconcile.apply_claimed,
    c.AdoptPosition: positions.apply_adopted,
    c.AdjustPosition: corporate.apply_adjusted,
    c.MarkEquity: mark_equity,
    c.OpenSession: open_session,
    c.WindDown: wind_down,
    c.BindAccount: binding.apply_bound,
    c.PassDoctor: confirming.apply_passed,
    c.SignCard: confirming.apply_signed,
    c.Answer: answer,
}
"""Every event and every command has a row: a missing one is a KeyError at the first test."""
