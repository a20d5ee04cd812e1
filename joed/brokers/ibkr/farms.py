"""IBKR's data farms: short breaks are nothing, a long one is named, and after each one prices have to come again."""

from collections.abc import Callable

from joed.brokers.base import Clock, Emit
from joed.model.feeds import BrokerExamined
from joed.model.values import SECOND

PATIENCE_NS = 30 * SECOND
"""How long a farm may be broken before a person is told: they blink several times a day."""


class Farms:
    """Those that are broken, by name; `on_back` is called when one works again."""

    def __init__(self, name: str, clock: Clock, emit: Emit, on_back: Callable[[], None]) -> None:
        """Begin with all of them well."""
        self.broken: dict[str, int] = {}
        self.told: dict[str, None] = {}
        self._name, self._clock, self._emit, self._on_back = name, clock, emit, on_back

    def down(self, words: str) -> None:
        """Hear that one is broken."""
        farm = farm_of(words)
        if farm not in self.broken:
            self.broken[farm] = since_ns = self._clock.now()
            self._clock.call_at(since_ns + PATIENCE_NS, lambda: self._look(farm, since_ns, words))

    def up(self, words: str) -> None:
        """Hear that one works."""
        farm = farm_of(words)
        if self.broken.pop(farm, None) is None:
            return
        if farm in self.told:
            del self.told[farm]
            self._emit(BrokerExamined(self._name, f"farm {farm}", ok=True, words=words))
        self._on_back()

    def _look(self, farm: str, since_ns: int, words: str) -> None:
        if self.broken.get(farm) == since_ns:
            self.told[farm] = None
            self._emit(BrokerExamined(self._name, f"farm {farm}", ok=False, words=words))


def farm_of(words: str) -> str:
    """Give the farm's name, which follows the colon: `Market data farm connection is broken:usfarm`."""
    return words.rpartition(":")[2].strip()[:40] or "unnamed"
