"""What the fake TWS plays: the embedded market of a session, one that never ends, or a file of bars or quotes."""

from functools import partial

import numpy as np

from joed.daemon.calendars import load_table
from joed.daemon.clock import utc_ns
from joed.data import read
from joed.market.day import day_at, plan_halts
from joed.market.embedded import EmbeddedMarket, Feed
from joed.model.values import DAY, HOUR, MINUTE
from tests.fakes.tws.contracts import stamp

RUNNING_NS = 30 * MINUTE
"""How long ago the market of a TWS that was told nothing has opened: it is open, whatever the day."""
SESSION_NS = 13 * HOUR // 2
CALENDAR = "XNYS"


class SessionMarket:
    """The embedded market; `endless`, one session follows the other without a night between them."""

    def __init__(self, market, *, endless=False):
        self.market = market
        self.endless = endless

    @classmethod
    def open_now(cls, seed, now):
        """Give a market that opened half an hour ago."""
        opened = now - RUNNING_NS
        return cls(EmbeddedMarket(seed, (date_of(now), opened, opened + SESSION_NS)), endless=True)

    @classmethod
    def of_calendar(cls, seed, now):
        """Give the session that the exchange's calendar has at this time, or next: joed's own paper market."""
        day = day_at(seed, load_table(CALENDAR), now)
        return cls(EmbeddedMarket.for_session(day.seed, day.session, day.open_ns, day.close_ns))

    def universe(self):
        """Give what is listed."""
        return self.market.universe()

    def start(self, clock, tws):
        """Play the session to a TWS, its halts and its end; before it, let every symbol have its last price."""
        prime(tws, self.market, clock.now())
        self.market.start(clock, tws.quote)
        plan_halts(clock, self.market.halts, tws)
        clock.call_at(self.market.close_ns, partial(self.finish, clock, tws))

    def finish(self, clock, tws):
        """End the day, and begin the next where there is one."""
        tws.end_of_day()
        if self.endless:
            self.market.stop()
            now = clock.now()
            self.market = self.market.following((date_of(now), now, now + SESSION_NS))
            self.start(clock, tws)

    def bars(self, name, from_ns, to_ns, interval_ns):
        """Give daily bars of the year before, or bars of this session made of its minutes."""
        if interval_ns >= DAY:
            rows = self.market.daily_history(name)
        else:
            rows = folded(self.market.minutes(name), max(1, interval_ns // MINUTE))
        return [row for row in rows.tolist() if from_ns <= row[0] and row[0] + interval_ns <= to_ns]


class FileMarket:
    """A file as a market, one of its days."""

    def __init__(self, path, day=""):
        self.file = read(path, utc_ns())
        self.day = day or self.file.days[0]
        self.first_ns = next(self.file.quotes(self.day))[0]

    def universe(self):
        """Give what the file holds."""
        return self.file.instruments

    def start(self, clock, tws):
        """Play the day to a TWS: from its first quote, or from now."""
        begun_ns = clock.now()  # once: a quote that is late because the one before it took its time is still played
        later = ((at_ns, quote) for at_ns, quote in self.file.quotes(self.day) if at_ns >= begun_ns)
        Feed(clock, later, tws.quote).wait()

    def bars(self, name, from_ns, to_ns, interval_ns):
        """Give the file's days before the one that is played; it has no others."""
        rows = self.file.daily_bars(self.day).get(name)
        if rows is None or interval_ns < DAY:
            return []
        return [row for row in rows.tolist() if from_ns <= row[0] < to_ns]


def prime(tws, market, now):
    """Let every symbol have the last price of the session before now, so that no line begins empty."""
    known = {}
    for name, close in market.closes.items():
        tws.market.board(name).close = round(close, 2)
    for at_ns, quote in market.quotes():
        if at_ns > now:
            break
        known[quote.instrument] = quote
    for quote in known.values():
        tws.quote(quote)


def folded(minutes, count):
    """Fold bars of a minute into bars of several."""
    starts = np.arange(0, len(minutes), count)
    ends = np.minimum(starts + count, len(minutes)) - 1
    highs, lows = np.maximum.reduceat(minutes[:, 2], starts), np.minimum.reduceat(minutes[:, 3], starts)
    volumes = np.add.reduceat(minutes[:, 5], starts)
    return np.column_stack([minutes[starts, 0], minutes[starts, 1], highs, lows, minutes[ends, 4], volumes])


def date_of(now):
    """Write the date of a time in New York."""
    digits = stamp(now, suffix="")[:8]
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
