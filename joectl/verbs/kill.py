"""The kill: a file first, which holds whatever the daemon does, then the daemon, which cancels and answers."""

from pathlib import Path
from typing import Any

from joectl.cli import Options, tell
from joectl.client import Failure, NotRunning, Silent, change, new_request_id
from joectl.verbs.changes import again
from joectl.verbs.looks import show
from joed import protocol
from joed.protocol import Exit, Place

UNTOUCHED = "what rests at the broker is untouched: joed --failsafe{} cancels it and verifies the stops"


def kill(options: Options, *, scope: str) -> Exit:
    """Latch, tell, and print the receipt; 0 when at least one of the two holds."""
    place, request = options.place(), options.request_id or new_request_id()
    not_latched = latched(place.state_dir, scope)
    body: dict[str, Any] = {"scope": scope, "request": request, "state_dir": str(place.state_dir or "")}
    failure = None
    try:
        receipt = change(
            place, "kill", request, options.timeout, {"reason": options.reason, "args": {"scope": scope}}
        ).body
    except Failure as error:
        receipt, failure = None, error
    body |= {"latched": not not_latched or bool(receipt and receipt.get("latched")), "receipt": receipt}
    body["daemon"] = said(failure)
    if failure and not body["latched"]:
        raise never(failure, not_latched, again("kill", {"scope": scope}, request), body)
    show(options, body, words_of)
    if not_latched:
        tell(f"joectl could not latch it itself: {not_latched}")
    if failure:
        tell(failure.words, untouched(place) if isinstance(failure, NotRunning | Silent) else failure.hint)
    return Exit.OK


def latched(state_dir: Path | None, scope: str) -> str:
    """Make the latch files; give what hindered it, "" where nothing did."""
    if state_dir is None:
        return "no state directory is known: name it with --state-dir"
    try:
        protocol.latch(state_dir, scope)
    except OSError as error:
        return f"{error.strerror}: {error.filename or state_dir}"
    return ""


def said(failure: Failure | None) -> str:
    """Say in a word how the daemon took it."""
    if failure is None:
        return "answered"
    kinds = {NotRunning: "not_running", Silent: "silent"}
    return kinds.get(type(failure), "refused")


def never(failure: Failure, not_latched: str, retry: str, body: dict[str, Any]) -> Failure:
    """Give the failure of a kill that neither layer took."""
    words = f"NOT killed: {failure.words}; and no latch: {not_latched}"
    hint = retry if isinstance(failure, Silent) else failure.hint
    return Failure(failure.code, words, hint, body)


def words_of(body: dict[str, Any]) -> str:
    """Give the receipt as a person reads it."""
    where = f"latched in {body['state_dir']}" if body["latched"] and body["state_dir"] else "latched by joed"
    receipt = body["receipt"]
    answer = f"joed: {receipt['words']}" if receipt else "joed has not answered"
    return f"killed ({body['scope']}): {where if body['latched'] else 'NOT latched'}\n{answer}"


def untouched(place: Place) -> str:
    """Say what a kill without a daemon leaves to be done, and with what."""
    directory = "" if place.state_dir in {None, protocol.SYSTEM_STATE_DIR} else f" --state-dir {place.state_dir}"
    return UNTOUCHED.format(directory)
