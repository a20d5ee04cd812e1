"""The control socket for tests: a real server on a real socket, over real State, with the engine's own answers."""

import asyncio
import json
import socket
import threading
from contextlib import contextmanager, suppress
from decimal import Decimal

from joed.daemon.control import Control
from joed.daemon.desk import _holds
from joed.daemon.lanes import Limits, listen
from joed.daemon.peer import Door, door
from joed.daemon.reads import Record
from joed.engine import operator
from joed.engine.changes import APPLY_COMMAND, APPLY_EVENT
from joed.engine.receipt import receipt_of
from joed.engine.view import view
from joed.model.commands import LatchKill
from joed.model.events import Candidate, OperatorAsked, OrderAccepted, Quote, RegimeRead
from joed.model.orders import Order, Position
from joed.model.settings import Instrument, Settings
from joed.model.state import Broker, Day, Job, Market, State
from joed.model.triggers import Trigger
from joed.model.values import HOUR, SECOND, Crossing, Kind, Leg, Scope, Side, Status

D = Decimal
OPEN = 1_735_914_600 * SECOND
"""2025-01-03 09:30 in New York."""
CLOSE = OPEN + 6 * HOUR + HOUR // 2
UNIVERSE = {symbol: Instrument(symbol) for symbol in ("AAPL", "MSFT", "NVDA", "TSLA")}


def state_of_a_day(**more):
    """Give a State an hour into a session: one protected position, one resting entry, one Trigger."""
    state = State(
        seq=41,
        now=OPEN + HOUR,
        epoch=3,
        settings=Settings(universe=UNIVERSE),
        day=Day("2025-01-03", OPEN, CLOSE, D(100000), D("100.00"), D("3.20"), trades=2, wins=1),
        settings_digest="5e771465" * 8,
        cash=D("98101.80"),
        version="0.1.0",
    )
    state.brokers["paper"] = Broker("paper", up=True, account="PAPER-1", connection=1, reconciled=True)
    state.brokers["paper"].quoted_ns = state.now - SECOND
    hold(state, "AAPL", stop="196.00", target="210.00")
    put(state, "e2", "MSFT", Leg.ENTRY, "5", "410.00")
    state.triggers["NVDA"] = Trigger(
        "NVDA", Side.BUY, D("131.20"), Crossing.ABOVE, OPEN + 2 * HOUR, D(129), D(140), "breakout", "s1"
    )
    state.markets["NVDA"] = Market("NVDA", quote=Quote("NVDA", 130.0, 130.1))
    state.watchlist = (Candidate("NVDA", 0.9, ("near its high",)), Candidate("AAPL", 0.5))
    state.regime, state.regime_ns = RegimeRead("bull", 0.8, ("above its 200-day average",)), OPEN
    state.jobs["scan"] = Job("scan", 3, ended_ns=OPEN, next_ns=OPEN + 2 * HOUR)
    for name, value in more.items():
        setattr(state, name, value)
    return state


def hold(state, instrument, *, stop, target):
    """Add ten of an instrument, bought at 199.50 and bid at 201.00, with a working stop and target."""
    position = Position(instrument, "paper", D(10), D("199.50"), group=f"{instrument}-e", strategy="breakout")
    position.stop_order, position.target_order, position.opened_ns = f"{instrument}-s", f"{instrument}-t", OPEN
    state.positions[instrument] = position
    state.markets[instrument] = Market(instrument, quote=Quote(instrument, 201.0, 201.02))
    put(state, f"{instrument}-s", instrument, Leg.STOP, "10", stop)
    put(state, f"{instrument}-t", instrument, Leg.TARGET, "10", target)
    return position


def put(state, name, instrument, leg, quantity, level, status=Status.WORKING):
    """Add a living order that was sent 90 s ago; it buys when it is an entry."""
    opens = leg is Leg.ENTRY
    kind = Kind.STOP if leg is Leg.STOP else Kind.LIMIT
    side = Side.BUY if opens else Side.SELL
    order = Order(name, "paper", instrument, side, D(quantity), kind, leg, opens, status, name, "breakout", name)
    order.terms, order.armed_ns = D(level), state.now - 90 * SECOND
    state.orders[name] = order
    return order


def unconfirmed(state):
    """Block all entries until the card is signed, as the engine does."""
    block = operator.unconfirmed(state.now)
    state.blocks[block.key] = block
    return state


def killed(state):
    """Latch a kill, as the engine does."""
    APPLY_COMMAND[LatchKill](state, state.now, LatchKill(Scope.ORDERS, "killed by uid 1000: test"))
    return state


class Desk:
    """What the daemon gives to the socket: requests are answered by the engine's operator and folded at once."""

    def __init__(self, state):
        self.state = state
        self.asked: list[OperatorAsked] = []
        self.kept = [Record(5, OPEN, OrderAccepted("AAPL-e", "17"))]
        self.flushed = 0
        self.denied = []
        self.kills_s = []
        self.first = 0
        self.hold = None
        """An asyncio.Event that requests wait for, where a test sets one."""

    def view(self):
        """Give the View of the State."""
        return view(self.state)

    async def ask(self, asked):
        """Answer as the engine does, and record it."""
        self.asked.append(asked)
        if self.hold is not None:
            await self.hold.wait()
        commands = []
        self.state.seq += 1
        APPLY_EVENT[OperatorAsked](self.state, self.state.now, asked)
        operator.asked(self.state, self.state.now, asked, commands)
        self.kept.append(Record(self.state.seq, self.state.now, asked, tuple(commands)))
        for command in commands:
            APPLY_COMMAND[type(command)](self.state, self.state.now, command)
        return self.state.answers[asked.request]

    async def records(self, since, limit, order=""):
        """Give what was recorded."""
        rows = [row for row in self.kept if row.seq > since]
        return [row for row in rows if not order or order == getattr(row.event, "order", "")][:limit]

    async def search(self, event, commands, before, limit):
        """Give what was recorded and holds all words, the newest first."""
        found = [row for row in self.kept if row.seq < before and _holds(row, event, commands)]
        return found[::-1][:limit]

    def oldest(self):
        """Give where the record begins."""
        return self.first

    def note(self, denied):
        """Keep it."""
        self.denied.append(denied)

    def kill_answered(self, took_s):
        """Keep how long it took."""
        self.kills_s.append(took_s)

    def receipt(self):
        """Give the receipt of the kill in force."""
        return receipt_of(self.state)

    async def flush(self):
        """Count it."""
        self.flushed += 1
        return self.state.seq


class Serving:
    """A real server on a real socket, in a thread with a loop of its own."""

    def __init__(self, desk, state_dir, limits, entrance):
        self.desk, self.state_dir, self.limits, self.entrance = desk, state_dir, limits, entrance
        self.socket = state_dir / "run" / "control.sock"
        self.boottime_ns = 1000 * SECOND
        self.control = None
        self.loop = asyncio.new_event_loop()
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        """Serve until the loop is stopped."""
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self.begin())
        self.loop.run_forever()
        self.loop.run_until_complete(self.control.stop())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()

    async def begin(self):
        """Listen."""
        self.control = Control(
            self.desk,
            state_dir=self.state_dir,
            boottime=lambda: self.boottime_ns,
            limits=self.limits,
            instance="test",
            entrance=self.entrance,
        )
        await self.control.start(listen(self.socket, self.state_dir))
        self.ready.set()

    def connect(self):
        """Open a connection."""
        wire = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        wire.settimeout(10)
        wire.connect(str(self.socket))
        return wire

    def raw(self, data):
        """Send bytes, and give all that comes back until the connection ends."""
        with self.connect() as wire:
            with suppress(BrokenPipeError):
                wire.sendall(data)
            return received(wire)

    def get(self, path, **headers):
        """GET: give the status, the headers and the JSON."""
        return parsed(self.raw(request("GET", path, headers)))

    def post(self, verb, body=b"{}", key="k1", **headers):
        """POST a verb, with a key unless it is None."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {**headers, **({"Idempotency-Key": key} if key is not None else {})}
        return parsed(self.raw(request("POST", f"/v1/{verb}", named, data)))


def received(wire):
    """Read to the end."""
    parts = []
    try:
        while data := wire.recv(65536):
            parts.append(data)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def request(method, path, headers, body=b""):
    """Write a request as joectl does; an underscore in a header's name is a dash."""
    every = {"Host": "joed", **({"Content-Length": len(body)} if body else {}), **headers}
    rows = [f"{method} {path} HTTP/1.1", *(f"{name.replace('_', '-')}: {value}" for name, value in every.items())]
    return "\r\n".join((*rows, "", "")).encode() + body


def parsed(data):
    """Take an answer apart: status, headers by lower-case name, JSON."""
    head, _, body = data.partition(b"\r\n\r\n")
    line, *rows = head.decode().split("\r\n")
    headers = dict(row.lower().split(": ", 1) for row in rows)
    return int(line.split()[1]), headers, json.loads(body)


@contextmanager
def serving(state_dir, state=None, limits=None, entrance=None):
    """Serve a State's view until the block ends; `entrance` tells who counts as what."""
    state_dir.mkdir(exist_ok=True)
    server = Serving(Desk(state or state_of_a_day()), state_dir, limits or Limits(), entrance or door())
    server.thread.start()
    assert server.ready.wait(10)
    try:
        yield server
    finally:
        server.loop.call_soon_threadsafe(server.loop.stop)
        server.thread.join(10)


def nobody():
    """Give a door that knows nobody: every peer but root is a stranger."""
    return Door(uid=4_000_000_000, operators=None, viewers=None)
