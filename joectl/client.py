"""One request to the daemon, over its Unix socket, and what came of it.

HTTP/1.0 by hand: the answer ends with the connection, nothing is chunked, and the process is spared http.client, which
takes half as long to import as the whole verb may take.
"""

import errno
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple, NoReturn

from joed import protocol
from joed.protocol import Exit, Header, Place

HEAD_BYTES_MAX = 65536
BODY_BYTES_MAX = 64 * 1024 * 1024
CHUNK_BYTES = 65536
SECOND = 1_000_000_000
KNOCK_S = 0.01


class Failure(Exception):
    """What ends a verb: the exit code, the words, what to do next, and the fields of the answer where there is one."""

    def __init__(self, code: Exit, words: str, hint: str = "", fields: dict[str, Any] | None = None) -> None:
        super().__init__(words)
        self.code, self.words, self.hint, self.fields = code, words, hint, fields or {}


class NotRunning(Failure):
    """Nobody answers at the socket."""


class Silent(Failure):
    """The request was sent, and no whole answer came: a change may have happened, or not."""


class Reply(NamedTuple):
    """A whole answer: status, headers by lower-case name, and the JSON of the body."""

    status: int
    headers: dict[str, str]
    body: dict[str, Any]


def boottime_ns() -> int:
    """Give the clock that both ends share, which counts suspend and is never set."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def new_request_id() -> str:
    """Give a fresh key: a UUID of version 7 (RFC 9562), so that keys sort by their time."""
    stamp = time.time_ns() // 1_000_000
    bits = (stamp << 80) | int.from_bytes(os.urandom(10))
    bits = bits & ~(0xF << 76) & ~(0x3 << 62) | (0x7 << 76) | (0x2 << 62)
    text = f"{bits:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def look(place: Place, path: str, timeout_s: float) -> Reply:
    """GET a path; raise Failure unless it is there."""
    try:
        return _checked(_exchange(place, f"GET /v1/{path} HTTP/1.0", {}, b"", timeout_s))
    except Silent as silent:
        raise Failure(Exit.FAILED, silent.words, "joectl doctor") from silent


def change(place: Place, verb: str, request: str, timeout_s: float, asked: dict[str, Any]) -> Reply:
    """POST a verb under its key; raise Failure unless it was done, Silent where that is not known."""
    body = json.dumps(asked).encode()
    headers = {
        Header.KEY: request,
        Header.DEADLINE: str(boottime_ns() + int(timeout_s * SECOND)),
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
    }
    return _checked(_exchange(place, f"POST /v1/{verb} HTTP/1.0", headers, body, timeout_s))


def stream(place: Place, path: str, timeout_s: float, silence_s: float) -> Iterator[bytes]:
    """Give the lines of a stream as they come; raise Failure when it ends or falls silent."""
    with _connected(place, timeout_s) as wire:
        _send(wire, f"GET /v1/{path} HTTP/1.0", {}, b"")
        status, headers, rest = _head(wire)
        if status >= 400:
            raise _refusal(Reply(status, headers, _json(rest + _rest(wire, headers, len(rest)))))
        wire.settimeout(silence_s)
        while True:
            *lines, rest = rest.split(b"\n")
            yield from lines
            try:
                data = wire.recv(CHUNK_BYTES)
            except TimeoutError as error:
                raise Failure(Exit.FAILED, f"joed has said nothing for {silence_s:g} s", "joectl doctor") from error
            except OSError as error:
                raise Failure(Exit.FAILED, f"the stream broke: {error.strerror}", "joectl status") from error
            if not data or len(rest) > BODY_BYTES_MAX:
                raise Failure(Exit.FAILED, "the stream ended", "joectl status")
            rest += data


def _exchange(place: Place, line: str, headers: dict[str, str], body: bytes, timeout_s: float) -> Reply:
    with _connected(place, timeout_s) as wire:
        try:
            _send(wire, line, headers, body)
            status, answered, rest = _head(wire)
            data = rest + _rest(wire, answered, len(rest))
        except TimeoutError as error:
            raise Silent(Exit.UNKNOWN, f"no answer within {timeout_s:g} s") from error
        except OSError as error:
            raise Silent(Exit.UNKNOWN, f"the connection broke: {error.strerror or error}") from error
    return Reply(status, answered, _json(data))


def _connected(place: Place, timeout_s: float) -> socket.socket:
    wire = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    wire.settimeout(timeout_s)
    try:
        with protocol.in_reach(place.socket) as address:
            _connect(wire, address, time.monotonic() + timeout_s)
    except OSError as error:
        wire.close()
        _not_connected(place, error)
    return wire


def _connect(wire: socket.socket, address: str, until: float) -> None:
    """Connect; where the queue at the door is full, which a socket with a time limit hears at once, try again."""
    while True:
        try:
            wire.connect(address)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise
            time.sleep(KNOCK_S)
        else:
            return


def _not_connected(place: Place, error: OSError) -> NoReturn:
    if isinstance(error, PermissionError):
        hint = f"be in the group {protocol.VIEWERS} or {protocol.OPERATORS} (log in again after joining), or use sudo"
        raise Failure(Exit.NOT_PERMITTED, f"{place.socket} is not yours to open", hint) from error
    if isinstance(error, TimeoutError | BlockingIOError):
        raise NotRunning(
            Exit.NOT_RUNNING, f"joed does not take connections at {place.socket}", "joectl doctor"
        ) from error
    why = "a dead socket" if error.errno == errno.ECONNREFUSED else "no socket"
    words = f"joed is not running: {why} at {place.socket} ({place.found_by})"
    raise NotRunning(Exit.NOT_RUNNING, words, start_hint(place)) from error


def start_hint(place: Place) -> str:
    """Say how the daemon that was looked for is started."""
    if place.socket == protocol.SYSTEM_SOCKET:
        return "systemctl start joed, or joed --demo for a day without an account"
    if place.state_dir is not None:
        return f"joed --demo --state-dir {place.state_dir} (or --daemon)"
    return "joed --demo"


def _send(wire: socket.socket, line: str, headers: dict[str, str], body: bytes) -> None:
    every = {"Host": protocol.HOST, Header.API: protocol.API, **headers}
    head = "\r\n".join((line, *(f"{name}: {value}" for name, value in every.items()), "", ""))
    # An answer may come before all is sent (too large, too many): then what it says counts, not the broken pipe.
    with suppress(BrokenPipeError):
        wire.sendall(head.encode() + body)


def _head(wire: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Read the status line and the headers; give them with what came behind."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = wire.recv(CHUNK_BYTES)
        if not more or len(data) > HEAD_BYTES_MAX:
            raise ConnectionError("joed closed the connection")
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    line, *rows = head.decode("latin-1").split("\r\n")
    words = line.split(" ", 2)
    if len(words) < 2 or not words[1].isdecimal():
        raise ConnectionError(f"this is not joed: {protocol.safe(line[:80])}")
    named = (row.partition(":") for row in rows)
    return int(words[1]), {name.strip().lower(): value.strip() for name, _, value in named}, rest


def _rest(wire: socket.socket, headers: dict[str, str], have: int) -> bytes:
    """Read the body to its end; a shorter one than was promised is a broken connection."""
    parts = []
    size = have
    while data := wire.recv(CHUNK_BYTES):
        parts.append(data)
        size += len(data)
        if size > BODY_BYTES_MAX:
            raise ConnectionError("the answer has no end")
    if size < int(headers.get("content-length", "0")):
        raise ConnectionError("the answer ended early")
    return b"".join(parts)


def _json(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except ValueError:
        body = None
    return body if isinstance(body, dict) else {"detail": data.decode("utf-8", "replace")}


def _checked(reply: Reply) -> Reply:
    if reply.status >= 400:
        raise _refusal(reply)
    return reply


def _refusal(reply: Reply) -> Failure:
    """Make of a problem what ends the verb."""
    body = reply.body
    outcome = str(body.get("outcome", "none"))
    code = protocol.exit_of(reply.status, str(body.get("code", "")), outcome)
    words = str(body.get("detail", f"joed answered {reply.status}"))
    kind = Silent if outcome == "unknown" else Failure
    return kind(code, words, str(body.get("hint", "")), body)
