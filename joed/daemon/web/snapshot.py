"""What the page is told: the same rows as `joectl status --json`, the last records, each in words. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from joed.daemon.reads import Record, status
from joed.model.commands import Command, RefuseEntry
from joed.model.events import Event
from joed.model.values import Leg
from joed.model.view import PriceView, View
from joed.protocol import REMEDIES

FIELDS = (
    *("line", "seq", "now_ns", "utc_ns", "epoch", "phase", "words", "reasons", "health", "mode", "account"),
    *("base_currency", "version", "code", "clock", "confirmed", "signatures", "killed", "paused", "stopping", "blocks"),
    *("brokers", "equity", "equity_start", "cash", "gross", "daily_pnl", "realised", "unrealised", "fees", "limits"),
    *("trades", "wins", "losses", "positions", "orders", "triggers", "trigger_count", "watchlist", "scanned_ns"),
    *("regime", "regime_age_s", "jobs", "refusals", "external", "summary", "rates", "balances"),
    *("alert_rows", "channels", "kill", "queue_depth"),
)
"""The fields of `joectl status --json` that the page draws, each as it is there."""

ROUTINE = frozenset(
    {"HeartbeatMeasured", "CommandSent", "OrderAccepted", "TriggersMade", "WatchlistScored", "Tick", "Quote"}
)
"""Events that are told only for what they led to."""
QUIET = frozenset({"MarkEquity", "RunJob", "ReadBroker"})
"""Commands of the house, each minute many."""
RECORDS_SHOWN = 14
OLDEST_SHOWN = 3
NOBODY: Mapping[str, str] = {}
LEGS = {Leg.ENTRY: "entry", Leg.STOP: "stop", Leg.TARGET: "target", Leg.CLOSE: "close"}
WORDS = ("verb", "side", "quantity", "instrument", "price", "level", "leg", "job", "name")
ELSE = ("broker", "key", "scope")
MORE = ("code", "words")
"""Fields that say in a few words what a record is about, in this order; of ELSE the first counts, where nothing else is
named, and a `reason` where there are no words."""
CHARACTERS_MAX = 240
HUMP = re.compile(r"(?<!^)([A-Z])")


def snapshot(shown: View, records: Sequence[Record], build: str) -> bytes:
    """Give one message: what is so now, as JSON in one line; `build` names the page's own files."""
    rows = status(shown)
    told: dict[str, Any] = {name: rows[name] for name in FIELDS}
    told["needs"] = [
        {"severity": need.severity, "code": need.code, "words": need.words, "remedy": REMEDIES.get(need.code, "")}
        for need in shown.needs
    ]
    told["prices"] = _prices(shown)
    told["records"] = _told(records, shown)
    told["build"] = build
    return msgspec.json.encode(told)


def _told(records: Sequence[Record], shown: View) -> list[dict[str, Any]]:
    """Give the last records that are worth a look, the newest first; nothing is ahead of the View.

    The same refusal of the same instrument is told once, with how often it was met.
    """
    names = {order.order: f"{order.instrument} {LEGS[order.leg]}" for order in shown.orders}
    rows: list[dict[str, Any]] = []
    met: dict[str, dict[str, Any]] = {}
    for record in reversed(records):
        row = row_of(record, names) if record.seq <= shown.seq else None
        if row is None:
            continue
        refused = _refused(record)
        if refused in met:
            met[refused]["times"] += 1
            continue
        rows.append(row | {"at_ns": record.now_ns + shown.utc_ns - shown.now_ns})
        if refused:
            met[refused] = rows[-1]
        if len(rows) >= RECORDS_SHOWN:
            break
    return rows


def _prices(shown: View) -> list[dict[str, Any]]:
    """Give for each broker and source how many prices come by it, how many were never heard, and the oldest."""
    groups: dict[tuple[str, str], list[PriceView]] = {}
    for row in shown.prices:
        groups.setdefault((row.broker, row.source), []).append(row)
    rows = []
    for (broker, source), found in groups.items():
        aged = [(row.age_s, row.instrument) for row in found if row.age_s is not None]
        oldest = [{"instrument": name, "age_s": age_s} for age_s, name in sorted(aged, reverse=True)[:OLDEST_SHOWN]]
        told = {"broker": broker, "source": source, "count": len(found), "silent": len(found) - len(aged)}
        rows.append(told | {"oldest": oldest})
    return rows


def _refused(record: Record) -> str:
    """Name the refusal that is all this record led to, "" where it led to anything else."""
    told = [command for command in record.commands if type(command).__name__ not in QUIET]
    match told:
        case [RefuseEntry(instrument=instrument, code=code)]:
            return f"{instrument} {code}"
    return ""


def row_of(record: Record, names: Mapping[str, str] = NOBODY) -> dict[str, Any] | None:
    """Give a record in words: its event and what it led to; where the event is routine, that alone, or None.

    `names` says which instrument and leg a living order is.
    """
    kind = type(record.event).__name__
    commands = [said(command, names) for command in record.commands if type(command).__name__ not in QUIET]
    if kind in ROUTINE and not commands:
        return None
    first, *rest = commands if kind in ROUTINE else [said(record.event, names), *commands]
    return {"seq": record.seq, "words": first, "commands": rest, "times": 1}


def said(fact: Event | Command, names: Mapping[str, str] = NOBODY) -> str:
    """Say what an event or a command is, with what it is about; long words are cut."""
    about = getattr(fact, "block", fact)  # a Block has the words of what raises it
    parts = _of(about, WORDS) or _of(about, ELSE)[:1]
    if not getattr(about, "instrument", "") and (known := names.get(getattr(about, "order", ""))):
        parts.insert(0, known)
    more = _of(about, MORE) or _of(about, ("reason",))
    name = HUMP.sub(r" \1", type(fact).__name__).lower()
    text = " ".join([name, *parts]) + (f": {', '.join(more)}" if more else "")
    return text if len(text) <= CHARACTERS_MAX else text[: CHARACTERS_MAX - 1] + "…"


def _of(fact: object, names: Iterable[str]) -> list[str]:
    """Give those of these fields that say something."""
    found = (getattr(fact, name, None) for name in names)
    return [str(value) for value in found if value not in (None, "")]
