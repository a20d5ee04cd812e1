"""What a regime comes to: how much of its size an entry has, and who looks for entries at all."""

import pytest

from joed.engine.stance import share, stance_of
from joed.engine.triggers import request_of
from joed.model.events import RegimeRead
from joed.model.settings import Breakout, Strategies
from joed.model.thinking import Regime
from tests.engine.build import D, quote, trading_state, trigger


@pytest.mark.parametrize(
    ("name", "expected"), [("bull", "1"), ("neutral", "0.75"), ("defensive", "0.5"), ("of tomorrow", "1")]
)
def test_each_regime_has_its_share_of_an_entrys_size(name, expected):
    """A name that the settings do not know changes nothing: it is the strategies that know it."""
    state = trading_state()
    state.regime = RegimeRead(name, 0.0)

    assert share(state) == D(expected)


def test_where_none_was_judged_an_entry_is_whole():
    """Nothing is entered before a regime is judged, but by a person's hand."""
    assert share(trading_state()) == 1


def test_an_entry_is_sized_by_the_regimes_share():
    """Half the risk buys half the shares, in whole lots."""
    state = trading_state(regime=Regime(risk_neutral=D("0.5")))
    whole = request_of(state, trigger(), quote("AAPL", 199.9, 200.0)).quantity
    state.regime = RegimeRead("neutral", 0.5)

    assert request_of(state, trigger(), quote("AAPL", 199.9, 200.0)).quantity == whole // 2


def test_it_tells_who_is_active_and_who_rests_and_not_of_who_is_off():
    """By each strategy's own regimes."""
    state = trading_state(strategies=Strategies(breakout=Breakout(regimes=("bull",))))
    state.regime = RegimeRead("bull", 1.0)
    bull = stance_of(state)
    state.regime = RegimeRead("defensive", -1.0)

    assert "breakout" in bull.active
    assert "breakout" in stance_of(state).resting
