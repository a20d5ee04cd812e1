"""States, settings and events for the engine's tests: small, whole, and built by the engine's own hands."""

from decimal import Decimal

import msgspec

from joed.engine.step import refold, step
from joed.model.commands import BindAccount, OpenSession, SubmitOrder
from joed.model.events import (
    BrokerRead,
    BrokerUp,
    CommandSent,
    EpochStarted,
    OrderAccepted,
    OrderFilled,
    OrderWorking,
    Quote,
    SettingsLoaded,
    Tick,
    TriggersMade,
)
from joed.model.settings import Feed, Instrument, Settings
from joed.model.state import EMPTY_HI, EMPTY_LO, State
from joed.model.triggers import Trigger
from joed.model.values import HOUR, MINUTE, SECOND, Crossing, Kind, Leg, Side

D = Decimal
OPEN = 1_790_000_000 * SECOND - (1_790_000_000 * SECOND) % MINUTE
"""The session's opening bell, on a full minute."""
CLOSE = OPEN + 390 * MINUTE
START = OPEN + HOUR
"""Where the tests' time begins: an hour into the session."""
SESSION = "2026-09-21"
SYMBOLS = ("AAPL", "MSFT", "KO")


def settings_of(*, symbols=SYMBOLS, **changes):
    """Give settings with these stocks and VIX, all at the paper broker."""
    universe = {symbol: Instrument(symbol) for symbol in symbols}
    universe["VIX"] = Instrument("VIX", kind="index", tradable=False)
    return Settings(**{"universe": universe, "calendar": "none", "feed": Feed(stale_s=30.0)} | changes)


def trading_state(*, cash="100000", symbols=SYMBOLS, now=START, **changes):
    """Give a State in the middle of an open session, reconciled, with cash and no position."""
    state = State(id_key=b"key")
    refold(state, OPEN - HOUR, EpochStarted(1, "start", "0", "code"), [])
    refold(state, OPEN - HOUR, SettingsLoaded(settings_of(symbols=symbols, **changes), "digest"), [])
    bound = BindAccount("paper", "DEMO", state.mode)
    refold(state, OPEN - HOUR, BrokerUp("paper", "DEMO", state.mode.value, 1), [bound])
    refold(state, OPEN - HOUR, whole_read(OPEN - HOUR, cash=cash), [])
    refold(state, OPEN - HOUR, Tick(), [OpenSession(SESSION, OPEN, CLOSE, D(cash))])
    refold(state, now, Tick(), [])
    for job in state.jobs.values():  # all have had their turn today; the summary is yet to come
        job.next_ns = max(job.next_ns, CLOSE + MINUTE if job.name == "summary" else CLOSE + HOUR)
    return state


def whole_read(at, *, connection=1, cash=None, **parts):
    """Give a complete read that began and ended at this instant."""
    money = None if cash is None else D(cash)
    return BrokerRead("paper", connection, at, at, complete=True, cash=money, **parts)


def quote(symbol, bid, ask=None, *, at=START, last=None, volume=None):
    """Give a quote that was received at once; without an ask, two cents wide."""
    return Quote(symbol, bid, round(bid + 0.02, 4) if ask is None else ask, last, volume, at, broker="paper")


def entry_of(symbol):
    """Give the id of the entry that `holding` makes."""
    return f"{symbol}-e"


def stop_of(symbol):
    """Give the id of its stop."""
    return f"{symbol}-s"


def target_of(symbol):
    """Give the id of its target."""
    return f"{symbol}-t"


def bracket(symbol, *, quantity="10", entry="200.00", stop="196.00", target="220.00", side=Side.BUY, tag="", **more):
    """Give the command for a bracket whose ids are told by its symbol."""
    name = f"{symbol}{tag}"
    return SubmitOrder(
        order=f"{name}-e",
        broker="paper",
        instrument=symbol,
        side=side,
        quantity=D(quantity),
        kind=Kind.LIMIT,
        leg=Leg.ENTRY,
        opens=True,
        level=D(entry),
        stop_order=f"{name}-s",
        stop=D(stop),
        target_order=f"{name}-t",
        target=D(target),
        group=f"{name}-e",
        strategy="breakout",
        signal=f"signal-{name}",
        **more,
    )


def fill(order, quantity, price, *, side=Side.BUY, symbol="AAPL", execution="x1", revision=0, fee="0"):
    """Give one execution."""
    return OrderFilled(order, execution, symbol, side, D(quantity), D(price), D(fee), revision, broker="paper")


def submitted(state, command, now=START):
    """Let a command have been decided and sent, and its broker have accepted all of its legs."""
    refold(state, now, Tick(), [command])
    step(state, now, CommandSent(state.seq, 0, command.order))
    for order in (command.order, command.stop_order, command.target_order):
        if order:
            step(state, now, OrderAccepted(order, f"b-{order}"))
    step(state, now, OrderWorking(command.order, command.quantity, command.level))


def holding(symbol="AAPL", *, quantity="10", entry="200.00", stop="196.00", target="220.00", trail="0", **more):
    """Give a State that holds a protected position, its entry filled whole and its trail waiting for the first R."""
    side = more.pop("side", Side.BUY)
    state = more.pop("state", None) or trading_state(**more)
    now = state.now
    command = bracket(symbol, quantity=quantity, entry=entry, stop=stop, target=target, side=side)
    state.trails[command.signal] = D(trail)
    step(state, now, quote(symbol, float(entry) - 0.01, float(entry), at=now))
    submitted(state, command, now)
    step(state, now, fill(command.order, quantity, entry, side=side, symbol=symbol, execution=f"x-{symbol}"))
    for child, level in ((command.stop_order, stop), (command.target_order, target)):
        step(state, now, OrderWorking(child, D(quantity), D(level)))
    return state


def trigger(symbol="AAPL", level="200.00", **changes):
    """Give a Trigger to buy above a level."""
    row = {
        "instrument": symbol,
        "side": Side.BUY,
        "level": D(level),
        "crossing": Crossing.ABOVE,
        "valid_until_ns": CLOSE,
        "stop": D(level) - 4,
        "target": D(level) + 20,
        "strategy": "breakout",
        "signal": f"signal-{symbol}-{level}",
        "quantity": D(10),
    }
    return Trigger(**row | changes)


def armed(*triggers, now=START, **changes):
    """Give a State in which these Triggers wait."""
    state = trading_state(now=now, **changes)
    step(state, now, TriggersMade(1, triggers))
    return state


def without_bands(state):
    """Give State as plain values, without what is only a cache: the bands, and the bars just handed out."""
    plain = msgspec.to_builtins(state)
    plain["finished"] = []
    for market in plain["markets"].values():
        market |= {"lo": EMPTY_LO, "hi": EMPTY_HI, "last_lo": EMPTY_LO, "last_hi": EMPTY_HI}
    return plain


def kinds(commands):
    """Give the names of commands, where their words do not matter."""
    return [type(command).__name__ for command in commands]


def of_kind(commands, kind):
    """Give the commands of one kind."""
    return [command for command in commands if isinstance(command, kind)]
