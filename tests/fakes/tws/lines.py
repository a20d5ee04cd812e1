"""Market data: what each symbol's prices are, who is told, and in which of the many numbers of a tick."""

from dataclasses import dataclass, field

from joed.model.values import SECOND
from tests.fakes.tws.contracts import Listed
from tests.fakes.tws.wire import frame

LINES_MAX = 100
TICK_LINES_MAX = 5
LIVE, FROZEN, DELAYED, DELAYED_FROZEN = 1, 2, 3, 4
BID, ASK, LAST, HIGH, LOW, VOLUME, CLOSE, OPEN, LAST_TIME, RT_VOLUME, HALTED = 1, 2, 4, 6, 7, 8, 9, 14, 45, 48, 49
SIZE_OF = {1: 0, 2: 3, 4: 5, 66: 69, 67: 70, 68: 71}
"""The size that goes with a price."""
LATE = {0: 69, 1: 66, 2: 67, 3: 70, 4: 68, 5: 71, 6: 72, 7: 73, 8: 74, 9: 75, 14: 76, 45: 88}
"""The number of a tick when it is delayed."""
SIZE = 100
"""A size, where the exchange knows none."""
RT_VOLUME_TICK = "233"
NOT_SUBSCRIBED = "Requested market data is not subscribed."
BY_TYPE = {"Last": 1, "AllLast": 2, "BidAsk": 3, "MidPoint": 4}


@dataclass(slots=True)
class Board:
    """What is known of one symbol's day; prices None where there is none."""

    bid: float | None = None
    ask: float | None = None
    last: float | None = None
    bid_size: float | None = None
    ask_size: float | None = None
    volume: float | None = None
    high: float | None = None
    low: float | None = None
    open: float | None = None
    close: float | None = None
    last_ns: int = 0
    halted: bool = False
    traded: bool = False

    def take(self, quote, now):
        """Take a quote, and note whether it tells of a trade."""
        before = (self.last, self.volume)
        self.bid, self.ask = quote.bid, quote.ask
        self.bid_size, self.ask_size = quote.bid_size, quote.ask_size
        self.last = quote.last if quote.last is not None else self.last
        self.volume = quote.volume if quote.volume is not None else self.volume
        self.traded = self.last is not None and before != (self.last, self.volume)
        if self.traded:
            self.last_ns = now
            self.open = self.open if self.open is not None else self.last
            self.high = self.last if self.high is None else max(self.high, self.last)
            self.low = self.last if self.low is None else min(self.low, self.last)


@dataclass(slots=True)
class Line:
    """One subscription of one client."""

    session: object
    request: int
    listed: Listed
    data_type: int = LIVE
    generic: tuple = ()
    stopped: bool = False
    told: dict = field(default_factory=dict)

    @property
    def late(self):
        """Say whether its ticks are the delayed ones."""
        return self.data_type in {DELAYED, DELAYED_FROZEN}

    def number(self, tick):
        """Give the number that a tick has on this line."""
        return LATE.get(tick, tick) if self.late else tick

    def price(self, tick, value, size=0, mask=0):
        """Give a price with its size, as the two messages that TWS makes of it."""
        number = self.number(tick)
        messages = [(1, 6, self.request, number, value, whole(size), mask)]
        if number in SIZE_OF and self.listed.sec_type != "IND":
            messages.append((2, 6, self.request, SIZE_OF[number], whole(size)))
        return messages


def whole(size):
    """Write a size without a needless fraction."""
    size = SIZE if size is None else size
    return int(size) if float(size).is_integer() else size


def opening(line, board):
    """Give the first messages of a line: its terms, then all that is known."""
    tick = 0.01 if line.listed.sec_type == "IND" else line.listed.tick
    messages = [(81, line.request, tick, "9c0001", 3), (58, 1, line.request, line.data_type)]
    messages += prices(line, board, anew=True)
    messages.append((45, 6, line.request, HALTED, float(board.halted)))
    days = ((CLOSE, board.close), (HIGH, board.high), (LOW, board.low), (OPEN, board.open))
    for number, value in days:
        if value is not None:
            messages += line.price(number, value)
    return messages


def prices(line, board, *, anew=False):
    """Give the messages of a quote; an index has a last price and nothing else."""
    messages = []
    if line.listed.sec_type == "IND":
        last = board.last if board.last is not None else board.ask
        return line.price(LAST, last, 0) if last is not None else []
    for number, value, size in ((BID, board.bid, board.bid_size), (ASK, board.ask, board.ask_size)):
        if value is not None:
            messages += line.price(number, value, 0 if value < 0 else size, 1)
    if board.last is not None and (anew or board.traded):
        seconds = board.last_ns // SECOND
        messages += line.price(LAST, board.last, SIZE)
        messages.append((46, 6, line.request, line.number(LAST_TIME), seconds))
        if board.volume is not None:
            messages.append((2, 6, line.request, line.number(VOLUME), whole(board.volume)))
        if RT_VOLUME_TICK in line.generic:
            text = f"{board.last};{SIZE};{board.last_ns // 1_000_000};{whole(board.volume or 0)};{board.last};true"
            messages.append((46, 6, line.request, RT_VOLUME, text))
    return messages


def tick_by_tick(request, kind, board, now):
    """Give the message of a tick-by-tick line for the newest quote, or none where it says nothing to it."""
    seconds = now // SECOND
    if kind in {"Last", "AllLast"}:
        if not board.traded:
            return []
        return [(99, request, BY_TYPE[kind], seconds, board.last, SIZE, 0, "ISLAND", "")]
    if board.bid is None or board.bid < 0:
        return []
    if kind == "BidAsk":
        return [(99, request, 3, seconds, board.bid, board.ask, whole(board.bid_size), whole(board.ask_size), 0)]
    return [(99, request, 4, seconds, round((board.bid + board.ask) / 2, 6))]


class Market:
    """All boards and lines; `permits` says what the account may see of a symbol: live, delayed or none."""

    def __init__(self, tws):
        self.tws = tws
        self.boards = {}
        self.by_symbol = {}
        self.permits = {}
        self.refusals = {}
        self.lines_max = LINES_MAX
        self.frozen = False
        self.silent = False

    def board(self, name):
        """Give a symbol's board."""
        return self.boards.setdefault(name, Board())

    def quote(self, quote):
        """Take a quote and tell those who watch, each in one write."""
        now, board = self.tws.clock.now(), self.board(quote.instrument)
        board.take(quote, now)
        if not self.silent and self.tws.linked:
            self.tell(quote.instrument, now)

    def tell(self, name, now):
        """Send a symbol's newest prices to its lines."""
        board = self.boards[name]
        for line in tuple(self.by_symbol.get(name, {}).values()):
            if not line.stopped:
                self.send(line.session, prices(line, board))
        for session in self.tws.clients.values():
            for request, (listed, kind) in session.tick_lines.items():
                if listed.name == name:
                    self.send(session, tick_by_tick(request, kind, board, now))

    def send(self, session, messages):
        """Send several messages in one write."""
        if messages and not session.pulled:
            session.write(b"".join(frame(*message) for message in messages))

    def subscribe(self, session, request, rows, *, generic="", snapshot=False):
        """Open a line, or say why not."""
        if request in session.lines:
            session.error(request, 102, "Duplicate ticker ID.")
        elif len(rows) != 1:
            words = "The contract description specified is ambiguous." if rows else "No security definition has been"
            session.error(request, 200, words if rows else f"{words} found for the request")
        elif self.count() >= self.lines_max:
            session.error(request, 101, "Max number of tickers has been reached")
        elif data_type := self.type_for(session, request, rows[0]):
            line = Line(session, request, rows[0], data_type, tuple(generic.split(",")))
            self.send(session, opening(line, self.board(rows[0].name)))
            if snapshot:
                session.send(57, 1, request)
                return
            session.lines[request] = line
            self.by_symbol.setdefault(rows[0].name, {})[(id(session), request)] = line

    def count(self):
        """Count the lines of all clients."""
        return sum(len(session.lines) for session in self.tws.clients.values())

    def type_for(self, session, request, listed):
        """Give the type of data that a line gets, 0 where it gets none, which is said."""
        permit, asked = self.permits.get(listed.name, "live"), session.data_type
        if code := self.refusals.get(listed.name):
            session.error(request, code, f"{NOT_SUBSCRIBED}Check API status by selecting the Account menu")
            return 0
        if permit == "live":
            return FROZEN if self.frozen and asked in {FROZEN, DELAYED_FROZEN} else LIVE
        if permit == "none":
            late = asked in {DELAYED, DELAYED_FROZEN}
            words = f"{NOT_SUBSCRIBED} Delayed market data is not enabled." if late else NOT_SUBSCRIBED
            session.error(request, 10168 if late else 354, words)
            return 0
        if asked in {LIVE, FROZEN}:
            session.error(request, 10089, f"{NOT_SUBSCRIBED} Delayed market data is available.{listed.symbol}")
            return 0
        session.error(request, 10167, f"{NOT_SUBSCRIBED} Displaying delayed market data.")
        return DELAYED_FROZEN if self.frozen and asked == DELAYED_FROZEN else DELAYED

    def cancel(self, session, request):
        """Close a line; what is not open cannot be closed."""
        line = session.lines.pop(request, None)
        if line is None:
            session.error(request, 300, f"Can't find EId with tickerId:{request}")
            return
        self.by_symbol[line.listed.name].pop((id(session), request), None)

    def drop(self, session=None):
        """Close all lines of a client that went, or of everybody: what 1101 says."""
        for one in [session] if session else list(self.tws.clients.values()):
            for request, line in one.lines.items():
                self.by_symbol[line.listed.name].pop((id(one), request), None)
            one.lines.clear()
            one.tick_lines.clear()

    def halt(self, name, halted):
        """Say that trading of a symbol is halted, or goes on."""
        self.board(name).halted = halted
        for line in self.by_symbol.get(name, {}).values():
            line.session.send(45, 6, line.request, HALTED, float(halted))

    def close(self, name):
        """Take a symbol's bid and ask away: -1 is what TWS says where there is none."""
        board = self.board(name)
        board.bid = board.ask = -1.0
        board.bid_size = board.ask_size = 0
        self.tell(name, self.tws.clock.now())
