"""Records that have left the memory of this process, read back from the journal's file beside its writer."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from joed.daemon.chain import connect_readonly
from joed.daemon.reads import Record
from joed.daemon.record import decode_commands, decode_event

FACTS = "SELECT seq, at_ns, event, commands FROM records WHERE seq > ? AND seq < ? AND kind <> 'Tape'"
NAMES = " AND (instr(event, ?) > 0 OR instr(commands, ?) > 0)"

NEWEST = "SELECT seq, at_ns, event, commands FROM records WHERE seq < ? AND kind <> 'Tape'"


def read_past(path: Path, after: int, before: int, limit: int, name: str = "") -> Sequence[Record]:
    """Give at most `limit` facts with seq between `after` and `before`, oldest first; with `name` those that hold it.

    For a thread of its own: it reads what is durable and waits for nobody. Raises sqlite3.Error where it cannot.
    """
    query, values = (
        f"{FACTS}{NAMES if name else ''} ORDER BY seq LIMIT ?",
        [after, before, *([name] * 2 if name else [])],
    )
    with closing(connect_readonly(path)) as base:
        rows = base.execute(query, (*values, limit)).fetchall()
    return [Record(seq, now, decode_event(event), decode_commands(commands)) for seq, now, event, commands in rows]


def search_past(path: Path, event: Sequence[str], commands: Sequence[str], before: int, limit: int) -> Sequence[Record]:
    """Give at most `limit` facts before this seq whose event and commands hold all these words, the newest first."""
    conditions = ["instr(event, ?) > 0"] * len(event) + ["instr(commands, ?) > 0"] * len(commands)
    query = " AND ".join((NEWEST, *conditions)) + " ORDER BY seq DESC LIMIT ?"
    with closing(connect_readonly(path)) as base:
        rows = base.execute(query, (before, *event, *commands, limit)).fetchall()
    return [Record(seq, now, decode_event(said), decode_commands(issued)) for seq, now, said, issued in rows]
