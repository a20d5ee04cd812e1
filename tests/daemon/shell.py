"""The shell's stations for tests: a broker that notes what it is handed, a mute worker, and a real journal."""

import asyncio

from joed.daemon.clock import SimulatedClock
from joed.daemon.inline import InlineJournal
from joed.daemon.latch import Latch
from joed.daemon.store import Store
from joed.daemon.trading import Silence, Trading
from joed.model.commands import SubmitOrder
from joed.model.events import BrokerRead, BrokerUp, EpochStarted, SettingsLoaded
from joed.model.settings import Settings
from joed.model.state import State
from joed.model.values import SECOND, Kind, Leg, Side
from tests.engine.build import D, settings_of

NOON = 1_790_000_000 * SECOND


def closing(symbol):
    """Give the command that closes a position at the market."""
    return SubmitOrder(
        f"{symbol}-c", "paper", symbol, Side.SELL, D(10), Kind.MARKET, Leg.CLOSE, opens=False, group=f"{symbol}-e"
    )


async def until(holds, seconds=30.0):
    """Let other tasks have their turns until something holds."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for belongs to nobody who could tell
            await asyncio.sleep(0.001)


class Broker:
    """Hands over whatever is permitted, and notes it; `refusal` is what it refuses with."""

    name = "paper"
    streams = ()

    def __init__(self, emit):
        self.emit = emit
        self.handed, self.reads, self.stopped, self.refusal = [], 0, False, ""

    def start(self):
        """Be up at once, with an empty book."""
        self.emit(BrokerUp("paper", "DEMO", "paper", 1))

    def stop(self):
        """End."""
        self.stopped = True

    async def run(self):
        """Wait for nothing."""

    def submit(self, command, permit):
        """Note a command, if it may leave."""
        reason = self.refusal or permit(command)
        if not reason:
            self.handed.append(command)
        return reason

    amend = cancel = cancel_foreign = submit

    def read(self, command):
        """Answer with an empty book."""
        self.reads += 1
        self.emit(BrokerRead("paper", 1, NOON, NOON, complete=True))


class Worker:
    """Notes jobs and bars, and answers nothing."""

    def __init__(self):
        self.jobs, self.taken = [], []

    def run(self, command, context, done):
        """Note a job."""
        self.jobs.append(command)

    def bars(self, bars):
        """Note bars."""
        self.taken.extend(bars)


class Shell:
    """Notes what the daemon itself is asked for."""

    def __init__(self):
        self.alerts, self.answers, self.stops = [], [], []
        self.alert, self.answered, self.stop = self.alerts.append, self.answers.append, self.stops.append


class KillFile(Silence):
    """A kill file that a test makes and takes away; `seen` says that it bears its right name."""

    def __init__(self):
        self.found, self.seen, self.full, self.made = None, True, False, []

    def present(self):
        """Say whether it is there under its name."""
        return self.found is not None and self.seen

    def read(self):
        """Give what is there."""
        return self.found

    def write(self, scope):
        """Make it, where the disk lets us."""
        if self.full:
            raise OSError(28, "no space")
        self.found = Latch(scope, 1000)
        self.made.append(scope)

    def rehearse(self, scope):
        """Make it for a drill."""
        self.write(scope)
        return ""

    def release(self):
        """Take it away."""
        self.found = None


class Rig:
    """One life on a simulated clock: everything real but the broker, the worker and the process around it."""

    def __init__(self, folder, *, latch=None, recorder=None, state=None, settings=None, conflates=False):
        self.clock = SimulatedClock(NOON)
        self.journal = InlineJournal(Store.open(folder / "joed.db", ballast_bytes=0))
        self.worker, self.shell = Worker(), Shell()
        self.settings: Settings = settings or settings_of()
        self.trading = Trading(
            state or State(id_key=b"key"),
            self.settings,
            clock=self.clock,
            recorder=recorder or self.journal,
            worker=self.worker,
            shell=self.shell,
            latch=latch or Silence(),
            wake=lambda: None,
            conflates=conflates,
        )
        self.state, self.loop = self.trading.state, self.trading.loop
        self.broker = Broker(self.trading.emit)

    def begin(self):
        """Take over, and have the books agree."""
        loaded = SettingsLoaded(self.settings, "digest")
        self.trading.begin(EpochStarted(1, "test", "0", "code"), loaded, {"paper": self.broker})
        self.settle()
        return self

    def settle(self):
        """Handle all that waits, commit, and let what follows be done, until nothing follows."""
        while self.trading.intake or self.trading.carry_out:
            self.loop.drain()
            self.loop.release(self.journal.commit())

    def records(self):
        """Give what is durable: events with their commands."""
        self.loop.release(self.journal.commit())
        return [(event, commands) for _, _, event, commands in self.journal.store.read()]

    def close(self):
        """Let the file go."""
        self.journal.store.close()
