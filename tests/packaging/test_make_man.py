"""packaging/man: the manual says what the program is, and the formatter has nothing to object."""

import importlib.util
import shutil
import subprocess

import pytest

from joectl.cli import VERBS
from joed.__main__ import parser
from joed.engine.phase import RANK
from tests.systemd.tree import ROOT


def _script():
    """Give the script that makes the pages, as a module."""
    spec = importlib.util.spec_from_file_location("make_man", ROOT / "packaging" / "man" / "make_man.py")
    assert spec
    assert spec.loader
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


MADE = _script()
PAGES = MADE.pages()


def plain(name):
    """Give a page as a person reads it, without the formatter's marks."""
    return PAGES[name].replace("\\fB", "").replace("\\fR", "").replace("\\fI", "").replace("\\-", "-")


def test_each_flag_and_verb_has_its_entry():
    """What the grammar has, the manual has; nobody writes it twice."""
    flags = [flag for action in parser()._actions for flag in action.option_strings]
    assert [flag for flag in flags if flag not in plain("joed.8")] == []
    verbs = [verb for verb in VERBS if f".TP\n{verb}" not in plain("joectl.1")]
    assert verbs == []
    for verb in VERBS.values():
        assert [
            flag for param in verb.params for flag in param.opts if flag[0] == "-" and flag not in plain("joectl.1")
        ] == []


def test_each_key_has_its_entry_with_its_default():
    """Every line of the shipped file that sets something."""
    text = (ROOT / "etc" / "joed" / "joed.yaml").read_text("utf-8")
    keys = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    assert len(keys) > 50
    assert [key for key in keys if f".TP\n{key}\n" not in plain("joed.yaml.5")] == []


def test_text_that_looks_like_a_request_stays_text():
    """A line that begins with a dot, or holds a backslash, would be eaten."""
    assert MADE.roff(".hidden\na\\b it's\n'quoted") == "\\&.hidden\na\\eb it's\n\\&'quoted"


@pytest.mark.skipif(not shutil.which("groff"), reason="needs groff (Debian: groff-base)")
@pytest.mark.parametrize("name", sorted(PAGES))
def test_the_formatter_finds_nothing_wrong(name):
    """With all its warnings on."""
    words = ["groff", "-man", "-Tutf8", "-ww", "-z"]
    done = subprocess.run(words, input=PAGES[name], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_each_phase_is_told_in_the_operations_document():
    """Whoever reads a STATUS finds it there, with what to do."""
    told = (ROOT / "docs" / "operations.md").read_text("utf-8")
    rows = [line.split("|")[1] for line in told.splitlines() if line.startswith("| ")]
    assert [name for name in RANK if not any(name in row for row in rows)] == []
