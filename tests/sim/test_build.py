"""A build of joed is a set of rules, put in place and taken away whole."""

import pytest
from msgspec.structs import replace

from joed.engine.step import RULES
from joed.model.events import Quote as QuoteEvent
from joed.model.events import Tick
from joed.model.state import State
from joed.sim.build import POISON, newer_build, plain_rules, poisoned, set_rules
from tests.engine.build import quote


def test_the_newer_build_decides_more_and_goes_away_again():
    """An alert a minute, once."""
    before = dict(RULES)
    set_rules("2")
    assert (len(RULES[Tick]), len(RULES[QuoteEvent])) == (len(before[Tick]) + 1, len(before[QuoteEvent]) + 1)
    plain_rules()
    assert before == RULES

    commands = []
    newer_build(State(), 0, Tick(), commands)
    assert len(commands) == 1


@pytest.mark.parametrize(("volume", "error"), [(POISON, ValueError), (POISON - 1, MemoryError)])
def test_a_poison_raises_and_nothing_else_does(volume, error):
    """By its volume alone (F12, F83)."""
    poisoned(State(), 0, quote("AAPL", 1.0), [])

    with pytest.raises(error):
        poisoned(State(), 0, replace(quote("AAPL", 1.0), volume=volume), [])
