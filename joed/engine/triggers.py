"""From a Trigger to an order: the price crosses, the size follows from the risk, the gate has its word."""

from decimal import Decimal

from joed.engine import ramp, stance
from joed.engine.basis import basis_of
from joed.engine.money import ONE, rate_in
from joed.engine.orders import enter
from joed.engine.risk import BREAKERS, Request, refuse
from joed.model.blocks import ALL, Block
from joed.model.commands import Command, RaiseAlert, RaiseBlock, RefuseEntry
from joed.model.events import Quote
from joed.model.state import Market, State
from joed.model.triggers import Trigger
from joed.model.values import ZERO, Crossing, Severity, Side, ceil_to, decimal, floor_to

SENSELESS_MAX = 100
"""Triggers of one answer that are refused by name; more of the same teach nothing new."""


def fire(state: State, now: int, market: Market, quote: Quote, commands: list[Command]) -> None:
    """Turn the first Trigger of this instrument that the quote crosses into an order, or into a refusal with its code.

    One at a time: the next quote decides again, knowing what this one did.
    """
    for signal in market.signals:
        trigger = state.triggers[signal]
        if signal in state.signals or not crossed(trigger, quote) or now >= trigger.valid_until_ns:
            continue
        if traded_enough(market, trigger):
            commands.append(answer(state, now, trigger, quote, len(commands)))
            latch(state, now, commands)
            return


def traded_enough(market: Market, trigger: Trigger) -> bool:
    """Say whether the minute has seen the volume that the Trigger asks for; where none is known, it has not."""
    return trigger.volume_min <= 0 or (market.minute is not None and market.minute.volume >= trigger.volume_min)


def latch(state: State, now: int, commands: list[Command]) -> None:
    """Let a breaker that refused an entry hold until a person releases it."""
    refused = commands[-1]
    if isinstance(refused, RefuseEntry) and refused.code in BREAKERS:
        block = Block(ALL, refused.code, refused.words, now, latched=True)
        commands.append(RaiseBlock(block))
        commands.append(RaiseAlert(f"{refused.code}:{now}", Severity.CRITICAL, refused.words))


def crossed(trigger: Trigger, quote: Quote) -> bool:
    """Say whether the price that would be paid has reached the level; in Decimal, as money decides."""
    price = decimal(quote.ask if trigger.side is Side.BUY else quote.bid)
    return price >= trigger.level if trigger.crossing is Crossing.ABOVE else price <= trigger.level


def answer(state: State, now: int, trigger: Trigger, quote: Quote, index: int) -> Command:
    """Give the order that this Trigger asks for, or say why not."""
    request = request_of(state, trigger, quote)
    refusal = refuse(state, now, request)
    if refusal is not None:
        words, basis = refusal.words, basis_of(state, now, request)
        return RefuseEntry(trigger.instrument, trigger.strategy, trigger.signal, refusal.code, words, basis)
    return enter(state, now, index, trigger, basis_of(state, now, request))


def request_of(state: State, trigger: Trigger, quote: Quote) -> Request:
    """Give what the Trigger comes to at this quote: a limit a little through the market, and the size."""
    instrument = state.settings.universe[trigger.instrument]
    price = decimal(quote.ask if trigger.side is Side.BUY else quote.bid)
    slack = price * state.settings.risk.collar / 4
    buys = trigger.side is Side.BUY
    limit = ceil_to(price + slack, instrument.tick) if buys else floor_to(price - slack, instrument.tick)
    rate = rate_in(state, instrument.currency)
    wanted = trigger.quantity if trigger.quantity is not None else size(state, trigger, limit, rate)
    wanted *= ramp.share(state) * stance.share(state)
    return Request(trigger, instrument, floor_to(wanted, instrument.lot), price, limit, quote, rate)


def size(state: State, trigger: Trigger, limit: Decimal, rate: Decimal = ONE) -> Decimal:
    """Give the quantity that loses `risk` of the equity between the limit and the stop, within the notional limits.

    Prices are in the instrument's currency, of which one unit is worth `rate`; it is 0 where nothing may be risked.
    """
    distance = abs(limit - trigger.stop) * rate
    if distance <= 0 or limit <= 0:
        return ZERO
    share = min(trigger.risk, state.settings.risk.per_trade)
    by_risk = state.worth * share / distance
    by_notional = state.settings.risk.notional_max / (limit * rate)
    return max(ZERO, min(by_risk, by_notional))


def refuse_senseless(state: State, made: tuple[Trigger, ...], commands: list[Command]) -> None:
    """Refuse, by name and once, the Triggers that a strategy made of numbers that cannot be."""
    told: dict[str, None] = {}
    for trigger in made:
        if trigger.signal in state.signals or trigger.signal in told or state.triggers.get(trigger.signal) == trigger:
            continue  # known, or in force: only what is sane comes into force
        if trigger.instrument not in state.settings.universe or sane(trigger):
            continue
        told[trigger.signal] = None
        words = f"level {trigger.level}, stop {trigger.stop}, target {trigger.target}: no numbers to trade on"
        commands.append(RefuseEntry(trigger.instrument, trigger.strategy, trigger.signal, "numbers", words))
        if len(told) >= SENSELESS_MAX:
            return


def sane(trigger: Trigger) -> bool:
    """Say whether a Trigger's numbers can be traded on: finite, positive, a risk that is a share."""
    prices = (trigger.level, trigger.stop, trigger.target)
    if not all(price.is_finite() and price > 0 for price in prices) or not trigger.trail.is_finite():
        return False
    quantity = trigger.quantity
    sized = trigger.risk.is_finite() and 0 < trigger.risk <= 1 if quantity is None else quantity.is_finite()
    return sized and trigger.trail >= 0 and trigger.volume_min >= 0
