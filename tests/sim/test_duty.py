"""The person on duty kills by the file, releases through the daemon, and knows which kill was released."""

from collections import Counter
from types import SimpleNamespace

import pytest

from joed.daemon.clock import SimulatedClock
from joed.daemon.latch import Latches
from joed.engine.kill import KILLED
from joed.model.blocks import ALL, Block
from joed.model.commands import Answer
from joed.model.state import State
from joed.model.values import SECOND, Scope
from joed.sim.conduct import REACH_NS, Conduct
from joed.sim.duty import WAITS_NS, Operator
from joed.sim.laws import Broken
from tests.brokers.rigs import exchange_of


class Rig:
    """A person, a latch directory, and what was said."""

    def __init__(self, root):
        (root / "latch").mkdir()
        self.clock, self.said, self.latches = SimulatedClock(0), [], Latches(root / "latch")
        self.watch = SimpleNamespace(
            killed_ns=0, paused=False, read_since_up=False, read_ns=0, hold=self.hold, answers={}
        )
        self.operator = Operator(self.clock, self.latches, self.watch, self.said.append, Counter())
        self.killed = State(blocks={"all/killed": Block(ALL, KILLED, "killed", latched=True)})

    def hold(self, law, words):
        """Raise as the onlooker does."""
        if words:
            raise Broken(law, words)

    def wait(self, seconds):
        """Let time pass."""
        self.clock.call_at(self.clock.now() + int(seconds * SECOND), lambda: None)
        while self.clock.advance():
            pass

    def verbs(self):
        """Name what was asked for."""
        return [event.verb for event in self.said]


@pytest.fixture
def rig(tmp_path):
    """Give a person with nothing to do."""
    rig = Rig(tmp_path)
    rig.wait(1)
    return rig


def test_a_kill_is_a_file_first_and_the_daemon_may_not_hear_of_it(rig):
    """The laws know from the file on."""
    rig.operator.kill(Scope.ENTRIES, 30.0, told=False)

    assert rig.latches.present()
    assert rig.watch.killed_ns == rig.clock.now()
    assert rig.verbs() == []


def test_a_kill_is_released_after_its_time_and_holds_until_that_is_granted(rig):
    """A refusal leaves it as it was, and is asked again."""
    rig.operator.kill(Scope.ORDERS, 30.0, told=True)
    rig.operator.look(rig.killed)
    assert rig.verbs() == ["kill"]

    rig.wait(31)
    rig.operator.look(rig.killed)
    rig.operator.look(rig.killed)
    rig.operator.releasing()
    assert rig.verbs() == ["kill", "release"]
    rig.operator.answered(Answer(rig.said[-1].request, "release", "not_reconciled", ""))
    assert rig.watch.killed_ns

    rig.operator.look(rig.killed)
    rig.operator.answered(Answer(rig.said[-1].request, "release", "ok", ""))
    assert rig.watch.killed_ns == 0


def test_a_kill_that_joed_has_not_heard_of_in_time_is_found(rig):
    """Or of which it knows a narrower scope; before the time is out, and over a link that was not read, it is not."""
    rig.watch.conduct, rig.watch.exchange = Conduct(), exchange_of()
    rig.operator.kill(Scope.ORDERS, 90.0, told=False)
    rig.wait(REACH_NS / SECOND)
    rig.operator.look(rig.killed)

    rig.watch.read_since_up = True
    with pytest.raises(Broken, match="joed knows of None, the file says orders"):
        rig.operator.look(rig.killed)
    rig.killed.killed = Scope.ENTRIES
    with pytest.raises(Broken, match="a kill reaches"):
        rig.operator.look(rig.killed)
    rig.killed.killed = Scope.FLATTEN
    rig.operator.look(rig.killed)
    rig.killed.killed, rig.watch.read_ns = None, rig.clock.now()
    rig.operator.look(rig.killed)


def test_a_question_without_an_answer_is_put_again(rig):
    """The process that heard it may be gone."""
    rig.operator.look(rig.killed)
    rig.wait(WAITS_NS / SECOND + 1)
    rig.operator.look(rig.killed)

    assert rig.verbs() == ["release", "release"]
    assert rig.said[0].request != rig.said[1].request


def test_a_kill_that_came_after_the_release_was_decided_stays(rig):
    """Its file must still be there when the release is granted."""
    rig.operator.kill(Scope.ORDERS, 0.0, told=False, again=True)
    rig.operator.look(rig.killed)
    rig.operator.releasing()
    rig.wait(1)
    granted = Answer(rig.said[-1].request, "release", "ok", "")
    rig.latches.clear()

    with pytest.raises(Broken, match="a later kill stays"):
        rig.operator.answered(granted)
    assert rig.watch.killed_ns


def test_a_pause_holds_from_its_answer_to_the_resume(rig):
    """Nobody promised anything before."""
    paused = State(blocks={"all/paused": Block(ALL, "paused", "")})
    rig.operator.pause(20.0)
    assert not rig.watch.paused

    rig.operator.answered(Answer(rig.said[-1].request, "pause", "ok", ""))
    rig.operator.look(paused)
    assert rig.watch.paused

    rig.wait(21)
    rig.operator.look(paused)
    assert (rig.watch.paused, rig.verbs()) == (False, ["pause", "resume"])


def test_whatever_latched_itself_is_released(rig):
    """As a person would, who has looked into it."""
    block = Block("instrument:AAA", "rejects_max", "", latched=True)
    rig.operator.look(State(blocks={block.key: block, "x": Block(ALL, "vix", "")}))

    assert [event.args for event in rig.said] == [{"block": block.key}]


def test_a_release_whose_answer_was_lost_with_its_process_is_known_by_what_it_did(rig):
    """Lifted in the record and gone from the files: not by one alone, and not where somebody killed anew."""
    rig.operator.kill(Scope.ENTRIES, 30.0, told=True)
    rig.wait(31)
    rig.operator.look(State())
    assert rig.watch.killed_ns
    rig.operator.releasing()
    rig.operator.look(State())
    assert rig.watch.killed_ns  # the file is there

    rig.latches.clear()
    rig.operator.look(rig.killed)
    assert rig.watch.killed_ns  # the record does not say so
    rig.operator.look(State())
    assert not rig.watch.killed_ns
