"""What the shell tells the system log: an event's name and its key-values, on standard error, never waiting.

A line goes into a bounded queue and a thread of its own writes it, so that a full pipe or a slow journal holds up
nobody; what does not fit is dropped and counted. Values of credentials are blotted out wherever they turn up.
"""

import json
import logging
import math
import os
import re
import select
import threading
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, Literal
from urllib.parse import quote, quote_plus

from joed.daemon.native import Native
from joed.model.values import Severity

Format = Literal["journald", "text", "json"]
FORMATS: Final[tuple[Format, ...]] = ("journald", "text", "json")

QUEUE_MAX = 10_000
BATCH_MAX = 256
VALUE_CHARS_MAX = 2_000
TRACE_CHARS_MAX = 16_000
SECRET_CHARS_MIN = 4
"""A shorter secret would blot out ordinary words, and protects nothing."""
BLOT = "***"

ORDER = "order"
"""The key by which a line is known to be about an order."""
NAMES = {"order": "JOED_ORDER_ID", "group": "JOED_ORDER_GROUP", "instrument": "JOED_INSTRUMENT", "seq": "JOED_SEQ"}
"""Key -> the journal's field, which `journalctl FIELD=` asks for."""
PRIORITY = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""syslog's numbers, by which the journal filters: `journalctl -p warning`."""
RANK = {level: at for at, level in enumerate(PRIORITY)}
SEVERITY = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "critical"}
PLAIN = re.compile(r"[^\s\"'=\\]+")

Value = object
Line = tuple[int, str, str, Mapping[str, Value], str]
"""When (ns), how grave, what happened, its key-values, a traceback or ""."""


class Log:
    """The system log. `records` counts lines by level, `dropped` those that found the queue full.

    `now` gives the time that lines are stamped with, in nanoseconds since 1970; under journald it stamps them itself.
    """

    def __init__(
        self,
        form: Format,
        now: Callable[[], int],
        *,
        secrets: Iterable[str] = (),
        descriptor: int = 2,
        level: str = "info",
        size_max: int = QUEUE_MAX,
        native: Native | None = None,
    ) -> None:
        """Write `form` to a descriptor; under journald what is about an order goes by `native`, with its fields."""
        self._native = native or (Native() if form == "journald" else None)
        self.records: Counter[str] = Counter(dict.fromkeys(PRIORITY, 0))
        self.dropped = 0
        self.form, self._now, self._descriptor = form, now, descriptor
        self._rank, self._size_max = RANK[level], size_max
        self._queue: deque[Line] = deque()
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._told = 0
        self._closing = False
        # A pipe and not a lock wakes the writer: a signal handler or a destructor may log at any moment.
        self._bell, self._ringer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._ringer, False)
        self.hide(secrets)
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()

    def debug(self, event: str, /, **fields: Value) -> None:
        """Note what only a developer asks for."""
        self.put("debug", event, fields)

    def info(self, event: str, /, **fields: Value) -> None:
        """Note what happened."""
        self.put("info", event, fields)

    def warning(self, event: str, /, **fields: Value) -> None:
        """Note what a person should look at."""
        self.put("warning", event, fields)

    def error(self, event: str, /, **fields: Value) -> None:
        """Note what failed."""
        self.put("error", event, fields)

    def critical(self, event: str, /, **fields: Value) -> None:
        """Note what needs a person now."""
        self.put("critical", event, fields)

    def put(self, level: str, event: str, fields: Mapping[str, Value], trace: str = "") -> None:
        """Take one line; it is rendered and written by the writer's thread."""
        if RANK[level] < self._rank or self._closing:
            return
        self.records[level] += 1
        if len(self._queue) >= self._size_max:
            self.dropped += 1
            return
        self._queue.append((self._now(), level, event, _kept(fields), trace))
        self._ring()

    def hide(self, secrets: Iterable[str]) -> None:
        """Blot these values out from now on, also as they look inside an address, JSON or a Python string."""
        for secret in secrets:
            whole = secret.strip()
            for part in {whole, *(line.strip() for line in whole.splitlines())}:
                self._secrets |= {part, quote(part), quote(part, safe=""), quote_plus(part), repr(part)[1:-1]}
                self._secrets |= {json.dumps(part)[1:-1], json.dumps(part, ensure_ascii=False)[1:-1]}
        words = sorted((word for word in self._secrets if len(word) >= SECRET_CHARS_MIN), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, words))) if words else None

    def close(self, timeout_s: float = 2.0) -> bool:
        """Write what waits and end; False when the reader did not take it in time."""
        self._closing = True
        self._ring()
        self._thread.join(timeout_s)
        ended = not self._thread.is_alive()
        if ended and self._native is not None:
            self._native.close()
        return ended

    def _ring(self) -> None:
        with suppress(BlockingIOError):  # then bells enough are waiting
            os.write(self._ringer, b".")

    def _write(self) -> None:
        """Write until closed: the thread's whole life."""
        while True:
            os.read(self._bell, 4096)
            closing = self._closing  # read before the queue: what came in before the end is written
            while self._queue:
                count = min(len(self._queue), BATCH_MAX)
                taken = [self._queue.popleft() for _ in range(count)]
                lines = [self._rendered(line) for line in taken if not self._entered(line)]
                if (dropped := self.dropped) > self._told:
                    fields = {"count": dropped - self._told}
                    lines.append(self._rendered((self._now(), "warning", "log_dropped", fields, "")))
                    self._told = dropped
                if not self._written("".join(lines).encode(errors="backslashreplace")):
                    return
            if closing:
                return

    def _written(self, data: bytes) -> bool:
        """Write all of it; False when nobody can read any more."""
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:  # somebody made it non-blocking: wait until it takes more
                select.select([], [self._descriptor], [])
            except OSError:
                return False
        return True

    def _rendered(self, line: Line) -> str:
        return RENDER[self.form](self.blot, line)

    def _entered(self, line: Line) -> bool:
        """Give journald what is about an order as an entry with fields; False where it is a line like any other."""
        return self._native is not None and ORDER in line[3] and self._native.send(_fields(self.blot, line))

    def blot(self, text: str) -> str:
        """Give text without the values that are hidden."""
        return self._pattern.sub(BLOT, text) if self._pattern else text


SCALARS = frozenset({str, int, float, bool, Decimal, type(None)})


def _kept(fields: Mapping[str, Value]) -> dict[str, Value]:
    """Give the key-values as they are now: the writer must not look into what the loop goes on changing."""
    return {key: value if type(value) in SCALARS else _spoken(value) for key, value in fields.items()}


def _spoken(value: Value) -> str:
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 - whatever a value's own words raise, the caller only wanted to log
        return f"({type(value).__name__} raised {type(error).__name__})"


Hide = Callable[[str], str]


def _text(hide: Hide, line: Line) -> str:
    """Render for a terminal: the time of day in UTC, the level, the event, its values, a traceback below."""
    at, level, _, _, trace = line
    stamp = datetime.fromtimestamp(at / 1e9, UTC).isoformat(sep=" ", timespec="milliseconds")[:23]
    return f"{stamp} {level.upper():8} {_said(hide, line)}\n{_below(hide, trace, '')}"


def _journald(hide: Hide, line: Line) -> str:
    """Render for the journal, which reads the priority in front of each line and stamps it itself."""
    prefix = f"<{PRIORITY[line[1]]}>"
    return f"{prefix}{_said(hide, line)}\n{_below(hide, line[4], prefix)}"


def _fields(hide: Hide, line: Line) -> dict[str, str]:
    """Give a line as the fields of a journal's entry."""
    _, level, event, fields, _ = line
    ours = {field: _cut(hide(str(fields[key]))) for key, field in NAMES.items() if key in fields}
    head = {"MESSAGE": _said(hide, line), "PRIORITY": str(PRIORITY[level]), "SYSLOG_IDENTIFIER": "joed"}
    return {**head, "JOED_EVENT": hide(event), **ours}


def _json(hide: Hide, line: Line) -> str:
    """Render one object a line."""
    at, level, event, fields, trace = line
    stamp = datetime.fromtimestamp(at / 1e9, UTC).isoformat(timespec="microseconds")
    said: dict[str, Value] = {"at": stamp, "level": level, "event": _cut(hide(event))}
    said |= {f"{key}_" if key in said else key: _jsonable(hide, value) for key, value in fields.items()}
    said |= {"trace": hide(trace)} if trace else {}
    plain = json.dumps(said, ensure_ascii=False)
    return f"{plain if plain.isprintable() else json.dumps(said)}\n"


def _jsonable(hide: Hide, value: Value) -> Value:
    """Give numbers as numbers where JSON has them, all else as text."""
    text = hide(str(value))
    plain = value is None or (isinstance(value, int | float) and text == str(value) and abs(value) < math.inf)
    return value if plain else _cut(text)


RENDER: dict[str, Callable[[Hide, Line], str]] = {"journald": _journald, "text": _text, "json": _json}


def _said(hide: Hide, line: Line) -> str:
    """Give the event and its key-values in one line."""
    _, _, event, fields, _ = line
    return " ".join([_shown(hide(event)), *(f"{key}={_value(hide, value)}" for key, value in fields.items())])


def _value(hide: Hide, value: Value) -> str:
    text = _cut(hide(str(value)))
    return (
        text if PLAIN.fullmatch(text) and text.isprintable() else json.dumps(text, ensure_ascii=not text.isprintable())
    )


def _shown(text: str) -> str:
    """Give text in one line: what would break it, or move a terminal's cursor, is written out."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in _cut(text))


def _cut(text: str) -> str:
    return text if len(text) <= VALUE_CHARS_MAX else f"{text[:VALUE_CHARS_MAX]}…"


def _below(hide: Hide, trace: str, prefix: str) -> str:
    return "".join(f"{prefix}    {_shown(line)}\n" for line in hide(trace).splitlines())


class Bridge(logging.Handler):
    """Leads what libraries say through Python's logging into our log."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record; the library's own words are the event."""
        level = next(name for name, floor in FLOORS.items() if record.levelno >= floor)
        try:
            words = record.getMessage()
        except Exception as error:  # noqa: BLE001 - its arguments do not fit its format: say what can be said
            words = f"{record.msg} ({type(error).__name__})"
        trace = "".join(traceback.format_exception(*record.exc_info))[-TRACE_CHARS_MAX:] if record.exc_info else ""
        ours = record.name.startswith("joed")
        self._log.put(level, words, {} if ours else {"logger": record.name}, trace)


FLOORS = {"critical": 50, "error": 40, "warning": 30, "info": 20, "debug": 0}


def adopt(log: Log, *, level: int = logging.INFO) -> None:
    """Lead all of Python's logging, and warnings, into our log."""
    root = logging.getLogger()
    root.handlers[:] = [Bridge(log)]
    root.setLevel(level)
    logging.captureWarnings(capture=True)


def pick_format(asked: str | None, environ: Mapping[str, str] = os.environ, descriptor: int = 2) -> Format:
    """Give the format asked for; without one, the journal's where standard error leads there, else text."""
    for form in FORMATS:
        if asked == form:
            return form
    assert asked is None, asked
    with suppress(OSError, ValueError):
        device, inode = map(int, environ.get("JOURNAL_STREAM", "").split(":"))
        seen = os.fstat(descriptor)
        if (seen.st_dev, seen.st_ino) == (device, inode):
            return "journald"
    return "text"
