"""What events and commands write into State, and that it stays bounded."""

import pytest

from joed.engine.changes import (
    ALERTS_MAX,
    APPLY_COMMAND,
    APPLY_EVENT,
    FAULT_WINDOW_NS,
    REFUSALS_MAX,
)
from joed.engine.requests import KEYS_MAX
from joed.engine.step import RULES, refold, step
from joed.model import commands as c
from joed.model import events as e
from joed.model.blocks import Block
from joed.model.values import SECOND, Scope, Severity
from tests.engine.build import (
    CLOSE,
    OPEN,
    SESSION,
    START,
    D,
    armed,
    bracket,
    holding,
    of_kind,
    quote,
    settings_of,
    submitted,
    trading_state,
    trigger,
)


def test_every_event_and_every_command_has_a_row():
    """A missing one would be found by a live day."""
    assert set(APPLY_EVENT) == set(e.ANY.__args__)
    assert set(APPLY_COMMAND) == set(c.ANY.__args__)
    assert set(RULES) <= set(APPLY_EVENT)


def told(state, *commands):
    """Let these commands have been decided."""
    refold(state, state.now, e.Tick(), list(commands))


def test_a_new_process_takes_over_and_vouches_for_no_link():
    """Epoch, version and code are its own; links, runs and an end that had begun are the last one's."""
    state = trading_state()
    step(state, START, e.StopAsked("SIGTERM"))
    told(state, c.RunJob("regime", 3, START))
    step(state, START, e.SessionEnded(SESSION, "x", D(0), D(0), D(0), 0, 0))
    ended = state.sealed

    step(state, START + 1, e.EpochStarted(2, "start", "1.0", "abc"))

    assert (ended, state.sealed, state.stopping, state.epoch) == (True, False, "", 2)
    assert (state.version, state.code, state.jobs["regime"].running) == ("1.0", "abc", 0)
    assert not any(broker.up or broker.reconciled for broker in state.brokers.values())


def test_a_job_that_ran_when_the_process_died_is_due_at_once():
    """Its answer died with it."""
    state = trading_state()
    told(state, c.RunJob("regime", 3, START))

    step(state, START + 1, e.EpochStarted(2, "start", "1.0", "abc"))

    assert state.jobs["regime"].next_ns == START + 1


def test_other_settings_end_what_they_do_not_name():
    """A Trigger on an instrument that left the universe can fire no more."""
    state = armed(trigger(), trigger("KO"))

    step(state, START, e.SettingsLoaded(settings_of(symbols=("KO",)), "other"))

    assert list(state.triggers) == ["signal-KO-200.00"]
    assert state.markets["AAPL"].signals == []
    assert step(state, START, quote("AAPL", 200.0)) == []


def test_each_broker_waits_for_its_first_read_from_the_settings_on():
    """Between the start and the first link nothing may be opened there (I25)."""
    state = trading_state()
    step(state, START, e.EpochStarted(2, "start", "0", "c"))

    commands = step(state, START, e.SettingsLoaded(settings_of(), "digest"))

    raised = [command.block.key for command in of_kind(commands, c.RaiseBlock)]
    assert [name for name in raised if not name.startswith("strategy:")] == ["broker:paper/reconciling"]


def test_a_faulted_event_blocks_its_instrument_and_a_second_one_kills_entries():
    """Within ten minutes; after a restart a person is told (F: poison)."""
    state = trading_state()
    step(state, START, e.EventFaulted("d1", "OrderFilled", "AAPL", "boom", "{}"))
    once = (state.killed, "instrument:AAPL/event_faulted" in state.blocks)
    step(state, START + FAULT_WINDOW_NS - 1, e.EventFaulted("d2", "Tick", None, "boom", "{}"))

    told_later = step(state, START + FAULT_WINDOW_NS, e.EpochStarted(2, "crash", "0", "c"))

    assert once == (None, True)
    assert (state.killed, "all/event_faulted" in state.blocks) == (Scope.ENTRIES, True)
    assert [command.severity for command in of_kind(told_later, c.RaiseAlert)] == [Severity.CRITICAL] * 2


def test_two_faults_far_apart_kill_nothing():
    """Ten minutes between them are no series."""
    state = trading_state()
    for at in (START, START + FAULT_WINDOW_NS):
        step(state, at, e.EventFaulted(f"d{at}", "Quote", "AAPL", "boom", "{}"))

    assert state.killed is None


def test_a_clock_that_was_set_moves_utc_and_not_time():
    """Only this event changes the offset."""
    state = trading_state()

    step(state, START, e.ClockStepped(-5 * SECOND))

    assert (state.utc_offset_ns, state.now) == (-5 * SECOND, START)


def test_a_session_begins_with_counters_at_nothing_and_what_lives_kept():
    """Positions, living orders and latched Blocks stay; signals, refusals, rejects and yesterday's anchors go."""
    state = holding("MSFT")
    submitted(state, bracket("AAPL"))
    told(state, c.RaiseBlock(Block("all", "loss_day_max", "x", latched=True)))
    state.rejects["KO"] = 2
    state.day.trades = 9

    told(state, c.OpenSession("next", OPEN, CLOSE, D(99_000)))

    assert (state.day.session, state.day.trades, state.day.equity_start) == ("next", 0, 99_000)
    assert (state.signals, state.rejects, state.trails, state.triggers) == ({}, {}, {}, {})
    assert list(state.positions) == ["MSFT"]
    assert {"AAPL-e", "MSFT-s"} <= set(state.orders)
    assert "all/loss_day_max" in state.blocks
    assert all(market.anchor == 0.0 for market in state.markets.values())


def test_a_flat_position_is_forgotten_with_its_session():
    """It was a trade of yesterday."""
    state = holding("MSFT")
    state.positions["MSFT"].quantity = D(0)

    told(state, c.OpenSession("next", OPEN, CLOSE, D(99_000)))

    assert state.positions == {}


def test_a_trail_ends_where_its_distance_is_nothing():
    """The stop stays where it is."""
    state = holding("AAPL", trail="2")
    told(state, c.RatchetTrail("AAPL", D(2)))
    began = state.positions["AAPL"].trailing
    told(state, c.RatchetTrail("AAPL", D(0)))

    assert (began, state.positions["AAPL"].trailing) == (True, False)
    told(state, c.RatchetTrail("KO", D(2)))
    assert "KO" not in state.positions


def test_a_kill_is_lifted_with_its_block():
    """Scope and Block are one matter."""
    state = trading_state()
    told(state, c.LatchKill(Scope.ORDERS, "x"))
    killed = state.killed
    told(state, c.LiftBlock("all/killed", "released"), c.LiftBlock("all/unknown"))

    assert (killed, state.killed, state.blocks) == (Scope.ORDERS, None, {})


@pytest.mark.parametrize(
    ("command", "table", "bound"),
    [
        (lambda n: c.RaiseAlert(f"a{n}", Severity.INFO, ""), "alerts", ALERTS_MAX),
        (lambda n: c.Answer(f"r{n}", "pause", "ok", ""), "answers", KEYS_MAX),
        (lambda n: c.RefuseEntry("AAPL", "x", f"s{n}", "lot", ""), "refused", REFUSALS_MAX),
    ],
)
def test_what_is_remembered_for_people_is_bounded_and_the_oldest_goes(command, table, bound):
    """The journal has them all."""
    state = trading_state()

    told(state, *(command(number) for number in range(bound + 5)))

    kept = getattr(state, table)
    assert len(kept) == bound
    assert command(0) not in (kept.values() if isinstance(kept, dict) else kept)


def test_the_highest_equity_is_kept():
    """For the deepest fall."""
    state = trading_state()
    for equity in ("100500", "100200"):
        told(state, c.MarkEquity(D(equity), D(0), D(0), D(0), D(0)))

    assert state.equity_high == 100_500


def test_a_brokers_newest_quote_is_seen_by_the_tick():
    """However its quotes came in, by the fast road or the slow."""
    state = trading_state()
    for at in (START, START + 5):
        step(state, at, quote("AAPL", 200.0, at=at))

    before = state.brokers["paper"].quoted_ns
    step(state, START + SECOND, e.Tick())

    assert (before, state.brokers["paper"].quoted_ns) == (0, START + 5)


def test_records_for_people_change_nothing_else():
    """Delivered alerts, a latch that is gone: the Block stays until a release."""
    state = trading_state()
    for event in (e.LatchGone(), e.AlertDelivered("k", "command", Severity.INFO)):
        assert step(state, START, event) == []

    assert state.blocks == {}
