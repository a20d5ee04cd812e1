"""When a job is due, in a trader's words, anchored to the session: "open-45m", "every 15m while open", "close+10m".

A row of the table is one or more of these, with commas between. Pure: what was due last and what is due next follow
from the session's hours and the time alone, so a start in the middle of a day runs what it missed once, not each time.
"""

import re

from msgspec import Struct

from joed.model.values import HOUR, MINUTE, SECOND

UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR}
SPAN = r"([1-9][0-9]{0,5})([smh])"
POINT = rf"(open|close)(?:([+-]){SPAN})?"
ONCE = re.compile(POINT)
EVERY = re.compile(rf"every {SPAN}(?: while open| from {POINT} to {POINT})?")
EVERY_MIN_NS = SECOND


class Point(Struct, frozen=True):
    """A moment of each session: so long after its open, or its close; below zero is before."""

    close: bool
    after_ns: int

    def at(self, open_ns: int, close_ns: int) -> int:
        """Give the moment in this session."""
        return (close_ns if self.close else open_ns) + self.after_ns


class Clause(Struct, frozen=True):
    """One part of a row: `every_ns` 0 is once, at `begins`; else again and again from there until before `ends`."""

    every_ns: int
    begins: Point
    ends: Point

    def last(self, now: int, open_ns: int, close_ns: int) -> int:
        """Give when it was due last, 0 where it was not yet."""
        first, end = self.begins.at(open_ns, close_ns), self.ends.at(open_ns, close_ns)
        if now < first:
            return 0
        if not self.every_ns:
            return first
        until = min(now, end - 1)
        return first + (until - first) // self.every_ns * self.every_ns if until >= first else 0

    def next(self, now: int, open_ns: int, close_ns: int) -> int:
        """Give when it is due next, 0 where it is not in this session."""
        first, end = self.begins.at(open_ns, close_ns), self.ends.at(open_ns, close_ns)
        if now < first:
            return first
        if not self.every_ns:
            return 0
        found = first + ((now - first) // self.every_ns + 1) * self.every_ns
        return found if found < end else 0


OPEN, CLOSE = Point(close=False, after_ns=0), Point(close=True, after_ns=0)


def parsed(row: str) -> tuple[Clause, ...]:
    """Read a row of the table; raise ValueError, which names the part, where it says nothing that is known."""
    return tuple(_clause(part.strip()) for part in row.split(","))


def _clause(part: str) -> Clause:
    once = ONCE.fullmatch(part)
    if once is not None:
        point = _point(*once.groups())
        return Clause(0, point, point)
    every = EVERY.fullmatch(part)
    if every is None:
        raise ValueError(f"{part!r} is no time: open-45m, close+10m, every 15m while open, every 1h from open to close")
    amount, unit, *points = every.groups()
    begins, ends = (_point(*points[:4]), _point(*points[4:])) if points[0] else (OPEN, CLOSE)
    return Clause(int(amount) * UNITS[unit], begins, ends)


def _point(base: str, sign: str | None, amount: str | None, unit: str | None) -> Point:
    after = int(amount) * UNITS[unit] if amount and unit else 0
    return Point(base == "close", -after if sign == "-" else after)


def last_due(row: str, now: int, open_ns: int, close_ns: int) -> int:
    """Give when a row was due last in this session, 0 where it was not yet."""
    return max(clause.last(now, open_ns, close_ns) for clause in parsed(row))


def next_due(row: str, now: int, open_ns: int, close_ns: int) -> int:
    """Give when a row is due next in this session, 0 where it is not any more."""
    found = [at for clause in parsed(row) if (at := clause.next(now, open_ns, close_ns))]
    return min(found, default=0)
