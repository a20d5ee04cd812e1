"""Records that have left the memory of this process, read back from the journal's file beside its writer."""

from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from joed.daemon.chain import connect_readonly
from joed.daemon.reads import Record
from joed.daemon.record import decode_commands, decode_event
from joed.model.commands import MarkEquity

FACTS = "SELECT seq, at_ns, event, commands FROM records WHERE seq > ? AND seq < ? AND kind <> 'Tape'"
NAMES = " AND (instr(event, ?) > 0 OR instr(commands, ?) > 0)"

MARKS = """
SELECT at_ns, commands FROM (
    SELECT seq, at_ns, session, commands FROM records WHERE kind <> 'Tape' ORDER BY seq DESC LIMIT ?
) WHERE session = ? AND instr(commands, 'MarkEquity') > 0 ORDER BY seq
"""
MARKS_AMONG = 20_000

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


def read_marks(path: Path, session: str) -> list[tuple[int, Decimal]]:
    """Give what a session had made at each mark of its equity, oldest first: engine time, and realised, open and fees.

    Only so many of the newest facts are looked at, whatever the age of the journal. Raises as `read_past`.
    """
    with closing(connect_readonly(path)) as base:
        rows = base.execute(MARKS, (MARKS_AMONG, session)).fetchall()
    marks = ((at_ns, command) for at_ns, commands in rows for command in decode_commands(commands))
    return [
        (at_ns, mark.realised + mark.unrealised - mark.fees) for at_ns, mark in marks if isinstance(mark, MarkEquity)
    ]


def search_past(path: Path, event: Sequence[str], commands: Sequence[str], before: int, limit: int) -> Sequence[Record]:
    """Give at most `limit` facts before this seq whose event and commands hold all these words, the newest first."""
    conditions = ["instr(event, ?) > 0"] * len(event) + ["instr(commands, ?) > 0"] * len(commands)
    query = " AND ".join((NEWEST, *conditions)) + " ORDER BY seq DESC LIMIT ?"
    with closing(connect_readonly(path)) as base:
        rows = base.execute(query, (before, *event, *commands, limit)).fetchall()
    return [Record(seq, now, decode_event(said), decode_commands(issued)) for seq, now, said, issued in rows]
