"""joed.brokers.ibkr.session: what ends a connection, how soon, and in which words."""

from itertools import pairwise

import pytest

from joed.brokers.ibkr.session import HELLO
from joed.model.events import BrokerDown, BrokerUp
from joed.model.feeds import BrokerExamined
from joed.model.values import SECOND
from tests.faults.measure import measured


def since(rig, kind, seconds):
    """Let up to so much time pass, and give after how much of it an event of this kind came."""
    start_ns, had = rig.clock.now(), len(rig.events)
    while rig.clock.now() - start_ns < seconds * SECOND:
        rig.wait(0.1)
        if any(isinstance(event, kind) for event in rig.events[had:]):
            return (rig.clock.now() - start_ns) / SECOND
    raise AssertionError(f"no {kind.__name__} within {seconds} s")


def test_a_pulled_cable_without_fin_is_known_within_8_s(rig):
    """Half open: TCP says nothing for minutes, the missing sign of life says it. Detection: at most 7.6 s."""
    rig.fault("cable 60")

    detected_s = since(rig, BrokerDown, 8.0)
    measured("F40", detected_s=detected_s)
    assert detected_s <= 7.6
    (down,) = [event for event in rig.take() if isinstance(event, BrokerDown)]
    assert down.reason == "no sign of life for 5 s"


def test_a_gateway_that_stops_answering_is_known_although_prices_still_come(rig):
    """Ticks prove nothing: one that answers no question cannot be asked for its book."""
    rig.broker.subscribe(("AAA",))
    rig.wait()
    began_ns = rig.clock.now()
    rig.fault("drop currentTime")
    for step in range(80):
        rig.quote(99.0 + step / 100, 99.5 + step / 100)
        rig.wait(0.1)
        if any(isinstance(event, BrokerDown) for event in rig.events):
            break

    assert any(isinstance(event, BrokerDown) for event in rig.events)
    measured("F41", detected_s=rig.heard.after_s(began_ns, BrokerDown))


def test_a_reset_and_an_end_in_order_are_known_at_once(rig):
    """The kernel says it. Detection: within 0.1 s."""
    for fault in ("reset", "close"):
        rig.fault(fault)
        assert since(rig, BrokerDown, 1.0) <= 0.1
        rig.wait(5.0)
        rig.take()


def test_a_client_id_in_use_fails_at_once_and_is_asked_for_again(make_rig):
    """326: not after the time-out; the same id, for our orders belong to it. Detection: within 0.1 s."""
    rig = make_rig()
    began_ns = rig.clock.now()
    rig.fault("taken 17 20")
    rig.fault("reset")
    rig.wait(0.1)
    tries = []
    rig.tws.journal = lambda way, *rest: way == ">>" and rest[1][0] == 4 and tries.append(rig.clock.now())
    rig.wait(12.0)
    assert [round((later - first) / SECOND) for first, later in pairwise(tries)] == [2, 5]

    rig.wait(40.0)

    told = [event for event in rig.take() if isinstance(event, BrokerExamined) and event.name == "link"]
    assert [event.ok for event in told] == [False, True]
    assert "326" in told[0].words
    assert rig.broker.up
    detected_s = rig.heard.after_s(began_ns, BrokerExamined, name="link", ok=False)
    measured("F46", detected_s=detected_s, recovered_s=rig.heard.after_s(began_ns, BrokerUp))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("mute", "takes the connection and says nothing within 10 s"),
        ("silent", "tells no account within 10 s: is somebody logged in?"),
        ("login", "tells no account within 10 s: is somebody logged in?"),
    ],
)
def test_an_open_port_without_a_login_is_told_as_such_and_waited_for(make_rig, state, words):
    """Accepted and left alone, in three stages; once somebody logs in joed is there by itself."""
    rig = make_rig()
    rig.fault(f"gateway {state}")
    rig.fault("reset")
    rig.wait(60.0)
    told = [event for event in rig.take() if isinstance(event, BrokerExamined)]
    assert [words in event.words for event in told] == [True]

    rig.fault("gateway open")
    rig.wait(60.0)

    assert [type(event) for event in rig.take()] == [BrokerExamined, BrokerUp]


@pytest.mark.parametrize("kind", ["length", "missing", "ids", "utf8", "empty", "number", "garbage"])
def test_hostile_bytes_end_the_link_are_counted_and_the_next_one_is_whole(rig, kind):
    """Capped, quarantined with the link that carried them, and synchronised anew; no number is guessed."""
    rig.broker.subscribe(("AAA",))
    rig.wait()
    rig.take()
    began_ns = rig.clock.now()
    rig.fault(f"hostile {kind}")
    rig.wait(10.0)

    detected_s = rig.heard.after_s(began_ns, BrokerDown)
    row = "S29" if kind == "length" else "S30"
    measured(row, detected_s=detected_s, recovered_s=rig.heard.after_s(began_ns, BrokerUp))
    events = rig.take()
    assert [type(event) for event in events if not isinstance(event, BrokerExamined)] == [BrokerDown, BrokerUp]
    assert events[0].reason.startswith("a bad message: ")
    assert rig.broker.bad_messages == 1


@pytest.mark.parametrize("kind", ["unknown", "infinite", "extra"])
def test_what_is_only_new_or_no_price_is_passed_over(rig, kind):
    """A message or a field of a version to come, and prices beyond all numbers: the link lives, nothing is told."""
    rig.broker.subscribe(("AAA",))
    rig.wait()
    rig.events.clear()
    rig.fault(f"hostile {kind}")
    rig.wait(10.0)

    assert rig.events == []
    assert (rig.broker.bad_messages, rig.broker.up) == (0, True)
    measured("F84", recovered_s=0)  # never unwell


def test_a_port_that_moved_ends_the_link_with_tws_words(rig):
    """1300: a person has to change the setting."""
    rig.fault("1300 4009")
    rig.wait(0.2)

    (down,) = rig.take()
    assert down.reason.startswith("1300: TWS socket port has been reset")


def test_the_greeting_is_the_documents():
    """`API`, a NUL, a length and the versions, before anything else."""
    assert HELLO == b"API\0\0\0\0\x09v157..176"
