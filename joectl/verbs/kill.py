"""The kill: a file first, which holds whatever the daemon does, then the daemon, which cancels and answers."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from joectl import receipt as drawn
from joectl import render
from joectl.cli import Options, mute, tell
from joectl.client import Failure, NotRunning, Silent, change, look, new_request_id
from joectl.verbs.changes import REMEDIES, again
from joectl.verbs.looks import fetched, show
from joed import protocol
from joed.protocol import Exit, Place, plain

ANSWER_S = 2.5
"""How long the daemon has to answer a kill: with the start of this process, a person knows within three seconds."""
FOLLOW_S = 20.0
"""How long a kill is followed; what is not done by then goes on without us."""
LOOK_EVERY_S = 0.2
HOLDS = "nothing new is sent, by this process or the next, and stops at the broker live on"
UNTOUCHED = "what rests at the broker is untouched: joed --failsafe{} cancels it and verifies the stops"
GOES_ON = "joed goes on with it: joectl kill --show tells how far it is"


def kill(options: Options, *, scope: str, no_wait: bool, drill: bool, show_only: bool) -> Exit:
    """Latch, tell, and print the receipt until all is done; 0 when at least one of latch and daemon took it."""
    if show_only:
        show(options, fetched(options, "kill").body, drawn.kill)
        return Exit.OK
    if drill:
        return rehearse(options, scope)
    place, request = options.place(), options.request_id or new_request_id()
    not_latched = latched(place.state_dir, scope)
    body: dict[str, Any] = {"scope": scope, "request": request, "state_dir": str(place.state_dir or "")}
    body["found_by"] = place.found_by
    failure = None
    asked = {"reason": plain(options.reason), "args": {"scope": scope}}
    try:
        receipt = change(place, "kill", request, min(options.timeout, ANSWER_S), asked).body
    except Failure as error:
        receipt, failure = None, error
    body |= {"latched": not not_latched or bool(receipt and receipt.get("latched")), "receipt": receipt}
    body["daemon"] = said(failure)
    if failure and not body["latched"]:
        raise never(failure, not_latched, again("kill", {"scope": scope}, request), body)
    with kept():
        if not options.json:
            show(options, body, words_of)
        if not_latched:
            tell(f"joectl could not latch it itself: {not_latched}")
        if failure:
            tell(f"{failure.words}: {HOLDS}" if silent(failure) else failure.words, next_step(failure, place))
            warn_of_another(failure, place)
        seen = (receipt or {}).get("kill")
        if seen and not seen["done"] and not no_wait:
            seen = followed(place, request, seen)
        finish(options, body | {"kill": seen, "done": bool(seen and seen["done"])})
    return Exit.OK


@contextmanager
def kept() -> Iterator[None]:
    """Make no failure of a kill that holds, where its receipt has no place to be written."""
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        mute(sys.stdout)
        tell(f"it holds, and its receipt could not be written: {error}", "joectl kill --show")


def warn_of_another(failure: Failure, place: Place) -> None:
    """Say that a kill where no joed ever was, or only a demo that is over, kills none that is elsewhere."""
    if not isinstance(failure, NotRunning) or place.state_dir is None:
        return
    strange = not protocol.exists(place.state_dir / "joed.db")
    if strange or place.found_by == protocol.A_DEMO:
        words = f"no joed has ever run in {place.state_dir}" if strange else f"the demo in {place.state_dir} is over"
        tell(f"{words}: one that runs elsewhere is NOT killed", "joectl kill --state-dir DIR")


def finish(options: Options, body: dict[str, Any]) -> None:
    """Say how far it has come."""
    if options.json:
        show(options, body, words_of)
    elif body["kill"]:
        print(drawn.receipt(render.cleaned(body["kill"])))
    if body["kill"] and not body["done"]:
        tell(f"not done yet: {len(body['kill']['waits'])} still open", GOES_ON)


def followed(place: Place, request: str, seen: dict[str, Any]) -> dict[str, Any]:
    """Look until all is done, the time is over, or nobody answers any more; give the last receipt."""
    until = time.monotonic() + FOLLOW_S
    while not seen["done"] and time.monotonic() < until:
        time.sleep(LOOK_EVERY_S)
        try:
            found = look(place, "kill", ANSWER_S).body.get("kill")
        except Failure as failure:
            tell(f"cannot follow it any longer: {failure.words}", failure.hint)
            break
        if not found:
            break  # released meanwhile
        seen = found
    return seen


def rehearse(options: Options, scope: str) -> Exit:
    """Hold a drill and say how it went: the daemon makes the file, so that a dead one cannot be left killed."""
    place, request = options.place(), options.request_id or new_request_id()
    asked = {"reason": plain(options.reason), "args": {"scope": scope, "drill": "yes"}}
    try:
        change(place, "kill", request, options.timeout, asked)
    except Failure as failure:
        failure.hint = REMEDIES.get(str(failure.fields.get("code")), failure.hint)
        raise
    until = time.monotonic() + FOLLOW_S
    body = look(place, "kill", options.timeout).body
    while under_way(body, request) and time.monotonic() < until:
        time.sleep(LOOK_EVERY_S)
        body = look(place, "kill", options.timeout).body
    drill = body.get("drill")
    if under_way(body, request) or drill is None:
        raise Failure(Exit.UNKNOWN, "the drill has not ended", GOES_ON, {"kill": body.get("kill")})
    show(options, {"request": request, "drill": drill}, lambda clean: drawn.drill(clean["drill"]))
    if drill["passed"]:
        return Exit.OK
    tell(f"the drill failed: {drill['words']}", "joectl status; the kill stays until joectl release --reason WORDS")
    return Exit.FAILED


def under_way(body: dict[str, Any], request: str) -> bool:
    """Say whether the drill of this request still runs."""
    seen = body.get("kill")
    return bool(seen and seen["drill"] and seen["request"] == request)


def latched(state_dir: Path | None, scope: str) -> str:
    """Make the latch files; give what hindered it, "" where nothing did."""
    if state_dir is None:
        return "no state directory is known: name it with --state-dir"
    try:
        protocol.latch(state_dir, scope)
    except OSError as error:
        return f"{error.strerror}: {error.filename or state_dir}"
    return ""


def silent(failure: Failure) -> bool:
    """Say whether nobody answered, as against a daemon that refused."""
    return isinstance(failure, NotRunning | Silent)


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
    """Give what holds now as a person reads it."""
    where = f"latched in {body['state_dir']}" if body["latched"] and body["state_dir"] else "latched by joed"
    where += f", {body['found_by']}" if body["found_by"] == protocol.A_DEMO else ""
    receipt = body["receipt"]
    without = "did not take it, and finds the latch by itself" if body["daemon"] == "refused" else "has not answered"
    answer = f"joed: {receipt['words']}" if receipt else f"joed {without}"
    return f"killed ({body['scope']}): {where if body['latched'] else 'NOT latched'}\n{answer}"


def next_step(failure: Failure, place: Place) -> str:
    """Say what a kill without a daemon leaves to be done, and with what."""
    if not silent(failure):
        return failure.hint
    directory = "" if place.state_dir in {None, protocol.SYSTEM_STATE_DIR} else f" --state-dir {place.state_dir}"
    return UNTOUCHED.format(directory)
