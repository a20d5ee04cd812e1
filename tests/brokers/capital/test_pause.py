"""joed.brokers.capital.pause: waits are the clock's, however fast it runs, and end with who waits."""

import asyncio
from contextlib import suppress

import pytest

from joed.brokers.capital.pause import Patience, pause, pause_or
from joed.daemon.clock import RealClock
from joed.model.values import SECOND
from joed.sim.loop import START_NS, LoopClock, run


def waited(make, after_s=None):
    """Wait in virtual time, for an event that comes after so long where there is one; give the seconds it took."""

    async def main(loop):
        event = asyncio.Event()
        if after_s is not None:
            loop.call_later(after_s, event.set)
        await make(LoopClock(loop), event)
        return (loop.now_ns - START_NS) / SECOND

    return run(main)


def test_a_pause_takes_the_clocks_seconds():
    """Not one more and not one less."""
    assert waited(lambda clock, _event: pause(clock, 2.5)) == 2.5


def test_an_event_ends_a_pause_and_no_event_makes_it_longer():
    """Before its time, at its time, and at once where it has happened."""
    assert waited(lambda clock, event: pause_or(event, clock, 2.5), after_s=1.0) == 1.0
    assert waited(lambda clock, event: pause_or(event, clock, 2.5), after_s=9.0) == 2.5
    assert waited(lambda clock, event: pause_or(event, clock, 2.5), after_s=0.0) == 0.0


async def test_an_accelerated_clock_paces_its_waits():
    """An hour of a clock that runs a million times as fast is over before anything else could be."""
    clock = RealClock(speed=1e6)
    began_ns = clock.now()

    async with asyncio.timeout(60):
        await pause(clock, 3_600)
        await pause_or(asyncio.Event(), clock, 3_600)

    assert clock.now() - began_ns >= 7_200 * SECOND


async def test_who_waits_no_more_is_not_woken():
    """A wait that was cancelled leaves nothing behind that could fail when its time comes."""
    clock = RealClock(speed=1e6)
    for wait in (pause(clock, 3_600), pause_or(asyncio.Event(), clock, 3_600)):
        task = asyncio.create_task(wait)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled()
    await pause(clock, 7_200)


async def to_wait(loop, after_s, *, begins=False, takes_s=9.0, until_s=2.5):
    """Wait for something that takes so long, called off meanwhile; give the seconds and the patience."""
    clock = LoopClock(loop)
    patience = Patience(clock, clock.now() + round(until_s * SECOND) if until_s else 0)
    loop.call_later(after_s, lambda: patience.end("no more"))
    with suppress(TimeoutError):
        async with patience:
            said = patience.begin() if begins else ""
            assert said == ""
            await asyncio.sleep(takes_s)
    return (loop.now_ns - START_NS) / SECOND, patience


@pytest.mark.parametrize(
    ("case", "found"),
    [
        ({"after_s": 9.5}, (2.5, "expired", False)),
        ({"after_s": 1.0}, (1.0, "no more", False)),
        ({"after_s": 1.0, "until_s": 0}, (1.0, "no more", False)),
        ({"after_s": 1.0, "begins": True}, (9.0, "", True)),
        ({"after_s": 1.0, "takes_s": 0.5}, (0.5, "", False)),
    ],
)
def test_patience_ends_at_its_time_or_when_it_is_called_off_and_never_once_it_has_begun(case, found):
    """The first of the three that happens is what happened."""

    async def main(loop):
        took_s, patience = await to_wait(loop, **case)
        await asyncio.sleep(20.0)  # what comes later than its end changes nothing
        return took_s, patience.words, patience.begun

    assert run(main) == found


def test_what_was_called_off_does_not_begin_any_more():
    """Even in the moment between the word and its being heard: the bytes do not leave."""

    async def main(loop):
        patience = Patience(LoopClock(loop), 0)
        with suppress(TimeoutError):
            async with patience:
                patience.end("cancelled")
                said = patience.begin()
        return said, patience.begun

    assert run(main) == ("cancelled", False)
