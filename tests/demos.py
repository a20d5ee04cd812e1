"""A demo as a process that a test starts, asks, kills and starts again; its exchange is left to live on."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from joectl.client import Failure, look
from joed import protocol
from joed.brokers.paper_store import whole
from joed.daemon.chain import Bounds
from joed.daemon.places import places
from joed.daemon.recovery import recover
from joed.daemon.store import Store
from joed.engine.step import refold
from joed.engine.view import view
from joed.errors import BrokerUnavailable
from joed.model.book import ExchangeState, laws
from tests.joectl.running import environment, joectl

ROOT = Path(__file__).resolve().parent.parent
QUIET = "daemon:\n  metrics_port: 0\n  ballast_mb: 0\n"
"""A configuration that shares no port with another test, and writes no ballast."""


def quiet(folder, more=""):
    """Write a configuration for tests, and give its path."""
    path = folder / "joed.yaml"
    path.write_text(QUIET + more)
    return path


def joed(*words, timeout=240, env=None, **options):
    """Run joed to its end and give what it said."""
    command = [sys.executable, "-m", "joed", *map(str, words)]
    where = {**environment(TMPDIR="/tmp"), **(env or {})}
    return subprocess.run(
        command,
        env=where,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=timeout,
        check=False,
        **options,
    )


class Demo:
    """One state directory and the joed that runs on it, if one does."""

    def __init__(self, root, *words, config=None, env=None, program=("-m", "joed")):
        """Run demos on `root` with these words; `config` None makes one that is quiet."""
        self.program = program
        self.root = Path(root)
        self.root.mkdir(parents=True, exist_ok=True)
        self.config = config or quiet(self.root)
        self.words = [*map(str, words)]
        self.places = places(self.root)
        self.process = None
        self.env = {**environment(TMPDIR="/tmp"), **(env or {})}
        self.out, self.err = self.root / "out.txt", self.root / "err.txt"

    def start(self):
        """Start it, and give the moment (monotonic, in s)."""
        begun = time.monotonic()
        where = ["--demo", "--state-dir", self.root, "--config", self.config]
        command = [sys.executable, *self.program, *where, *self.words]
        with self.out.open("wb") as out, self.err.open("ab") as err:
            self.process = subprocess.Popen(
                [*map(str, command)], env=self.env, stdout=out, stderr=err, stdin=subprocess.DEVNULL
            )
        return begun

    @property
    def lives(self):
        """Say whether it runs."""
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """End it as a power cut does, and say whether it still ran."""
        lived = self.lives
        self.process.kill()
        self.process.wait()
        return lived

    def interrupt(self, number=signal.SIGINT, wait_s=30.0):
        """Ask it to end, and give its exit status."""
        self.process.send_signal(number)
        return self.process.wait(wait_s)

    def wait(self, seconds):
        """Wait for its end, and give its exit status; None if it goes on."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def ask(self, *words):
        """Have joectl ask it."""
        return joectl(*words, state_dir=self.root)

    def status(self):
        """Give what `joectl status --json` shows, without a process each time; None where joed does not answer."""
        try:
            return look(protocol.find({}, "", str(self.root)), "status", 5.0).body
        except Failure:
            return None

    def until(self, holds, seconds=60.0):
        """Give the first status for which `holds`; fail where none comes in time, or it has ended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.lives:
            shown = self.status()
            if shown is not None and holds(shown):
                return shown
            time.sleep(0.05)
        raise AssertionError(f"not within {seconds} s (lives: {self.lives}): {self.err.read_text()[-2000:]}")

    def until_err(self, words, seconds=60.0):
        """Say whether it says these words, on its standard error, in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if words in self.err.read_text():
                return True
            time.sleep(0.05)
        return False

    def book(self) -> ExchangeState | None:
        """Give the exchange's whole book, None while it holds none."""
        try:
            return whole(self.places.paper)
        except BrokerUnavailable:
            return None

    def end_exchange(self):
        """End the exchange's process, if there is one."""
        from joed.compose import end_venue

        end_venue(self.places)

    def folded(self, seq=None):
        """Give State as the durable record has it: now, or after `seq`; from a copy, so that nothing is disturbed."""
        copy = self.root / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        from joed.daemon.archive import backup

        backup(self.places.journal, copy / "joed.db")
        if self.places.tape.is_dir():
            shutil.copytree(self.places.tape, copy / "tape")
        store = Store.open(copy / "joed.db", bounds=Bounds(0, 0, 0))
        try:
            return recover(store, self.places.key()) if seq is None else fold_to(store, self.places.key(), seq)
        finally:
            store.close()


def fold_to(store, id_key, seq):
    """Fold the record up to this seq, from the newest State before it."""
    from joed.daemon.record import decode_state
    from joed.model.state import State

    found = store.snapshot_before(seq)
    state = State(id_key=id_key) if found is None else decode_state(found[2], id_key)
    for number, now, event, commands in store.read(state.seq):
        if number > seq:
            break
        refold(state, now, event, commands)
    return state


def remembered(state):
    """Give the six fields as JSON shows them."""
    return msgspec.json.decode(msgspec.json.encode(view(state).state))


def holdings(book):
    """Give what the exchange holds, by instrument."""
    return {} if book is None else {name: str(held.quantity) for name, held in book.book.positions.items()}


def breaches(book):
    """Give the laws that the exchange's book breaks."""
    return [] if book is None else laws(book)


def alive(pid):
    """Say whether a process runs; one that has ended and was not asked how does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except FileNotFoundError:
        return False
