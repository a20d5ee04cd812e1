"""One client's connection: the handshake, its requests by number, what it subscribed to, and what it is sent."""

import asyncio
from collections import deque
from socket import SO_LINGER, SOL_SOCKET
from struct import pack

from tests.fakes.tws.answers import ANSWERS, NEED_THE_SERVERS
from tests.fakes.tws.contracts import stamp
from tests.fakes.tws.wire import CLIENT_VERSION_MIN, PREFIX, BadFrame, Fields, Frames, fields_of, frame

RATE_MAX = 50
"""Messages in a second that TWS takes from one client."""
VIOLATIONS_MAX = 3
"""How often a client may be too fast before TWS ends its connection."""
PIECE_S = 0.001
RECEIVED_MAX = 1000
"""Messages of a client that are kept for whoever wants to look."""
START_API = "71"
START_CODES = (
    (2104, "Market data farm connection is OK:usfarm"),
    (2106, "HMDS data farm connection is OK:ushmds"),
    (2158, "Sec-def data farm connection is OK:secdefil"),
)


class Session(asyncio.Protocol):
    """A connection, from accept to its end."""

    def __init__(self, tws):
        self.tws = tws
        self.transport = None
        self.frames = Frames()
        self.state = "prefix"
        self.client_id = None
        self.version = 0
        self.data_type = 1
        self.lines = {}
        self.tick_lines = {}
        self.bar_lines = {}
        self.summaries = {}
        self.wants_positions = False
        self.wants_account = ""
        self.binds = False
        self.pulled = False
        self.recent = deque(maxlen=RATE_MAX + 1)
        self.violations = 0
        self.waiting = bytearray()
        self.received = deque(maxlen=RECEIVED_MAX)

    def connection_made(self, transport):
        """Begin."""
        self.transport = transport
        self.tws.sessions.append(self)

    def connection_lost(self, error):
        """End: its lines go, its orders stay."""
        self.tws.forget(self)

    def data_received(self, data):
        """Take bytes, and answer each message that is whole; garbage ends the connection, as TWS does."""
        if self.pulled or self.tws.gateway == "mute":
            return
        try:
            if self.state == "prefix":
                data = self.begin(data)
            for body in self.frames.feed(data):
                # The version alone comes without a NUL at its end.
                self.take([body.decode("ascii", "replace")] if self.state == "version" else fields_of(body))
        except BadFrame as error:
            self.tws.log("garbage", str(error))
            self.close()

    def begin(self, data):
        """Read what comes before the first frame."""
        self.frames.buffer += data
        if len(self.frames.buffer) < len(PREFIX):
            return b""
        if not self.frames.buffer.startswith(PREFIX):
            raise BadFrame("no API prefix")
        data, self.frames.buffer = bytes(self.frames.buffer[len(PREFIX) :]), bytearray()
        self.state = "version"
        return data

    def take(self, fields):
        """Take one message."""
        if self.state == "version":
            self.shake_hands(fields)
            return
        if self.transport.is_closing() or not fields:
            return
        self.received.append(fields)
        self.tws.log("<<", self.client_id, fields)
        if self.tws.gateway == "silent" or self.too_fast():
            return
        if fields[0] == START_API:
            self.start(fields)
        elif self.client_id is not None:
            self.answer(fields)

    def answer(self, fields):
        """Answer a request, or put it off: orders travel, and some questions need the servers."""
        answer = ANSWERS.get(fields[0])
        if answer is None:
            self.tws.log("unknown", fields)
        elif not self.tws.linked and fields[0] in NEED_THE_SERVERS:
            self.tws.parked.append(lambda: self.perform(answer, fields))
        else:
            self.tws.travel(fields[0], lambda: self.perform(answer, fields))

    def perform(self, answer, fields):
        """Answer now; what cannot be read ends the connection."""
        try:
            answer(self, Fields(fields[1:]))
        except BadFrame as error:
            self.tws.log("garbage", str(error), fields)
            self.close()

    def shake_hands(self, fields):
        """Agree on a version, or end: `v157..176`, with options behind it."""
        low, _, high = fields[0].split(" ")[0].strip("\0").removeprefix("v").partition("..")
        if not low.isdigit() or (high and not high.isdigit()):
            raise BadFrame(f"no version: {fields}")
        self.version = min(int(high or low), self.tws.version)
        if self.version < max(int(low), CLIENT_VERSION_MIN):
            raise BadFrame(f"no version in common: {fields}")
        self.state = "open"
        self.write(frame(self.version, stamp(self.tws.clock.now(), suffix=" EST")))

    def too_fast(self):
        """Say whether this message is one too many for this second, and tell; three times is the end."""
        now = self.tws.loop_time()
        self.recent.append(now)
        if not self.tws.paces or len(self.recent) <= RATE_MAX or now - self.recent[0] >= 1.0:
            return False
        self.recent.clear()
        self.violations += 1
        self.error(-1, 100, "Max rate of messages per second has been exceeded:max=50 rec=51 (1)")
        if self.violations >= VIOLATIONS_MAX:
            self.close()
        return True

    def start(self, fields):
        """Take the client's id and tell it the accounts and the next order id."""
        client_id = Fields(fields[2:]).number(-1)
        if self.tws.is_taken(client_id):
            self.error(-1, 326, "Unable to connect as the client id is already in use. Retry with a unique client id.")
            self.close()
            return
        self.client_id = client_id
        if self.tws.gateway == "login":
            self.send(15, 1, "")
            return
        self.tws.clients[client_id] = self
        self.send(15, 1, ",".join(self.tws.accounts))
        self.send(9, 1, self.tws.desk.next_id)
        for code, words in START_CODES:
            self.error(-1, code, words)
        if not self.tws.linked:
            self.error(-1, 1100, "Connectivity between IBKR and Trader Workstation has been lost.")

    def send(self, *fields):
        """Send a message, as the faults in force let it pass."""
        if self.pulled or self.transport is None or self.transport.is_closing():
            return
        self.tws.log(">>", self.client_id, fields)
        self.tws.tampering.pass_on(fields[0], lambda: self.write(frame(*fields)))

    def write(self, data):
        """Send bytes, behind those that still trickle."""
        if self.pulled or self.transport.is_closing():
            return
        if not self.tws.trickle and not self.waiting:
            self.transport.write(data)
            return
        idle = not self.waiting
        self.waiting += data
        if idle:
            self.pump()

    def pump(self):
        """Send the next few bytes, and the others a millisecond later."""
        if self.pulled or self.transport.is_closing():
            return
        count = self.tws.trickle or len(self.waiting)
        self.transport.write(bytes(self.waiting[:count]))
        del self.waiting[:count]
        if self.waiting:
            asyncio.get_running_loop().call_later(PIECE_S, self.pump)

    def error(self, request, code, words, advanced=""):
        """Send an error, a warning or a note."""
        self.send(4, 2, request, code, words, advanced)

    def pull(self):
        """Pull the cable: nothing arrives any more on either side, and nobody is told."""
        self.pulled = True
        self.transport.pause_reading()

    def close(self):
        """End the connection in order."""
        self.transport.close()

    def reset(self):
        """End the connection by a reset, where it has a socket that can."""
        sock = self.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", 1, 0))
        self.abort()

    def abort(self):
        """End the connection at once; the client sees a reset, or an end without what was under way."""
        self.transport.abort()
