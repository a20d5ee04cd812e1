"""What the daemon finds when it looks at itself."""

import os
from dataclasses import replace

from joed import protocol
from joed.daemon.doctor import checks
from joed.engine.step import step
from joed.engine.view import view
from joed.model.channels import AlertChannel, AlertDelivered
from joed.model.feeds import POLL, STREAM, BarsFetched, BrokerExamined, FeedChanged, InstrumentSetAside
from joed.model.kill import Drill
from joed.model.settings import Alerts
from joed.model.state import Job
from joed.model.values import DAY, Scope, Severity
from tests.daemon.serving import killed, state_of_a_day


def bad(state, directory):
    """Give the names of what is not well."""
    return [check["name"] for check in checks(view(state), directory) if not check["ok"]]


def test_a_day_without_trouble_has_nothing_to_report(tmp_path):
    """Every check is well, and says what it saw."""
    assert bad(state_of_a_day(), tmp_path) == []
    assert all(check["words"] for check in checks(view(state_of_a_day()), tmp_path))


def test_each_trouble_is_found_by_its_own_check(tmp_path):
    """One cause, one name: the remedy hangs on it."""
    state = killed(state_of_a_day(queue_depth=2000))
    state.brokers["paper"].reconciled = False
    state.positions["AAPL"].unprotected_ns = 1
    state.jobs["scan"] = Job("scan", failed="over its deadline")
    protocol.latch(tmp_path, "orders")

    assert bad(state, tmp_path) == ["health", "books", "stops", "jobs", "queue", "latch"]
    state.brokers["paper"].up = False
    assert "brokers" in bad(state, tmp_path)


def test_a_backup_that_is_old_is_found_and_none_at_all_is_a_first_day(tmp_path):
    """A long weekend is no fault; a week is."""
    folder = tmp_path / "backup" / "2026-09-01"
    assert bad(state_of_a_day(), tmp_path) == []
    folder.mkdir(parents=True)
    assert bad(state_of_a_day(), tmp_path) == []
    a_week_ago = folder.stat().st_mtime - 7 * 86400
    os.utime(folder, (a_week_ago, a_week_ago))

    [found] = [check for check in checks(view(state_of_a_day()), tmp_path) if check["name"] == "backup"]
    assert (found["ok"], found["words"]) == (False, "2026-09-01, 7 days ago")


def test_a_channel_that_fails_is_found_by_its_name_and_one_that_was_never_tried_is_named(tmp_path):
    """No channel at all is no fault: the log has every alert."""

    def found(state):
        [row] = [check for check in checks(view(state), tmp_path) if check["name"] == "alert_channels"]
        return row["ok"], row["words"]

    state = state_of_a_day()
    assert found(state) == (True, "none: alerts stand in the log alone")
    state.settings = replace(state.settings, alerts=Alerts(channels={"phone": AlertChannel("u")}))
    assert found(state) == (True, "never tried: phone (joectl alerts test CHANNEL)")
    step(state, state.now, AlertDelivered("k", "phone", Severity.INFO))
    assert found(state) == (True, "phone deliver")
    step(state, state.now, AlertDelivered("k", "phone", Severity.INFO, "no route"))
    assert found(state) == (False, "phone: no route")


def test_each_broker_has_its_own_rows(tmp_path):
    """Its link and account, what its adapter found, what it cannot serve and whose history lacks, each by name."""
    state = state_of_a_day()
    step(state, state.now, FeedChanged("paper", STREAM))
    step(state, state.now, BrokerExamined("paper", "hedging", True, "hedging mode is off"))
    step(state, state.now, BarsFetched("paper", "daily", 20, 6000))
    assert bad(state, tmp_path) == []
    found = {check["name"]: check["words"] for check in checks(view(state), tmp_path)}
    assert found["paper: connection"] == "up, account PAPER-1, prices by stream"
    assert found["paper: daily bars"] == "20 names"

    step(state, state.now, FeedChanged("paper", POLL))
    step(state, state.now, BrokerExamined("paper", "hedging", False, "hedging mode is on: turn it off"))
    step(state, state.now, BarsFetched("paper", "daily", 19, 5700, {"KO": "none"}))
    for number in range(9):
        step(state, state.now, InstrumentSetAside("paper", f"N{number}", "354", "no permission"))

    named = [name for name in bad(state, tmp_path) if name.startswith("paper")]
    assert named == ["paper: connection", "paper: hedging", "paper: instruments", "paper: daily bars"]
    found = {check["name"]: check["words"] for check in checks(view(state), tmp_path)}
    assert found["paper: instruments"].startswith("9 set aside: N0 (354: no permission); N1 (")
    assert "N8" not in found["paper: instruments"]
    assert found["paper: daily bars"] == "none of 1: KO"


def test_the_last_drill_is_told_with_its_age_and_a_failed_one_is_a_fault(tmp_path):
    """Never held is no fault: the remedy says how."""
    state = state_of_a_day()
    found = {}
    for name, drill in (
        ("never", None),
        ("passed", Drill(state.now, Scope.ORDERS, passed=True, words="", passed_ns=state.now - 3 * DAY)),
        ("failed", Drill(state.now, Scope.ORDERS, passed=False, words="permit said yes")),
    ):
        state.drilled = drill
        found[name] = next(check for check in checks(view(state), tmp_path) if check["name"] == "kill_drill")

    assert [found[name]["ok"] for name in found] == [True, True, False]
    assert found["passed"]["words"] == "passed 3 days ago"
    assert "permit said yes" in found["failed"]["words"]
    assert "joectl kill --drill" in found["never"]["words"]
