"""Processes of the benchmark from outside: started, told READY, weighed and timed by what the kernel knows of them."""

import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, sleep
from typing import NamedTuple

READY_WAIT_S = 30.0
STOP_WAIT_S = 10.0
ROOT = Path(__file__).resolve().parents[2]


class Running(NamedTuple):
    """A daemon that has said READY, and how long that took from its start, in seconds."""

    process: subprocess.Popen
    ready_s: float

    def ask(self, line: str) -> int:
        """Send a house one line and give the worst pause since the last, in ns."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@contextmanager
def piped(*words: str) -> Iterator[Running]:
    """Start `python -m WORDS`, which says nothing of itself, and let it end with its stdin."""
    begun = perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", *words], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Running(process, perf_counter() - begun)
        process.communicate(timeout=STOP_WAIT_S)


@contextmanager
def running(room: Path, *words: str, gently: bool = True) -> Iterator[Running]:
    """Start `python -m WORDS`, wait for its READY=1, and end it when the block ends: in order, or at once."""
    address = room / "notify"
    address.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(address))
        notify.settimeout(READY_WAIT_S)
        begun = perf_counter()
        with subprocess.Popen(
            [sys.executable, "-m", *words],
            env={**os.environ, "NOTIFY_SOCKET": str(address), "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            try:
                while b"READY=1" not in notify.recv(4096):
                    pass
                yield Running(process, perf_counter() - begun)
            finally:
                end(process, gently=gently)


def end(process: subprocess.Popen, *, gently: bool) -> None:
    """End a process in order, else by force."""
    process.send_signal(signal.SIGCONT)
    process.send_signal(signal.SIGTERM if gently else signal.SIGKILL)
    try:
        process.communicate(timeout=STOP_WAIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def ran_s(*words: str) -> float:
    """Give how long `python WORDS` takes from start to end, in seconds."""
    begun = perf_counter()
    subprocess.run([sys.executable, *words], check=False, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True)
    return perf_counter() - begun


def resident_mib(pid: int) -> float:
    """Give the resident memory of a process, in MiB (proc(5), statm)."""
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGESIZE") / (1 << 20)


def on_cpu_s(pid: int) -> float:
    """Give how long all threads of a process have been on a processor, in seconds (schedstat counts nanoseconds)."""
    found = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += int((task / "schedstat").read_text("ascii").split()[0])
    return found / 1e9


def children(pid: int) -> list[int]:
    """Give the child processes of a process."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text("ascii").split()]
    return found


def asked_s(path: Path, data: bytes) -> tuple[float, bytes]:
    """Send bytes to a Unix socket and read to the end: how long that took, in seconds, and what came."""
    begun = perf_counter()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
        wire.settimeout(READY_WAIT_S)
        wire.connect(str(path))
        wire.sendall(data)
        parts = []
        while part := wire.recv(65536):
            parts.append(part)
    return perf_counter() - begun, b"".join(parts)


def request(method: str, verb: str, key: str = "", body: bytes = b"") -> bytes:
    """Write a request as joectl does."""
    lines = [f"{method} /v1/{verb} HTTP/1.1", "Host: joed"]
    lines += [f"Idempotency-Key: {key}", f"Content-Length: {len(body)}"] if key else []
    return "\r\n".join((*lines, "", "")).encode() + body


def settle(seconds: float) -> None:
    """Let a process go on by itself for a while."""
    sleep(seconds)


def readable(file, seconds: float) -> bool:
    """Say whether a file becomes readable in time."""
    with selectors.DefaultSelector() as selector:
        selector.register(file, selectors.EVENT_READ)
        return bool(selector.select(seconds))
