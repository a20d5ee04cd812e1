"""What a person asks of a running daemon: its pauses, its answers, and a kill, also of one that is stopped."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

from joed import protocol
from tests.bench.inotify import Watched
from tests.bench.measure import Row, Scale, percentile
from tests.bench.process import ROOT, Running, asked_s, piped, ran_s, request, running, settle

STREAM = 2_000
SCOPE = "entries"
KILL = b'{"args":{"scope":"entries"}}'
LATCH_WAIT_S = 10.0


def rows(scale: Scale, room: Path) -> Iterator[Row]:
    """Give the rows of one daemon with 500 instruments, jobs each second and a snapshot each second."""
    words = ("--quick", "--snapshot-s", "1", "--instruments", str(scale.instruments))
    state_dir = room / "house"
    with running(room, "tests.bench.house", str(state_dir), *words) as house, piped("tests.bench.bare") as bare:
        house.ask(f"{min(STREAM, scale.flood)}")
        bare.ask("1")
        settle(scale.warm_s)
        yield pauses(scale, house, bare)
        yield server(scale, state_dir)
        yield flooded(scale, house, state_dir)
        yield killed(scale, state_dir)
        yield stopped(scale, house, state_dir)


def pauses(scale: Scale, house: Running, bare: Running) -> Row:
    """Give the worst pause of a round, each with a full collection, a snapshot and every job."""
    worst: list[tuple[int, int]] = []
    house.ask("collect")
    bare.ask("1")
    for _ in range(scale.rounds):
        settle(scale.seconds / 4)
        worst.append((house.ask("collect"), bare.ask("1")))
    ours, floor = (median(side) / 1e6 for side in zip(*worst, strict=True))
    return Row("worst pause of the loop after READY", ours, "ms", 5.0, floor=floor)


def server(scale: Scale, state_dir: Path) -> Row:
    """Give a status as a raw client has it, connection included, beside an echo through the same loop."""
    ours, floor = asked_in_turns(scale.kills * 10, state_dir, lambda _: request("GET", "status"))
    return Row("joectl status, on the server, p50", median(ours), "ms", 0.3, floor=median(floor))


def flooded(scale: Scale, house: Running, state_dir: Path) -> Row:
    """Give a kill's receipt while quotes flood in, beside an echo through the same loop."""
    house.ask(str(scale.flood))
    settle(scale.warm_s / 4)
    ours, floor = asked_in_turns(scale.kills * 7, state_dir, lambda count: request("POST", "kill", f"f{count}", KILL))
    house.ask("0")
    name = f"kill receipt under {scale.flood:,} quotes/s, p99"
    return Row(name, percentile(ours, 0.99), "ms", 50.0, floor=percentile(floor, 0.99))


def asked_in_turns(count: int, state_dir: Path, asked) -> tuple[list[float], list[float]]:
    """Ask the control socket and the echo in turns; give how long each took, in ms."""
    ours, floor = list[float](), list[float]()
    run = state_dir / "run"
    for number in range(count):
        took_s, answer = asked_s(run / protocol.SOCKET_NAME, asked(number))
        assert answer.startswith(b"HTTP/1.1 200"), answer
        ours.append(took_s * 1e3)
        floor.append(asked_s(run / "echo.sock", b"?")[0] * 1e3)
    return ours, floor


def killed(scale: Scale, state_dir: Path) -> Row:
    """Give a whole `joectl kill` with a daemon that answers: the latch is durable, and the receipt is there."""
    ours, floor = list[float](), list[float]()
    for _ in range(scale.kills):
        ours.append(ran_s("-m", "joectl", "--state-dir", str(state_dir), "kill", "--scope", SCOPE) * 1e3)
        floor.append(ran_s("-c", "pass") * 1e3)
    assert protocol.read_latch(state_dir) is not None
    return Row(
        "joectl kill, latch and receipt, whole process, p99",
        percentile(ours, 0.99),
        "ms",
        150.0,
        floor=percentile(floor, 0.99),
    )


def stopped(scale: Scale, house: Running, state_dir: Path) -> Row:
    """Give the time from the start of `joectl kill` until its latch is on the disk, the daemon being stopped."""
    ours, floor = list[float](), list[float]()
    house.process.send_signal(signal.SIGSTOP)
    try:
        with Watched(state_dir) as watched:
            for _ in range(scale.kills):
                for file in (state_dir / protocol.LATCH_DIR).iterdir():
                    file.unlink()
                ours.append(latched_s(state_dir, watched) * 1e3)
                floor.append(ran_s("-c", "pass") * 1e3)
    finally:
        house.process.send_signal(signal.SIGCONT)
    return Row(
        "joectl kill, latch durable, daemon stopped, p99",
        percentile(ours, 0.99),
        "ms",
        150.0,
        floor=percentile(floor, 0.99),
    )


def latched_s(state_dir: Path, watched: Watched) -> float:
    """Run one kill, and give when its latch was synced, in seconds from the start of its process."""
    words = ["--state-dir", str(state_dir), "--timeout", "0.05", "kill", "--scope", SCOPE]
    begun = perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "joectl", *words], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        synced = watched.closed(LATCH_WAIT_S)
        process.wait()
    assert protocol.read_latch(state_dir) is not None
    return synced - begun
