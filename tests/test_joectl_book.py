"""docs/joectl.md is what the code says."""

import msgspec
import pytest

from joed.daemon.reads import READS
from tests.daemon.serving import serving
from tests.joectl.running import joectl
from tests.joectl_book import BESIDE, FILE, OWN, book


def test_the_page_is_what_the_code_says():
    """A verb, an option or a field that was added is in it: `make joectl-book` writes it."""
    assert FILE.read_text("utf-8") == book()


def test_every_verb_and_every_field_is_in_it():
    """From `status --json`, as joed answers it, each name stands on the page."""
    from joectl.cli import VERBS
    from joed.engine.view import view
    from tests.daemon.serving import state_of_a_day

    page = FILE.read_text("utf-8")
    rows = msgspec.json.decode(msgspec.json.encode(READS["status"].show(view(state_of_a_day()))))

    assert [name for name in VERBS if f"### joectl {name}" not in page] == []
    assert [name for name in rows if f"- `{name}`:" not in page] == []
    assert [name for name in rows["positions"][0] if f"- `{name}`:" not in page] == []
    assert "anything" not in page


@pytest.mark.parametrize("verb", ["pause", "flush", "positions", "confirm", "doctor", "version"])
def test_an_answer_has_the_fields_that_the_page_names(tmp_path, verb):
    """From a real socket: each field of the answer stands in the verb's chapter."""
    page = FILE.read_text("utf-8")
    chapter = page.partition(f"### joectl {verb}")[2].partition("\n### ")[0]
    with serving(tmp_path / "s"):
        ran = joectl(verb, "--json", "--no-input", state_dir=tmp_path / "s")
    fields = set(ran.json) - {"error", "exit", "hint", "code"}

    assert [name for name in fields if f"`{name}" not in chapter and f" {name}" not in chapter] == []


def test_nothing_on_the_page_is_of_yesterday():
    """What is written by hand beside the code names only what there is."""
    from joectl.cli import VERBS

    shown = {name for row in READS.values() for name in row.show(_view())}
    assert set(BESIDE) <= shown | {"kill", "drill"}
    assert set(OWN) <= set(VERBS)


def _view():
    from joed.engine.view import view
    from joed.model.state import State

    return view(State())
