"""joed.contradictions: settings that are each well and do not go together."""

from dataclasses import replace

import pytest

from joed.contradictions import CHANNELS_MAX, RULES, addresses, of_alerts
from joed.model.channels import AlertChannel
from joed.model.settings import Alerts, Capital, Ibkr, Settings
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


def alerts_blamed(**channels):
    """Name the keys that are blamed for these channels."""
    return [".".join(keys[2:]) for keys, _words in of_alerts(Settings(alerts=Alerts(channels=channels)))]


@pytest.mark.parametrize(
    ("quiet", "allowed"),
    [
        ("", True),
        ("22:00-07:00 Europe/Berlin", True),
        ("22:00-07:00", False),
        ("25:00-07:00 Europe/Berlin", False),
        ("22:00-07:00 Europe/Nowhere", False),
    ],
)
def test_quiet_hours_are_a_stretch_of_the_day_in_a_zone_that_there_is(quiet, allowed):
    """Without a zone nobody knows whose night it is."""
    assert alerts_blamed(phone=AlertChannel("u", quiet=quiet)) == ([] if allowed else ["phone.quiet"])


@pytest.mark.parametrize("credential", ["", "../id.key", "a b", "tok:en@host", "x" * 65])
def test_a_channel_names_a_file_and_what_it_says_instead_is_never_shown(credential):
    """It may be the secret itself."""
    [(keys, words)] = of_alerts(Settings(alerts=Alerts(channels={"phone": AlertChannel(credential)})))

    assert keys == ("alerts", "channels", "phone", "credential")
    assert "was" not in words
    assert not credential or credential not in words


def test_channels_are_few_have_names_of_their_own_and_one_of_them_tells_at_once():
    """An escalation of nothing would tell nobody for minutes; `command` and `dead_man` are rows already."""
    assert alerts_blamed(phone=AlertChannel("u"), pager=AlertChannel("u", after_s=60)) == []
    assert alerts_blamed(pager=AlertChannel("u", after_s=60)) == [""]
    assert alerts_blamed(command=AlertChannel("u")) == ["command"]
    assert alerts_blamed(**{"My Phone": AlertChannel("u")}) == ["My Phone"]
    assert alerts_blamed(**{f"c{n}": AlertChannel("u") for n in range(CHANNELS_MAX)}) == []
    assert alerts_blamed(**{f"c{n}": AlertChannel("u") for n in range(CHANNELS_MAX + 1)}) == [""]


def test_an_address_is_found_wherever_it_stands_but_in_a_programs_own_words():
    """As a value, in a list, as a key; the section of a key that is one is named, for the key must not be shown."""
    said = {
        "command": ["curl", "https://a/b"],
        "channels": {"phone": "tgram://t/1", "mail": {"url": "mailto://u:p@h"}, "json://h": {}, "list": ["a", "x://y"]},
    }

    assert list(addresses(said)) == [
        ("channels", "phone"),
        ("channels", "mail", "url"),
        ("channels",),
        ("channels", "list", "1"),
    ]
