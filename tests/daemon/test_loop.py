"""The one loop: stamped, stepped, recorded, and shown or released only once it is durable."""

import pytest
from msgspec.structs import replace

from joed.daemon import loop
from joed.daemon.loop import StepFailed, fingerprint, instrument_of
from joed.engine import step as engine
from joed.model.commands import Answer
from joed.model.events import (
    BrokerRead,
    EventFaulted,
    HeartbeatMeasured,
    OperatorAsked,
    OrderCancelled,
    Quote,
    StopAsked,
    Tick,
)
from joed.model.values import SECOND
from tests.daemon.shell import NOON, Rig
from tests.engine.build import bracket, quote, submitted, trading_state


@pytest.fixture
def rig(tmp_path):
    """Give a life that trades."""
    made = Rig(tmp_path).begin()
    yield made
    made.close()


@pytest.fixture
def poison(monkeypatch):
    """Have the rules of an event raise; the engine's own table, for this process alone."""

    def raises(state, now, event, commands):
        raise ZeroDivisionError("planted")

    def plant(kind):
        monkeypatch.setitem(engine.RULES, kind, (raises,))

    return plant


def asked(verb, request="r1", **args):
    """Give a person's request."""
    return OperatorAsked(verb, request, 0, 0, 1, "a test", args)


def test_an_event_is_stamped_recorded_and_counted(rig):
    """Each has the next seq and the time at which it left the intake."""
    seq = rig.state.seq
    rig.clock.call_at(NOON + SECOND, lambda: rig.trading.emit(asked("pause")))
    while rig.clock.now() == NOON or len(rig.trading.intake) < 2:
        rig.clock.advance()
    rig.settle()

    entries = list(rig.journal.store.read(seq))
    found = next(entry for entry in entries if entry[2] == asked("pause"))
    assert [entry[0] for entry in entries] == list(range(seq + 1, seq + 1 + len(entries)))
    assert found[1] == NOON + SECOND
    assert found[3][-1] == Answer("r1", "pause", "ok", "entries are paused")
    assert rig.loop.counters.events["OperatorAsked"] == 1


def test_time_never_goes_back_in_the_record(rig):
    """An event that comes with an earlier clock is stamped with the last one's time."""
    rig.state.now = NOON + 5 * SECOND
    rig.trading.emit(asked("pause"))
    rig.settle()

    assert list(rig.journal.store.read())[-1][1] == NOON + 5 * SECOND


def test_what_leads_to_nothing_is_tape(rig):
    """A Tick, a quote and a read that found nothing new; all else is a fact, even without a command."""
    for event in (Tick(), quote("KO", 50.0, at=NOON), BrokerRead("paper", 1, NOON, NOON, complete=True)):
        rig.trading.emit(event)
    rig.trading.emit(OrderCancelled("nobody's"))
    rig.settle()
    rig.journal.commit()

    kinds = [row[0] for row in rig.journal.store._db.execute("SELECT kind FROM records ORDER BY seq")]
    assert kinds[-2:] == ["Tape", "OrderCancelled"]


def test_answers_are_given_and_shown_only_once_durable(rig):
    """Neither the shell nor the View is ahead of the disk."""
    rig.trading.emit(asked("pause"))
    rig.loop.drain()
    assert (rig.shell.answers, rig.loop.view.paused) == ([], False)

    rig.loop.release(rig.journal.commit())
    assert ([answer.code for answer in rig.shell.answers], rig.loop.view.paused) == (["ok"], True)
    assert rig.loop.released == rig.loop.recorded


def test_a_drain_ends_at_its_limit(rig):
    """The rest waits for the next one, so that other tasks have their turn."""
    for number in range(10):
        rig.trading.emit(asked("pause", f"r{number}"))

    assert rig.loop.drain(4) == 4
    assert len(rig.trading.intake) == 6
    assert rig.loop.drain() == 6


def test_an_event_that_a_rule_cannot_handle_is_recorded_and_nothing_more_is_done(rig, poison):
    """The fault stands in the record in the event's place, with its bytes; what it decided halfway is not."""
    poison(OrderCancelled)
    before = rig.state.seq
    rig.trading.emit(OrderCancelled("x", "why"))

    with pytest.raises(StepFailed, match="planted"):
        rig.loop.drain()

    fault = rig.records()[-1][0]
    assert isinstance(fault, EventFaulted)
    assert (fault.digest, fault.kind) == (fingerprint(OrderCancelled("x", "why")), "OrderCancelled")
    assert "planted" in fault.error
    assert '"why"' in fault.event
    assert (rig.loop.recorded, rig.loop.counters.faults) == (before + 1, 1)


def test_a_faulted_event_and_its_repeat_are_left_out(rig, poison):
    """Its twin too, whenever it was received; another event of its kind is not."""
    poison(Quote)
    bad = Quote("KO", 50.0, 50.02, received_ns=1)
    rig.state.faulted[fingerprint(bad)] = NOON

    rig.loop.turn(replace(bad, received_ns=2))
    assert rig.loop.left_out == 1

    with pytest.raises(StepFailed):
        rig.loop.turn(replace(bad, bid=49.0))


def test_a_tick_that_faulted_does_not_take_all_later_ones_with_it(rig, poison):
    """One Tick is like another: without any, joed would look alive and be blind."""
    poison(Tick)
    rig.state.faulted[fingerprint(Tick())] = NOON

    with pytest.raises(StepFailed):
        rig.loop.turn(Tick())


def test_a_fault_names_the_instrument_of_its_event_or_of_its_order():
    """Directly, through the order, or not at all."""
    state = trading_state()
    submitted(state, bracket("KO"))

    assert instrument_of(state, quote("AAPL", 1.0)) == "AAPL"
    assert instrument_of(state, OrderCancelled("KO-e")) == "KO"
    assert instrument_of(state, OrderCancelled("unknown")) is None
    assert instrument_of(state, Tick()) is None


def test_a_proof_is_told_by_its_own_number(rig):
    """Other events before and after it do not pass for it."""
    measured = HeartbeatMeasured(0, 1)
    rig.loop.proof = measured
    for event in (asked("pause"), measured, HeartbeatMeasured(0, 1)):
        rig.trading.emit(event)
    rig.loop.drain(1)
    assert rig.loop.proof_seq == 0

    rig.loop.drain()
    assert rig.loop.proof_seq == rig.state.seq - 1


def test_a_lifted_kill_is_known_until_its_file_is_gone(rig):
    """From the moment in which that is decided; no other request does it."""
    rig.trading.emit(asked("kill"))
    rig.settle()
    rig.trading.emit(asked("pause", "r2"))
    rig.settle()
    assert not rig.trading.carry_out.releasing

    rig.trading.emit(asked("release", "r3"))
    rig.loop.drain()
    assert rig.trading.carry_out.releasing


def test_a_view_is_made_at_most_so_often_and_after_the_orders_have_left(rig, monkeypatch):
    """Many records in a moment make one View; the next is due when the time has passed, not before."""
    now = [loop.stopwatch_ns()]
    monkeypatch.setattr(loop, "stopwatch_ns", lambda: now[0])
    now[0] += loop.VIEW_INTERVAL_NS
    made = []
    for _ in range(5):
        rig.loop.turn(HeartbeatMeasured(0, 0))
        rig.loop.release(rig.journal.commit())
        made.append(rig.loop.view)
        now[0] += loop.VIEW_INTERVAL_NS // 4

    assert len({id(view) for view in made[:4]}) == 1
    assert made[4] is not made[3]
    assert made[4].seq == rig.loop.recorded


def test_nobody_who_looks_costs_nothing(rig):
    """Without onlookers no View is made."""
    rig.loop.shown = False
    shown = rig.loop.view
    rig.trading.emit(asked("pause"))
    rig.settle()

    assert rig.loop.view is shown


def test_completed_minutes_go_to_the_worker(rig):
    """A bar is handed on with the event that finished it."""
    rig.trading.emit(quote("KO", 50.0, at=NOON))
    rig.settle()
    rig.clock.call_at(NOON + 121 * SECOND, lambda: rig.trading.emit(Tick()))
    while not rig.worker.taken:
        assert rig.clock.advance()
        rig.settle()

    assert rig.worker.taken[0].instrument == "KO"


def test_a_stop_is_a_fact(rig):
    """It is in the record with what it led to."""
    rig.trading.emit(StopAsked("a test"))
    rig.settle()

    assert any(event == StopAsked("a test") and commands for event, commands in rig.records())
