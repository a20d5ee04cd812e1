"""What a fault is drawn with comes from its own chance, within its bounds."""

from random import Random

import pytest

from joed.sim.draws import count, draw_one, nothing, number, one_for, seconds
from joed.sim.scenario import traits_of


def test_draws_keep_to_their_bounds():
    """A hundred times each."""
    traits = traits_of(1)
    for seed in range(100):
        chance = Random(seed)
        assert 2 <= number(seconds(2, 5)(chance, traits), "seconds") <= 5
        assert 1 <= number(count(3)(chance, traits), "count") <= 3
        assert one_for(1, 2)(chance, traits)["instrument"] in traits.instruments
        assert draw_one(chance, traits)["instrument"] in traits.instruments
        assert nothing(chance, traits) == {}


def test_words_are_no_number():
    """An argument is one or the other."""
    with pytest.raises(AssertionError):
        number({"what": "more"}, "what")
