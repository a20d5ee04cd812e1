"""A recorded session decided again: today's code and settings on the record's own events, every command compared.

State is as it was when the session's first life began; what was recorded before is folded, not decided. Commands are
compared as bytes, the recorded ones and the new ones both as today's code writes them, so that a field added since
with a default makes no difference by itself.
"""

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import msgspec
from msgspec import Struct

from joed import __version__
from joed.daemon.chain import connect_readonly
from joed.daemon.places import Places, places
from joed.daemon.record import decode_state, encode_commands, encode_event, kind_of
from joed.daemon.store import Entry, Store
from joed.engine.step import refold, step
from joed.errors import ConfigError, JoedError
from joed.model.commands import Command
from joed.model.events import BrokerRead, EpochStarted, Event, Quote, SettingsLoaded, Tick
from joed.model.settings import Settings
from joed.model.state import State

PROGRESS_EACH = 20_000
KEPT = ("universe",)
"""What another config does not change in a replay: the names belong to the session's market."""
BY_THE_MODE = ("mode", "brokers", "session", "eod", "confirm", "feed", "health")
"""What a mode sets by itself (a demo ends flat): it stays as recorded where the other config says nothing of it."""
ID_TAIL = 4
"""The letters at an id's end that its key makes."""

Progress = Callable[[int], object]
"""Is told how many records have been decided, now and then."""


class ReplayImpossible(JoedError):
    """The record does not hold all that is needed to decide this session again."""


class Difference(Struct, frozen=True):
    """The first record that is decided otherwise: its event and both lists of commands as JSON, and why, probably."""

    seq: int
    at_ns: int
    kind: str
    event: str
    recorded: str
    decided: str
    cause: str


class Comparison(Struct, frozen=True):
    """What a replay compared: `decisions` are facts with their commands, `quiet` rows of tape, which must have none."""

    session: str
    first: int
    last: int
    decisions: int
    quiet: int
    folded: int
    difference: Difference | None


class Span(Struct, frozen=True):
    """Where a session lies in the journal: from the first record of the life that opened it to its last fact."""

    first: int
    last: int


def replay(
    state_dir: Path, session: str, settings: Settings | None = None, progress: Progress | None = None
) -> Comparison:
    """Decide a session of this state directory again, by other `settings` where they are given.

    Raises ConfigError where there is no such journal or session, ReplayImpossible where its tape is gone,
    JournalDamaged where the record is not what was written.
    """
    where = places(state_dir)
    if not where.journal.is_file():
        raise ConfigError(f"no journal in {where.root}")
    span = span_of(where, session)
    store = Store.open(where.journal)
    try:
        return Replay(store, session, span, key_of(where), settings, progress or (lambda _count: None)).run()
    finally:
        store.close()


def key_of(where: Places) -> bytes:
    """Give the key of order ids; a replay makes none."""
    if not where.id_key.is_file():
        raise ConfigError(f"the ids cannot be made again without {where.id_key}")
    return where.key()


def span_of(where: Places, session: str) -> Span:
    """Find a session in the journal."""
    db = connect_readonly(where.journal)
    try:
        facts = "FROM records WHERE kind <> 'Tape' AND session <> ''"
        first, last = db.execute(f"SELECT min(seq), max(seq) {facts} AND session = ?", (session,)).fetchone()
        if first is None:
            names = db.execute(f"SELECT DISTINCT CAST(session AS BLOB) {facts}").fetchall()
            known = ", ".join(sorted(name.decode() for (name,) in names))
            raise ConfigError(f"no session {session!r} in {where.root}; there are: {known or 'none'}")
        begun = "SELECT max(seq) FROM records WHERE kind = 'EpochStarted' AND seq <= ?"
        (epoch,) = db.execute(begun, (first,)).fetchone()
        return Span(epoch or first, last)
    finally:
        db.close()


class Replay:
    """One session on its way through today's code."""

    def __init__(
        self,
        store: Store,
        session: str,
        span: Span,
        id_key: bytes,
        settings: Settings | None,
        progress: Progress,
    ) -> None:
        """Begin with the State as it was stored before the session, or with nothing."""
        self._store, self._session, self._span = store, session, span
        self._settings, self._progress = settings, progress
        self._recorded_settings: Settings | None = None
        self._recorded_by = ""
        self._quiet = 0
        found = store.snapshot_before(span.first - 1)
        self._state = State(id_key=id_key) if found is None else decode_state(found[2], id_key)
        self._begun = self._state.seq
        if settings is not None and found is not None:
            self._recorded_settings = self._state.settings
            self._state.settings = changed(self._state.settings, settings)

    def run(self) -> Comparison:
        """Decide the session's records, up to the first that comes out otherwise."""
        state, span, decided, found = self._state, self._span, 0, None
        for entry in self._store.read(self._begun):
            seq = entry[0]
            if seq > span.last or found is not None:
                break
            if seq != state.seq + 1:
                raise ReplayImpossible(
                    f"the records {state.seq + 1} to {seq - 1} are gone: their tape has been deleted"
                )
            if seq < span.first:
                refold(state, entry[1], self._event(entry[2]), entry[3])
                continue
            found = self._decide(entry)
            decided += 1
            if decided % PROGRESS_EACH == 0:
                self._progress(decided)
        return Comparison(
            session=self._session,
            first=span.first,
            last=state.seq,
            decisions=decided - self._quiet,
            quiet=self._quiet,
            folded=max(0, span.first - 1 - self._begun),
            difference=found,
        )

    def _event(self, event: Event) -> Event:
        """Give the event as it is to be applied: settings, where others are to be tried, replaced."""
        if isinstance(event, EpochStarted):
            self._recorded_by = event.version
        if not isinstance(event, SettingsLoaded):
            return event
        self._recorded_settings = event.settings
        if self._settings is None:
            return event
        return msgspec.structs.replace(event, settings=changed(event.settings, self._settings))

    def _decide(self, entry: Entry) -> Difference | None:
        """Decide one record again, and say what came out otherwise."""
        _, now, event, recorded = entry
        before = self._state.seq
        try:
            commands = step(self._state, now, self._event(event))
        except Exception as error:  # noqa: BLE001 - whatever a rule raises is what there is to tell
            return self._difference(entry, f"{error!r}", f"today's code cannot handle it: {error!r}")
        assert self._state.seq == before + 1
        if not commands and not recorded:
            self._quiet += quiet(event)
            return None
        ours, theirs = encode_commands(commands), encode_commands(recorded)
        return None if ours == theirs else self._difference(entry, ours.decode(), self._cause(commands, recorded))

    def _difference(self, entry: Entry, decided: str, cause: str) -> Difference:
        seq, now, event, recorded = entry
        said = encode_event(event).decode()
        return Difference(seq, now, kind_of(event), said, encode_commands(recorded).decode(), decided, cause)

    def _cause(self, commands: list[Command], recorded: list[Command]) -> str:
        """Say why it probably came out otherwise."""
        known = self._recorded_settings
        keys = [] if known is None else differing(known, self._state.settings)
        if keys:
            return f"the settings differ: {'; '.join(keys)}"
        if without_tails(commands) == without_tails(recorded):
            return "only the ids differ: id.key is not the one that these orders were made with"
        if self._recorded_by and self._recorded_by != __version__:
            return f"it was recorded by joed {self._recorded_by}, this is {__version__}: the code decides otherwise"
        return "the code has changed since, or decided by something that is not in the record"


def quiet(event: Event) -> bool:
    """Say whether an event without commands is a row of tape and not a decision to do nothing."""
    return isinstance(event, Quote | Tick | BrokerRead)


def changed(recorded: Settings, other: Settings) -> Settings:
    """Give recorded settings with what another config says in their place."""
    default = Settings()
    kept = {
        field.name: getattr(recorded, field.name)
        for field in fields(Settings)
        if field.name in KEPT
        or (field.name in BY_THE_MODE and getattr(other, field.name) == getattr(default, field.name))
    }
    return replace(other, **kept)


def differing(recorded: object, other: object, path: str = "") -> list[str]:
    """List the keys in which two settings differ, with both values."""
    if is_dataclass(recorded) and type(recorded) is type(other):
        return [
            words
            for field in fields(recorded)
            for words in differing(
                getattr(recorded, field.name), getattr(other, field.name), f"{path}.{field.name}".lstrip(".")
            )
        ]
    if recorded == other:
        return []
    if isinstance(recorded, Mapping):
        return [path]
    return [f"{path} was {recorded}, is {other}"]


def without_tails(commands: list[Command]) -> list[Command]:
    """Give commands with the key's part cut from their ids."""
    return [
        msgspec.structs.replace(
            command,
            **{
                name: value[:-ID_TAIL]
                for name in command.__struct_fields__
                if isinstance(value := getattr(command, name), str) and value.startswith("j1-")
            },
        )
        for command in commands
    ]


def run_replay(state_dir: Path, session: str, settings: Settings | None, options: Namespace) -> int:
    """Replay a session, print what was compared, and give 0 where all came out the same, else 1."""
    with progress_line() as progress:
        found = replay(state_dir, session, settings, progress)
    if options.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found, order="sorted"), indent=2).decode() + "\n")
    else:
        sys.stdout.write(words(found))
    return 0 if found.difference is None else 1


def words(found: Comparison) -> str:
    """Say what was compared, for a person, ending in a newline."""
    compared = f"session {found.session}: {found.decisions} decisions and {found.quiet} quiet records"
    difference = found.difference
    if difference is None:
        return f"{compared} decided again, {found.first} to {found.last}: no difference\n"
    return (
        f"{compared} decided again, from {found.first}; the first difference is at seq {difference.seq}\n"
        f"  event     {difference.kind} {difference.event}\n"
        f"  recorded  {difference.recorded}\n"
        f"  decided   {difference.decided}\n"
        f"  cause     {difference.cause}\n"
    )


@contextmanager
def progress_line() -> Iterator[Progress]:
    """Give what counts records on a terminal, in one line that goes at the end; elsewhere what shows nothing."""
    if not sys.stderr.isatty():
        yield lambda _count: None
        return
    try:
        yield lambda count: sys.stderr.write(f"\r\033[K{count:,} records") and sys.stderr.flush()
    finally:
        sys.stderr.write("\r\033[K")
