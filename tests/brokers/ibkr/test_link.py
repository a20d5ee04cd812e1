"""joed.brokers.ibkr.link: each way in which a link is lost, how soon that is known, and what is true afterwards."""

import random

import pytest

from joed.exchange import Exchange
from joed.model.commands import AmendOrder, ReadBroker
from joed.model.events import BrokerDown, BrokerRead, BrokerUp, OrderFilled, OrderWorking, Quote
from joed.model.feeds import BrokerExamined
from joed.model.settings import Instrument
from joed.model.values import SECOND, Status
from tests.brokers.rig_ibkr import IbkrRig
from tests.brokers.rigs import SETTINGS, bracket, exchange_of, permitted
from tests.faults.measure import Heard, measured


def read(rig):
    """Read the whole book."""
    rig.broker.read(ReadBroker("paper"))
    rig.wait()
    return [event for event in rig.take() if isinstance(event, BrokerRead)][-1]


def resting(rig, order="E1", level="99.00"):
    """Let an entry rest."""
    assert rig.broker.submit(bracket(order, level=level), permitted) == ""
    rig.wait()
    rig.take()


def times(rig, began_ns):
    """Give after how many seconds the link was told to be lost, and then to be there again."""
    down_s, up_s = (rig.heard.after_s(began_ns, kind) for kind in (BrokerDown, BrokerUp))
    return {"detected_s": down_s, "recovered_s": up_s}


def kinds(rig):
    """Give the kinds of what was told."""
    return [type(event) for event in rig.take()]


def test_a_gateway_that_restarts_and_numbers_from_lower_down_loses_and_doubles_nothing(rig):
    """NextValidId rolls back by three: the orders are known by their reference, new ones are numbered above all.

    Detection: at once; back within 25 s of a restart that takes 20.
    """
    resting(rig)
    highest, began_ns = rig.broker._link.orders.highest, rig.clock.now()
    rig.fault("restart 20 3")
    rig.wait(0.1)
    assert kinds(rig) == [BrokerDown]
    rig.wait(35.0)
    assert BrokerUp in kinds(rig)
    measured("F47", **times(rig, began_ns))

    assert rig.broker.submit(bracket("E2", level="98.00"), permitted) == ""
    rig.wait()
    rig.take()

    assert rig.broker._link.orders.by_ref["E2"].number > highest
    assert [row.order for row in read(rig).orders] == ["E1", "E1-S", "E1-T", "E2", "E2-S", "E2-T"]


def test_an_order_written_as_the_restart_fires_is_doubted_or_lost_with_its_link_and_never_sent_again(rig):
    """It vanished without a word: the next whole reading does not have it, and no second order of its id is made."""
    rig.fault("vanish 1 3")
    assert rig.broker.submit(bracket(level="99.00"), permitted) == ""
    lost = rig.broker._link.orders.highest
    rig.fault("restart 5 3")
    rig.wait(20.0)

    seen = read(rig)
    assert (seen.orders, seen.ended) == ((), {})
    assert rig.broker.submit(bracket("E2", level="99.00"), permitted) == ""
    assert rig.broker._link.orders.by_ref["E2"].number > lost  # TWS would give these numbers out again


@pytest.mark.parametrize("code", [1100, 2110])
def test_lost_servers_are_a_lost_link_although_the_socket_lives(rig, code):
    """1100: nothing leaves, nothing is read; repeated, it is told once. Detection: at once."""
    resting(rig)
    began_ns = rig.clock.now()
    rig.fault(f"{code} 3")
    rig.wait(10.0)
    assert kinds(rig) == [BrokerDown]
    assert f"not connected: {code}" in rig.broker.submit(bracket("E2", level="98.00"), permitted)

    rig.fault("1102")
    rig.wait()

    assert kinds(rig)[-1] is BrokerUp
    assert [row.order for row in read(rig).orders] == ["E1", "E1-S", "E1-T"]
    measured("F42", **times(rig, began_ns))


def test_a_gateway_without_servers_at_the_login_is_waited_for(rig):
    """The port is open, somebody is logged in, and IBKR is away: not up, no reconnecting, up with the servers."""
    rig.fault("1100")
    rig.fault("reset")
    rig.wait(40.0)
    sessions = len(rig.tws.sessions)
    assert (BrokerUp in kinds(rig), sessions, rig.broker.up) == (False, 1, False)

    rig.fault("1102")
    rig.wait()

    assert kinds(rig) == [BrokerUp]


def test_a_question_of_before_the_loss_answers_nothing_of_after_it(rig):
    """Asked, servers gone, servers back: TWS answers late, and the new reading is whole by itself."""
    resting(rig)
    rig.broker.read(ReadBroker("paper"))
    rig.fault("1100")
    rig.wait(5.0)
    rig.fault("1102")
    rig.wait()
    assert [kind for kind in kinds(rig) if kind is not BrokerExamined] == [BrokerDown, BrokerUp]

    seen = read(rig)

    assert (seen.connection, [row.order for row in seen.orders]) == (2, ["E1", "E1-S", "E1-T"])


def test_servers_that_come_back_without_the_lines_have_them_asked_for_anew(rig):
    """1101: every line is gone; the desired state is streamed again, a first tick each."""
    rig.broker.subscribe(("AAA",))
    rig.wait()
    rig.fault("1100")
    rig.fault("1101")
    rig.wait()
    rig.events.clear()

    rig.quote(98.0, 98.1)

    assert [event.bid for event in rig.events if isinstance(event, Quote)] == [98.0]
    assert rig.tws.market.count() == 1


def test_servers_that_come_back_with_the_lines_stream_on_one_line_each(rig):
    """1102: nothing is doubled."""
    rig.broker.subscribe(("AAA",))
    rig.wait()
    rig.fault("1100")
    rig.fault("1102")
    rig.wait(5.0)
    rig.events.clear()

    rig.quote(98.0, 98.1)

    assert [event.bid for event in rig.events if isinstance(event, Quote)] == [98.0]
    assert rig.tws.market.count() == 1


def test_fills_of_a_gap_that_are_never_told_come_by_the_reading(rig):
    """1102 and silence: the stop worked while nobody heard it."""
    rig.broker.submit(bracket(), permitted)
    rig.wait()
    rig.take()
    rig.fault("1100")
    rig.quote(94.0, 94.1)
    rig.fault("1102 silent")
    rig.wait()
    assert OrderFilled not in kinds(rig)

    seen = read(rig)

    assert [fill.order for fill in seen.executions] == ["E1", "E1-S"]
    assert (seen.positions, seen.ended["E1-T"]) == ((), Status.CANCELLED)


def test_f38_what_filled_before_a_midnight_within_the_loss_is_seen_by_position_and_order_alone(make_rig):
    """The list of executions begins anew at midnight in New York: what is held and how the order ended still tell."""
    rig = make_rig(retry_max_s=600)
    rig.quote(99.9, 100.0)
    rig.broker.submit(bracket(quantity="4", level="98.00", stop="90.00", target="120.00"), permitted)
    rig.wait()
    rig.take()
    rig.cut()
    rig.quote(97.9, 98.0)
    rig.wait(14 * 3600)  # from eleven in the morning to one at night
    mended_ns = rig.clock.now()
    rig.mend()
    assert OrderFilled not in kinds(rig)

    seen = read(rig)

    assert (seen.complete, seen.executions, seen.ended) == (True, (), {"E1": Status.FILLED})
    assert [(row.instrument, row.quantity) for row in seen.positions] == [("AAA", 4)]
    assert {row.order: row.status for row in seen.orders} == dict.fromkeys(("E1-S", "E1-T"), Status.WORKING)
    measured("F38", recovered_s=rig.heard.after_s(mended_ns, BrokerRead))


def test_a_data_farm_that_blinks_is_nothing_and_prices_go_on(rig):
    """2103 and 2104 within 30 s: no alert, no lost link; a quote comes as before."""
    rig.broker.subscribe(("AAA",))
    rig.wait()
    rig.take()
    rig.fault("farm broken")
    rig.wait(5.0)
    rig.fault("farm ok")
    rig.wait()
    assert rig.take() == []

    rig.quote(98.0, 98.1)

    assert [event.bid for event in rig.events if isinstance(event, Quote)] == [98.0]


def test_a_data_farm_that_stays_broken_is_told_and_so_is_its_end(rig):
    """After half a minute a person should know. Detection: 30 s."""
    rig.fault("farm broken")
    rig.wait(29.9)
    assert rig.take() == []
    rig.wait(0.2)
    rig.fault("farm ok")
    rig.wait()

    assert [(event.name, event.ok) for event in rig.take()] == [("farm usfarm", False), ("farm usfarm", True)]


def test_an_order_that_the_libraries_take_for_cancelled_fills_and_is_told(rig):
    """10349 about a live entry: it works, it fills, it is protected."""
    resting(rig)
    rig.fault("about 10349 E1")
    rig.wait()
    assert rig.take() == []

    rig.quote(98.8, 98.9)

    assert [event.order for event in rig.take() if isinstance(event, OrderFilled)] == ["E1"]
    assert rig.exchange.protection("AAA") == 10


def test_an_order_of_the_link_before_can_be_amended_over_this_one(rig):
    """It is the same client: its numbers are valid, its terms are known again."""
    rig.broker.submit(bracket(), permitted)
    rig.wait()
    rig.fault("reset")
    rig.wait(5.0)
    rig.take()

    assert rig.broker.amend(AmendOrder("E1-S", level=rig.exchange.orders["E1-S"].level + 2), permitted) == ""
    rig.wait()

    assert [(event.order, event.level) for event in rig.take() if isinstance(event, OrderWorking)] == [("E1-S", 97)]


def test_an_order_of_another_process_is_known_by_its_reference(make_rig):
    """A crash: the new process reads what the old one left, refuses to send it again, and can amend it."""
    exchange = exchange_of()
    old = make_rig(exchange)
    old.quote(99.9, 100.0)
    resting(old)
    rig = AnotherProcess(old)
    rig.wait()
    rig.take()
    assert [row.order for row in read(rig).orders] == ["E1", "E1-S", "E1-T"]

    rig.broker.submit(bracket(level="99.00"), permitted)
    rig.wait()

    assert [event.code for event in rig.take()] == ["duplicate"]
    assert len(exchange.orders) == 3
    rig.broker.stop()
    rig.run(rig.running)


@pytest.mark.parametrize("moment_s", [0.0, 0.000_5, 0.5])
def test_a_process_killed_between_send_and_answer_makes_no_second_order_and_loses_none(make_rig, moment_s):
    """Before the bytes arrive, as they do, after the answer: all three legs or none, never two of one id."""
    old = make_rig()
    old.quote(99.9, 100.0)
    assert old.broker.submit(bracket(level="99.00"), permitted) == ""
    if moment_s:
        old.wait(moment_s)
    died_ns = old.clock.now()
    rig = AnotherProcess(old)
    rig.wait()

    found = [row.order for row in read(rig).orders]
    assert found in ([], ["E1", "E1-S", "E1-T"])
    rig.broker.submit(bracket(level="99.00"), permitted)
    rig.wait()
    assert [row.order for row in read(rig).orders] == ["E1", "E1-S", "E1-T"]
    assert len(rig.exchange.orders) == 3
    measured("F2", recovered_s=rig.heard.after_s(died_ns, BrokerRead))
    rig.broker.stop()
    rig.run(rig.running)


class AnotherProcess(IbkrRig):
    """The adapter anew before the same TWS; the first one died."""

    def __init__(self, old):
        old.broker.stop()
        old.wait(0.1)
        self.loop, self.clock, self.tws, self.settings = old.loop, old.clock, old.tws, old.settings
        self.exchange, self.events, self.doubting = old.exchange, [], False
        self.heard = Heard(self.clock)
        self.broker = type(old.broker)("paper", self.settings, self.clock, self.hear)
        self.came_up = type(old.came_up)()
        self.start()


def test_a_login_without_the_account_of_the_settings_is_never_up(make_rig):
    """Orders of one account are nothing that another should have."""
    rig = make_rig()
    rig.tws.accounts[0] = "DU9999999"
    rig.fault("reset")
    rig.wait(60.0)

    told = [event for event in rig.take() if isinstance(event, BrokerExamined)]
    assert [event.words for event in told] == ["the login has DU9999999, the settings name DU1234567"]
    assert not rig.broker.up


def test_a_loss_within_the_reset_window_says_that_it_was_expected(make_rig):
    """A person who reads it at breakfast knows what it was; the one at noon does not look the same."""
    rig = make_rig(reset_windows=("14:00-16:00 UTC",))
    began_ns = rig.clock.now()
    rig.fault("reset")
    rig.wait(0.1)
    assert rig.take()[-1].reason.endswith("(expected within 14:00-16:00 UTC)")
    rig.fault("refuse")
    rig.fault("reset")
    rig.wait(600.0)
    assert not [event for event in rig.take() if isinstance(event, BrokerExamined)]

    rig.wait(2 * 3600.0)

    assert [event.ok for event in rig.take() if isinstance(event, BrokerExamined)] == [False]
    assert rig.clock.now() % (86_400 * SECOND) > 16 * 3600 * SECOND
    measured("F85", detected_s=rig.heard.after_s(began_ns, BrokerDown))


def test_a_word_that_we_were_too_fast_is_told_only_where_going_slower_did_not_help(rig):
    """100 once is a busy machine; twice within a minute is a setting."""
    rig.fault("say 100 Max rate of messages per second has been exceeded")
    rig.wait()
    assert rig.take() == []

    rig.fault("say 100 Max rate of messages per second has been exceeded")
    rig.wait()

    assert [event.name for event in rig.take()] == ["pace"]


def test_a_hundred_instruments_stream_within_8_s_of_the_start(make_rig):
    """Each described and each subscribed, 200 questions at the pace that TWS allows."""
    rows = {f"S{number:03}": Instrument(f"S{number:03}") for number in range(100)}
    rig = make_rig(Exchange(rows, SETTINGS, random.Random(7)))
    for name in rows:
        rig.run(_quote(rig, name))
    rig.broker.stop()
    rig.run(rig.running)
    rig.broker = type(rig.broker)("paper", rig.settings, rig.clock, rig.hear)
    rig.broker.subscribe(tuple(rows))
    rig.events.clear()
    start_ns = rig.clock.now()
    rig.came_up.clear()
    rig.start()
    while len({event.instrument for event in rig.events if isinstance(event, Quote)}) < 100:
        rig.wait(0.1)

    assert (rig.clock.now() - start_ns) / SECOND <= 8.0


async def _quote(rig, name):
    rig.tws.quote(Quote(name, 99.9, 100.0))
