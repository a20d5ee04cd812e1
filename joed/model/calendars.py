"""A market's hours as data: a table of sessions, the rules where it ends, and what an operator says on top."""

import datetime as dt
from typing import Annotated, Literal

from msgspec import Meta, Struct

TimeOfDay = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]\Z")]
TimeOrNone = Annotated[str, Meta(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9])?\Z")]
Kind = Literal["session", "24x5", "24x7"]


class Override(Struct, frozen=True, kw_only=True):
    """What an operator says about one date: closed, or open at these hours ("" keeps what the table says)."""

    date: dt.date
    closed: bool = False
    open: TimeOrNone = ""
    close: TimeOrNone = ""
    reason: str = ""
    source: str = ""
    """The file, or the operator, that it came from."""


class Calendar(Struct, frozen=True, kw_only=True, cache_hash=True):
    """The hours of one market as data, so that they travel in an event and replay; every tuple sorted by date.

    A day whose `open` is not before its `close` goes round midnight: from noon on the opening time belongs to the
    evening before (17:00 to 17:00 is the currency day), before noon the closing time belongs to the day after.
    """

    name: str
    timezone: str
    kind: Kind = "session"
    open: TimeOfDay = "09:30"
    close: TimeOfDay = "16:00"
    pre_open: TimeOrNone = ""
    """When pre-market trading starts; "" where there is none, as for the two below."""
    after_close: TimeOrNone = ""
    after_close_early: TimeOrNone = ""
    """The end of after-hours trading on a day that closes early."""
    yearly_holidays: tuple[str, ...] = ()
    """ "MM-DD", closed each year, with or without a table."""
    holidays: tuple[dt.date, ...] = ()
    early_closes: tuple[tuple[dt.date, TimeOfDay], ...] = ()
    late_opens: tuple[tuple[dt.date, TimeOfDay], ...] = ()
    overrides: tuple[Override, ...] = ()
    valid_from: dt.date | None = None
    """The table's first and last date; None where it has no such end."""
    valid_until: dt.date | None = None
    source: str = ""
    generated_on: dt.date | None = None
