"""Secrets by name, each a file of $CREDENTIALS_DIRECTORY: read once, shown to nobody, handed to no child.

systemd makes that directory for its unit alone (LoadCredential, systemd.exec(5)) and gives each file of a folder the
unit's prefix, `joed_NAME`. By hand it may be any folder whose files are the owner's alone; then the names may stand
there bare.
"""

import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from errno import ELOOP
from pathlib import Path

from joed.errors import ConfigError
from joed.ownership import refuse_strange

VARIABLE = "CREDENTIALS_DIRECTORY"
PREFIX = "joed_"
OTHERS = 0o077
"""The mode bits that let anybody but the owner at a file."""
SYSTEMD = ("/run/credentials", "/run/user")
"""Where systemd keeps them: private by a mount of its own; an ACL for the unit's user shows there as a group's bits."""
BYTES_MAX = 64 * 1024


class Secrets:
    """The files of one credentials directory; `values` are all that were read, for the log to blot out."""

    def __init__(self, directory: Path | None, own: Iterable[str] = SYSTEMD) -> None:
        """Look into this directory, None where there is none; below `own` the modes are systemd's to keep."""
        self.directory = directory
        self.values: list[str] = []
        self._own = tuple(Path(root) for root in own)

    @classmethod
    def of(cls, environ: Mapping[str, str] = os.environ) -> "Secrets":
        """Give those that this process was given."""
        found = environ.get(VARIABLE, "")
        return cls(Path(found) if found else None)

    def get(self, name: str) -> str:
        """Give a secret's one line.

        Raises ConfigError, which names the file and what to do, where it is missing, unreadable, others' to read,
        empty or no text; never with anything of its content.
        """
        if self.directory is None:
            raise ConfigError(
                f"no credential {name}: ${VARIABLE} is not set; under systemd put it into /etc/joed/credentials/{name}"
                f" (mode 0600) and start joed.service, by hand name a private folder that holds it in ${VARIABLE}"
            )
        for path in (self.directory / f"{PREFIX}{name}", self.directory / name):
            value = self._read(path)
            if value is not None:
                self.values.append(value)
                return value
        raise ConfigError(
            f"no credential {name}: neither {PREFIX}{name} nor {name} is in {self.directory};"
            f" put it into /etc/joed/credentials/{name} (mode 0600) and restart"
        )

    def maybe(self, name: str) -> str:
        """Give a secret that may be absent, "" where it is; raises as `get` does where it is there and not well."""
        places = () if self.directory is None else (self.directory / f"{PREFIX}{name}", self.directory / name)
        return self.get(name) if any(map(os.path.lexists, places)) else ""

    def every(self) -> list[str]:
        """Give all that can be read, for a log to blot out what others of this process will read."""
        found = []
        for file in sorted(self.directory.iterdir()) if self.directory is not None and self.directory.is_dir() else ():
            with suppress(ConfigError):  # whoever needs it is told
                found.append(self._read(file) or "")
        return found

    def loose(self) -> list[str]:
        """Name the files that others may read, where that is ours to judge; raises OSError where it cannot be."""
        if self.directory is None or self._is_systemds(self.directory):
            return []
        return [file.name for file in sorted(self.directory.iterdir()) if file.stat().st_mode & OTHERS]

    def count(self) -> int:
        """Give how many files there are; raises OSError where they cannot be looked at."""
        return 0 if self.directory is None else sum(1 for _ in self.directory.iterdir())

    def _read(self, path: Path) -> str | None:
        """Read a file as it was opened, so that what is judged is what is read; None where there is none."""
        try:
            with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123 - a link is not followed
                self._refuse_loose(path, os.fstat(file.fileno()))
                data = file.read(BYTES_MAX + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == ELOOP:
                raise ConfigError(f"{path} is a link: put the secret itself there") from None
            said = f"{path} cannot be read: {error.strerror}; it belongs to the user that joed runs as"
            raise ConfigError(said) from None
        value = data.decode("utf-8", "replace").strip()  # an error of the decoder would carry what it read
        if len(data) > BYTES_MAX:
            raise ConfigError(f"{path} has more than {BYTES_MAX} bytes: it holds one secret, in one line")
        if "\N{REPLACEMENT CHARACTER}" in value:
            raise ConfigError(f"{path} is no text: it holds one secret, in one line")
        if not value or "\n" in value or "\0" in value:
            raise ConfigError(f"{path} is {'no single line' if value else 'empty'}: it holds one secret, in one line")
        return value

    def _refuse_loose(self, path: Path, found: os.stat_result) -> None:
        """Refuse what others may read, what is another user's, and what others could have put there (S36, S39)."""
        if self._is_systemds(path):
            return
        mode = stat.S_IMODE(found.st_mode)
        if mode & OTHERS:
            raise ConfigError(f"others may read {path} (mode {mode:04o}): chmod 600 {path}")
        refuse_strange([path])

    def _is_systemds(self, path: Path) -> bool:
        """Say whether systemd made this place; links are followed first."""
        real = path.resolve()
        return any(real.is_relative_to(root) for root in self._own)
