"""A stop follows its position and never turns back; a close is one close at a time."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from joed.engine.exits import flatten, marketable
from joed.engine.step import refold, step
from joed.model.commands import AmendOrder, RatchetTrail, SubmitOrder
from joed.model.events import (
    AmendRejected,
    BrokerDown,
    OrderCancelled,
    OrderRejected,
    OrderWorking,
    SettingsLoaded,
    Tick,
)
from joed.model.values import SECOND, Kind, Leg, Side, Status
from tests.engine.build import (
    START,
    D,
    bracket,
    fill,
    holding,
    of_kind,
    quote,
    settings_of,
    stop_of,
    submitted,
    target_of,
    trading_state,
)


def trailing(symbol="AAPL", **terms):
    """Give a State whose position has begun to trail, two under a best bid of 204 (short: over an ask of 196)."""
    state = holding(symbol, trail="2", **terms)
    short = terms.get("side") is Side.SELL
    bid, ask = (195.98, 196.00) if short else (204.00, 204.02)
    step(state, START, quote(symbol, bid, ask))
    return state


def moved(commands):
    """Give where stops were moved to."""
    return [command.level for command in of_kind(commands, AmendOrder)]


@pytest.mark.parametrize(("bid", "starts"), [(203.99, False), (204.00, True)])
def test_the_trail_starts_with_the_first_r(bid, starts):
    """Bought at 200 with a stop at 196: one R lies at 204, not a cent before."""
    state = holding("AAPL", trail="2")

    commands = step(state, START, quote("AAPL", bid))

    assert commands == ([RatchetTrail("AAPL", D(2))] if starts else [])
    assert state.positions["AAPL"].trailing is starts


def test_a_trail_of_nothing_never_starts():
    """A strategy that asked for no trail keeps its stop where it was."""
    state = holding("AAPL")

    assert step(state, START, quote("AAPL", 210.0)) == []


def test_the_trail_raises_the_brokers_stop_with_the_high_and_never_lowers_it():
    """Two under the best bid, moved by at least the step; a falling bid moves nothing."""
    state = trailing()

    raised = step(state, START + SECOND, quote("AAPL", 204.00))
    step(state, START + SECOND, OrderWorking(stop_of("AAPL"), D(10), D("202.00")))
    fallen = step(state, START + 3 * SECOND, quote("AAPL", 202.50))
    quiet = step(state, START + 4 * SECOND, Tick())

    assert raised == [AmendOrder(stop_of("AAPL"), D("202.00"), reason="trail")]
    assert (fallen, moved(quiet)) == ([], [])


@pytest.mark.parametrize(("bid", "level"), [(204.19, None), (204.205, None), (204.21, D("202.21"))])
def test_less_than_a_step_moves_nothing(bid, level):
    """A tenth of a percent of 202 are 20.2 cents, and the level has to be on the tick."""
    state = trailing()
    refold(state, START, Tick(), [AmendOrder(stop_of("AAPL"), D(202), reason="trail")])
    step(state, START, OrderWorking(stop_of("AAPL"), D(10), D("202.00")))

    commands = step(state, START + SECOND, quote("AAPL", bid))

    assert moved(commands) == ([] if level is None else [level])


def test_the_stop_moves_at_most_once_a_second_and_never_while_an_answer_is_due():
    """The best price is kept meanwhile, so the next move goes all the way."""
    state = trailing()
    first = step(state, START, quote("AAPL", 205.00))
    unanswered = step(state, START + 2 * SECOND, quote("AAPL", 207.00))
    step(state, START + 2 * SECOND, OrderWorking(stop_of("AAPL"), D(10), D("203.00")))
    soon = step(state, START + 2 * SECOND + 1, quote("AAPL", 208.00))
    again = step(state, START + 2 * SECOND + 1, quote("AAPL", 208.50))

    assert [moved(commands) for commands in (first, unanswered, soon, again)] == [[203], [], [206], []]


def test_a_second_has_to_pass_between_moves():
    """At 999,999,999 ns not yet."""
    state = trailing()
    step(state, START, quote("AAPL", 205.00))
    step(state, START, OrderWorking(stop_of("AAPL"), D(10), D("203.00")))

    early = step(state, START + SECOND - 1, quote("AAPL", 207.00))
    due = step(state, START + SECOND, quote("AAPL", 206.50))

    assert (moved(early), moved(due)) == ([], [205])


def test_a_short_position_trails_downward():
    """Sold at 200 with a stop at 204: from 196 on, two over the lowest ask."""
    state = trailing(side=Side.SELL, entry="200", stop="204", target="180")

    lowered = step(state, START + SECOND, quote("AAPL", 195.48, 195.50))
    step(state, START + SECOND, OrderWorking(stop_of("AAPL"), D(10), D("197.50")))
    risen = step(state, START + 3 * SECOND, quote("AAPL", 197.00, 197.02))

    assert (moved(lowered), moved(risen)) == ([D("197.50")], [])


def test_a_broker_that_refuses_the_move_is_asked_later_and_later():
    """Two seconds, four, eight … sixty-four: never in a storm, never given up."""
    state = trailing()
    asked = []
    for second in range(1, 300):
        now = START + second * SECOND
        commands = step(state, now, Tick())
        if moved(commands) or second == 1:
            asked.append(second)
            step(state, now, AmendRejected(stop_of("AAPL"), "no"))

    gaps = [later - earlier for earlier, later in pairwise(asked)]
    assert gaps == [2, 4, 8, 16, 32, 64, 64, 64][: len(gaps)]
    assert len(gaps) > 6


def test_no_stop_is_moved_over_a_broken_link():
    """Amending while the link is down can make two orders of one (reliability, finding 6)."""
    state = trailing()
    step(state, START, BrokerDown("paper", "cut"))

    assert moved(step(state, START + SECOND, quote("AAPL", 206.0))) == []


def test_a_name_that_left_the_settings_while_it_is_held_is_trailed_on():
    """It is watched and not traded: the steps of its prices stay known until it is sold."""
    state = trailing()
    step(state, START, SettingsLoaded(settings_of(symbols=("MSFT",)), "other"))

    assert moved(step(state, START + SECOND, quote("AAPL", 210.0))) != []
    assert not state.settings.universe["AAPL"].tradable
    assert marketable(state, state.positions["AAPL"]) is not None


@given(st.lists(st.integers(19_000, 23_000), min_size=1, max_size=60), st.booleans())
def test_no_sequence_of_prices_ever_loosens_a_stop(cents, answers):
    """Each move goes further than the one before, whether the broker answers or not."""
    state = trailing()
    best = D(196)
    for second, price in enumerate(cents, start=1):
        now = START + second * SECOND
        commands = [*step(state, now, quote("AAPL", price / 100, at=now)), *step(state, now, Tick())]
        for command in of_kind(commands, AmendOrder):
            assert command.level > best
            best = command.level
            if answers:
                step(state, now, OrderWorking(command.order, D(10), command.level))


def closes(state, now=START, *, patient=False):
    """Give what closing the position comes to at this moment, and let it be so."""
    commands = []
    flatten(state, now, state.positions["AAPL"], "why", commands, patient=patient)
    refold(state, now, Tick(), commands)
    return commands


def test_a_close_begins_with_the_target_made_marketable():
    """Stop and target share a group at the broker, so they cannot both fill."""
    state = holding("AAPL")
    step(state, START, quote("AAPL", 205.00))

    assert closes(state) == [AmendOrder(target_of("AAPL"), D("202.95"), reason="why")]
    assert state.positions["AAPL"].closing == target_of("AAPL")


def test_one_close_at_a_time_then_a_market_order_in_the_same_group():
    """The target has the fill time-out; then a CLOSE follows, and while that lives nothing else."""
    state = holding("AAPL")
    step(state, START, quote("AAPL", 205.00))
    closes(state)

    young = closes(state, START + 30 * SECOND - 1)
    market = closes(state, START + 30 * SECOND)
    later = closes(state, START + 3000 * SECOND)

    assert (young, later) == ([], [])
    [command] = market
    assert (command.kind, command.leg, command.opens) == (Kind.MARKET, Leg.CLOSE, False)
    assert (command.quantity, command.side, command.group) == (10, Side.SELL, "AAPL-e")


def test_a_patient_close_asks_for_the_markets_price_and_follows_it():
    """At the bid, anew after each time-out where it has moved, and never at market while there is patience."""
    state = holding("AAPL")
    step(state, START, quote("AAPL", 205.00))

    first = closes(state, patient=True)
    step(state, START, OrderWorking(target_of("AAPL"), D(10), D(205)))
    same = closes(state, START + 30 * SECOND, patient=True)
    step(state, START + 31 * SECOND, quote("AAPL", 204.50, at=START + 31 * SECOND))
    moved = closes(state, START + 32 * SECOND, patient=True)

    assert first == [AmendOrder(target_of("AAPL"), D("205.00"), reason="why", patient=True)]
    assert same == []
    assert moved == [AmendOrder(target_of("AAPL"), D("204.50"), reason="why", patient=True)]


def test_whoever_has_no_patience_does_not_wait_for_a_patient_close():
    """A kill in the first second of a limit that rests: the same target goes through the market, then at market."""
    state = holding("AAPL")
    step(state, START, quote("AAPL", 205.00))
    closes(state, patient=True)
    step(state, START, OrderWorking(target_of("AAPL"), D(10), D(205)))

    assert closes(state, START + SECOND) == [AmendOrder(target_of("AAPL"), D("202.95"), reason="why")]
    assert closes(state, START + 2 * SECOND) == []
    assert [command.leg for command in closes(state, START + 31 * SECOND)] == [Leg.CLOSE]


def test_a_patient_close_that_is_refused_goes_to_the_market():
    """Asking again would be asking each second."""
    state = holding("AAPL")
    step(state, START, quote("AAPL", 205.00))
    closes(state, patient=True)
    step(state, START, AmendRejected(target_of("AAPL"), "no"))

    assert [command.leg for command in closes(state, START + SECOND, patient=True)] == [Leg.CLOSE]


def test_a_refused_market_close_is_tried_again_after_the_time_out():
    """Never in a storm: thirty seconds lie between one close and the next."""
    state = holding("AAPL")
    state.orders[target_of("AAPL")].status = Status.CANCELLED
    [first] = closes(state)
    step(state, START, OrderRejected(first.order, "halted"))

    early, due = closes(state, START + 30 * SECOND - 1), closes(state, START + 30 * SECOND)

    assert early == []
    assert [type(command) for command in due] == [SubmitOrder]
    assert due[0].order != first.order


def test_a_target_that_may_not_be_moved_leads_to_a_market_close_at_once():
    """A refusal is an answer: waiting for a fill would be waiting for nothing."""
    state = holding("AAPL")
    step(state, START, quote("AAPL", 205.00))
    closes(state)
    step(state, START, AmendRejected(target_of("AAPL"), "no"))

    assert [command.leg for command in closes(state, START + SECOND)] == [Leg.CLOSE]


def test_without_a_target_or_a_quote_the_close_goes_to_the_market():
    """What cannot be priced, or has nothing to be moved, is sold as it is."""
    without_quote = holding("AAPL")
    without_quote.markets["AAPL"].quote = None
    without_target = holding("AAPL")
    step(without_target, START, OrderCancelled(target_of("AAPL")))

    for state in (without_quote, without_target):
        assert [command.leg for command in closes(state)] == [Leg.CLOSE]


def test_nothing_is_closed_over_a_link_whose_books_are_unread():
    """The stop may have closed it already; a second close would turn it round (I25)."""
    state = holding("AAPL")
    step(state, START, BrokerDown("paper", "cut"))

    assert closes(state) == []


def test_a_position_that_no_group_explains_is_closed_on_its_own():
    """Ten short after both exits filled: ten are bought back outside the group, which holds nothing."""
    state = holding("AAPL")
    step(state, START, fill(stop_of("AAPL"), "10", "196", side=Side.SELL, execution="s"))
    step(state, START, fill(target_of("AAPL"), "10", "220", side=Side.SELL, execution="t"))
    early = closes(state)
    state.brokers["paper"].read_from_ns = START + 1

    [command] = closes(state)

    assert early == []  # it may be a lost message that lets us believe in it: the broker's book must have shown it
    assert (command.side, command.quantity, command.group, command.opens) == (Side.BUY, 10, "", False)
    step(state, START, fill(command.order, "10", "200", execution="b"))
    assert state.positions["AAPL"].quantity == 0
    assert state.cash == D(100_000) - 2000 + 1960 + 2200 - 2000


def test_a_close_joins_no_group_that_a_close_has_opened():
    """A bust of the target gave ten back after they were closed again: the broker knows no group of a close's name."""
    state = holding("AAPL")
    state.positions["AAPL"].group = "AAPL-c"
    state.orders["AAPL-c"] = replace(state.orders["AAPL-e"], order="AAPL-c", leg=Leg.CLOSE, opens=False, filled=D(10))
    state.positions["AAPL"].target_order = ""
    state.brokers["paper"].read_from_ns = START + 1

    assert [command.group for command in closes(state)] == [""]


def test_a_close_that_its_group_refused_is_tried_alone():
    """The broker sums the group otherwise, after a bust: with no stop there any more the next stands by itself."""
    state = holding("AAPL")
    for child in (stop_of("AAPL"), target_of("AAPL")):
        step(state, START, OrderCancelled(child))
    [first] = closes(state)
    submitted(state, first)
    step(state, START, OrderRejected(first.order, "group"))
    state.positions["AAPL"].closing_ns = START - 60 * SECOND
    state.brokers["paper"].read_from_ns = START + 1

    assert (first.group, [command.group for command in closes(state)]) == ("AAPL-e", [""])


def test_a_close_takes_back_no_more_than_its_group_holds():
    """Two groups: the first is closed by its own ten, the rest follows when that has filled."""
    state = trading_state()
    submitted(state, bracket("AAPL", tag="1"))
    step(state, START, OrderCancelled("AAPL1-e"))
    holding("AAPL", state=state)
    step(state, START, fill("AAPL1-e", "4", "200", execution="late"))
    state.orders[target_of("AAPL")].status = Status.CANCELLED

    [command] = closes(state)

    assert (state.positions["AAPL"].quantity, command.quantity, command.group) == (14, 10, "AAPL-e")
