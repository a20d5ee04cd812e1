"""joed.brokers.capital.limiter: never more than allowed within any span, and what protects goes first."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joed.brokers.capital.faults import NotSent
from joed.brokers.capital.limiter import WAITING_MAX, Kind, Lane, Limiter, Window
from joed.model.values import SECOND
from joed.sim.loop import START_NS, LoopClock, run

SPAN_NS = 1_000


@given(st.lists(st.integers(0, 700), min_size=1, max_size=60), st.integers(1, 6))
def test_no_span_ever_holds_more_than_its_count(gaps, count):
    """Whenever they come: each goes as soon as it may, and any window of the span holds at most `count`."""
    window, now, went = Window(count, SPAN_NS), 0, []
    for gap in gaps:
        now = max(now + gap, window.free_ns(now + gap))
        window.spend(now)
        went.append(now)

    for first in went:
        assert sum(first <= at < first + SPAN_NS for at in went) <= count


def order_of(requests, requests_s=8, orders_hour=0):
    """Ask for turns all at once, and give (name, seconds) as they are let go."""

    async def main(loop):
        limiter, went = Limiter(LoopClock(loop), requests_s, orders_hour), []

        async def one(name, lane, kind):
            await limiter.turn(lane, kind)
            went.append((name, round((loop.now_ns - START_NS) / SECOND, 2)))

        async with asyncio.TaskGroup() as group:
            for name, lane, kind in requests:
                group.create_task(one(name, lane, kind))
        return went

    return run(main)


def test_a_kill_goes_before_all_that_waits():
    """Twenty questions for history wait; the kill that comes last leaves before the seventh of them."""
    went = order_of([*((f"h{n}", Lane.HISTORY, Kind.PLAIN) for n in range(20)), ("kill", Lane.KILL, Kind.PLAIN)])

    assert ("kill", 0.0) in went
    assert [name for name, _ in went].index("kill") == 6


def test_orders_find_room_in_a_second_that_questions_have_filled():
    """Two of each second's requests are kept for them."""
    went = dict(order_of([*((n, Lane.MARKET, Kind.PLAIN) for n in range(12)), ("order", Lane.ORDER, Kind.CREATE)]))

    assert went["order"] == 0.0
    assert sum(at == 0.0 for name, at in went.items() if name != "order") == 6


def test_new_orders_keep_their_distance_and_their_hour():
    """One each 0.1 s, or they are rejected; on the demo host so many an hour."""
    went = order_of([(n, Lane.ORDER, Kind.CREATE) for n in range(4)], orders_hour=3)

    assert [at for _, at in went] == [0.0, 0.12, 0.24, 3600.0]


def test_logins_come_one_a_second():
    """More are refused, for everybody with that key."""
    assert [at for _, at in order_of([(n, Lane.RECONCILE, Kind.LOGIN) for n in range(3)])] == [0.0, 1.1, 2.2]


def test_a_429_silences_what_does_not_protect():
    """Longer each time; a close goes all the same."""

    async def main(loop):
        limiter, at = Limiter(LoopClock(loop), 8), []
        for _ in range(3):
            limiter.refused()
            await limiter.turn(Lane.CLOSE)
            at.append(loop.time())
            await limiter.turn(Lane.MARKET)
            at.append(loop.time())
        limiter.answered()
        limiter.refused()
        began = loop.time()
        await limiter.turn(Lane.MARKET)
        return [round(one, 2) for one in at], round(loop.time() - began, 2)

    assert run(main) == ([0.0, 1.0, 1.0, 3.0, 3.0, 7.0], 1.0)


def test_a_queue_that_is_full_refuses_and_says_so():
    """A bound, and the fault that proves that nothing left."""

    async def main(loop):
        limiter = Limiter(LoopClock(loop), 2)
        waiting = []
        async with asyncio.TaskGroup() as group:
            waiting += [group.create_task(limiter.turn(Lane.HISTORY)) for _ in range(WAITING_MAX + 2)]
            await asyncio.sleep(0)
            with pytest.raises(NotSent):
                await limiter.turn(Lane.KILL)
            for task in waiting:
                task.cancel()

    run(main)


def test_who_gives_up_waiting_takes_no_turn():
    """A cancelled question leaves its place to the next."""

    async def main(loop):
        limiter = Limiter(LoopClock(loop), 2)
        await limiter.turn(Lane.ORDER)
        await limiter.turn(Lane.ORDER)
        async with asyncio.TaskGroup() as group:
            first = group.create_task(limiter.turn(Lane.ORDER))
            group.create_task(limiter.turn(Lane.ORDER))
            group.create_task(limiter.turn(Lane.ORDER))
            await asyncio.sleep(0)
            first.cancel()
        return round(loop.time(), 2)

    assert run(main) == 1.0


def test_whoever_makes_ready_waits_for_the_room_and_takes_none_of_it():
    """A disk that writes now quicker and now slower must not come between a turn and its bytes: these are counted."""

    async def main(loop):
        clock = LoopClock(loop)
        limiter, begun_ns = Limiter(clock, 8), clock.now()
        await limiter.ready(Lane.ORDER, Kind.CREATE)
        await limiter.turn(Lane.ORDER, Kind.CREATE)
        at_once_ns = clock.now() - begun_ns
        await limiter.ready(Lane.ORDER, Kind.CREATE)
        ready_ns = clock.now() - begun_ns
        await limiter.turn(Lane.ORDER, Kind.CREATE)
        return at_once_ns, ready_ns, clock.now() - begun_ns

    assert run(main) == (0, 120 * SECOND // 1000, 120 * SECOND // 1000)
