"""A control socket in a process of its own, for what is measured of a process: memory and descriptors."""

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from joectl.client import KNOCK_S
from tests.daemon.serving import nobody, received, request, serving
from tests.joectl.running import ROOT, environment

CHUNK = b"x" * 65536


def main():
    """Serve until standard input ends."""
    state_dir, viewers = Path(sys.argv[1]), int(sys.argv[2]) or None
    with serving(state_dir, entrance=nobody()._replace(uid=os.getuid(), viewers=viewers)):
        print("ready", flush=True)
        sys.stdin.read()


@contextmanager
def apart(tmp_path, viewers=0):
    """Give the socket and the pid of a server that runs until the block ends."""
    command = [sys.executable, "-m", "tests.daemon.apart", str(tmp_path / "state"), str(viewers)]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        try:
            yield tmp_path / "state" / "run" / "control.sock", process.pid
        finally:
            process.stdin.close()


def connected(path):
    """Open a connection."""
    wire = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    wire.settimeout(10)
    try:
        wire.connect(str(path))
    except OSError:
        wire.close()
        raise
    return wire


def knocked(path):
    """Open a connection as joectl does: where the queue at the door is full, again a moment later."""
    while True:
        try:
            return connected(path)
        except BlockingIOError:
            time.sleep(KNOCK_S)


def closed(wire):
    """Say whether the other end has closed, and close ours."""
    wire.settimeout(0.2)
    try:
        return wire.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def flood(path, head, total):
    """Send a line without an end, and give how many bytes were taken before the other end had enough."""
    with connected(path) as wire:
        sent = 0
        try:
            wire.sendall(head)
            while sent < total:
                sent += wire.send(CHUNK)
        except OSError:
            pass
        return sent


def looked_s(path, data=None):
    """Ask, and give how long the whole took, connection included."""
    began = time.monotonic()
    with knocked(path) as wire:
        wire.sendall(data or request("GET", "/v1/status", {}))
        answer = received(wire)
    assert answer.startswith(b"HTTP/1.1 200"), answer[:200]
    return time.monotonic() - began


def resident_bytes(pid):
    """Give what a process holds in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def descriptors(pid):
    """Count a process's descriptors."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


if __name__ == "__main__":
    main()
