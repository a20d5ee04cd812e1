"""The price around each trade: drawn from the worker's bars where there are any, with its marks inside the picture."""

import re
from decimal import Decimal

import pytest

from joed.daemon.history import History
from joed.model.values import MINUTE, Bar, Side
from joed.report.chart import POINTS_MAX, SPARK_POINTS, chart, spark, tracks_of
from joed.report.trades import Exit, Trade

AT = 1_790_000_040 * 10**9
D = Decimal


def trade(name="AAPL", *, closed=AT + 30 * MINUTE):
    """Give ten bought at 100 and sold at 101.25 by the target, half an hour later."""
    out = Exit("x2", "target", closed, D(10), D("101.25"))
    rest = {"held": D(0), "entry": 100.0, "exit": 101.25, "gained": D("12.50"), "fees": D(1), "kind": "target"}
    return Trade(name, name, "breakout", Side.BUY, "d", AT, closed, D(10), **rest, exits=(out,))


@pytest.fixture
def bars(tmp_path):
    """Give a worker's file with minutes of AAPL: from an hour before the entry to ten hours after."""
    path = tmp_path / "bars.db"
    history = History(path)
    begin = AT - AT % MINUTE - 60 * MINUTE
    history.add([Bar("AAPL", begin + n * MINUTE, *[100.0 + n / 100] * 4, 1.0) for n in range(660)])
    history.close()
    return path


def test_a_trade_is_shown_with_a_quarter_of_an_hour_around_it(bars):
    """Another name's is left out, and so is all where there is no file or one that is none."""
    (one,) = tracks_of(bars, [trade(), trade("MSFT")])

    assert len(one.minutes) in (60, 61)
    assert AT - 15 * MINUTE <= one.minutes[0][0] < one.minutes[-1][0] <= AT + 45 * MINUTE
    assert tracks_of(bars.with_name("none"), [trade()]) == []
    bars.with_name("odd").write_text("no base")
    assert tracks_of(bars.with_name("odd"), [trade()]) == []


def test_a_long_trade_is_thinned_to_a_bound(bars):
    """Nine hours in as many points as a screen can show."""
    (one,) = tracks_of(bars, [trade(closed=AT + 540 * MINUTE)])

    assert POINTS_MAX / 2 < len(one.minutes) <= POINTS_MAX
    assert len(spark(one).split()[0]) <= SPARK_POINTS


def test_the_picture_has_its_line_its_level_and_its_marks(bars):
    """All within its frame, with the words that a reader without eyes gets."""
    (one,) = tracks_of(bars, [trade()])
    drawn, words = chart(one), "AAPL buy 10 at 100.00, out at 101.25 by target: +12.50"

    assert drawn.count("<polyline") == drawn.count("<line") == 1
    assert re.findall(r"<title>(.*?)</title>", drawn) == ["in at 100.00", "out at 101.25"]
    assert all(0 <= float(x) <= 900 and 0 <= float(y) <= 160 for x, y in re.findall(r'cx="(.*?)" cy="(.*?)"', drawn))
    assert f'aria-label="{words}"' in drawn
    assert spark(one).endswith(words)
