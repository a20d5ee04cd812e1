"""joed.contradictions: settings that are each well and do not go together."""

from dataclasses import replace

import pytest

from joed.contradictions import RULES
from joed.model.settings import Capital, Ibkr, Settings
from joed.model.values import Host, Mode

DEMO = Settings(brokers=("capital",))
LIVE = replace(DEMO, mode=Mode.LIVE, capital=Capital(host=Host.LIVE))


def blamed(settings):
    """Name the keys that the rules blame."""
    return [key for key, broken, _words in RULES if broken(settings)]


def test_the_host_and_the_mode_name_the_same_world():
    """Real money is traded in mode live alone, and mode live never by mistake on play money."""
    assert blamed(DEMO) == blamed(LIVE) == []
    assert blamed(replace(DEMO, mode=Mode.LIVE)) == ["capital.host"]
    assert blamed(replace(LIVE, mode=Mode.PAPER)) == ["capital.host"]
    assert blamed(replace(LIVE, mode=Mode.PAPER, brokers=("paper",))) == []


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("http://127.0.0.1:8080", True),
        ("ws://[::1]:8080/connect", True),
        ("http://localhost", True),
        ("https://api-capital.example", False),
        ("http://127.0.0.1.example:80", False),
        ("http://127.0.0.1@example", False),
    ],
)
def test_another_address_is_this_machine_or_none(address, allowed):
    """Keys and orders leave for Capital.com itself or for a fake on loopback: no typo sends them elsewhere."""
    for key in ("rest_url", "stream_url"):
        settings = replace(DEMO, capital=replace(DEMO.capital, **{key: address}))
        assert blamed(settings) == ([] if allowed else [f"capital.{key}"])


def test_a_resting_entry_outlives_its_own_cancel():
    """An entry that dies by itself before joed cancels it looks like one that vanished."""
    short = replace(DEMO, fill_timeout_s=30.0, capital=Capital(rest_s=60.0))

    assert blamed(short) == []
    assert blamed(replace(short, fill_timeout_s=30.1)) == ["capital.rest_s"]


def test_a_healthy_stream_is_not_cut():
    """A stream whose market is closed sends the answers to our pings alone: two of them must fit."""
    assert blamed(replace(DEMO, capital=Capital(ping_s=20.0, silence_s=40.0))) == []
    assert blamed(replace(DEMO, capital=Capital(ping_s=20.0, silence_s=39.9))) == ["capital.silence_s"]


def test_a_login_at_interactive_brokers_may_have_several_accounts_so_one_is_named():
    """An order without an account goes wherever the broker likes."""
    assert blamed(Settings(brokers=("ibkr",), account="DU1234567")) == []
    assert blamed(Settings(brokers=("ibkr",))) == ["account"]


@pytest.mark.parametrize(
    ("window", "allowed"),
    [
        ("23:45-00:45 America/New_York", True),
        ("05:00-05:05 Europe/Berlin", True),
        ("5:00-05:05 Europe/Berlin", False),
        ("23:45-24:45 America/New_York", False),
        ("23:45-00:45", False),
        ("23:45-00:45 America", False),
        ("23:45-00:45 Mars/Olympus", False),
        ("23:45-00:45 ../../etc/passwd", False),
    ],
)
def test_a_window_is_a_stretch_of_the_day_in_a_zone_that_there_is(window, allowed):
    """A window that nobody can read would forbid nothing and expect nothing."""
    for key in ("reset_windows", "no_submit_windows"):
        assert blamed(Settings(ibkr=Ibkr(**{key: (window,)}))) == ([] if allowed else [f"ibkr.{key}"])


def test_a_dead_link_is_known_within_a_minute_whatever_is_set():
    """Half open, a link looks alive: only the missing answer tells."""
    assert blamed(Settings(ibkr=Ibkr(beat_s=30.0, silence_s=30.0))) == []
    assert blamed(Settings(ibkr=Ibkr(beat_s=30.0, silence_s=30.1))) == ["ibkr.beat_s"]


def test_the_client_is_one_of_the_two_that_are_tested():
    """Any other module would be imported by its name and given an account."""
    assert blamed(Settings(ibkr=Ibkr(library="ib_async"))) == []
    assert blamed(Settings(ibkr=Ibkr(library="os"))) == ["ibkr.library"]
