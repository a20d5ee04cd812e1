"""Which rows of a file can be true: each is accepted, or rejected for one named reason; none is lost or mended."""

from bisect import bisect_right
from itertools import pairwise

import numpy as np
from msgspec import Struct

from joed.data.cells import Flags, Ints
from joed.data.columns import PRICES, Columns

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


def judge(columns: Columns, now: int, width_ns: int) -> Ints:
    """Give the place in REASONS of what is wrong with each row, -1 where nothing is; a row lasts `width_ns`."""
    tests = faults(columns, now, width_ns)
    verdict = np.select(list(tests.values()), [REASONS.index(name) for name in tests], default=-1).astype(np.int64)
    sound = np.flatnonzero(verdict < 0)
    by_symbol = sound[np.argsort(columns.whose[sound], kind="stable")]
    edges = np.flatnonzero(np.diff(columns.whose[by_symbol])) + 1
    for rows in np.split(by_symbol, edges):
        if np.any(np.diff(columns.at_ns[rows]) <= 0):
            put_in_order(columns, rows, verdict)
    return verdict


def faults(columns: Columns, now: int, width_ns: int) -> dict[str, Flags]:
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
        "future": columns.at_ns > now - width_ns,
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
    at_ns = columns.at_ns[rows].tolist()
    values = list(zip(*(column[rows].tolist() for column in columns.fields.values()), strict=True))
    # Two bars of one minute cannot both be true; two quotes of one moment can, unless they are the same.
    keys = at_ns if columns.shape != "quotes" else list(zip(at_ns, values, strict=True))
    kept = longest_rising(at_ns)
    for before, after in pairwise(kept):
        if keys[before] == keys[after]:
            verdict[rows[after]] = REASONS.index("duplicate")
    in_order, known = set(kept), {keys[index] for index in kept}
    for index, key in enumerate(keys):
        if index not in in_order:
            verdict[rows[index]] = REASONS.index("duplicate" if key in known else "unsorted")


def longest_rising(values: list[int]) -> list[int]:
    """Give the places of a longest part that never falls: what is left out is the least that can be."""
    tails: list[int] = []
    places: list[int] = []
    before: list[int] = []
    for place, value in enumerate(values):
        at = bisect_right(tails, value)
        before.append(places[at - 1] if at else -1)
        tails[at : at + 1] = [value]
        places[at : at + 1] = [place]
    found: list[int] = []
    place = places[-1] if places else -1
    while place >= 0:
        found.append(place)
        place = before[place]
    return found[::-1]
