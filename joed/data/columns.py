"""What a file of bars or quotes holds, as columns: CSV by our own reader, Parquet by pyarrow where it is installed."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from joed.data.cells import NO_TIME, Flags, Floats, Ints, numbers, times
from joed.errors import ConfigError

CHUNK_ROWS = 50_000
ROWS_MAX = 20_000_000
PRICES = ("open", "high", "low", "close")
SHAPES: dict[str, tuple[str, ...]] = {
    "bid and ask bars": tuple(f"{side}_{price}" for side in ("bid", "ask") for price in PRICES),
    "bars": PRICES,
    "quotes": ("bid", "ask"),
}
"""What a row may be, and the columns that make it so; the first that fits."""
EXTRAS = {
    "bid and ask bars": (),
    "bars": ("volume",),
    "quotes": ("last", "volume", "bid_size", "ask_size"),
}
"""Columns that a shape uses where they are there."""
TIMES = ("ts", "timestamp", "datetime", "date_time", "time", "date", "t")
SYMBOLS = ("symbol", "ticker", "instrument", "sym", "asset")
SYNONYMS = (
    {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume", "vol": "volume"}
    | {"bid_price": "bid", "ask_price": "ask", "offer": "ask", "bidsize": "bid_size", "asksize": "ask_size"}
    | {"last_price": "last", "price": "last"}
    | {f"{price}_{side}": f"{side}_{price}" for side in ("bid", "ask") for price in PRICES}
    | {f"{side}{price}": f"{side}_{price}" for side in ("bid", "ask") for price in PRICES}
)
NS_PER = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


class Columns(NamedTuple):
    """A file's rows in its own order: `whose` counts in `symbols` (sorted), -1 is none; NaN is an empty number."""

    shape: str
    symbols: tuple[str, ...]
    whose: Ints
    at_ns: Ints
    fields: dict[str, Floats]
    unreadable: Flags
    ragged: Flags


class Header(NamedTuple):
    """Which column of a file is what: `time` one, or a date and a time of day; `symbol` None where there is none."""

    shape: str
    time: tuple[str, ...]
    symbol: str | None
    fields: dict[str, str]


class Part(NamedTuple):
    """Some rows, with their symbols as written."""

    symbols: list[str]
    at_ns: Ints
    fields: dict[str, Floats]
    unreadable: Flags
    ragged: Flags


def columns_of(path: Path, instrument: str = "") -> Columns:
    """Read a file; `instrument` (else the file's name) is whose rows they are where no column says so.

    Raise ConfigError where it cannot be read at all, or its columns are none that we know.
    """
    if not path.is_file():
        raise ConfigError(f"no such file: {path}")
    parts = list((parquet_parts if path.suffix == ".parquet" else csv_parts)(path, instrument or path.stem))
    if sum(len(part.at_ns) for _, part in parts) == 0:
        raise ConfigError(f"{path} holds no rows")
    return joined(parts[0][0].shape, [part for _, part in parts])


def joined(shape: str, parts: list[Part]) -> Columns:
    """Put the parts of a file together."""
    written = [symbol for part in parts for symbol in part.symbols]
    symbols = tuple(sorted({*written} - {""}))
    place = {symbol: index for index, symbol in enumerate(symbols)} | {"": -1}
    return Columns(
        shape,
        symbols,
        np.array([place[symbol] for symbol in written], dtype=np.int64),
        np.concatenate([part.at_ns for part in parts]),
        {name: np.concatenate([part.fields[name] for part in parts]) for name in parts[0].fields},
        np.concatenate([part.unreadable for part in parts]),
        np.concatenate([part.ragged for part in parts]),
    )


def header_of(names: Sequence[str], path: Path) -> Header:
    """Find out what each column is, by its name."""
    known: dict[str, str] = {}
    for name in names:
        plain = "_".join(name.strip().strip('"<>').lower().split())
        known.setdefault(SYNONYMS.get(plain, plain), name)
    time = next((known[name] for name in TIMES if name in known), None)
    shape = next((shape for shape, needed in SHAPES.items() if all(name in known for name in needed)), None)
    if time is None or shape is None:
        raise ConfigError(
            f"{path}: needs a time (one of {', '.join(TIMES)}) and open high low close, or bid and ask, or "
            f"bid_open … ask_close; found {', '.join(names)}"
        )
    apart = {"date", "time"} <= set(known) and time == known["time"]
    symbol = next((known[name] for name in SYMBOLS if name in known), None)
    fields = {name: known[name] for name in (*SHAPES[shape], *EXTRAS[shape]) if name in known}
    return Header(shape, (known["date"], time) if apart else (time,), symbol, fields)


def csv_parts(path: Path, instrument: str) -> Iterator[tuple[Header, Part]]:
    """Read a CSV file in pieces.

    Lines are cut at the delimiter whatever the quotes say: a stray one costs its row, not the rest of the file.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        lines = (line for line in file if not line.isspace())
        first = next(lines, "")
        delimiter = max(",;\t", key=first.count)
        names = [name.strip().strip('"') for name in first.split(delimiter)]
        header = header_of(names, path)
        rows = 0
        while chunk := list(islice(lines, CHUNK_ROWS)):
            rows += len(chunk)
            if rows > ROWS_MAX:
                raise ConfigError(f"{path} holds more than {ROWS_MAX} rows: cut it up by day")
            yield header, csv_part(chunk, delimiter, names, header, instrument)


def csv_part(lines: list[str], delimiter: str, names: list[str], header: Header, instrument: str) -> Part:
    """Read some lines; one with more or fewer cells than the header is ragged, and all its cells count as empty."""
    empty = [""] * len(names)
    rows = [line.rstrip("\r\n").split(delimiter) for line in lines]
    ragged = np.array([len(row) != len(names) for row in rows], dtype=np.bool_)
    if ragged.any():
        rows = [row if len(row) == len(names) else empty for row in rows]
    cells = dict(zip(names, zip(*rows, strict=True), strict=True))
    read = {name: numbers(cells[column]) for name, column in header.fields.items()}
    symbols = [cell.strip().strip('"') for cell in cells[header.symbol]] if header.symbol else [instrument] * len(rows)
    return Part(
        symbols,
        times([" ".join(parts) for parts in zip(*(cells[name] for name in header.time), strict=True)]),
        {name: values for name, (values, _) in read.items()},
        np.logical_or.reduce([unreadable for _, unreadable in read.values()]),
        ragged,
    )


def parquet_parts(path: Path, instrument: str) -> Iterator[tuple[Header, Part]]:
    """Read a Parquet file, one row group at a time."""
    try:
        import pyarrow as pa  # noqa: PLC0415  # an extra: CSV needs none of it
        import pyarrow.parquet as pq  # noqa: PLC0415  # as above
    except ImportError as error:
        raise ConfigError(f"{path} is Parquet, which needs pyarrow: pip install joed[data]") from error
    try:
        with pq.ParquetFile(path) as file:
            header = header_of(file.schema_arrow.names, path)
            if file.metadata.num_rows > ROWS_MAX:
                raise ConfigError(f"{path} holds more than {ROWS_MAX} rows: cut it up by day")
            wanted = [*header.time, *([header.symbol] if header.symbol else []), *header.fields.values()]
            for group in range(file.num_row_groups):
                yield header, parquet_part(file.read_row_group(group, columns=wanted), header, instrument)
    except (pa.ArrowException, OSError) as error:
        raise ConfigError(f"{path} cannot be read as Parquet: {error}") from error


def parquet_part(table: Any, header: Header, instrument: str) -> Part:  # noqa: ANN401  # pyarrow has no types
    """Read a pyarrow Table."""
    read = {name: parquet_numbers(table[column]) for name, column in header.fields.items()}
    symbols = [instrument] * table.num_rows
    if header.symbol:
        symbols = [str(symbol or "").strip() for symbol in table[header.symbol].to_pylist()]
    return Part(
        symbols,
        parquet_times([table[name] for name in header.time]),
        {name: values for name, (values, _) in read.items()},
        np.logical_or.reduce([unreadable for _, unreadable in read.values()]),
        np.zeros(table.num_rows, dtype=np.bool_),
    )


def parquet_numbers(column: Any) -> tuple[Floats, Flags]:  # noqa: ANN401  # pyarrow has no types
    """Give a pyarrow column's numbers as `numbers` does; four-byte floats in the digits that they hold."""
    kind = str(column.type)
    if kind in {"string", "large_string"}:
        return numbers(["" if cell is None else cell for cell in column.to_pylist()])
    values = np.array(column.cast("float64").to_numpy(), dtype=np.float64)
    if kind == "float":
        values = np.round(values, 4)
    unreadable = np.isinf(values)
    values[unreadable] = np.nan
    return values, unreadable


def parquet_times(columns: list[Any]) -> Ints:
    """Give the times of one pyarrow column, or of a date and a time of day."""
    kind = str(columns[0].type)
    unit = kind.removeprefix("timestamp[").split(",")[0].rstrip("]")
    if len(columns) > 1 or unit not in NS_PER:
        written = [["" if cell is None else str(cell) for cell in column.to_pylist()] for column in columns]
        return times([" ".join(parts) for parts in zip(*written, strict=True)])
    counts = columns[0].cast("int64").fill_null(NO_TIME).to_numpy()
    limit = (2**63 - 1) // NS_PER[unit]
    # A year too far for nanoseconds is as far ahead as they go, not a wrapped number in the past.
    within = np.clip(counts, -limit, limit) * NS_PER[unit]
    return np.where(counts == NO_TIME, NO_TIME, within)
