"""Each fault of the fake TWS does to an unmodified ib_insync what its name says; the cure is the adapter's."""

import asyncio

import ib_insync
import pytest
from hypothesis import given
from hypothesis import strategies as st

from joed.daemon.clock import SimulatedClock
from joed.errors import ConfigError
from joed.model.events import Quote
from joed.model.values import SECOND, Status
from tests.fakes.rig import bracket, client, desk, ended, errors_of, exchange_of, pass_s, settle, still, traded
from tests.fakes.tws import FakeTws, faults
from tests.fakes.tws.answers import ANSWERS
from tests.fakes.tws.faults import act, play
from tests.fakes.tws.wire import frame, raw_frame


async def answers(ib, within=0.2):
    """Say whether the TWS answers at all."""
    try:
        await asyncio.wait_for(ib.reqCurrentTimeAsync(), within)
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize("fault", ["reset", "close"])
async def test_a_connection_ends_at_once_or_in_order(fault):
    """The client hears of it, and may come back under its id."""
    async with desk() as (tws, ib, _contract):
        act(tws, fault)
        await ended(ib)

        async with client(tws) as back:
            assert await answers(back, 5)


async def test_a_refused_port_opens_again():
    """What is connected stays; what comes is refused until the port is open."""
    async with desk() as (tws, ib, _contract):
        act(tws, "refuse")
        with pytest.raises(ConnectionRefusedError):
            await ib_insync.IB().connectAsync("127.0.0.1", tws.port, clientId=3, timeout=5)
        assert await answers(ib, 5)

        act(tws, "accept")
        await tws.opening
        async with client(tws, 3) as late:
            assert await answers(late, 5)


async def test_a_restart_gives_ids_out_again_and_forgets_what_it_alone_had():
    """Transmitted orders live at IBKR; a leg that waited is gone, and the next id is one that was used."""
    async with desk() as (tws, ib, contract):
        trades = await traded(ib, contract, bracket(ib, level=99.0))
        waiting = bracket(ib, "E2", level=98.0)[:1]
        await traded(ib, contract, waiting)

        act(tws, "restart 0 2")
        await ended(ib)
        await tws.opening
        async with client(tws) as back:
            assert {order.orderRef for order in back.openOrders()} == {"E1", "E1-S", "E1-T"}
            assert tws.desk.next_id <= trades[-1].order.orderId


async def test_an_id_of_an_order_that_never_reached_ibkr_is_given_out_again_and_taken():
    """The leg that waited in TWS is gone with its id, which is the next order's; to TWS they are strangers."""
    async with desk() as (tws, ib, contract):
        await traded(ib, contract, [ib_insync.LimitOrder("BUY", 1, 98.0, orderRef="E1")])
        (gone,) = await traded(ib, contract, bracket(ib, "E2", level=98.0)[:1])
        act(tws, "restart 0")
        await ended(ib)
        await tws.opening
        async with client(tws) as back:
            errors = errors_of(back)
            assert tws.desk.next_id == gone.order.orderId
            back.client.placeOrder(gone.order.orderId, contract, ib_insync.LimitOrder("BUY", 1, 97.0, orderRef="E3"))
            await settle(back)
            assert errors == []
            assert list(tws.exchange.orders) == ["E1", "E3"]


async def test_what_happens_without_the_servers_is_told_late_or_never():
    """1100, a fill, 1102 silent: no word of it but in the executions that are asked for."""
    async with desk() as (tws, ib, contract):
        trades = await traded(ib, contract, bracket(ib, level=99.0))
        errors = errors_of(ib)

        act(tws, "1100")
        act(tws, "quote AAPL 98.8 98.9")
        asked = asyncio.ensure_future(ib.reqExecutionsAsync())
        await settle(ib)
        assert not asked.done()
        assert trades[0].orderStatus.status == "Submitted"
        act(tws, "1102 silent")

        assert [fill.execution.orderRef for fill in await asked] == ["E1"]
        assert trades[0].orderStatus.status == "Submitted"
        assert [code for _, code in errors] == [1100, 1102]
        assert tws.exchange.protection("AAPL") == 10


async def test_what_was_withheld_comes_with_the_servers():
    """1102 without a word: the fill is told as soon as the link is there."""
    async with desk() as (tws, ib, contract):
        trades = await traded(ib, contract, bracket(ib, level=99.0))

        for words in ("1100", "quote AAPL 98.8 98.9", "1102"):
            act(tws, words)
        await settle(ib)

        assert trades[0].orderStatus.status == "Filled"


async def test_lost_data_has_to_be_asked_for_again():
    """After 1101 no line is left; a new one streams."""
    async with desk() as (tws, ib, contract):
        ticker = ib.reqMktData(contract)
        await settle(ib)
        act(tws, "1100")
        act(tws, "1101")
        act(tws, "quote AAPL 90.0 90.1")
        await settle(ib)

        assert ticker.bid == 99.9
        assert tws.market.count() == 0


async def test_a_broken_farm_stops_prices_and_nothing_else():
    """2103: no ticks, orders go on; 2104: ticks again."""
    async with desk() as (tws, ib, contract):
        ticker = ib.reqMktData(contract)
        await settle(ib)
        errors = errors_of(ib)
        act(tws, "farm broken")
        act(tws, "quote AAPL 101.0 101.1")
        await settle(ib)
        assert (ticker.bid, errors) == (99.9, [(-1, 2103)])

        act(tws, "farm ok")
        act(tws, "quote AAPL 102.0 102.1")
        await settle(ib)
        assert (ticker.bid, errors[-1]) == (102.0, (-1, 2104))


async def test_a_competing_session_takes_the_prices():
    """10197 on each line, silence, and prices again when it is gone."""
    async with desk() as (tws, ib, contract):
        ticker = ib.reqMktData(contract)
        await settle(ib)
        errors = errors_of(ib)
        for words in ("compete", "quote AAPL 101.0 101.1"):
            act(tws, words)
        await settle(ib)
        assert ([code for _, code in errors], ticker.bid) == ([10197], 99.9)

        for words in ("compete off", "quote AAPL 102.0 102.1"):
            act(tws, words)
        await settle(ib)
        assert ticker.bid == 102.0


async def test_an_order_may_be_told_by_its_executions_alone():
    """OrderStatus never comes; the execution does."""
    async with desk() as (tws, ib, contract):
        act(tws, "drop orderStatus")
        act(tws, "drop openOrder")
        (trade,) = await traded(ib, contract, [ib_insync.MarketOrder("BUY", 1)])

        assert (trade.orderStatus.status, len(trade.fills)) == ("PendingSubmit", 1)


async def test_messages_come_twice_or_too_late():
    """A repeated execution has the same id; a late one comes behind the status that it explains."""
    async with desk(clock=still()) as (tws, ib, contract):
        seen = []
        inner = ib.wrapper.execDetails
        ib.wrapper.execDetails = lambda *rest: (seen.append(rest[2].execId), inner(*rest))[1]
        act(tws, "twice execDetails 1")
        await traded(ib, contract, [ib_insync.MarketOrder("BUY", 1)])
        assert len(seen) == 2
        assert len(set(seen)) == 1

        await traded(ib, contract, [ib_insync.MarketOrder("BUY", 1)])
        assert len(seen) == 3

        act(tws, "late execDetails 5 1")
        (trade,) = await traded(ib, contract, [ib_insync.MarketOrder("BUY", 1)])
        assert (trade.orderStatus.status, trade.fills) == ("Filled", [])
        await pass_s(tws, ib, 5)
        assert len(trade.fills) == 1


async def test_commissions_come_late_or_never():
    """An execution without its commission is an execution; the replay has none either where none was ever known."""
    async with desk() as (tws, ib, contract):
        act(tws, "commissions never")
        (trade,) = await traded(ib, contract, [ib_insync.MarketOrder("BUY", 1)])
        assert trade.fills[0].commissionReport.execId == ""

        async with client(tws, 18) as other:
            assert [fill.commissionReport.execId for fill in other.fills()] == [""]


@pytest.mark.parametrize("code", [201, 203, 10289])
async def test_a_rejected_order_never_reaches_the_exchange(code):
    """The number, the words, the status Inactive; nothing in the book."""
    async with desk() as (tws, ib, contract):
        errors = errors_of(ib)
        act(tws, f"reject {code}")
        (trade,) = await traded(ib, contract, [ib_insync.LimitOrder("BUY", 1, 99.0, orderRef="E1")])

        assert errors == [(trade.order.orderId, code)]
        assert tws.exchange.orders == {}
        assert tws.desk.living() == []


@pytest.mark.parametrize("code", [399, 404, 2109, 10311, 10349])
async def test_a_note_about_an_order_ends_nothing(code):
    """Whatever the library makes of the number: the order works on, and fills."""
    async with desk() as (tws, ib, contract):
        errors = errors_of(ib)
        act(tws, f"note {code}")
        (trade,) = await traded(ib, contract, [ib_insync.LimitOrder("BUY", 1, 99.0, orderRef="E1")])
        act(tws, "quote AAPL 98.8 98.9")
        await settle(ib)

        assert errors == [(trade.order.orderId, code)]
        assert tws.exchange.orders["E1"].status is Status.FILLED


@pytest.mark.parametrize("code", [136, 161, 10147, 10148])
async def test_a_refused_cancel_leaves_an_order_that_may_fill(code):
    """The answer sounds like an end, and is none."""
    async with desk() as (tws, ib, contract):
        (trade,) = await traded(ib, contract, [ib_insync.LimitOrder("BUY", 1, 99.0, orderRef="E1")])
        act(tws, f"cancel-answer {code}")
        ib.client.cancelOrder(trade.order.orderId, "")
        await settle(ib)
        act(tws, "quote AAPL 98.8 98.9")
        await settle(ib)

        assert tws.exchange.orders["E1"].status is Status.FILLED
        assert len(trade.fills) == 1


async def test_a_slow_cancel_loses_its_race():
    """PendingCancel, then the fill, then 10148."""
    async with desk(clock=still()) as (tws, ib, contract):
        (trade,) = await traded(ib, contract, [ib_insync.LimitOrder("BUY", 1, 99.0, orderRef="E1")])
        errors = errors_of(ib)
        act(tws, "cancel-slow 2")
        ib.cancelOrder(trade.order)
        await settle(ib)
        assert tws.desk.by_ref("E1").status == "PendingCancel"

        act(tws, "quote AAPL 98.8 98.9")
        await pass_s(tws, ib, 2)

        assert errors == [(trade.order.orderId, 10148)]
        assert tws.exchange.position("AAPL") == 1


async def test_an_inactive_order_revives():
    """Inactive is no end: the next word is that it works."""
    async with desk() as (tws, ib, contract):
        (trade,) = await traded(ib, contract, [ib_insync.LimitOrder("BUY", 1, 99.0, orderRef="E1")])
        act(tws, "inactive E1")
        await settle(ib)
        assert trade.orderStatus.status == "Inactive"
        assert [one.order.orderRef for one in await ib.reqAllOpenOrdersAsync()] == ["E1"]

        act(tws, "revive E1")
        await settle(ib)
        assert trade.orderStatus.status == "Submitted"


async def test_an_execution_is_corrected_and_another_taken_back():
    """The same id but for its last part; the position follows, and so does the replay."""
    async with desk() as (tws, ib, contract):
        await traded(ib, contract, [ib_insync.MarketOrder("BUY", 10, orderRef="E1")])
        act(tws, "correct")
        act(tws, "bust")
        await settle(ib)

        ids = [fill.execution.execId.rpartition(".") for fill in ib.fills()]
        assert {root for root, _, _ in ids} == {ids[0][0]}
        assert [revision for _, _, revision in ids] == ["01", "02", "03"]
        assert ib.fills()[-1].execution.shares == 0
        assert ib.positions() == []


async def test_a_modification_may_make_a_second_order():
    """Two permIds under one orderRef, both live: what a broken link has done to a modification."""
    async with desk() as (tws, ib, contract):
        orders = bracket(ib)
        await traded(ib, contract, orders)
        act(tws, "twin")
        orders[2].auxPrice = 97.0
        await traded(ib, contract, [orders[2]])

        twins = [one.order for one in await ib.reqAllOpenOrdersAsync() if one.order.orderRef == "E1-S"]
        assert len({order.permId for order in twins}) == len({order.orderId for order in twins}) == 2
        assert tws.desk.doubles() == ["E1-S"]
        assert tws.exchange.protection("AAPL") == 20


async def test_a_connection_that_ends_between_the_legs_leaves_a_bracket_that_waits():
    """Two of three arrived: both are there for whoever asks, neither is at the exchange, and both can be cancelled."""
    async with desk() as (tws, ib, contract):
        act(tws, "cut-after 2")
        for order in bracket(ib):
            ib.placeOrder(contract, order)
        await ended(ib)

        async with client(tws) as back:
            left = back.openOrders()
            assert [order.orderRef for order in left] == ["E1", "E1-T"]
            assert tws.exchange.orders == {}
            back.client.cancelOrder(left[0].orderId, "")
            await settle(back)
            assert tws.desk.living() == []


async def test_an_order_made_by_hand_is_nobodys_until_client_0_takes_it():
    """No id, no reference; client 0 gets a negative id and may cancel."""
    async with desk() as (tws, ib, _contract), client(tws, 0) as zero:
        act(tws, "manual BUY 7 MSFT 90")
        act(tws, "quote MSFT 100 100.1")
        act(tws, "manual BUY 7 MSFT 90")
        await settle(ib)

        shown = [one.order for one in await ib.reqAllOpenOrdersAsync()]
        assert [(order.orderRef, order.clientId) for order in shown] == [("", 0)]
        mine = [one.order.orderId for one in await zero.reqOpenOrdersAsync()]
        assert mine[0] < 0
        zero.client.cancelOrder(mine[0], "")
        await settle(zero)
        assert tws.desk.living() == []


@pytest.mark.parametrize("kind", ["missing", "extra", "ids", "utf8", "unknown", "number", "infinite"])
async def test_a_hostile_message_is_one_message(kind):
    """The stream is in step behind it: the next answer comes."""
    async with desk() as (tws, ib, contract):
        ib.reqMktData(contract)
        act(tws, f"hostile {kind}")
        assert await answers(ib, 5)


@pytest.mark.parametrize("kind", ["length", "garbage"])
async def test_a_hostile_length_leaves_a_client_deaf(kind):
    """It waits for bytes that never come, or reads everything at the wrong place."""
    async with desk() as (tws, ib, _contract):
        act(tws, f"hostile {kind}")
        assert not await answers(ib)


async def test_who_writes_too_fast_is_told_and_then_cut_off():
    """100 after fifty messages in a second; after the third time the connection is ended."""
    async with desk() as (_tws, ib, _contract):
        errors = errors_of(ib)
        ib.client.MaxRequests = 0
        for _ in range(170):
            ib.client.reqIds(1)
        await ended(ib)

        assert [code for _, code in errors] == [100, 100, 100]


async def test_a_script_plays_its_faults_when_they_are_due():
    """Seconds, name, words; a comment is none."""
    async with desk(clock=still()) as (tws, ib, _contract):
        errors = errors_of(ib)
        play(tws, "1 say 2104 fine  # soon\n\n5 close\n")
        await pass_s(tws, ib, 4.9)
        assert errors == [(-1, 2104)]

        tws.clock.pass_to(tws.clock.now() + SECOND // 10)
        await ended(ib)


@pytest.mark.parametrize("line", ["soon cable", "5 cabel", "cable", "5"])
def test_a_script_that_cannot_be_read_is_refused(line):
    """With the number of the line."""
    with pytest.raises(ConfigError, match="line 2 of the faults"):
        play(None, f"# a comment\n{line}")


def test_every_fault_says_what_it_does():
    """The table is the manual."""
    assert all((getattr(fault, "func", fault)).__doc__ for fault in faults.FAULTS.values())
    assert set(faults.TRICKS) <= set(faults.FAULTS)


async def test_lost_orders_and_lost_cancels_are_silence():
    """Sent in the second of a restart: nothing ever answers."""
    async with desk() as (tws, ib, contract):
        act(tws, "vanish")
        (lost,) = await traded(ib, contract, [ib_insync.LimitOrder("BUY", 1, 99.0, orderRef="E1")])
        assert (lost.orderStatus.status, tws.exchange.orders) == ("PendingSubmit", {})

        (kept,) = await traded(ib, contract, [ib_insync.LimitOrder("BUY", 1, 99.0, orderRef="E2")])
        act(tws, "cancel-lost")
        ib.cancelOrder(kept.order)
        await settle(ib)
        assert tws.exchange.orders["E2"].status is Status.WORKING
        tws.quote(Quote("AAPL", 98.8, 98.9))


async def test_a_link_that_trickles_loses_nothing():
    """A hundred bytes a millisecond: every message comes in pieces, and every message comes."""
    async with desk() as (tws, ib, contract):
        act(tws, "trickle 100")
        trades = await traded(ib, contract, bracket(ib))
        assert [trade.orderStatus.status for trade in trades] == ["Filled", "Submitted", "PreSubmitted"]

        act(tws, "trickle 0")
        await settle(ib)


async def test_a_deaf_gateway_speaks_and_does_not_hear():
    """Prices come, answers do not, until it hears again."""
    async with desk() as (tws, ib, contract):
        ticker = ib.reqMktData(contract)
        await settle(ib)
        act(tws, "deaf")
        asked = asyncio.ensure_future(ib.reqCurrentTimeAsync())
        act(tws, "quote AAPL 101.0 101.1")
        await asyncio.wait_for(ticker.updateEvent, 5)
        assert (ticker.bid, asked.done()) == (101.0, False)

        act(tws, "deaf off")
        await asyncio.wait_for(asked, 5)


async def test_a_link_that_flaps_is_reset_again_and_again():
    """Each three seconds, for as long as was asked for."""
    async with desk(clock=still()) as (tws, ib, _contract):
        act(tws, "flap 3 6")
        tws.clock.pass_to(tws.clock.now() + 3 * SECOND)
        await ended(ib)
        async with client(tws) as back:
            tws.clock.pass_to(tws.clock.now() + 3 * SECOND)
            await ended(back)
        assert tws.clock.next_ns() is None


async def test_the_clock_of_a_gateway_may_be_wrong():
    """Thirty seconds ahead in the answer, and nowhere else."""
    async with desk(clock=still()) as (tws, ib, _contract):
        act(tws, "clock-off 30")
        told = await ib.reqCurrentTimeAsync()
        assert told.timestamp() == tws.clock.now() / SECOND + 30


async def test_an_order_may_wait_for_shares_to_borrow():
    """404 and whyHeld: the order lives."""
    async with desk() as (tws, ib, contract):
        (trade,) = await traded(ib, contract, [ib_insync.LimitOrder("SELL", 1, 101.0, orderRef="E1")])
        act(tws, "about 404 E1")
        await settle(ib)
        assert trade.orderStatus.whyHeld == "locate"
        assert tws.exchange.orders["E1"].status is Status.WORKING


async def test_what_the_exchange_does_on_a_bad_day_is_told_in_tws_words():
    """Filled after its cancel, in part, and both exits at once; a position that no execution explains."""
    async with desk() as (tws, ib, contract):
        act(tws, "odd late_fill")
        late = await traded(ib, contract, bracket(ib, "E1", level=99.0))
        ib.cancelOrder(late[0].order)
        await settle(ib)
        act(tws, "ghosts")
        part = await traded(ib, contract, bracket(ib, "E2", level=99.5))
        act(tws, "quote AAPL 99.3 99.4 100 4")
        await settle(ib)
        assert (late[0].orderStatus.status, part[0].orderStatus.filled) == ("Filled", 4)

        act(tws, "jump MSFT 20")
        await settle(ib)
        assert {row.contract.symbol: row.position for row in ib.positions()} == {"AAPL": 14, "MSFT": 20}


async def test_latency_can_change_as_it_runs():
    """The next order takes it, and its report takes it again."""
    async with desk(clock=still()) as (tws, ib, contract):
        act(tws, "latency 2")
        trade = ib.placeOrder(contract, ib_insync.MarketOrder("BUY", 1))
        await settle(ib)
        assert tws.exchange.orders == {}

        await pass_s(tws, ib, 2)
        assert (tws.exchange.position("AAPL"), trade.fills) == (1, [])
        await pass_s(tws, ib, 2)
        assert len(trade.fills) == 1


async def test_a_broken_history_farm_gives_none():
    """2105, and 162 for what is asked meanwhile; prices go on."""
    async with desk(bars=lambda *_: [(0, 1.0, 1.0, 1.0, 1.0, 1.0)]) as (tws, ib, contract):
        errors = errors_of(ib)
        act(tws, "farm broken ushmds")
        assert not await ib.reqHistoricalDataAsync(contract, "", "5 D", "1 day", "TRADES", 1)
        act(tws, "farm ok ushmds")
        assert await ib.reqHistoricalDataAsync(contract, "", "5 D", "1 day", "TRADES", 1)

        assert [code for _, code in errors] == [2105, 162, 2106]


async def test_a_value_of_the_account_may_be_any():
    """In the place of the exchange's own figure."""
    async with desk() as (tws, ib, _contract):
        act(tws, "value DayTradesRemaining 0")
        act(tws, "value BuyingPower 12.50")
        summary = {row.tag: row.value for row in await ib.accountSummaryAsync()}

        assert (summary["DayTradesRemaining"], summary["BuyingPower"]) == ("0", "12.50")


WORD = st.one_of(
    st.integers(-5, 20).map(str),
    st.sampled_from(["", "AAPL", "SMART", "BUY", "LMT", "STP", "x", "1e3", "nan", "\ud7ff"]),
)


@given(st.lists(st.tuples(st.sampled_from(sorted(ANSWERS)), st.lists(WORD, max_size=40)), max_size=8))
def test_whatever_a_client_writes_the_tws_lives(messages):
    """It answers or hangs up; nothing escapes, and nothing but an order that can be one reaches the exchange."""

    class Line:
        """A transport that leads nowhere."""

        closing = False

        def is_closing(self):
            """Say whether it ends."""
            return self.closing

        def write(self, data):
            """Take bytes."""
            assert data

        def close(self):
            """End."""
            self.closing = True

    tws = FakeTws(exchange_of(), SimulatedClock(0), bars=lambda *_: [])
    tws.paces = tws.paces_history = False
    tws.loop_time = lambda: 0.0
    tws.quote(Quote("AAPL", 99.9, 100.0, 99.95))
    session = tws.accept()
    session.connection_made(Line())
    session.data_received(b"API\0" + raw_frame(b"v157..176") + frame(71, 2, 17, ""))
    session.data_received(b"".join(frame(number, *words) for number, words in messages))

    assert tws.clients[17] is session
    assert all(order.quantity > 0 for order in tws.exchange.orders.values())
