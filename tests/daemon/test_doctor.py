"""What the daemon finds when it looks at itself."""

from joed import protocol
from joed.daemon.doctor import checks
from joed.engine.view import view
from joed.model.kill import Drill
from joed.model.state import Job
from joed.model.values import DAY, Scope
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
