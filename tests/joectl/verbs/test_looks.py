"""The verbs that look, as a person and as a monitor run them."""

import json

import pytest

from tests.daemon.serving import killed, serving, state_of_a_day, unconfirmed
from tests.joectl.running import joectl, typed

LOOKS = ("status", "orders", "positions", "watchlist", "regime", "brokers", "jobs")


@pytest.mark.parametrize("verb", LOOKS)
def test_a_look_prints_text_or_json_and_ends_with_0(tmp_path, verb):
    """Data on stdout, nothing on stderr."""
    with serving(tmp_path / "s"):
        text, data = joectl(verb, state_dir=tmp_path / "s"), joectl(verb, "--json", state_dir=tmp_path / "s")

    assert (text.code, data.code, text.err, data.err) == (0, 0, "", "")
    assert text.out.strip()
    assert data.json["seq"] == 41


def test_status_in_json_has_the_phase_and_the_six_fields(tmp_path):
    """What scripts read."""
    with serving(tmp_path / "s", unconfirmed(state_of_a_day())):
        body = joectl("status", "--json", state_dir=tmp_path / "s").json

    assert body["phase"] == "AWAITING CONFIRMATION"
    assert sorted(body["state"]) == [
        *("daily_pnl", "daily_trade_count", "last_analysis_time", "last_regime", "pending_orders", "watchlist"),
    ]


def test_check_tells_the_health_by_its_exit_code(tmp_path):
    """0 well, 8 degraded, 9 halted, 3 not running; without --check a status that came is 0."""
    blind = state_of_a_day()
    blind.brokers["paper"].up = False
    codes = []
    for number, state in enumerate((state_of_a_day(), blind, killed(state_of_a_day()))):
        with serving(tmp_path / str(number), state):
            codes.append(joectl("status", "--check", state_dir=tmp_path / str(number)).code)
            assert joectl("status", state_dir=tmp_path / str(number)).code == 0

    assert codes == [0, 8, 9]
    assert joectl("status", "--check", state_dir=tmp_path / "0").code == 3


def test_not_running_says_where_it_looked_and_what_to_do(tmp_path):
    """Exit 3, and the next thing to do; in JSON too."""
    ran = joectl("status", "--json", state_dir=tmp_path)

    assert (ran.code, ran.json["exit"]) == (3, 3)
    assert f"no socket at {tmp_path}/run/control.sock" in ran.err
    assert f"next: joed --demo --state-dir {tmp_path}" in ran.err


def test_colours_are_for_terminals(tmp_path):
    """On a terminal the phase is painted, in a pipe never."""
    with serving(tmp_path / "s", killed(state_of_a_day())):
        code, screen = typed("", "status", state_dir=tmp_path / "s")
        piped = joectl("status", state_dir=tmp_path / "s")

    assert (code, "\x1b[31;1mHALTED" in screen, "\x1b" in piped.out) == (0, True, False)


def test_why_finds_an_order_and_says_when_there_is_none(tmp_path):
    """Strange names travel whole."""
    with serving(tmp_path / "s"):
        found = joectl("why", "AAPL-e", state_dir=tmp_path / "s")
        lost = joectl("why", "a/b ?#é", "--json", state_dir=tmp_path / "s")

    assert (found.code, "OrderAccepted" in found.out) == (0, True)
    assert (lost.code, json.loads(lost.out)["code"]) == (1, "order_unknown")
    assert "next: joectl orders" in lost.err
    assert "'a/b ?#é'" in lost.json["detail"]
