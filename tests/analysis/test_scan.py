"""Which names pass the filters, and how the others are counted."""

import numpy as np
import pytest

from joed.analysis.indicators import NO_BARS
from joed.analysis.scan import ASIDE_MAX, ScanRules, Tape, flaw, refusal, scan, value_day
from joed.engine.schedule import plain
from joed.model.thinking import Scan
from joed.model.values import DAY

RULES = ScanRules(price_min=5.0, price_max=100.0, value_day_min=1_000_000.0, days_min=20, minutes_min=15)


def bars(count, price=10.0, volume=200_000.0):
    """Build bars of the days that end at day `count`, each with a range of a tenth."""
    bar = np.array([0.0, price, price + 0.05, price - 0.05, price, volume])
    found = np.tile(bar, (count, 1))
    found[:, 0] = np.arange(count) * DAY
    return found


def tape(daily=20, today=0, price=10.0, volume=200_000.0, instrument="A", **more):
    """Build a name that passes with its defaults."""
    return Tape(instrument, bars(daily, volume=volume), NO_BARS, bars(today, volume=volume / 390), price, **more)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (tape(), None),
        (tape(price=None), "price_unknown"),
        (tape(price=4.99), "price_out_of_range"),
        (tape(price=5.0), None),
        (tape(price=33.3), None),
        (tape(price=100.0), "atr_out_of_range"),
        (tape(price=100.01), "price_out_of_range"),
        (tape(daily=19, today=14), "history_short"),
        (tape(daily=19, today=15), None),
        (tape(volume=100_000.0), None),
        (tape(volume=99_999.0), "illiquid"),
        (tape(daily=0, today=15, volume=99_999.0), "illiquid"),
        (tape(volume=0.0), None),
        (tape(spread=0.005), None),
        (tape(spread=0.0051), "spread_wide"),
        (tape(dated="2026-11-30 earnings"), "dated"),
        (tape(price=33.4), "atr_out_of_range"),
    ],
)
def test_each_filter_has_its_reason_on_both_sides_of_its_limit(name, reason):
    """Price, history by days or by minutes, traded value; a volume that is not known is no reason."""
    assert refusal(name, RULES) == reason


def test_the_left_out_are_counted_by_reason_and_the_order_is_kept():
    """Two too cheap, one too short: the others come through as they stood."""
    names = [tape(instrument="C"), tape(price=1.0), tape(daily=0), tape(instrument="B"), tape(price=2.0)]

    found = scan(names, ScanRules(days_min=20, minutes_min=15, value_day_min=1_000_000.0, leap_max=10.0))

    assert [name.instrument for name in found.kept] == ["C", "B"]
    assert found.rejected == {"price_out_of_range": 2, "history_short": 1}
    assert found.aside == {}


def test_a_single_wild_day_does_not_make_a_name_liquid():
    """The traded value is the median of the days, not their mean."""
    name = tape(volume=1_000.0)
    name.daily[5, 5] = 1e12

    assert value_day(name, RULES) == 10_000.0


def broken(column, value, row=7):
    """Build a name with one wrong cell."""
    name = tape()
    name.daily[row, column] = value
    return name


def split(row, factor):
    """Build a name whose prices are divided from a day on."""
    name = tape(price=10.0 / factor)
    name.daily[row:, 1:5] /= factor
    return name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (tape(), ""),
        (broken(4, float("nan")), "1 of 20 day bars cannot be bars"),
        (broken(2, 1.0), "1 of 20 day bars cannot be bars"),
        (broken(5, -1.0), "1 of 20 day bars cannot be bars"),
        (broken(0, 6.0 * DAY), "day bars come twice or out of order"),
        (tape(price=float("nan")), "its price is nan"),
        (tape(price=0.0), "its price is 0"),
        (split(15, 2.0), "-50% overnight 5 days back: a split that is not in the bars?"),
        (split(15, 0.5), "+100% overnight 5 days back: a split that is not in the bars?"),
        (split(15, 1.39), ""),
        (tape(price=14.0), ""),
        (tape(price=14.1), "+41% since its last close: a split that is not in the bars?"),
        (tape(now_ns=25 * DAY), ""),
        (tape(now_ns=26 * DAY), "its newest day is 7 days old"),
        (tape(daily=0, today=20), ""),
    ],
)
def test_what_cannot_be_believed_is_said_in_words(name, words):
    """NaN, a high below the low, negative volume, a day twice, an old history, a split that nobody adjusted."""
    assert flaw(name, RULES) == words


def test_what_cannot_be_believed_is_set_aside_by_name_and_the_rest_goes_on():
    """One broken name costs itself alone; a broken feed is told of up to a bound, and counted whole."""
    found = scan([broken(4, float("nan")), tape(instrument="B")], RULES)
    flood = scan([tape(price=0.0, instrument=f"N{number}") for number in range(ASIDE_MAX + 5)], RULES)

    assert [name.instrument for name in found.kept] == ["B"]
    assert found.rejected == {"unbelievable": 1}
    assert found.aside == {"A": "1 of 20 day bars cannot be bars"}
    assert flood.rejected == {"unbelievable": ASIDE_MAX + 5}
    assert len(flood.aside) == ASIDE_MAX


def test_the_settings_are_the_rules():
    """Each filter that a person sets is one that the scan reads, with the same default."""
    shared = {name for name in Scan.__slots__ if not name.startswith("dates")}

    assert shared <= set(ScanRules.__struct_fields__)
    assert all(plain(getattr(Scan(), name)) == getattr(ScanRules(), name) for name in shared)


def test_five_hundred_real_names_are_scanned_and_the_splits_among_them_found(data_dir):
    """The 501 stocks as of mid-2023: nearly all pass as liquid; a split planted in one of them sets it aside."""
    import pyarrow.parquet as pq

    table = pq.read_table(data_dir / "daily" / "us_universe_500_daily_2018_2023.parquet")
    columns = [table[name].to_numpy().astype(np.float64) for name in ("open", "high", "low", "close", "volume")]
    days = table["date"].to_numpy().astype("datetime64[D]").astype(np.float64) * DAY
    symbols, rows = np.array(table["symbol"].to_pylist()), np.column_stack((days, *columns))
    tapes = []
    for symbol in np.unique(symbols):
        bars_of = rows[symbols == symbol][-300:]
        bars_of[:, 2] = bars_of[:, 1:5].max(axis=1)  # the file's float32 prices may differ in their last digit
        bars_of[:, 3] = bars_of[:, 1:5].min(axis=1)
        tapes.append(Tape(str(symbol), bars_of, NO_BARS, NO_BARS, float(bars_of[-1, 4])))
    tapes[0].daily[-10:, 1:5] /= 4.0
    found = scan(tapes, ScanRules(leap_max=0.40))

    assert tapes[0].instrument in found.aside
    assert len(found.kept) > 450
