"""The latch against a model of four lines, whatever comes in between; and every way in which a kill races a send."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from joed.daemon.latch import Latches
from joed.daemon.recovery import recover
from joed.engine.receipt import receipt_of
from joed.model.commands import SubmitOrder
from joed.model.events import (
    BrokerDown,
    BrokerRead,
    BrokerUp,
    CommandDropped,
    EpochStarted,
    OperatorAsked,
    OrderAccepted,
    OrderWorking,
    SettingsLoaded,
    TriggersMade,
)
from joed.model.values import SECOND, Scope
from tests.daemon.shell import NOON, Broker, Rig
from tests.engine.build import D, bracket, quote, trigger

KEY = b"key"
SCOPES = st.sampled_from(tuple(Scope))


def widest(*scopes):
    """Give the widest of these, None where there is none."""
    return max((scope for scope in scopes if scope), key=lambda scope: scope.width, default=None)


class LiveBroker(Broker):
    """Answers a read as of now; `before` happens inside a hand-over, before permission is asked."""

    def __init__(self, emit, clock):
        super().__init__(emit)
        self.clock, self.connection, self.before = clock, 0, lambda: None

    def start(self):
        """Be up with the next number."""
        self.connection += 1
        self.emit(BrokerUp("paper", "DEMO", "paper", self.connection))

    def submit(self, command, permit):
        """Let it happen, then hand over."""
        self.before()
        return super().submit(command, permit)

    amend = cancel = cancel_foreign = submit

    def read(self, command):
        """Answer with an empty book of this moment."""
        now = self.clock.now()
        self.emit(BrokerRead("paper", self.connection, now, now, complete=True, cash=D(100_000)))


def life(folder, latches, *, epoch=1, now=NOON):
    """Give a life on this folder, as the daemon begins one."""
    rig = Rig(folder, latch=latches)
    state = recover(rig.journal.store, KEY)
    for name in state.__struct_fields__:
        setattr(rig.state, name, getattr(state, name))
    rig.clock._now = now
    rig.broker = LiveBroker(rig.trading.emit, rig.clock)
    found = latches.read()
    started = EpochStarted(epoch, "test", "0", "code", killed=found.scope if found else None)
    rig.trading.begin(started, SettingsLoaded(rig.settings, "digest"), {"paper": rig.broker})
    rig.settle()
    return rig


class Kills(RuleBasedStateMachine):
    """Kills by file and by word, files taken away, releases, drills, restarts, a broker that comes and goes.

    `filed` is the widest scope that lies on the disk, `known` the one that State must hold.
    """

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        (self.folder / "latch").mkdir()
        self.latches = Latches(self.folder / "latch")
        self.filed = self.known = None
        self.up, self.epoch, self.requests = True, 1, 0
        self.rig = life(self.folder, self.latches)

    def ask(self, verb, **args):
        """Put a request, and give its id."""
        self.requests += 1
        name = f"r{self.requests}"
        self.rig.trading.emit(OperatorAsked(verb, name, 0, 0, 1, "a test", args))
        return name

    @rule(scope=SCOPES, told=st.booleans())
    def kill(self, scope, told):
        """Make the file; tell joed, unless its socket is dead."""
        self.latches.write(scope)
        self.filed = widest(self.filed, scope)
        if told:
            self.ask("kill", scope=scope.value)
            self.rig.settle()
            self.known = widest(self.known, scope)

    @rule()
    def vanish(self):
        """Somebody takes the files away without a release."""
        self.latches.clear()
        self.filed = None

    @rule(count=st.integers(1, 3))
    def seconds(self, count):
        """Let time pass: a vanished file is made again, one that is not known is told."""
        until = self.rig.clock.now() + count * SECOND
        while self.rig.clock.next_ns() <= until:
            self.rig.clock.advance()
            self.rig.settle()
        self.filed = self.filed or self.known
        self.known = widest(self.known, self.filed)

    @rule(again=st.none() | SCOPES)
    def release(self, again):
        """Release; somebody may kill anew between the decision and the disk."""
        name = self.ask("release")
        self.rig.loop.drain()
        if again is not None:
            self.latches.write(again)
            self.filed = widest(self.filed, again)
        self.rig.settle()
        granted = self.rig.state.answers[name].code == "ok"
        assert granted == (self.known is not None and self.up)
        if granted:
            self.known, self.filed = None, self.filed if again else None

    @rule(real=st.booleans())
    def drill(self, real):
        """Hold a drill, and let somebody kill in the middle of it."""
        name = self.ask("kill", drill="yes", scope="entries")
        self.rig.settle()
        state, was_filed = self.rig.state, self.filed
        if state.answers[name].code != "ok":
            assert self.known is not None or not self.up
            return
        if was_filed:  # a kill that nobody had told of: it is no drill's
            self.known = widest(Scope.ENTRIES)
        elif state.kill is not None and real:
            self.latches.write(Scope.FLATTEN)
            self.filed = widest(Scope.FLATTEN)
        self.seconds(7)
        assert state.drilled.passed == (not was_filed)

    @rule()
    def restart(self):
        """Cut the power, and start again."""
        now = self.rig.clock.now()
        self.rig.close()
        self.epoch += 1
        self.rig = life(self.folder, self.latches, epoch=self.epoch, now=now)
        self.known, self.up = widest(self.known, self.filed), True
        self.filed = self.filed or self.known  # the first look makes a lost file again

    @rule()
    def link(self):
        """Lose the broker, or find it again."""
        self.up = not self.up
        if self.up:
            self.rig.broker.start()
        else:
            self.rig.trading.emit(BrokerDown("paper", "cut"))
        self.rig.settle()

    @invariant()
    def state_knows_the_widest(self):
        """A narrower kill never narrows, and nothing but a release lifts."""
        assert self.rig.state.killed == self.known
        assert ("all/killed" in self.rig.state.blocks) == (self.known is not None)

    @invariant()
    def the_file_says_the_same(self):
        """As far as nobody took it away."""
        found = self.latches.read()
        assert (found.scope if found else None) == self.filed

    @invariant()
    def permit_refuses(self):
        """By the file or by the Block: either alone keeps it shut (I3)."""
        entry = bracket("KO", expires_at_ns=0)
        if self.filed or self.known:
            assert self.rig.trading.carry_out.permit(entry) != ""

    def teardown(self):
        """Let the folder go."""
        self.rig.close()
        shutil.rmtree(self.folder)


TestKills = Kills.TestCase
TestKills.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


@pytest.fixture
def latches(tmp_path):
    """Give the latches of a state directory."""
    (tmp_path / "latch").mkdir()
    return Latches(tmp_path / "latch")


@pytest.fixture
def rig(tmp_path, latches):
    """Give a life in which an entry waits for its price."""
    made = life(tmp_path, latches)
    made.state.day.session, made.state.day.open_ns, made.state.day.close_ns = "s", NOON - SECOND, NOON + 10**15
    made.state.blocks.clear()
    made.state.worth = D(100_000)
    yield made
    made.close()


def cross(rig):
    """Let the price cross: an entry is decided."""
    rig.trading.emit(TriggersMade(1, (trigger("AAPL", "200.00", valid_until_ns=NOON + 10**14),)))
    rig.loop.drain()
    rig.trading.emit(quote("AAPL", 200.0, at=rig.clock.now()))


def told(rig, latches):
    """Kill as joectl does: the file, and the word."""
    latches.write(Scope.ORDERS)
    rig.trading.emit(OperatorAsked("kill", "k", 0, 0, 1, "now"))


def silent(rig, latches):
    """Kill by the file alone: the daemon hangs, or joectl died."""
    latches.write(Scope.ORDERS)


@pytest.mark.parametrize("kill", [told, silent])
@pytest.mark.parametrize("moment", ["before", "decided", "committed", "in the adapter"])
def test_a_kill_that_races_a_send_always_wins(rig, latches, kill, moment):
    """Wherever the entry is on its way, no byte of it is handed over once the file lies there (F92)."""
    if moment == "before":
        kill(rig, latches)
    cross(rig)
    rig.loop.drain()
    if moment == "decided":
        kill(rig, latches)
    durable = rig.journal.commit()
    if moment == "committed":
        kill(rig, latches)
    if moment == "in the adapter":
        rig.broker.before = lambda: kill(rig, latches)
    rig.loop.release(durable)
    rig.settle()

    assert [command for command in rig.broker.handed if isinstance(command, SubmitOrder)] == []
    dropped = [event.reason for event, _ in rig.records() if isinstance(event, CommandDropped)]
    assert dropped == ([] if (moment, kill) == ("before", told) else ["killed"])


def test_an_entry_that_had_left_is_in_flight_until_its_end_is_known(rig, latches):
    """Handed over before the kill: listed, cancelled, and followed to its end."""
    cross(rig)
    rig.settle()
    [entry] = rig.broker.handed

    told(rig, latches)
    rig.settle()
    receipt = receipt_of(rig.state)

    assert [(row.order, row.fate) for row in receipt.entries] == [(entry.order, "asked")]
    rig.trading.emit(OrderAccepted(entry.order, "1"))
    rig.trading.emit(OrderWorking(entry.order, entry.quantity))
    rig.settle()
    assert not receipt_of(rig.state).done
