"""The stand-in for the worker answers every job, by its seed."""

from joed.daemon.clock import SimulatedClock
from joed.daemon.job_context import JobContext
from joed.daemon.jobs import JOBS
from joed.model.commands import RunJob
from joed.model.events import JobFailed, TriggersMade
from joed.model.values import SECOND, Side
from joed.sim.scenario import traits_of
from joed.sim.strategist import ANSWERS, Strategist

CONTEXT = JobContext(now_ns=1_000 * SECOND, prices={"AAA": 100.0, "BBB": 50.0, "CCC": 70.0})


def answer(job, seed=1, run=1, context=CONTEXT, fail=0, idle=False):
    """Run one job and give its answer."""
    clock, answers = SimulatedClock(1_000 * SECOND), []
    strategist = Strategist(clock, seed, traits_of(seed))
    strategist.failures, strategist.idle = fail, idle
    strategist.run(RunJob(job, run, 0, {}, ("AAA", "BBB", "CCC")), context, answers.append)
    while clock.advance():
        pass
    return answers[0]


def test_every_job_of_the_schedule_is_answered():
    """A job without an answer would starve what waits for it."""
    assert set(ANSWERS) == set(JOBS)


def test_the_same_job_is_answered_the_same():
    """By seed, job, run and moment alone."""
    assert answer("strategies", run=4) == answer("strategies", run=4)


def test_triggers_lie_around_the_price_with_stop_and_target_on_their_sides():
    """A long one has its stop below and its target above; a short one the other way."""
    made = []
    for seed in range(1, 30):
        event = answer("strategies", seed)
        made += event.triggers if isinstance(event, TriggersMade) else ()

    assert {trigger.side for trigger in made} == {Side.BUY, Side.SELL}
    for trigger in made:
        assert trigger.side.sign * (trigger.level - trigger.stop) > 0
        assert trigger.side.sign * (trigger.target - trigger.level) > 0


def test_one_that_was_told_to_fail_fails_once():
    """And one that is idle makes nothing."""
    assert isinstance(answer("scan", fail=1), JobFailed)
    assert answer("strategies", idle=True).triggers == ()
