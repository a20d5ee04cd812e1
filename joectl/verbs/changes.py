"""The verbs that change something: each under a key, so that a retry never does it twice."""

import sys
from time import sleep
from typing import Any

import click

from joectl import render
from joectl.cli import Options, tell
from joectl.client import Failure, Silent, change, look, new_request_id
from joectl.verbs.looks import fetched, show
from joed.protocol import Exit

TYPED = {"alert_test": "alerts test"}
"""Verbs of the socket that joectl spells otherwise."""
TEST_WAIT_S = 30.0
TEST_LOOK_S = 0.2
"""How long a test has to arrive, and how often it is looked."""

REMEDIES = {
    **dict.fromkeys(
        ("card_account", "card_build", "card_changed", "card_expired", "card_settings", "card_unknown"),
        "joectl confirm shows the card as it is now",
    ),
    "doctor_needed": "joectl doctor --live",
    "config_invalid": "mend the lines above; joed --check reads the files as the daemon does",
    "second_user_needed": "another person in the group signs it, with joectl confirm",
    "session_over": "joectl status tells when the next session begins",
    "too_early": "joectl status; the session opens by itself",
    "nothing_to_confirm": "joectl status",
    "not_reconciled": "joectl brokers; wait until the books are read",
    "journal_failed": "free space, or mend the disk; joectl doctor shows what is left",
    "reason_needed": "joectl release --reason WORDS",
    "nothing_to_release": "joectl status names what is latched",
    "too_fast": "wait a second",
    "channel_unknown": "joectl alerts lists them; alerts.yaml sets them up",
    "nothing_to_acknowledge": "joectl alerts lists what waits, with its key",
    "order_unknown": "joectl orders --json",
    "order_ended": "joectl why ORDER",
    "not_in_doubt": "joectl why ORDER",
    "deal_unknown": "joectl brokers, and the broker's own screen",
    "job_unknown": "joectl jobs",
    "job_running": "joectl jobs",
    "no_session": "joectl status tells when the next session begins",
    "nothing_to_flatten": "joectl positions",
    "nothing_to_adopt": "joectl brokers",
    "not_proven": "wait for the next whole read, a few seconds",
    "books_moved": "joectl brokers, then adopt what it shows",
    "broker_down": "joectl brokers",
    "drill_live": "rehearse on a paper account: joed --demo, then joectl kill --drill",
    "drill_scope": "joectl kill --drill --scope orders",
    "already_killed": "joectl kill --show; joectl release --reason WORDS, once its cause is gone",
}
"""What to do after each refusal."""


def carried(options: Options, verb: str, args: dict[str, str], request: str = "") -> dict[str, Any]:
    """Ask for a change and give the answer; where its fate is unknown, say how to find out."""
    request = request or options.request_id or new_request_id()
    asked = {"reason": options.reason, "args": args}
    try:
        return change(options.place(), verb, request, options.timeout, asked).body
    except Silent as silent:
        raise Silent(
            Exit.UNKNOWN,
            f"{silent.words}: the outcome is unknown",
            again(verb, args, request),
            {
                **silent.fields,
                "request": request,
                "outcome": "unknown",
            },
        ) from silent
    except Failure as failure:
        failure.hint = REMEDIES.get(str(failure.fields.get("code")), failure.hint)
        failure.fields["request"] = request
        raise


def again(verb: str, args: dict[str, str], request: str) -> str:
    """Give the command that asks for the same once more, under the same key."""
    words = " ".join(shown(name, value) for name, value in args.items())
    return " ".join(filter(None, ("joectl", TYPED.get(verb, verb), words, f"--request-id {request}")))


def shown(name: str, value: str) -> str:
    """Give one argument as it is typed."""
    if name in ("order", "instrument", "job", "channel"):
        return value
    return {"dry_run": "--dry-run", "deal": "--absent"}.get(
        name if value in ("yes", "absent") else "", f"--{name} {value}"
    )


def done(options: Options, verb: str, args: dict[str, str] | None = None) -> Exit:
    """Carry a change in and print what joed said of it."""
    show(options, carried(options, verb, args or {}), lambda body: str(body.get("words", "done")))
    return Exit.OK


def pause(options: Options) -> Exit:
    """Open nothing new."""
    return done(options, "pause")


def run(options: Options, *, job: str) -> Exit:
    """Run a job now."""
    return done(options, "run", {"job": job})


def resume(options: Options) -> Exit:
    """End a pause."""
    return done(options, "resume")


def ack(options: Options, *, key: str, every: bool) -> Exit:
    """Acknowledge one alert, or all: it stays listed, and is told no more."""
    if bool(key) == every:
        raise Failure(Exit.USAGE, "name an alert, or --all", "joectl alerts lists them with their keys")
    return done(options, "ack", {"all": "yes"} if every else {"key": key})


def try_channel(options: Options, channel: str) -> Exit:
    """Send a test by one channel, and say whether it arrived."""
    if not channel:
        raise Failure(Exit.USAGE, "name a channel", "joectl alerts lists them")
    before = _channel(options, channel)
    carried(options, "alert_test", {"channel": channel})
    for _ in range(int(TEST_WAIT_S / TEST_LOOK_S)):
        sleep(TEST_LOOK_S)
        row = _channel(options, channel)
        if row.get("tested_ns") == before.get("tested_ns"):
            continue
        if row["tested"]:
            hint = "mend its credential or its row in alerts.yaml, joectl reload, and try again"
            raise Failure(Exit.FAILED, f"{channel} does not deliver: {row['tested']}", hint)
        show(options, {"channel": channel, "delivered": True}, lambda body: f"{body['channel']} has taken the test")
        return Exit.OK
    raise Failure(Exit.UNKNOWN, f"{channel} has not answered within {TEST_WAIT_S:g} s", "joectl alerts tells the rest")


def _channel(options: Options, name: str) -> dict[str, Any]:
    """Give how a channel does, nothing where there is none."""
    rows = look(options.place(), "alerts", options.timeout).body["channels"]
    return next((row for row in rows if row["name"] == name), {})


def flush(options: Options) -> Exit:
    """Make everything durable, and print the seq."""
    show(options, carried(options, "flush", {}), lambda body: f"durable to seq {body['seq']}")
    return Exit.OK


def reload(options: Options) -> Exit:
    """Have the configuration read again, and tell what changed; on an error, where it stands."""
    try:
        body = carried(options, "reload", {})
    except Failure as failure:
        if failure.fields.get("code") == "config_invalid":
            for line in failure.words.splitlines():
                tell_line(render.cleaned(line))
            failure.words = "the configuration is not sound: nothing was changed"
        raise
    show(options, body, lambda found: "\n".join(str(found["words"]).split("; ")))
    return Exit.OK


def release(options: Options, *, block: str) -> Exit:
    """Lift a latched Block; joed refuses without a reason, so we ask for it first."""
    if not options.reason:
        raise Failure(Exit.USAGE, "release needs a reason", REMEDIES["reason_needed"])
    return done(options, "release", {"block": block} if block else {})


def confirm(options: Options, *, card: str, yes: bool) -> Exit:
    """Show the day's card with what has changed, and sign exactly the one that was shown."""
    if options.request_id and card:
        return done(options, "confirm", {"card": card})  # a retry: the card may have gone with its confirmation
    body = fetched(options, "confirm").body
    found = str(body["hash"])
    if not options.json:
        print(render.card(render.cleaned(body)))
    if not body["waits"]:
        raise Failure(
            Exit.CONFLICT, "no confirmation is awaited", "joectl status", {"code": "nothing_to_confirm", **body}
        )
    if not (card or yes) and not signed(options, body):
        raise Failure(Exit.FAILED, "not signed", f"joectl confirm --card {found}")
    try:
        return done(options, "confirm", {"card": card or found})  # what is no longer so, joed says by its own code
    except Failure as failure:
        for line in render.changes(render.cleaned(failure.fields.get("changes") or [])):
            tell_line(line)
        raise


def tell_line(line: str) -> None:
    """Print a line for the person, beside the data."""
    print(line, file=sys.stderr)


def signed(options: Options, body: dict[str, Any]) -> bool:
    """Ask the person: a live account is typed out, so that nobody signs it out of habit."""
    if options.no_input or options.json or not sys.stdin.isatty():
        hint = f"joectl confirm --card {body['hash']} signs it, --yes signs whatever it is"
        raise Failure(Exit.USAGE, "a card must be signed by hand", hint, body)
    wanted = "yes"
    if body["card"]["mode"] == "live":
        tell("this is a live account")
        wanted = str(body["card"]["account"]) or wanted
    answer = str(click.prompt(f"type {wanted!r} to sign this card", default="", show_default=False, err=True))
    return answer.strip() == wanted
