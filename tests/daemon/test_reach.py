"""joed.daemon.reach: a broker asked one question after the other, each with an end."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from joed.brokers.paper_store import PaperStore
from joed.daemon.places import places
from joed.daemon.reach import Link, permit
from joed.errors import BrokerUnavailable
from joed.exchange import Exchange
from joed.model.commands import CancelOrder, SubmitOrder
from joed.model.feeds import BrokerExamined
from joed.model.settings import Instrument, Settings
from joed.model.values import Kind, Leg, Side

SETTINGS = replace(Settings(), universe={"KO": Instrument("KO")}, brokers=("paper",))


@pytest.fixture
def where(tmp_path):
    """Give a state directory whose exchange has an account and no process."""
    where = places(tmp_path / "s")
    where.make()
    store = PaperStore(where.paper)
    exchange = Exchange(SETTINGS.universe, SETTINGS.paper, None)
    exchange.halt(1, "KO", halted=True)
    store.commit(exchange.changes())
    store.close()
    return where


async def test_the_book_is_read_from_the_file_where_no_process_serves(where):
    """A greeting, then a whole reading."""
    link = Link("paper", SETTINGS, where)
    try:
        assert (await link.connect()).account == "PAPER-1"
        assert (await link.read()).complete
    finally:
        link.broker.stop()


async def test_a_broker_that_does_not_answer_is_given_up_in_time(where, monkeypatch):
    """No answer within the settings' time is an answer."""
    link = Link("paper", SETTINGS, where)
    try:
        await link.connect()
        monkeypatch.setattr(link.broker, "read", lambda command: None)
        monkeypatch.setattr(link, "_wait_s", 0.3)
        async with asyncio.timeout(SETTINGS.failsafe.broker_wait_s / 2):
            with pytest.raises(BrokerUnavailable, match="cannot be read"):
                await link.read()
        link.broker.disconnect("cut")
        monkeypatch.setattr(link.broker, "start", lambda: None)
        with pytest.raises(BrokerUnavailable, match="cut"):
            await link.connect()
    finally:
        link.broker.stop()


async def test_a_broker_that_says_why_it_lets_nobody_in_is_quoted(where, monkeypatch):
    """Refused credentials are another thing for a person to mend than a network."""
    link = Link("paper", SETTINGS, where)
    refused = BrokerExamined("paper", "login", False, "these credentials are refused", True)
    monkeypatch.setattr(link.broker, "start", lambda: link._hear(refused))
    try:
        with pytest.raises(BrokerUnavailable, match="these credentials are refused"):
            await link.connect()
    finally:
        link.broker.stop()


@pytest.mark.parametrize("name", ["paper", "elsewhere"])
async def test_there_is_no_way_to_a_broker_that_is_not_there(tmp_path, name):
    """Neither to an account that never was (none is made), nor to one that no adapter knows."""
    with pytest.raises(BrokerUnavailable):
        Link(name, SETTINGS, places(tmp_path))

    assert not list(tmp_path.iterdir())


def test_a_failsafe_opens_nothing():
    """Whatever else it lets out."""
    order = SubmitOrder("e", "paper", "KO", Side.BUY, Decimal(1), Kind.LIMIT, Leg.ENTRY, True)

    assert permit(order)
    assert permit(CancelOrder("e")) == ""
