"""What people and programs see of State: one immutable View, with the phase and all words derived, nothing stored.

No clock: every age is counted against the `now` of the last event applied.
"""

from collections.abc import Iterator
from decimal import Decimal

from joed.engine import alerting, ramp, sources, times, triggers
from joed.engine import phase as phases
from joed.engine.card import card_of, digest_of
from joed.engine.funds import funds
from joed.engine.lots import lots_of
from joed.engine.markets import price_of
from joed.engine.money import currency_of, stale
from joed.engine.receipt import receipt_of
from joed.engine.stance import stance_of
from joed.model.card import Limits, Signing
from joed.model.events import Quote
from joed.model.orders import Order, Position
from joed.model.state import Job, State
from joed.model.triggers import Trigger
from joed.model.values import SECOND, ZERO, Crossing, Mode, Severity, Side, decimal
from joed.model.view import (
    BrokerView,
    CryptoView,
    JobView,
    LotView,
    Need,
    OrderView,
    PositionView,
    Remembered,
    TriggerView,
    View,
)

NOISE = 10
"""The digits of an amount that mean something; beyond them is what a division by a quantity left."""
ROWS_MAX = 100
"""Rows shown of any list that has no bound of its own; the counts beside them are whole."""

URGENCY = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)
"""In which order needs are told; equals stay as they were found."""

Rows = tuple[BrokerView, ...]
Held = tuple[PositionView, ...]
Orders = tuple[OrderView, ...]


def view(state: State) -> View:
    """Give what is to be seen of this State, and share nothing with it that will change."""
    day, settings, now = state.day, state.settings, state.now
    brokers = tuple(sources.broker_of(broker, now) for broker in state.brokers.values())
    positions = tuple(_position(state, held) for held in state.positions.values() if held.quantity)
    orders = tuple(_order(order, now) for order in state.orders.values() if order.live)
    clock = phases.clock_of(state)
    phase = phases.phase_of(state, clock)
    money = funds(state, positions)
    return View(
        seq=state.seq,
        now_ns=now,
        utc_ns=now + state.utc_offset_ns,
        epoch=state.epoch,
        phase=phase.name,
        words=phase.words,
        reasons=phase.reasons,
        health=_health(phase, brokers, positions, orders),
        mode=state.mode,
        account=_account(state),
        base_currency=settings.base_currency,
        settings_digest=state.settings_digest,
        version=state.version,
        code=state.code,
        clock=clock,
        confirmed=day.confirmed,
        killed=state.killed,
        paused=state.paused,
        stopping=state.stopping,
        blocks=tuple(state.blocks.values()),
        brokers=brokers,
        **money,
        limits=_limits(state),
        trades=day.trades,
        wins=day.wins,
        losses=day.losses,
        positions=positions,
        orders=orders,
        triggers=_triggers(state),
        trigger_count=len(state.triggers),
        watchlist=state.watchlist,
        scanned_ns=state.scanned_ns,
        regime=state.regime,
        regime_age_s=sources.age_s(now, state.regime_ns) if state.regime else None,
        jobs=tuple(_job(state, job) for job in state.jobs.values()),
        needs=tuple(sorted(_needs(state, brokers, positions, orders), key=_urgency)),
        refusals=dict(day.refusals),
        refused=tuple(state.refused[-ROWS_MAX:]),
        alerts=tuple(state.alerts.values())[-ROWS_MAX:],
        external=dict(state.external),
        verdicts=tuple(state.verdicts[-ROWS_MAX:]),
        figures=dict(state.figures),
        crypto=_crypto(state),
        summary=state.summary,
        queue_depth=state.queue_depth,
        memory_bytes=state.memory_bytes,
        state=_remembered(state, orders, money["daily_pnl"]),
        answers=dict(state.answers),
        signing=_signing(state),
        quotes_rejected=dict(state.quotes_rejected),
        kill=receipt_of(state),
        drilled=state.drilled,
        keys=dict(state.keys),
        alert_rows=alerting.rows(state),
        channels=alerting.ways(state),
        stance=stance_of(state) if state.regime else None,
        left_out=dict(state.left_out),
        aside=dict(state.aside),
        prices=sources.prices(state),
    )


def card_hash(state: State) -> str:
    """Give the hash of the day's card as it is now: the only one that a confirmation may name."""
    return digest_of(card_of(view(state)))


def status_line(shown: View) -> str:
    """Say all of it in one line: what the service manager and the first line of `joectl status` show."""
    return f"{shown.phase}: {', '.join(_said(shown))}"


def _said(shown: View) -> Iterator[str]:
    if shown.words:
        yield shown.words
    yield str(shown.mode)
    if shown.positions:
        yield _count(len(shown.positions), "position")
        if naked := sum(not row.protected for row in shown.positions):
            yield f"{naked} UNPROTECTED"
    if shown.orders:
        yield _count(len(shown.orders), "order")
    if shown.clock.session:
        yield f"day {round(shown.daily_pnl, NOISE):+,.2f} {shown.base_currency}"
    if shown.phase in phases.OPEN_PHASES and shown.clock.to_close_s is not None:
        yield f"closes in {phases.span(shown.clock.to_close_s)}"
    elif shown.phase == phases.AWAITING_CONFIRMATION and shown.clock.to_open_s is not None:
        yield f"opens in {phases.span(shown.clock.to_open_s)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _account(state: State) -> str:
    """Give the account that the settings name, or else those that the brokers told."""
    return state.settings.account or ", ".join(broker.account for broker in state.brokers.values() if broker.account)


def _position(state: State, held: Position) -> PositionView:
    quote = _quote(state, held.instrument)
    price = price_of(quote) if quote else None
    stop, target = _leg(state, held.stop_order), _leg(state, held.target_order)
    covered = stop is not None and held.unprotected_ns == 0
    return PositionView(
        instrument=held.instrument,
        broker=held.broker,
        quantity=held.quantity,
        average=held.average,
        price=price,
        stop=stop.terms if stop else None,
        target=target.terms if target else None,
        protected=covered,
        unprotected_s=None if covered else (state.now - (held.unprotected_ns or held.opened_ns)) / SECOND,
        unrealised=ZERO if price is None else (decimal(price) - held.average) * held.quantity,
        realised=held.realised,
        fees=held.fees,
        strategy=held.strategy,
        trailing=held.trailing,
        closing=bool(held.closing),
        opened_ns=held.opened_ns,
        order=held.group,
        currency=currency_of(state, held.instrument),
        source=sources.source_of(state, quote) if quote else "",
        price_age_s=sources.age_s(state.now, quote.received_ns) if quote else None,
        lots=tuple(
            LotView(held.instrument, lot.strategy, lot.quantity, lot.average, lot.orders)
            for lot in lots_of(state, held)
        ),
    )


def _quote(state: State, instrument: str) -> Quote | None:
    market = state.markets.get(instrument)
    return market.quote if market else None


def _leg(state: State, name: str) -> Order | None:
    order = state.orders.get(name)
    return order if order and order.live else None


def _order(order: Order, now: int) -> OrderView:
    return OrderView(
        order=order.order,
        broker=order.broker,
        broker_id=order.broker_id,
        instrument=order.instrument,
        side=order.side,
        quantity=order.quantity,
        filled=order.filled,
        kind=order.kind,
        leg=order.leg,
        level=order.terms,
        asked=order.asked,
        status=order.status,
        opens=order.opens,
        strategy=order.strategy,
        signal=order.signal,
        age_s=(now - order.armed_ns) / SECOND,
    )


def _job(state: State, job: Job) -> JobView:
    rules = state.settings.jobs
    return JobView(
        name=job.name,
        running=bool(job.running),
        runs=job.runs,
        last_ns=job.ended_ns,
        next_ns=times.next_of(job),
        failed=job.failed,
        failures=job.failures,
        time=times.time_of(rules, job.name),
        took_ns=job.took_ns,
        waits=times.waits_for(state, job),
        deadline_s=times.deadline_ns(rules, job.name) / SECOND if job.name in times.TABLE else 0.0,
    )


def _crypto(state: State) -> dict[str, CryptoView]:
    """Give the readings that were asked for, or that the gate waits for, known or not."""
    wanted = dict.fromkeys((*state.settings.crypto.sources, *state.settings.crypto.gate, *state.crypto))
    known = {name: CryptoView(row.value, (state.now - row.at_ns) / SECOND) for name, row in state.crypto.items()}
    return {name: known.get(name, CryptoView(None, None)) for name in wanted}


def _signing(state: State) -> Signing:
    return Signing(
        settings=state.settings,
        last=state.signed,
        card=state.day.signing,
        signers=state.day.signers,
        needed=2 if state.settings.confirm.require_distinct_uid else 1,
        bound=dict(state.bound),
        examined_ns=state.examined_ns,
        delivered_ns=state.delivered_ns,
        live_session=ramp.session_number(state) if state.mode is Mode.LIVE else 0,
        ramp=ramp.share(state),
    )


def _triggers(state: State) -> tuple[TriggerView, ...]:
    """Give the Triggers, the nearest to firing first, those without a quote last."""
    rows = [(_distance(row, _quote(state, row.instrument)), row) for row in state.triggers.values()]
    rows.sort(key=lambda row: (row[0] is None, row[0] or 0.0))
    return tuple(_trigger(state, trigger, distance) for distance, trigger in rows[:ROWS_MAX])


def _distance(trigger: Trigger, quote: Quote | None) -> float | None:
    if quote is None:
        return None
    price = quote.ask if trigger.side is Side.BUY else quote.bid
    return (float(trigger.level) - price) / price * (1 if trigger.crossing is Crossing.ABOVE else -1)


def _trigger(state: State, trigger: Trigger, distance: float | None) -> TriggerView:
    quote = _quote(state, trigger.instrument)
    known = quote is not None and trigger.instrument in state.settings.universe
    return TriggerView(
        instrument=trigger.instrument,
        side=trigger.side,
        level=trigger.level,
        crossing=trigger.crossing,
        distance=distance,
        stop=trigger.stop,
        target=trigger.target,
        strategy=trigger.strategy,
        signal=trigger.signal,
        valid_until_ns=trigger.valid_until_ns,
        reasons=trigger.reasons,
        quantity=triggers.request_of(state, trigger, quote).quantity if quote and known else ZERO,
    )


def _limits(state: State) -> Limits:
    risk = state.settings.risk
    return Limits(
        risk.loss_day_max,
        risk.gross_max,
        risk.notional_max,
        risk.position_max,
        risk.trades_day_max,
        risk.per_trade,
        risk.underlying_max,
    )


def _remembered(state: State, orders: tuple[OrderView, ...], daily_pnl: Decimal) -> Remembered:
    return Remembered(
        last_regime=state.regime.name if state.regime else None,
        watchlist=tuple(candidate.instrument for candidate in state.watchlist),
        pending_orders=tuple(order.order for order in orders),
        last_analysis_time=state.analysed_ns,
        daily_trade_count=state.day.trades,
        daily_pnl=daily_pnl,
    )


def _health(phase: phases.Phase, brokers: Rows, positions: Held, orders: Orders) -> str:
    """Say "halted", "degraded" or "ok": what a monitor asks with `joectl status --check`."""
    if phase.name == phases.HALTED:
        return "halted"
    troubled = (
        phase.name in phases.TROUBLED
        or any(not broker.up or broker.differences for broker in brokers)
        or any(not row.protected for row in positions)
        or any(order.status.doubtful for order in orders)
    )
    return "degraded" if troubled else "ok"


def _urgency(need: Need) -> int:
    return URGENCY.index(need.severity)


def _needs(state: State, brokers: Rows, positions: Held, orders: Orders) -> Iterator[Need]:
    """Give what needs a person; a need stays until its cause is gone."""
    yield from (
        Need(Severity.CRITICAL, "unprotected", f"{row.instrument} has no working stop")
        for row in positions
        if not row.protected
    )
    for block in state.blocks.values():
        if block.latched:
            yield Need(Severity.CRITICAL, "latched", f"{block.reason} ({block.scope}): {block.words}")
        elif block.reason == phases.UNCONFIRMED:
            yield Need(Severity.INFO, "unconfirmed", block.words)
    yield from (
        Need(Severity.WARNING, "uncertain", f"{order.instrument} order {order.order}: its fate is unknown")
        for order in orders
        if order.status.doubtful
    )
    yield from (
        Need(Severity.WARNING, "books_differ", f"{broker.name}: {_count(broker.differences, 'difference')}")
        for broker in brokers
        if broker.differences
    )
    yield from (
        Need(Severity.WARNING, "rate_stale", stale(state, state.now, currency))
        for currency in sorted({row.currency for row in positions})
        if stale(state, state.now, currency)
    )
    if state.faulted:
        yield Need(Severity.WARNING, "faulted", f"{_count(len(state.faulted), 'event')} left out after a fault")
    yield from _noted(state)


def _noted(state: State) -> Iterator[Need]:
    """Give the jobs that failed, and the alerts that were raised."""
    yield from (
        Need(Severity.WARNING, "job_failed", f"{job.name}: {job.failed}") for job in state.jobs.values() if job.failed
    )
    yield from alerting.needs(state)
