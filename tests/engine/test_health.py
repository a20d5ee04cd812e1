"""What the engine makes of its own senses."""

import pytest

from joed.engine.health import MEBIBYTE
from joed.engine.orders import reduce
from joed.engine.step import refold, step
from joed.model.blocks import Block
from joed.model.commands import LiftBlock, RaiseAlert, RaiseBlock
from joed.model.events import BrokerDown, Candidate, HeartbeatMeasured, JournalFailed, JournalRestored, Tick
from joed.model.settings import Health, Risk
from joed.model.values import SECOND
from tests.engine.build import CLOSE, OPEN, START, D, armed, holding, kinds, of_kind, quote, trading_state, trigger

STALE = "instrument:AAPL/quote_stale"
SILENT = "broker:paper/feed_silent"


def watching(**changes):
    """Give a State whose watchlist is AAPL, last quoted at START."""
    state = trading_state(**changes)
    state.watchlist = (Candidate("AAPL", 1.0),)
    step(state, START, quote("AAPL", 200.0))
    return state


@pytest.mark.parametrize(("age_ns", "blocked"), [(30 * SECOND, False), (30 * SECOND + 1, True)])
def test_a_watched_name_whose_quotes_are_old_opens_nothing(age_ns, blocked):
    """Thirty seconds, counted from when the last quote was received."""
    state = watching()

    step(state, START + age_ns, Tick())

    assert (STALE in state.blocks) is blocked


def test_its_next_quote_lifts_the_block_and_the_one_after_may_act():
    """The first quote only proves that they come again."""
    state = armed(trigger())
    state.watchlist = (Candidate("AAPL", 1.0),)
    step(state, START, quote("AAPL", 199.0))
    step(state, START + 40 * SECOND, Tick())
    now = START + 41 * SECOND

    first = step(state, now, quote("AAPL", 200.0, at=now))
    second = step(state, now, quote("AAPL", 200.0, at=now))

    assert first == [LiftBlock(STALE, "quotes come again")]
    assert kinds(second) == ["SubmitOrder"]


def test_a_quote_that_was_received_long_ago_proves_nothing():
    """It came late out of a queue."""
    state = watching()
    step(state, START + 40 * SECOND, Tick())

    assert step(state, START + 41 * SECOND, quote("AAPL", 200.0, at=START + 5 * SECOND)) == []


def test_at_the_opening_bell_quotes_have_time_to_come():
    """The last ones are from before the open; staleness counts from the bell."""
    state = trading_state(now=OPEN)
    state.watchlist = (Candidate("AAPL", 1.0),)
    step(state, OPEN, quote("AAPL", 200.0, at=OPEN - 600 * SECOND))

    step(state, OPEN + 30 * SECOND, Tick())
    early = STALE in state.blocks
    step(state, OPEN + 31 * SECOND, Tick())

    assert (early, STALE in state.blocks) == (False, True)


@pytest.mark.parametrize(("age_ns", "blocked"), [(60 * SECOND, False), (60 * SECOND + 1, True)])
def test_a_broker_that_sends_no_quote_at_all_is_blind(age_ns, blocked):
    """Connected and silent is no better than down."""
    state = watching()
    step(state, START, Tick())

    step(state, START + age_ns, Tick())

    assert (SILENT in state.blocks) is blocked


def test_silence_is_over_with_the_next_quote_and_after_the_close():
    """Outside the session nobody has to quote."""
    state = watching()
    step(state, START + 70 * SECOND, Tick())
    step(state, START + 71 * SECOND, quote("MSFT", 50.0, at=START + 71 * SECOND))
    again = step(state, START + 72 * SECOND, Tick())
    step(state, START + 200 * SECOND, Tick())
    closed = step(state, CLOSE, Tick())

    assert SILENT in [command.key for command in of_kind(again, LiftBlock)]
    assert SILENT in [command.key for command in of_kind(closed, LiftBlock)]


def test_a_broker_that_is_down_is_not_called_silent_too():
    """One reason is enough."""
    state = watching()
    step(state, START, BrokerDown("paper", "cut"))
    step(state, START + 120 * SECOND, Tick())

    assert SILENT not in state.blocks


@pytest.mark.parametrize(("depth", "memory", "keys"), [(1000, 512, []), (1001, 513, ["queue_backlog", "memory_high"])])
def test_a_long_queue_and_much_memory_are_told(depth, memory, keys):
    """Beyond the limit, not at it."""
    state = trading_state(health=Health(queue_backlog=1000, memory_high_mb=512))

    commands = step(state, START, HeartbeatMeasured(depth, memory * MEBIBYTE))

    assert [command.key for command in of_kind(commands, RaiseAlert)] == keys


def test_a_trouble_is_told_once_until_it_is_over():
    """Then it may be told again."""
    state = trading_state()
    told = [len(step(state, START, HeartbeatMeasured(depth, 0))) for depth in (2000, 3000, 0, 2000)]

    assert told == [1, 0, 0, 1]


def test_without_a_journal_there_is_no_new_risk_until_a_person_releases_it():
    """Being able to commit again lifts nothing by itself."""
    state = trading_state()

    commands = step(state, START, JournalFailed("disk full"))
    step(state, START, JournalRestored())

    assert kinds(commands) == ["RaiseBlock", "RaiseAlert"]
    assert state.blocks["all/journal_failed"].latched


@pytest.mark.parametrize(("bid", "latched"), [(190.01, False), (190.00, True)])
def test_the_days_loss_latches_with_open_positions_counted(bid, latched):
    """Ten bought at 200, the limit is 100."""
    state = holding("AAPL", risk=Risk(loss_day_max=D(100)))
    step(state, START, quote("AAPL", bid, bid))

    commands = step(state, START + SECOND, Tick())

    assert len(of_kind(commands, RaiseBlock)) == latched
    assert ("all/loss_day_max" in state.blocks) is latched
    assert of_kind(step(state, START + 2 * SECOND, Tick()), RaiseBlock) == []


@pytest.mark.parametrize(("before_ns", "lifted"), [(1, False), (0, True)])
def test_a_stale_name_is_given_its_time_from_the_bell_on_and_not_before(before_ns, lifted):
    """At the opening bell what was stale before it is early again."""
    state = trading_state(now=OPEN - SECOND)
    state.watchlist = (Candidate("AAPL", 1.0),)
    step(state, OPEN - SECOND, quote("AAPL", 200.0, at=OPEN - 600 * SECOND))
    refold(state, OPEN - SECOND, Tick(), [RaiseBlock(Block("instrument:AAPL", "quote_stale", "old"))])

    step(state, OPEN - before_ns, Tick())

    assert (STALE not in state.blocks) is lifted


@pytest.mark.parametrize(("age_ns", "lifted"), [(30 * SECOND, True), (30 * SECOND + 1, False)])
def test_a_quote_just_as_old_as_it_may_be_proves_that_they_come_again(age_ns, lifted):
    """Thirty seconds, not a nanosecond more."""
    state = watching()
    step(state, START + 40 * SECOND, Tick())
    now = START + 100 * SECOND

    step(state, now, quote("AAPL", 200.0, at=now - age_ns))

    assert (STALE not in state.blocks) is lifted


@pytest.mark.parametrize(("lag_ns", "blocked"), [(5 * SECOND - 1, False), (5 * SECOND, True)])
def test_a_loop_that_stood_still_opens_nothing_until_it_is_well(lag_ns, blocked):
    """F6: told at once; the next measure that is well lifts it by itself."""
    state = trading_state()

    told = step(state, START, HeartbeatMeasured(0, 0, lag_ns))
    well = step(state, START + 10 * SECOND, HeartbeatMeasured(0, 0, 5 * SECOND - 1))

    assert [type(command) for command in told] == ([RaiseBlock, RaiseAlert] if blocked else [])
    assert [command.key for command in of_kind(well, LiftBlock)] == (["all/loop_late"] if blocked else [])
    assert "all/loop_late" not in state.blocks


@pytest.mark.parametrize(("depth", "memory", "told"), [(1000, 512, ["queue_backlog", "memory_high"]), (1001, 513, [])])
def test_a_trouble_is_over_at_its_limit(depth, memory, told):
    """At it, and it may be told again; beyond it, it is still the same trouble."""
    state = trading_state(health=Health(queue_backlog=1000, memory_high_mb=512))
    step(state, START, HeartbeatMeasured(5000, 5000 * MEBIBYTE))
    step(state, START, HeartbeatMeasured(depth, memory * MEBIBYTE))

    again = step(state, START, HeartbeatMeasured(5000, 5000 * MEBIBYTE))

    assert [one.key for one in of_kind(again, RaiseAlert)] == told


@pytest.mark.parametrize(("now", "latched"), [(CLOSE - 1, True), (CLOSE, False)])
def test_from_the_close_on_a_loss_is_no_longer_this_sessions(now, latched):
    """What happens overnight is the next session's start."""
    state = trading_state()
    state.day.realised = D(-2000)

    step(state, now, Tick())

    assert ("all/loss_day_max" in state.blocks) is latched


@pytest.mark.parametrize(("orders", "latched"), [(10, False), (11, True)])
def test_a_signal_that_causes_orders_without_end_latches(orders, latched):
    """Ten are a trade with its repairs; more go in circles (I21)."""
    state = trading_state()
    state.signal_orders["s"] = orders

    commands = step(state, START, Tick())
    again = step(state, START + SECOND, Tick())

    assert ("all/orders_signal_max" in state.blocks) is latched
    assert [alert.words for alert in of_kind(commands, RaiseAlert) if alert.words.startswith("s has")] == (
        ["s has caused 11 orders, the limit is 10"] if latched else []
    )
    assert not [one for one in of_kind(again, RaiseBlock) if one.block.reason == "orders_signal_max"]


def test_orders_are_counted_for_the_signal_that_caused_them():
    """A bracket is three, each stop or close after it one; what no entry explains counts for its instrument."""
    state = holding("AAPL")
    position = state.positions["AAPL"]
    refold(state, START, Tick(), [reduce(state, 0, position, "AAPL-e", D(10)), reduce(state, 1, position, "", D(10))])

    assert state.signal_orders == {"signal-AAPL": 4, "AAPL": 1}
