"""`joed --backtest` on daily bars: scan and score every week, hold the best, walk forward; beside buy and hold.

The regime, the scan and the score are those of the worker. How many names, how long and how far the stop is chosen anew
each half-year on the two years before, and only what followed is reported.
"""

import sys
from argparse import Namespace
from html import escape
from itertools import product
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from joed.analysis import performance
from joed.analysis.indicators import AT, CLOSE, LOW, NO_BARS, OPEN, Floats
from joed.analysis.regime import DEFENSIVE, Evidence, RegimeRules, above_mean, judge
from joed.analysis.rotation import Costs, Matrix, Pick, Run, Way, held_equally, traded
from joed.analysis.scan import ScanRules, Tape, scan
from joed.analysis.score import ScoreRules, look_of, ranked, score
from joed.data import MarketFile
from joed.engine.schedule import SHARES, plain
from joed.errors import ConfigError
from joed.model.events import Candidate, RegimeRead
from joed.model.settings import Settings
from joed.model.values import HOUR

DAILY_NS = 12 * HOUR
"""A file whose rows are so far apart has days, not minutes."""
RANK_DAYS = 5
HISTORY_DAYS = 300
CHOSEN_ON, FOLLOWED = 504, 126
"""Two years to choose on, half a year that follows."""
WAYS = tuple(Way(*row) for row in product((10, 20), (5, 20), (2.0, 4.0)))
CHOSEN_MAX = 20

BIAS = (
    "The names are those that the file holds. Of a list made at its end, those that failed, were bought or shrank out "
    "of it on the way are missing, and those that grew into it are there from the beginning: buy and hold of all its "
    "names, beside the strategy, shares that bias whole, so only the difference between the two says anything, and "
    "even that is flattered where the strategy prefers what later survived (survivorship)."
)


class Half(Struct, frozen=True):
    """One stretch that followed: its first and last day, the way chosen before it, and what both earned."""

    first: str
    last: str
    way: Way
    earned: float
    held: float


class Forward(Struct, frozen=True):
    """The report; shares are fractions, ratios daily with 252 a year, None where too little is known."""

    data: str
    names: int
    days: int
    first: str
    last: str
    rows_rejected: int
    rejected: dict[str, int]
    earned_year: float
    held_year: float
    sharpe: float | None
    held_sharpe: float | None
    max_drawdown: float | None
    held_max_drawdown: float | None
    defensive: float
    trades: int
    hit_rate: float | None
    costs: float
    turnover_year: float
    halted: int
    stopped: int
    left_out: dict[str, int]
    set_aside: int
    halves: tuple[Half, ...]
    assumed: tuple[str, ...]


class Market(Struct, frozen=True):
    """The file as arrays: names, days (ns), each name's own bars, and all prices in one matrix."""

    names: tuple[str, ...]
    at_ns: Floats
    bars: dict[str, Floats]
    matrix: Matrix


class Ranking(Struct, frozen=True):
    """What was chosen at each close that ranked, empty in a defensive market; and what was left out on the way."""

    picks: dict[int, tuple[Pick, ...]]
    regimes: tuple[str, ...]
    left_out: dict[str, int]
    aside: dict[str, str]


def is_daily(market: MarketFile) -> bool:
    """Say whether a file has a row a day."""
    return market.interval_ns >= DAILY_NS


def arrays_of(file: MarketFile) -> Market:
    """Give a file's tradable names as arrays; raise ConfigError where there are too few days to walk forward."""
    bars = {name: rows for name, rows in file.daily_bars("9999-12-31").items() if file.instruments[name].tradable}
    at_ns = np.unique(np.concatenate([rows[:, AT] for rows in bars.values()])) if bars else np.empty(0)
    if len(at_ns) < CHOSEN_ON + FOLLOWED + HISTORY_DAYS // 5:
        raise ConfigError(f"{len(at_ns)} days are too few to walk forward: {CHOSEN_ON + FOLLOWED} and a history before")
    tables = [np.full((len(at_ns), len(bars)), np.nan) for _ in range(3)]
    for column, rows in enumerate(bars.values()):
        places = np.searchsorted(at_ns, rows[:, AT])
        for table, price in zip(tables, (OPEN, LOW, CLOSE), strict=True):
            table[places, column] = rows[:, price]
    return Market(tuple(bars), at_ns, bars, Matrix(*tables))


def ranking_of(market: Market, settings: Settings) -> Ranking:
    """Judge, scan and score at each fifth close, from what was known then."""
    rules = {name: plain(getattr(settings.regime, name)) for name in settings.regime.__slots__ if name not in SHARES}
    regimes = msgspec.convert({**rules, "index": "all names"}, RegimeRules)
    wanted = {name: getattr(settings.scan, name) for name in settings.scan.__slots__ if not name.startswith("dates")}
    scans = ScanRules(watchlist_size=CHOSEN_MAX, **wanted)
    scores = ScoreRules(**{name: getattr(settings.score, name) for name in settings.score.__slots__})
    index = np.cumprod(np.append(1.0, 1.0 + held_equally(market.matrix, 1))) * 100.0
    sectors = {name: row.sector for name, row in settings.universe.items()}
    picks: dict[int, tuple[Pick, ...]] = {}
    left_out: dict[str, int] = {}
    aside: dict[str, str] = {}
    before: RegimeRead | None = None
    names: list[str] = []
    for day in range(settings.regime.days_short, len(market.at_ns), RANK_DAYS):
        tapes = tapes_at(market, day)
        above = {tape.instrument: above_mean(tape.daily, regimes.days_short) for tape in tapes}
        evidence = Evidence(
            closes=index[:day],
            price=float(index[day]),
            vix=None,
            breadth={name: is_above for name, is_above in above.items() if is_above is not None},
        )
        before = judge(evidence, regimes, before, int(market.at_ns[day]))
        names.append(before.name)
        result = scan(tapes, scans)
        for reason, count in result.rejected.items():
            left_out[reason] = left_out.get(reason, 0) + count
        aside |= result.aside
        best: tuple[Candidate, ...] = ()
        if before.name != DEFENSIVE:
            bars = index_bars(index, market.at_ns, day)
            whole = look_of(Tape("all names", bars, NO_BARS, NO_BARS, float(index[day])), scores)
            best = ranked([score(tape, whole, scores) for tape in result.kept], CHOSEN_MAX, sectors, scans.sector_max)
        picks[day] = tuple(pick_of(market, row) for row in best if row.atr)
    return Ranking(picks, tuple(names), left_out, aside)


def tapes_at(market: Market, day: int) -> list[Tape]:
    """Give each name that traded on a day, with its bars before it and its close of the day as its price."""
    tapes, now = [], market.at_ns[day]
    for name, rows in market.bars.items():
        end = int(np.searchsorted(rows[:, AT], now))
        if end < len(rows) and rows[end, AT] == now:
            history, price = rows[max(0, end - HISTORY_DAYS) : end], float(rows[end, CLOSE])
            tapes.append(Tape(name, history, NO_BARS, NO_BARS, price, now_ns=int(now)))
    return tapes


def index_bars(index: Floats, at_ns: Floats, day: int) -> Floats:
    """Give the mean of all names as bars without a range."""
    closes = index[max(0, day - HISTORY_DAYS) : day]
    return np.column_stack((at_ns[max(0, day - HISTORY_DAYS) : day], *(closes,) * 4, np.zeros(len(closes))))


def pick_of(market: Market, row: Candidate) -> Pick:
    """Give a candidate as what the account trades."""
    assert row.atr is not None
    return Pick(market.names.index(row.instrument), row.atr)


def walk(market: Market, ranking: Ranking, costs: Costs, cash: float) -> tuple[list[Half], Floats, Floats, list[Run]]:
    """Choose on two years, follow for half a year, and again: the stretches, both daily returns, and each way's run.

    A change of the way costs a whole turn of the account, both sides.
    """
    runs = [traded(market.matrix, ranking.picks, way, costs, cash) for way in WAYS]
    earned = np.column_stack([performance.returns(np.append(cash, run.equity)) for run in runs])
    every = np.append(0.0, held_equally(market.matrix, 1))
    first = CHOSEN_ON + HISTORY_DAYS // 5
    halves, ours, theirs, before = [], [], [], -1
    for start in range(first, len(earned), FOLLOWED):
        stop = min(start + FOLLOWED, len(earned))
        ratios = [performance.sharpe(earned[start - CHOSEN_ON : start, way]) or -np.inf for way in range(len(WAYS))]
        best = int(np.argmax(ratios))
        followed, held = earned[start:stop, best].copy(), every[start:stop]
        if before not in (-1, best):
            followed[0] -= 2.0 * costs.slippage
        before = best
        ours.append(followed)
        theirs.append(held)
        begins, ends = day_words(market.at_ns[start]), day_words(market.at_ns[stop - 1])
        halves.append(Half(begins, ends, WAYS[best], compounded(followed), compounded(held)))
    return halves, np.concatenate(ours), np.concatenate(theirs), runs


def forward(name: str, file: MarketFile, settings: Settings) -> Forward:
    """Walk a file of daily bars forward and report."""
    market = arrays_of(file)
    ranking = ranking_of(market, settings)
    paper = settings.paper
    costs = Costs(float(paper.slippage) + SPREAD / 2, float(paper.fee_share), float(paper.fee_min))
    cash = float(paper.cash)
    halves, ours, theirs, runs = walk(market, ranking, costs, cash)
    chosen = [runs[WAYS.index(half.way)] for half in halves]
    mine = max(set(map(id, chosen)), key=[id(run) for run in chosen].count)
    usual = next(run for run in chosen if id(run) == mine)
    years = len(ours) / performance.DAYS_A_YEAR
    span = len(usual.equity) / performance.DAYS_A_YEAR
    return Forward(
        data=name,
        names=len(market.names),
        days=len(market.at_ns),
        first=halves[0].first,
        last=halves[-1].last,
        rows_rejected=sum(file.tally.rejected.values()),
        rejected=file.tally.rejected,
        earned_year=(1.0 + compounded(ours)) ** (1.0 / years) - 1.0,
        held_year=(1.0 + compounded(theirs)) ** (1.0 / years) - 1.0,
        sharpe=performance.sharpe(ours),
        held_sharpe=performance.sharpe(theirs),
        max_drawdown=performance.max_drawdown(np.cumprod(np.append(1.0, 1.0 + ours))),
        held_max_drawdown=performance.max_drawdown(np.cumprod(np.append(1.0, 1.0 + theirs))),
        defensive=sum(found == DEFENSIVE for found in ranking.regimes) / len(ranking.regimes),
        trades=usual.trades,
        hit_rate=performance.hit_rate(usual.wins, usual.trades - usual.wins),
        costs=usual.costs,
        turnover_year=usual.bought / float(usual.equity.mean()) / span,
        halted=usual.halted,
        stopped=usual.stopped,
        left_out=ranking.left_out,
        set_aside=len(ranking.aside),
        halves=tuple(halves),
        assumed=assumed(settings),
    )


SPREAD = 0.0004
"""The spread that a purchase and a sale pay together, as a share: large names at the open."""


def assumed(settings: Settings) -> tuple[str, ...]:
    """Say what is assumed, and whom it favours."""
    paper = settings.paper
    trading = (
        "What a close decides is bought at the next open; a stop that the day's low reaches is met at its level, a gap "
        "below it at the open; a name that did not trade waits."
    )
    costs = (
        f"Each purchase and sale slips by {paper.slippage:%} and half a spread of {SPREAD:.2%}, pays {paper.fee_share} "
        f"a unit, at least {paper.fee_min}, and moves no price; cash earns nothing, dividends are in neither result."
    )
    choice = (
        f"The way ({len(WAYS)} of them) is chosen on {CHOSEN_ON} days and followed for {FOLLOWED}; trades, costs and "
        "turnover are those of the way that was followed most, over all its days."
    )
    judged = (
        "The regime is judged by the mean of all names and their breadth: without VIX its votes on fear are withheld."
    )
    return (BIAS, trading, costs, choice, judged)


def compounded(returns: Floats) -> float:
    """Give what daily returns come to."""
    return float(np.prod(1.0 + returns)) - 1.0


def day_words(at_ns: float) -> str:
    """Give a day as its date."""
    return str(np.datetime64(int(at_ns), "ns").astype("datetime64[D]"))


def run_forward(path: Path, file: MarketFile, settings: Settings, options: Namespace) -> int:
    """Walk forward, print the report, and give the exit status."""
    found = forward(path.name, file, settings)
    body = msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n"
    sys.stdout.write(body if options.json else as_text(found))
    if options.html is not None:
        options.html.write_text(as_page(found), "utf-8")
    return 0


def as_text(found: Forward) -> str:
    """Give the report as text, ending in a newline."""
    lines = [
        f"Walk forward over {found.data}: {found.names} names, {found.days} days",
        f"  reported {found.first} to {found.last}, each half-year by what was chosen before it",
        f"  {'':<22}{'strategy':>12}{'buy and hold':>14}",
        f"  {'a year, after costs':<22}{found.earned_year:>12.2%}{found.held_year:>14.2%}",
        f"  {'Sharpe (daily, 252)':<22}{number(found.sharpe):>12}{number(found.held_sharpe):>14}",
        f"  {'deepest fall':<22}{share(found.max_drawdown):>12}{share(found.held_max_drawdown):>14}",
        f"  defensive {found.defensive:.0%} of rankings; {traded_words(found)}",
        f"  costs {found.costs:,.0f}, turnover {found.turnover_year:.1f} a year",
        f"  rows rejected {found.rows_rejected}; left out {counted(found.left_out)}; {found.set_aside} names set aside",
        "",
        f"  {'from':<12}{'to':<12}{'names':>6}{'days':>6}{'stop':>6}{'earned':>10}{'held':>10}",
    ]
    lines += [
        f"  {row.first:<12}{row.last:<12}{row.way.names:>6}{row.way.days:>6}{row.way.stop_atr:>6.1f}"
        f"{row.earned:>+10.2%}{row.held:>+10.2%}"
        for row in found.halves
    ]
    return "\n".join([*lines, "", "Assumed:", *(f"  - {words}" for words in found.assumed), ""])


def traded_words(found: Forward) -> str:
    """Say how much was traded, and how it ended."""
    ends = f"{found.stopped} stopped, {found.halted} days waited for a halt"
    return f"{found.trades} trades, hit rate {share(found.hit_rate)}, {ends}"


def as_page(found: Forward) -> str:
    """Give the report as a plain page."""
    return f'<!doctype html><html lang="en"><meta charset="utf-8"><pre>{escape(as_text(found))}</pre></html>\n'


def number(value: float | None) -> str:
    """Write a ratio."""
    return "unknown" if value is None else f"{value:.2f}"


def share(value: float | None) -> str:
    """Write a share."""
    return "unknown" if value is None else f"{value:.1%}"


def counted(counts: dict[str, int]) -> str:
    """Write counts, the greatest first."""
    rows = sorted(counts.items(), key=lambda row: (-row[1], row[0]))
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in rows) or "nothing"
