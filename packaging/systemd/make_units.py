"""Makes joed's units from their templates: each once for the one account of a machine, once as a template for several.

    python packaging/systemd/make_units.py          write them beside this file
    python packaging/systemd/make_units.py --check  exit 1, naming each file that is not what would be written

The two of a pair differ in the names of files and folders, and in nothing else. `sandbox.in` stands in every service.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
TEMPLATES = HERE / "templates"

ALONE = {"at": "", "of": "", "config": "joed.yaml", "dir": "joed", "slash": "", "dash": ""}
EACH = {"at": "@%i", "of": " (%i)", "config": "%i.yaml", "dir": "joed/%i", "slash": "/%i", "dash": "-%i"}
"""What a unit calls its files: `%i` is the account's name, as in joed@ira.service."""


def units() -> dict[str, str]:
    """Give all units, name to text."""
    sandbox = (TEMPLATES / "sandbox.in").read_text("utf-8")
    found = {}
    for template in sorted(TEMPLATES.glob("joed*.in")):
        text = template.read_text("utf-8").replace("{sandbox}", sandbox)
        stem, _, kind = template.stem.partition(".")
        found[f"{stem}.{kind}"] = filled(text, ALONE)
        found[f"{stem}@.{kind}"] = filled(text, EACH)
    return found


def filled(text: str, words: dict[str, str]) -> str:
    """Put words in the places that a template keeps for them."""
    for name, word in words.items():
        text = text.replace(f"{{{name}}}", word)
    return text


def main(arguments: list[str]) -> int:
    """Write, or say what is not as it would be written."""
    stale = [name for name, text in units().items() if not _is(HERE / name, text)]
    if arguments == ["--check"]:
        print("\n".join(stale) or "all units are what their templates make")
        return int(bool(stale))
    for name in stale:
        (HERE / name).write_text(units()[name], "utf-8")
    print(f"{len(stale)} written")
    return 0


def _is(file: Path, text: str) -> bool:
    return file.exists() and file.read_text("utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
