"""What the settings name in other files: dates that lie ahead, and what a user's own strategy is."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path

from joed.contradictions import DATE, SYMBOL
from joed.errors import ConfigError
from joed.model.settings import Settings

Text = Callable[[Path], str]
"""Gives a file's text, and refuses what is none."""
GROUP = "joed.strategies"


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
    """Say of each strategy of the user's own what its code is: a file's hash, a package's name and version."""
    own = {}
    for name, row in settings.strategies.own.items():
        if bool(row.file) == bool(row.entry):
            raise ConfigError(f"strategies.own.{name} must name either a file or an entry point")
        if row.file:
            path = directory / row.file
            own[name] = replace(row, file=str(path.absolute()), digest=hashlib.sha256(text(path).encode()).hexdigest())
            continue
        found = [point for point in metadata.entry_points(group=GROUP, name=row.entry) if point.dist]
        if len(found) != 1 or found[0].dist is None:
            raise ConfigError(f"strategies.own.{name}: {len(found)} packages have the entry point {row.entry!r}")
        code = f"{found[0].value} of {found[0].dist.name} {found[0].dist.version}"
        own[name] = replace(row, digest=hashlib.sha256(code.encode()).hexdigest())
    return replace(settings, strategies=replace(settings.strategies, own=own)) if own else settings


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
