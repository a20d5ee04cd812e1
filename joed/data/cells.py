"""Text to times and numbers: what is missing, and what cannot be read, is said and never guessed."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

NO_TIME = -(2**63)
"""Stands for a time that cannot be read."""
LATEST_NS = 2**63 - 1
MISSING = {"", "nan", "na", "n/a", "null", "none", "-", "nat"}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
NUMBER = re.compile(r"\d+(\.\d+)?")
FINER = re.compile(r"[.,]\d{6}(\d{1,3})")
DATE_DIGITS = re.compile(r"(19|20)\d{6}")
SCALES = ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3))
"""A count since 1970 below the first number is in units of so many nanoseconds: seconds, milli-, microseconds."""


def numbers(cells: Sequence[str]) -> tuple[Floats, Flags]:
    """Give a column's numbers, NaN where the cell is empty, and say which cells hold something else."""
    try:
        values = np.array(cells, dtype=np.float64)
    except ValueError:
        values = np.array([number(cell) for cell in cells], dtype=np.float64)
    unreadable = np.isinf(values)
    values[unreadable] = np.nan
    return values, unreadable


def number(cell: str) -> float:
    """Give one cell's number, NaN where there is none, infinity where it cannot be read."""
    text = cell.strip().strip('"').lower()
    if text in MISSING:
        return float("nan")
    try:
        return float(text)
    except ValueError:
        return float("inf")


def times(cells: Sequence[str]) -> Ints:
    """Give a column's times in nanoseconds since 1970, UTC; NO_TIME where the cell cannot be read."""
    return np.array([time_of(cell) for cell in cells], dtype=np.int64)


@lru_cache(maxsize=65_536)
def time_of(cell: str) -> int:
    """Give one cell's time: ISO 8601 (UTC where it names no zone), a date, or a count since 1970 by its size."""
    text = cell.strip().strip('"').removesuffix(" UTC")
    if NUMBER.fullmatch(text) and not DATE_DIGITS.fullmatch(text):
        return counted(Decimal(text))
    try:
        moment = datetime.fromisoformat(" ".join(text.split()))
    except ValueError:
        return NO_TIME
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    finer = FINER.search(text)  # datetime ends at microseconds
    at_ns = (moment - EPOCH) // MICROSECOND * 1000 + int(finer[1].ljust(3, "0") if finer else 0)
    return at_ns if NO_TIME <= at_ns <= LATEST_NS else LATEST_NS if at_ns > 0 else NO_TIME


def counted(count: Decimal) -> int:
    """Give the time of a count since 1970: seconds, milli-, micro- or nanoseconds, by its size."""
    for below, scale in SCALES:
        if count < below:
            return int(count * scale)
    return min(int(count), LATEST_NS)


def date_of(day: int) -> str:
    """Write a day, counted from 1970-01-01, as ISO does."""
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()
