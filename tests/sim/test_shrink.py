"""Shrinking gives the fewest faults that still break the law."""

from joed.sim.scenario import Fault
from joed.sim.shrink import TRIES_MAX, minimise, shrink


def test_only_what_is_needed_stays():
    """Of twenty items two far apart are needed: these two come back, in their order."""
    items = tuple(range(20))

    assert minimise(items, lambda some: {3, 17} <= set(some)) == (3, 17)


def test_a_failure_that_needs_nothing_shrinks_to_nothing():
    """What breaks without any fault needs none."""
    assert minimise((1, 2, 3), lambda some: True) == ()


def test_what_cannot_be_left_out_stays_whole():
    """Where every item is needed, every item comes back."""
    assert minimise((1, 2, 3, 4, 5), lambda some: len(some) == 5) == (1, 2, 3, 4, 5)


def test_times_are_rounded_where_that_does_no_harm():
    """A time goes to the next ten seconds, unless the law then holds."""
    faults = (Fault(11.3, "cut"), Fault(42.7, "kill"), Fault(55.5, "lag"))

    found = shrink(faults, lambda some: any(f.kind == "cut" for f in some) and Fault(42.7, "kill") in some)

    assert found == (Fault(10.0, "cut"), Fault(42.7, "kill"))


def test_shrinking_ends_however_long_the_list():
    """So many worlds are played at most."""
    played = []

    def breaks(some):
        played.append(some)
        return len(some) % 2 == 1

    shrink([Fault(float(number), "lag") for number in range(501)], breaks)

    assert len(played) <= TRIES_MAX
