"""Completion for bash, zsh and fish, with the orders, positions and keys that joed has at this moment."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import click

from joectl.cli import COMMAND, VARIABLE, Options, options_of
from joectl.client import Failure, look
from joed.protocol import Exit

WAIT_S = 0.2
"""A person who presses Tab does not wait longer; without an answer there is nothing to offer."""
VALUES_MAX = 200

Body = dict[str, Any]


class Kind(NamedTuple):
    """Where values of a kind are looked up, and how they are taken from the answer."""

    path: str
    values: Callable[[Body], Iterable[str]]


def _named(body: Body) -> Iterable[str]:
    """Give all that `why` can be asked about."""
    yield from (row["instrument"] for row in (*body["positions"], *body["triggers"], *body["refused"]))
    yield from (row["order"] for row in body["orders"])
    yield from (row["signal"] for row in body["triggers"])


KINDS = {
    "orders": Kind("orders", lambda body: (row["order"] for row in body["orders"])),
    "doubts": Kind(
        "orders", lambda body: (row["order"] for row in body["orders"] if row["status"] in {"UNCERTAIN", "QUARANTINED"})
    ),
    "positions": Kind("positions", lambda body: (row["instrument"] for row in body["positions"])),
    "strangers": Kind("brokers", lambda body: body["external"]),
    "named": Kind("status", _named),
    "alerts": Kind("alerts", lambda body: (row["key"] for row in body["alert_rows"] if row["acked_uid"] is None)),
    "channels": Kind("alerts", lambda body: (row["name"] for row in body["channels"])),
    "blocks": Kind(
        "status", lambda body: (f"{row['scope']}/{row['reason']}" for row in body["blocks"] if row["latched"])
    ),
    "cards": Kind("confirm", lambda body: [body["hash"]]),
}
"""What can be offered; each is one look."""


def values(kind: str, context: click.Context) -> list[str]:
    """Give what joed has of this kind now, each once; nothing where it does not answer in time."""
    before = context.parent.params if context.parent else {}
    options = options_of(before, context.params)
    found = KINDS[kind]
    try:
        body = look(options.place(), found.path, WAIT_S).body
        return list(dict.fromkeys(map(str, found.values(body))))[:VALUES_MAX]
    except (Failure, KeyError, TypeError):
        return []  # a Tab is no place for an error


def completion(options: Options, *, shell: str) -> Exit:
    """Print what the shell has to read, once, to complete joectl."""
    from click.shell_completion import get_completion_class

    made = get_completion_class(shell)
    assert made is not None
    print(made(COMMAND, {}, "joectl", VARIABLE).source())
    return Exit.OK
