"""Bars of both sides, made of the quotes as they come, and GET /prices with its odd rules."""

from bisect import bisect_left

from joed.model.values import DAY, HOUR, MINUTE
from tests.fakes.capital.words import Refused, asked_ns, both

RESOLUTIONS = {
    "MINUTE": MINUTE,
    "MINUTE_5": 5 * MINUTE,
    "MINUTE_15": 15 * MINUTE,
    "MINUTE_30": 30 * MINUTE,
    "HOUR": HOUR,
    "HOUR_4": 4 * HOUR,
    "DAY": DAY,
    "WEEK": 7 * DAY,
}
ROWS_DEFAULT, ROWS_MAX = 10, 1_000
MINUTES_MAX = 60 * 24 * 60


class Tape:
    """For each epic its minutes: [opened, bids, asks, ticks], where bids and asks are open, high, low, close."""

    def __init__(self, clock):
        self.clock = clock
        self.minutes = {}

    def take(self, epic, bid, ask, at_ns=None):
        """Add a quote, of now where no other time is said."""
        opened = (self.clock.now() if at_ns is None else at_ns) // MINUTE * MINUTE
        rows = self.minutes.setdefault(epic, [])
        if not rows or rows[-1][0] < opened:
            rows.append([opened, [bid] * 4, [ask] * 4, 0])
            if len(rows) > 2 * MINUTES_MAX:
                del rows[:MINUTES_MAX]
        for side, price in zip(rows[-1][1:3], (bid, ask), strict=True):
            side[1], side[2], side[3] = max(side[1], price), min(side[2], price), price
        rows[-1][3] += 1

    def seed(self, epic, rows):
        """Put minutes before everything that is known: (opened, bids, asks, ticks)."""
        self.minutes[epic] = [list(row) for row in rows] + self.minutes.get(epic, [])

    def bars(self, epic, span_ns, from_ns=0, to_ns=None):
        """Give an epic's bars of a span, those whose open lies between the bounds, both included."""
        rows, found = self.minutes.get(epic, []), []
        for opened, bids, asks, ticks in rows[bisect_left(rows, [from_ns // span_ns * span_ns]) :]:
            start = opened // span_ns * span_ns
            if to_ns is not None and start > to_ns:
                break
            if start < from_ns:
                continue
            if not found or found[-1][0] != start:
                found.append([start, list(bids), list(asks), 0])
            else:
                for side, later in ((found[-1][1], bids), (found[-1][2], asks)):
                    side[1], side[2], side[3] = max(side[1], later[1]), min(side[2], later[2]), later[3]
            found[-1][3] += ticks
        return found

    def answer(self, listing, query, offset_h):
        """Give the bars that a request asks for; the newest is still forming while the market is open."""
        span_ns = RESOLUTIONS.get(query.get("resolution", "MINUTE"))
        if span_ns is None:
            raise Refused(400, "error.invalid.resolution")
        count = query.get("max", str(ROWS_DEFAULT))
        if not count.isdigit() or not 0 < int(count) <= ROWS_MAX:
            raise Refused(400, "error.invalid.max")
        from_ns, to_ns = self.bounds(query, span_ns, int(count))
        rows = self.bars(listing.epic, span_ns, from_ns or 0, to_ns)
        rows = rows[: int(count)] if from_ns is not None else rows[-int(count) :]
        if not rows:
            raise Refused(404, "error.prices.not-found")
        return {"prices": [price_row(row, offset_h) for row in rows], "instrumentType": listing.type}

    def bounds(self, query, span_ns, count):
        """Read from and to, both inclusive; their span is held against `max`, weekends or not."""
        now = self.clock.now()
        to_ns = asked_ns(query["to"], "error.invalid.to") if "to" in query else None
        from_ns = asked_ns(query["from"], "error.invalid.from") if "from" in query else None
        if to_ns is not None and to_ns > now:
            raise Refused(400, "error.invalid.daterange")
        if from_ns is not None and to_ns is not None:
            if from_ns > to_ns:
                raise Refused(400, "error.invalid.daterange")
            if to_ns - from_ns > (count - 1) * span_ns:
                raise Refused(400, "error.invalid.max.daterange")
        return from_ns, to_ns


def price_row(row, offset_h):
    """Give one bar as it goes over the wire."""
    opened, bids, asks, ticks = row
    names = ("openPrice", "highPrice", "lowPrice", "closePrice")
    prices = {name: {"bid": bid, "ask": ask} for name, bid, ask in zip(names, bids, asks, strict=True)}
    return {**both("snapshotTime", opened, offset_h), **prices, "lastTradedVolume": ticks}
