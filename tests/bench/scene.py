"""The scene of the road's rows: 500 instruments, each held behind a trailing stop, 200 with a Trigger as well."""

from collections.abc import Callable
from decimal import Decimal
from random import Random

from joed.daemon.carry_out import CarryOut
from joed.daemon.counters import Counters
from joed.daemon.intake import Intake
from joed.daemon.loop import Loop
from joed.daemon.trading import Silence
from joed.engine.step import step
from joed.model.commands import AmendOrder, CancelOrder, SubmitOrder
from joed.model.events import OrderAccepted, OrderCancelled, OrderWorking, Quote, Tick
from joed.model.orders import Execution, Order, Position
from joed.model.settings import Feed, Health, Instrument, Risk, Settings
from joed.model.state import Broker, Day, Job, State
from joed.model.triggers import Trigger
from joed.model.values import HOUR, SECOND, Crossing, Kind, Leg, Side, Status

D = Decimal
OPEN_NS = 1_788_269_400 * SECOND
"""2026-09-01 09:30 in New York."""
SESSION = "2026-09-01"
PRICE, TRAIL, STOP, DUE = D(100), D(2), D(98), 100.098
"""The price around which all is quiet; the trail moves its stop when a bid reaches DUE."""
QUANTITY = D(10)
JOBS = ("regime", "scan", "watchlist", "strategies", "analytics", "crypto", "summary")
GENEROUS = Risk(
    notional_max=D(10**9),
    position_max=10**6,
    gross_max=D(10**12),
    underlying_max=D(10**12),
    orders_minute_max=10**6,
    trades_day_max=10**6,
    loss_day_max=D(10**9),
    quote_age_max_s=10.0**6,
)
"""Limits that a benchmark does not reach: all are looked at, none refuses."""


def names_of(count: int) -> list[str]:
    """Give the names of the scene's instruments."""
    return [f"S{number:04}" for number in range(count)]


def scene(instruments: int = 500, *, held: int = 500, triggers: int = 200, sequence: int = 0) -> State:
    """Give an open session's State; `sequence` makes the Triggers' signals new."""
    names = names_of(instruments)
    settings = Settings(
        universe={name: Instrument(name) for name in names},
        risk=GENEROUS,
        feed=Feed(stale_s=10.0**6),
        health=Health(broker_silence_s=10.0**6),
    )
    state = State(id_key=bytes(32), seq=1, now=OPEN_NS + HOUR, epoch=1, settings=settings)
    state.day = Day(SESSION, OPEN_NS, OPEN_NS + 6 * HOUR, D(10**7))
    state.cash = state.worth = D(10**7)
    state.brokers["paper"] = Broker("paper", up=True, account="PAPER-1", connection=1, reconciled=True, cash=D(10**7))
    broker = state.brokers["paper"]
    broker.changed_ns = broker.quoted_ns = broker.read_ns = state.now
    state.jobs = {name: Job(name, 1, next_ns=OPEN_NS + 100 * HOUR) for name in JOBS}
    state.marked_ns = OPEN_NS + 100 * HOUR
    for name in names[:held]:
        hold(state, name)
    for name in names[:triggers]:
        step(state, state.now, quote_of(name, 0.0))
        trigger = trigger_of(name, f"{name}-{sequence}")
        state.triggers[trigger.signal] = trigger
        state.markets[name].signals.append(trigger.signal)
    settled(state, names)
    return state


def hold(state: State, name: str) -> None:
    """Hold ten of an instrument behind a trailing stop that works at the broker."""
    entry, stop, target = (f"{name}-{leg}" for leg in ("E", "S", "T"))
    state.orders[entry] = order_of(entry, name, Leg.ENTRY, Status.FILLED, entry)
    state.orders[entry].children, state.orders[entry].filled = (stop, target), QUANTITY
    state.orders[entry].executions = {f"{name}-1": Execution(QUANTITY, PRICE, D(1), 0)}
    state.orders[stop] = order_of(stop, name, Leg.STOP, Status.WORKING, entry, STOP)
    state.orders[target] = order_of(target, name, Leg.TARGET, Status.WORKING, entry, D(120))
    state.positions[name] = Position(
        name, "paper", QUANTITY, PRICE, group=entry, groups=(entry,), trail=TRAIL, trailing=True, risk=TRAIL
    )
    position = state.positions[name]
    position.verified = SESSION
    position.stop_order, position.target_order, position.best = stop, target, float(PRICE)
    position.opened_ns, position.verified = OPEN_NS, SESSION


def order_of(order: str, name: str, leg: Leg, status: Status, group: str, level: Decimal | None = None) -> Order:
    """Give one leg of a held position's bracket."""
    kind = Kind.STOP if leg is Leg.STOP else Kind.LIMIT
    opens = leg is Leg.ENTRY
    side = Side.BUY if opens else Side.SELL
    return Order(order, "paper", name, side, QUANTITY, kind, leg, opens, status, group, "breakout", name, level)


def trigger_of(name: str, signal: str, level: str = "104.00") -> Trigger:
    """Give a Trigger that waits for a price above today's."""
    bounds = (D("96.00"), D("130.00"))
    return Trigger(name, Side.BUY, D(level), Crossing.ABOVE, OPEN_NS + 100 * HOUR, *bounds, "breakout", signal, TRAIL)


def settled(state: State, names: list[str]) -> None:
    """Draw every band, and see that nothing is wrong with the scene: a second leads to no command."""
    for _ in range(2):
        for name in names:
            assert step(state, state.now, quote_of(name, 0.0)) == []
        assert step(state, state.now, Tick()) == []
    for name in names:
        step(state, state.now, quote_of(name, 0.0))


def quote_of(name: str, shift: float) -> Quote:
    """Give a quote of an instrument, this much above the quiet price."""
    bid = round(100.0 + shift, 2)
    return Quote(name, bid, round(bid + 0.01, 2), None, None, OPEN_NS + HOUR, broker="paper")


def quiet_quotes(names: list[str], count: int, seed: int = 1) -> list[Quote]:
    """Give quotes that stay inside their bands, one instrument after another."""
    chance = Random(seed)
    return [quote_of(names[index % len(names)], chance.randrange(-5, 6) / 100) for index in range(count)]


class PromptBroker:
    """A broker that takes every command at once, keeps when, and answers as a broker would."""

    name = "paper"

    def __init__(self, emit: Callable[[object], None], stopwatch_ns: Callable[[], int]) -> None:
        self.emit, self.stopwatch_ns = emit, stopwatch_ns
        self.taken_ns: list[int] = []
        self.up = True

    def submit(self, command, permit):
        """Take an order, and cancel it: what is measured is the way to here."""
        reason = permit(command)
        self.taken_ns.append(self.stopwatch_ns())
        assert isinstance(command, SubmitOrder), command
        self.emit(OrderAccepted(command.order, "1"))
        self.emit(OrderCancelled(command.order))
        return reason

    def amend(self, command, permit):
        """Take an amendment, and confirm it."""
        reason = permit(command)
        assert isinstance(command, AmendOrder), command
        self.emit(OrderWorking(command.order, QUANTITY, command.level))
        return reason

    def cancel(self, command, permit):
        """Take a cancel, and carry it out."""
        assert isinstance(command, CancelOrder), command
        self.emit(OrderCancelled(command.order))
        return permit(command)

    def read(self, command):
        """Have nothing to show."""

    def start(self):
        """Be there already."""

    def stop(self):
        """Go."""


class Idle:
    """A worker and a shell that do nothing."""

    def run(self, *_words):
        """Do nothing."""

    alert = answered = stop = bars = run


class NoFile(Silence):
    """A kill file that is there when `latched` says so."""

    def __init__(self, latched):
        self.present = latched


class House:
    """A loop with all its stations on one State; `latched` is what permit asks before each send."""

    def __init__(self, state, clock, recorder, stopwatch_ns, latched=lambda: False, broker=None):
        self.state, self.clock = state, clock
        self.intake = Intake(lambda: None, 10**6)
        self.broker = PromptBroker(self.intake.put, stopwatch_ns) if broker is None else broker(self.intake.put)
        counters, idle = Counters(), Idle()
        self.carry_out = CarryOut(
            state,
            brokers={"paper": self.broker},
            worker=idle,
            shell=idle,
            latch=NoFile(latched),
            emit=self.intake.put,
            now=clock.now,
            counters=counters,
        )
        self.loop = Loop(
            state,
            clock=clock,
            intake=self.intake,
            recorder=recorder,
            carry_out=self.carry_out,
            on_bars=idle.bars,
            counters=counters,
        )
