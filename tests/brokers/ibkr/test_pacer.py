"""joed.brokers.ibkr.pacer: no second has too many messages, and what is urgent never waits behind what is not."""

from hypothesis import given
from hypothesis import strategies as st

from joed.brokers.ibkr.pacer import SHARES, WAITING_MAX, Pacer, Urgency
from joed.daemon.clock import SimulatedClock
from joed.model.values import SECOND


def passed(clock, seconds):
    """Let time pass, with what is planned in it."""
    until_ns = clock.now() + int(seconds * SECOND)
    clock.call_at(until_ns, lambda: None)
    while clock.now() < until_ns:
        clock.advance()


@given(st.lists(st.tuples(st.sampled_from(Urgency), st.integers(0, 400)), max_size=300))
def test_no_second_has_more_messages_than_the_rate(plan):
    """Whatever is asked for, and when."""
    clock, sent = SimulatedClock(SECOND), []
    pacer = Pacer(40, clock)

    def note():
        sent.append(clock.now())

    for urgency, wait_ms in plan:
        passed(clock, wait_ms / 1000)
        if urgency in (Urgency.CANCEL, Urgency.ORDER):
            sent.extend([clock.now()] * pacer.take(urgency))
        else:
            pacer.when(urgency, note)
    passed(clock, 20)

    assert pacer.waiting == 0
    assert all(later - earlier >= SECOND for earlier, later in zip(sent, sent[40:], strict=False))


def test_a_cancel_leaves_at_once_behind_two_hundred_questions():
    """A kill never waits: the room for it is kept, however much else is to be said."""
    clock, asked = SimulatedClock(SECOND), []
    pacer = Pacer(40, clock)
    for number in range(200):
        pacer.when(Urgency.PAST, lambda number=number: asked.append(number))

    assert len(asked) == int(40 * SHARES[Urgency.PAST])
    assert pacer.take(Urgency.CANCEL, 20)
    assert not pacer.take(Urgency.CANCEL)


def test_the_more_urgent_waits_less_and_equals_keep_their_order():
    """Reading the book goes before prices, prices before the past."""
    clock, done = SimulatedClock(SECOND), []
    pacer = Pacer(10, clock)
    pacer.take(Urgency.CANCEL, 10)
    for urgency, name in ((Urgency.PAST, "p1"), (Urgency.STREAM, "s"), (Urgency.READ, "r"), (Urgency.PAST, "p2")):
        pacer.when(urgency, lambda name=name: done.append(name))
    passed(clock, 3)

    assert done == ["r", "s", "p1", "p2"]


def test_room_that_was_not_used_is_given_back():
    """What permit refused was not sent."""
    pacer = Pacer(10, SimulatedClock(SECOND))
    assert pacer.take(Urgency.ORDER, 9)
    assert not pacer.take(Urgency.ORDER)

    pacer.give_back(3)

    assert pacer.take(Urgency.ORDER, 3)


def test_what_waits_has_a_bound_and_goes_with_its_link():
    """Reaching it is told to whoever asks; a link that is gone leaves nothing behind."""
    clock, done = SimulatedClock(SECOND), []
    pacer = Pacer(10, clock)
    pacer.take(Urgency.CANCEL, 10)
    said = [pacer.when(Urgency.READ, lambda: done.append(1)) for _ in range(WAITING_MAX + 1)]

    assert (said[-2:], pacer.refused) == ([True, False], 1)
    pacer.clear()
    passed(clock, 3)
    assert done == []


def test_a_word_that_we_were_too_fast_halves_the_rate_for_a_minute():
    """TWS ends a connection at the third; a cancel finds room all the same."""
    clock = SimulatedClock(SECOND)
    pacer = Pacer(40, clock)
    assert not pacer.slow()
    assert not pacer.take(Urgency.CANCEL, 21)
    assert pacer.take(Urgency.CANCEL, 20)
    passed(clock, 2)
    assert pacer.slow()

    passed(clock, 61)

    assert pacer.take(Urgency.CANCEL, 40)
