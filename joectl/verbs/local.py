"""What needs no daemon: the journal's own check, the doctor, the versions."""

import os
import shutil
import sys
from pathlib import Path
from time import sleep
from typing import Any, NoReturn

import joed
from joectl import render
from joectl.cli import Options
from joectl.client import Failure, look, start_hint
from joectl.verbs.looks import show
from joed import protocol
from joed.protocol import Exit, Header, Place

ALERT_WAIT_S = 3.0
"""How long a test alert has to arrive."""
UNREADABLE = "look as a member of joed-view or joed-op, or with sudo; joectl status says it too"
FREE_BYTES_MIN = 256 * 1024 * 1024
MEBIBYTE = 1024 * 1024

REMEDIES = {
    "state_dir": "name it with --state-dir, or start joed once",
    "latch": "joectl release --reason WORDS, once the cause of the kill is gone",
    "disk": "free space: without it the journal stops, and entries with it",
    "version": "restart joed when the session allows it",
    "health": "joectl status",
    "brokers": "check the broker's gateway and the network; joed connects again by itself",
    "books": "joectl brokers; compare with the broker's own screen",
    "kill_drill": "joectl kill --show; joectl release --reason WORDS, then joectl kill --drill again",
    "connection": "joectl brokers; docs/brokers says what each broker's own program must be set to",
    "instruments": "buy the data, mend the row in universe.yaml, or take it out; joectl reload",
    "daily bars": "joectl brokers says why; a name without history is not scanned",
    "minute bars": "joectl brokers says why; today's minutes gather from its quotes",
    "stops": "joectl positions; joectl kill --scope flatten closes everything",
    "jobs": "joectl jobs",
    "backup": "journalctl -u joed -g backup_failed says why; joectl flush, and see that daemon.backups is not 0",
    "journal": "joectl status; make room on its disk",
    "account": "joectl brokers; set mode: live and log in to the account that is meant",
    "calendar": "install a newer joed, or add the days to calendar.d",
    "clock": "systemctl enable --now systemd-timesyncd, or chrony",
    "watchdog": "systemctl start joed: the service has WatchdogSec set",
    "credentials": "chmod 600 each file, or let systemd load them with LoadCredential=",
    "drill": "joectl kill --drill on the paper account, then joectl doctor --live --drilled DIR",
    "alerts": "set up a channel in alerts.yaml (or alerts.command), joectl reload, and look again",
    "alert_channels": "mend its credential or its row in alerts.yaml, joectl reload, joectl alerts test CHANNEL",
    "queue": "joectl watch shows what arrives; a slow disk or a busy machine is the usual cause",
}
"""The remedy for each thing that the doctor looks at."""


def audit(options: Options, *, action: str, anchor: tuple[str, ...], journal: str) -> NoReturn:
    """Become `joed --audit`: it reads the journal, and joectl knows nothing of that."""
    place = options.place()
    if place.state_dir is None:
        raise Failure(Exit.FAILED, "no state directory is known", "joectl audit verify --state-dir DIR")
    sys.stdout.flush()
    words = [sys.executable, "-m", "joed", "--audit", action, "--state-dir", str(place.state_dir)]
    words += [word for each in anchor for word in ("--anchor", each)]
    words += ["--journal", journal] if journal else []
    os.execv(sys.executable, [*words, *(["--json"] if options.json else [])])  # noqa: S606 - our own program, no shell


def export(options: Options, *, what: str, year: str) -> NoReturn:
    """Become `joed --export`: it reads the journal, and joectl knows nothing of that."""
    place = options.place()
    if place.state_dir is None:
        raise Failure(Exit.FAILED, "no state directory is known", f"joectl export {what} --state-dir DIR")
    sys.stdout.flush()
    words = [sys.executable, "-m", "joed", "--export", what, "--state-dir", str(place.state_dir)]
    words += [*(["--year", year] if year else []), *(["--json"] if options.json else [])]
    os.execv(sys.executable, words)  # noqa: S606 - our own program, no shell


def version(options: Options) -> Exit:
    """Print joectl's version, and the daemon's where one answers."""
    body: dict[str, Any] = {"joectl": joed.__version__, "api": protocol.API, "joed": None}
    try:
        body["joed"] = look(options.place(), "version", options.timeout).body
    except Failure as failure:
        body["why"] = failure.words
    show(options, body, _versions)
    return Exit.OK


def _versions(body: dict[str, Any]) -> str:
    daemon = body["joed"]
    words = f"{daemon['joed']} ({daemon['mode']}, epoch {daemon['epoch']})" if daemon else body["why"]
    return f"joectl {body['joectl']}\njoed   {words}"


def doctor(options: Options, *, live: bool = False, drilled: str = "") -> Exit:
    """Look at the place, the disk and the daemon; 1 when anything is amiss."""
    place = options.place()
    if live:
        return _first_day(options, drilled)
    checks = [*_places(place), *_daemon(options, place)]
    seen: dict[str, dict[str, Any]] = {}
    for check in checks:
        seen.setdefault(str(check["name"]), check)  # our own look comes first, the daemon's adds to it
    body = {"ok": all(check["ok"] for check in seen.values()), "checks": list(seen.values())}
    show(options, body, _findings)
    return Exit.OK if body["ok"] else Exit.FAILED


def _examined(options: Options, args: dict[str, str]) -> dict[str, Any]:
    """Ask for the doctor of live days, and give what was found, well or not."""
    from joectl.verbs.changes import carried

    try:
        return carried(options, "doctor", args)
    except Failure as failure:
        if "checks" not in failure.fields:
            raise
        return failure.fields


def _first_day(options: Options, drilled: str) -> Exit:
    """Have the daemon look at all that a first live day needs; once more, when only the test alert was still away."""
    args = {"drilled": str(Path(drilled).absolute())} if drilled else {}
    body = _examined(options, args)
    if [row["name"] for row in body["checks"] if not row["ok"]] == ["alerts"]:
        sleep(ALERT_WAIT_S)
        body = _examined(options, args)
    rows = [_check(str(row["name"]), str(row["words"]), ok=bool(row["ok"])) for row in body["checks"]]
    passed = body.get("code") == "ok"
    show(options, {"ok": passed, "checks": rows, "words": body.get("words") or body.get("detail")}, _findings)
    return Exit.OK if passed else Exit.FAILED


def _places(place: Place) -> list[dict[str, Any]]:
    directory = place.state_dir
    if directory is None or not directory.is_dir():
        return [_check("state_dir", f"none at {directory}" if directory else "none is known", ok=False)]
    return [_check("state_dir", str(directory)), _latch(directory), _disk(directory)]


def _latch(directory: Path) -> dict[str, Any]:
    try:
        found = protocol.read_latch(directory)
    except OSError as error:
        return _check("latch", f"whether a kill holds cannot be read: {error.strerror}", ok=False) | {"fix": UNREADABLE}
    return _check(
        "latch", f"killed: {found.scope}, by uid {found.uid}" if found else "no kill is latched", ok=not found
    )


def _disk(directory: Path) -> dict[str, Any]:
    free = shutil.disk_usage(directory).free
    return _check("disk", f"{free // MEBIBYTE} MiB free", ok=free >= FREE_BYTES_MIN)


def _daemon(options: Options, place: Place) -> list[dict[str, Any]]:
    try:
        reply = look(place, "doctor", options.timeout)
    except Failure as failure:
        fix = failure.hint or start_hint(place)
        directory = "" if place.state_dir in {None, protocol.SYSTEM_STATE_DIR} else f" --state-dir {place.state_dir}"
        fix += f"; joed --failsafe{directory} looks after the broker meanwhile"
        return [{"name": "socket", "ok": False, "words": failure.words, "fix": fix}]
    theirs = reply.headers.get(Header.VERSION.lower(), "")
    same = theirs == joed.__version__
    words = joed.__version__ if same else f"joed {theirs}, joectl {joed.__version__}"
    found = [_check(str(row["name"]), str(row["words"]), ok=bool(row["ok"])) for row in reply.body["checks"]]
    return [_check("socket", f"{place.socket} answers ({place.found_by})"), _check("version", words, ok=same), *found]


def _check(name: str, words: str, *, ok: bool = True) -> dict[str, Any]:
    return {
        "name": name,
        "ok": ok,
        "words": words,
        "fix": "" if ok else REMEDIES.get(name, REMEDIES.get(name.partition(": ")[2], "")),
    }


def _findings(body: dict[str, Any]) -> str:
    lines = []
    for check in body["checks"]:
        lines.append(["ok" if check["ok"] else "BAD", check["name"], check["words"]])
        if check["fix"]:
            lines.append(["", "", f"next: {check['fix']}"])
    return "\n".join(render.table(lines, ""))
