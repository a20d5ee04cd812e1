"""What the first live day needs."""

import pytest

from joed.daemon import first_day
from joed.daemon.clock import utc_ns
from joed.daemon.first_day import checks, outcome
from joed.daemon.store import Store
from joed.engine.view import view
from joed.model.blocks import Block
from joed.model.commands import EndDrill
from joed.model.events import Tick
from joed.model.kill import Drill
from joed.model.values import DAY, Mode, Scope
from tests.daemon.serving import state_of_a_day

WATCHED = {"WATCHDOG_USEC": "30000000"}


def well(**more):
    """Give the State of a live account that lacks nothing."""
    state = state_of_a_day(mode=Mode.LIVE)
    state.bound = {"paper": "U1"}
    state.delivered_ns = state.now - 60
    state.drilled = Drill(utc_ns(), Scope.ORDERS, passed=True, words="", passed_ns=utc_ns() - DAY)
    for name, value in more.items():
        setattr(state, name, value)
    return state


@pytest.fixture(autouse=True)
def in_step(monkeypatch):
    """Let the clock be kept right, whatever this machine's is."""
    monkeypatch.setattr(first_day, "synchronised", lambda: True)


def amiss(state, folder, drilled="", environ=WATCHED):
    """Name what is not well."""
    return {check.name for check in checks(view(state), folder, drilled, environ) if not check.ok}


def test_a_day_that_lacks_nothing_passes(tmp_path):
    """And says how much was looked at."""
    found = checks(view(well()), tmp_path, "", WATCHED)

    assert [check.words for check in found if not check.ok] == []
    assert outcome(found) == {"passed": str(len(found))}


def test_each_thing_that_lacks_is_named(tmp_path, monkeypatch):
    """One at a time; together they are what the engine is told."""
    loose = tmp_path / "credentials"
    loose.mkdir()
    (loose / "ibkr").write_text("x")
    (loose / "ibkr").chmod(0o640)
    failed = Block("all", "journal_failed", "full", 1)
    old = Drill(1, Scope.ORDERS, passed=True, words="", passed_ns=utc_ns() - 31 * DAY)

    assert amiss(well(mode=Mode.PAPER), tmp_path) == {"account"}
    assert amiss(well(bound={}), tmp_path) == {"account"}
    assert amiss(well(drilled=None), tmp_path) == {"drill"}
    assert amiss(well(drilled=old), tmp_path) == {"drill"}
    assert amiss(well(delivered_ns=0), tmp_path) == {"alerts"}
    assert amiss(well(delivered_ns=well().now - 2 * DAY), tmp_path) == {"alerts"}
    assert amiss(well(), tmp_path, environ={}) == {"watchdog"}
    assert amiss(well(), tmp_path, environ={**WATCHED, "CREDENTIALS_DIRECTORY": str(loose)}) == {"credentials"}
    assert amiss(well(), tmp_path, environ={**WATCHED, "CREDENTIALS_DIRECTORY": "/nowhere"}) == {"credentials"}
    assert "journal" in amiss(well(blocks={failed.key: failed}), tmp_path)
    monkeypatch.setattr(first_day, "synchronised", lambda: False)
    assert amiss(well(), tmp_path) == {"clock"}
    found = checks(view(well(drilled=None)), tmp_path, "", WATCHED)
    assert outcome(found) == {"failed": "clock, drill"}


def test_an_expired_or_unknown_calendar_does_not_pass(tmp_path):
    """Nobody opens a live day by weekday rules alone."""
    state = well()
    state.settings = state.settings.__class__(universe=state.settings.universe, calendar="XNONE")

    assert "calendar" in amiss(state, tmp_path)


def test_credentials_that_nobody_else_may_read_pass(tmp_path):
    """As systemd hands them over."""
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "key").write_text("x")
    (tmp_path / "c" / "key").chmod(0o400)

    assert amiss(well(), tmp_path, environ={**WATCHED, "CREDENTIALS_DIRECTORY": str(tmp_path / "c")}) == set()


def test_the_drill_of_the_paper_account_counts_where_it_passed(tmp_path):
    """Real money drills nothing: its road was proven on paper, and the paper account's own record says so."""
    for name, passed in (("good", True), ("bad", False)):
        (tmp_path / name).mkdir()
        store = Store.open(tmp_path / name / "joed.db")
        store.add(1, utc_ns() - DAY, "2026-09-21", Tick(), [EndDrill(passed, "")])
        store.commit()
        store.close()

    assert amiss(well(drilled=None), tmp_path, str(tmp_path / "good")) == set()
    assert amiss(well(drilled=None), tmp_path, str(tmp_path / "bad")) == {"drill"}
    assert amiss(well(drilled=None), tmp_path, str(tmp_path / "nowhere")) == {"drill"}
    assert not (tmp_path / "nowhere").exists()
