"""Where the chain's head is kept beyond the journal's own reach, so that an older copy in its place is seen.

Two places: a witness file outside the state directory, written after each commit, which the next start compares; and
one line in the system log at each start, flush and end, which `joectl audit verify --journal FILE` compares.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path

from joed.daemon.chain import connect_readonly, witnessed
from joed.daemon.log import Log
from joed.daemon.native import JOURNALD, Native
from joed.daemon.sidecars import Head, read_witness

ANCHOR = "anchor"
"""The name of the witness file, beside the socket."""
EVENT = "audit_anchor"
HASH = re.compile(r"hash[\"']?[=:@ ]+[\"']?([0-9a-f]{64})", re.IGNORECASE)
SEQ = re.compile(r"seq[\"']?[=:@ ]+[\"']?(\d{1,19})", re.IGNORECASE)
ASKED = re.compile(r"([0-9a-f]{64})@(\d{1,19})")

Row = Callable[[int], bytes | None]
"""Gives the hash of the record with this seq, None where there is none."""


def amiss(anchor: Head, last: int, hash_of: Row) -> str:
    """Say how a journal that ends at `last` fails an anchor, "" where it holds it."""
    if anchor.seq > last:
        return f"the journal ends at {last}, but record {anchor.seq} was durable: this is an older copy"
    if anchor.seq and hash_of(anchor.seq) != anchor.hash:
        return f"record {anchor.seq} is not the one that was durable: this is another history"
    return ""


def check_witness(journal: Path, witness: Path) -> str:
    """Say why this journal is not the one that the witness has seen last, "" where it is, or nobody says."""
    try:
        anchor = read_witness(witness)
    except (OSError, ValueError) as error:
        return f"the witness {witness} cannot be read: {error}"
    return "" if anchor is None else first_amiss(journal, [anchor])


def first_amiss(journal: Path, anchors: Iterable[Head]) -> str:
    """Say which anchor a journal fails first, "" where it holds them all; it may be growing meanwhile."""
    if not journal.exists():
        return next((amiss(anchor, 0, lambda _: None) for anchor in anchors if anchor.seq), "")
    with closing(connect_readonly(journal)) as base:
        if not base.execute("SELECT 1 FROM sqlite_master WHERE name = 'records'").fetchone():
            return next((amiss(anchor, 0, lambda _: None) for anchor in anchors if anchor.seq), "")
        last = base.execute("SELECT coalesce(max(seq), 0) FROM records").fetchone()[0]

        def hash_of(seq: int) -> bytes | None:
            row = base.execute("SELECT hash FROM records WHERE seq = ?", (seq,)).fetchone()
            return row[0] if row else None

        return next((words for anchor in anchors if (words := amiss(anchor, last, hash_of))), "")


def asked(words: str) -> Head:
    """Read HASH@SEQ; raise ValueError where it is none."""
    found = ASKED.fullmatch(words.strip())
    if found is None:
        raise ValueError(f"an anchor is HASH@SEQ, 64 hex digits and a number; not {words!r}"[:200])
    return Head(int(found[2]), bytes.fromhex(found[1]))


def anchors_in(lines: Iterable[str]) -> Iterator[Head]:
    """Give the anchors in a log, whatever its form: joed's own text or JSON, or what journalctl exports."""
    for line in lines:
        if EVENT in line and (digest := HASH.search(line)) and (seq := SEQ.search(line)):
            yield Head(int(seq[1]), bytes.fromhex(digest[1]))


def tell(journal: Path, session: str, log: Log, socket_path: Path | None = JOURNALD) -> None:
    """Leave the newest durable head in the system log: with fields of its own where journald takes them."""
    with suppress(OSError):
        head = witnessed(journal)
        if head is None:
            return
        if socket_path is None or log.form != "journald" or not _sent(socket_path, session, head):
            log.info(EVENT, session=session, seq=head.seq, hash=head.hash.hex())


def _sent(path: Path, session: str, head: Head) -> bool:
    """Send one entry by journald's own protocol (systemd's JOURNAL_NATIVE_PROTOCOL); False where it does not listen."""
    fields = {
        "MESSAGE": f"{EVENT} session={session} seq={head.seq} hash={head.hash.hex()}",
        "PRIORITY": "6",
        "SYSLOG_IDENTIFIER": "joed",
        "JOED_EVENT": EVENT,
        "JOED_SESSION": session,
        "JOED_SEQ": str(head.seq),
        "JOED_HASH": head.hash.hex(),
    }
    wire = Native(path, wait_s=0.0)
    try:
        return wire.send(fields)
    finally:
        wire.close()
