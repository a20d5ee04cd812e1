"""Where prices come from, how old they are, what brokers say of themselves."""

from joed.engine.sources import PRICES_MAX
from joed.engine.step import step
from joed.engine.view import view
from joed.model.events import Quote
from joed.model.feeds import POLL, STREAM, BarsFetched, BrokerExamined, FeedChanged, InstrumentSetAside
from joed.model.state import Market
from joed.model.values import SECOND
from joed.model.view import BarsView, FindingView, PriceView
from tests.engine.build import START, holding, quote, trading_state


def test_each_price_says_how_it_came_and_how_old_it_is():
    """By its own word, else as its broker's prices come, else nobody said."""
    state = trading_state()
    step(state, START, quote("KO", 60.0))
    step(state, START, Quote("AAPL", 200.0, 200.1, 200.05, received_ns=START, broker="paper", source=POLL))
    assert {row.instrument: row.source for row in view(state).prices} == {"AAPL": POLL, "KO": ""}

    step(state, START + 2 * SECOND, FeedChanged("paper", STREAM))

    rows = {row.instrument: row for row in view(state).prices}
    assert rows["AAPL"] == PriceView("AAPL", "paper", 200.0, 200.1, 200.05, POLL, 2.0)
    assert rows["KO"].source == STREAM


def test_a_position_says_how_its_price_came():
    """The number beside it is worth as much as its age."""
    state = holding("AAPL", quantity="10", stop="196.00")
    state.markets["AAPL"].quote = quote("AAPL", 200.0, at=START)
    state.now = START + 7 * SECOND

    [row] = view(state).positions

    assert (row.source, row.price_age_s) == ("", 7.0)


def test_what_a_broker_says_of_itself_is_shown():
    """What it cannot serve, what its adapter found, what history there is."""
    state = trading_state()
    step(state, START, InstrumentSetAside("paper", "KO", "no_permission", "subscribe to it"))
    step(state, START, BrokerExamined("paper", "hours", False, "they differ"))
    step(state, START, BarsFetched("paper", "daily", 2, 600, {"KO": "none"}, {"future": 1}))
    state.now += 5 * SECOND

    [row] = view(state).brokers

    assert row.aside == {"KO": "no_permission: subscribe to it"}
    assert row.findings == (FindingView("hours", False, "they differ", False),)
    assert row.bars == {"daily": BarsView(2, 600, {"KO": "none"}, {"future": 1}, 5.0)}


def test_the_prices_shown_are_bounded():
    """A universe of thousands makes no page of thousands."""
    state = trading_state(symbols=tuple(f"S{number}" for number in range(PRICES_MAX + 10)))
    for name in state.settings.universe:
        state.markets[name] = Market(name, quote=quote(name, 10.0))

    assert len(view(state).prices) == PRICES_MAX
