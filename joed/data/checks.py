"""Which rows of a file can be true: each is accepted, or rejected for one named reason; none is lost or mended."""

from bisect import bisect_left, bisect_right
from typing import NamedTuple

import numpy as np
from msgspec import Struct

from joed.data.cells import Flags, Ints
from joed.data.columns import PRICES, Columns
from joed.model.values import DAY, MINUTE

Key = tuple[int, tuple[float, ...]]
"""What makes a row the same as another: its time, and for quotes what it says."""

REASONS = (
    "bad_row",
    "bad_time",
    "no_symbol",
    "bad_number",
    "nan",
    "negative",
    "zero",
    "crossed",
    "future",
    "duplicate",
    "unsorted",
)
"""Why a row is left out; a row that has several faults counts under the first of these.

bad_row: other than the header's number of cells. bad_time: no time that can be read, or one before 1970.
bad_number: text, or infinity, where a number belongs. nan: an empty cell or NaN among prices, volume and sizes.
negative: a number. zero: a price. crossed: high below low, open or close beyond them, bid above ask.
future: it ends after now. duplicate: the same symbol and time as another bar, the same quote again; the first stays.
unsorted: out of its symbol's order of time; the fewest rows are left out that leave the rest in order.
"""


class Tally(Struct, frozen=True):
    """The account of a file: `rows` is what it holds, and equals `accepted` + all of `rejected`.

    `quotes` is what the accepted rows become: four a bar, one a quote.
    """

    rows: int
    accepted: int
    rejected: dict[str, int]
    quotes: int


class Verdict(NamedTuple):
    """For each row the place in REASONS of what is wrong with it, -1 where nothing is; and what a row lasts."""

    places: Ints
    interval_ns: int


def judge(columns: Columns, now: int) -> Verdict:
    """Judge all rows of a file, as it is known at `now`."""
    tests = faults(columns)
    sound = ~np.logical_or.reduce(list(tests.values())) & (columns.at_ns <= now)
    interval_ns = 0 if columns.shape == "quotes" else interval_of(columns.whose[sound], columns.at_ns[sound])
    tests["future"] = columns.at_ns > now - interval_ns
    verdict = np.select(list(tests.values()), [REASONS.index(name) for name in tests], default=-1).astype(np.int64)
    rest = np.flatnonzero(verdict < 0)
    by_symbol = rest[np.argsort(columns.whose[rest], kind="stable")]
    edges = np.flatnonzero(np.diff(columns.whose[by_symbol])) + 1
    for rows in np.split(by_symbol, edges):
        if np.any(np.diff(columns.at_ns[rows]) <= 0):
            put_in_order(columns, rows, verdict)
    return Verdict(verdict, interval_ns)


def interval_of(whose: Ints, at_ns: Ints) -> int:
    """Give the commonest time (ns, a day at most) from one row of a symbol to its next: what a bar lasts."""
    order = np.argsort(whose, kind="stable")
    steps = np.diff(at_ns[order])
    steps = steps[(np.diff(whose[order]) == 0) & (steps > 0) & (steps <= DAY)]
    if not len(steps):
        return MINUTE
    lengths, counted = np.unique(steps, return_counts=True)
    return int(lengths[np.argmax(counted)])


def faults(columns: Columns) -> dict[str, Flags]:
    """Say which rows have each fault that shows in the row alone."""
    everything = np.stack(list(columns.fields.values()))
    prices = np.stack([values for name, values in columns.fields.items() if not counts(name)])
    amounts = [values for name, values in columns.fields.items() if counts(name)]
    negative = (prices < 0).any(axis=0)
    for values in amounts:
        negative = negative | (values < 0)
    return {
        "bad_row": columns.ragged,
        "bad_time": columns.at_ns < 0,
        "no_symbol": columns.whose < 0,
        "bad_number": columns.unreadable,
        "nan": np.isnan(everything).any(axis=0),
        "negative": negative,
        "zero": (prices == 0).any(axis=0),
        "crossed": crossed(columns),
    }


def counts(name: str) -> bool:
    """Say whether a field counts units, and is no price."""
    return name == "volume" or name.endswith("_size")


def crossed(columns: Columns) -> Flags:
    """Say which rows contradict themselves."""
    fields = columns.fields
    if columns.shape == "quotes":
        return fields["bid"] > fields["ask"]
    if columns.shape == "bars":
        return outside(columns, "")
    wrong = outside(columns, "bid_") | outside(columns, "ask_")
    for price in PRICES:
        wrong = wrong | (fields[f"bid_{price}"] > fields[f"ask_{price}"])
    return wrong


def outside(columns: Columns, side: str) -> Flags:
    """Say which bars have an open or a close beyond their high and low."""
    opened, high, low, close = (columns.fields[side + price] for price in PRICES)
    return (high < np.maximum(opened, close)) | (low > np.minimum(opened, close))


def put_in_order(columns: Columns, rows: Ints, verdict: Ints) -> None:
    """Mark what one symbol's rows (in the file's order) repeat, and what stands out of order."""
    at_ns: list[int] = columns.at_ns[rows].tolist()
    # Two bars of one minute cannot both be true; two quotes of one moment can, unless they are the same.
    bars = columns.shape != "quotes"
    keys: list[Key] = [(at, ()) for at in at_ns] if bars else list(zip(at_ns, values_of(columns, rows), strict=True))
    repeats = [False] * len(keys) if bars else repeats_of(keys)
    rest = [place for place, repeat in enumerate(repeats) if not repeat]
    kept = {rest[place] for place in longest_rising([at_ns[place] for place in rest], strictly=bars)}
    known = {keys[place] for place in kept}
    for place, key in enumerate(keys):
        if place not in kept:
            verdict[rows[place]] = REASONS.index("duplicate" if repeats[place] or key in known else "unsorted")


def values_of(columns: Columns, rows: Ints) -> list[tuple[float, ...]]:
    """Give what each of these rows says."""
    return list(zip(*(values[rows].tolist() for values in columns.fields.values()), strict=True))


def repeats_of(keys: list[Key]) -> list[bool]:
    """Say which quotes are said again: right after the first time, or out of order.

    A market that goes from one price to another and back within a moment repeats nothing.
    """
    latest, before = 0, None
    seen: set[Key] = set()
    found = []
    for key in keys:
        found.append(key == before or (key[0] < latest and key in seen))
        latest, before = max(latest, key[0]), key
        seen.add(key)
    return found


def longest_rising(values: list[int], *, strictly: bool) -> list[int]:
    """Give the places of a longest part that never falls (or always rises): what is left out is the least that can be.

    Of equal values that cannot stand together the first stays.
    """
    search = bisect_left if strictly else bisect_right
    tails: list[int] = []
    places: list[int] = []
    before: list[int] = []
    for place, value in enumerate(values):
        at = search(tails, value)
        before.append(places[at - 1] if at else -1)
        if tails[at : at + 1] != [value]:
            tails[at : at + 1] = [value]
            places[at : at + 1] = [place]
    found: list[int] = []
    place = places[-1] if places else -1
    while place >= 0:
        found.append(place)
        place = before[place]
    return found[::-1]
