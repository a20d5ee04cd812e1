"""The command line: arguments in, one mode chosen, an exit status out (0, 1, 64 usage, 75 temporary, 77, 78 config)."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from joed import __version__
from joed.errors import ConfigError, JoedError
from joed.protocol import open_streams

OK, FAILED, USAGE, TEMPORARY, FORBIDDEN, CONFIG = 0, 1, 64, 75, 77, 78
DEFAULT_CONFIG = Path("/etc/joed/joed.yaml")
INTERRUPTED = 130

EPILOG = """\
One mode at a time; without any, --daemon.
Exit: 0 ok, 1 a difference or a failure was found, 64 usage, 75 try again later, 77 not permitted, 78 configuration.
"""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose usage errors end with sysexits' number for them."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and how it is meant."""
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"joed: {message}\n")


def parser() -> Parser:
    """Give the command line's grammar."""
    made = Parser(prog="joed", description="A trading daemon for a person's own account.", epilog=EPILOG)
    modes = made.add_mutually_exclusive_group()
    modes.add_argument("--daemon", action="store_true", help="trade until the session ends (the default)")
    modes.add_argument("--once", action="store_true", help="analyse once, print the watchlist and its triggers, end")
    modes.add_argument("--demo", action="store_true", help="a day on the embedded market; needs no account, no root")
    modes.add_argument("--replay", metavar="SESSION", help="decide a recorded session again and compare every command")
    modes.add_argument(
        "--backtest", metavar="DATA", type=Path, help="run bars or quotes (CSV, Parquet) through the core"
    )
    modes.add_argument("--simulate", metavar="SEEDS", help="seeded worlds with faults: a number, or FROM-TO")
    modes.add_argument("--audit", choices=("verify", "export"), help="check or print the record of a state directory")
    modes.add_argument(
        "--export",
        choices=("trades", "lots", "equity", "figures"),
        help="print the record's trades, FIFO lots, equity or figures by strategy and regime as CSV",
    )
    modes.add_argument("--check", action="store_true", help="check the configuration: 0, or 78")
    modes.add_argument("--gate", action="store_true", help="0 a session is due, 1 none, 255 calendar unusable")
    modes.add_argument(
        "--failsafe", action="store_true", help="when no daemon lives: cancel entries, verify stops, say what is left"
    )
    common = made.add_argument_group("options")
    common.add_argument("--config", metavar="FILE", type=Path, help=f"default {DEFAULT_CONFIG}")
    common.add_argument("--state-dir", metavar="DIR", type=Path, help="where the record lies")
    common.add_argument("--broker", metavar="NAME", action="append", help="use this broker only (may be given again)")
    common.add_argument("--year", metavar="Y", default="", help="with --export: this year only")
    common.add_argument(
        "--trade", action="store_true", help="with --once: let triggers become orders, through the same gate"
    )
    common.add_argument("--json", action="store_true", help="print data as JSON")
    common.add_argument("--html", metavar="FILE", type=Path, help="also write the report as a page (with --backtest)")
    common.add_argument("--seed", type=int, default=None, help="the embedded market's seed (default 1)")
    common.add_argument("--speed", metavar="N|max", type=_speed, default=60.0, help="how fast a demo runs (default 60)")
    common.add_argument("--confirm", choices=("auto", "manual"), help="paper only; a demo's default is auto")
    common.add_argument(
        "--exchange", choices=("inline", "process"), default="inline", help="where the paper exchange lives"
    )
    common.add_argument("--clock", metavar="ORIGIN@SPEED", help="paper only: begin at this UTC time, at this speed")
    common.add_argument(
        "--with", dest="other", metavar="FILE", type=Path, help="with --replay: trade its tape by this config"
    )
    common.add_argument("--witness", metavar="FILE", type=Path, help="with --daemon: keep the record's head here too")
    common.add_argument(
        "--anchor", metavar="HASH@SEQ", action="append", help="with --audit verify: a head that was noted elsewhere"
    )
    common.add_argument(
        "--journal", metavar="FILE", type=Path, help="with --audit verify: a log with joed's audit_anchor lines"
    )
    common.add_argument("--format", choices=("json", "csv"), default="json", help="with --audit export")
    common.add_argument(
        "--log-format", choices=("journald", "text", "json"), help="default: what the terminal suggests"
    )
    common.add_argument("--version", action="version", version=f"joed {__version__}")
    return made


def _speed(text: str) -> float | None:
    """Read a speed; None is as fast as it goes."""
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed <= 10_000:
        raise argparse.ArgumentTypeError(f"a speed is a number above 0 up to 10000, or max; not {text!r}")
    return speed


def main(arguments: Sequence[str] | None = None) -> int:
    """Run joed and give its exit status."""
    open_streams()
    made = parser()
    options = made.parse_args(arguments)
    refuse_idle(made, options)
    from joed import modes

    try:
        return modes.run(options)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except Exception as error:
        cause = first_of(error)
        status = status_of(cause)
        if status is None:
            raise
        sys.stderr.write(f"joed: {words_of(cause)}\n")
        return status


def refuse_idle(made: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse an option that the chosen mode would not look at: it was meant to do something."""
    if options.clock and (options.demo or options.replay or options.backtest or options.simulate):
        made.error("--clock is for --daemon, --once and --gate; a demo has --speed")
    if options.other and not options.replay:
        made.error("--with goes with --replay")
    if options.year and not options.export:
        made.error("--year goes with --export")
    if options.trade and not options.once:
        made.error("--trade goes with --once")
    if options.html and not options.backtest:
        made.error("--html goes with --backtest")


def first_of(error: BaseException) -> BaseException:
    """Give the exception that a group of tasks ended with."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def status_of(cause: BaseException) -> int | None:
    """Give the exit status for what ended joed; None for a fault of ours, which shows its traceback."""
    import sqlite3

    from joed.daemon.chain import JournalDamaged, JournalNewer
    from joed.daemon.recovery import CannotRecover

    table: tuple[tuple[type[BaseException], int], ...] = (
        (ConfigError, CONFIG),
        (JournalDamaged, CONFIG),  # nothing that a restart would mend: a person must look
        (JournalNewer, CONFIG),
        (CannotRecover, CONFIG),
        (PermissionError, FORBIDDEN),
        (FileNotFoundError, FAILED),
        (JoedError, TEMPORARY),
        (OSError, TEMPORARY),
        (sqlite3.OperationalError, TEMPORARY),
    )
    if type(cause) is sqlite3.DatabaseError:  # SQLITE_CORRUPT and SQLITE_NOTADB; its subclasses are faults of ours
        return CONFIG
    return next((status for kind, status in table if isinstance(cause, kind)), None)


def words_of(cause: BaseException) -> str:
    """Say what ended joed, with the next step where the system's own words name none."""
    import sqlite3

    if type(cause) is sqlite3.DatabaseError:
        return (
            f"the record is damaged: {cause}; joed --audit verify says where, docs/operations.md how a backup goes back"
        )
    if isinstance(cause, PermissionError) and cause.filename:
        return f"{cause.strerror}: {cause.filename}; run it as the owner (sudo -u), or name another --state-dir"
    return str(cause)


if __name__ == "__main__":
    sys.exit(main())
