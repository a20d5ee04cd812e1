"""What the engine makes of its own senses: silent feeds, late quotes, a long queue, too much memory, too much loss."""

from joed.engine.positions import day_result
from joed.model.blocks import ALL, Block, key
from joed.model.commands import Command, LiftBlock, RaiseAlert, RaiseBlock
from joed.model.events import HeartbeatMeasured, JournalFailed, Quote
from joed.model.state import State
from joed.model.values import SECOND, Severity

STALE = "quote_stale"
SILENT = "feed_silent"
JOURNAL = "journal_failed"
LOSS = "loss_day_max"
LATE = "loop_late"
STORM = "orders_signal_max"
MEBIBYTE = 1 << 20


def keep(state: State, now: int, commands: list[Command], wanted: bool, scope: str, reason: str, words: str) -> None:  # noqa: FBT001 - one line a rule at its callers
    """Raise a Block that is wanted and not there; lift one that is there and not wanted."""
    at = key(scope, reason)
    if wanted and at not in state.blocks:
        commands.append(RaiseBlock(Block(scope, reason, words, now)))
    elif not wanted and at in state.blocks:
        commands.append(LiftBlock(at))


def feeds(state: State, now: int, commands: list[Command]) -> None:
    """While the market is open: block instruments whose quotes are old, and brokers that send none at all."""
    is_open = state.day.open_ns <= now < state.day.close_ns
    stale_ns = int(state.settings.feed.stale_s * SECOND)
    silence_ns = int(state.settings.health.broker_silence_s * SECOND)
    for broker in state.brokers.values():
        newest = max(broker.quoted_ns, broker.changed_ns, state.day.open_ns)
        silent = is_open and broker.up and now - newest > silence_ns
        if silent != (key(f"broker:{broker.name}", SILENT) in state.blocks):
            words = f"{broker.name} has sent no quote for {silence_ns // SECOND} s"
            keep(state, now, commands, silent, f"broker:{broker.name}", SILENT, words)
    if not is_open:
        return
    early, markets, oldest_ns = now - state.day.open_ns <= stale_ns, state.markets, now - stale_ns
    for candidate in state.watchlist:
        market = markets.get(candidate.instrument)
        if market is None or market.quote is None:
            continue
        late = market.quote.received_ns < oldest_ns and not early
        if late != market.blocked:
            words = f"no quote for {state.settings.feed.stale_s:g} s"
            keep(state, now, commands, late, f"instrument:{candidate.instrument}", STALE, words)


def stale(state: State, now: int, quote: Quote) -> bool:
    """Say whether a quote was received too long ago to act on."""
    return now - quote.received_ns > int(state.settings.feed.stale_s * SECOND)


def fresh(state: State, now: int, quote: Quote, commands: list[Command]) -> bool:
    """Lift the Block of an instrument whose quotes come again, and say so: the next quote may be acted on."""
    at = key(f"instrument:{quote.instrument}", STALE)
    lifted = at in state.blocks and not stale(state, now, quote)
    if lifted:
        commands.append(LiftBlock(at, "quotes come again"))
    return lifted


def heartbeat(state: State, now: int, event: HeartbeatMeasured, commands: list[Command]) -> None:
    """Tell of a queue or a memory that grows beyond its limit, once until it is well again.

    A loop that stood still decides on old prices: no entries until the next measure finds it well.
    """
    limits = state.settings.health
    long, large = event.queue_depth > limits.queue_backlog, event.memory_bytes > limits.memory_high_mb * MEBIBYTE
    if long and "queue_backlog" not in state.alerts:
        words = f"{event.queue_depth} events are waiting, the limit is {limits.queue_backlog}"
        commands.append(RaiseAlert("queue_backlog", Severity.WARNING, words))
    if large and "memory_high" not in state.alerts:
        words = f"{event.memory_bytes // MEBIBYTE} MiB are in use, the limit is {limits.memory_high_mb}"
        commands.append(RaiseAlert("memory_high", Severity.WARNING, words))
    late = event.lag_ns >= int(limits.lag_max_s * SECOND)
    words = f"the loop stood still for {event.lag_ns / SECOND:.1f} s, the limit is {limits.lag_max_s:g}"
    keep(state, now, commands, late, ALL, LATE, words)
    if late:
        commands.append(RaiseAlert(f"{LATE}:{now}", Severity.CRITICAL, words))


def note_heartbeat(state: State, event: HeartbeatMeasured) -> None:
    """Keep the measures, and let an alert that is over be raised again another time (part of `apply`)."""
    state.queue_depth, state.memory_bytes = event.queue_depth, event.memory_bytes
    if event.queue_depth <= state.settings.health.queue_backlog:
        state.alerts.pop("queue_backlog", None)
    if event.memory_bytes <= state.settings.health.memory_high_mb * MEBIBYTE:
        state.alerts.pop("memory_high", None)


def journal_failed(state: State, now: int, event: JournalFailed, commands: list[Command]) -> None:
    """Allow no new risk without a journal, until a person has released it; what reduces risk leaves at once."""
    commands.append(RaiseBlock(Block(ALL, JOURNAL, f"the journal can't commit: {event.reason}", now, latched=True)))
    commands.append(RaiseAlert(f"{JOURNAL}:{now}", Severity.CRITICAL, f"the journal can't commit: {event.reason}"))


def losses(state: State, now: int, commands: list[Command]) -> None:
    """Latch the day's loss limit, open positions included; a person releases it."""
    limit = state.settings.risk.loss_day_max
    over = now >= state.day.close_ns  # what happens overnight is the next session's start
    if not state.day.session or over or key(ALL, LOSS) in state.blocks:
        return
    lost = -day_result(state)
    if lost >= limit:
        words = f"{lost:.2f} lost today, the limit is {limit}"
        commands.append(RaiseBlock(Block(ALL, LOSS, words, now, latched=True)))
        commands.append(RaiseAlert(f"{LOSS}:{state.day.session}", Severity.CRITICAL, words))


def storms(state: State, now: int, commands: list[Command]) -> None:
    """Latch when one signal has caused more orders than any sound trade needs: something of ours goes in circles.

    Its exits still leave, for they reduce risk; nothing is opened until a person has looked (I21).
    """
    limit = state.settings.risk.orders_signal_max
    if key(ALL, STORM) in state.blocks:
        return
    for signal, count in state.signal_orders.items():
        if count > limit:
            words = f"{signal} has caused {count} orders, the limit is {limit}"
            commands.append(RaiseBlock(Block(ALL, STORM, words, now, latched=True)))
            commands.append(RaiseAlert(f"{STORM}:{now}", Severity.CRITICAL, words))
            return
