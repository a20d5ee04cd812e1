"""What a dead joed left behind, read without touching it: its settings, and which executions were of its orders.

No engine folds here: the newest snapshot's orders, and what the records after it say of orders and executions, are all
that it takes to know what is ours. What cannot be read is told, and the caller does with what there is.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import msgspec
from msgspec import Struct

from joed.daemon.chain import connect_readonly
from joed.daemon.record import decode_commands, decode_event, decode_state
from joed.model.commands import SubmitOrder
from joed.model.events import BrokerRead, OrderFilled, SettingsLoaded
from joed.model.settings import Settings
from joed.model.values import Side

NEWEST = "SELECT seq, at_ns, session FROM records ORDER BY seq DESC LIMIT 1"
SETTINGS = "SELECT seq, event FROM records WHERE kind = 'SettingsLoaded' ORDER BY seq DESC LIMIT 1"
SNAPSHOT = "SELECT seq, state FROM snapshots ORDER BY seq DESC LIMIT 1"
TAIL = """
SELECT event, commands FROM records WHERE seq > ? AND (kind IN ('OrderFilled', 'BrokerRead')
OR instr(commands, '"SubmitOrder"') > 0) ORDER BY seq
"""


class Executed(Struct, frozen=True):
    """The latest word on one execution of an order of ours."""

    instrument: str
    side: Side
    quantity: Decimal
    revision: int


class Remains(Struct):
    """What is known of a dead joed.

    `settings` is None where no record tells them. `groups` leads from an order of ours to its group, `executions` holds
    the latest word on each, by order and name. `damage` says what could not be read, in words.
    """

    seq: int = 0
    at_ns: int = 0
    session: str = ""
    settings: Settings | None = None
    settings_seq: int = 0
    groups: dict[str, str] = {}
    executions: dict[tuple[str, str], Executed] = {}
    damage: list[str] = []

    def hear(self, fill: OrderFilled) -> None:
        """Take a word on an execution; a lower revision is old news."""
        known = self.executions.get((fill.order, fill.execution))
        if fill.order and (known is None or known.revision <= fill.revision):
            word = Executed(fill.instrument, fill.side, fill.quantity, fill.revision)
            self.executions[fill.order, fill.execution] = word


def read_remains(path: Path) -> Remains:
    """Give what the journal at this path still tells."""
    found = Remains()
    try:
        with opened(path) as base:
            for part in PARTS:
                try:
                    part(base, found)
                except (sqlite3.Error, msgspec.DecodeError, UnicodeDecodeError, TypeError) as error:
                    found.damage.append(f"{part.__name__}: {error}")
    except (sqlite3.Error, OSError) as error:
        found.damage.append(str(error))
    return found


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a journal to read: as it lies, or from a copy where its disk has no room for the index that readers share.

    Raises sqlite3.Error or OSError where neither works.
    """
    try:
        base = _checked(path)
    except sqlite3.Error:
        with tempfile.TemporaryDirectory(dir=_spare()) as folder:
            for name in (path.name, f"{path.name}-wal"):
                if (source := path.with_name(name)).exists():
                    shutil.copyfile(source, Path(folder) / name)
            base = _checked(Path(folder) / path.name)
            try:
                yield base
            finally:
                base.close()
        return
    try:
        yield base
    finally:
        base.close()


def _checked(path: Path) -> sqlite3.Connection:
    base = connect_readonly(path)
    try:
        base.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    except sqlite3.Error:
        base.close()
        raise
    return base


def _spare() -> str | None:
    """Give a folder that is not on the state directory's disk: memory, where there is such."""
    memory = Path("/dev/shm")  # noqa: S108 - a private directory is made in it
    return str(memory) if memory.is_dir() else None


def newest(base: sqlite3.Connection, found: Remains) -> None:
    """Read where the record ends."""
    row = base.execute(NEWEST).fetchone()
    if row is not None:
        found.seq, found.at_ns, found.session = row[0], row[1], row[2].decode()


def settings(base: sqlite3.Connection, found: Remains) -> None:
    """Read the settings that were last in force."""
    row = base.execute(SETTINGS).fetchone()
    if row is not None:
        event = decode_event(row[1])
        assert isinstance(event, SettingsLoaded), event
        found.settings_seq, found.settings = row[0], event.settings


def orders(base: sqlite3.Connection, found: Remains) -> None:
    """Read the orders of the newest snapshot, and what was said of orders and executions since."""
    row, after = base.execute(SNAPSHOT).fetchone(), 0
    if row is not None:
        after = row[0]
        for order in decode_state(row[1], b"").orders.values():
            found.groups[order.order] = order.group or order.order
            for name, done in order.executions.items():
                word = Executed(order.instrument, order.side, done.quantity, done.revision)
                found.executions[order.order, name] = word
    for event, commands in base.execute(TAIL, (after,)):
        for command in decode_commands(commands):
            if isinstance(command, SubmitOrder):
                for leg in (command.order, command.stop_order, command.target_order):
                    found.groups[leg] = command.group or command.order
        said = decode_event(event)
        fills = said.executions if isinstance(said, BrokerRead) else (said,) if isinstance(said, OrderFilled) else ()
        for fill in fills:
            found.hear(fill)


PARTS: tuple[Callable[[sqlite3.Connection, Remains], None], ...] = (newest, settings, orders)
"""What is read, one independent of the other: a damaged page costs what stood on it."""
