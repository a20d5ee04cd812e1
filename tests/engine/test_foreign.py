"""What is not ours at a broker: known by a whole read, cleared by a kill of the account, one safe step at a time."""

from joed.engine import foreign
from joed.engine.receipt import receipt_of
from joed.engine.step import refold, step
from joed.model.commands import CancelForeign, LatchKill, SubmitOrder
from joed.model.events import BrokerDown, CommandSent, OrderRejected, OrderSeen, PositionSeen, Tick
from joed.model.values import SECOND, Scope, Side, Status
from tests.engine.build import START, D, bracket, fill, of_kind, submitted, trading_state, whole_read


def seen(number, instrument="KO", order=""):
    """Give a row of an open order."""
    return OrderSeen(order, number, instrument, Side.SELL, D(5), Status.WORKING, D(70))


def held(quantity="5", instrument="KO"):
    """Give a row of a position."""
    return PositionSeen(instrument, D(quantity), D(60))


def proven(state, at, *rows, orders=()):
    """Let two whole reads show these positions: one sight is a suspicion."""
    for at_ns in (at, at + 1):
        step(state, at_ns, whole_read(at_ns, orders=orders, positions=rows))


def killed(state, scope=Scope.ACCOUNT, now=START):
    """Latch a kill without anything else."""
    refold(state, now, Tick(), [LatchKill(scope, "a test")])
    return state


def second(state, number):
    """Give what a Tick leads to."""
    return of_kind(step(state, START + number * SECOND, Tick()), CancelForeign | SubmitOrder)


def test_a_whole_read_names_the_orders_that_our_books_do_not_hold():
    """Without an id of ours, with a stranger's, with one that ended long ago; ours that live are not among them."""
    state = trading_state()
    submitted(state, bracket("MSFT"))
    mine = OrderSeen("MSFT-e", "b-MSFT-e", "MSFT", Side.BUY, D(10), Status.WORKING, D(200))

    step(state, START + SECOND, whole_read(START + SECOND, orders=(seen("1"), seen("2", order="TWS-4"), mine)))

    assert state.brokers["paper"].foreign == {"1": "KO", "2": "KO"}


def test_strangers_are_asked_to_go_once_for_each_read_that_shows_them():
    """Not each second: the answer is the next whole read."""
    state = killed(trading_state())
    step(state, START, whole_read(START, orders=(seen("1"),)))

    first, second_time = second(state, 1), second(state, 2)
    step(state, START + 3 * SECOND, whole_read(START + 3 * SECOND, orders=(seen("1"), seen("2"))))
    third = second(state, 4)

    assert (first, second_time) == ([CancelForeign("paper", ("1",), alone=True)], [])
    assert third == [CancelForeign("paper", ("1", "2"), alone=True)]


def test_nothing_is_asked_of_a_broker_that_is_away():
    """It is asked when its book has been read anew."""
    state = killed(trading_state())
    step(state, START, whole_read(START, orders=(seen("1"),), positions=(held(),)))
    step(state, START, BrokerDown("paper", "cut"))

    assert second(state, 1) == []


def test_a_means_that_cancels_everything_is_for_a_broker_where_nothing_of_ours_lives():
    """`alone` is False while an order of ours works there, so that our stops stay."""
    state = killed(trading_state())
    submitted(state, bracket("MSFT"))

    assert foreign.alone(state, "paper") is False
    assert foreign.alone(trading_state(), "paper") is True


def test_what_is_held_is_closed_after_the_orders_in_it_are_gone():
    """A stop of a stranger and our close could otherwise both fill, and turn the position round."""
    state = killed(trading_state())
    proven(state, START, held(), orders=(seen("1"),))
    with_order = second(state, 1)
    step(state, START + 2 * SECOND, whole_read(START + 2 * SECOND, positions=(held(),)))

    assert [type(command) for command in with_order] == [CancelForeign]
    [close] = second(state, 3)
    assert (close.side, close.quantity, close.foreign) == (Side.SELL, D(5), True)


def test_one_close_at_a_time_and_the_next_only_after_a_newer_read_and_the_time_out():
    """Sent, refused, read: it is tried again after `fill_timeout_s`, for what is held then."""
    state = killed(trading_state())
    proven(state, START, held("-5"))
    [close] = second(state, 1)
    step(state, START + SECOND, CommandSent(1, 0, close.order))
    unanswered = second(state, 2)
    step(state, START + 2 * SECOND, OrderRejected(close.order, "halted"))
    unread = second(state, 3)
    proven(state, START + 4 * SECOND, held("-4"))
    too_soon = second(state, 5)
    [again] = second(state, 31)

    assert (unanswered, unread, too_soon) == ([], [], [])
    assert (close.side, again.side, again.quantity) == (Side.BUY, Side.BUY, D(4))


def test_a_suspicion_closes_nothing():
    """What one read showed may be a fill that is still on its way to us."""
    state = killed(trading_state())
    proven(state, START, held())
    step(state, START + SECOND, whole_read(START + SECOND, positions=(held("4"),)))

    assert second(state, 2) == []
    assert any("the next read tells" in words for words in receipt_of(state).waits)


def test_a_fill_of_such_a_close_is_of_no_position_and_no_profit_of_ours():
    """It shrinks what is external; our cash is the broker's to tell."""
    state = killed(trading_state())
    proven(state, START, held())
    [close] = second(state, 1)
    before = (state.cash, state.realised, state.fees)

    step(state, START + 2 * SECOND, fill(close.order, "3", "59", side=Side.SELL, symbol="KO", execution="a"))
    part = dict(state.external)
    step(state, START + 2 * SECOND, fill(close.order, "2", "59", side=Side.SELL, symbol="KO", execution="b"))

    assert (part, state.external) == ({"KO": D(2)}, {})
    assert "KO" not in state.positions
    assert (state.cash, state.realised, state.fees) == before
    assert state.orders[close.order].status is Status.FILLED


def test_a_kill_of_the_account_remembers_whom_it_met():
    """So that the receipt can say what has gone."""
    state = trading_state()
    proven(state, START, held(), orders=(seen("1"),))
    killed(state)
    step(state, START + SECOND, whole_read(START + SECOND, orders=(seen("2"),)))

    assert state.kill.foreign == {"paper/1": "KO", "paper/2": "KO"}
    assert state.kill.external == {"paper/KO": D(5)}
