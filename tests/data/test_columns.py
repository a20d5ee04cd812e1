"""What a file holds, as columns."""

import datetime as dt
import sys

import numpy as np
import pytest

from joed.data.cells import NO_TIME
from joed.data.columns import columns_of, header_of
from joed.errors import ConfigError

AT = 1_549_895_400 * 10**9


def csv(tmp_path, text, name="bars.csv"):
    """Write a CSV file."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def parquet(tmp_path, table, name="bars.parquet", **types):
    """Write a Parquet file."""
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / name
    pq.write_table(pa.table({key: pa.array(values, type=types.get(key)) for key, values in table.items()}), path)
    return path


@pytest.mark.parametrize(
    "header",
    [
        "ts,symbol,open,high,low,close,volume",
        "Timestamp,Ticker,Open,High,Low,Close,Volume",
        "<DATE>,<TICKER>,<O>,<H>,<L>,<C>,<VOL>",
        "datetime;instrument;open;high;low;close;vol",
        '"time"\t"sym"\t"o"\t"h"\t"l"\t"c"\t"v"',
        "\ufeffDate Time,symbol,open,high,low,close,volume",
    ],
)
def test_bars_are_known_by_any_usual_header(tmp_path, header):
    """Names, case, quotes, delimiters and a byte order mark make no difference."""
    delimiter = max(",;\t", key=header.count)
    row = delimiter.join(["2019-02-11 14:30:00", "AAPL", "10", "12", "9", "11", "500"])

    columns = columns_of(csv(tmp_path, f"{header}\n{row}\n"))

    assert (columns.shape, columns.symbols, columns.at_ns.tolist()) == ("bars", ("AAPL",), [AT])
    assert {name: values.tolist() for name, values in columns.fields.items()} == {
        "open": [10.0],
        "high": [12.0],
        "low": [9.0],
        "close": [11.0],
        "volume": [500.0],
    }


def test_quotes_and_bars_of_both_sides_are_known_by_their_columns(tmp_path):
    """Bid and ask make quotes; bid_open … ask_close make bars of both."""
    quotes = columns_of(csv(tmp_path, "ts,symbol,bid,ask,last\n1549895400,A,1,2,1.5\n"))
    names = [f"{side}_{price}" for side in ("bid", "ask") for price in ("open", "high", "low", "close")]
    bars = columns_of(csv(tmp_path, f"ts,symbol,{','.join(names)}\n1549895400,A,1,1,1,1,2,2,2,2\n"))

    assert (quotes.shape, list(quotes.fields)) == ("quotes", ["bid", "ask", "last"])
    assert (bars.shape, list(bars.fields)) == ("bid and ask bars", names)


def test_date_and_time_of_day_may_stand_in_two_columns(tmp_path):
    """They are read as one moment."""
    columns = columns_of(csv(tmp_path, "date,time,symbol,bid,ask\n2019-02-11,14:30:00,A,1,2\n"))

    assert columns.at_ns.tolist() == [AT]


def test_rows_without_a_symbol_column_belong_to_the_file_or_to_whom_we_say(tmp_path):
    """The file's name serves where nothing else does."""
    path = csv(tmp_path, "ts,bid,ask\n1549895400,1,2\n", "EURUSD.csv")

    assert columns_of(path).symbols == ("EURUSD",)
    assert columns_of(path, "GBPUSD").symbols == ("GBPUSD",)


def test_a_ragged_line_and_a_stray_quote_cost_their_own_row_only(tmp_path):
    """Blank lines are no rows; every other line is one, with what it lacks marked."""
    text = (
        'ts,symbol,bid,ask\n1549895400,A,1,2\n1549895401,A,1\n\n1549895402,A,"1,2\n1549895403,A,1,2,3\n1549895404,,x,2'
    )

    columns = columns_of(csv(tmp_path, text))

    assert columns.ragged.tolist() == [False, True, False, True, False]
    assert columns.unreadable.tolist() == [False, False, False, False, True]
    assert columns.whose.tolist() == [0, -1, 0, -1, -1]
    assert columns.at_ns.tolist() == [AT, NO_TIME, AT + 2 * 10**9, NO_TIME, AT + 4 * 10**9]
    assert columns.fields["bid"][2] == 1.0


def test_a_file_of_many_pieces_is_one(tmp_path, monkeypatch):
    """Symbols that first come in a later piece keep their place."""
    monkeypatch.setattr("joed.data.columns.CHUNK_ROWS", 2)
    rows = "".join(f"{1549895400 + at},{name},1,2\n" for at, name in enumerate("CABBA"))

    columns = columns_of(csv(tmp_path, "ts,symbol,bid,ask\n" + rows))

    assert columns.symbols == ("A", "B", "C")
    assert columns.whose.tolist() == [2, 0, 1, 1, 0]
    assert columns.at_ns.tolist() == [AT + at * 10**9 for at in range(5)]


def test_a_parquet_file_gives_the_same_columns_as_csv(tmp_path):
    """Types of its own change nothing: zoned times, whole numbers, missing cells."""
    zone = dt.UTC
    table = {
        "ts": [dt.datetime(2019, 2, 11, 14, 30, tzinfo=zone), None, dt.datetime(2019, 2, 11, 14, 31, tzinfo=zone)],
        "symbol": ["AAPL", "MSFT", None],
        **{name: [10.0, None, 11.0] for name in ("open", "high", "low", "close")},
        "volume": [5, 6, 7],
    }
    text = (
        "ts,symbol,open,high,low,close,volume\n1549895400,AAPL,10,10,10,10,5\n,MSFT,,,,,6\n1549895460,,11,11,11,11,7\n"
    )

    ours, theirs = columns_of(csv(tmp_path, text)), columns_of(parquet(tmp_path, table))

    assert ours.symbols == theirs.symbols
    for field in ("whose", "at_ns", "unreadable", "ragged"):
        assert np.array_equal(getattr(ours, field), getattr(theirs, field))
    for name, values in ours.fields.items():
        assert np.array_equal(values, theirs.fields[name], equal_nan=True)


@pytest.mark.parametrize("kind", ["s", "ms", "us", "ns"])
def test_parquet_times_are_read_in_every_unit(tmp_path, kind):
    """A year that nanoseconds cannot reach does not wrap round."""
    pa = pytest.importorskip("pyarrow")
    per_s = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[kind]
    stamps = [1_549_895_400 * per_s, None, 2**53 if kind == "s" else 2**62]  # written as milliseconds
    path = parquet(tmp_path, {"ts": stamps, "bid": [1.0] * 3, "ask": [2.0] * 3}, ts=pa.timestamp(kind))

    at_ns = columns_of(path).at_ns.tolist()

    assert at_ns[:2] == [AT, NO_TIME]
    assert at_ns[2] > 4 * 10**18


def test_parquet_dates_text_and_four_byte_floats_are_read(tmp_path):
    """A date is its midnight; 170.12 in four bytes is 170.12, not 170.11999511."""
    pa = pytest.importorskip("pyarrow")
    table = {"date": [dt.date(2019, 2, 11)], "symbol": ["A"], "bid": ["1.5"], "ask": [170.12]}

    columns = columns_of(parquet(tmp_path, table, ask=pa.float32()))

    assert columns.at_ns.tolist() == [1_549_843_200 * 10**9]
    assert (columns.fields["bid"].tolist(), columns.fields["ask"].tolist()) == ([1.5], [170.12])


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    """The extra is named, and the file."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = csv(tmp_path, "", "x.parquet")

    with pytest.raises(ConfigError, match=r"x\.parquet is Parquet.*pip install joed\[data\]"):
        columns_of(path)


def test_a_file_that_cannot_be_read_as_a_whole_is_an_error_that_names_it(tmp_path):
    """Missing, empty, broken, or of columns that we do not know: never a market of nothing."""
    pytest.importorskip("pyarrow")
    cases = {
        "no such file": tmp_path / "absent.csv",
        "holds no rows": csv(tmp_path, "ts,bid,ask\n"),
        "needs a time": csv(tmp_path, "when,bid,ask\n1,2,3\n", "odd.csv"),
        "found ts, open, close": csv(tmp_path, "ts,open,close\n1,2,3\n", "part.csv"),
        "cannot be read as Parquet": csv(tmp_path, "PAR1 nothing", "torn.parquet"),
    }
    for words, path in cases.items():
        with pytest.raises(ConfigError, match=words) as caught:
            columns_of(path)
        assert path.name in str(caught.value)


def test_a_file_beyond_the_bound_is_refused(tmp_path, monkeypatch):
    """Memory has an end."""
    monkeypatch.setattr("joed.data.columns.ROWS_MAX", 1)

    with pytest.raises(ConfigError, match="more than 1 rows"):
        columns_of(csv(tmp_path, "ts,bid,ask\n1,2,3\n2,2,3\n"))


def test_a_column_named_twice_counts_once(tmp_path):
    """The first of two names for one thing is meant."""
    header = header_of(["ts", "time", "price", "last", "bid", "ask"], tmp_path)

    assert (header.time, header.symbol, header.fields["last"]) == (("ts",), None, "price")
