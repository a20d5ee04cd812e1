"""Makes joed's manual from what it describes: joed(8) and joectl(1) from their grammars, joed.yaml(5) from the files.

    python packaging/man/make_man.py DIR       write the pages there

What no grammar says (what it is, its files, its exit codes) stands in `texts/`, in the manual's own language.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from joectl.cli import VERBS, shared
from joed import __version__
from joed.__main__ import parser

HERE = Path(__file__).parent
ETC = HERE.parents[1] / "etc" / "joed"
CONFIGS = ("joed.yaml", "strategies.yaml", "universe.yaml", "alerts.yaml", "calendar.d/example.yaml")
KEY = re.compile(r"( *)([\w-]+):(.*)")


def pages() -> dict[str, str]:
    """Give all pages, name to text."""
    made = {"joed.8": joed(), "joectl.1": joectl(), "joed.yaml.5": settings()}
    return {name: head(name) + text_of(name, text) for name, text in made.items()}


def head(name: str) -> str:
    """Give a page's title line (man(7), TH)."""
    title, _, section = name.rpartition(".")
    return f'.TH {title.upper()} {section} "" "joed {__version__}" "joed"\n'


def text_of(name: str, made: str) -> str:
    """Put what was made into the words around it."""
    return (HERE / "texts" / f"{name}.in").read_text("utf-8").replace("{made}\n", made)


def roff(text: str) -> str:
    """Write plain text so that the formatter changes nothing in it: no requests, no escapes, hyphens as typed."""
    lines = (line.strip().replace("\\", "\\e").replace("-", "\\-") for line in text.strip().splitlines())
    return "\n".join(f"\\&{line}" if line[:1] in {".", "'"} else line for line in lines)


def item(term: str, words: str) -> str:
    """Give one entry of a list: what is said of a term."""
    return f".TP\n{term}\n{roff(words)}\n"


def bold(*words: str) -> str:
    """Write words as they are typed."""
    return ", ".join(f"\\fB{roff(word)}\\fR" for word in words)


def joed() -> str:
    """Give joed's flags, group by group, as its parser has them."""
    made = []
    for group in parser()._action_groups:  # noqa: SLF001 - argparse tells its groups nowhere else
        for action in group._group_actions:  # noqa: SLF001 - the same for what is in one
            value = action.metavar or ("|".join(action.choices) if action.choices else "")
            term = bold(*action.option_strings) + (f" \\fI{roff(str(value))}\\fR" if value else "")
            made.append(item(term, str(action.help if action.help != argparse.SUPPRESS else "")))
    return "".join(made)


def joectl() -> str:
    """Give joectl's verbs with their own options, then the options that all verbs take."""
    made = []
    for name, verb in VERBS.items():
        arguments = [click_name(param) for param in verb.params if isinstance(param, click.Argument)]
        term = f"\\fB{name}\\fR" + "".join(f" \\fI{roff(argument)}\\fR" for argument in arguments)
        made.append(item(term, verb.help))
        made += list(options(verb.params))
    return "".join([*made, ".SH OPTIONS OF ALL VERBS\n", *options(shared(), inner=False)])


def options(params: "list[click.Parameter] | tuple[click.Parameter, ...]", *, inner: bool = True) -> Iterator[str]:
    """Give each option as an entry, indented below its verb."""
    for param in params:
        if isinstance(param, click.Option):
            value = f" \\fI{roff(click_name(param))}\\fR" if not param.is_flag else ""
            entry = item(bold(*param.opts) + value, param.help or "")
            yield f".RS\n{entry}.RE\n" if inner else entry


def click_name(param: click.Parameter) -> str:
    """Give how a value is written in the help."""
    if isinstance(param.type, click.Choice):
        return "|".join(param.type.choices)
    return param.metavar or (param.name or "").upper()


def settings() -> str:
    """Give every key of every file with the comment above it."""
    made = []
    for name in CONFIGS:
        made.append(f".SH {roff(f'/etc/joed/{name}')}\n")
        made += list(keys((ETC / name).read_text("utf-8")))
    return "".join(made)


def keys(text: str) -> Iterator[str]:
    """Walk a file: a comment that a key follows is about that key, any other is a paragraph."""
    words: list[str] = []
    for line in [*text.splitlines(), ""]:
        stripped = line.strip()
        if stripped.startswith("# ") or stripped == "#":
            words.append(stripped[1:].strip())
        elif (found := KEY.fullmatch(line)) and words:
            depth, key, value = len(found[1]), found[2], found[3].strip()
            entry = item(bold(f"{key}: {value}".strip()), "\n".join(words))
            yield f".RS\n{entry}.RE\n" if depth else entry
            words = []
        elif not stripped and words:
            yield f".PP\n{roff(chr(10).join(words))}\n"
            words = []


def main(arguments: list[str]) -> int:
    """Write the pages."""
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
