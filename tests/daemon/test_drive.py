"""Tests of joed.daemon.drive: a paper account in simulated time."""

from random import Random

from joed.brokers.paper import PaperBroker
from joed.daemon.clock import SimulatedClock
from joed.daemon.drive import drive, settle
from joed.daemon.inline import InlineJobs, InlineJournal
from joed.daemon.store import Store
from joed.daemon.trading import Silence, Trading
from joed.daemon.worker_main import InlineWorker
from joed.exchange import Exchange
from joed.model.events import EpochStarted, SettingsLoaded
from joed.model.settings import Settings
from joed.model.state import State
from joed.model.values import SECOND

START_NS = 1_000 * SECOND


class Watched(InlineJournal):
    """A journal that notes how far it was durable each time something was let out."""

    def commit(self):
        """Commit, and note it."""
        durable = super().commit()
        self.commits = [*getattr(self, "commits", []), durable]
        return durable


class Shell:
    """Takes what leaves for people, and nothing comes of it."""

    def alert(self, command):
        """Take an alert."""

    def answered(self, command):
        """Take an answer."""

    def stop(self, command):
        """Take a stop."""


def world(tmp_path):
    """Give a clock, the engine on a paper account, and its journal, about to begin."""
    settings, clock = Settings(), SimulatedClock(START_NS)
    journal, worker = Watched(Store.open(tmp_path / "joed.db")), InlineWorker()
    trading = Trading(
        State(id_key=bytes(32)),
        settings,
        clock=clock,
        recorder=journal,
        worker=InlineJobs(clock, worker.run, worker.bars),
        shell=Shell(),
        latch=Silence(),
        wake=lambda: None,
        conflates=False,
    )
    broker = PaperBroker("paper", Exchange({}, settings.paper, Random(1)), clock, trading.emit, settings.paper)
    trading.begin(EpochStarted(1, "test", "0", ""), SettingsLoaded(settings, ""), {"paper": broker})
    return clock, trading, journal


def test_time_runs_until_it_is_told_to_end(tmp_path):
    """The end is asked for before each jump: nothing planned later happens any more."""
    clock, trading, journal = world(tmp_path)

    drive(clock, trading, journal, lambda: clock.now() >= START_NS + 3 * SECOND)

    assert clock.now() == START_NS + 3 * SECOND
    assert trading.state.now == START_NS + 3 * SECOND


def test_nothing_leaves_before_its_record_is_durable(tmp_path):
    """The broker is read once the command to read it is committed, and its answer comes back as an event."""
    clock, trading, journal = world(tmp_path)
    asked = []
    read = trading.brokers["paper"].read
    trading.brokers["paper"].read = lambda command: (asked.append(journal.store.last()), read(command))

    drive(clock, trading, journal, lambda: clock.now() >= START_NS + SECOND)

    assert asked
    assert asked[0] == journal.commits[0] >= 3
    assert trading.state.brokers["paper"].reconciled


def test_settling_leaves_nothing_waiting(tmp_path):
    """What carrying out brings back is handled in the same moment, before time goes on."""
    _, trading, journal = world(tmp_path)

    settle(trading, journal)

    assert not trading.intake
    assert not trading.carry_out


def test_a_clock_with_nothing_planned_ends_the_drive(tmp_path):
    """Where no callback is left there is no later moment."""
    _, trading, journal = world(tmp_path)

    drive(SimulatedClock(START_NS), trading, journal, lambda: False)

    assert not trading.intake
