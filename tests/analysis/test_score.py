"""How names are scored, what is withheld, and that a score explains itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from joed.analysis.indicators import NO_BARS
from joed.analysis.scan import Tape
from joed.analysis.score import ScoreRules, look_of, momentum, proximity, ranked, score, strength, trend, volume
from joed.model.events import Candidate
from joed.model.values import DAY, MINUTE

RULES = ScoreRules()


def bars(closes, step=DAY, amount=390_000.0):
    """Build bars with a range of one percent on each side."""
    closes = np.asarray(closes, np.float64)
    times = np.arange(len(closes)) * float(step)
    return np.column_stack((times, closes, closes * 1.01, closes * 0.99, closes, np.full(len(closes), amount)))


def walk(drift, count=20, start=100.0):
    """Give closes that go up and down by one percent, with a drift."""
    return start * np.cumprod(1.0 + drift + 0.01 * (-1.0) ** np.arange(count))


def daily(drift, instrument="A", price=None, today=NO_BARS):
    """Build a name with twenty days behind it."""
    closes = walk(drift)
    return Tape(instrument, bars(closes), NO_BARS, today, float(closes[-1]) if price is None else price)


def test_a_rising_name_scores_above_a_flat_and_a_falling_one():
    """Drift is what all the parts look for."""
    scores = [score(daily(drift), look_of(daily(0.0, "SPY"), RULES), RULES).score for drift in (0.01, 0.0, -0.01)]

    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 70
    assert scores[2] < 50


def test_every_part_gives_its_reason_and_the_withheld_say_so():
    """Five parts, five reasons; before the open there is no volume to compare, and twenty days tell no trend."""
    candidate = score(daily(0.01), look_of(daily(0.0, "SPY"), RULES), RULES)

    names = ["momentum", "trend", "proximity", "strength", "volume"]
    assert [reason.partition(":")[0] for reason in candidate.reasons] == names
    assert candidate.reasons[1] == "trend: withheld, 20 days of 50"
    assert candidate.reasons[4] == "volume: withheld, no volume to compare"
    assert candidate.atr == pytest.approx(2.5, rel=0.3)


def test_a_withheld_part_is_in_neither_sum():
    """With momentum alone the score is momentum's points."""
    rules = ScoreRules(proximity=0.0, volume=0.0)

    alone = score(daily(0.002), None, rules)

    assert alone.score == pytest.approx(momentum(look_of(daily(0.002), rules), None, rules).points, abs=0.01)


def test_nothing_known_scores_nothing():
    """A name without history has no points, and each part says why."""
    candidate = score(Tape("A", NO_BARS, NO_BARS, NO_BARS, 10.0), None, RULES)

    assert candidate.score == 0.0
    assert candidate.atr is None
    assert all("withheld" in reason for reason in candidate.reasons)


def test_short_daily_history_falls_back_to_minutes():
    """Nineteen days are too few: the minutes of earlier days and of today serve, and the reason names them."""
    earlier, today = bars(walk(0.001, 10), MINUTE), bars(walk(0.001, 5, 101.0), MINUTE)
    name = Tape("A", bars(walk(0.0, 19)), earlier, today, 102.0)
    index = Tape("SPY", NO_BARS, earlier, today, 101.0)

    assert momentum(look_of(name, RULES), None, RULES).words.split(" in ")[1].startswith("15 minutes")
    assert "in minutes" in strength(look_of(name, RULES), look_of(index, RULES), RULES).words
    assert momentum(look_of(Tape("A", NO_BARS, earlier[:5], today[:4], 102.0), RULES), None, RULES).points is None


def test_strength_is_withheld_without_a_common_history():
    """No index, the index itself, or days against minutes: nothing is compared."""
    minutes = Tape("SPY", NO_BARS, NO_BARS, bars(walk(0.0), MINUTE), 100.0)

    for index in (None, daily(0.0, "A"), minutes):
        assert strength(look_of(daily(0.01), RULES), index and look_of(index, RULES), RULES).points is None
    assert strength(look_of(daily(0.01), RULES), look_of(daily(0.01, "SPY"), RULES), RULES).points == 50.0


def test_proximity_is_full_at_the_high_and_falls_with_the_distance():
    """At today's high it is 100; far below, 0; and the high of today counts as well as that of the days."""
    at_high = daily(0.0, price=110.0, today=bars([109.0], MINUTE))
    high_today = Tape("A", at_high.daily, NO_BARS, bars([130.0], MINUTE), 110.0)

    assert proximity(look_of(at_high, RULES), None, RULES).points == pytest.approx(98.0, abs=3.0)
    assert proximity(look_of(high_today, RULES), None, RULES).points == 0.0


def test_volume_is_measured_a_minute():
    """The days' mean over 390 minutes is the usual; as usual is 50 points, twice as much or more 100."""
    for amount, points in ((500.0, 25.0), (1000.0, 50.0), (2000.0, 100.0), (9000.0, 100.0)):
        name = daily(0.0, today=bars([100.0, 100.0], MINUTE, amount))
        assert volume(look_of(name, RULES), None, RULES).points == pytest.approx(points)


def test_a_price_that_never_moved_is_no_momentum():
    """Nothing over nothing is withheld, not fifty points."""
    still = Tape("A", bars(np.full(20, 50.0)), NO_BARS, NO_BARS, 50.0)

    assert momentum(look_of(still, RULES), None, RULES).points is None
    assert proximity(look_of(still, RULES), None, RULES).points is None


def test_the_best_come_first_and_equals_by_name():
    """The order never depends on the order in which they came."""
    names = [Candidate("C", 5.0), Candidate("A", 5.0), Candidate("B", 9.0)]

    assert [candidate.instrument for candidate in ranked(names, 2)] == ["B", "A"]
    assert ranked(names, 2) == ranked(names[::-1], 2)


@given(st.lists(st.floats(1.0, 1000.0), min_size=20, max_size=40), st.floats(1.0, 1000.0))
def test_a_score_lies_between_nothing_and_a_hundred(closes, price):
    """Whatever the prices, and it is never NaN."""
    candidate = score(Tape("A", bars(closes), NO_BARS, NO_BARS, price), look_of(daily(0.0, "SPY"), RULES), RULES)

    assert 0.0 <= candidate.score <= 100.0


def test_the_trend_is_the_distance_from_the_mean_in_average_ranges():
    """At the mean fifty points, two ranges above all of them, two below none; fifty days it takes."""
    closes = np.full(60, 100.0)
    name = bars(closes)  # a range of two a day

    found = [
        trend(look_of(Tape("A", name, NO_BARS, NO_BARS, price), RULES), None, RULES).points
        for price in (96.0, 100.0, 104.0)
    ]

    assert found == pytest.approx([0.0, 50.0, 100.0])
    assert trend(look_of(Tape("A", name[:49], NO_BARS, NO_BARS, 100.0), RULES), None, RULES).points is None


def test_a_sector_has_its_cap_and_a_name_without_one_is_never_too_many():
    """The best two of one sector, then the next best of others, still best first."""
    names = [Candidate(name, score) for name, score in zip("ABCDEF", (90.0, 80.0, 70.0, 60.0, 50.0, 40.0), strict=True)]
    sectors = dict.fromkeys("ABCD", "energy")

    assert [row.instrument for row in ranked(names, 4, sectors, 2)] == ["A", "B", "E", "F"]
    assert [row.instrument for row in ranked(names, 4, {}, 1)] == ["A", "B", "C", "D"]
    assert [row.instrument for row in ranked(names, 4, sectors, 0)] == ["A", "B", "C", "D"]
