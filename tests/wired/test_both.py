"""joed at two brokers at once, as processes over TCP: each with its own books, one failing while the other goes on."""

import json

import pytest

from tests.faults.measure import Watch, measured
from tests.wired.house import House, joectl, pull

SPEED = 4
"""Seconds of joed's clock in each real one."""


@pytest.fixture
def house(tmp_path):
    """Give both brokers in the middle of a session, and a joed that is yet to be started."""
    made = House(tmp_path, speed=SPEED, both=True)
    yield made
    made.end()


def rows(shown):
    """Give the brokers by name."""
    return {row["name"]: row for row in shown["brokers"]}


def ready(shown):
    """Say whether both are read, with history and prices."""
    found = rows(shown)
    read = all(name in found and found[name]["reconciled"] for name in ("ibkr", "capital"))
    return read and all("daily" in row["bars"] for row in found.values()) and len(shown["prices"]) == 7


def test_two_brokers_at_once_and_one_that_fails(house):
    """Each instrument's price comes from its own broker; a dead one blocks itself alone; the failsafe reads both."""
    house.start()
    shown = house.until(ready, "both brokers with books, bars and prices")
    assert {row["instrument"]: row["broker"] for row in shown["prices"]} == {
        **dict.fromkeys(("SPY", "VIX", "AAPL", "MSFT", "KO"), "ibkr"),
        **dict.fromkeys(("EURUSD", "XAUUSD"), "capital"),
    }
    checks = {row["name"]: row for row in json.loads(joectl("doctor", "--json", state_dir=house.state).out)["checks"]}
    assert {"ibkr: connection", "capital: connection"} <= set(checks)
    assert not any(secret in house.log.read_text() for secret in ("KeyOfTheFake0001", "Words-4-the-fake"))

    watch = Watch()
    pull(house.capital)
    failed = house.until(lambda now: not rows(now)["capital"]["up"], "Capital.com down")
    measured("F57", detected_s=watch.ms() / 1000 * SPEED)
    assert rows(failed)["ibkr"]["up"]
    assert rows(failed)["ibkr"]["reconciled"]
    scopes = {block["scope"] for block in failed["blocks"] if block["reason"] != "market_closed"}
    assert "broker:capital" in scopes
    assert "broker:ibkr" not in scopes

    house.kill()
    status, report = house.failsafe()
    found = {row["broker"]: row for row in report["brokers"]}
    assert found["ibkr"]["read"]
    assert not found["capital"]["read"]
    assert (status, report["safe"]) == (1, False)
    assert any(words.startswith("capital: ") for words in report["left"])
