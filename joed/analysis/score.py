"""How promising a name is for buying strength: parts of 0 to 100, their weighted mean, and each in words.

A part whose input is missing is withheld and said so; the mean is over the parts that are there. Where daily history is
short the same parts are taken from minute bars: today's and those of earlier days.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np
from msgspec import Struct

from joed.analysis.indicators import CLOSE, HIGH, VOLUME, Floats, atr, last
from joed.analysis.scan import Tape
from joed.model.events import Candidate

MIDDLE = 50.0
NOWHERE: Mapping[str, str] = {}
"""No name's sector."""


class ScoreRules(Struct, frozen=True, forbid_unknown_fields=True):
    """How far back to look, and how much each part weighs."""

    days: int = 20
    minutes_min: int = 15
    atr_days: int = 14
    trend_days: int = 50
    momentum: float = 0.30
    trend: float = 0.20
    proximity: float = 0.20
    strength: float = 0.20
    volume: float = 0.10


class Span(Struct, frozen=True):
    """The prices that a part looks at: closes and highs of days or of minutes, ending with the price now."""

    unit: str
    closes: Floats
    highs: Floats


class Part(Struct, frozen=True):
    """One part of a score: its points of 0 to 100, None when withheld, and why."""

    name: str
    points: float | None
    words: str


class Look(Struct, frozen=True):
    """A name and what several parts ask of it: its span, the return over it and its usual movement, its usual day."""

    tape: Tape
    span: Span | None
    change: float
    usual: float | None
    average: float | None


def look_of(tape: Tape, rules: ScoreRules) -> Look:
    """Take a name's look once, for all parts."""
    span = span_of(tape, rules)
    change, usual = drift(span.closes) if span is not None and len(span.closes) > 1 else (0.0, None)
    return Look(tape, span, change, usual, last(atr(tape.daily[-5 * rules.atr_days :], rules.atr_days)))


def score(tape: Tape, index: Look | None, rules: ScoreRules) -> Candidate:
    """Give a name's score of 0 to 100 with a reason for each part; `index` None withholds relative strength."""
    look = look_of(tape, rules)
    parts = [part(look, index, rules) for part in PARTS]
    total = sum(getattr(rules, part.name) for part in parts if part.points is not None)
    points = sum(getattr(rules, part.name) * part.points for part in parts if part.points is not None)
    reasons = tuple([f"{part.name}: {part.words}" for part in parts])
    return Candidate(tape.instrument, round(points / total, 2) if total else 0.0, reasons, look.average)


def ranked(
    candidates: list[Candidate], size: int, sectors: Mapping[str, str] = NOWHERE, sector_max: int = 0
) -> tuple[Candidate, ...]:
    """Give the best `size`, best first; equal scores by name, so that the order never depends on chance.

    At most `sector_max` of one sector (0: any number) are taken; a name without one is never too many.
    """
    best: list[Candidate] = []
    taken: dict[str, int] = {}
    for candidate in sorted(candidates, key=lambda candidate: (-candidate.score, candidate.instrument)):
        sector = sectors.get(candidate.instrument, "")
        if len(best) == size:
            break
        if sector_max and sector and taken.get(sector, 0) >= sector_max:
            continue
        taken[sector] = taken.get(sector, 0) + 1
        best.append(candidate)
    return tuple(best)


def span_of(tape: Tape, rules: ScoreRules) -> Span | None:
    """Give the days looked back over with the price now, minutes where the days are too few, None where both are."""
    if tape.price is None:
        return None
    now = np.array([tape.price])
    if len(tape.daily) >= rules.days:
        days = tape.daily[-rules.days :]
        return Span("days", np.append(days[:, CLOSE], now), np.append(days[:, HIGH], highest(tape.today, tape.price)))
    if tape.minutes < rules.minutes_min:
        return None
    minutes = np.concatenate((tape.earlier, tape.today))
    return Span("minutes", np.append(minutes[:, CLOSE], now), np.append(minutes[:, HIGH], now))


def highest(today: Floats, price: float) -> float:
    """Give the highest price of today so far."""
    return max(float(today[:, HIGH].max()), price) if len(today) else price


def momentum(look: Look, _index: Look | None, rules: ScoreRules) -> Part:
    """Score the return over the span, in units of what chance alone would have moved (two of them: 100 points)."""
    span, change, usual = look.span, look.change, look.usual
    if span is None:
        return Part("momentum", None, "withheld, history too short")
    words = f"{change:+.2%} in {len(span.closes) - 1} {span.unit}"
    if usual is None:
        return Part("momentum", None, f"withheld, {words} without any movement between")
    return Part("momentum", bounded(MIDDLE + 25.0 * change / usual), f"{words}, {change / usual:+.1f} times its usual")


def drift(closes: Floats) -> tuple[float, float | None]:
    """Give the return over a span and the deviation that a random walk of its steps would have; None where it is 0."""
    steps = np.diff(closes) / closes[:-1]
    usual = float(np.sqrt(np.square(steps).mean() * len(steps)))
    return float(closes[-1] / closes[0]) - 1.0, usual if usual > 1e-12 else None


def trend(look: Look, _index: Look | None, rules: ScoreRules) -> Part:
    """Score the price against its mean of `trend_days`, in its own average ranges of a day (two above: 100 points)."""
    tape, average = look.tape, look.average
    if len(tape.daily) < rules.trend_days or tape.price is None:
        return Part("trend", None, f"withheld, {len(tape.daily)} days of {rules.trend_days}")
    if average is None or average <= 0.0:
        return Part("trend", None, "withheld, the price has not moved")
    mean = float(tape.daily[-rules.trend_days :, CLOSE].mean())
    away = (tape.price - mean) / average
    words = f"{away:+.1f} average ranges from its {rules.trend_days}-day {mean:.2f}"
    return Part("trend", bounded(MIDDLE + 25.0 * away), words)


def proximity(look: Look, _index: Look | None, rules: ScoreRules) -> Part:
    """Score the nearness of the span's high: 100 at it, 0 at two usual steps of a day (ten of a minute) below."""
    span, usual = look.span, look.usual
    if span is None:
        return Part("proximity", None, "withheld, history too short")
    high, price = float(span.highs.max()), float(span.closes[-1])
    if usual is None:
        return Part("proximity", None, "withheld, the price has not moved")
    reach = usual / math.sqrt(len(span.closes) - 1) * (2.0 if span.unit == "days" else 10.0)
    below = high / price - 1.0
    words = f"{below:.2%} below the high of {len(span.highs) - 1} {span.unit}"
    return Part("proximity", bounded(100.0 * (1.0 - below / reach)), words)


def strength(look: Look, index: Look | None, rules: ScoreRules) -> Part:
    """Score the return against the index's over the same time, in units of the name's usual movement."""
    if index is None or index.tape.instrument == look.tape.instrument:
        return Part("strength", None, "withheld, no index to compare with")
    name, own, other = index.tape.instrument, look.span, index.span
    if own is None or other is None or own.unit != other.unit or len(own.closes) < 2 or len(other.closes) < 2:
        return Part("strength", None, f"withheld, no common history with {name}")
    change, usual, against = look.change, look.usual, index.change
    if usual is None:
        return Part("strength", None, "withheld, the price has not moved")
    words = f"{change - against:+.2%} against {name} in {own.unit}"
    return Part("strength", bounded(MIDDLE + 25.0 * (change - against) / usual), words)


def volume(look: Look, _index: Look | None, rules: ScoreRules) -> Part:
    """Score today's volume a minute against the usual: as usual gives 50 points, twice as much 100."""
    tape = look.tape
    usual = usual_volume(tape, rules)
    traded = float(tape.today[:, VOLUME].mean()) if len(tape.today) else 0.0
    if usual is None or traded <= 0.0:
        return Part("volume", None, "withheld, no volume to compare")
    return Part("volume", bounded(MIDDLE * traded / usual), f"{traded / usual:.1f} times the usual a minute")


def usual_volume(tape: Tape, rules: ScoreRules) -> float | None:
    """Give the usual volume a minute: of the days, else of the minutes before today; None where none is known."""
    if len(tape.daily) >= rules.days:
        usual = float(tape.daily[-rules.days :, VOLUME].mean()) / 390.0
    else:
        usual = float(tape.earlier[:, VOLUME].mean()) if len(tape.earlier) else 0.0
    return usual if usual > 0.0 else None


def bounded(points: float) -> float:
    """Keep points within 0 and 100."""
    return min(100.0, max(0.0, points))


PARTS: tuple[Callable[[Look, Look | None, ScoreRules], Part], ...] = (momentum, trend, proximity, strength, volume)
"""Each named as its weight in ScoreRules."""
