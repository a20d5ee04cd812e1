"""What an adapter tells of its broker beside prices and orders: sources, what cannot be served, its bars, its account.

Events like those of `events`, and part of its ANY; fields are only ever added, with defaults.
"""

from decimal import Decimal

from joed.model.event import Event
from joed.model.values import Side

STREAM, POLL, DELAYED = "stream", "poll", "delayed"
"""How prices come: pushed as they change, asked for again and again, or late by the exchange's own rule."""


class InstrumentSetAside(Event, frozen=True, gc=False, tag="InstrumentSetAside"):
    """A broker cannot serve one instrument: nothing of it is opened until it can; the others trade.

    `code` is the cause in one word (no_permission, unknown, ambiguous, delayed, close_only, rules…) and the broker's
    own number where it has one; `words` are for a person and name the fix.
    """

    broker: str
    instrument: str
    code: str
    words: str


class InstrumentServed(Event, frozen=True, gc=False, tag="InstrumentServed"):
    """The cause is gone: an instrument that was set aside is served again."""

    broker: str
    instrument: str


class FeedChanged(Event, frozen=True, gc=False, tag="FeedChanged"):
    """A broker's prices come another way from here on: STREAM, POLL or DELAYED; a change away from STREAM alerts."""

    broker: str
    source: str
    reason: str = ""


class BrokerExamined(Event, frozen=True, gc=False, tag="BrokerExamined"):
    """One thing that an adapter looked at in its account or gateway: a row of the doctor; the newest word counts.

    `name` is the thing (permissions, hours, hedging, client, read_only…), `words` say what was found and, where it is
    not well, the fix. `halts` says that nothing may be opened at this broker while it is not well.
    """

    broker: str
    name: str
    ok: bool
    words: str
    halts: bool = False


class HoursTold(Event, frozen=True, gc=False, tag="HoursTold"):
    """When a broker trades these instruments, by its own word: spans of time, complete from `from_ns` to `until_ns`."""

    broker: str
    instruments: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    from_ns: int
    until_ns: int


class MarginTold(Event, frozen=True, gc=False, tag="MarginTold"):
    """What a broker says that so much of an instrument would add to the margin, and what the account has for it.

    Amounts are in the account's base currency, of the moment of the answer; no order was placed.
    """

    broker: str
    instrument: str
    side: Side
    quantity: Decimal
    change: Decimal
    available: Decimal


class BarsAsked(Event, frozen=True, gc=False, tag="BarsAsked"):
    """A broker that is up was asked for its history, of so many instruments: thinking waits for it, not for ever."""

    broker: str
    instruments: int


class BarsFetched(Event, frozen=True, tag="BarsFetched"):
    """The worker has a broker's bars: of `kind` "daily" or "minute", for `instruments` names, `bars` in all.

    `missing` says by instrument why there are none; `rejected` counts by reason the bars that could not be true.
    """

    broker: str
    kind: str
    instruments: int
    bars: int
    missing: dict[str, str] = {}
    rejected: dict[str, int] = {}
