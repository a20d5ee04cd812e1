"""A page that a test serves, and a hand that asks it in raw HTTP."""

import os
import socket
import threading
from contextlib import contextmanager

from joed.daemon.log import Log
from joed.daemon.web.server import Limits, Server
from joed.engine.view import view
from tests.engine.build import holding


class Shown:
    """What is shown: a View that a test sets, and records."""

    def __init__(self, shown=None, records=()):
        self.hurried = False
        self.shown, self.records = shown or view(holding()), list(records)

    def view(self):
        """Give the View."""
        return self.shown

    def hurry(self):
        """Note that somebody looks."""
        self.hurried = True

    def marks(self, session):
        """Give none: nothing was before."""
        return ()

    def recent(self):
        """Give the records."""
        return self.records


def quiet_log():
    """Give a log that nobody reads."""
    return Log("json", lambda: 0, descriptor=os.open(os.devnull, os.O_WRONLY))


class Said:
    """A log that keeps what it is told."""

    def __init__(self):
        self.lines = []
        self.news = threading.Event()

    def __getattr__(self, level):
        def keep(event, **fields):
            self.lines.append((level, event, fields))
            self.news.set()

        return keep


@contextmanager
def served(side=None, log=None, **limits):
    """Serve a page on a port that nobody has."""
    server = Server(side or Shown(), 0, log or quiet_log(), Limits(**limits))
    try:
        yield server
    finally:
        server.close()


def raw(server, text, wait_s=10.0):
    """Send bytes, and give all that comes back."""
    with socket.create_connection(("127.0.0.1", server.port), wait_s) as wire:
        wire.sendall(text.encode() if isinstance(text, str) else text)
        found = b""
        try:
            while data := wire.recv(65536):
                found += data
        except ConnectionError:
            pass
        return found.decode("latin-1")


def ask(server, path="/", method="GET", host=None, **headers):
    """Ask once; give status, headers by lower-case name, and the body."""
    rows = {"Host": f"127.0.0.1:{server.port}" if host is None else host}
    rows |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in rows.items())
    return parsed(raw(server, f"{method} {path} HTTP/1.1\r\n{head}\r\n"))


def parsed(answer):
    """Take an answer apart."""
    head, _, body = answer.partition("\r\n\r\n")
    line, *rows = head.split("\r\n")
    return int(line.split()[1]), {row.split(":")[0].lower(): row.partition(": ")[2] for row in rows}, body


@contextmanager
def streaming(server, *, receive_bytes=0):
    """Hold a stream open, and give its socket after its request was sent."""
    with socket.socket() as wire:
        if receive_bytes:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        wire.settimeout(10)
        wire.connect(("127.0.0.1", server.port))
        wire.sendall(f"GET /events HTTP/1.0\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode())
        yield wire


def messages(wire):
    """Give each message of a stream, as it comes."""
    data = b""
    while True:
        while b"\n\n" in data:
            piece, _, data = data.partition(b"\n\n")
            yield piece.decode()
        more = wire.recv(65536)
        if not more:
            return
        data += more
