"""joed.brokers.ibkr.lib: the library's encoder and decoder, held to golden bytes, and strict."""

import asyncio
from types import SimpleNamespace

import pytest

from joed.brokers.ibkr import lib
from joed.errors import BadMessage

LIBRARY = "ib_insync"
EXECUTION = (
    "11|-1|5|265598|AAPL|STK||0.0|?||SMART|USD|AAPL|NMS|0000e0d5.0001.01.01|20260901 09:30:05 US/Eastern|DU1|ISLAND|"
    "BOT|10|99.95|1400000001|17|0|10|99.95|E1||||2"
)


class Wire:
    """A transport that keeps what is written."""

    def __init__(self):
        self.sent = []

    def write(self, data):
        """Keep it."""
        self.sent.append(data[4:].decode().split("\0")[:-1])


@pytest.fixture
def heard():
    """Give what listeners heard, by name."""
    return []


def client_of(heard):
    """Give a client that speaks version 176, as client 17, with a listener for each message that is needed."""
    library = lib.load(LIBRARY)
    listeners = {name: (lambda *values, name=name: heard.append((name, values))) for name in lib.NEEDED.values()}
    client = lib.client_of(library, listeners)
    lib.begin(client, Wire(), 17)
    lib.agree(client, 176)
    client.updateReqId(100)
    lib.release(client)
    return SimpleNamespace(
        library=library, client=client, sent=client.conn.transport.sent, read=lib.handlers_of(client)
    )


async def test_a_request_is_the_bytes_that_tws_documents(heard):
    """Golden fields: what leaves is what was meant, whichever library encodes."""
    client = client_of(heard)
    client.client.startApi()
    client.client.cancelOrder(7)
    client.client.reqCompletedOrders(0)
    client.client.reqCurrentTime()

    assert client.sent == [["71", "2", "17", ""], ["4", "1", "7", ""], ["99", "0"], ["49", "1"]]
    assert not lib.holds_back(client.client)


async def test_an_order_carries_our_numbers_as_text_to_the_last_digit(heard):
    """No double comes between a price of ours and the wire."""
    client = client_of(heard)
    contract = client.library.Contract(conId=265598, secType="STK", symbol="AAPL", exchange="SMART", currency="USD")
    order = client.library.Order(
        orderId=100,
        action="BUY",
        orderType="LMT",
        totalQuantity="10",
        lmtPrice="199.10",
        tif="DAY",
        account="DU1",
        orderRef="j1-1-E",
        transmit=False,
    )
    client.client.placeOrder(100, contract, order)

    (fields,) = client.sent
    assert fields[:4] == ["3", "100", "265598", "AAPL"]
    assert fields[16:21] == ["BUY", "10", "LMT", "199.10", ""]
    assert (fields[21], fields[23], fields[26], fields[27]) == ("DAY", "DU1", "j1-1-E", "0")


async def test_an_execution_is_read_although_its_zone_has_an_old_name(heard):
    """The golden frame of a fill, its time in UTC."""
    client = client_of(heard)
    client.read["11"](EXECUTION.split("|"))

    ((name, (request, contract, execution)),) = heard
    assert (name, request, contract.symbol, execution.orderRef) == ("execDetails", -1, "AAPL", "E1")
    assert execution.time.isoformat() == "2026-09-01T13:30:05+00:00"


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ("3|1|Submitted|0", BadMessage),
        ("3|one|Submitted|0|1|0|1|0|0|17||0", ValueError),
        ("1|6|5|1|abc|100|1", ValueError),
        ("5|1|265598|AAPL", ValueError),
        ("9|1", BadMessage),
        (f"{EXECUTION}|more", ValueError),
    ],
)
async def test_a_message_that_lacks_a_field_or_has_a_wrong_one_raises(heard, message, problem):
    """The library logs such a message and goes on without it; a status that is lost is a position that is wrong."""
    client = client_of(heard)
    fields = message.split("|")
    with pytest.raises(problem):
        client.read[fields[0]](fields)

    assert heard == []


async def test_each_message_that_is_needed_has_a_reader(heard):
    """What nobody listens to is not even decoded."""
    client = client_of(heard)
    assert set(client.read) == set(lib.NEEDED)
    quiet = lib.client_of(client.library, {"openOrderEnd": lambda: None})
    assert set(lib.handlers_of(quiet)) == {"53"}


async def test_the_library_is_imported_on_the_loop_that_runs():
    """What it stands on asks the thread for its loop: that must be ours."""
    lib.load(LIBRARY)

    assert asyncio.get_event_loop_policy().get_event_loop() is asyncio.get_running_loop()
