"""What the fake lists: conIds, exchanges, tick sizes and hours, as IBKR describes them."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zlib import crc32
from zoneinfo import ZoneInfo

from joed.daemon.calendars import load_table
from joed.engine.sessions import session_on
from joed.model.values import SECOND

ZONE = "US/Eastern"
EASTERN = ZoneInfo("America/New_York")
INDEXES = ("VIX", "SPX", "NDX", "DJI", "RUT")
CON_IDS = {
    "AAPL": 265598,
    "MSFT": 272093,
    "NVDA": 4815747,
    "AMZN": 3691937,
    "SPY": 756733,
    "VIX": 13455763,
    "EURUSD": 12087792,
}
NAMES = {"AAPL": "APPLE INC", "MSFT": "MICROSOFT CORP", "SPY": "SS SPDR S&P 500 ETF TRUST-US"}
PRIMARY = {"SPY": "ARCA"}
RULE_OF_TICK = {"0.01": 26, "0.0001": 25, "0.00005": 239}
FIELDS = 12
"""conId symbol secType expiry strike right multiplier exchange primaryExchange currency localSymbol tradingClass."""


class Asked(NamedTuple):
    """A contract as a client describes it."""

    con_id: int
    symbol: str
    sec_type: str
    expiry: str
    strike: str
    right: str
    multiplier: str
    exchange: str
    primary: str
    currency: str
    local: str
    trading_class: str


class Listed(NamedTuple):
    """A contract as TWS knows it; `name` is the exchange's instrument."""

    name: str
    con_id: int
    symbol: str
    sec_type: str
    exchange: str
    primary: str
    currency: str
    local: str
    trading_class: str
    long_name: str
    tick: str
    lot: str
    rule: int
    calendar: str

    def eleven(self, exchange=""):
        """Give the fields that stand for it in an order or an execution."""
        head = (self.con_id, self.symbol, self.sec_type, "", "0.0", "?", "")
        return (*head, exchange or self.exchange, self.currency, self.local, self.trading_class)

    def held(self):
        """Give the fields that stand for it in a position: TWS names no route there, and no right."""
        return (
            self.con_id,
            self.symbol,
            self.sec_type,
            "",
            "0.0",
            "",
            "",
            "",
            self.currency,
            self.local,
            self.trading_class,
        )


def asked_of(fields):
    """Read a contract from a request."""
    values = fields.texts(FIELDS)
    con_id = int(values[0]) if values[0].isdigit() else 0
    return Asked(con_id, *values[1:])


def listed_of(instrument):
    """Describe an instrument of the exchange as IBKR would."""
    name = instrument.symbol
    con_id = CON_IDS.get(name) or 100_000_000 + crc32(name.encode()) % 400_000_000
    tick, currency = format(instrument.tick, "f"), instrument.currency
    rest = (
        NAMES.get(name, f"{name} INC"),
        tick,
        format(instrument.lot, "f"),
        RULE_OF_TICK.get(tick, 26),
        instrument.calendar,
    )
    if instrument.kind == "currency":
        first, second = name[:3], name[-3:]
        return Listed(
            name, con_id, first, "CASH", "IDEALPRO", "", second, f"{first}.{second}", f"{first}.{second}", *rest
        )
    if name in INDEXES:
        return Listed(name, con_id, name, "IND", "CBOE", "", currency, name, name, *rest)
    return Listed(name, con_id, name, "STK", "SMART", PRIMARY.get(name, "NASDAQ"), currency, name, "NMS", *rest)


class Directory:
    """All that is listed; `ambiguous` names symbols that mean two things unless more is said."""

    def __init__(self, instruments):
        self.by_name = {name: listed_of(row) for name, row in instruments.items()}
        self.by_id = {row.con_id: row for row in self.by_name.values()}
        self.ambiguous = set()

    def find(self, asked):
        """Give the contracts that a description fits."""
        if asked.con_id:
            row = self.by_id.get(asked.con_id)
            return [row] if row else []
        rows = [row for row in self.by_name.values() if fits(row, asked)]
        if rows and asked.symbol in self.ambiguous and not asked.primary:
            twin = rows[0]._replace(con_id=rows[0].con_id + 1, primary="AMEX", long_name=f"{asked.symbol} TRUST")
            return [rows[0], twin]
        return rows


def fits(row, asked):
    """Say whether a description fits a contract: what it leaves empty fits anything."""
    wanted = (
        (asked.symbol, row.symbol),
        (asked.sec_type, row.sec_type),
        (asked.currency, row.currency),
        (asked.local, row.local),
        (asked.primary, row.primary),
    )
    return any((asked.symbol, asked.local)) and all(not want or want == have for want, have in wanted)


def hours(now, calendar, *, extended=False, days=6):
    """Give some days' hours as tradingHours (`extended`) and liquidHours write them, from the day of `now` on."""
    table = load_table(calendar)
    zone = ZoneInfo(table.timezone)
    first = datetime.fromtimestamp(now / SECOND, UTC).astimezone(zone).date()
    parts = []
    for day in (first + timedelta(days=n) for n in range(days)):
        session = session_on(table, day)
        if session is None:
            parts.append(f"{day:%Y%m%d}:CLOSED")
            continue
        edges = (session.pre_open_ns, session.after_close_ns) if extended else (session.open_ns, session.close_ns)
        moments = (datetime.fromtimestamp(edge / SECOND, UTC).astimezone(zone) for edge in edges)
        parts.append("-".join(f"{moment:%Y%m%d:%H%M}" for moment in moments))
    return ";".join(parts)


def stamp(now, zone=EASTERN, suffix=" America/New_York"):
    """Write a time as TWS does in executions: in the zone of its login, named."""
    return datetime.fromtimestamp(now / SECOND, UTC).astimezone(zone).strftime("%Y%m%d %H:%M:%S") + suffix
