"""joectl's verbs: one table, verb to function; what they share may stand before or after the verb."""

import os
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple, NoReturn, TextIO

import click

import joed
from joed import protocol
from joed.protocol import SCOPE_DEFAULT, SCOPES, Exit, Place, open_streams, safe

TIMEOUT_S = 10.0


class Options(NamedTuple):
    """What every verb takes."""

    socket: str = ""
    state_dir: str = ""
    json: bool = False
    no_input: bool = False
    timeout: float = TIMEOUT_S
    request_id: str = ""
    reason: str = ""

    def place(self) -> Place:
        """Say which daemon is meant."""
        return protocol.find(os.environ, self.socket, self.state_dir)


class Verb(NamedTuple):
    """Where a verb's function is (imported when it runs), its help, and what it alone takes."""

    function: str
    help: str
    params: tuple[click.Parameter, ...] = ()


VARIABLE = "_JOECTL_COMPLETE"
"""In which a shell says that it only wants to know how a line could go on."""


def living(kind: str) -> Any:  # noqa: ANN401 - click's own type of what completes
    """Give what completes a parameter with values that joed has now; imported when Tab is pressed."""

    def complete(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
        from joectl.completing import values

        return [value for value in values(kind, context) if value.startswith(incomplete)]

    return complete


CHECK = click.Option(["--check"], is_flag=True, help="Exit 8 when degraded, 9 when halted.")
SCOPE = click.Option(["--scope"], type=click.Choice(SCOPES), default=SCOPE_DEFAULT, show_default=True, help="How far.")
NO_WAIT = click.Option(["--no-wait"], is_flag=True, help="Print the first receipt and go; joed goes on.")
DRILL = click.Option(["--drill"], is_flag=True, help="Rehearse it on a paper account; it releases itself.")
SHOW = click.Option(["--show", "show_only"], is_flag=True, help="Kill nothing: show how far the last kill or drill is.")
CARD = click.Option(
    ["--card"],
    default="",
    metavar="HASH",
    shell_complete=living("cards"),
    help="Sign this card, shown before; no question is asked.",
)
YES = click.Option(["--yes"], is_flag=True, help="Sign the card as it is; no question is asked.")
BLOCK = click.Option(
    ["--block"],
    default="",
    metavar="SCOPE/REASON",
    shell_complete=living("blocks"),
    help="The latched block to lift; the kill's if none.",
)
SINCE = click.Option(["--since"], type=click.IntRange(min=0), metavar="SEQ", help="Begin after this record.")
ORDER = click.Argument(["order"], metavar="ORDER|INSTRUMENT|SIGNAL", shell_complete=living("named"))
NAMED = click.Argument(["order"], metavar="ORDER", shell_complete=living("orders"))
DOUBTED = click.Argument(["order"], metavar="ORDER", shell_complete=living("doubts"))
DRY_RUN = click.Option(["--dry-run"], is_flag=True, help="Show exactly what would be sent, and send nothing.")
INSTRUMENT = click.Argument(
    ["instrument"], metavar="[INSTRUMENT]", default="", required=False, shell_complete=living("positions")
)
ALL = click.Option(["--all"], is_flag=True, help="Every position of joed's.")
DEAL = click.Option(["--deal"], default="", metavar="ID", help="The broker's number of what the order became.")
ABSENT = click.Option(["--absent"], is_flag=True, help="The order never reached the broker.")
POSITION = click.Argument(["instrument"], metavar="POSITION", shell_complete=living("strangers"))
STOP = click.Option(["--stop"], default="", metavar="PRICE", help="Where its stop goes, at the broker at once.")
QUANTITY = click.Option(["--quantity"], default="", metavar="N", help="Only if this is held; else what is shown now.")
KEY = click.Argument(["key"], default="", metavar="KEY", shell_complete=living("alerts"))
LIST_OR_TEST = click.Argument(["action"], type=click.Choice(["list", "test"]), default="list", required=False)
CHANNEL = click.Argument(
    ["channel"], metavar="[CHANNEL]", default="", required=False, shell_complete=living("channels")
)
SHELL = click.Argument(["shell"], type=click.Choice(["bash", "zsh", "fish"]))
EVERY = click.Option(["--all", "every"], is_flag=True, help="All that wait.")
ACTION = click.Argument(["action"], type=click.Choice(["verify", "export"]))
ANCHOR = click.Option(["--anchor"], multiple=True, metavar="HASH@SEQ", help="A head that was noted elsewhere.")
CALENDAR = click.Argument(
    ["action"], type=click.Choice(["show", "close", "emit-timers", "textfile"]), default="show", required=False
)
DATE = click.Argument(["date"], metavar="[DATE]", default="", required=False)
MARKET = click.Option(["--market"], default="", metavar="NAME", help="This calendar, and not the configured one.")
CONFIG = click.Option(["--config"], default="", metavar="FILE", help="Default /etc/joed/joed.yaml.")
DAYS = click.Option(["--days"], type=click.IntRange(1, 400), default=8, show_default=True, help="How far to look.")
INTO = click.Option(
    ["--into"], default="", metavar="DIR", help="Write the timers' drop-ins there (/etc/systemd/system)."
)
LOG = click.Option(["--journal"], default="", metavar="FILE", help="A log with joed's audit_anchor lines.")

EXPLAIN = click.Option(["--explain"], is_flag=True, help="Every vote, the rule that named it, and what follows.")
JOB = click.Argument(["job"], metavar="JOB")
WHAT = click.Argument(["what"], type=click.Choice(["trades", "lots", "equity", "figures"]))
YEAR = click.Option(["--year"], default="", metavar="Y", help="This year only, by the session.")
FIRST_LIVE = click.Option(["--live"], is_flag=True, help="Also all that the first live day needs; a pass is recorded.")
DRILLED = click.Option(
    ["--drilled"], default="", metavar="DIR", help="With --live: the paper account's state directory, for its drill."
)

VERBS = {
    "status": Verb("verbs.looks:status", "What joed does, what is at stake, and what needs you.", (CHECK,)),
    "confirm": Verb(
        "verbs.changes:confirm", "Show the day's card and sign it: entries are allowed from then on.", (CARD, YES)
    ),
    "kill": Verb("verbs.kill:kill", "Stop: latch it on the disk first, then tell joed.", (SCOPE, NO_WAIT, DRILL, SHOW)),
    "release": Verb("verbs.changes:release", "Lift a kill or another latched block; needs --reason.", (BLOCK,)),
    "flush": Verb("verbs.changes:flush", "Commit the journal, write a snapshot, and give the durable seq."),
    "pause": Verb("verbs.changes:pause", "Open nothing new; what is held stays managed."),
    "resume": Verb("verbs.changes:resume", "End a pause."),
    "cancel": Verb("verbs.hands:cancel", "Cancel one order; never the only stop of a position.", (NAMED, DRY_RUN)),
    "flatten": Verb("verbs.hands:flatten", "Close one position, or --all; needs no kill.", (INSTRUMENT, ALL, DRY_RUN)),
    "resolve": Verb(
        "verbs.hands:resolve", "Say what became of an order in doubt; needs --reason.", (DOUBTED, DEAL, ABSENT, DRY_RUN)
    ),
    "adopt": Verb("verbs.hands:adopt", "Make a position of somebody else joed's.", (POSITION, STOP, QUANTITY, DRY_RUN)),
    "reload": Verb("verbs.changes:reload", "Read the configuration again; on any error all stays as it was."),
    "orders": Verb("verbs.looks:orders", "Orders that may still be alive at the broker."),
    "positions": Verb("verbs.looks:positions", "Positions with their stops."),
    "watchlist": Verb("verbs.looks:watchlist", "What is watched, and how far the triggers are."),
    "regime": Verb("verbs.looks:regime", "The market's regime and why.", (EXPLAIN,)),
    "brokers": Verb("verbs.looks:brokers", "Connections, feeds and books."),
    "jobs": Verb("verbs.looks:jobs", "What ran, what runs next, what failed."),
    "run": Verb("verbs.changes:run", "Run one of joed's jobs now; joectl jobs names them.", (JOB,)),
    "alerts": Verb(
        "verbs.looks:alerts",
        "What was told, how often, who has seen it, and whether it leaves; test CHANNEL tries one.",
        (LIST_OR_TEST, CHANNEL),
    ),
    "ack": Verb("verbs.changes:ack", "Acknowledge an alert: it is told no more.", (KEY, EVERY)),
    "watch": Verb("watch:watch", "Follow the record as it grows; Ctrl-C ends it.", (SINCE,)),
    "top": Verb("verbs.screen:top", "The whole picture in the terminal, live; q ends it."),
    "why": Verb(
        "verbs.looks:why", "Why an entry was made or refused, from the quote that fired it to what it made.", (ORDER,)
    ),
    "audit": Verb("verbs.local:audit", "Verify or export the journal; needs no daemon.", (ACTION, ANCHOR, LOG)),
    "calendar": Verb(
        "verbs.calendar:calendar",
        "The days ahead, their source and age; close DATE by hand; emit-timers; textfile for Prometheus.",
        (CALENDAR, DATE, MARKET, DAYS, INTO, CONFIG),
    ),
    "export": Verb(
        "verbs.local:export", "Trades, FIFO lots, equity or figures of a year as CSV; needs no daemon.", (WHAT, YEAR)
    ),
    "doctor": Verb(
        "verbs.local:doctor", "Look at everything, and name the remedy for each fault.", (FIRST_LIVE, DRILLED)
    ),
    "completion": Verb("completing:completion", "Print what a shell reads to complete joectl.", (SHELL,)),
    "version": Verb("verbs.local:version", "The versions of joectl and of the daemon."),
}
"""Everything joectl does."""


def shared() -> list[click.Parameter]:
    """Give the options that stand before or after the verb; None tells that one was not given."""
    return [
        click.Option(["--socket"], default=None, metavar="PATH", help="The control socket."),
        click.Option(["--state-dir"], default=None, metavar="DIR", help="The state directory of the daemon meant."),
        click.Option(["--json"], is_flag=True, default=None, help="Answer in JSON."),
        click.Option(["--no-input"], is_flag=True, default=None, help="Never ask a question."),
        click.Option(
            ["--timeout"], type=click.FloatRange(0.05, 600), default=None, metavar="S", help="How long to wait."
        ),
        click.Option(["--request-id"], default=None, metavar="ID", help="Try an earlier request again."),
        click.Option(["--reason"], default=None, metavar="WORDS", help="Why; it is recorded."),
    ]


def options_of(before: Mapping[str, Any], after: Mapping[str, Any]) -> Options:
    """Put together what stands before and after the verb; the later word counts."""
    given = {
        name: value
        for params in (before, after)
        for name, value in params.items()
        if name in Options._fields and value is not None
    }
    return Options(**{name: readable(value) if name == "reason" else value for name, value in given.items()})


def readable(word: Any) -> Any:  # noqa: ANN401 - an argument of any type
    """Give a word with the bytes that this locale could not read taken for UTF-8; what is none is a question mark."""
    return word.encode("utf-8", "surrogateescape").decode("utf-8", "replace") if isinstance(word, str) else word


PATHS = frozenset({"config", "drilled", "into", "journal"})
"""What names a file is left as the system gave it."""


class Verbs(click.Group):
    """The table as click sees it: a verb is built when it is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the verbs in the table's order."""
        return list(VERBS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; where there is none, name the one that is nearest: a kill is typed in haste."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], VERBS, 1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(error.message + meant, error.ctx) from error

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Build one verb, with the shared options after its own."""
        verb = VERBS.get(cmd_name)
        if verb is None:
            return None
        return click.Command(
            cmd_name, callback=runner(verb), params=[*verb.params, *shared()], help=verb.help, short_help=verb.help
        )


def runner(verb: Verb) -> Any:  # noqa: ANN401 - click's callbacks take what their parameters say
    """Give the function that click calls: it imports the verb's module, and ends with the verb's exit code."""

    def run(**params: Any) -> None:  # noqa: ANN401 - as above
        context = click.get_current_context()
        before = context.parent.params if context.parent else {}
        own = {name: value for name, value in params.items() if name not in Options._fields}
        own = {name: value if name in PATHS else readable(value) for name, value in own.items()}
        options = options_of(before, params)
        module, _, name = verb.function.partition(":")
        function = getattr(import_module(f"joectl.{module}"), name)
        context.exit(run_verb(function, options, own))

    return run


def run_verb(function: Any, options: Options, own: dict[str, Any]) -> int:  # noqa: ANN401 - verbs differ in their own
    """Run a verb; say a failure on stderr, in JSON on stdout too where that is asked for."""
    from joectl.client import Failure

    try:
        return int(function(options, **own))
    except Failure as failure:
        if options.json:
            from json import dumps

            print(dumps({"error": failure.words, "exit": int(failure.code), "hint": failure.hint, **failure.fields}))
        tell(failure.words, failure.hint)
        return int(failure.code)


def tell(words: str, hint: str = "") -> None:
    """Say something to the person, on stderr, with the next thing to do; a stderr that is full takes nothing."""
    try:
        print(f"joectl: {safe(words)}", *([f"  next: {safe(hint)}"] if hint else []), sep="\n", file=sys.stderr)
        sys.stderr.flush()
    except OSError:
        mute(sys.stderr)


def mute(stream: TextIO) -> None:
    """Write nothing more: nobody reads, or there is no room, and at the exit it would fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


COMMAND = Verbs(
    "joectl",
    params=[*shared(), click.Option(["--version"], is_flag=True, default=False, help="joectl's version.")],
    help="Talk to joed.",
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
)


def bare(**params: Any) -> None:  # noqa: ANN401 - the shared options, read by each verb
    """Say the version, or help where no verb is named."""
    context = click.get_current_context()
    if params.get("version"):
        print(f"joectl {joed.__version__}")
        context.exit(Exit.OK)
    if context.invoked_subcommand is None:
        print(context.get_help(), file=sys.stderr)
        context.exit(Exit.USAGE)


COMMAND.callback = bare


def main() -> NoReturn:
    """Run joectl, and end with one of the exit codes of `joed.protocol.Exit`."""
    open_streams()
    try:
        code = COMMAND.main(prog_name="joectl", complete_var=VARIABLE, standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = Exit.INTERRUPTED
    except BrokenPipeError:
        mute(sys.stdout)
        code = Exit.OK
    except OSError as error:  # the verbs make a Failure of what hinders them: here it is the answer that has no place
        mute(sys.stdout)
        tell(f"the answer could not be written: {error}", "what was asked is done: joectl status shows it")
        code = Exit.FAILED
    sys.exit(int(code or 0))
