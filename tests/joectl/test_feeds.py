"""What a person reads of brokers and prices."""

from joectl import render
from joectl.feeds import broker, came, lacks, prices_of
from joed.engine.step import step
from joed.model.feeds import POLL, STREAM, BarsFetched, BrokerExamined, FeedChanged, InstrumentSetAside
from joed.model.values import SECOND
from tests.engine.build import START, quote, trading_state
from tests.joectl.test_render import body


def troubled():
    """Give a day at a broker that lacks things."""
    state = trading_state()
    step(state, START, FeedChanged("paper", POLL, "silent"))
    step(state, START, InstrumentSetAside("paper", "KO", "no_permission", "subscribe to it (354)"))
    step(state, START, BrokerExamined("paper", "hours", False, "its day ends at 15:00"))
    step(state, START, BarsFetched("paper", "daily", 1, 300, {f"N{number}": "none" for number in range(10)}))
    step(state, START, quote("AAPL", 200.0))
    step(state, START, quote("MSFT", 400.0, at=START - 9 * SECOND))
    return state


def test_status_names_what_a_broker_does_not_serve_and_how_prices_come():
    """Each with its cause; the oldest price by name."""
    text = render.status(body(troubled()))

    assert "lacks     paper: KO: no_permission: subscribe to it (354)" in text
    assert "lacks     paper hours: its day ends at 15:00" in text
    assert "lacks     paper: no daily bars of N0, N1, N2, N3, N4, N5, N6, N7 and 2 more" in text
    assert "prices    2 from paper by poll, oldest MSFT 9 s, AAPL 0 s" in text
    assert "prices by poll, 1 set aside" in text


def test_a_broker_that_lacks_nothing_has_no_words_for_it():
    """A good day is short; an older daemon's answer is drawn too."""
    state = trading_state()
    [row] = body(state)["brokers"]
    bare = {name: value for name, value in row.items() if name not in ("source", "aside", "findings", "bars")}

    assert lacks(row) == lacks(bare) == []
    assert broker(row) == broker(bare) == ["paper", "up,", "1 differences,", "no quote yet"]
    assert prices_of({}) == []


def test_a_price_says_how_it_came_where_that_matters():
    """The stream's fresh price needs no words."""
    assert came({"source": STREAM, "price_age_s": 4.9}) == came({}) == ""
    assert came({"source": STREAM, "price_age_s": 5.0}) == " (5 s old)"
    assert came({"source": POLL, "price_age_s": 61.0}) == " (poll, 1 min old)"
