"""docs/joectl.md, written from the code: `python -m tests.joectl_book`; a test holds the file to it."""

import enum
import sys
import types
import typing
from decimal import Decimal
from pathlib import Path

import click
import msgspec

from joectl.cli import COMMAND, VERBS, shared
from joed.daemon.reads import READS
from joed.engine.view import view
from joed.model.state import State
from joed.model.view import View
from joed.protocol import MUTATIONS, Exit

FILE = Path(__file__).resolve().parent.parent / "docs" / "joectl.md"

EXITS = {
    Exit.OK: "done, or shown",
    Exit.FAILED: "refused, or failed",
    Exit.USAGE: "the command line is not understood",
    Exit.NOT_RUNNING: "joed is not running",
    Exit.NOT_PERMITTED: "you may not",
    Exit.CONFLICT: "look again, then decide again",
    Exit.UNKNOWN: "the outcome is unknown: the same again, with the printed `--request-id`",
    Exit.VERSION: "joectl and joed do not understand each other",
    Exit.DEGRADED: "`status --check`: degraded",
    Exit.HALTED: "`status --check`: halted",
    Exit.INTERRUPTED: "interrupted",
}

BESIDE = {
    "line": "text: all of it in one line, as systemd shows it",
    "signatures": "`signed` and `needed`: how many people have signed the day's card, and how many must",
    "card": "Card: what is signed",
    "hash": "text: the card's hash, which signs it",
    "changes": "list of what is other than on the last signed card",
    "last": "`session`, `uids`, `at_ns` of the last signed card, or null",
    "signers": "list of number: the uids that have signed this card",
    "signers_needed": "number",
    "waits": "true or false: a signature is awaited",
    "equity_now": "decimal",
    "timezone": "text: the market's zone",
    "kill": "Receipt, or null",
    "drill": "Drill, or null: the last one",
}
"""Fields that are made for one answer, and are none of the View's."""

OWN = {
    "why": "its stories: [control.md](control.md#why)",
    "doctor": "`ok`, and `checks[]` of `name`, `ok`, `words`, `fix`",
    "version": "`joectl`, `api`, and `joed`: `joed`, `api`, `api_min`, `mode`, `instance`, `epoch`, or null with `why`",
    "watch": "NDJSON, an object a line, by `kind`: `hello` (`seq now_ns epoch phase line timezone`), "
    "`record` (`seq now_ns event commands`), `gap` (`from to`), `ping` (`seq now_ns`), `bye` (`seq`)",
    "audit": "`joed --audit`'s own: [control.md](control.md#audit)",
    "export": "CSV, not JSON: a row a trade, lot, mark or figure",
    "calendar": "`calendars[]`, or what was written",
    "completion": "none: it prints a script",
    "top": "none: it is a screen",
    "kill": "`scope request state_dir latched daemon receipt kill done`: `latched` says that the file is there, "
    "`receipt` is joed's first answer or null, `kill` the Receipt as far as it was followed",
}
"""Answers that are not the View's rows."""


def main():
    """Write the file."""
    FILE.write_text(book(), "utf-8")
    return 0


def book():
    """Give the whole page."""
    seen: dict[str, type] = {}
    verbs = "\n".join(part for name in VERBS for part in chapter(name, seen))
    shapes = "\n".join(part for part in rows_of_shapes(seen))
    return f"{HEAD}\n{common()}\n## The verbs\n\n{verbs}\n## The rows\n\n{ROWS}\n\n{shapes}"


HEAD = """\
# joectl

Written from the code by `make joectl-book`: verbs, options, exit codes, and what each answer is made of.

`joectl VERB` shows text for people; `joectl VERB --json` the same facts for programs, one object on stdout. What is for
the person alone (questions, warnings, the next step) goes to stderr. Colours appear on a terminal only, and not where
`NO_COLOR` is set; lines are broken to the terminal's width, never in a pipe.

`joectl completion bash|zsh|fish` prints what a shell has to read once, for instance in `~/.bashrc`:
`source <(joectl completion bash)`; fish: `joectl completion fish > ~/.config/fish/completions/joectl.fish`.
Tab then offers verbs and options, and the orders, positions, alerts and latched blocks that joed has at that moment.

Numbers whose name ends in `_ns` are nanoseconds: those of the engine's clock (`now_ns` tells now), UTC where the name
says so. Amounts and prices of orders are decimals, written as text so that no digit is lost; quotes are numbers.
Readers ignore fields that they do not know: fields are added, never renamed.
"""
ROWS = "What the answers above are made of. A field that may be null says so."


def common():
    """Give the options that all verbs share, and the exit codes."""
    rows = [f"| {option_of(param)} | {param.help} |" for param in shared() if isinstance(param, click.Option)]
    codes = [f"| {int(code)} | {words} |" for code, words in EXITS.items()]
    error = (
        "An error in JSON, on stdout, with the exit code above: `error` (words), `exit`, `hint` (the next step), "
        "and the fields of joed's problem where it answered one: `code`, `status`, `retryable`, `outcome`, `request`.\n"
    )
    return "\n".join(
        [
            *("## Options of every verb, before or after it", "", "| option | does |", "|---|---|", *rows, ""),
            *("## Exit codes", "", "| code | means |", "|---|---|", *codes, "", error),
        ]
    )


def option_of(param):
    """Write an option as it is typed."""
    metavar = param.metavar or ("|".join(param.type.choices) if isinstance(param.type, click.Choice) else "")
    return f"`{param.opts[0]}{f' {metavar}' if metavar else ''}`".replace("|", "\\|")


def chapter(name, seen):
    """Give one verb: what it does, what it takes, what it answers."""
    command = COMMAND.get_command(click.Context(COMMAND), name)
    own = list(VERBS[name].params)
    words = " ".join(
        [name, *(param.make_metavar(click.Context(command)) for param in own if isinstance(param, click.Argument))]
    )
    yield f"### joectl {words}\n"
    yield f"{VERBS[name].help}\n"
    options = [f"- {option_of(param)}: {param.help}" for param in own if isinstance(param, click.Option)]
    if options:
        yield "\n".join(options) + "\n"
    if name in MUTATIONS:
        yield f"Role: {MUTATIONS[name].role.name.lower()}. It {MUTATIONS[name].way} risk.\n".replace(
            "keeps", "leaves"
        ).replace("leaves risk", "leaves the risk as it is")
    yield f"JSON: {answer_of(name, seen)}\n"


def answer_of(name, seen):
    """Say what the JSON answer is made of."""
    if name in OWN:
        return OWN[name] + "."
    if name in READS:
        told = [f"`{field}`: {meaning(field, seen)}" for field in READS[name].show(view(State()))]
        change = "; signed, the answer is that of a change" if name in MUTATIONS else ""
        return "\n\n- " + "\n- ".join(told) + (f"\n{change}" if change else "")
    if name not in MUTATIONS:
        return "its own, see its `--help`."
    more = ", and `orders[]` and `dry_run`" if "dry_run" in MUTATIONS[name].args else ""
    return f"`request`, `verb`, `code` (`ok`), `words`, `seq` (the record that answered){more}."


def meaning(field, seen):
    """Give the type of a field of an answer in words."""
    if field in BESIDE:
        return BESIDE[field]
    return typed(typing.get_type_hints(View)[field], seen)


NAMES = {str: "text", int: "number", float: "number", bool: "true or false", Decimal: "decimal"}


def typed(kind, seen):
    """Write a type in words, and remember the rows that it is made of."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        words = [typed(part, seen) for part in parts if part is not types.NoneType]
        return " or ".join(words) + (", or null" if types.NoneType in parts else "")
    if origin in (tuple, list):
        return f"list of {typed(parts[0], seen)}"
    if origin is dict:
        return f"map of {typed(parts[1], seen)} by name"
    if origin is typing.Annotated:
        return typed(parts[0], seen)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return "one of " + ", ".join(f"`{member.value}`" for member in kind)
    if isinstance(kind, type) and (issubclass(kind, msgspec.Struct) or hasattr(kind, "__dataclass_fields__")):
        seen.setdefault(kind.__name__, kind)
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    return NAMES.get(kind, "anything")


def rows_of_shapes(seen):
    """Give each row that an answer is made of, and those that they are made of in turn."""
    told: set[str] = set()
    while waiting := sorted(set(seen) - told):
        for name in waiting:
            told.add(name)
            kind = seen[name]
            first = (kind.__doc__ or "").strip().splitlines()[0]
            fields = [
                f"- `{field}`: {typed(hint, seen)}"
                for field, hint in typing.get_type_hints(kind).items()
                if not field.startswith("_")
            ]
            yield f"### {name}\n\n{first}\n\n" + "\n".join(fields) + "\n"


if __name__ == "__main__":
    sys.exit(main())
