"""The drill: a kill of the paper account that proves itself and releases itself; anything else stays a kill."""

import pytest

from joed.engine.receipt import receipt_of
from joed.engine.step import step
from joed.model.commands import CancelOrder, EndDrill, LiftBlock, RaiseAlert, ReadBroker, RehearseKill, Unlatch
from joed.model.events import BrokerDown, EpochStarted, KillRehearsed, LatchSeen, OrderCancelled, SettingsLoaded, Tick
from joed.model.values import SECOND, Mode, Scope, Severity
from tests.engine.build import START, bracket, kinds, of_kind, settings_of, submitted, trading_state, whole_read
from tests.engine.test_operator import ask, code

MILLISECOND = SECOND // 1000


def drilled(state=None, **args):
    """Give a State in which a drill has begun, and the commands of its beginning."""
    state = state or trading_state()
    return state, ask(state, "kill", drill="yes", **args)


def test_a_drill_latches_cancels_rehearses_and_reads():
    """The real kill's road, with an entry for permit that nobody sends."""
    state = trading_state()
    submitted(state, bracket("MSFT"))

    _, commands = drilled(state)

    assert kinds(commands) == ["LatchKill", "CancelOrder", "RehearseKill", "ReadBroker", "Answer"]
    [rehearsal] = of_kind(commands, RehearseKill)
    assert (rehearsal.scope, rehearsal.entry.opens, rehearsal.entry.order in state.orders) == ("orders", True, False)
    assert (state.killed, state.kill.drill) == (Scope.ORDERS, True)


def test_a_drill_is_over_by_itself_once_permit_refused_and_the_broker_was_read():
    """Both, in whatever order; then the gate is as it was, and what was measured is kept."""
    state, _ = drilled()
    before = state.kill.since_ns
    rehearsed = step(state, START + 2 * MILLISECOND, KillRehearsed(3 * MILLISECOND, "killed"))
    at = START + 40 * MILLISECOND
    read = step(state, at, whole_read(at))

    assert rehearsed == []
    assert of_kind(read, Unlatch) == [Unlatch(drill=True)]
    assert of_kind(read, LiftBlock) == [LiftBlock("all/killed", "the drill is over")]
    assert [alert.severity for alert in of_kind(read, RaiseAlert)] == [Severity.INFO]
    assert (state.killed, state.kill, state.blocks) == (None, None, {})
    found = state.drilled
    assert (found.passed, found.passed_ns, found.latch_ns) == (True, at, 3 * MILLISECOND)
    assert found.done_ns == at - before


def test_a_drill_asks_for_no_new_signature():
    """It leaves the day as it found it."""
    state, _ = drilled()
    step(state, START, KillRehearsed(1, "killed"))
    step(state, START + SECOND, whole_read(START + SECOND))

    assert (state.killed, "all/not_confirmed" in state.blocks) == (None, False)


@pytest.mark.parametrize("proof", ["", "expired", "the latch could not be made: no space"])
def test_a_drill_in_which_permit_does_not_refuse_by_the_file_fails_and_stays_a_kill(proof):
    """The gate is broken: nothing is let through until a person has looked."""
    state, _ = drilled()

    commands = step(state, START, KillRehearsed(1, proof))

    assert [end.passed for end in of_kind(commands, EndDrill)] == [False]
    assert [alert.severity for alert in of_kind(commands, RaiseAlert)] == [Severity.CRITICAL]
    assert (state.killed, state.kill.drill, state.drilled.passed) == (Scope.ORDERS, False, False)


def test_a_real_kill_during_a_drill_wins():
    """By the socket or by the file, at whatever scope: nobody but a person releases it then."""
    for word in ("socket", "file"):
        state, _ = drilled()
        commands = (
            ask(state, "kill", request="real", scope="entries")
            if word == "socket"
            else step(state, START, LatchSeen(Scope.FLATTEN, 7))
        )
        step(state, START, KillRehearsed(1, "killed"))
        end = step(state, START + SECOND, whole_read(START + SECOND))

        assert [done.passed for done in of_kind(commands, EndDrill)] == [False]
        assert of_kind(end, Unlatch) == []
        assert (state.kill.drill, state.killed is not None) == (False, True)


def test_a_drill_cut_short_by_a_restart_is_a_kill():
    """Whether the file was made or not: its road was not seen to its end."""
    for found in (None, Scope.ORDERS):
        state, _ = drilled()

        step(state, START, EpochStarted(2, "start", "0", "c", killed=found))

        assert (state.killed, state.kill.drill, state.drilled.passed) == (Scope.ORDERS, False, False)


def test_a_drill_that_is_not_done_in_time_fails_and_stays_a_kill():
    """The broker went away: the drill has shown what a kill would have met."""
    state, _ = drilled()
    step(state, START, KillRehearsed(1, "killed"))
    step(state, START, BrokerDown("paper", "cut"))

    late = step(state, START + 15 * SECOND, Tick())

    assert [end.passed for end in of_kind(late, EndDrill)] == [False]
    assert (state.kill.drill, state.killed) == (False, Scope.ORDERS)


def test_a_drill_waits_for_the_cancels_that_it_asked_for():
    """Done on the broker's evidence, as a kill is."""
    state = trading_state()
    submitted(state, bracket("MSFT"))
    _, commands = drilled(state)
    step(state, START, KillRehearsed(1, "killed"))
    assert of_kind(commands, CancelOrder)

    step(state, START + SECOND, OrderCancelled("MSFT-e"))
    assert receipt_of(state).waits == ("paper has not been read whole since",)
    step(state, START + SECOND, whole_read(START + SECOND))

    assert (state.killed, state.drilled.passed) == (None, True)


@pytest.mark.parametrize(
    ("prepare", "args", "refused"),
    [
        (lambda state: step(state, START, SettingsLoaded(settings_of(mode=Mode.LIVE), "live")), {}, "drill_live"),
        (lambda state: None, {"scope": "flatten"}, "drill_scope"),
        (lambda state: ask(state, "kill"), {}, "already_killed"),
        (lambda state: step(state, START, BrokerDown("paper", "cut")), {}, "not_reconciled"),
    ],
)
def test_a_drill_is_refused_where_it_would_hurt_or_prove_nothing(prepare, args, refused):
    """With a real account, when it would close something, during a kill, without a broker."""
    state = trading_state()
    prepare(state)
    killed = state.killed

    _, commands = drilled(state, **args)

    assert (code(commands), len(commands), state.killed) == (refused, 1, killed)


def test_the_last_drill_that_passed_outlives_one_that_did_not():
    """Its age is what a monitor looks at."""
    state, _ = drilled()
    step(state, START, KillRehearsed(1, "killed"))
    step(state, START + SECOND, whole_read(START + SECOND))
    passed = state.drilled.passed_ns
    _, commands = drilled(state, request="second")
    step(state, START + SECOND, KillRehearsed(1, ""))

    assert (state.drilled.passed, state.drilled.passed_ns) == (False, passed)
    assert of_kind(commands, ReadBroker)
