"""The words on the control socket: verbs, roles, headers, exit codes, where things lie, and how a kill is latched.

Standard library only, and little of it: joectl imports this before it has said anything.
"""

import io
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import NamedTuple

API = "1.0"
"""What we speak; a minor number grows with each addition, a major one with each break."""
API_MIN = "1.0"
"""The oldest that the daemon still answers."""
HOST = "joed"
SOCKET_NAME = "control.sock"
SYSTEM_SOCKET = Path("/run/joed") / SOCKET_NAME
SYSTEM_STATE_DIR = Path("/var/lib/joed")
STATE_LINK = "state"
"""Beside each socket, a link of this name leads to the state directory."""
PATH_BYTES_MAX = 100
"""Longer paths do not fit a Unix socket's address (108 bytes), and are reached through their directory."""

REASON_CHARACTERS_MAX = 500
"""How long a reason may be; it stands in the record for ever."""

OPERATORS = "joed-op"
VIEWERS = "joed-view"
"""The groups that may act, and look."""

A_DEMO = "a demo that was found"
"""Whom joectl found where it was told of none."""
PROBLEM_TYPE = "application/problem+json"
STREAM_TYPE = "application/x-ndjson"


class Header(StrEnum):
    """The headers of ours; `DEADLINE` is in nanoseconds of CLOCK_BOOTTIME, which both ends share."""

    KEY = "Idempotency-Key"
    REPLAYED = "Idempotency-Replayed"
    DEADLINE = "Joed-Deadline"
    API = "Joed-API"
    VERSION = "Joed-Version"
    MODE = "Joed-Mode"
    INSTANCE = "Joed-Instance"
    SEQ = "Joed-Seq"


class Role(IntEnum):
    """What a peer may do; each includes those before it."""

    ANY = 0
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


class Way(StrEnum):
    """What a verb does to the risk: what raises it never needs less of a role than what takes the same away."""

    REDUCES = "reduces"
    RAISES = "raises"
    KEEPS = "keeps"


class Mutation(NamedTuple):
    """Who may do it, the names of what may be said with it, and what it does to the risk."""

    role: Role
    args: tuple[str, ...] = ()
    way: Way = Way.KEEPS


MUTATIONS = {
    "confirm": Mutation(Role.OPERATOR, ("card",), way=Way.RAISES),
    "kill": Mutation(Role.OPERATOR, ("scope", "drill"), way=Way.REDUCES),
    "release": Mutation(Role.ADMIN, ("block",), way=Way.RAISES),  # deliberately harder than the kill
    "flush": Mutation(Role.OPERATOR),
    "ack": Mutation(Role.OPERATOR, ("key", "all")),
    "alert_test": Mutation(Role.OPERATOR, ("channel",)),
    "run": Mutation(Role.OPERATOR, ("job",)),
    "pause": Mutation(Role.OPERATOR, way=Way.REDUCES),
    "resume": Mutation(Role.OPERATOR, way=Way.RAISES),
    "cancel": Mutation(Role.OPERATOR, ("order", "dry_run"), way=Way.REDUCES),
    "flatten": Mutation(Role.OPERATOR, ("instrument", "dry_run"), way=Way.REDUCES),
    "adopt": Mutation(Role.OPERATOR, ("instrument", "stop", "quantity", "dry_run")),  # it adds a stop and no risk
    "resolve": Mutation(Role.ADMIN, ("order", "deal", "dry_run"), way=Way.RAISES),  # a word frees reserved risk
    "reload": Mutation(Role.OPERATOR, way=Way.RAISES),
    "doctor": Mutation(Role.ADMIN, ("drilled",), way=Way.RAISES),  # without it no first live day begins
}
"""Each verb that changes something: POST /v1/VERB."""

SCOPES = ("entries", "orders", "flatten", "account")
"""How far a kill reaches, narrowest first; each includes those before it."""
SCOPE_DEFAULT = "orders"


class Exit(IntEnum):
    """How joectl ends."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_RUNNING = 3
    NOT_PERMITTED = 4
    CONFLICT = 5
    UNKNOWN = 6
    VERSION = 7
    DEGRADED = 8
    HALTED = 9
    INTERRUPTED = 130


CONFLICTS = frozenset(
    {
        *("card_account", "card_build", "card_changed", "card_expired", "card_settings", "card_unknown"),
        *("in_flight", "key_reused", "not_reconciled", "second_user_needed", "session_over", "too_early"),
        *("already_killed", "doctor_needed", "drill_live", "journal_failed", "nothing_to_acknowledge"),
        *("nothing_to_confirm", "nothing_to_release", "nothing_to_resume"),
        *("nothing_to_flatten", "nothing_to_adopt", "not_proven", "books_moved", "order_ended", "not_in_doubt"),
    }
)
"""Refusals that mean: look again, then decide again."""


REMEDIES = {
    "unprotected": "joectl positions; joed repairs or closes it, joectl kill --scope flatten closes all",
    "latched": "joectl release --reason WORDS, once the cause is gone",
    "uncertain": "joectl why ORDER; the broker's next whole read may settle it, else joectl resolve ORDER",
    "books_differ": "compare with the broker's own screen; joectl brokers",
    "faulted": "joectl watch --since 0, and report the event",
    "unconfirmed": "joectl confirm",
    "job_failed": "joectl jobs",
    "rate_stale": "joectl status shows the rates; the broker that tells them, or paper.rates, must give a new one",
    "alert": "joectl alerts; joectl ack KEY",
    "alert_channel": "the log has them all: joectl alerts says why; mend its credential or alerts.yaml, joectl reload",
    "alert_limit": "joectl alerts has what waits; joectl ack what you have seen, or raise its per_hour_max",
    "dead_man": "joectl doctor; mend the credential that alerts.dead_man names, joed tries again by itself",
}
"""What to do about each kind of need."""


def exit_of(status: int, code: str, outcome: str) -> Exit:
    """Give joectl's exit code for an answer: its HTTP status, the problem's code, and what is known of the outcome."""
    if status < 400:
        return Exit.OK
    if outcome == "unknown":
        return Exit.UNKNOWN
    if code == "api_version":
        return Exit.VERSION
    if status in {401, 403}:
        return Exit.NOT_PERMITTED
    if status in {409, 412} or code in CONFLICTS:
        return Exit.CONFLICT
    return Exit.FAILED


def speaks(asked: str) -> bool:
    """Say whether a peer's API version, "major.minor", lies between the oldest that we answer and ours."""
    try:
        return _version(API_MIN) <= _version(asked) <= _version(API)
    except ValueError:
        return False


def _version(words: str) -> tuple[int, int]:
    major, _, minor = words.partition(".")
    return int(major), int(minor)


class Place(NamedTuple):
    """Where a daemon is looked for, and how we came to look there."""

    socket: Path
    state_dir: Path | None
    found_by: str


def find(environ: Mapping[str, str], socket: str = "", state_dir: str = "") -> Place:
    """Say which socket to talk to: what was named, then $JOED_SOCKET, the system's, and a demo that runs.

    Without any, the system's place is given: its absence is what there is to report.
    """
    if socket:
        return _place(Path(socket), state_dir, "--socket")
    if state_dir:
        return Place(socket_in(Path(state_dir)), Path(state_dir), "--state-dir")
    if named := environ.get("JOED_SOCKET"):
        return _place(Path(named), "", "$JOED_SOCKET")
    if exists(SYSTEM_SOCKET):
        return _place(SYSTEM_SOCKET, "", "the system's")
    if (demo := read_demo(environ)) and exists(demo):
        return _place(demo, "", A_DEMO)
    return Place(SYSTEM_SOCKET, SYSTEM_STATE_DIR if SYSTEM_STATE_DIR.is_dir() else None, "the system's")


def _place(socket: Path, state_dir: str, found_by: str) -> Place:
    return Place(socket, Path(state_dir) if state_dir else state_dir_beside(socket), found_by)


def socket_in(state_dir: Path) -> Path:
    """Give the socket of a daemon on this state directory: the system's own uses the run-time directory."""
    linked = state_dir_beside(SYSTEM_SOCKET)
    if linked and _same(linked, state_dir):
        return SYSTEM_SOCKET
    return state_dir / "run" / SOCKET_NAME


def state_dir_beside(socket: Path) -> Path | None:
    """Give the state directory that the link beside a socket names, or None; the daemon need not run."""
    with suppress(OSError):
        return socket.parent / (socket.parent / STATE_LINK).readlink()
    # The run-time directory vanishes with the service; the state directory and its latch do not.
    if socket == SYSTEM_SOCKET and SYSTEM_STATE_DIR.is_dir():
        return SYSTEM_STATE_DIR
    inside = socket.parent.name == "run" and socket.name == SOCKET_NAME
    return socket.parent.parent if inside and socket.parent.parent.is_dir() else None


def link_state(socket: Path, state_dir: Path) -> None:
    """Leave the link that leads from a socket to its state directory, in one step over an older one."""
    fresh = socket.parent / f".{STATE_LINK}-{os.getpid()}"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(state_dir.resolve())
    fresh.replace(socket.parent / STATE_LINK)


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def exists(path: Path) -> bool:
    """Say whether something is there, even where we may not look inside its directory."""
    try:
        path.lstat()
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def demo_file(environ: Mapping[str, str]) -> Path:
    """Give the file that holds a running demo's address; one for each person."""
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        return Path(runtime) / "joed" / "demo"
    temporary = environ.get("TMPDIR") or "/tmp"  # noqa: S108 - read_demo believes nobody else's file; tempfile costs 17 ms
    return Path(temporary) / f"joed-{os.getuid()}" / "demo"


def announce_demo(environ: Mapping[str, str], socket: Path) -> Path:
    """Write a demo's address where joectl looks for it; give the file, for the demo to remove at its end."""
    file = demo_file(environ)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if file.parent.lstat().st_uid != os.getuid() or file.parent.is_symlink():
        raise PermissionError(f"{file.parent} belongs to somebody else")
    fresh = file.with_name(f".demo-{os.getpid()}")
    fresh.write_text(f"{socket.resolve()}\n", encoding="utf-8")
    fresh.replace(file)
    return file


def read_demo(environ: Mapping[str, str]) -> Path | None:
    """Give the socket of a demo of ours, or None; what another user left in the temporary directory is not believed."""
    file = demo_file(environ)
    try:
        owners = {file.parent.lstat().st_uid, file.lstat().st_uid}
        if owners != {os.getuid()} or not stat.S_ISDIR(file.parent.lstat().st_mode):
            return None
        return Path(file.read_text(encoding="utf-8").strip() or "/nowhere")
    except (OSError, ValueError):
        return None


@contextmanager
def in_reach(socket: Path) -> Iterator[str]:
    """Give an address that fits a Unix socket, for a path of any length: the long ones go through their directory."""
    if len(os.fsencode(socket)) <= PATH_BYTES_MAX:
        yield str(socket)
        return
    directory = os.open(socket.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{socket.name}"
    finally:
        os.close(directory)


LATCH_DIR = "latch"
LATCH = "KILL"
"""The file that `permit` looks at; KILL-SCOPE beside it says how far it reaches."""
LATCH_DIR_MODE = 0o3770
"""An operator may make a latch; only its owner or the daemon takes one away."""


class Latch(NamedTuple):
    """A kill as it stands on the disk: how far it reaches, and whose it is."""

    scope: str
    uid: int


def latch(state_dir: Path, scope: str, *, sync: bool = True) -> None:
    """Latch a kill: the scope's file first, then the one that is looked at, then the directory to the disk.

    The files are made empty, so a full disk takes them; whoever made them first stays their owner. With `sync` False
    the caller calls `sync_latch` when it may wait for the disk.
    """
    directory = state_dir / LATCH_DIR
    with suppress(FileExistsError):
        directory.mkdir()  # not its parents: a kill must not invent a state directory
        directory.chmod(LATCH_DIR_MODE)
    for name in (f"{LATCH}-{scope}", LATCH):
        # O_EXCL: never through a link, and no O_CREAT over another's file in a sticky directory (protected_regular).
        try:
            os.close(os.open(directory / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o660))
        except FileExistsError:
            _mark_again(directory / name)
    if sync:
        sync_latch(state_dir)


def _mark_again(file: Path) -> None:
    """Leave a trace in a latch that is there already: a release decided before this kill must not take it away."""
    with suppress(OSError):
        os.utime(file, follow_symlinks=False)
        handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.write(handle, b".")  # the clock of a file system is coarse; its size is not
        finally:
            os.close(handle)


def sync_latch(state_dir: Path) -> None:
    """Bring the latch directory to the disk, and its entry in the state directory."""
    for directory in (state_dir / LATCH_DIR, state_dir):
        try:
            handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except PermissionError:
            continue  # the state directory is 0711: an operator passes through, and cannot read it
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read_latch(state_dir: Path) -> Latch | None:
    """Give the kill that is latched, at its widest, or None; any of its files is enough, a link or a directory too."""
    directory = state_dir / LATCH_DIR
    owners = {}
    for name in (LATCH, *(f"{LATCH}-{scope}" for scope in SCOPES)):
        with suppress(FileNotFoundError):
            owners[name] = (directory / name).lstat().st_uid
    if not owners:
        return None
    for scope in reversed(SCOPES):
        if f"{LATCH}-{scope}" in owners:
            return Latch(scope, owners[f"{LATCH}-{scope}"])
    return Latch(SCOPE_DEFAULT, owners[LATCH])


def unlatch(state_dir: Path) -> None:
    """Take every latch file away, the one that is looked at last: only a release does this, journalled first."""
    for name in (*(f"{LATCH}-{scope}" for scope in SCOPES), LATCH):
        (state_dir / LATCH_DIR / name).unlink(missing_ok=True)
    sync_latch(state_dir)


def open_streams() -> None:
    """Let a standard stream that was closed before we began swallow what is said: no screen, no failure.

    A stdout whose coding lacks a letter (LANG=C) writes its number.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - open to the end
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def plain(reason: str) -> str:
    """Give a reason as the record takes it: a space for what cannot be printed, cut at what it may hold."""
    return "".join(letter if letter.isprintable() else " " for letter in reason[:REASON_CHARACTERS_MAX])


def safe(words: str) -> str:
    """Give words that a terminal only shows: control characters are written out, not obeyed."""
    return words if words.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in words)
