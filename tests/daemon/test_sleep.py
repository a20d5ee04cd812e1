"""A suspend is what one clock counts and the other does not."""

from joed.daemon.sleep import Sleep
from joed.model.values import HOUR, SECOND


class Clocks:
    """Two clocks that go together until the machine sleeps."""

    def __init__(self):
        self.boot = self.awake = 5 * HOUR

    def sleeping(self):
        """Give what looks at them."""
        return Sleep(lambda: self.boot, lambda: self.awake)


def test_time_that_passes_is_no_sleep():
    """Both go on; reading them one after the other makes a little difference, which is none."""
    clocks = Clocks()
    sleep = clocks.sleeping()
    clocks.boot += HOUR + SECOND // 2
    clocks.awake += HOUR

    assert (sleep.slept_ns(), sleep.news_ns()) == (0, 0)


def test_a_sleep_is_news_once_and_holds_until_it_was_told():
    """Whoever is asked before the teller has woken says so too, and until the next Tick after it."""
    clocks = Clocks()
    sleep = clocks.sleeping()
    clocks.boot += HOUR

    assert sleep.slept_ns() == HOUR
    assert sleep.news_ns() == HOUR
    assert sleep.slept_ns() == HOUR
    assert sleep.news_ns() == 0
    assert sleep.slept_ns() == 0


def test_a_second_sleep_right_after_the_first_is_news_too():
    """Its own length, not the sum."""
    clocks = Clocks()
    sleep = clocks.sleeping()
    clocks.boot += HOUR
    sleep.news_ns()
    clocks.boot += 2 * HOUR

    assert [sleep.news_ns(), sleep.news_ns()] == [2 * HOUR, 0]


def test_on_this_machine_the_two_clocks_agree():
    """It has not slept since a moment ago."""
    assert Sleep().slept_ns() == 0
