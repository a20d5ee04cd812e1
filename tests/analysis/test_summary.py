"""The day in words: every figure as given, and the unknown called unknown."""

import msgspec

from joed.analysis.summary import DayFigures, write

DAY = DayFigures(
    session="2026-11-20",
    currency="USD",
    mode="paper",
    equity_start=100_000.0,
    equity=100_250.5,
    realised=300.25,
    unrealised=-20.0,
    fees=29.75,
    trades=5,
    wins=3,
    losses=1,
    orders=15,
    fills=11,
    refusals={"spread": 1, "collar": 4, "age": 1},
    positions={"MSFT": "3", "AAPL": "10"},
    regime="bull",
    regime_parts=("trend: up", "fear: low"),
    blocks=("VIX jumped",),
    figures={
        "hit_rate_today": 0.75,
        "sharpe_daily_252": None,
        "strategy.breakout.trades": 4.0,
        "strategy.breakout.gained": 1300.25,
        "strategy.breakout.hit_rate": 0.75,
        "strategy.breakout.slippage_mean": 0.00021,
        "regime.bull.trades": 0.0,
        "regime.bull.gained": -3.0,
        "regime.bull.slippage_mean": None,
    },
)

TEXT = """\
Session 2026-11-20 (paper): up 250.50 USD (+0.25%), equity 100,250.50 USD.
Realised 300.25 USD, unrealised -20.00 USD, fees 29.75 USD.
5 trades, 3 won, 1 lost; 15 orders, 11 fills.
Regime: bull. trend: up; fear: low.
By strategy and regime: bull 0 trades, -3.00 USD; breakout 4 trades, +1,300.25 USD, slippage +0.021%.
Refused: collar 4, age 1, spread 1.
Held: AAPL 10, MSFT 3.
Blocks: VIX jumped.
Figures: hit_rate_today 0.75; 1 unknown."""


def test_the_same_figures_read_the_same_to_the_byte():
    """The template is fixed: sorted where a dict has no order that means something."""
    assert write(DAY) == TEXT
    assert write(msgspec.structs.replace(DAY, positions=dict(reversed(DAY.positions.items())))) == TEXT


def test_a_loss_is_down_and_a_day_without_change_says_so():
    """The sign is in the word and in the percentage."""
    assert "down 100.00 USD (-0.10%)" in write(msgspec.structs.replace(DAY, equity=99_900.0))
    assert "unchanged, 0.00 USD (+0.00%)" in write(msgspec.structs.replace(DAY, equity=100_000.0))


def test_what_is_missing_is_called_unknown():
    """No equity, no regime, nothing held: words, never a zero that was not measured."""
    text = write(
        msgspec.structs.replace(
            DAY,
            equity=None,
            unrealised=None,
            regime="",
            regime_parts=(),
            refusals={},
            positions={},
            blocks=(),
            figures={},
        )
    )

    assert "the result is unknown" in text
    assert "unrealised unknown" in text
    assert "Regime: not judged. no votes." in text
    assert "Refused: nothing.\nHeld: nothing.\nBlocks: none.\nFigures: none." in text
