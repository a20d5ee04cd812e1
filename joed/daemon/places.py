"""What lies where in a state directory, and the making of it."""

import os
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from grp import getgrnam
from pathlib import Path

from msgspec import Struct

from joed import protocol
from joed.errors import ConfigError

ID_KEY_BYTES = 32
ROOT_MODE = 0o711
"""An operator passes through to the latch; nobody lists or reads the rest."""
PRIVATE_MODE = 0o700
RUN_MODE = 0o711


class Places(Struct, frozen=True):
    """The paths of one state directory; `run` holds the control socket, in systemd's own directory where there is one.

    `make` is to be called before any of them is used, by the process that will hold `lock`.
    """

    root: Path
    run: Path
    witness: Path | None = None
    """Where the chain's head is kept, if not beside the socket: on another disk it outlives even a stop."""

    @property
    def anchor(self) -> Path:
        """The file that knows the newest head of the chain, for the next start to compare."""
        return self.witness or self.run / "anchor"

    @property
    def journal(self) -> Path:
        """The record: facts, commands, snapshots."""
        return self.root / "joed.db"

    @property
    def demo(self) -> Path:
        """The seed of a demo's world: where it lies, record and prices are a demo's, and no daemon's."""
        return self.root / "demo.json"

    @property
    def paper(self) -> Path:
        """The book of the embedded exchange."""
        return self.root / "paper.db"

    @property
    def exchange(self) -> Path:
        """The socket of the embedded exchange, where it lives in a process of its own."""
        return self.run / "exchange.sock"

    @property
    def tape(self) -> Path:
        """The recorded quotes of earlier sessions, a file each."""
        return self.root / "tape"

    @property
    def latch(self) -> Path:
        """The directory of the kill files."""
        return self.root / protocol.LATCH_DIR

    @property
    def lock(self) -> Path:
        """The file that the one daemon holds."""
        return self.root / "lock"

    @property
    def reports(self) -> Path:
        """The days' reports."""
        return self.root / "reports"

    @property
    def backup(self) -> Path:
        """Where backups are written."""
        return self.root / "backup"

    @property
    def socket(self) -> Path:
        """The control socket."""
        return self.run / protocol.SOCKET_NAME

    @property
    def id_key(self) -> Path:
        """The key of all order ids."""
        return self.root / "id.key"

    def make(self) -> None:
        """Make the directories that are absent, each with its mode; one that is there keeps its own.

        Raises OSError where the state directory cannot be made or written, or is somebody else's; ConfigError where it
        is a link, or others can write in it.
        """
        if protocol.exists(self.root):
            _refuse_strange(self.root)
        for directory, mode in (
            (self.root, ROOT_MODE),
            (self.tape, PRIVATE_MODE),
            (self.reports, PRIVATE_MODE),
            (self.backup, PRIVATE_MODE),
            (self.run, RUN_MODE),
        ):
            _make(directory, mode)
        _make_latch(self.latch)
        if not os.access(self.root, os.W_OK | os.X_OK):
            raise PermissionError(13, "the state directory cannot be written", str(self.root))

    def refuse_demo(self) -> None:
        """Raise ConfigError where a demo has lived: its prices and its time are not the market's."""
        if protocol.exists(self.demo):
            raise ConfigError(
                f"{self.root} is a demo's: its prices and its time are not the market's; take another --state-dir"
            )

    def key(self) -> bytes:
        """Give the key of all order ids, made at the first start, durable before it is used.

        It belongs to the backups: without it joed does not know its own orders. One that is damaged is refused, for a
        new one would make strangers of them. Raises ConfigError.
        """
        if not protocol.exists(self.id_key):
            self._make_key()
        descriptor = os.open(self.id_key, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            key = os.read(descriptor, ID_KEY_BYTES + 1)
            if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
                with suppress(PermissionError):  # somebody else's file, as root may find it
                    os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)
        if len(key) != ID_KEY_BYTES:
            size = self.id_key.stat().st_size
            raise ConfigError(f"the key of order ids must hold {ID_KEY_BYTES} bytes, has {size} ({self.id_key})")
        return key

    def _make_key(self) -> None:
        """Write the key beside its name and rename it: no crash leaves half a key."""
        fresh = self.id_key.with_name(".id.key")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, secrets.token_bytes(ID_KEY_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        fresh.rename(self.id_key)
        _sync(self.root)


def places(root: Path, environ: Mapping[str, str] = os.environ, witness: Path | None = None) -> Places:
    """Give the places of a state directory; the socket lies in $RUNTIME_DIRECTORY where systemd gave us both."""
    root = Path(os.path.abspath(root))  # noqa: PTH100 - not resolved: a link in the path is the operator's choice
    given = environ.get("STATE_DIRECTORY", "").split(":")[0]
    run = environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    ours = bool(given and run) and Path(given) == root
    return Places(root, Path(run) if ours else root / "run", witness)


def default_root(environ: Mapping[str, str] = os.environ) -> Path:
    """Give the state directory where none is named: systemd's for this unit, else the system's own."""
    given = environ.get("STATE_DIRECTORY", "").split(":")[0]
    return Path(given) if given else protocol.SYSTEM_STATE_DIR


def _refuse_strange(root: Path) -> None:
    """Refuse a state directory in which another could change what we believe (reliability F30)."""
    seen = root.lstat()
    if stat.S_ISLNK(seen.st_mode):
        raise ConfigError(f"the state directory is a link: name what it leads to ({root} -> {root.readlink()})")
    if seen.st_uid != os.geteuid():
        raise PermissionError(
            1, f"the state directory is uid {seen.st_uid}'s, and this is uid {os.geteuid()}", str(root)
        )
    if seen.st_mode & 0o022:
        mode = stat.S_IMODE(seen.st_mode)
        raise ConfigError(f"others can write in the state directory, mode {mode:04o}: chmod go-w {root}")


def _make(directory: Path, mode: int) -> None:
    """Make a directory with its mode, whatever the umask."""
    try:
        directory.mkdir(mode=mode, parents=True)
    except FileExistsError:
        if not directory.is_dir():
            raise
        return
    directory.chmod(mode)


def _make_latch(directory: Path) -> None:
    """Make the latch directory for the daemon and its operators; set it right where it is ours, at each start.

    Where there is no group of operators it is the daemon's alone, and its owner and root may still kill.
    """
    _make(directory, PRIVATE_MODE)
    with suppress(OSError, KeyError):
        os.chown(directory, -1, getgrnam(protocol.OPERATORS).gr_gid)
    mode = stat.S_IMODE(directory.stat().st_mode)
    for wanted in (protocol.LATCH_DIR_MODE, protocol.LATCH_DIR_MODE & ~stat.S_ISGID):
        if mode == wanted:
            break
        with suppress(OSError):  # not ours; or the unit's sandbox lets nobody set a group's bit (RestrictSUIDSGID)
            directory.chmod(wanted)
            break


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
