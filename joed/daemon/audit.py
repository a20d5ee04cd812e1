"""The journal seen from outside: is it whole, and what does it hold. Needs no daemon, and disturbs none."""

import csv
import datetime as dt
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Literal

import msgspec

from joed.daemon import chain
from joed.daemon.anchor import first_amiss
from joed.daemon.chain import EVERYTHING, JournalDamaged, JournalNewer, Progress
from joed.daemon.sidecars import Head

COLUMNS = ("seq", "at_ns", "at", "session", "kind", "event", "commands", "hash")


class Verdict(msgspec.Struct, frozen=True):
    """What a verification found; `damaged` is the first record that is wrong (0: the file itself), None where none is.

    `head` is the last record's hash in hex: compare it with one noted elsewhere to know that nothing was rewritten.
    """

    whole: bool
    records: int = 0
    blocks: int = 0
    blocks_pruned: int = 0
    snapshots: int = 0
    last: int = 0
    head: str = ""
    damaged: int | None = None
    words: str = ""
    anchors: int = 0


def verify(state_dir: Path, progress: Progress | None = None, anchors: Sequence[Head] = ()) -> Verdict:
    """Check the whole chain, every block of tape wherever it lies, the snapshots and the file; name the first wrong.

    `anchors` are heads that were noted elsewhere: whoever rewrites the chain from its start cannot rewrite those.
    Raises FileNotFoundError where there is no journal, sqlite3.OperationalError where it cannot be opened.
    """
    path = _journal_in(state_dir)
    try:
        found = chain.check(path, EVERYTHING, progress)
    except JournalDamaged as damage:
        return Verdict(whole=False, damaged=damage.seq, words=str(damage))
    except JournalNewer as newer:
        return Verdict(whole=False, words=str(newer))
    if words := first_amiss(path, anchors):
        return Verdict(whole=False, last=found.head.seq, head=found.head.hash.hex(), words=f"{path}: {words}")
    held = f", and {len(anchors)} anchors with them" if anchors else ""
    return Verdict(
        whole=True,
        anchors=len(anchors),
        records=found.records,
        blocks=found.blocks,
        blocks_pruned=found.blocks_pruned,
        snapshots=found.snapshots,
        last=found.head.seq,
        head=found.head.hash.hex(),
        words=f"{found.records} records hold, up to {found.head.seq}{held}",
    )


def export(state_dir: Path, form: Literal["json", "csv"], out: IO[str]) -> int:
    """Write every record of the journal, seals of tape included, and give how many.

    "json" is one array with a record a line; "csv" has a heading, and the event and commands as JSON inside.
    """
    db = chain.connect_readonly(_journal_in(state_dir))
    try:
        db.text_factory = str
        rows = db.execute("SELECT seq, at_ns, session, kind, event, commands, hash FROM records ORDER BY seq")
        return FORMS[form](map(_readable, rows), out)
    finally:
        db.close()


Readable = tuple[int, int, str, str, str, str, str, str]


def _readable(row: tuple[int, int, str, str, str, str, bytes]) -> Readable:
    seq, at_ns, session, kind, event, commands, digest = row
    return seq, at_ns, _utc(at_ns), session, kind, event, commands, digest.hex()


def _utc(at_ns: int) -> str:
    """Write a time as ISO 8601 in UTC, with all its nanoseconds."""
    seconds, nanoseconds = divmod(at_ns, 1_000_000_000)
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"


def _write_json(rows: Iterator[Readable], out: IO[str]) -> int:
    count = 0
    for row in rows:
        seq, at_ns, at, session, kind, event, commands, digest = row
        head = json.dumps({"seq": seq, "at_ns": at_ns, "at": at, "session": session, "kind": kind})
        # What is stored is JSON already, and goes out as the same bytes.
        out.write(",\n" if count else "[\n")
        out.write(f'{head[:-1]}, "event": {event}, "commands": {commands}, "hash": "{digest}"}}')
        count += 1
    out.write("\n]\n" if count else "[]\n")
    return count


def _write_csv(rows: Iterator[Readable], out: IO[str]) -> int:
    writer, count = csv.writer(out, lineterminator="\n"), 0
    writer.writerow(COLUMNS)
    for count, row in enumerate(rows, start=1):  # noqa: B007 - the count is the answer
        writer.writerow(row)
    return count


FORMS: dict[str, Callable[[Iterator[Readable], IO[str]], int]] = {"json": _write_json, "csv": _write_csv}


def _journal_in(state_dir: Path) -> Path:
    path = state_dir / "joed.db"
    if not path.is_file():
        raise FileNotFoundError(f"no journal in {state_dir}")
    return path
