"""The regime over 28 years: `make regime` measures the committed thresholds on the S&P 500 and VIX, and tunes nothing.

The index is the S&P 500 until its file ends and SPY from then on, joined by returns. A day's regime is known at its
close and acts on the next day; DEFENSIVE holds cash at no interest, costs are not counted.
"""

import csv
import datetime as dt
import os
import sys
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from joed.analysis import performance
from joed.analysis.regime import BULL, DEFENSIVE, NEUTRAL, RegimeRules, judged_daily
from joed.model.values import DAY

DATA = Path(os.environ.get("JOED_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
SPANS = {
    "2008-09..2009-03": ("2008-09-01", "2009-03-31"),
    "2017": ("2017-01-01", "2017-12-31"),
    "2008": ("2008-01-01", "2008-12-31"),
    "2020-03": ("2020-03-01", "2020-03-31"),
    "2022": ("2022-01-01", "2022-12-31"),
}
ALL = ("0000", "9999")


class Years(NamedTuple):
    """The days that both files know: their dates, the joined index, VIX, and times in ns."""

    days: list[str]
    closes: np.ndarray
    vix: np.ndarray
    at_ns: np.ndarray


def years(folder: Path) -> Years:
    """Read and join the files; SPY's last row is a part of a day and is left out."""
    spx, spy, vix = (closes_of(folder / "daily" / name) for name in FILES)
    spy = dict(list(spy.items())[:-1])
    joint = max(spx)
    scale = spx[joint] / spy[joint]
    index = spx | {day: close * scale for day, close in spy.items() if day > joint}
    days = sorted(set(index) & set(vix))
    epoch = dt.date(1970, 1, 1)
    at_ns = np.array([(dt.date.fromisoformat(day) - epoch).days * DAY for day in days], np.float64)
    return Years(days, np.array([index[day] for day in days]), np.array([vix[day] for day in days]), at_ns)


FILES = ("spx_ohlcv_1999_2020.csv", "spy_daily_stooq_2018_2026.csv", "vix_daily_1990_2026.csv")


def closes_of(path: Path) -> dict[str, float]:
    """Give each day's close."""
    with path.open() as file:
        rows = ({name.lower(): word for name, word in row.items()} for row in csv.DictReader(file))
        return {row["date"]: float(row["close"]) for row in rows}


def names_of(found: Years, rules: RegimeRules = RegimeRules()) -> dict[str, str]:  # noqa: B008 - a frozen value
    """Give the regime of each day that could be judged."""
    names = judged_daily(found.closes, found.vix, found.at_ns, rules)
    return {day: name for day, name in zip(found.days, names, strict=True) if name}


def share(names: dict[str, str], name: str, span: tuple[str, str] = ALL) -> float:
    """Give the share of the days from the first to the last of a span that have this regime."""
    inside = [found for day, found in names.items() if span[0] <= day <= span[1]]
    return sum(found == name for found in inside) / len(inside)


def flips_a_year(names: dict[str, str]) -> float:
    """Count the turns into and out of DEFENSIVE, a year of 252 days."""
    fled = [name == DEFENSIVE for name in names.values()]
    return sum(before != after for before, after in pairwise(fled)) / (len(fled) / 252)


def earned(found: Years, names: dict[str, str]) -> dict[str, tuple[float | None, float | None]]:
    """Give Sharpe and the deepest fall of holding always, and of holding the day after a day that was not DEFENSIVE."""
    first = len(found.days) - len(names)
    returns = performance.returns(found.closes[first:])
    held = np.array([name != DEFENSIVE for name in names.values()][:-1], np.float64)
    return {
        name: (performance.sharpe(series), performance.max_drawdown(np.append(1.0, np.cumprod(1.0 + series))))
        for name, series in {"buy and hold": returns, "regime": returns * held}.items()
    }


def main() -> int:
    """Print what came of it."""
    found = years(DATA)
    names = names_of(found)
    out = [f"{len(names)} days judged, {next(iter(names))} to {found.days[-1]}"]
    out += [f"{name:<10} {share(names, name):6.1%} of days" for name in (BULL, NEUTRAL, DEFENSIVE)]
    out += [f"turns into and out of DEFENSIVE: {flips_a_year(names):.2f} a year"]
    out += [f"DEFENSIVE in {span:<17} {share(names, DEFENSIVE, SPANS[span]):6.1%}" for span in SPANS]
    for name, (sharpe, fall) in earned(found, names).items():
        out += [f"{name:<13} Sharpe {sharpe:.2f}, deepest fall {fall:.1%} (next day, no costs, cash earns nothing)"]
    sys.stdout.write("\n".join(out) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
