"""What can be looked at: one row a verb, each a pure choice from the View."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from joed.engine.card import card_of, changes_of, digest_of
from joed.engine.view import status_line
from joed.model.commands import Command
from joed.model.events import Event, SettingsLoaded
from joed.model.view import View
from joed.protocol import Role

HIDDEN = frozenset({"answers", "keys", "signing"})
"""Fields of the View that are not for people."""


class Row(NamedTuple):
    """Who may look, and what is shown."""

    role: Role
    show: Callable[[View], dict[str, Any]]


class Record(msgspec.Struct, frozen=True):
    """One durable record: an event and the commands it led to."""

    seq: int
    now_ns: int
    event: Event
    commands: Sequence[Command] = ()


def describe(record: Record) -> dict[str, Any]:
    """Give a record as a line of JSON shows it; settings are long, and told by their digest."""
    event: Any = record.event
    if isinstance(event, SettingsLoaded):
        event = {"type": "SettingsLoaded", "digest": event.digest, "reason": event.reason}
    return {"seq": record.seq, "now_ns": record.now_ns, "event": event, "commands": record.commands}


def stem(order: str) -> str:
    """Give what all legs of one of our ids share, j1-session-epoch-seq.n; any other name as it is."""
    return "-".join(order.split("-")[:4]) if order.startswith("j1-") else order


def about(record: Record, names: tuple[str, ...]) -> Record | None:
    """Give of a record what concerns these orders (by their stems) or instruments, None where nothing does."""
    if _concerns(record.event, names):
        return record
    commands = tuple(command for command in record.commands if _concerns(command, names))
    return msgspec.structs.replace(record, commands=commands) if commands else None


def _concerns(fact: Event | Command, names: tuple[str, ...]) -> bool:
    orders = (str(getattr(fact, field, "")) for field in ("order", "group", "signal"))
    return getattr(fact, "instrument", None) in names or any(stem(order) in names for order in orders if order)


def status(shown: View) -> dict[str, Any]:
    """Give everything, with the one line on top."""
    rows = {name: getattr(shown, name) for name in shown.__struct_fields__ if name not in HIDDEN}
    return {"line": status_line(shown), **rows, "signatures": signatures(shown)}


def signatures(shown: View) -> dict[str, int]:
    """Say how many people have signed the card as it is now, and how many must.

    A card that nobody has signed is not made for this: status is asked each second.
    """
    signing, signed = shown.signing, 0
    if shown.confirmed:
        signed = signing.needed
    elif signing.signers and signing.card == digest_of(card_of(shown)):
        signed = len(signing.signers)
    return {"signed": signed, "needed": signing.needed}


def hello(shown: View) -> dict[str, Any]:
    """Give the first line of a watch: where the record stands, and what joed does."""
    at = {"seq": shown.seq, "now_ns": shown.now_ns, "epoch": shown.epoch}
    return {"kind": "hello", **at, "phase": shown.phase, "line": status_line(shown), "timezone": shown.clock.timezone}


def card(shown: View) -> dict[str, Any]:
    """Give the day's card, the hash that signs it, what is other than on the last signed one, and who has signed."""
    found = card_of(shown)
    digest = digest_of(found)
    waits = any(need.code == "unconfirmed" for need in shown.needs)
    signing = shown.signing
    last = signing.last
    return {
        "card": found,
        "hash": digest,
        "changes": changes_of(shown),
        "last": {"session": last.card.session, "uids": last.uids, "at_ns": last.at_ns} if last else None,
        "signers": signing.signers if signing.card == digest else (),
        "signers_needed": signing.needed,
        "confirmed": shown.confirmed,
        "waits": waits,
        "equity_now": shown.equity,
        "timezone": shown.clock.timezone,
    }


def kill(shown: View) -> dict[str, Any]:
    """Give the kill in force with its receipt as of now, and the last drill; each None where there is none."""
    return {"kill": shown.kill, "drill": shown.drilled, "seq": shown.seq, "now_ns": shown.now_ns}


def _some(*names: str) -> Callable[[View], dict[str, Any]]:
    """Show these fields, and where they stand in time."""
    fields = (*names, "seq", "now_ns", "base_currency", "clock")
    return lambda shown: {name: getattr(shown, name) for name in fields}


READS = {
    "status": Row(Role.VIEWER, status),
    "orders": Row(Role.VIEWER, _some("orders")),
    "positions": Row(Role.VIEWER, _some("positions", "equity", "daily_pnl", "unrealised")),
    "watchlist": Row(Role.VIEWER, _some("watchlist", "scanned_ns", "triggers", "trigger_count", "left_out", "aside")),
    "regime": Row(Role.VIEWER, _some("regime", "regime_age_s", "figures", "stance", "crypto")),
    "jobs": Row(Role.VIEWER, _some("jobs")),
    "brokers": Row(Role.VIEWER, _some("brokers", "external", "verdicts")),
    "confirm": Row(Role.VIEWER, card),
    "kill": Row(Role.VIEWER, kill),
    "alerts": Row(Role.VIEWER, _some("alert_rows", "channels")),
    "watch": Row(Role.VIEWER, hello),
    "why": Row(Role.VIEWER, hello),  # needs the journal: control.py answers these three itself
    "version": Row(Role.ANY, hello),
    "doctor": Row(Role.VIEWER, hello),
}
"""Each verb that only looks: GET /v1/VERB."""
