"""The batch pipeline: think once, print, end."""

import json

from tests.demos import joed, quiet


def once(tmp_path, at, *more):
    """Run it as of a time."""
    words = ("--once", "--config", quiet(tmp_path), "--state-dir", tmp_path, "--clock", at)
    return joed(*words, *more)


def test_it_says_what_would_be_watched_and_what_would_open_a_position(tmp_path):
    """As JSON: the regime, the watchlist, the triggers of an hour into the session, each protected."""
    done = once(tmp_path, "2026-09-01T15:00:00Z", "--json", "--seed", "7")

    shown = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert (shown["session"], shown["regime"]["name"]) == ("2026-09-01", "bull")
    assert shown["watchlist"]
    assert shown["triggers"]
    for trigger in shown["triggers"]:
        assert float(trigger["stop"]) < float(trigger["level"]) < float(trigger["target"])


def test_before_the_open_there_are_no_triggers_and_it_says_why(tmp_path):
    """In words, for a person."""
    done = once(tmp_path, "2026-09-01T12:30:00Z")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Session 2026-09-01\nRegime  ")
    assert "none: they are made while the market is open" in done.stdout


def test_the_same_moment_gives_the_same_bytes(tmp_path):
    """Nothing of it depends on when it is asked."""
    first, second = (once(tmp_path, "2026-09-01T15:00:00Z", "--json").stdout for _ in range(2))

    assert first == second
