"""Release: in order, only what is durable, each with one more look in the breath in which it leaves."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from joed.daemon.carry_out import CarryOut
from joed.daemon.counters import Counters
from joed.engine.step import refold
from joed.model.blocks import Block
from joed.model.commands import (
    AmendOrder,
    Answer,
    CancelForeign,
    CancelOrder,
    ClaimOrder,
    MarkEquity,
    RaiseAlert,
    ReadBroker,
    RehearseKill,
    RetireOrder,
    RunJob,
    Stop,
    SubmitOrder,
    Unlatch,
)
from joed.model.events import CommandDropped, CommandSent, KillRehearsed, Tick
from joed.model.values import SECOND, ZERO, Scope, Severity
from tests.daemon.shell import NOON, Broker, KillFile, Shell, Worker, closing
from tests.engine.build import START, bracket, trading_state

ALERT = RaiseAlert("key", Severity.WARNING, "words")
MARK = MarkEquity(Decimal(1), Decimal(1), ZERO, ZERO, ZERO)


class Station:
    """A CarryOut with a broker that takes everything, and all that comes of it."""

    def __init__(self, *commands, slept_ns=int):
        self.events, self.file, self.now = [], KillFile(), START
        self.state = trading_state()
        self.broker, self.worker, self.shell, self.counters = Broker(self.events.append), Worker(), Shell(), Counters()
        refold(self.state, START, Tick(), [command for command in commands if isinstance(command, SubmitOrder)])
        self.out = CarryOut(
            self.state,
            brokers={"paper": self.broker},
            worker=self.worker,
            shell=self.shell,
            latch=self.file,
            emit=self.events.append,
            now=lambda: self.now,
            counters=self.counters,
            slept_ns=slept_ns,
        )
        self.out.queue(7, START, list(commands))


def test_nothing_leaves_before_its_record_is_durable():
    """Record 7 waits for 7, whatever else has been committed."""
    entry = bracket("KO")
    station = Station(entry)

    station.out.release(6)
    assert (station.broker.handed, len(station.out)) == ([], 1)

    station.out.release(7)
    assert station.broker.handed == [entry]
    assert station.events == [CommandSent(7, 0, entry.order)]
    assert (len(station.out), station.counters.sent) == (0, 1)


def test_a_kill_that_comes_while_an_entry_waits_stops_it():
    """The kill file is looked at in the same breath as the order leaves."""
    entry = bracket("KO")
    station = Station(entry)
    station.file.write(Scope.ORDERS)

    station.out.release(7)

    assert station.broker.handed == []
    assert station.events == [CommandDropped(7, 0, entry.order, "killed")]
    assert station.counters.dropped == 1


def test_an_entry_that_waited_through_a_sleep_stays_here():
    """The machine slept and nobody has told of it yet: the price behind the entry is as old as the sleep is long."""
    entry = bracket("KO")
    station = Station(entry, slept_ns=lambda: 3600 * SECOND)

    station.out.release(7)

    assert station.broker.handed == []
    assert station.events == [CommandDropped(7, 0, entry.order, "slept")]


def test_a_block_that_came_meanwhile_stops_an_entry():
    """What forbids opening is asked again at release."""
    entry = bracket("KO")
    station = Station(entry)
    block = Block("instrument:KO", "quote_stale", "no quote")
    station.state.blocks[block.key] = block

    station.out.release(7)

    assert station.events == [CommandDropped(7, 0, entry.order, "blocked: quote_stale")]


@pytest.mark.parametrize(("late_ns", "reason"), [(0, ""), (1, "expired")])
def test_an_entry_has_an_end(late_ns, reason):
    """At its last nanosecond it may leave, one later not."""
    station = Station()
    station.now = START + late_ns

    assert station.out.permit(replace(bracket("KO"), expires_at_ns=START)) == reason


def test_what_reduces_risk_needs_no_permission():
    """Killed, blocked and late: a close, an amendment and a cancel leave all the same."""
    station = Station()
    station.file.write(Scope.ORDERS)
    station.now = START + 1000 * SECOND
    block = Block("all", "killed", "killed")
    station.state.blocks[block.key] = block

    for command in (closing("KO"), AmendOrder("KO-s", Decimal(1)), CancelOrder("KO-e")):
        assert station.out.permit(command) == ""


def test_an_amendment_and_a_cancel_take_their_own_doors():
    """Each as the order it names, and told as what it is; how long an order waited here is measured in seconds."""
    amend, cancel = AmendOrder("KO-s", Decimal(1)), CancelOrder("KO-e")
    station = Station(bracket("KO"), amend, cancel)
    station.now = START + 3 * SECOND

    station.out.release(7)

    assert station.broker.handed == [bracket("KO"), amend, cancel]
    told = [event.command for event in station.events if isinstance(event, CommandSent)]
    assert told == ["SubmitOrder", "AmendOrder", "CancelOrder"]
    assert station.counters.sent == 3


def test_what_only_changes_state_goes_nowhere_without_a_journal_either():
    """And an entry that is dropped is counted, once."""
    station = Station(MARK, bracket("KO"))

    station.out.release_reductions()

    assert (station.broker.handed, len(station.out), station.counters.dropped) == ([], 0, 1)


def test_a_broker_that_refuses_is_heard():
    """Its reason comes back as an event, and so does the absence of any broker."""
    entry = bracket("KO")
    station = Station(entry, CancelOrder("nobody"))
    station.broker.refusal = "not connected"

    station.out.release(7)

    assert station.events == [
        CommandDropped(7, 0, entry.order, "not connected"),
        CommandDropped(7, 1, "nobody", "no such broker", "CancelOrder"),
    ]


def test_each_kind_of_command_goes_its_own_way():
    """Jobs to the worker, readings to the broker, alerts, answers and the end to the shell; the rest was State's."""
    job, answer, stop = RunJob("scan", 1, NOON), Answer("r", "pause", "ok", ""), Stop("over")
    station = Station(job, ReadBroker("paper"), ReadBroker("unknown"), ALERT, MARK, answer, stop)

    station.out.release(7)

    assert (station.worker.jobs, station.broker.reads) == ([job], 1)
    assert (station.shell.alerts, station.shell.answers, station.shell.stops) == ([ALERT], [answer], [stop])


def test_a_journal_that_failed_lets_out_what_reduces_risk_and_drops_entries():
    """Cancels, closes, alerts leave unrecorded; an entry never does; nothing leaves a second time."""
    entry, close = bracket("KO"), closing("AAPL")
    station = Station(entry, close, CancelOrder(entry.order), ALERT)

    station.out.release_reductions()
    station.out.release_reductions()
    station.out.release(7)

    assert station.broker.handed == [close, CancelOrder(entry.order)]
    assert station.shell.alerts == [ALERT]
    assert CommandDropped(7, 0, entry.order, "the journal can't commit") in station.events
    assert len(station.out) == 0


@pytest.mark.parametrize("verb", ["release", "pause"])
def test_an_answer_that_the_record_alone_keeps_waits_for_the_journal_and_a_kills_does_not(verb):
    """A kill is answered on a full disk: its file holds; a release or a pause holds only once it is recorded."""
    kill, release = Answer("k", "kill", "ok", ""), Answer("r", verb, "ok", "")
    station = Station(kill, release)

    station.out.release_reductions()
    assert station.shell.answers == [kill]

    station.out.release(7)
    assert station.shell.answers == [kill, release]


def test_cancels_of_what_is_not_ours_are_handed_over_and_told_of():
    """They reduce: a kill lets them pass; a broker that is away, or not there, drops them with the reason."""
    station = Station(CancelForeign("paper", ("7",)), CancelForeign("nowhere", ("8",)))
    station.file.write(Scope.ACCOUNT)

    station.out.release(7)

    assert station.broker.handed == [CancelForeign("paper", ("7",))]
    assert station.events == [
        CommandSent(7, 0, "", "CancelForeign"),
        CommandDropped(7, 1, "", "no such broker", "CancelForeign"),
    ]


def test_a_rehearsal_makes_the_file_and_asks_permit_for_an_entry_that_goes_nowhere():
    """What permit says is told, and how long the file took."""
    station = Station(RehearseKill(Scope.ENTRIES, bracket("KO")))

    station.out.release(7)

    assert station.events == [KillRehearsed(0, "killed")]
    assert (station.file.made, station.broker.handed) == ([Scope.ENTRIES], [])


def test_a_release_takes_the_file_away_unless_somebody_killed_meanwhile():
    """Once it is durable, and only where State has no newer kill."""
    for killed, left in ((None, False), (Scope.ORDERS, True)):
        station = Station(Unlatch())
        station.file.write(Scope.ORDERS)
        station.out.cover(Unlatch())
        station.state.killed = killed
        assert station.out.releasing

        station.out.release(7)

        assert (station.file.present(), station.out.releasing) == (left, False)


def test_without_a_journal_a_refused_release_is_answered_and_a_granted_one_waits():
    """A refusal gives nobody more freedom; what takes the file away must be kept first."""
    refused, granted = Answer("r1", "release", "journal_failed", "x"), Answer("r2", "release", "ok", "x")
    station = Station(refused, Unlatch(), granted)
    station.file.write(Scope.ORDERS)

    station.out.release_reductions()
    assert (station.shell.answers, station.file.present()) == ([refused], True)

    station.out.release(7)
    assert (station.shell.answers, station.file.present()) == ([refused, granted], False)


class Remembering(Broker):
    """A broker whose adapter alone remembers its orders."""

    def __init__(self, emit):
        super().__init__(emit)
        self.settled = []

    def settle(self, order, broker_id):
        """Note how a doubt was settled."""
        self.settled.append((order, broker_id))


def test_an_adapter_that_remembers_its_orders_hears_how_a_doubt_was_settled():
    """By the number that a person named, or by none; who needs no such word is not asked."""
    entry = bracket("KO")
    station = Station(entry)
    station.out.release(7)
    deeds = [ClaimOrder(entry.order, "d7", "seen"), RetireOrder(entry.order, "absent"), ClaimOrder("no-such", "d1", "")]
    station.out.queue(8, START, deeds)
    station.out.release(8)

    brokers = {"paper": Remembering(station.events.append)}
    station.out._brokers = brokers
    station.out.queue(9, START, deeds)
    station.out.release(9)
    assert brokers["paper"].settled == [(entry.order, "d7"), (entry.order, "")]
