"""What was seen, the verdict on it, and what follows: a closed table."""

import msgspec
import pytest

from joed.engine import verdicts
from joed.engine.step import refold, step
from joed.engine.verdicts import KEPT_MAX, LATE, RECOVERED, VERDICTS
from joed.engine.view import view
from joed.model.commands import JudgeBooks, LatchKill, RaiseAlert
from joed.model.events import Tick
from joed.model.values import Scope, Severity, Verdict
from tests.engine.build import START, holding, kinds, of_kind, trading_state


def test_every_finding_has_a_verdict_and_each_verdict_is_used():
    """Closed on both sides: no code without a row, no verdict that nothing leads to."""
    codes = {value for name, value in vars(verdicts).items() if name.isupper() and isinstance(value, str)}

    assert codes == set(VERDICTS)
    assert {row.verdict for row in VERDICTS.values()} == set(Verdict)


def test_a_finding_without_a_row_is_a_fault_of_ours():
    """It raises instead of being passed over."""
    with pytest.raises(KeyError):
        verdicts.find(trading_state(), "odd", "paper", "?")


@pytest.mark.parametrize("what", VERDICTS)
def test_each_finding_stands_in_the_record_with_what_it_calls_for(what):
    """Halt latches a kill for entries; a late adoption and a halt are told to a person."""
    state = holding("AAPL")
    verdicts.find(state, what, "paper", "seen", state.orders["AAPL-e"])
    commands = []

    verdicts.tell(state, START, Tick(), commands)

    assert commands[0] == JudgeBooks("paper", VERDICTS[what].verdict, what, "seen", "AAPL-e", "AAPL")
    halts = VERDICTS[what].verdict is Verdict.HALT
    assert [command.scope for command in of_kind(commands, LatchKill)] == ([Scope.ENTRIES] if halts else [])
    severity = {RECOVERED: [Severity.CRITICAL], LATE: [Severity.WARNING]}.get(what, [])
    assert [command.severity for command in of_kind(commands, RaiseAlert)] == severity


def test_a_kill_that_is_in_force_is_not_latched_again():
    """The widest scope holds."""
    state = holding("AAPL")
    state.killed = Scope.FLATTEN
    verdicts.find(state, RECOVERED, "paper", "seen", state.orders["AAPL-e"])
    commands = []

    verdicts.tell(state, START, Tick(), commands)

    assert kinds(commands) == ["JudgeBooks", "RaiseAlert"]


def test_the_latest_verdicts_are_kept_and_shown():
    """Bounded; the record has all."""
    state = trading_state()
    made = [JudgeBooks("paper", Verdict.ADOPT, "cash_differs", str(number)) for number in range(KEPT_MAX + 1)]

    refold(state, START, Tick(), made)
    step(state, START, Tick())

    assert len(state.verdicts) == KEPT_MAX
    assert view(state).verdicts[-1] == made[-1]
    assert msgspec.json.encode(view(state).verdicts[-1])
