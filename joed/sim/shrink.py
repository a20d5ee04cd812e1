"""From a scenario that breaks a law to a short one that breaks the same law: faults are left out as long as it does."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from joed.sim.scenario import Fault

T = TypeVar("T")
TRIES_MAX = 80
"""How many worlds are played to shrink one scenario."""


def shrink(faults: Sequence[Fault], breaks: Callable[[tuple[Fault, ...]], bool]) -> tuple[Fault, ...]:
    """Give the fewest of these faults with which it still breaks, their times rounded where that does no harm."""
    tries = Tries(breaks)
    kept = minimise(tuple(faults), tries)
    for index, fault in enumerate(kept):
        rounded = Fault(float(round(fault.at_s, -1)), fault.kind, fault.args)
        other = (*kept[:index], rounded, *kept[index + 1 :])
        if rounded != fault and tries(other):
            kept = other
    return kept


class Tries:
    """Plays scenarios until it has played enough: after that none breaks any more."""

    def __init__(self, breaks: Callable[[tuple[Fault, ...]], bool]) -> None:
        """Ask `breaks`."""
        self._breaks = breaks
        self._left = TRIES_MAX

    def __call__(self, faults: tuple[Fault, ...]) -> bool:
        """Say whether these faults break the law."""
        self._left -= 1
        return self._left >= 0 and self._breaks(faults)


def minimise(items: tuple[T, ...], breaks: Callable[[tuple[T, ...]], bool]) -> tuple[T, ...]:
    """Give a part of the items of which none can be left out (Zeller and Hildebrandt's ddmin, by complements)."""
    if items and breaks(()):
        return ()
    parts = 2
    while len(items) >= 2:
        size = -(-len(items) // parts)
        chunks = [items[start : start + size] for start in range(0, len(items), size)]
        rests = (tuple(item for other in chunks if other is not chunk for item in other) for chunk in chunks)
        smaller = next((rest for rest in rests if breaks(rest)), None)
        if smaller is not None:
            items, parts = smaller, max(parts - 1, 2)
        elif parts >= len(items):
            break
        else:
            parts = min(parts * 2, len(items))
    return items
