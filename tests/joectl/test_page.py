"""`joectl why` as a person reads it: every fact of the JSON has its words, and nothing steers the terminal."""

import asyncio
import json

import msgspec
import pytest

from joectl import page, render
from tests.daemon.test_why import told


def body_of(subject):
    """Give what the daemon answers, through JSON as it travels."""
    return json.loads(msgspec.json.encode(asyncio.run(told(subject))))


def test_a_trade_is_one_readable_page():
    """From the quote that fired it to what it made, with the time of day."""
    lines = page.why(body_of("s1")).splitlines()

    assert lines[0] == "AAPL buy, breakout: closed"
    text = "\n".join(lines)
    for words in (
        "quote     bid 99.99, ask 100, last 100, 250.0 ms old",
        "trigger   buy above 100.00, made 00:00:05.000",
        "score     59 at 00:00:03.000: rising",
        "risk      passed all 32 checks",
        "positions 0 of 10",
        "intent    40 limit 100.25, stop 95.00, target 110.00",
        "size      0.20% of 100000.00 lost over 5.25 to the stop, in lots of 1",
        "exit      the trailing stop at 100.90, 00:00:40.000",
        "result    +32.00 after fees of 2.00, slippage +6.00",
        "broker  entry   order accepted   as 17",
        "answered in 500.0 ms",
        "slippage +2.00 (+5.0 bp)",
        "95.00 -> 98.00   trail  confirmed in 1000.0 ms",
    ):
        assert words in text


def test_a_refusal_explains_itself():
    """The code, the words and the figures."""
    text = page.why(body_of("MSFT"))

    assert "MSFT, breakout: refused: duplicate" in text
    assert "risk      duplicate: an entry is pending" in text
    assert "order 4,010.00 of 25,000.00" in text


def test_what_waits_says_how_far_it_is():
    """No entry yet, and why."""
    assert page.why(body_of("NVDA")).splitlines()[0] == "waits"


def test_colour_is_for_terminals_only():
    """Plain words without it, the same words with it."""
    body = body_of("s1")

    assert "\x1b" not in page.why(body)
    assert "\x1b" in page.why(body, render.coloured)


@pytest.mark.parametrize("zone", ["", "Nowhere/Land"])
def test_an_unknown_zone_is_utc(zone):
    """A machine without that zone still tells the time."""
    assert page.Clock({"utc_offset_ns": 0, "timezone": zone}).at(1_500_000_000) == "00:00:01.500"


def test_alerts_say_who_has_seen_them_and_whether_they_leave():
    """Since when, how often, by whom; and the channel's own state."""
    row = {"key": "k", "severity": "critical", "words": "look", "raised_ns": 1, "told": 2, "failed": "", "acked_ns": 0}
    now = 61 * 10**9
    body = {
        "now_ns": now,
        "alert_rows": [
            {**row, "next_ns": now + 60 * 10**9, "acked_uid": None, "failed": "status 1"},
            {**row, "key": "l", "next_ns": 0, "acked_ns": now, "acked_uid": 1000},
        ],
        "channels": [{"name": "command", "failed": "status 1", "failures": 3, "delivered_ns": 0, "failed_ns": 1}],
    }

    first, second, channel = page.alerts(body).splitlines()

    assert "told 2x, again in 1 min" in first
    assert first.endswith("look (did not leave: status 1)")
    assert "acknowledged by uid 1000" in second
    assert channel == "channel command: FAILS: status 1 (3 in a row), last delivery never"
    assert page.alerts({"now_ns": 1, "alert_rows": [], "channels": []}) == "no alerts"


def test_a_channel_says_what_it_keeps_back_and_why():
    """Never tried, waiting for the morning, at its limit, or too full: each in words."""
    row = {"name": "phone", "failed": "", "failures": 0, "delivered_ns": 0, "failed_ns": 0}
    body = {"now_ns": 61 * 10**9, "alert_rows": []}

    def said(**more):
        return page.alerts({**body, "channels": [{**row, **more}]}).splitlines()[-1]

    assert said() == "channel phone: never tried, last delivery never"
    held = said(delivered_ns=10**9, waiting=2, held="quiet", dropped=3)
    assert held == (
        "channel phone: delivers, last delivery 1 min ago, 2 waiting,"
        " milder ones wait for the end of its quiet hours, 3 left out"
    )
    assert said(held="limit").endswith("milder ones wait, its limit of this hour is reached")
