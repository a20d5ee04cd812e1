"""joed.daemon.counters: plain numbers that a scrape can read at any moment."""

import gc
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from joed.daemon.counters import FAST, KINDS, Buckets, Counters, GcWatch
from joed.model.events import Quote


def test_an_observation_counts_in_the_first_bucket_that_holds_it():
    """Bounds are inclusive, as Prometheus has it; what is above all of them counts in the last."""
    found = Buckets((1.0, 2.0))
    for seconds in (0.5, 1.0, 1.5, 2.0, 2.1, 100.0):
        found.observe(seconds)

    assert found.counts == [2, 2, 2]
    assert found.total == 107.1


@given(st.lists(st.floats(min_value=0, max_value=10)))
def test_no_observation_is_lost(seconds):
    """Each is counted once, and the sum is theirs."""
    found = Buckets()
    for each in seconds:
        found.observe(each)

    assert sum(found.counts) == len(seconds)
    assert found.total == sum(seconds)
    for at, bound in enumerate(FAST):
        assert sum(found.counts[: at + 1]) == sum(each <= bound for each in seconds)


def test_every_kind_of_event_is_counted_from_nought():
    """A rate needs the series before the first event."""
    counters = Counters()
    counters.events["Quote"] += 1

    assert set(counters.events) == set(KINDS)
    assert Quote.__struct_config__.tag in KINDS
    assert sum(counters.events.values()) == 1


def test_a_collection_is_timed_from_its_begin_to_its_end():
    """By the stopwatch that was handed in, in the bucket of its generation; after `stop` nothing more."""
    counters = Counters()
    ticks = count(0, 3_000_000)
    watch = GcWatch(counters, lambda: next(ticks)).start()
    gc.collect(2)
    watch.stop()
    watch.stop()
    gc.collect(2)

    assert counters.gc_pauses["2"].total == 0.003
    assert sum(counters.gc_pauses["2"].counts) == 1


def test_a_collection_that_had_begun_before_is_left_out():
    """Half a pause is no pause."""
    counters = Counters()
    GcWatch(counters, lambda: 5)._note("stop", {"generation": 0})

    assert counters.gc_pauses["0"].total == 0
