"""From accepted rows to quotes."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from joed.data.columns import EXTRAS, SHAPES, Columns
from joed.data.walk import BIAS, around, grain_of, rows_of, walked
from joed.model.settings import Instrument
from joed.model.values import DAY, MINUTE, SECOND

OPEN = 1_549_895_400 * SECOND
GRAIN = grain_of(("A", "B", "VIX"), {"A": Instrument("A"), "VIX": Instrument("VIX", tradable=False)})


def columns(rows, shape="bars"):
    """Make columns of rows: (place among the symbols, time, values in the order of the shape's names)."""
    names = [*SHAPES[shape], *EXTRAS[shape]][: len(rows[0][2])]
    whose, at_ns, values = zip(*rows, strict=True)
    fields = {name: np.array(column) for name, column in zip(names, zip(*values, strict=True), strict=True)}
    nothing = np.zeros(len(rows), dtype=np.bool_)
    return Columns(shape, ("A", "B", "VIX"), np.array(whose), np.array(at_ns), fields, nothing, nothing)


def walk(rows, shape="bars", spread_bps=0.0, interval_ns=MINUTE):
    """Walk all rows."""
    made = columns(rows, shape)
    return walked(shape, rows_of(made, np.arange(len(rows))), interval_ns, GRAIN, spread_bps)


def test_a_rising_bar_is_walked_low_first_and_a_falling_one_high_first():
    """Open, low, high, close, or open, high, low, close, a quarter of a minute apart; a bar that ends level rises."""
    rising, falling, level = (10.0, 12.0, 9.0, 11.0), (11.0, 12.0, 9.0, 10.0), (10.0, 12.0, 9.0, 10.0)

    assert walk([(0, OPEN, rising)]).last.tolist() == [10, 9, 12, 11]
    assert walk([(0, OPEN, falling)]).last.tolist() == [11, 12, 9, 10]
    assert walk([(0, OPEN, level)]).last.tolist() == [10, 9, 12, 10]
    assert walk([(0, OPEN, rising)]).at_ns.tolist() == [OPEN + at * SECOND for at in (0, 15, 30, 45)]


def test_a_longer_bar_is_walked_in_quarters_of_its_own():
    """A quarter of an hour has its four points within it."""
    assert np.diff(walk([(0, OPEN, (1.0,) * 4)], interval_ns=15 * MINUTE).at_ns).tolist() == [225 * SECOND] * 3


def test_quotes_of_one_time_come_in_order_of_symbol():
    """The order in which the file has them decides nothing."""
    made = walk([(1, OPEN, (5.0,) * 4), (0, OPEN + MINUTE, (5.0,) * 4), (0, OPEN, (5.0,) * 4)])

    assert made.whose.tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0]
    assert np.all(np.diff(made.at_ns) >= 0)


def test_volume_comes_in_four_parts_and_runs_through_the_day():
    """Each symbol has its total, each day starts again, and no share is lost."""
    rows = [
        (0, OPEN, (5.0, 5.0, 5.0, 5.0, 10.0)),
        (0, OPEN + MINUTE, (5.0, 5.0, 5.0, 5.0, 4.0)),
        (0, OPEN + DAY, (5.0, 5.0, 5.0, 5.0, 8.0)),
        (1, OPEN, (5.0, 5.0, 5.0, 5.0, 100.0)),
        (2, OPEN, (5.0, 5.0, 5.0, 5.0, 0.0)),
    ]
    made = walk(rows)

    assert made.volume[made.whose == 0].tolist() == [2, 5, 7, 10, 11, 12, 13, 14, 2, 4, 6, 8]
    assert made.volume[made.whose == 1].tolist() == [25, 50, 75, 100]
    assert np.isnan(made.volume[made.whose == 2]).all()
    assert np.isnan(walk([(0, OPEN, (5.0,) * 4)]).volume).all()


@pytest.mark.parametrize(
    ("price", "spread_bps", "bid", "ask"),
    [
        (100.00, 0.0, 100.00, 100.01),
        (100.00, 1.0, 100.00, 100.01),
        (100.00, 2.0, 99.99, 100.01),
        (100.005, 0.9, 100.00, 100.01),
        (170.6755, 2.0, 170.66, 170.70),
        (0.004, 2.0, 0.01, 0.02),
    ],
)
def test_the_spread_is_at_least_a_tick_on_whole_ticks(price, spread_bps, bid, ask):
    """The model's spread is rounded up to ticks, and lies about the price."""
    low, high = around(np.array([price]), np.array([0]), GRAIN, spread_bps)

    assert (low.tolist(), high.tolist()) == ([bid], [ask])


@given(st.floats(0.02, 5000.0), st.floats(0.0, 50.0), st.sampled_from(["0.01", "0.05", "0.0001", "0.25", "1"]))
def test_the_spread_holds_the_price_within_half_a_tick(price, spread_bps, tick):
    """Never crossed, never locked, never narrower than asked, on the instrument's own ticks."""
    grain = grain_of(("A",), {"A": Instrument("A", tick=Decimal(tick))})
    low, high = around(np.array([price]), np.array([0]), grain, spread_bps)
    step = float(tick)

    assert 0 < low[0] < high[0]
    assert high[0] - low[0] >= price * spread_bps / 10_000 - step * 1e-5
    assert abs(low[0] / step - round(low[0] / step)) < 1e-6
    if low[0] > step:
        assert low[0] - step / 2 - 1e-9 <= price <= high[0] + 1e-9


def test_a_level_lies_in_the_middle_of_its_quote():
    """VIX is no price: a cent either side, whatever the spread of what trades."""
    low, high = around(np.array([15.87]), np.array([2]), GRAIN, 50.0)

    assert (low.tolist(), high.tolist()) == ([15.86], [15.88])


def test_bars_of_both_sides_are_walked_together():
    """Bid and ask take the same turn, by the middle; last price and volume are unknown."""
    made = walk([(0, OPEN, (1.0, 1.4, 0.9, 1.3, 1.1, 1.5, 1.0, 1.4))], "bid and ask bars")

    assert made.bid.tolist() == [1.0, 0.9, 1.4, 1.3]
    assert made.ask.tolist() == [1.1, 1.0, 1.5, 1.4]
    assert np.isnan(made.last).all()
    assert np.isnan(made.volume).all()


def test_quotes_are_played_as_they_are():
    """One row, one quote, with what it knows."""
    made = walk([(0, OPEN, (1.0, 1.1, 1.05, 500.0)), (1, OPEN - 1, (2.0, 2.1, 2.05, 7.0))], "quotes")

    assert made.whose.tolist() == [1, 0]
    assert (made.bid.tolist(), made.ask.tolist(), made.last.tolist()) == ([2.0, 1.0], [2.1, 1.1], [2.05, 1.05])
    assert made.volume.tolist() == [7.0, 500.0]
    assert np.isnan(made.bid_size).all()


def test_a_day_is_the_date_in_new_york():
    """Eight in the evening there belongs to the same day as the morning, in winter and in summer."""
    winter, summer = (np.datetime64(f"2019-{month}T00:30", "ns").astype(np.int64) for month in ("02-12", "07-12"))
    made = rows_of(columns([(0, int(at), (1.0,) * 4) for at in (winter, summer)]), np.arange(2))

    assert (made.day.astype("datetime64[D]").astype(str)).tolist() == ["2019-02-11", "2019-07-11"]


def test_every_shape_states_its_bias():
    """No report is without it."""
    assert set(BIAS) == set(SHAPES)
    assert all(len(words) > 80 for words in BIAS.values())
