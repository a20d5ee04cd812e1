"""Time: real, accelerated, simulated, by the same two words."""

import asyncio

import pytest

from joed.daemon.clock import CALLBACKS_AT_ONCE, RealClock, SimulatedClock, boot_ns, stopwatch_ns, utc_ns
from joed.model.values import HOUR, MINUTE, SECOND


def test_simulated_time_jumps_from_callback_to_callback():
    """It stands still between them, and equal times come in the order they were asked for."""
    clock, heard = SimulatedClock(100), []
    for name, at in (("c", 300), ("a", 200), ("b", 200)):
        clock.call_at(at, lambda name=name: heard.append((name, clock.now())))

    assert clock.next_ns() == 200
    assert [clock.advance() for _ in range(4)] == [True, True, True, False]
    assert heard == [("a", 200), ("b", 200), ("c", 300)]
    assert clock.next_ns() is None
    assert clock.now() == 300


def test_simulated_time_never_goes_back():
    """What was asked for in the past comes now."""
    clock, heard = SimulatedClock(100), []

    clock.call_at(50, lambda: heard.append(clock.now()))
    clock.advance()

    assert heard == [100]


def test_real_time_begins_at_utc_and_follows_the_boot_clock():
    """It is UTC at its start, and passes as the clock does that counts suspends."""
    before = utc_ns()
    clock = RealClock()
    first, boot = clock.now(), boot_ns()

    assert before <= first <= utc_ns()
    assert first <= clock.now() <= first + (boot_ns() - boot) + SECOND
    assert abs(clock.offset_ns()) < SECOND


def test_two_processes_share_accelerated_time():
    """Origin, speed and the boot time of the origin are the whole of a clock."""
    base = boot_ns() - 2 * SECOND
    clock, twin = RealClock(HOUR, 60.0, base), RealClock(HOUR, 60.0, base)

    shown = clock.now()

    assert HOUR + 2 * MINUTE <= shown <= twin.now() < shown + MINUTE


def test_a_wall_clock_that_was_set_shows_as_an_offset():
    """Ours goes on from where it began."""
    clock = RealClock(utc_ns() + HOUR)

    assert -HOUR - SECOND < clock.offset_ns() <= -HOUR + SECOND


async def test_accelerated_callbacks_come_in_their_order():
    """Sixty times as fast: a simulated second is a sixtieth of a real one."""
    clock, heard, done = RealClock(0, 60.0), [], asyncio.Event()
    begun = stopwatch_ns()
    clock.call_at(3 * SECOND, done.set)
    for at in (2, 1):
        clock.call_at(at * SECOND, lambda at=at: heard.append(at))

    await asyncio.wait_for(done.wait(), 5)

    assert heard == [1, 2]
    assert clock.now() >= 3 * SECOND
    assert stopwatch_ns() - begun >= SECOND // 20


async def test_an_earlier_callback_comes_before_a_later_one_that_was_asked_for_first():
    """The one alarm is set anew."""
    clock, done = RealClock(), asyncio.Event()
    clock.call_at(clock.now() + HOUR, lambda: None)
    clock.call_at(clock.now(), done.set)

    await asyncio.wait_for(done.wait(), 5)


async def test_the_loop_has_its_turn_between_many_due_callbacks():
    """A feed that has fallen behind does not shut everything else out."""
    clock, heard, turns = RealClock(), [], []
    for _ in range(CALLBACKS_AT_ONCE + 1):
        clock.call_at(0, lambda: heard.append(1))

    while len(heard) <= CALLBACKS_AT_ONCE:
        await asyncio.sleep(0)
        turns.append(len(heard))

    assert CALLBACKS_AT_ONCE in turns


async def test_a_callback_that_raises_does_not_stop_time():
    """The loop hears of it; the next callback comes all the same."""
    clock, done, told = RealClock(), asyncio.Event(), []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))

    def fail():
        raise ValueError("planted")

    clock.call_at(0, fail)
    clock.call_at(1, done.set)
    await asyncio.wait_for(done.wait(), 5)

    assert [str(error) for error in told] == ["planted"]


@pytest.mark.parametrize("speed", [1.0, 60.0])
def test_time_never_goes_back(speed):
    """Reading it again and again shows the same or more."""
    clock = RealClock(0, speed)
    shown = [clock.now() for _ in range(1000)]

    assert shown == sorted(shown)
