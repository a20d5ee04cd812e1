"""Each difference of two runs has its cause, or says that it has none."""

from tests.wired.compare import UNEXPLAINED, differences
from tests.wired.day import Intent, Run

ENTER = Intent("enter", "KO", "BUY", "10", ("60.00", "59.00", "62.00"))
OTHER = Intent("enter", "AAPL", "BUY", "5", ("170.00", "168.00", "175.00"))
MOVE = Intent("move stop", "KO", "", "", ("59.50",))
FURTHER = Intent("move stop", "KO", "", "", ("59.60",))


def test_equal_runs_differ_in_nothing():
    """Whenever it was: a run is what it wanted, in order."""
    assert differences(Run([(1, ENTER), (2, MOVE)], []), Run([(5, ENTER), (9, MOVE)], [])) == []


def test_two_things_of_one_moment_may_change_places():
    """And it is said by how much."""
    lines = differences(Run([(0, ENTER), (0, OTHER)], []), Run([(0, OTHER), (10**9, ENTER)], []))

    assert len(lines) == 2
    assert all("of two things of one moment another came first" in line for line in lines)


def test_another_fill_is_a_cause_and_what_follows_follows():
    """The prices of both runs are named."""
    expected = Run([(0, ENTER), (9, MOVE)], [(1, "KO", "entry", "60.00")])
    found = Run([(0, ENTER), (9, FURTHER)], [(1, "KO", "entry", "60.01")])

    assert differences(expected, found) == [
        "only in the backtest: move stop KO 59.50: KO had filled entry 60.00; there entry 60.01",
        "only over TCP:        move stop KO 59.60: KO had filled entry 60.01; there entry 60.00",
    ]
    later = Run([(0, ENTER), (5, FURTHER), (9, MOVE)], [])
    lines = differences(Run([(0, ENTER), (9, MOVE.__class__("move stop", "KO", "", "", ("59.70",)))], []), later)
    assert any("it follows from an earlier difference in KO" in line for line in lines)


def test_an_entry_that_the_other_run_refused_says_why():
    """A machine that was too slow for the speed makes a quote old; its own fill is no cause of an entry."""
    expected = Run([(0, ENTER)], [(0, "KO", "entry", "60.00")])
    found = Run([], [], ((10**9, "AAPL", "cash: no"), (10**9, "KO", "quote_stale: the quote is 5.2 s old")))

    [line] = differences(expected, found)
    assert line.startswith("only in the backtest: enter KO BUY 10 60.00 59.00 62.00: ")
    assert line.endswith(": it was refused there +1.00 s away: quote_stale: the quote is 5.2 s old")
    assert differences(expected, Run([], []))[0].endswith(UNEXPLAINED)


def test_an_entry_whose_trigger_came_later_in_the_other_run_says_by_how_much():
    """A worker on a busy machine answers behind the next quote: the next minute's answer makes another trade."""
    expected = Run([(9 * 10**9, ENTER)], [], (), ((10**9, "KO"),))
    late = Run([], [], (), ((61 * 10**9, "KO"),))

    [line] = differences(expected, late)
    assert line.endswith("the worker had made no Trigger of KO there yet: it came +52.00 s away")
    assert differences(expected, Run([], [], (), ((2 * 10**9, "KO"),)))[0].endswith(UNEXPLAINED)


def test_a_difference_without_a_cause_says_so():
    """It is what the comparison is for."""
    assert differences(Run([(0, ENTER)], []), Run([], [])) == [
        f"only in the backtest: enter KO BUY 10 60.00 59.00 62.00: {UNEXPLAINED}"
    ]
