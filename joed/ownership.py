"""Whose word a settings file is: its owner is root or us, and nobody else could have written or replaced it.

A file that somebody else may write, or that stands where somebody else may put another in its place, is theirs and not
the operator's. A link is as good as what it leads to, and as whoever made it (reliability S39).
"""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from joed.errors import ConfigError


def refuse_strange(paths: Iterable[Path], uid: int | None = None) -> None:
    """Refuse the first of these that somebody else could have changed; what is absent is nobody's.

    `uid` is who we are, by default the process; root takes anybody's file, for it was root who named it. Raises
    ConfigError, which names the path and what to do.
    """
    us = os.geteuid() if uid is None else uid
    for path in paths:
        whole = Path(os.path.abspath(path))  # noqa: PTH100 - not resolved: the link itself is looked at first
        for one in dict.fromkeys((whole, Path(os.path.realpath(whole)))):
            if os.path.lexists(one):
                _refuse_writable(one.parent, us, f", so {one} may be anybody's")
                _refuse_writable(one, us, "")


def _refuse_writable(path: Path, us: int, why: str) -> None:
    """Raise ConfigError where the path is somebody else's, or others may write it; /tmp keeps its files apart."""
    found = path.lstat()
    what = "is a link that" if stat.S_ISLNK(found.st_mode) else "belongs to"
    if us and found.st_uid not in {0, us}:
        made = f"{what} uid {found.st_uid}{' made' if stat.S_ISLNK(found.st_mode) else ''}"
        raise ConfigError(f"{path} {made}, and this is uid {us}{why}: chown root {path}")
    sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
    if found.st_mode & stat.S_IWOTH and not sticky and not stat.S_ISLNK(found.st_mode):
        mode = stat.S_IMODE(found.st_mode)
        raise ConfigError(f"others can write in {path} (mode {mode:04o}){why}: chmod o-w {path}")
