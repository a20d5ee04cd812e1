"""The one gate before the one door: every reason for which an entry may not be sent, each with its code and words.

Reducing risk does not pass here and needs no permission.
"""

from bisect import bisect_right
from collections.abc import Callable
from decimal import Decimal
from math import isfinite

from msgspec import Struct

from joed.engine import money
from joed.engine.crypto import gated
from joed.engine.health import LOSS, STORM
from joed.engine.hours import close_of, outside
from joed.engine.money import ONE, cash_at, underlying
from joed.engine.orders import BRACKET, SIGNALS_MAX, pledged, reserved, resting, spent
from joed.engine.positions import day_result, held
from joed.engine.previews import beyond
from joed.engine.settlement import unsettled
from joed.model.blocks import ALL, Block
from joed.model.events import Quote
from joed.model.settings import Instrument
from joed.model.state import Broker, State
from joed.model.triggers import Trigger
from joed.model.values import MINUTE, SECOND, ZERO, AccountKind, Side, decimal


class Request(Struct, frozen=True, gc=False):
    """An entry as it would leave: the Trigger behind it, its size, the price now and the limit it would carry.

    `rate` is what a unit of the instrument's currency is worth in base currency: limits are in that.
    """

    trigger: Trigger
    instrument: Instrument
    quantity: Decimal
    price: Decimal
    limit: Decimal
    quote: Quote
    rate: Decimal = ONE

    @property
    def worth(self) -> Decimal:
        """Give what it costs at most, in base currency."""
        value = self.quantity * self.limit
        return value if self.rate is ONE else value * self.rate

    @property
    def buys(self) -> bool:
        """Say whether it opens by buying."""
        return self.trigger.side is Side.BUY


class Refusal(Struct, frozen=True, gc=False):
    """Why an entry may not be sent: a code from the closed list CHECKS, and words for a person."""

    code: str
    words: str


def refuse(state: State, now: int, request: Request) -> Refusal | None:
    """Say why this entry may not be sent, or None if it may."""
    for code, check in CHECKS.items():
        words = check(state, now, request)
        if words:
            return Refusal(code, words)
    return None


def blocked(state: State, now: int, request: Request) -> str:
    """Refuse under any Block that matches."""
    block = matches(state, request.instrument.symbol, request.trigger.strategy)
    return "" if block is None else f"{block.reason}: {block.words}"


def matches(state: State, symbol: str, strategy: str) -> Block | None:
    """Give the first Block that forbids this strategy an entry in this instrument, or None."""
    if not state.blocks:
        return None
    scopes = [ALL, f"instrument:{symbol}", f"strategy:{strategy}"]
    instrument = state.settings.universe.get(symbol)
    if instrument is not None:  # a reload may have taken it away while its order waited for the disk
        scopes += [f"broker:{instrument.broker}", f"calendar:{instrument.calendar}"]
    return next((block for block in state.blocks.values() if block.scope in scopes), None)


def not_tradable(state: State, now: int, request: Request) -> str:
    """Refuse what has a price and no market: an index."""
    return "" if request.instrument.tradable else f"{request.instrument.symbol} is watched, not traded"


def senseless(state: State, now: int, request: Request) -> str:
    """Refuse numbers that cannot be, whoever let them come this far: NaN is in no order with any limit."""
    trigger, quote = request.trigger, request.quote
    for price in (request.price, request.limit, request.rate, trigger.level, trigger.stop, trigger.target):
        if not (price.is_finite() and price > 0):
            return f"{price} is no price"
    if not request.quantity.is_finite():
        return f"{request.quantity} is no quantity"
    fair = isfinite(quote.bid) and isfinite(quote.ask) and 0 < quote.bid <= quote.ask
    return "" if fair else f"{quote.bid} to {quote.ask} is no market"


def stale(state: State, now: int, request: Request) -> str:
    """Refuse an old quote, or one from the future: its age counts from when it was received, not when handled."""
    age_ns = now - request.quote.received_ns
    limit_s = state.settings.risk.quote_age_max_s
    sound = -SECOND <= age_ns <= int(limit_s * SECOND)
    return "" if sound else f"the quote is {age_ns / SECOND:.1f} s old, the limit is {limit_s:g} s"


def wide(state: State, now: int, request: Request) -> str:
    """Refuse a wide spread: the price would be a guess."""
    spread = (request.quote.ask - request.quote.bid) / request.quote.bid
    limit = state.settings.risk.spread_max
    return f"the spread is {spread:.3%}, the limit is {limit:.3%}" if spread > float(limit) else ""


def through(state: State, now: int, request: Request) -> str:
    """Refuse a price far beyond the Trigger's level: it is another trade than the one that was thought out."""
    reach = abs(request.price - request.trigger.level)
    limit = request.trigger.level * state.settings.risk.collar
    if reach <= limit:
        return ""
    return f"{request.price} is {reach} away from {request.trigger.level}, the limit is {limit:f}"


def wrong_side(state: State, now: int, request: Request) -> str:
    """Refuse a bracket whose prices do not lie around the entry's: it would trade against itself at once."""
    below, above = request.trigger.stop, request.trigger.target
    if not request.buys:
        below, above = above, below
    bid = decimal(request.quote.bid) if request.buys else request.price
    ask = request.price if request.buys else decimal(request.quote.ask)
    low, high = min(bid, request.limit), max(ask, request.limit)
    if below < low and high < above:
        return ""
    return f"stop {request.trigger.stop} and target {request.trigger.target} do not lie around {low} to {high}"


def off_tick(state: State, now: int, request: Request) -> str:
    """Refuse prices that the market does not have: a bracket that is refused in part protects nothing."""
    tick = request.instrument.tick
    off = [price for price in (request.limit, request.trigger.stop, request.trigger.target) if price % tick]
    return f"{off[0]} is no multiple of the tick {tick}" if off else ""


def short(state: State, now: int, request: Request) -> str:
    """Refuse to sell what is not held, unless the settings allow it and the account can."""
    if request.buys:
        return ""
    if state.settings.account_kind is AccountKind.CASH:
        return "a cash account cannot sell short"
    return "" if state.settings.risk.allow_short else "short selling is off"


def off_lot(state: State, now: int, request: Request) -> str:
    """Refuse less than one lot (the risk does not buy it), and what is no whole number of lots."""
    lot = request.instrument.lot
    if request.quantity < lot:
        return f"{request.quantity} is less than one lot of {lot}"
    return f"{request.quantity} is no whole number of lots of {lot}" if request.quantity % lot else ""


def against(state: State, now: int, request: Request) -> str:
    """Refuse to open against what is held or pending of the same underlying, at any broker: that is what closes do."""
    name = underlying(state, request.instrument.symbol)
    if name in (state.shorts if request.buys else state.longs):
        return f"{name} is held the other way"
    for order in resting(state):
        if order.side is not request.trigger.side and underlying(state, order.instrument) == name:
            return f"an entry the other way is pending: {order.order}"
    return ""


def pending(state: State, now: int, request: Request) -> str:
    """Refuse a second entry in an instrument while one is pending."""
    for order in resting(state):
        if order.instrument == request.instrument.symbol:
            return f"an entry is pending: {order.order}"
    return ""


def again(state: State, now: int, request: Request) -> str:
    """Refuse a signal that became an entry before, in whatever session: one intent for ever."""
    return f"{request.trigger.signal} was entered before" if spent(state, request.trigger) else ""


def forgetful(state: State, now: int, request: Request) -> str:
    """Refuse an entry whose signal could not be remembered for ever beside all earlier ones."""
    count = len(state.spent)
    return f"{count} signals are remembered, none more can be" if count >= SIGNALS_MAX else ""


def kept(state: State, now: int, request: Request) -> str:
    """Refuse to add to a position, so that one bracket protects it whole."""
    position = state.positions.get(request.instrument.symbol)
    return "" if position is None or position.quantity == 0 else f"{position.quantity} are held already"


def external(state: State, now: int, request: Request) -> str:
    """Refuse to add to what a person trades by hand."""
    foreign = state.external.get(request.instrument.symbol)
    return f"{foreign} are held by somebody else" if foreign else ""


def too_many_positions(state: State, now: int, request: Request) -> str:
    """Refuse one more than the limit of positions and pending entries together."""
    limit = state.settings.risk.position_max
    if len(state.positions) + len(state.resting) < limit:
        return ""  # without the sum: flat positions count in this, but there are too few even so
    names = {position.instrument for position in held(state)}
    names |= {order.instrument for order in resting(state)}
    return f"{len(names)} positions are held or pending, the limit is {limit}" if len(names) >= limit else ""


def old_rate(state: State, now: int, request: Request) -> str:
    """Refuse a currency whose worth in base currency is not known well enough to hold a limit to it."""
    return money.stale(state, now, request.instrument.currency)


def too_large(state: State, now: int, request: Request) -> str:
    """Refuse an order of too large a value."""
    limit = state.settings.risk.notional_max
    return f"{request.worth:.2f} is over the limit of {limit} an order" if request.worth > limit else ""


def too_much(state: State, now: int, request: Request) -> str:
    """Refuse too large a book, counting everything that may still fill."""
    total = state.exposure + reserved(state) + request.worth
    limit = state.settings.risk.gross_max
    return f"gross exposure would be {total:.2f}, the limit is {limit}" if total > limit else ""


def too_much_of_one(state: State, now: int, request: Request) -> str:
    """Refuse too much of one underlying, in whatever instruments and at whatever brokers it is held or pending."""
    name, limit = underlying(state, request.instrument.symbol), state.settings.risk.underlying_max
    total = state.longs.get(name, ZERO) + state.shorts.get(name, ZERO) + request.worth
    for order in resting(state):
        if underlying(state, order.instrument) == name:
            total += pledged(state, order)
    return f"exposure in {name} would be {total:.2f}, the limit is {limit}" if total > limit else ""


def free_at(state: State, request: Request) -> tuple[Broker, Decimal]:
    """Give the instrument's broker, and its cash that nothing pending there may spend first, in base currency."""
    broker = state.brokers.get(request.instrument.broker) or Broker(request.instrument.broker)
    return broker, cash_at(state, broker) - reserved(state, broker.name)


def no_cash(state: State, now: int, request: Request) -> str:
    """Refuse a buy that is not paid for by cash at its broker, where the broker names no buying power of its own."""
    broker, free = free_at(state, request)
    lends = broker.buying_power is not None and state.settings.account_kind is AccountKind.MARGIN
    if lends or not request.buys or request.worth <= free:
        return ""
    return f"{request.worth:.2f} is needed, {free:.2f} is free"


def not_settled(state: State, now: int, request: Request) -> str:
    """Refuse a cash account's buy with what sales brought and has not settled yet."""
    if state.settings.account_kind is not AccountKind.CASH:
        return ""
    broker, free = free_at(state, request)
    due = unsettled(state, now, broker)
    if request.worth <= free - due:
        return ""
    return f"{request.worth:.2f} is needed, {free - due:.2f} is free and settled, {due:.2f} is not settled yet"


def no_margin(state: State, now: int, request: Request) -> str:
    """Refuse what the broker's own word for buying power does not cover, either way."""
    broker = state.brokers.get(request.instrument.broker)
    if broker is None or broker.buying_power is None:
        return ""
    free = broker.buying_power - reserved(state, broker.name)
    return f"{request.worth:.2f} is needed, buying power is {free:.2f}" if request.worth > free else ""


def no_day_trades(state: State, now: int, request: Request) -> str:
    """Refuse what could be one day trade more than the broker still allows: all opened today may close today."""
    name = request.instrument.broker
    broker = state.brokers.get(name)
    if broker is None or broker.day_trades_left is None:
        return ""
    today = sum(1 for row in held(state) if row.broker == name and row.opened_ns >= state.day.open_ns)
    open_ = today + sum(1 for order in resting(state) if order.broker == name)
    if open_ < broker.day_trades_left:
        return ""
    return f"{broker.day_trades_left} day trades are left, {open_} may be used by what is open"


def too_risky(state: State, now: int, request: Request) -> str:
    """Refuse what would lose more at its stop than one trade may, also where the strategy names the size itself."""
    lost = request.quantity * abs(request.limit - request.trigger.stop) * request.rate
    limit = state.worth * state.settings.risk.per_trade
    return f"{lost:.2f} would be lost at the stop, the limit is {limit:.2f}" if lost > limit else ""


def too_fast(state: State, now: int, request: Request) -> str:
    """Refuse too many entries within a minute."""
    recent = len(state.order_times) - bisect_right(state.order_times, now - MINUTE)
    limit = state.settings.risk.orders_minute_max
    return f"{recent} orders in the last minute, the limit is {limit}" if recent >= limit else ""


def too_busy(state: State, now: int, request: Request) -> str:
    """Refuse a signal that has caused as many orders as one may, before it makes another bracket of them."""
    made = state.signal_orders.get(request.trigger.signal, 0)
    limit = state.settings.risk.orders_signal_max
    if made + len(BRACKET) <= limit:
        return ""
    return f"{request.trigger.signal} has caused {made} orders, the limit is {limit}"


def too_often(state: State, now: int, request: Request) -> str:
    """Refuse too many trades in a session."""
    limit = state.settings.risk.trades_day_max
    return f"{state.day.trades} trades today, the limit is {limit}" if state.day.trades >= limit else ""


def lost_enough(state: State, now: int, request: Request) -> str:
    """Refuse once the day has lost what it may, open positions included."""
    lost = -day_result(state)
    limit = state.settings.risk.loss_day_max
    return f"{lost:.2f} lost today, the limit is {limit}" if lost >= limit else ""


def rejected_often(state: State, now: int, request: Request) -> str:
    """Refuse what the broker refuses again and again: it is telling us something."""
    symbol = request.instrument.symbol
    count, limit = state.rejects.get(symbol, 0), state.settings.risk.rejects_max
    return f"the broker refused {symbol} {count} times, the limit is {limit}" if count >= limit else ""


def too_late(state: State, now: int, request: Request) -> str:
    """Refuse new risk shortly before the close."""
    left_ns = close_of(state, request.instrument.symbol) - now
    limit_s = state.settings.eod.entries_until_s
    if left_ns >= int(limit_s * SECOND):
        return ""
    return f"{left_ns // SECOND} s to the close, the limit is {limit_s:g} s"


def out_of_hours(state: State, now: int, request: Request) -> str:
    """Refuse what the broker does not trade at this hour, whatever our calendar says."""
    return outside(state, now, request.instrument.symbol)


Check = Callable[[State, int, Request], str]

CHECKS: dict[str, Check] = {
    "blocked": blocked,
    "not_tradable": not_tradable,
    "broker_hours": out_of_hours,
    "numbers": senseless,
    "quote_stale": stale,
    "spread_wide": wide,
    "collar": through,
    "bracket": wrong_side,
    "tick": off_tick,
    "short": short,
    "lot": off_lot,
    "opposite": against,
    "duplicate": pending,
    "signal_spent": again,
    "signals_max": forgetful,
    "held": kept,
    "external": external,
    "crypto_gate": lambda state, now, one: gated(state, now, one.instrument),
    "position_max": too_many_positions,
    "rate_stale": old_rate,
    "notional_max": too_large,
    "gross_max": too_much,
    "underlying_max": too_much_of_one,
    "cash": no_cash,
    "unsettled": not_settled,
    "margin": no_margin,
    "margin_preview": lambda state, _, one: beyond(state, one.instrument, one.trigger.side, one.quantity),
    "day_trades": no_day_trades,
    "per_trade": too_risky,
    "orders_minute_max": too_fast,
    STORM: too_busy,
    "trades_day_max": too_often,
    LOSS: lost_enough,
    "rejects_max": rejected_often,
    "close_near": too_late,
}
"""Every limit, in the order of its asking; the code is the refusal's, the metric's and `joectl why`'s."""

BREAKERS = frozenset({"orders_minute_max", STORM, LOSS})
"""Limits that no sound day reaches: the first refusal latches a Block, until a person has looked.

`rejects_max` latches on its instrument as the broker's word comes. `trades_day_max` is none of them: a busy day reaches
it in good order, and there is nothing to look into; it refuses until the next session begins.
"""
