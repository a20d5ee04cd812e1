"""The proof of life: down the whole road and back, or the watchdog hears nothing."""

import asyncio
import time

import pytest

from joed.daemon import heartbeat as heartbeats
from joed.daemon.heartbeat import CLOCK_STEP_NS, Heartbeat, memory_bytes
from joed.daemon.systemd import Notifier
from joed.model.events import BrokerDown, ClockStepped, HeartbeatMeasured
from tests.daemon.shell import Rig, until


class Body:
    """A heart in a life whose loop and journal a test may stop."""

    def __init__(self, folder, **more):
        self.rig = Rig(folder).begin()
        self.steps, self.commits, self.failure = True, True, ""
        more = {"every_s": 0.01, **more}
        self.heart = Heartbeat(self.rig.trading, Notifier(), failed=lambda: self.failure, **more)

    async def live(self):
        """Step and commit, as far as it is let."""
        while True:
            if self.steps:
                self.rig.loop.drain()
                if self.commits:
                    self.rig.loop.release(self.rig.journal.commit())
            await asyncio.sleep(0)


@pytest.fixture
def body(tmp_path):
    """Give a body whose proofs have the time that they have in life."""
    made = Body(tmp_path)
    yield made
    made.rig.close()


@pytest.fixture
def impatient(monkeypatch):
    """Have proofs come within a moment, for those that never will."""
    monkeypatch.setattr(heartbeats, "PROOF_WAIT_S", 0.2)


async def proved(body):
    """Say whether a heartbeat comes through while this body lives."""
    living = asyncio.ensure_future(body.live())
    try:
        return await body.heart.prove()
    finally:
        living.cancel()


async def test_a_heartbeat_that_becomes_durable_is_a_proof(body):
    """It is a fact in the record, and the counters know when."""
    assert await proved(body)
    assert body.heart.missing == ""
    assert body.rig.trading.counters.heartbeat_ns
    assert any(isinstance(event, HeartbeatMeasured) for event, _ in body.rig.records())


@pytest.mark.usefixtures("impatient")
async def test_a_loop_that_does_not_step_gives_no_proof(body):
    """The missing part has a name."""
    body.steps = False

    assert not await proved(body)
    assert body.heart.missing == "step"


@pytest.mark.usefixtures("impatient")
async def test_a_journal_that_does_not_commit_gives_no_proof(body):
    """Handled is not durable, whatever else was committed before."""
    body.commits = False
    for number in range(3):
        body.rig.trading.emit(BrokerDown("paper", str(number)))

    assert not await proved(body)
    assert body.heart.missing == "journal"
    assert body.heart.unwell() == "a heartbeat got no further than the journal"


async def test_whoever_watches_from_outside_is_told_of_health_alone(body):
    """A journal that has failed keeps the watchdog, and not the outside watch: somebody has to come."""
    assert await proved(body)
    assert body.heart.unwell() == ""

    body.failure = "FULL"

    assert body.heart.unwell() == "the journal cannot commit: FULL"


async def test_a_journal_that_has_failed_asks_no_more_than_a_step(body):
    """The process is worth keeping: it still lets out what reduces risk."""
    body.commits, body.failure = False, "FULL"

    assert await proved(body)


async def test_a_broker_that_is_down_does_not_starve_the_watchdog(body):
    """That is a Block, no reason for a restart."""
    body.rig.trading.emit(BrokerDown("paper", "a test"))

    assert await proved(body)


@pytest.mark.usefixtures("impatient")
async def test_the_watchdog_is_fed_for_each_proof_and_for_nothing_else(body):
    """No proof, no ping."""
    living, beating = asyncio.ensure_future(body.live()), asyncio.ensure_future(body.heart.run())
    await until(lambda: body.rig.trading.counters.watchdog_pings >= 3)
    body.steps = False
    await until(lambda: body.heart.missing == "step")
    fed = body.rig.trading.counters.watchdog_pings
    await asyncio.sleep(0.05)

    assert body.rig.trading.counters.watchdog_pings == fed
    assert body.rig.trading.counters.pinged_ns > 0
    living.cancel()
    beating.cancel()


@pytest.mark.parametrize(("offset_ns", "told"), [(CLOCK_STEP_NS, 1), (-CLOCK_STEP_NS, 1), (CLOCK_STEP_NS - 1, 0)])
def test_a_wall_clock_that_was_set_is_told(tmp_path, offset_ns, told):
    """From half a second on; less is how it is kept right. What State knows is not told again."""
    body = Body(tmp_path, offset_ns=lambda: offset_ns)
    for _ in range(2):
        body.heart.look_at_clock()
        body.rig.settle()

    steps = [event for event, _ in body.rig.records() if isinstance(event, ClockStepped)]
    assert steps == [ClockStepped(offset_ns)] * told
    body.rig.close()


def test_memory_is_what_the_kernel_says():
    """Some tens of megabytes, in bytes."""
    assert 10 << 20 < memory_bytes() < 4 << 30


async def test_a_loop_that_stood_still_says_so_at_once(body, monkeypatch):
    """F6: the next beat may be half a minute away, and until then entries would be decided on old prices."""
    monkeypatch.setattr(heartbeats, "LAG_EVERY_S", 0.01)
    monkeypatch.setattr(heartbeats, "LAG_TOLD_NS", 50_000_000)
    living, measuring = asyncio.ensure_future(body.live()), asyncio.ensure_future(body.heart._measure_lag())
    await asyncio.sleep(0.03)
    time.sleep(0.1)  # noqa: ASYNC251 - the loop has to stand still

    def told():
        return [event.lag_ns for event, _ in body.rig.records() if isinstance(event, HeartbeatMeasured)]

    await until(told)
    living.cancel()
    measuring.cancel()
    assert 50_000_000 <= told()[0] < 10_000_000_000
