"""A file of bars or quotes as a market."""

from collections import Counter
from decimal import Decimal
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from joed.data import Reading, read
from joed.data.checks import REASONS
from joed.data.marketfile import day_of, optional, tick_below, tick_of
from joed.data.walk import BIAS
from joed.model.events import Quote
from joed.model.settings import Instrument
from joed.model.values import DAY, MINUTE, SECOND

OPEN = 1_549_895_400 * SECOND  # Monday 2019-02-11, half past nine in New York
NOW = OPEN + 30 * DAY
HEADER = "ts,symbol,open,high,low,close,volume"
DIRT = {
    "bad_row": lambda row: row + ",7",
    "bad_time": lambda row: "soon" + row[row.index(",") :],
    "no_symbol": lambda row: row.replace("AAPL", "").replace("VIX", ""),
    "bad_number": lambda row: row.replace("100.5", "10O.5"),
    "nan": lambda row: row.replace("100.5", "NaN"),
    "negative": lambda row: row.replace("100.5", "-100.5"),
    "zero": lambda row: row.replace("99.5", "0"),
    "crossed": lambda row: row.replace("101.5", "98.5"),
    "future": lambda row: "2099-01-01T00:00:00Z" + row[row.index(",") :],
}


def rows_of(minutes=30, days=2):
    """Give clean rows of AAPL and VIX."""
    return [
        f"{OPEN // SECOND + day * 86_400 + minute * 60},{symbol},100.5,101.5,99.5,101,{volume}"
        for symbol, volume in (("AAPL", 400), ("VIX", 0))
        for day in range(days)
        for minute in range(minutes)
    ]


def written(tmp_path, rows, name="bars.csv"):
    """Write rows of bars."""
    path = tmp_path / name
    path.write_text("\n".join([HEADER, *rows, ""]), encoding="utf-8")
    return path


def test_a_clean_file_is_read_whole_and_played_in_order(tmp_path):
    """Four quotes a bar, stamped, bid under ask, VIX watched and the stock traded."""
    market = read(written(tmp_path, rows_of()), NOW)
    quotes = list(market.quotes())

    assert (market.tally.rows, market.tally.accepted, market.tally.rejected) == (120, 120, {})
    assert len(quotes) == market.tally.quotes == 480
    assert [at_ns for at_ns, _ in quotes] == sorted(at_ns for at_ns, _ in quotes)
    assert all(quote.received_ns == at_ns and quote.bid < quote.ask for at_ns, quote in quotes)
    assert quotes[0] == (OPEN, Quote("AAPL", 100.49, 100.52, 100.5, 100.0, OPEN, broker="paper"))
    assert quotes[1] == (OPEN, Quote("VIX", 100.49, 100.51, 100.5, None, OPEN, broker="paper"))
    assert {name: row.tradable for name, row in market.instruments.items()} == {"AAPL": True, "VIX": False}
    assert (market.days, market.interval_ns, market.bias) == (("2019-02-11", "2019-02-12"), MINUTE, BIAS["bars"])


@pytest.mark.parametrize("reason", sorted(DIRT))
def test_a_bad_row_is_counted_by_name_and_nothing_else_is_lost(tmp_path, reason):
    """All other rows give the quotes that they gave before."""
    clean = rows_of()
    dirty = [*clean[:40], DIRT[reason](clean[40]), *clean[41:]]
    before, after = read(written(tmp_path, clean), NOW), read(written(tmp_path, dirty), NOW)

    assert after.tally.rejected == {reason: 1}
    assert after.tally.rows == 120
    assert after.tally.accepted == 119
    lost = OPEN + DAY + 10 * MINUTE
    kept = list(before.quotes("2019-02-11"))
    assert list(after.quotes("2019-02-11")) == kept
    assert not [
        quote for at_ns, quote in after.quotes() if quote.instrument == "AAPL" and lost <= at_ns < lost + MINUTE
    ]
    assert len(list(after.quotes())) == after.tally.quotes == 476


def test_repeated_and_misplaced_rows_are_counted_by_name(tmp_path):
    """A row twice is one duplicate, a row in the wrong place is one unsorted."""
    rows = rows_of()
    market = read(written(tmp_path, [*rows[:9], rows[5], *rows[9:20], rows[50], *rows[20:50], *rows[51:]]), NOW)

    assert market.tally.rejected == {"duplicate": 1, "unsorted": 1}
    assert market.tally.rows == 121


def test_a_file_full_of_dirt_adds_up(tmp_path):
    """Rows read are rows accepted and rows rejected, by name; the same file gives the same answer."""
    chance = Random(11)
    rows, expected = [], Counter()
    for row in rows_of(minutes=300):
        reason = chance.choice([*DIRT, *[""] * 20])
        rows.append(DIRT[reason](row) if reason else row)
        expected[reason] += 1
    path = written(tmp_path, rows)
    market = read(path, NOW)

    assert market.tally.rejected == {reason: expected[reason] for reason in REASONS if expected[reason]}
    assert market.tally.rows == 1200 == market.tally.accepted + sum(market.tally.rejected.values())
    assert market.tally.accepted == expected[""]
    assert list(market.quotes()) == list(read(path, NOW).quotes())


def test_parquet_and_csv_of_the_same_rows_are_the_same_market(tmp_path):
    """The account and each quote."""
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    cells = list(zip(*(row.split(",") for row in rows_of()), strict=True))
    names = HEADER.split(",")
    table = {
        name: column if name == "symbol" else [float(cell) for cell in column]
        for name, column in zip(names, cells, strict=True)
    }
    table["ts"] = [int(at) for at in table["ts"]]
    path = tmp_path / "bars.parquet"
    pq.write_table(pa.table(table), path, row_group_size=50)
    theirs, ours = read(path, NOW), read(written(tmp_path, rows_of()), NOW)

    assert theirs.tally == ours.tally
    assert list(theirs.quotes()) == list(ours.quotes())
    assert theirs.instruments == ours.instruments


def test_a_day_is_played_by_itself(tmp_path):
    """The days' quotes are the file's, volume starts again, and a day that is not there has none."""
    market = read(written(tmp_path, rows_of()), NOW)
    first, second = list(market.quotes("2019-02-11")), list(market.quotes("2019-02-12"))

    assert first + second == list(market.quotes())
    assert next(row for _, row in second if row.instrument == "AAPL").volume == 100.0
    assert list(market.quotes("2019-02-13")) == []


def test_days_before_become_daily_bars(tmp_path):
    """Open of the first, highest, lowest, close of the last, all volume; the day itself is not known yet."""
    rows = [
        f"{OPEN // SECOND},AAPL,10,12,9,11,100",
        f"{OPEN // SECOND + 60},AAPL,11,14,10,13,50",
        f"{OPEN // SECOND + 86_400},AAPL,20,21,19,20,7",
    ]
    market = read(written(tmp_path, rows), NOW)

    assert market.daily_bars("2019-02-11") == {}
    assert market.daily_bars("2019-02-12")["AAPL"].tolist() == [[OPEN, 10, 14, 9, 13, 150]]
    assert market.daily_bars("2019-02-20")["AAPL"][1].tolist() == [OPEN + DAY, 20, 21, 19, 20, 7]


def test_quotes_are_read_as_quotes(tmp_path):
    """One a row, with sizes where they are; daily bars come from the middle, without a volume."""
    path = tmp_path / "EURUSD.csv"
    start = OPEN // SECOND
    path.write_text(
        f"ts,bid,ask,bid_size\n{start},1.3910,1.3912,5\n{start + 1},1.3913,1.3912,5\n{start + 2},1.39201,1.3922,5\n"
    )
    market = read(path, NOW)

    assert (market.shape, market.tally.rejected, market.tally.quotes) == ("quotes", {"crossed": 1}, 2)
    assert next(iter(market.quotes())) == (OPEN, Quote("EURUSD", 1.391, 1.3912, None, None, OPEN, 5.0, None, "paper"))
    assert market.instruments["EURUSD"].tick == Decimal("0.00001")
    assert market.daily_bars("2019-02-12")["EURUSD"][0, 1:] == pytest.approx([1.3911, 1.392105, 1.3911, 1.392105, 0])


def test_the_universe_says_what_no_file_can(tmp_path):
    """Tick, sector and broker of a known instrument are the universe's; what we call a level is not traded."""
    known = Instrument("AAPL", "ibkr", sector="technology", tick=Decimal("0.05"))
    reading = Reading(spread_bps=10.0, untradable=(), universe={"AAPL": known})
    market = read(written(tmp_path, rows_of()), NOW, reading)
    first = next(iter(market.quotes()))[1]

    assert market.instruments["AAPL"] is known
    assert market.instruments["VIX"].tradable
    assert (first.bid, first.ask, first.broker) == (100.45, 100.6, "ibkr")


def test_a_file_of_nothing_but_dirt_is_a_market_of_nothing(tmp_path):
    """It adds up, and plays no quote."""
    market = read(written(tmp_path, [DIRT["nan"](row) for row in rows_of(minutes=3, days=1)]), NOW)

    assert market.tally.rejected == {"nan": 6}
    assert (market.days, market.instruments, list(market.quotes())) == ((), {}, [])
    assert market.daily_bars("2019-02-12") == {}


def test_unknown_numbers_are_none_and_days_are_counted():
    """NaN never reaches a quote."""
    assert optional(np.array([1.5, np.nan])) == [1.5, None]
    assert day_of("1970-01-03") == 2


CELLS = st.one_of(st.text(max_size=6), st.sampled_from(["1549895400", "AAPL", "100.5", "99", "102", "-1", "nan", ","]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.lists(CELLS, min_size=6, max_size=8).map(",".join), max_size=8))
def test_whatever_a_line_holds_it_is_counted_and_the_rest_is_read(tmp_path, lines):
    """No text makes reading fail, and no good row is lost for it."""
    market = read(written(tmp_path, [*lines, *rows_of(minutes=1, days=1)]), NOW)

    assert market.tally.rows == market.tally.accepted + sum(market.tally.rejected.values()) >= 2
    assert {"AAPL", "VIX"} <= set(market.instruments)
    assert len(list(market.quotes())) == market.tally.quotes


@pytest.mark.parametrize(("price", "tick"), [(100.0, "0.01"), (1.0, "0.01"), (0.99, "0.0001"), (0.0042, "0.000001")])
def test_a_price_below_a_dollar_has_finer_ticks(price, tick):
    """As the exchanges have it, and finer yet for what costs next to nothing."""
    assert tick_below(price) == Decimal(tick)


@pytest.mark.parametrize(("prices", "tick"), [([86.655, 86.7], "0.001"), ([5.0, 7.0], "1"), ([0.1 + 0.2], "0.1")])
def test_quoted_prices_show_their_tick(prices, tick):
    """The fewest decimal places that write them all."""
    assert tick_of(np.array(prices)) == Decimal(tick)


def test_five_real_days_are_read_whole(data_dir):
    """24 symbols and VIX: every row accounted for, four quotes a bar, five sessions."""
    market = read(data_dir / "intraday" / "eqker_us_1min_2019.parquet", NOW)
    counted = Counter(quote.instrument for _, quote in market.quotes())

    assert (market.tally.rows, market.tally.accepted, market.tally.rejected) == (43_164, 43_164, {})
    assert counted.total() == market.tally.quotes == 172_656
    assert counted["VIX"] == 4 * 1923
    assert market.days == ("2019-02-11", "2019-02-12", "2019-02-13", "2019-02-14", "2019-02-15")
    assert [name for name, row in market.instruments.items() if not row.tradable] == ["VIX"]
    assert market.daily_bars("2019-02-15")["SPY"].shape == (4, 6)


def test_real_quotes_that_cross_are_counted(data_dir):
    """A month of GBPUSD has hundreds of bars that cannot be; the rest is played."""
    market = read(data_dir / "fx_cfd" / "nautilus_fxcm_gbpusd_1m_quotes_2012-02.parquet", NOW)

    assert market.shape == "bid and ask bars"
    assert list(market.tally.rejected) == ["crossed"]
    assert market.tally.rejected["crossed"] >= 347
    assert market.tally.rows == 30_117 == market.tally.accepted + market.tally.rejected["crossed"]
    assert sum(1 for _ in market.quotes()) == market.tally.quotes
