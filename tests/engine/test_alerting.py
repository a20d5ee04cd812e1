"""An alert is told until somebody has seen it, less and less often; a channel that fails is itself seen (I35)."""

import pytest

from joed.engine.alerting import EACH_TICK_MAX, PAUSE_MAX_NS, RETRY_MAX_NS, RETRY_NS
from joed.engine.step import refold, step
from joed.engine.view import view
from joed.model.commands import Acknowledge, RaiseAlert
from joed.model.events import AlertDelivered, JobFailed, OperatorAsked, Tick
from joed.model.values import HOUR, MINUTE, SECOND, Severity
from tests.engine.build import START, trading_state

CRITICAL = RaiseAlert("k", Severity.CRITICAL, "look here")


def alerted(*alerts):
    """Give a State in which these were told just now."""
    state = trading_state()
    refold(state, START, Tick(), list(alerts) or [CRITICAL])
    return state


def told(state, at):
    """Give the alerts that a Tick tells again."""
    return [command for command in step(state, at, Tick()) if isinstance(command, RaiseAlert)]


def times(state, key, until, step_ns=SECOND):
    """Tick until then, and give the seconds at which an alert was told again."""
    return [
        (at - START) // SECOND
        for at in range(START + step_ns, until, step_ns)
        if any(a.key == key for a in told(state, at))
    ]


def ask(state, at, request="r", **args):
    """Acknowledge, and give the commands."""
    return step(state, at, OperatorAsked("ack", request, 1000, 1000, 7, "seen", args))


def test_an_alert_that_nobody_acknowledges_is_told_again_with_growing_pauses():
    """After a minute, then two, then four: both sides of the first."""
    state = alerted()

    assert told(state, START + MINUTE - 1) == []
    assert told(state, START + MINUTE) == [RaiseAlert("k", Severity.CRITICAL, "look here", 1)]
    assert told(state, START + 3 * MINUTE - 1) == []
    assert told(state, START + 3 * MINUTE)[0].repeat == 2


def test_it_is_told_a_bounded_number_of_times_and_never_less_than_hourly_before_that():
    """Eight times by default, the last pauses an hour each; then it only stands in the list."""
    state = alerted()

    found = times(state, "k", START + 12 * HOUR, MINUTE)

    assert found == [60, 180, 420, 900, 1860, 3780, 7380, 10980]
    assert PAUSE_MAX_NS == HOUR
    assert view(state).alert_rows[-1].next_ns == 0


def test_what_is_only_information_is_told_once():
    """It asks nothing of anybody."""
    assert times(alerted(RaiseAlert("i", Severity.INFO, "fine")), "i", START + HOUR, MINUTE) == []


def test_an_acknowledged_alert_rests_and_stays_listed():
    """By whom, when, with the reason in the record; the status asks for nothing any more."""
    state = alerted()

    commands = ask(state, START + SECOND, "a", key="another")
    assert commands[-1].code == "nothing_to_acknowledge"
    commands = ask(state, START + SECOND, "b", key="k")

    assert commands[0] == Acknowledge("k", 1000, "seen")
    assert commands[-1].words == "1 alert acknowledged"
    assert times(state, "k", START + HOUR, MINUTE) == []
    (row,) = [row for row in view(state).alert_rows if row.key == "k"]
    assert (row.acked_uid, row.acked_ns, row.told) == (1000, START + SECOND, 1)
    assert "alert" not in {need.code for need in view(state).needs}


def test_all_are_acknowledged_at_once():
    """And a second time there is nothing."""
    state = alerted(CRITICAL, RaiseAlert("l", Severity.WARNING, "and here"))

    assert ask(state, START, "a", all="yes")[-1].words == "2 alerts acknowledged"
    assert ask(state, START, "b", all="yes")[-1].code == "nothing_to_acknowledge"


def test_a_matter_that_comes_back_after_it_was_seen_is_news():
    """It was acknowledged then, not now."""
    state = alerted()
    ask(state, START, "a", all="yes")
    refold(state, START + HOUR, Tick(), [CRITICAL])

    assert told(state, START + HOUR + MINUTE)[0].repeat == 1


def test_an_alert_that_does_not_leave_is_tried_until_it_does():
    """Within 5 s, then with growing pauses up to five minutes, beyond any number; then the channel is well (F96)."""
    state = alerted()
    step(state, START, AlertDelivered("k", "command", Severity.CRITICAL, "ended with status 1"))
    assert told(state, START + RETRY_NS - 1) == []

    at, pauses = START, []
    for _ in range(12):
        before, at = at, next(t for t in range(at + SECOND, at + HOUR, SECOND) if told(state, t))
        pauses.append((at - before) // SECOND)
        step(state, at, AlertDelivered("k", "command", Severity.CRITICAL, "ended with status 1"))

    assert pauses[:4] == [5, 10, 20, 40]
    assert pauses[-1] == RETRY_MAX_NS // SECOND
    step(state, at, AlertDelivered("k", "command", Severity.CRITICAL))
    assert view(state).channels[0].failed == ""


def test_a_channel_that_fails_is_seen_in_status_at_once():
    """What is wrong, and for how many in a row."""
    state = alerted()
    for _ in range(2):
        step(state, START, AlertDelivered("k", "command", Severity.CRITICAL, "cannot be started"))

    (channel,) = view(state).channels
    assert (channel.failures, channel.failed_ns) == (2, START)
    words = [need.words for need in view(state).needs if need.code == "alert_channel"]
    assert words == ["alerts do not leave by the command: cannot be started"]


def test_few_are_told_again_in_one_second():
    """A channel that comes back is not buried; the others follow."""
    state = alerted(*(RaiseAlert(f"k{n}", Severity.CRITICAL, "x") for n in range(10)))

    counts = [len(told(state, START + MINUTE + n * SECOND)) for n in range(4)]

    assert counts == [EACH_TICK_MAX, EACH_TICK_MAX, 2, 0]


def test_what_is_over_is_told_no_more():
    """An alert that its own rule took away leaves nothing behind."""
    state = alerted()
    state.alerts.clear()

    assert told(state, START + MINUTE) == []
    assert state.tellings == {}


@pytest.mark.parametrize("seconds", [59, 61])
def test_a_failed_job_is_told_again_like_anything_else(seconds):
    """Every alert that the rules raise goes this way."""
    state = trading_state()
    step(state, START, JobFailed("scan", 1, "too slow"))

    assert bool(told(state, START + seconds * SECOND)) is (seconds > 60)
