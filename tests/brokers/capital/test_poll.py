"""joed.brokers.capital.poll: prices are asked for while the stream does not bring them, and no longer."""

from hypothesis import given
from hypothesis import strategies as st

from joed.brokers.capital.poll import BATCH, Net, batches, query
from joed.model.feeds import POLL, STREAM
from joed.model.values import SECOND

STALE_NS = 8 * SECOND


def look(net, now_s, quoted, *, down="", beyond=(), shut=(), prices=None):
    """Look at a second; `quoted` gives the seconds of the last quotes, `prices` what asking finds."""
    at_ns = {epic: second * SECOND for epic, second in quoted.items()}
    need = net.look(
        now_s * SECOND,
        tuple(quoted),
        beyond,
        down=down,
        quoted_ns=at_ns.__getitem__,
        is_open=lambda epic: epic not in shut,
    )
    for epic, price in (prices or {}).items():
        if epic in need.epics:
            net.polled(need, epic, price, price)
    return need.epics, net.change(need, at_ns.__getitem__, now_s * SECOND)


def test_a_stream_that_serves_leaves_nothing_to_ask_for():
    """And that is told once."""
    net = Net(STALE_NS)

    assert look(net, 10, {"A": 9, "B": 3}) == ((), (STREAM, ""))
    assert look(net, 11, {"A": 11, "B": 10}) == ((), ("", ""))


def test_a_stream_that_is_down_is_polled_for_whole():
    """With the reason; what it had no room for is asked for too."""
    net = Net(STALE_NS)

    assert look(net, 10, {"A": 9, "B": 9}, down="it was closed", beyond=("C",)) == (
        ("A", "B", "C"),
        (POLL, "it was closed"),
    )


def test_a_quote_that_is_stale_in_an_open_market_is_asked_for_alone():
    """A market that is shut has no quotes to miss."""
    net = Net(STALE_NS)

    assert look(net, 20, {"A": 19, "B": 11, "C": 0}, shut=("C",))[0] == ("B",)
    assert look(net, 20, {"A": 12})[0] == ()


def test_a_quiet_market_is_asked_for_and_is_no_alarm():
    """The answer is what the stream said last: nothing was missed, however long it takes."""
    net = Net(STALE_NS)
    net.streamed("A", 5.0, 5.0)
    told = [look(net, second, {"A": 0}, prices={"A": 5.0}) for second in range(10, 60, 2)]

    assert {epics for epics, _ in told} == {("A",)}
    assert [change for _, change in told if change[0]] == [(STREAM, "")]


def test_a_price_that_moved_twice_without_a_word_of_the_stream_is_a_lost_feed():
    """Once may have crossed the quote on its way."""
    net = Net(STALE_NS)
    net.streamed("A", 5.0, 5.0)

    assert look(net, 10, {"A": 0}, prices={"A": 6.0})[1] == (STREAM, "")
    assert look(net, 12, {"A": 0}, prices={"A": 6.0})[1] == (POLL, "A moved, and the stream has said nothing for 12 s")


def test_the_first_price_of_a_new_subscription_is_no_move():
    """No snapshot is promised after it: what asking finds is where it begins."""
    net = Net(STALE_NS)

    assert look(net, 10, {"A": 0}, prices={"A": 6.0})[1] == (STREAM, "")
    assert look(net, 12, {"A": 0}, prices={"A": 6.0})[1] == ("", "")
    assert look(net, 14, {"A": 0}, prices={"A": 6.5})[1] == ("", "")


def test_what_the_stream_has_no_room_for_is_polled_and_no_alarm():
    """The forty-first instrument comes by polling for ever."""
    net = Net(STALE_NS)

    assert look(net, 10, {"A": 9}, beyond=("Z",)) == (("Z",), (STREAM, ""))


def test_polling_ends_when_quotes_come_and_go_on_coming():
    """One good look may be chance: the second ends it, and says so. What moved while it was down is no miss."""
    net = Net(STALE_NS)
    net.streamed("A", 5.0, 5.0)
    look(net, 10, {"A": 0}, down="closed", prices={"A": 6.0})

    assert look(net, 12, {"A": 0}, prices={"A": 6.0})[1] == ("", "")
    assert look(net, 14, {"A": 0}, down="closed")[1] == ("", "")
    assert look(net, 16, {"A": 0}, prices={"A": 6.0})[1] == ("", "")
    assert look(net, 17, {"A": 0}, prices={"A": 6.0})[1] == ("", "")  # a stream that is up and mute has not come back
    net.streamed("A", 6.0, 6.0)
    assert look(net, 18, {"A": 18})[1] == (STREAM, "")


@given(st.integers(0, 400))
def test_batches_hold_everything_once_and_never_too_much(count):
    """Fifty at most, in order; commas stay commas."""
    epics = tuple(map(str, range(count)))
    found = batches(epics)

    assert sum(found, ()) == epics
    assert all(0 < len(batch) <= BATCH for batch in found)
    assert query(("A", "B.C")) == {"epics": "A,B.C"}
