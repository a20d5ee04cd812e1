"""A TWS that only pushes quotes: `python -m tests.bench.ibkr_flood COUNT LINES PAUSE_US`; prints its port.

It greets, waits until so many lines are open, and then pushes: without a pause as fast as they are taken, with one a
quote a packet. The last quote is marked by its price.
"""

import socket
import sys
from time import sleep

from joed.brokers.ibkr.frames import Frames, prefixed

ACCOUNT, VERSION = "DU1234567", 176
LAST_BID = 777.0
STREAM = "1"


def frame(*fields: object) -> bytes:
    """Give one message of TWS."""
    return prefixed("".join(f"{field}\0" for field in fields).encode())


def quote(request: str, bid: float) -> bytes:
    """Give a quote as TWS tells it: each price with its size, and the size once more."""
    first = frame(1, 6, request, 1, bid, 100, 1) + frame(2, 6, request, 0, 100)
    return first + frame(1, 6, request, 2, round(bid + 0.02, 2), 200, 1) + frame(2, 6, request, 3, 200)


def lines_of(client: socket.socket, count: int) -> list[str]:
    """Greet, and give the numbers of the lines that the client opens."""
    head = b""
    while not head.startswith(b"API\0") or len(head) < 8 or len(head) < 8 + int.from_bytes(head[4:8], "big"):
        head += client.recv(4096)
    client.sendall(frame(VERSION, "20260901 09:30:00 EST"))
    frames, found, greeted = Frames(), [], False
    while len(found) < count:
        for fields in frames.feed(client.recv(65536)):
            if not greeted:
                greeted = True
                client.sendall(frame(15, 1, ACCOUNT) + frame(9, 1, 1))
            elif fields[0] == STREAM:
                found.append(fields[2])
    return found


def main(count: int, lines: int, pause_us: int) -> None:
    """Serve one client after the other until the process ends."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            client, _ = server.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                serve(client, count, lines, pause_us)
            except OSError:
                client.close()


def serve(client: socket.socket, count: int, lines: int, pause_us: int) -> None:
    """Push to one client."""
    names = lines_of(client, lines)
    pushes = [quote(names[number % lines], 100.0 + number // lines % 7 / 100) for number in range(count)]
    pushes.append(quote(names[0], LAST_BID))
    if not pause_us:
        client.sendall(b"".join(pushes))
    for push in pushes if pause_us else ():
        client.sendall(push)
        sleep(pause_us / 1e6)
    while client.recv(65536):
        pass


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
