"""The small words everything is said in: sides, kinds, states, bars, and how money is read."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum

from msgspec import Struct

SECOND = 1_000_000_000
"""Nanoseconds in a second: the engine counts time in whole nanoseconds since 1970, UTC."""
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

ZERO = Decimal(0)


class Side(StrEnum):
    """Which way an order trades."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> "Side":
        """Give the side that closes this one."""
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def sign(self) -> int:
        """Give +1 for a buy and -1 for a sell."""
        return 1 if self is Side.BUY else -1


class Crossing(StrEnum):
    """From which side a price must come to a level."""

    ABOVE = "above"
    BELOW = "below"


class Kind(StrEnum):
    """How an order is priced at the broker."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"


class Leg(StrEnum):
    """What an order is for; the letter stands in its id."""

    ENTRY = "E"
    STOP = "S"
    TARGET = "T"
    CLOSE = "C"


class Tif(StrEnum):
    """How long an order lives at the broker."""

    DAY = "DAY"
    GTC = "GTC"


class Mode(StrEnum):
    """Whose money it is."""

    PAPER = "paper"
    LIVE = "live"


class Host(StrEnum):
    """Which of a broker's worlds an account lives in: play money, or real."""

    DEMO = "demo"
    LIVE = "live"


class AccountKind(StrEnum):
    """What an account may spend: what its broker lends on it too, or only cash that has settled."""

    MARGIN = "margin"
    CASH = "cash"


class Status(StrEnum):
    """Where an order stands, as far as evidence goes (reliability 6.2).

    PLANNED is what a dry run shows: the ledger and the record are written in one step, so an order in the ledger is
    ARMED at least. UNCERTAIN may be at the broker or not; QUARANTINED is one or another of several things that were
    found there, and only a person says which.
    """

    PLANNED = "PLANNED"
    ARMED = "ARMED"
    SENT = "SENT"
    ACKED = "ACKED"
    WORKING = "WORKING"
    PARTIAL = "PARTIAL"
    CANCEL_ASKED = "CANCEL_ASKED"
    UNCERTAIN = "UNCERTAIN"
    QUARANTINED = "QUARANTINED"
    FILLED = "FILLED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    ABSENT_PROVEN = "ABSENT_PROVEN"

    @property
    def ended(self) -> bool:
        """Say whether the broker is known to hold nothing of this order any more."""
        return self in ENDED

    @property
    def doubtful(self) -> bool:
        """Say whether the fate of this order is unknown: its risk is reserved, whichever way it went."""
        return self in DOUBTFUL


DOUBTFUL = frozenset({Status.UNCERTAIN, Status.QUARANTINED})
ENDED = frozenset({Status.FILLED, Status.REJECTED, Status.CANCELLED, Status.EXPIRED, Status.ABSENT_PROVEN})


class Outcome(StrEnum):
    """What is known of one attempt to send (reliability 6.3); whatever cannot be proven is AMBIGUOUS."""

    NOT_SENT = "NOT_SENT"
    REFUSED = "REFUSED"
    ACCEPTED = "ACCEPTED"
    AMBIGUOUS = "AMBIGUOUS"


class Verdict(StrEnum):
    """What becomes of a difference between a broker's book and ours, mildest first."""

    ADOPT = "adopt"
    REPAIR = "repair"
    FREEZE = "freeze"
    HALT = "halt"


class Severity(StrEnum):
    """How loudly an alert speaks."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Scope(StrEnum):
    """How far a kill reaches, narrowest first: each includes those before it."""

    ENTRIES = "entries"
    ORDERS = "orders"
    FLATTEN = "flatten"
    ACCOUNT = "account"

    @property
    def width(self) -> int:
        """Give its place, so that the widest of several can be chosen."""
        return list(Scope).index(self)


class EventLoop(StrEnum):
    """On which event loop the daemon runs, by its module's name."""

    ASYNCIO = "asyncio"
    UVLOOP = "uvloop"


class Flatten(StrEnum):
    """What the failsafe closes: nothing, positions whose stop is missing or too small, or everything of ours."""

    NEVER = "never"
    UNPROTECTED = "unprotected"
    ALL = "all"


class Bar(Struct, frozen=True, gc=False, array_like=True):
    """Prices of one instrument over an interval that starts at `at_ns`; `volume` in units traded, 0 if unknown."""

    instrument: str
    at_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0


def decimal(price: float) -> Decimal:
    """Cross from a quote's float to money: the shortest decimal that reads back as the same float."""
    return Decimal(repr(price))


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """Round down to a whole number of steps (lots, ticks)."""
    return (value / step).to_integral_value(ROUND_FLOOR) * step


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """Round up to a whole number of steps."""
    return (value / step).to_integral_value(ROUND_CEILING) * step
