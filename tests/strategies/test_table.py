"""The table of strategies against the settings they are set by."""

from dataclasses import fields

from joed.model.settings import Strategies
from joed.strategies.table import STRATEGIES


def test_every_strategy_has_settings_of_its_name():
    """What can run can be set, and what can be set can run."""
    assert sorted(STRATEGIES) == sorted(field.name for field in fields(Strategies) if field.name != "own")
