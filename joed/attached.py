"""What the settings name in other files: dates that lie ahead, and what a user's own strategy is."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from joed.contradictions import DATE, SYMBOL
from joed.errors import ConfigError
from joed.model.settings import Settings

Text = Callable[[Path], str]
"""Gives a file's text, and refuses what is none."""
GROUP = "joed.strategies"
CODE = (".py", ".so")
CODE_FILES_MAX, CODE_BYTES_MAX = 2_000, 32 << 20


def attached(settings: Settings, directory: Path, text: Text) -> Settings:
    """Give the settings with what their files say, each looked for beside them; raise ConfigError."""
    settings = with_digests(settings, directory, text)
    if not settings.scan.dates_file:
        return settings
    return replace(settings, dates=with_dates(settings, directory / settings.scan.dates_file, text))


def named(settings: Settings, directory: Path) -> list[Path]:
    """Give the files beside the settings that they name, and that decide as they do."""
    files = [directory / row.file for row in settings.strategies.own.values() if row.file]
    return files + ([directory / settings.scan.dates_file] if settings.scan.dates_file else [])


def with_digests(settings: Settings, directory: Path, text: Text) -> Settings:
    """Say of each strategy of the user's own what its code is: the hash of its file, or of its package's files."""
    own = {}
    for name, row in settings.strategies.own.items():
        if bool(row.file) == bool(row.entry):
            raise ConfigError(f"strategies.own.{name} must name either a file or an entry point")
        if row.file:
            path = directory / row.file
            own[name] = replace(row, file=str(path.absolute()), digest=hashlib.sha256(text(path).encode()).hexdigest())
            continue
        try:
            own[name] = replace(row, digest=hashlib.sha256(code_of(row.entry)).hexdigest())
        except (ConfigError, OSError, ImportError, ValueError) as error:
            raise ConfigError(f"strategies.own.{name}: {error}") from error
    return replace(settings, strategies=replace(settings.strategies, own=own)) if own else settings


def code_of(entry: str) -> bytes:
    """Give what an entry point runs, as a list: its target, and each file of its package with its hash.

    Nothing is imported. What the package itself imports from elsewhere is not in it. Raises ConfigError where there is
    no such package, or one of more than CODE_FILES_MAX files or CODE_BYTES_MAX bytes.
    """
    found = list(metadata.entry_points(group=GROUP, name=entry))
    if len(found) != 1:
        raise ConfigError(f"{len(found)} packages have the entry point {entry!r}")
    (point,) = found
    spec = find_spec(point.module.partition(".")[0])
    if spec is None or spec.origin is None:
        raise ConfigError(f"the package behind the entry point {entry!r} is not there")
    roots = [Path(root) for root in spec.submodule_search_locations or ()]
    files = [(root, file) for root in roots for file in sorted(root.rglob("*")) if file.suffix in CODE]
    files = files or [(Path(spec.origin).parent, Path(spec.origin))]
    if len(files) > CODE_FILES_MAX or sum(file.stat().st_size for _, file in files) > CODE_BYTES_MAX:
        raise ConfigError(f"the package behind the entry point {entry!r} is too large to be hashed")
    hashes = (f"{file.relative_to(root)} {hashlib.sha256(file.read_bytes()).hexdigest()}" for root, file in files)
    return "\n".join([point.value, *hashes]).encode()


def with_dates(settings: Settings, path: Path, text: Text) -> dict[str, tuple[str, ...]]:
    """Add the rows of a file of dates, "SYMBOL,2026-11-30,earnings", to those of the settings; raise ConfigError."""
    found = {name: list(rows) for name, rows in settings.dates.items()}
    for number, line in enumerate(text(path).splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        symbol, date, what = (*(cell.strip() for cell in line.split(",", 2)), "", "")[:3]
        if not SYMBOL.fullmatch(symbol) or not DATE.fullmatch(date):
            raise ConfigError(f"must be SYMBOL,YYYY-MM-DD,WORDS, was {line[:60]!r} ({path}:{number})")
        found.setdefault(symbol, []).append(f"{date} {what}".strip())
    return {name: tuple(rows) for name, rows in found.items()}
