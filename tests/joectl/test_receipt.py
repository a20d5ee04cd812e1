"""What a person reads of a kill and of a drill."""

from joectl import receipt
from joed.model.kill import Drill
from joed.model.values import SECOND, Scope
from tests.daemon.serving import killed, state_of_a_day
from tests.joectl.test_render import body


def test_a_receipt_is_drawn_with_each_fate_and_what_is_open():
    """Entries, positions, what is not ours; what waits stands below, marked."""
    state = state_of_a_day(resting={"e2": None})
    killed(state)
    state.kill.foreign = {"paper/77": "KO"}
    drawn = receipt.receipt(body(state, "kill")["kill"])

    assert drawn.splitlines()[0] == "orders: NOT done after 0.0 s"
    assert [line.split()[:3] for line in drawn.splitlines()[1:4]] == [
        ["MSFT", "entry", "in"],
        ["AAPL", "position", "kept"],
        ["KO", "not", "ours"],
    ]
    assert drawn.splitlines()[-1] == "  ! entry e2 (MSFT): it is working"


def test_without_a_kill_the_last_drill_is_told_or_how_to_hold_one():
    """Nobody must guess whether a switch was ever tried."""
    state = state_of_a_day()
    never = receipt.kill(body(state, "kill"))
    state.drilled = Drill(state.now, Scope.ORDERS, passed=True, words="all well", latch_ns=1_500_000, done_ns=SECOND)

    assert never.splitlines() == ["no kill is in force", "no kill drill was ever held here: joectl kill --drill"]
    assert receipt.kill(body(state, "kill")).splitlines()[1] == (
        "kill drill (orders) passed: the latch took 1.5 ms, all of it 1.0 s; all well"
    )
