"""joed at Interactive Brokers' wire: a life from the first connection to the failsafe, as processes over TCP."""

import json

import pytest

from tests.wired.house import House, joectl, pull


@pytest.fixture
def house(tmp_path):
    """Give a TWS in the middle of a session, and a joed that is yet to be started."""
    made = House(tmp_path)
    yield made
    made.end()


def ready(shown):
    """Say whether the broker is read, its history there, and every price come."""
    [broker] = shown["brokers"] or [{"reconciled": False}]
    return broker["reconciled"] and set(broker["bars"]) == {"daily", "minute"} and len(shown["prices"]) == 5


def test_a_life_at_the_wire(house):
    """Connected, read, taught its past, streaming; killed and back in the same books; and looked after when dead."""
    house.start()
    shown = house.until(ready, "a broker with books, bars and prices")

    [broker] = shown["brokers"]
    assert (broker["name"], broker["up"], broker["account"], broker["differences"]) == ("ibkr", True, "DU1234567", 0)
    assert broker["bars"]["daily"]["missing"] == broker["bars"]["minute"]["missing"] == broker["aside"] == {}
    assert broker["bars"]["daily"]["instruments"] == 5
    assert {row["broker"] for row in shown["prices"]} == {"ibkr"}
    assert {row["instrument"] for row in shown["prices"]} == {"SPY", "VIX", "AAPL", "MSFT", "KO"}
    judged = house.until(lambda now: now["regime"] and now["watchlist"], "a regime and a watchlist")
    assert judged["regime"]["name"] in ("bull", "neutral", "defensive")
    assert (shown["equity"], shown["mode"], shown["account"]) == ("100000", "paper", "DU1234567")

    told = json.loads(joectl("doctor", "--json", state_dir=house.state).out)
    rows = {check["name"]: check for check in told["checks"]}
    assert rows["ibkr: connection"]["ok"]
    assert rows["ibkr: daily bars"]["words"] == "5 names"

    house.kill()
    house.start()
    again = house.until(lambda now: now["epoch"] > shown["epoch"] and ready(now), "the same books after kill -9")
    assert again["brokers"][0]["account"] == "DU1234567"

    house.kill()
    status, report = house.failsafe()
    [row] = report["brokers"]
    assert (status, report["safe"], row["broker"], row["read"], row["account"]) == (0, True, "ibkr", True, "DU1234567")


def test_a_name_without_permission_is_set_aside_and_named_with_the_fix(tmp_path):
    """Named with their cause in status and doctor; the doctor says what to do. This joed runs on uvloop."""
    house = House(tmp_path, words=("--fault", "0 permit KO none"), loop="uvloop")
    try:
        house.start()
        shown = house.until(lambda now: now["brokers"] and "KO" in now["brokers"][0]["aside"], "KO set aside")
        assert [block["scope"] for block in shown["blocks"] if block["reason"] == "set_aside"] == ["instrument:KO"]
        assert "354" in shown["brokers"][0]["aside"]["KO"]
        text = joectl("status", state_dir=house.state).out
        assert "lacks     ibkr: KO: " in text
        told = json.loads(joectl("doctor", "--json", state_dir=house.state).out)
        row = next(check for check in told["checks"] if check["name"] == "ibkr: instruments")
        assert not row["ok"]
        assert row["words"].startswith("1 set aside: KO")
        assert "buy the data" in row["fix"]
    finally:
        house.end()


def test_a_gateway_that_goes_away_is_a_broker_down_and_the_daemon_ends_in_order(house):
    """Nothing is opened there meanwhile, and joed waits for nobody when it is asked to end."""
    house.start()
    first = house.until(ready, "a broker with books")
    pull(house.tws)

    down = house.until(lambda now: not now["brokers"][0]["up"], "the broker down")

    assert down["phase"] in ("DISCONNECTED", "RECONCILING", "HALTED", "BLOCKED")
    assert down["brokers"][0]["connection"] == first["brokers"][0]["connection"]
    assert any(block["scope"] == "broker:ibkr" for block in down["blocks"])
    assert house.stop() == 0
