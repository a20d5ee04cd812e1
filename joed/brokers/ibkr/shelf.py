"""What TWS said of our instruments today, on disk: a second start of the day asks for nothing that is known.

One small file in the state directory, of one day (UTC) and of the descriptions that were asked for: another day, other
words, or a file that cannot be read, and TWS is asked as if there were none. It is written whole, or not at all.
"""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from joed.model.values import SECOND

FIELDS = (
    *("conId", "symbol", "secType", "exchange", "primaryExchange", "currency", "localSymbol", "tradingClass"),
    *("multiplier", "right", "strike", "lastTradeDateOrContractMonth"),
)
"""What tells one contract from all others, by the library's names."""
NAME = "ibkr-contracts.json"
SIZE_MAX = 4_000_000


class Kept(Struct):
    """One instrument: what was asked, and what TWS described."""

    asked: dict[str, str]
    contract: dict[str, Any]
    rule: int
    tick: str
    zone: str
    liquid_hours: str
    trading_hours: str
    asked_ns: int


class Page(Struct):
    """All of a day; `rules` are price steps, by the number of their rule."""

    day: str
    rows: dict[str, Kept] = {}
    rules: dict[str, list[tuple[str, str]]] = {}


class Shelf:
    """The file, or nothing where there is no directory for it (a visit that trades nothing)."""

    def __init__(self, folder: Path | None) -> None:
        """Look nowhere yet."""
        self._path = folder / NAME if folder is not None else None

    def load(self, now: int) -> Page:
        """Give what is known of this day: an empty page where nothing is, or nothing that can be read."""
        fresh = Page(day_of(now))
        if self._path is None:
            return fresh
        with suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
            if self._path.stat().st_size <= SIZE_MAX:
                found = msgspec.json.decode(self._path.read_bytes(), type=Page)
                return found if found.day == fresh.day else fresh
        return fresh

    def save(self, page: Page) -> None:
        """Keep this; what a full disk does not take is asked for again."""
        if self._path is None:
            return
        part = self._path.with_suffix(".part")
        with suppress(OSError):
            part.write_bytes(msgspec.json.encode(page))
            part.replace(self._path)


def day_of(now: int) -> str:
    """Give the day of an instant, as the file names it."""
    return f"{datetime.fromtimestamp(now // SECOND, UTC):%Y-%m-%d}"


def fields_of(contract: Any) -> dict[str, Any]:
    """Give a contract's fields as they are kept."""
    return {name: getattr(contract, name) for name in FIELDS}
