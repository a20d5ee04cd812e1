"""The day's lines, as far as this process has seen them: the price of what is held or watched, and the day's result.

Each line is bounded: when it is full every second point goes, and the next ones come half as often.
"""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

from joed.model.values import SECOND, Crossing
from joed.model.view import TriggerView, View

MILLISECOND = 1_000_000
POINTS_MAX = 480
LINES_MAX = 256
DAY = "day"
"""The name of the line of the day's result; instruments have theirs under `prices`."""


def _none(_session: str) -> Sequence[tuple[int, Decimal]]:
    return ()


class Line:
    """Values over time, at least `step_ns` apart."""

    def __init__(self) -> None:
        self.points: list[tuple[int, float]] = []
        self.step_ns = SECOND

    def add(self, at_ns: int, value: float) -> None:
        """Take a value, unless the last one is too young."""
        at_ms = at_ns // MILLISECOND
        if self.points and (at_ms - self.points[-1][0]) * MILLISECOND < self.step_ns:
            return
        self.points.append((at_ms, value))
        if len(self.points) > POINTS_MAX:
            self.points = self.points[::2]
            self.step_ns *= 2


class Curves:
    """All lines of one session; another session begins them anew."""

    def __init__(self) -> None:
        self.session = ""
        self.day = Line()
        self.prices: dict[str, Line] = {}

    def look(self, shown: View, marks: Callable[[str], Sequence[tuple[int, Decimal]]] = _none) -> None:
        """Take what this View shows; of a session that is new here, first the marks that an earlier process left.

        A mark has what was realised, is open and was paid; what was open before the day began is none of its result.
        """
        if shown.clock.session != self.session:
            self.session, self.day, self.prices = shown.clock.session, Line(), {}
            before = shown.realised + shown.unrealised - shown.fees - shown.daily_pnl
            for at_ns, made in marks(self.session) if self.session else ():
                self.day.add(at_ns + shown.utc_ns - shown.now_ns, float(made - before))
        if not shown.brokers:
            return  # nothing is valued yet
        self.day.add(shown.utc_ns, float(shown.daily_pnl))
        for name, price in _prices(shown):
            line = self.prices.get(name)
            if line is None:
                if len(self.prices) >= LINES_MAX:
                    self.prices.pop(next(iter(self.prices)))
                line = self.prices[name] = Line()
            line.add(shown.utc_ns, price)

    def rows(self) -> dict[str, object]:
        """Give all lines: points of milliseconds since 1970 (UTC) and values."""
        return {
            "session": self.session,
            DAY: self.day.points,
            "prices": {name: line.points for name, line in self.prices.items()},
        }


def _prices(shown: View) -> Iterator[tuple[str, float]]:
    """Give the price of each instrument that is watched or held; where it is both, the position's counts."""
    found = {row.instrument: price for row in shown.triggers if (price := _price(row)) is not None}
    found |= {row.instrument: row.price for row in shown.positions if row.price is not None}
    yield from found.items()


def _price(row: TriggerView) -> float | None:
    """Give the price that a Trigger's distance was counted from, None where there was none."""
    if row.distance is None:
        return None
    away = row.distance if row.crossing is Crossing.ABOVE else -row.distance
    return float(row.level) / (1 + away) if away > -1 else None
