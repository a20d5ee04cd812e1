"""A visit without a daemon: connect, learn, leave; what could not be learned is told by name."""

import pytest

from joed.daemon import adapters, visit
from joed.daemon.adapters import Maker
from joed.daemon.calendars import load_calendars
from joed.daemon.clock import SimulatedClock
from joed.daemon.visit import Visit
from joed.daemon.worker_main import InlineWorker
from joed.errors import BrokerUnavailable
from joed.model.events import BrokerDown, BrokerUp
from joed.model.feeds import BrokerExamined, InstrumentSetAside
from joed.model.settings import Failsafe, Instrument, Settings
from joed.model.state import State
from joed.model.values import MINUTE
from tests.daemon.test_backfill import OPEN, Archive


class Broker(Archive):
    """An archive behind a link: up at once, or never."""

    def __init__(self, clock, emit, *, answers=True):
        super().__init__(clock)
        self.emit, self.answers, self.stopped = emit, answers, False

    def subscribe(self, instruments):
        """Set one aside, as a broker without permissions would."""
        self.emit(InstrumentSetAside("ibkr", "VIX", "354", "no permission"))

    def start(self):
        """Be up, or say why not."""
        if self.answers:
            self.emit(BrokerUp("ibkr", "DU1", "paper", 1))
            return
        self.emit(BrokerDown("ibkr", "refused"))
        self.emit(BrokerExamined("ibkr", "login", ok=False, words="another account's login"))

    async def run(self):
        """Wait for nothing."""

    def stop(self):
        """End."""
        self.stopped = True


@pytest.fixture
def clock():
    """Give ten minutes into a session."""
    return SimulatedClock(OPEN + 10 * MINUTE)


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch):
    """Ask again at once."""
    monkeypatch.setattr(visit, "PAUSES_S", (0.0, 0.0))


async def visited(monkeypatch, clock, *, answers=True, fails=()):
    """Visit a broker that fails for these names; give what was told, the worker, the broker."""
    brokers = []

    def make(name, settings, at, emit, credentials, *, root):
        brokers.append(Broker(clock, emit, answers=answers))
        brokers[-1].fails = {symbol: BrokerUnavailable("no answer") for symbol in fails}
        return brokers[-1]

    monkeypatch.setitem(adapters.MAKERS, "ibkr", Maker(lambda secrets: None, make))
    universe = {name: Instrument(name, "ibkr") for name in ("KO", "VIX")}
    settings = Settings(universe=universe, brokers=("ibkr",), failsafe=Failsafe(broker_wait_s=0.05))
    worker = InlineWorker()
    state = State(settings=settings, calendars=load_calendars(("XNYS",), None))
    try:
        told = await Visit(state, worker, clock).run({"ibkr": None})
    except BrokerUnavailable as error:
        told = str(error)
    return told, worker, brokers[0]


async def test_days_and_this_sessions_minutes_are_learned_and_the_link_is_left(monkeypatch, clock):
    """All rows of the broker; what it set aside is told."""
    told, worker, broker = await visited(monkeypatch, clock)

    assert told == ["ibkr: VIX: no permission"]
    assert {name: len(rows) for name, rows in worker.history.days.items()} == {"KO": 10, "VIX": 10}
    assert worker.history.minutes["KO"].count == 10
    assert broker.stopped


async def test_what_does_not_come_is_asked_for_again_and_then_named(monkeypatch, clock):
    """A bounded number of times; the others are learned all the same."""
    told, worker, broker = await visited(monkeypatch, clock, fails=("KO",))

    assert told[1:] == ["ibkr: no history of KO: no answer"]
    assert [name for name, *_ in broker.asked].count("KO") == 2
    assert list(worker.history.days) == ["VIX"]


async def test_no_answer_from_any_broker_is_a_failure_with_its_reason(monkeypatch, clock):
    """There is nothing to think about; the newest word on why is told."""
    told, _, broker = await visited(monkeypatch, clock, answers=False)

    assert told.endswith("ibkr: another account's login")
    assert broker.stopped
