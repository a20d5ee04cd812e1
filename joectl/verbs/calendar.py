"""Market hours: read from the files that a start would read, by joed's own program; no daemon is needed."""

import subprocess
import sys

from joectl.cli import Options, tell
from joectl.client import Failure
from joectl.verbs.changes import carried
from joed.protocol import Exit

PROGRAM = ("-P", "-m", "joed.timetable")


def calendar(options: Options, *, action: str, date: str, market: str, days: int, into: str, config: str) -> Exit:
    """Show the days ahead, close one, or make the timers of a market; a daemon that runs reads a close at once."""
    if (action == "close") != bool(date):
        raise Failure(Exit.USAGE, "a date goes with close, and close with a date", "joectl calendar close 2027-01-09")
    words = [sys.executable, *PROGRAM, action, *([date] if date else []), "--days", str(days)]
    given = {"--market": market, "--config": config, "--into": into, "--reason": options.reason}
    given["--state-dir"] = str(options.state_dir or "")
    words += [word for name, value in given.items() if value for word in (name, value)]
    sys.stdout.flush()
    done = subprocess.run([*words, *(["--json"] if options.json else [])], check=False)
    if done.returncode != 0:
        return Exit.FAILED
    return _reloaded(options) if action == "close" else Exit.OK


def _reloaded(options: Options) -> Exit:
    """Have the daemon read the day; where none runs, the next start does."""
    try:
        carried(options._replace(reason=options.reason or "joectl calendar close"), "reload", {})
    except Failure as failure:
        if failure.code is Exit.NOT_RUNNING:
            return Exit.OK
        tell(f"joed has not read it: {failure.words}", failure.hint or "joectl reload")
        return failure.code
    return Exit.OK
