"""The settings from the disk: YAML read strictly, checked against the one definition in joed/model/settings.py.

All scalars are read as text and become what their field says, so that no number passes through a float on its way to a
Decimal, `17:00` is no sum of seconds, and `ON` stays a ticker. Every problem is told at once, each with its line.
"""

import hashlib
import math
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from decimal import Decimal
from difflib import get_close_matches
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple, TypeAlias, get_args, get_origin, get_type_hints

import msgspec
import yaml
from pydantic import TypeAdapter, ValidationError

from joed.attached import attached
from joed.contradictions import BROKERS, RULES, SYMBOL, addresses, of_alerts
from joed.errors import ConfigError
from joed.model.settings import Settings

FILE_BYTES_MAX = 1 << 20
DEPTH_MAX = 8
NODES_MAX = 100_000
PROBLEMS_MAX = 50
"""How many problems are told; the rest is counted."""

NAME = "joed.yaml"
BESIDE = {"strategies": "strategies.yaml", "universe": "universe.yaml", "alerts": "alerts.yaml"}
"""The sections that may stand in a file of their own, beside joed.yaml."""


# The C parser gives the same events ten times as fast; a universe of 500 rows is on the way to READY=1.
LOADER: type[yaml.BaseLoader] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

_hints = cache(get_type_hints)

Keys: TypeAlias = tuple[str, ...]
Value: TypeAlias = "str | list[Value] | dict[str, Value] | None"


class Place(NamedTuple):
    """Where a key or a value stands."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Problem(NamedTuple):
    """What is wrong with one key: its path, words, and where it stands."""

    keys: Keys
    words: str
    place: Place

    def __str__(self) -> str:
        return f"{'.'.join(self.keys)} {self.words} ({self.place})"


class Document(NamedTuple):
    """What the files say: text, lists, mappings and None where nothing stands; and where each of them stands."""

    values: dict[str, Value]
    places: dict[Keys, Place]
    problems: list[Problem]

    def blame(self, keys: Keys, words: str) -> None:
        """Note a problem at the place of this key, or of the section that lacks it."""
        place = next(self.places[keys[:end]] for end in range(len(keys), -1, -1) if keys[:end] in self.places)
        self.problems.append(Problem(keys, words, place))


def load(path: Path | None) -> Settings:
    """Give the settings that joed.yaml and the files beside it say; the defaults where there is no path.

    Raises ConfigError with every problem, one a line. A file beside it may be absent; `path` itself may not.
    """
    if path is None:
        return Settings()
    document = _read_all(path)
    settings = _validate(document)
    if settings is None or document.problems:
        raise ConfigError(_listed(document.problems))
    return attached(settings, path.parent, _text)


def load_directory(directory: Path) -> Settings:
    """Give the settings that a directory such as /etc/joed says."""
    return load(directory / NAME)


def digest(settings: Settings) -> str:
    """Give the hash of the settings' canonical bytes: equal settings, equal digest, whatever file said them."""
    return hashlib.sha256(msgspec.json.encode(settings, order="sorted")).hexdigest()


def _listed(problems: list[Problem]) -> str:
    """Give the problems, one a line, in the order of their places."""
    ordered = sorted(dict.fromkeys(problems), key=lambda problem: (problem.place, problem.keys))
    lines = [str(problem) for problem in ordered[:PROBLEMS_MAX]]
    if more := len(ordered) - len(lines):
        lines.append(f"and {more} more")
    return "\n".join(lines)


def _read_all(path: Path) -> Document:
    """Read joed.yaml and each section's own file; a section that stands in both is a problem."""
    document = _Reader(path, ()).document()
    for section, name in BESIDE.items():
        file = path.parent / name
        if file == path or not file.exists():
            continue
        beside = _Reader(file, (section,)).document()
        if section in document.values and beside.values:
            document.blame((section,), f"stands here and in {file}: keep one")
            continue
        document.problems.extend(beside.problems)
        document.places.update(beside.places)
        if beside.values:
            document.values[section] = beside.values
    return document


class _Reader:
    """One file, event by event: plain values and their places, without any of YAML's cleverness.

    Reading events and not nodes keeps a hostile file from costing more than its length: depth and count are checked as
    they grow, and an alias is refused before it could be repeated.
    """

    def __init__(self, path: Path, prefix: Keys) -> None:
        self.file = str(path)
        self.prefix = prefix
        self.places: dict[Keys, Place] = {prefix: Place(self.file, 1)}
        self.problems: list[Problem] = []
        self.nodes = 0
        self.events: Iterator[yaml.Event] = yaml.parse(_text(path), Loader=LOADER)

    def document(self) -> Document:
        """Give the file's one mapping; empty where the file says nothing. `prefix` is the section that it holds."""
        try:
            return Document(self._root(), self.places, self.problems)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)  # a character that YAML does not allow has none
            where = Place(self.file, mark.line + 1) if mark else self.file
            words = getattr(error, "problem", None) or str(error).splitlines()[0]
            raise ConfigError(f"not YAML: {words} ({where})") from error

    def _root(self) -> dict[str, Value]:
        found: Value = None
        documents = 0
        for event in self.events:
            documents += isinstance(event, yaml.DocumentStartEvent)
            if documents > 1:
                raise self._refusal(event, "a second document begins: one file, one document")
            if isinstance(event, yaml.NodeEvent):
                found = self._value(event, self.prefix)
        if found is not None and not isinstance(found, dict):
            raise ConfigError(f"the file must be a mapping of keys to values ({self.file}:1)")
        return found or {}

    def _value(self, event: yaml.Event, keys: Keys) -> Value:
        """Give the value that begins with this event, and note its place."""
        self._admit(event, keys)
        self.places.setdefault(keys, self._place(event))
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(keys)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(keys)
        assert isinstance(event, yaml.ScalarEvent)
        nothing = not event.style and event.value in {"", "~", "null", "Null", "NULL"}
        return None if nothing else str(event.value)

    def _admit(self, event: yaml.Event, keys: Keys) -> None:
        self.nodes += 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise self._refusal(event, "anchors and aliases are not read: write the value out")
        if (tag := getattr(event, "tag", None)) and tag != "!":
            raise self._refusal(event, f"the tag {tag} is not read: a value is what its key says")
        if len(keys) - len(self.prefix) > DEPTH_MAX or self.nodes > NODES_MAX:
            raise self._refusal(event, f"more than {DEPTH_MAX} levels or {NODES_MAX} values")

    def _mapping(self, keys: Keys) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            self._admit(event, keys)
            if not isinstance(event, yaml.ScalarEvent):
                raise self._refusal(event, "a key must be text")
            inside = (*keys, str(event.value))
            if event.value in found:
                words = f"stands twice, first in line {self.places[inside].line}"
                self.problems.append(Problem(inside, words, self._place(event)))
            self.places.setdefault(inside, self._place(event))
            found[event.value] = self._value(next(self.events), inside)
        return found

    def _sequence(self, keys: Keys) -> list[Value]:
        found: list[Value] = []
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            found.append(self._value(event, (*keys, str(len(found)))))
        return found

    def _place(self, event: yaml.Event) -> Place:
        assert event.start_mark is not None
        return Place(self.file, event.start_mark.line + 1)

    def _refusal(self, event: yaml.Event, words: str) -> ConfigError:
        return ConfigError(f"{words} ({self._place(event)})")


def _text(path: Path) -> str:
    """Give a file's text, refusing what is no file, too long or not UTF-8."""
    try:
        if path.exists() and not path.is_file():  # a pipe would keep the start waiting
            raise ConfigError(f"the settings cannot be read: not a file ({path})")
        with path.open("rb") as stream:
            data = stream.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(f"the settings cannot be read: {error.strerror} ({path})") from error
    if len(data) > FILE_BYTES_MAX:
        raise ConfigError(f"a settings file has at most {FILE_BYTES_MAX} bytes ({path})")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"not UTF-8 at byte {error.start} ({path})") from error


@cache
def _adapter() -> TypeAdapter[Settings]:
    return TypeAdapter(Settings)


def _validate(document: Document) -> Settings | None:
    """Give the settings, or None with every problem noted in the document."""
    for keys in addresses(document.values.get("alerts")):
        document.blame(("alerts", *keys), ADDRESS)
    if any(problem.words == ADDRESS for problem in document.problems):
        raise ConfigError(_listed([problem for problem in document.problems if problem.words == ADDRESS]))
    values = _prepared(document.values, Settings, (), document)
    _name_instruments(values, document)
    try:
        settings = _adapter().validate_python(values)
    except ValidationError as error:
        for row in error.errors(include_url=False):
            _note(row["type"], tuple(map(str, row["loc"])), row["input"], document, row.get("ctx", {}), row["msg"])
        return None
    if not document.problems:
        _contradictions(settings, document)
    return settings


def _prepared(values: dict[str, Value], kind: object, keys: Keys, document: Document) -> dict[str, Value]:
    """Give the values with empty sections left to their defaults, as when all their keys are comments.

    No timeout may be infinite and nothing compares with NaN, so a number without an end is a problem.
    """
    found = dict(values)
    for name, value in values.items():
        inner, inside = _kind_of(kind, name), (*keys, name)
        section = is_dataclass(inner) or get_origin(inner) is dict
        if section and isinstance(value, dict | None):
            found[name] = _prepared(value or {}, inner, inside, document)
        elif inner in {float, Decimal} and isinstance(value, str) and not _ends(value):
            document.blame(inside, f"must be a finite number, was {value}")
    return found


def _name_instruments(values: dict[str, Value], document: Document) -> None:
    """Fill in each instrument's symbol from its key."""
    universe = values.get("universe")
    for symbol, row in universe.items() if isinstance(universe, dict) else ():
        if not SYMBOL.fullmatch(symbol):
            document.blame(("universe", symbol), "is no symbol: letters, digits and ._/^- only, at most 32")
        if isinstance(row, dict):
            if "symbol" in row:
                document.blame(("universe", symbol, "symbol"), "is the key above: leave it out")
            row["symbol"] = symbol


def _kind_of(kind: object, name: str) -> object:
    """Give the type that a section's key has, None where it has none."""
    if get_origin(kind) is dict:
        return get_args(kind)[1]
    return _hints(kind).get(name) if isinstance(kind, type) and name in _known(kind) else None


def _known(kind: object) -> Keys:
    """Name the keys of a section; none where names are free, as in a universe."""
    return tuple(field.name for field in fields(kind)) if isinstance(kind, type) and is_dataclass(kind) else ()


def _ends(text: str) -> bool:
    """Say whether text is a number with an end, or no number at all (which its type refuses)."""
    try:
        return math.isfinite(float(re.sub(r"^([+-]?)\.(?=inf|nan)", r"\1", text.strip().lower())))
    except ValueError:
        return True


ADDRESS = (
    "holds an address, and addresses hold secrets: put it into /etc/joed/credentials/NAME (mode 0600), alone in one"
    " line, and write `credential: NAME` here; joectl alerts test CHANNEL tries it"
)
"""Said alone and without the value, so that no other complaint shows what should not stand there."""

WORDS = {
    "greater_than": "must be greater than {gt:g}, was {was}",
    "greater_than_equal": "must be at least {ge:g}, was {was}",
    "less_than": "must be less than {lt:g}, was {was}",
    "less_than_equal": "must be at most {le:g}, was {was}",
    "enum": "must be {expected}, was {was}",
    "missing": "is missing",
    **dict.fromkeys(("bool_parsing", "bool_type"), "must be true or false, was {was}"),
    **dict.fromkeys(("int_parsing", "int_from_float", "int_type"), "must be a whole number, was {was}"),
    **dict.fromkeys(("float_parsing", "float_type"), "must be a number, was {was}"),
    **dict.fromkeys(("decimal_parsing", "decimal_type"), "must be a number, was {was}"),
    "string_type": "must be text, was {was}",
    "tuple_type": "must be a list, was {was}",
    "dict_type": "must be a mapping of keys to values, was {was}",
    "dataclass_type": "must be a section of keys and values, was {was}",
}
"""What pydantic finds, as the house says it: a lower-case fact with the value found."""


def _note(finding: str, keys: Keys, value: object, document: Document, limits: dict[str, object], said: str) -> None:
    """Note one of pydantic's findings."""
    kind: object = Settings
    for name in keys[:-1]:
        kind = _kind_of(kind, name)
    if finding == "unexpected_keyword_argument":
        document.blame(keys, f"is no key{_meant(keys[-1], _known(kind))}")
    elif _ends(str(value)):  # the others are noted already
        words = WORDS[finding].format(was=_shown(value), **limits) if finding in WORDS else said.lower()
        document.blame(keys, words)


def _shown(value: object) -> str:
    """Give a value found as its writer would know it, in short."""
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = str(value)
    text = text if len(text) <= 60 else f"{text[:60]}…"
    return text if text.isprintable() and text.strip() == text and text else repr(text)


def _meant(word: str, known: Keys) -> str:
    """Give ", did you mean 'x'?" where a known key is near, else the known keys."""
    near = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f", did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"


def _contradictions(settings: Settings, document: Document) -> None:
    """Note what does not go together."""
    for key, broken, words in RULES:
        if broken(settings):
            value: object = attrgetter(key)(settings)
            document.blame(tuple(key.split(".")), words.format(was=_shown(value)))
    for keys, words in of_alerts(settings):
        document.blame(keys, words)
    brokers: dict[Keys, str] = {("brokers", str(at)): name for at, name in enumerate(settings.brokers)}
    brokers |= {("universe", symbol, "broker"): row.broker for symbol, row in settings.universe.items()}
    for keys, name in brokers.items():
        if name not in BROKERS:
            document.blame(keys, f"is no broker: {_shown(name)}{_meant(name, BROKERS)}")
