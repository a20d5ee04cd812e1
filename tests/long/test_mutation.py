"""A mutant is one small wrong change, planted into what everybody has imported already."""

import sys
from types import ModuleType

import pytest

from tests.long.mutation import mutants_of, plant

SOURCE = '''
LIMITS = {"orders": 3}

def over(count, limit=1):
    """Say so from the limit on."""
    if count >= limit and limit:
        return "too many"
    return ""
'''


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Give a small module that is loaded from a file in the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.py").write_text(SOURCE)
    found = ModuleType("small")
    exec(compile(SOURCE, "small.py", "exec"), found.__dict__)  # noqa: S102 - the source above
    monkeypatch.setitem(sys.modules, "small", found)
    return found


def named(words):
    """Give the mutant that says so."""
    [found] = [mutant for mutant in mutants_of(SOURCE) if mutant.words == words]
    return found


def test_every_mutant_is_another_program_and_names_its_line():
    """The edge, the joint, each of its sides, the condition, the table's number; no word and no default is touched."""
    found = [(mutant.line, mutant.kind, mutant.words) for mutant in mutants_of(SOURCE)]

    assert (6, "edge", "count >= limit  ->  count > limit") in found
    assert (6, "joint", "count >= limit and limit  ->  count >= limit or limit") in found
    assert (6, "joint", "count >= limit and limit  ->  limit") in found
    assert (2, "constant", "3  ->  4") in found
    assert all(before != after for before, after in (words.split("  ->  ") for _, _, words in found))
    assert not any("Say so" in words or "limit=1" in words for _, _, words in found)


def test_a_planted_mutant_is_what_everybody_calls(module):
    """Also whoever took the function or the table before; the file stays as it was."""
    over, limits = module.over, module.LIMITS
    assert (over(3, 3), limits) == ("too many", {"orders": 3})

    plant("small.py", named("count >= limit  ->  count > limit"))
    assert over(3, 3) == ""
    plant("small.py", named("3  ->  4"))
    assert limits == {"orders": 4}
    assert over(3, 3) == "too many"
