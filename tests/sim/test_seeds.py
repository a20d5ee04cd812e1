"""Seeds from the command line, many worlds, one line that sums up."""

import pytest

from joed.sim.seeds import BadSeeds, Outcome, failure, last_line, play_all, read_seeds, sum_up


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("3", [1, 2, 3]), ("7-9", [7, 8, 9]), ("4,9-10,2", [4, 9, 10, 2]), ("5-5", [5]), ("8,", [8])],
)
def test_seeds_are_a_number_a_range_or_a_list(text, seeds):
    """N is 1 to N; FROM-TO has both ends; in a list N is the seed N."""
    assert read_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "0", "-3", "x", "9-7", "1-9999999", "1,,x"])
def test_what_are_no_seeds_is_refused_with_what_was_found(text):
    """Nothing is guessed."""
    with pytest.raises(BadSeeds, match=r"^seeds are"):
        read_seeds(text)


def outcomes():
    """Give three outcomes, the second broken."""
    return [
        Outcome(1, at_s=90.0, events=10, counts={"fills": 2, "exits by stop": 1, "fault cut": 1}, checks={"a": 3}),
        Outcome(
            2, "always protected", "AAA", at_s=30.0, scenario=("+ 10.0 s  cut",), faults=7, checks={"a": 1, "b": 1}
        ),
        Outcome(3, at_s=60.0, events=5, counts={"fills": 1, "power cuts": 2}, repeated=True),
    ]


def test_outcomes_add_up_and_a_broken_law_is_told_at_once():
    """Counts are sums, minutes are simulated ones; each broken law is told when it comes."""
    told = []

    found = sum_up(outcomes(), told.append)

    assert (found.seeds, found.minutes, found.events, found.repeated, found.checks) == (3, 3, 15, 1, 5)
    assert found.counts["fills"] == 3
    assert [outcome.seed for outcome in told] == [2] == [outcome.seed for outcome in found.broken]


def test_the_last_line_says_it_all():
    """One line: seeds, minutes, events, fills, exits, lives, cuts, faults, laws, broken."""
    line = last_line(sum_up(outcomes(), lambda outcome: None))

    assert "\n" not in line
    words = ("3 seeds", "3 simulated minutes", "15 events", "3 fills", "1 stop", "2 power cuts", "cut 1", "broken 1")
    assert [said for said in words if said not in line] == []


def test_a_failure_names_seed_law_time_and_the_short_scenario():
    """A person needs no more to look for it."""
    text = failure(outcomes()[1])

    assert text.splitlines()[0] == "seed 2: always protected, at +30.000 s: AAA"
    assert "1 of its 7 faults are enough" in text
    assert "joed --simulate 2-2" in text


def half(seed):
    """Play nothing."""
    return Outcome(seed, events=seed * 10)


def test_outcomes_come_in_the_order_of_the_seeds():
    """However the processes share them."""
    assert [outcome.events for outcome in play_all([5, 1, 3], half)] == [50, 10, 30]
