"""How long the worker thinks: scan and score of 500 names with 300 daily bars each."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from joed.analysis.regime import RegimeRules, judged_daily, means
from joed.analysis.scan import ScanRules, Tape, scan
from joed.analysis.score import ScoreRules, look_of, ranked, score
from joed.model.values import DAY
from tests.bench.measure import Row, Scale, interleaved, timed_s
from tests.bench.scene import names_of

DAYS = 300
MINUTES = 60
CLOSE = 4


def rows(scale: Scale, _room: Path) -> Iterator[Row]:
    """Give the rows of the analysis; the floor is one mean and one deviation of each name's closes."""
    tapes = tapes_of(scale.instruments)
    index = tapes[0]

    def ours() -> float:
        return timed_s(lambda: thought(tapes, index)) * 1e3

    def bare() -> float:
        return timed_s(lambda: [(tape.daily[:, CLOSE].mean(), tape.daily[:, CLOSE].std()) for tape in tapes]) * 1e3

    found = interleaved(scale.rounds, {"ours": ours, "bare": bare})
    yield Row(f"scan and score of 500 x {DAYS}", found["ours"], "ms", 100, floor=found["bare"])
    closes, vix, at_ns = years_of_days()

    def judged() -> float:
        return timed_s(lambda: judged_daily(closes, vix, at_ns, RegimeRules())) * 1e3

    def means_alone() -> float:
        return timed_s(lambda: [means(closes, days) for days in (200, 50, 20)]) * 1e3

    found = interleaved(scale.rounds, {"ours": judged, "bare": means_alone})
    yield Row("regime over 28 years of days", found["ours"], "ms", 50, floor=found["bare"])


def years_of_days():
    """Give 28 years of closes, of a VIX, and of times: random walks."""
    chance, count = np.random.default_rng(7), 28 * 252
    closes = 100.0 * np.exp(np.cumsum(chance.normal(0.0003, 0.012, count)))
    return closes, 18.0 * np.exp(chance.normal(0.0, 0.3, count)), np.arange(float(count)) * DAY


def thought(tapes: list[Tape], index: Tape):
    """Scan, score and rank."""
    kept = scan(tapes, ScanRules()).kept
    assert kept
    rules = ScoreRules()
    look = look_of(index, rules)
    return ranked([score(tape, look, rules) for tape in kept], 12)


def tapes_of(count: int) -> list[Tape]:
    """Give random walks as daily bars, and a morning of minute bars."""
    chance = np.random.default_rng(7)
    return [
        Tape(name, bars(chance, DAYS), bars(chance, MINUTES), bars(chance, MINUTES), 100.0) for name in names_of(count)
    ]


def bars(chance, count: int):
    """Give `count` bars around 100: float64 (count, 6), the columns of the history."""
    closes = 100.0 * np.exp(np.cumsum(chance.normal(0.0, 0.01, count)))
    at_ns = np.arange(count, dtype=np.float64)
    return np.column_stack([at_ns, closes, closes * 1.01, closes * 0.99, closes, np.full(count, 1e6)])
