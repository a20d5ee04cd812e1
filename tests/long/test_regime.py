"""The laws that the regime's thresholds, committed before they were measured, must keep over 28 years."""

import pytest

from joed.analysis.regime import BULL, DEFENSIVE
from tests.long.regime import SPANS, earned, flips_a_year, main, names_of, share, years


@pytest.fixture(scope="module")
def measured(data_dir):
    """Give the years and the regime of each day."""
    found = years(data_dir)
    return found, names_of(found)


def test_it_is_defensive_in_the_crises_and_not_in_a_calm_year(measured):
    """At least 60 % of 2008-09..2009-03, at most 10 % of 2017; most of 2008 and of March 2020."""
    _, names = measured

    assert share(names, DEFENSIVE, SPANS["2008-09..2009-03"]) >= 0.60
    assert share(names, DEFENSIVE, SPANS["2017"]) <= 0.10
    assert share(names, DEFENSIVE, SPANS["2008"]) > 0.5
    assert share(names, DEFENSIVE, SPANS["2020-03"]) > 0.5


def test_it_does_not_flutter(measured):
    """A person can follow it: once a month at most, and most days are a bull market's."""
    _, names = measured

    assert flips_a_year(names) <= 12
    assert share(names, BULL) > 0.5


def test_staying_out_of_defensive_days_falls_less_deep_than_holding_always(measured):
    """No claim of more profit: half the fall is what it is for."""
    held, regime = earned(*measured).values()

    assert abs(regime[1]) < 0.75 * abs(held[1])


def test_the_measurement_is_printed(data_dir, monkeypatch, capsys):
    """`make regime` tells share of days, turns, spans, and both results beside each other."""
    monkeypatch.setattr("tests.long.regime.DATA", data_dir)

    assert main() == 0
    said = capsys.readouterr().out
    assert "turns into and out of DEFENSIVE" in said
    assert "buy and hold" in said
