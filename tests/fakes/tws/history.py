"""Historical bars, with the rules by which IBKR refuses those who ask too often."""

from collections import deque

from joed.model.values import DAY, HOUR, MINUTE, SECOND
from tests.fakes.tws.contracts import EASTERN, asked_of, stamp

UNITS = {"S": SECOND, "D": DAY, "W": 7 * DAY, "M": 30 * DAY, "Y": 365 * DAY}
SIZES = {
    **{f"{n} secs": n * SECOND for n in (1, 5, 10, 15, 30)},
    "1 min": MINUTE,
    **{f"{n} mins": n * MINUTE for n in (2, 3, 5, 10, 15, 20, 30)},
    "1 hour": HOUR,
    **{f"{n} hours": n * HOUR for n in (2, 3, 4, 8)},
    "1 day": DAY,
    "1 week": 7 * DAY,
    "1 month": 30 * DAY,
}
BARS_MAX = 4000
WINDOW_S, REQUESTS_MAX = 600.0, 60
SAME_S = 15.0
CLOSE_S, CLOSE_MAX = 2.0, 6
PACING = "Historical Market Data Service error message:Historical data request pacing violation"
DISCONNECTED = (
    "Historical Market Data Service error message:HMDS server disconnect occurred.  Attempting reconnection..."
)
NO_DATA = "Historical Market Data Service error message:HMDS query returned no data: {}@SMART {}"


class Pacing:
    """Counts requests: 60 in ten minutes, none twice in 15 s, fewer than six of one contract in 2 s."""

    def __init__(self):
        self.recent = deque()

    def breach(self, now_s, key, listed):
        """Note a request, and say whether it is one too many."""
        while self.recent and now_s - self.recent[0][0] >= WINDOW_S:
            self.recent.popleft()
        same = any(now_s - at < SAME_S and other == key for at, other, _ in self.recent)
        near = sum(1 for at, _, other in self.recent if now_s - at < CLOSE_S and other == listed)
        weight = sum(2 if "BID_ASK" in other else 1 for _, other, _ in self.recent)
        self.recent.append((now_s, key, listed))
        return same or near >= CLOSE_MAX - 1 or weight >= REQUESTS_MAX


def answer_history(session, fields):
    """Answer a request for bars, or refuse it."""
    tws = session.tws
    request, asked = fields.number(), asked_of(fields)
    fields.skip(1)  # includeExpired
    end, size, duration, regular, what, style = fields.texts(6)
    rows = tws.directory.find(asked)
    if len(rows) != 1:
        session.error(request, 200, "No security definition has been found for the request")
        return
    if size not in SIZES or not duration.split(" ")[0].isdigit() or duration.split(" ")[-1] not in UNITS:
        session.error(request, 321, "Error validating request.-'bY' : cause - Historical data bar size or duration")
        return
    if tws.broken_farms.get("ushmds"):
        session.error(request, 162, DISCONNECTED)
        return
    key = (rows[0].name, end, size, duration, regular, what)
    if tws.paces_history and tws.pacing.breach(tws.loop_time(), key, rows[0].name):
        session.error(request, 162, PACING)
        return
    bars = tws.bars(rows[0].name, *span(tws.clock.now(), end, duration), SIZES[size])[-BARS_MAX:]
    if not bars:
        session.error(request, 162, NO_DATA.format(rows[0].symbol, what))
        return
    tell(session, request, bars, SIZES[size] >= DAY, style)


def span(now, end, duration):
    """Give from when to when bars are asked for, in ns; an empty end is now."""
    count, unit = duration.split(" ")
    return now - int(count) * UNITS[unit], now


def tell(session, request, bars, daily, style):
    """Send bars: (at_ns, open, high, low, close, volume); days by their date, the rest as style says."""
    fields = []
    for at_ns, opened, high, low, close, volume in bars:
        day = stamp(at_ns, suffix="")[:8]
        moment = str(int(at_ns // SECOND)) if style == "2" else stamp(at_ns, suffix=" US/Eastern")
        average = round((opened + high + low + close) / 4, 4)
        fields += [day if daily else moment, opened, high, low, close, int(volume), average, max(1, int(volume) // 100)]
    first, last = stamp(int(bars[0][0]), EASTERN), stamp(int(bars[-1][0]), EASTERN)
    session.send(17, request, first, last, len(bars), *fields)


def cancel_history(session, fields):
    """End a request that is kept up to date; there is none."""
    fields.skip(1)
    session.error(fields.number(), 366, "No historical data query found for ticker id")
