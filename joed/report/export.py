"""The record as tables for others: trades, FIFO lots for the tax office, equity, and figures by strategy and regime.

Money is exact and in the instrument's currency, with the rate to base currency that was recorded last before it; a rate
that nobody recorded is left empty, never guessed.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from msgspec import Struct

from joed.analysis import performance
from joed.errors import ConfigError
from joed.model.settings import Settings
from joed.model.values import SECOND, ZERO, Side
from joed.report.rows import Fill, Ledger, Mark
from joed.report.trades import Trade, trades_of

CENTS = Decimal("0.01")
Cell = str | int | float | Decimal | None
Table = list[dict[str, Cell]]


class Rates(Struct, frozen=True):
    """What each currency was worth, by time; `base` is worth one of itself."""

    base: str
    fixed: dict[str, Decimal]
    seen: dict[str, list[tuple[int, Decimal]]]

    def at(self, currency: str, at_ns: int) -> Decimal | None:
        """Give the rate recorded last before a time, None where none was."""
        if currency == self.base:
            return Decimal(1)
        rows = self.seen.get(currency, [])
        place = bisect_right(rows, at_ns, key=lambda row: row[0])
        return rows[place - 1][1] if place else self.fixed.get(currency)


class Lot(Struct):
    """Units that were taken together: when, how many are left, and what each cost with its fee."""

    at_ns: int
    side: Side
    units: Decimal
    each: Decimal


def trades(ledger: Ledger, year: str) -> Table:
    """Give the trades that were closed in a year, each with its costs, its regime and its slippage."""
    settings, rates, regimes = _settings(ledger), _rates(ledger), ledger.regimes_all()
    decided = {order: price for order, price in ledger.decided() if price is not None}
    rows: Table = []
    for trade in trades_of(ledger):
        if trade.closed_ns is None or not trade.session.startswith(year):
            continue
        currency = _currency(settings, trade.instrument)
        rate = rates.at(currency, trade.closed_ns)
        decision = decided.get(trade.group)
        rows.append(
            {
                "session": trade.session,
                "instrument": trade.instrument,
                "strategy": trade.strategy,
                "regime": _regime_at(regimes, trade.opened_ns),
                "side": trade.side.value,
                "quantity": trade.quantity,
                "opened": when(trade.opened_ns),
                "closed": when(trade.closed_ns),
                "entry": trade.entry,
                "exit": trade.exit,
                "decision": decision,
                "slippage": _slippage(trade, decision),
                "fees": trade.fees,
                "gained": trade.gained,
                "currency": currency,
                "rate": rate,
                "gained_base": None if rate is None else (trade.gained * rate).quantize(CENTS),
                "exit_by": trade.kind,
            }
        )
    return rows


def lots(ledger: Ledger, year: str) -> Table:
    """Match each disposal of a year with the oldest units held (first in, first out), fees in cost and proceeds."""
    settings, rates = _settings(ledger), _rates(ledger)
    held: dict[str, list[Lot]] = {}
    rows: Table = []
    for fill in ledger.fills():
        for lot, units in _matched(held.setdefault(fill.instrument, []), fill):
            if not fill.session.startswith(year):
                continue
            bought, sold = (lot, fill) if lot.side is Side.BUY else (fill, lot)
            cost, proceeds = ((units * _each(part)).quantize(CENTS) for part in (bought, sold))
            currency = _currency(settings, fill.instrument)
            rate = rates.at(currency, fill.at_ns)
            rows.append(
                {
                    "instrument": fill.instrument,
                    "quantity": units,
                    "acquired": when(lot.at_ns),
                    "disposed": when(fill.at_ns),
                    "short": "yes" if lot.side is Side.SELL else "no",
                    "cost": cost,
                    "proceeds": proceeds,
                    "gain": proceeds - cost,
                    "currency": currency,
                    "rate": rate,
                    "gain_base": None if rate is None else ((proceeds - cost) * rate).quantize(CENTS),
                    "execution": fill.execution,
                }
            )
    return rows


def _matched(held: list[Lot], fill: Fill) -> list[tuple[Lot, Decimal]]:
    """Take the oldest lots of the other side for a fill, and hold what is left of it as a lot of its own."""
    found: list[tuple[Lot, Decimal]] = []
    left = fill.quantity
    while left and held and held[0].side is not fill.side:
        units = min(left, held[0].units)
        found.append((Lot(held[0].at_ns, held[0].side, units, held[0].each), units))
        held[0].units -= units
        left -= units
        if not held[0].units:
            held.pop(0)
    if left:
        held.append(Lot(fill.at_ns, fill.side, left, _each(fill)))
    return found


def _each(part: Fill | Lot) -> Decimal:
    """Give what a unit cost, fee added, or brought, fee taken off."""
    return part.each if isinstance(part, Lot) else part.price + part.side.sign * part.fee / part.quantity


def equity(ledger: Ledger, year: str) -> Table:
    """Give each session's last worth in base currency, its change, and the deepest fall so far."""
    return _worths(ledger.marks(), year, _settings(ledger).base_currency)


def _worths(marks: Sequence[Mark], year: str, currency: str) -> Table:
    """Measure the first session against the last worth before it, else against the first of all: changes add up."""
    rows: Table = []
    earlier = [mark for mark in marks if mark.session < year] or marks[:1]
    last = {mark.session: mark for mark in marks if mark.session.startswith(year)}
    high = before = earlier[-1].equity if earlier else ZERO
    for session, mark in last.items():
        high = max(high, mark.equity)
        change = mark.equity - before
        fall = float(mark.equity / high) - 1.0
        rows.append({"session": session, "equity": mark.equity, "change": change, "fall": fall, "currency": currency})
        before = mark.equity
    return rows


def figures(ledger: Ledger, year: str) -> Table:
    """Give what each strategy, and each regime, came to in base currency: trades, hit rate, expectancy, slippage."""
    rows: Table = []
    found = trades(ledger, year)
    for by in ("strategy", "regime"):
        for name in sorted({str(row[by]) for row in found}):
            own = [row for row in found if row[by] == name]
            gains = [Decimal(str(row["gained_base"])) for row in own if row["gained_base"] is not None]
            slips = [float(str(row["slippage"])) for row in own if row["slippage"] is not None]
            wins = sum(gain > 0 for gain in gains)
            rows.append(
                {
                    "by": by,
                    "name": name,
                    "trades": len(own),
                    "gained_base": sum(gains, ZERO),
                    "hit_rate": performance.hit_rate(wins, len(gains) - wins),
                    "expectancy_base": performance.expectancy(float(sum(gains, ZERO)), len(gains)),
                    "slippage_mean": sum(slips) / len(slips) if slips else None,
                    "rate_unknown": len(own) - len(gains),
                }
            )
    return rows


TABLES: dict[str, Callable[[Ledger, str], Table]] = {
    "trades": trades,
    "lots": lots,
    "equity": equity,
    "figures": figures,
}
"""What can be exported."""


COLUMNS = {
    "trades": (
        *("session", "instrument", "strategy", "regime", "side", "quantity", "opened", "closed", "entry", "exit"),
        *("decision", "slippage", "fees", "gained", "currency", "rate", "gained_base", "exit_by"),
    ),
    "lots": (
        *("instrument", "quantity", "acquired", "disposed", "short", "cost", "proceeds", "gain", "currency", "rate"),
        *("gain_base", "execution"),
    ),
    "equity": ("session", "equity", "change", "fall", "currency"),
    "figures": (
        *("by", "name", "trades", "gained_base", "hit_rate", "expectancy_base", "slippage_mean", "rate_unknown"),
    ),
}
"""The heads of each table: a year without a row has them too."""


def table_of(what: str, ledger: Ledger, year: str) -> Table:
    """Give one of TABLES for a year ("" for all); raise ConfigError for a year that is none."""
    if year and (len(year) != 4 or not year.isdigit()):
        raise ConfigError(f"--year takes four digits, as 2026, not {year!r}")
    return TABLES[what](ledger, year)


def when(at_ns: int) -> str:
    """Write a time in UTC, to the second."""
    return datetime.fromtimestamp(at_ns // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _slippage(trade: Trade, decision: Decimal | None) -> float | None:
    """Give how much worse than decided an entry was filled, as a share; below zero is better."""
    if decision is None or not decision:
        return None
    return round((trade.entry / float(decision) - 1.0) * trade.side.sign, 8)


def _regime_at(regimes: Sequence[tuple[int, str]], at_ns: int) -> str:
    """Name the regime that was in force at a time, "" before the first."""
    place = bisect_right(regimes, at_ns, key=lambda row: row[0])
    return regimes[place - 1][1] if place else ""


def _settings(ledger: Ledger) -> Settings:
    loaded = ledger.settings()
    return Settings() if loaded is None else loaded.settings


def _currency(settings: Settings, instrument: str) -> str:
    row = settings.universe.get(instrument)
    return settings.base_currency if row is None else row.currency


def _rates(ledger: Ledger) -> Rates:
    settings = _settings(ledger)
    seen: dict[str, list[tuple[int, Decimal]]] = {}
    for at_ns, currency, rate in ledger.rates():
        seen.setdefault(currency, []).append((at_ns, rate))
    return Rates(settings.base_currency, dict(settings.paper.rates), seen)
