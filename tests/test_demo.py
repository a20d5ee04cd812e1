"""The demo: a day that anybody can watch, and what it promises through every accident."""

import json
import os
import random
from argparse import Namespace
from pathlib import Path

import pytest

from joed import demo
from joed.daemon.places import places
from joed.errors import ConfigError
from joed.model.settings import Settings
from joed.protocol import demo_file
from tests.demos import Demo, breaches, joed, quiet
from tests.long.kill9 import check_agreement, check_dead, check_remembered
from tests.worlds import copied

KILLS = 4
AGREE_S = 40.0
"""Bound of a wait, not of a promise: how busy this machine is says nothing of joed."""


@pytest.fixture
def where(tmp_path):
    """Give a state directory."""
    made = places(tmp_path / "s")
    made.make()
    return made


def options(**more):
    """Give the options of a command line."""
    return Namespace(**{"seed": None, "confirm": None, "speed": 60.0, "exchange": "inline", "config": None} | more)


def test_a_day_at_full_speed_ends_with_its_report(tmp_path):
    """Seed 7: entries, exits, a stop that trailed, each in the exchange's own book, and never without a stop."""
    config = quiet(tmp_path)
    words = ("--demo", "--speed", "max", "--seed", "7", "--state-dir", tmp_path / "s", "--config", config)

    done = joed(*words, "--json")

    report = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert report["ended"] == "session 2026-09-01 is over"
    assert report["entries"] > 0
    assert sum(report["exits"].values()) > 0
    assert any(row["matched"] for row in report["trailing"])
    assert report["book"]["protected"]
    assert (report["book"]["breaches"], report["book"]["missing"], report["book"]["unknown"]) == ([], [], [])
    assert breaches(Demo(tmp_path / "s", config=config).book()) == []
    assert "entering" in done.stderr
    assert "09:30:" in done.stderr


def test_a_second_start_goes_on_with_the_next_session(where):
    """A day that is over is not played again; the world stays its seed's."""
    first = demo.choose(options(seed=8), Settings(), None, where)
    assert (first.day.seed, first.day.session, first.confirm) == (8, "2026-09-01", "auto")

    from joed.daemon.store import Store
    from tests.daemon.records import SESSION, fill

    store = Store.open(where.journal)
    store.add(1, first.day.close_ns + 121 * 10**9, SESSION, fill(1), [])
    store.commit()
    store.close()
    second = demo.choose(options(), Settings(), None, where)

    assert (second.day.seed, second.day.session) == (8, "2026-09-02")
    assert second.origin_ns == second.day.open_ns - 600 * 10**9


def test_a_demo_has_its_page_unless_a_configuration_says_otherwise(where, tmp_path):
    """On the port that the documents name; a file's own word counts, its 0 too."""
    file = quiet(tmp_path)

    assert demo.choose(options(), Settings(), None, where).settings.daemon.web_port == 9465
    assert demo.choose(options(config=file), Settings(), None, where).settings.daemon.web_port == 0


def test_a_state_directory_is_the_world_of_one_seed(where):
    """Another seed wants another directory; without one it is 1."""
    assert demo.seed_of(where, None) == 1
    assert demo.seed_of(where, 1) == 1

    with pytest.raises(ConfigError, match="is the world of seed 1"):
        demo.seed_of(where, 2)


def test_a_demo_and_a_daemon_never_share_a_state_directory(where):
    """A demo's prices would become the daily bars that a daemon trades by, and its record that account's."""
    where.journal.touch()
    with pytest.raises(ConfigError, match="is a daemon's"):
        demo.choose(options(), Settings(), None, where)
    assert not where.demo.exists()
    where.refuse_demo()

    where.journal.unlink()
    demo.choose(options(), Settings(), None, where)
    with pytest.raises(ConfigError, match="is a demo's"):
        where.refuse_demo()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"seed": "x"}'])
def test_a_damaged_seed_is_said_and_not_guessed(where, text):
    """Another world's prices would stand behind the positions of this one."""
    where.demo.write_text(text)

    with pytest.raises(ConfigError, match="does not name a seed"):
        demo.choose(options(), Settings(), None, where)


def test_a_person_signs_the_card_only_where_they_said_so(where):
    """`--confirm manual` puts the card in front of the day."""
    manual = demo.choose(options(confirm="manual"), Settings(), None, where)

    assert (manual.confirm, manual.settings.confirm.paper) == ("manual", True)


def test_joectl_finds_a_demo_while_it_runs_and_not_after(where, tmp_path, monkeypatch):
    """Its address goes with it, unless a later demo has put its own there."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    file = demo_file(os.environ)
    with demo.announced(where):
        assert Path(file.read_text().strip()) == where.socket
    assert not file.exists()

    with demo.announced(where):
        file.write_text("/another/control.sock\n")
    assert file.exists()


def test_every_kill_finds_its_books_again(held_world, tmp_path):
    """Kill -9, four times, its exchange alive: each time the books agree again, and nothing was done twice.

    The script beside the long proofs does it fifty times and holds it to five seconds, which are a quiet machine's.
    """
    chance = random.Random(3)
    made = copied(held_world, tmp_path / "s")
    begun = made.start()
    try:
        made.until(lambda shown: shown["positions"], 40)
        for number in range(KILLS):
            early = number % 2 == 1
            if not early and number:
                assert check_agreement(made, begun, AGREE_S) is not None
            if not early:
                check_remembered(made)
            made.wait(chance.uniform(0.0, 1.0) if early else chance.uniform(0.5, 3.0))
            assert made.kill()
            check_dead(made)
            begun = made.start()
        assert check_agreement(made, begun, AGREE_S) is not None
        assert made.interrupt() == 0
        check_dead(made)
        assert "Protected" in made.out.read_text()
    finally:
        if made.lives:
            made.kill()
        made.end_exchange()
