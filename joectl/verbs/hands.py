"""A person's hands on single orders and positions; each verb can say first what it would do."""

from typing import Any

from joectl import render
from joectl.cli import Options
from joectl.client import Failure
from joectl.verbs.changes import carried
from joectl.verbs.looks import fetched, show
from joed.protocol import Exit

ABSENT = "absent"


def dealt(options: Options, verb: str, args: dict[str, str], *, dry_run: bool) -> Exit:
    """Ask for it, and print what joed did or would do, order by order."""
    asked = {name: value for name, value in args.items() if value}
    show(options, carried(options, verb, asked | ({"dry_run": "yes"} if dry_run else {})), render.deeds)
    return Exit.OK


def cancel(options: Options, *, order: str, dry_run: bool) -> Exit:
    """Cancel one order."""
    return dealt(options, "cancel", {"order": order}, dry_run=dry_run)


def flatten(options: Options, *, instrument: str, all: bool, dry_run: bool) -> Exit:  # noqa: A002 - the option's name
    """Close one position, or all; which is said, never guessed."""
    if bool(instrument) == all:
        raise Failure(Exit.USAGE, "name one instrument, or say --all", "joectl positions lists them")
    try:
        return dealt(options, "flatten", {"instrument": instrument}, dry_run=dry_run)
    except Failure as failure:
        if failure.fields.get("code") == "nothing_to_flatten" and instrument != instrument.upper():
            failure.hint = f"joectl flatten {instrument.upper()}, if that was meant; joectl positions"
        raise


def resolve(options: Options, *, order: str, deal: str, absent: bool, dry_run: bool) -> Exit:
    """Settle an order in doubt; joed refuses without a reason, so we ask for it first."""
    if bool(deal) == absent:
        raise Failure(Exit.USAGE, "say --deal ID or --absent", "the broker's own screen shows which")
    if not options.reason:
        raise Failure(Exit.USAGE, "resolve needs a reason", "joectl resolve … --reason WORDS")
    return dealt(options, "resolve", {"order": order, "deal": deal or ABSENT}, dry_run=dry_run)


def adopt(options: Options, *, instrument: str, stop: str, quantity: str, dry_run: bool) -> Exit:
    """Adopt exactly the quantity that the broker shows now: joed refuses where it has moved meanwhile."""
    if not quantity:
        body: dict[str, Any] = fetched(options, "brokers").body
        quantity = str(body["external"].get(instrument, ""))
    return dealt(options, "adopt", {"instrument": instrument, "stop": stop, "quantity": quantity}, dry_run=dry_run)
