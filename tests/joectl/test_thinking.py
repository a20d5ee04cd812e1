"""The regime drawn vote by vote, the watchlist reason by reason."""

from joectl import thinking

VOTES = [
    {"name": "trend", "stress": 1, "possible": 1, "words": "SPY 98.00 below its 200-day 100.00"},
    {"name": "term", "stress": 0, "possible": 0, "words": "no VIX of three months is subscribed"},
]
BODY = {
    "regime": {"name": "defensive", "score": -1.0, "votes": VOTES, "since_ns": 1, "rule": "score -1.00 is low"},
    "regime_age_s": 60.0,
    "stance": {"share": "0.5", "active": ["reversion"], "resting": ["breakout"]},
    "now_ns": 3_600_000_000_001,
}


def test_every_vote_is_shown_with_what_it_counted_and_why():
    """A withheld one says so; the sum, the rule, the age and what follows stand below."""
    shown = thinking.regime(BODY).splitlines()

    assert shown[0].startswith("defensive -1")
    assert "trend  1 of 1    SPY 98.00 below its 200-day 100.00" in shown[1]
    assert "term   withheld" in shown[2]
    words = "\n".join(shown)
    assert "1 of 1 points of stress, 1 votes given" in words
    assert "score -1.00 is low" in words
    assert "1 h 0 min ago" in words
    assert "50% of their size" in words
    assert "reversion" in words
    assert "breakout" in words


def test_before_it_is_judged_there_is_nothing_to_explain():
    """One line, no table of nothing."""
    assert thinking.regime({"regime": None}) == "not judged yet"


TRIGGER = {
    "instrument": "AAPL",
    "side": "BUY",
    "crossing": "above",
    "level": "200.01",
    "distance": 0.01,
    "strategy": "breakout",
    "stop": "198.00",
    "target": "210.00",
    "quantity": "12",
}


def test_the_watchlist_shows_each_reason_and_each_trigger_with_its_stop_target_and_size():
    """And what the scan left out, by filter, and set aside, by name."""
    body = {
        "watchlist": [{"instrument": "AAPL", "score": 71.2, "reasons": ["momentum: +4%", "trend: up"]}],
        "triggers": [TRIGGER, TRIGGER | {"quantity": "0"}],
        "trigger_count": 2,
        "left_out": {"illiquid": 3, "spread_wide": 9},
        "aside": {"XYZ": "its newest day is 9 days old"},
    }
    shown = thinking.watchlist(body)

    assert "AAPL      71.2\n    momentum: +4%\n    trend: up" in shown
    assert "stop 198.00  target 210.00  12 units" in shown
    assert "no size" in shown
    assert "left out: spread wide 9, illiquid 3" in shown
    assert "set aside: XYZ: its newest day is 9 days old" in shown


def test_an_empty_watchlist_says_that_it_is_empty():
    """Before the first scan there is no filter to tell of either."""
    assert thinking.watchlist({"watchlist": [], "triggers": [], "trigger_count": 0}) == "nothing is watched yet"


def test_readings_of_crypto_are_shown_with_their_age_or_as_unknown():
    """Nothing is left out because it is not known."""
    crypto = {"mvrv_ratio": {"value": None, "age_s": None}, "fear_greed_index": {"value": 22.0, "age_s": 7200.0}}
    lines = [line.split() for line in thinking.regime(BODY | {"crypto": crypto}).splitlines()]

    assert ["crypto", "mvrv_ratio", "unknown"] in lines
    assert ["crypto", "fear_greed_index", "22,", "2", "h", "0", "min", "old"] in lines
