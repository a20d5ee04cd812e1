"""The fault table names every row, tests that exist, kinds of fault in the world, and is what its script makes."""

import ast
import json
import re
from pathlib import Path

import pytest

from joed.sim.faults import FAULTS as KINDS
from tests.fault_rows import ATTACKS, BEFORE, FAULTS, NEVER
from tests.fault_table import DOCUMENT, FIGURES, ROOT, document, measure_once, merged, timed, times_of

ROWS = {**FAULTS, **ATTACKS}


def names_in(path):
    """Give the names of a file's tests."""
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_row_of_the_catalogue_is_there():
    """F1 to F98 and S1 to S51, in order."""
    assert list(FAULTS) == [f"F{number}" for number in range(1, 99)]
    assert list(ATTACKS) == [f"S{number}" for number in range(1, 52)]


@pytest.mark.parametrize("name", ROWS)
def test_each_row_names_a_test_that_exists_or_what_it_waits_for(name):
    """By file and name; what waits says for what."""
    row = ROWS[name]
    if row.shown.startswith("not yet: "):
        assert not row.kinds
        return
    for shown in (row.shown, *row.also):
        path, _, test = shown.partition("::")
        assert Path(ROOT / path).exists()
        assert not test or test in names_in(path)


def test_what_is_promised_of_systemd_is_shown_by_tests_that_exist():
    """Each test that the list names, by file and name."""
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "tests/systemd/README.md").read_text())

    assert len(named) > 30
    assert [(path, test) for path, test in named if test not in names_in(path)] == []


def test_every_kind_of_fault_in_the_world_has_its_row():
    """And every row's kinds are in the world; what has no row of the catalogue says so here."""
    named = {kind for row in ROWS.values() for kind in row.kinds}
    beyond = {"amend_rejected", "dark", "expire", "fail_jobs", "fear", "flush", "lost_commands", "overfill", "pause"}

    assert named <= set(KINDS)
    assert set(KINDS) - named == beyond


def test_the_document_is_what_the_script_makes():
    """`python -m tests.fault_table` writes it anew."""
    text = DOCUMENT.read_text()

    assert document(text, json.loads(FIGURES.read_text())) == text


@pytest.mark.parametrize("name", ROWS)
def test_every_row_of_the_catalogue_has_a_figure_or_a_word_why_there_is_none(name):
    """A time until somebody is told, or until all is well, or both; what is measured is not called untimed."""
    figures = json.loads(FIGURES.read_text())

    assert times_of(name, ROWS[name], figures) != ("-", "-")
    if ROWS[name].untimed:
        assert ROWS[name].untimed in {BEFORE, NEVER}
        assert times_of(name, ROWS[name]._replace(untimed=""), figures) == ("-", "-")


def test_what_a_test_measured_comes_before_the_worlds_and_real_time_before_simulated():
    """The longest of each; 0 is at once."""
    tests = [
        {"row": "F1", "detected_ms": 7.0, "recovered_ms": None},
        {"row": "F1", "detected_ms": 9.0, "recovered_s": 2.0},
        {"row": "F1", "detected_s": 50.0, "recovered_s": 2.5},
        {"row": "F2", "detected_s": 0},
    ]
    world = {kind: {"told_s": 90.0, "well_s": 105.0} for kind in KINDS}
    figures = {"real": tests, "world": world}

    assert times_of("F1", FAULTS["F1"], figures) == ("9 ms", "2.5 s")
    assert times_of("F2", FAULTS["F2"], figures) == ("at once", "-")
    assert times_of("F43", FAULTS["F43"], figures) == ("90.0 s", "over 105 s")


def test_what_is_measured_anew_replaces_the_same_test_alone_and_what_no_test_measures_goes():
    """So that one row can be measured by itself; the catalogue's order, whoever was first."""
    file = "tests/test_fault_table.py"
    own = f"{file}::test_a_fault_is_measured_from_its_strike_on"
    kept = [
        {"row": "S2", "test": own, "detected_ms": 1.0},
        {"row": "F2", "test": f"{own}[a]", "detected_ms": 1.0},
        {"row": "F2", "test": f"{own}[b]", "detected_ms": 1.0},
        {"row": "F3", "test": f"{file}::test_that_was", "detected_ms": 1.0},
        {"row": "F3", "test": "tests/test_that_was.py::test_a", "detected_ms": 1.0},
    ]

    found = merged(kept, [{"row": "F2", "test": f"{own}[b]", "detected_ms": 2.0}])

    assert [(one["row"], one["test"], one["detected_ms"]) for one in found] == [
        ("F2", f"{own}[a]", 1.0),
        ("F2", f"{own}[b]", 2.0),
        ("S2", own, 1.0),
    ]


def test_the_attacks_that_are_timed_are_named_for_who_measures_them():
    """`make faults` runs these; what happens at no moment, or in the world alone, is not among them."""
    names = timed()

    assert len(names) == len(set(names)) > 40
    assert not [name for name in names if "test_make_deb" in name or name == ATTACKS["S31"].shown]


def test_a_fault_is_measured_from_its_strike_on():
    """A cut link is told at once, and well again within a quarter of a minute of its return."""
    told_s, well_s = measure_once("disconnect", 1)

    assert told_s < 1
    assert 0 < well_s < 60
