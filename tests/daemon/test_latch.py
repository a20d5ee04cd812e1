"""joed.daemon.latch: a file is a kill, whoever made it and however it is spelt; only a release ends it."""

import os

import pytest

from joed import protocol
from joed.daemon import latch
from joed.daemon.latch import Latch, Latches
from joed.model.values import Scope

ME = os.getuid()


@pytest.fixture
def latches(tmp_path):
    """Give the latch of a new state directory."""
    (tmp_path / "latch").mkdir()
    return Latches(tmp_path / "latch")


def test_nothing_is_latched_until_somebody_does(latches):
    """An empty directory, and one that is absent, forbid nothing."""
    assert (latches.present(), latches.read()) == (False, None)
    latches.directory.rmdir()
    assert (latches.present(), latches.read()) == (False, None)


@pytest.mark.parametrize("scope", Scope)
def test_each_scope_is_latched_read_and_cleared(latches, scope):
    """Written by us, seen at once, gone after a release."""
    latches.write(scope)

    assert latches.present()
    assert latches.read() == Latch(scope, ME)
    assert sorted(file.name for file in latches.directory.iterdir()) == ["KILL", f"KILL-{scope}"]
    assert all(file.stat().st_size == 0 for file in latches.directory.iterdir())
    latches.clear()
    assert (latches.present(), latches.read(), list(latches.directory.iterdir())) == (False, None, [])


def test_the_widest_scope_holds(latches):
    """A narrower kill after a wider one takes nothing back."""
    latches.write(Scope.FLATTEN)
    latches.write(Scope.ENTRIES)

    assert latches.read() == Latch(Scope.FLATTEN, ME)


def test_a_plain_file_made_by_hand_kills_orders(latches):
    """`touch latch/KILL` is all that a person without joectl needs."""
    (latches.directory / "KILL").touch()

    assert latches.present()
    assert latches.read() == Latch(Scope.ORDERS, ME)


@pytest.mark.parametrize("name", ["KILL-all", "KILL-ORDERS", "kill", "KILL.txt", "KILL-"])
def test_a_misspelt_latch_kills_orders_at_the_next_look(latches, name):
    """Whoever made it meant it; a release takes it away too."""
    (latches.directory / name).touch()

    assert latches.read() == Latch(Scope.ORDERS, ME)
    latches.clear()
    assert latches.read() is None


def test_other_files_in_the_directory_mean_nothing(latches):
    """Only what begins with the word kills."""
    (latches.directory / "README").touch()
    (latches.directory / "SKILL").touch()

    assert latches.read() is None


def test_a_right_name_is_found_behind_any_number_of_others(latches):
    """The search for misspelt names is bounded; the right names are asked for one by one."""
    for at in range(latch.NAMES_MAX + 50):
        (latches.directory / f"A{at}").touch()
    (latches.directory / "KILL-account").touch()

    assert latches.read() == Latch(Scope.ACCOUNT, ME)


@pytest.mark.parametrize("kind", ["link", "loop", "directory", "pipe"])
def test_whatever_has_the_name_is_a_latch_and_is_never_opened(latches, kind):
    """A link that leads nowhere, a pipe that would make a reader wait: the name is enough."""
    path = latches.directory / "KILL"
    {
        "link": lambda: path.symlink_to("/nowhere"),
        "loop": lambda: path.symlink_to(path),
        "directory": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
    }[kind]()

    assert latches.present()
    assert latches.read() == Latch(Scope.ORDERS, ME)


def test_a_latch_that_cannot_be_looked_at_counts_as_a_kill(latches, tmp_path):
    """Blind is not safe: where the directory is a file, nothing may leave that adds risk."""
    latches.directory.rmdir()
    (tmp_path / "latch").touch()

    assert latches.present()
    assert latches.read() == Latch(Scope.ORDERS, -1)


def test_an_interrupted_release_has_not_happened(latches, monkeypatch):
    """The file that `permit` looks at goes last."""
    latches.write(Scope.FLATTEN)
    (latches.directory / "KILL-all").touch()
    gone = []
    unlink = latch.Path.unlink

    def note(path, **keywords):
        gone.append(path.name)
        unlink(path, **keywords)

    monkeypatch.setattr(latch.Path, "unlink", note)
    latches.clear()

    assert gone[0] == "KILL-all"
    assert gone[-1] == "KILL"
    assert set(gone) >= {"KILL-flatten"}


def test_a_release_where_nothing_is_latched_is_no_error(latches):
    """Twice is once, also without a directory."""
    latches.clear()
    latches.directory.rmdir()
    latches.clear()


def test_joectl_and_the_daemon_mean_the_same_files(latches, tmp_path):
    """What joectl latches while the daemon is dead, the daemon reads when it comes."""
    protocol.latch(tmp_path, "account")

    assert latches.read() == Latch(Scope.ACCOUNT, ME)
    assert [scope.value for scope in Scope] == list(protocol.SCOPES)
    latches.clear()
    assert protocol.read_latch(tmp_path) is None


def test_the_quick_look_is_one_system_call_and_no_more(latches, monkeypatch):
    """`permit` asks before each send: a microsecond or two, with or without a latch."""
    asked = []
    lstat = os.lstat

    def note(path):
        asked.append(path)
        return lstat(path)

    monkeypatch.setattr(latch.os, "lstat", note)
    assert not latches.present()
    latches.write(Scope.ORDERS)
    asked.clear()

    assert latches.present()
    assert asked == [str(latches.directory / "KILL")]


def test_a_second_kill_changes_the_marks_of_the_first(tmp_path):
    """A release takes away the kill that it was decided for; one that was repeated since is another."""
    latches = Latches(tmp_path / "latch")
    latches.write(Scope.ORDERS)
    first = latches.marks()

    latches.write(Scope.ORDERS)

    assert first != latches.marks()
    assert latches.marks() == latches.marks()


@pytest.mark.parametrize("drill", [False, True])
def test_a_release_takes_away_what_it_covers_and_no_later_kill(latches, drill):
    """Covered when it is decided; a drill covers what it made itself, whatever came before the decision."""
    for again, left in ((False, False), (True, True)):
        assert latches.rehearse(Scope.ORDERS) == ""
        latches.cover(drill=drill)
        if again:
            protocol.latch(latches.state_dir, "orders")

        latches.release()

        assert latches.present() is left


def test_a_real_kill_during_a_drill_is_not_covered_by_the_drills_end(latches):
    """It came before the end was decided, and after the drill made its files."""
    latches.rehearse(Scope.ORDERS)
    protocol.latch(latches.state_dir, "entries")
    latches.cover(drill=True)

    latches.release()

    assert latches.present()


def test_a_drill_that_cannot_make_its_file_says_why(latches):
    """Something stands in its way."""
    latches.directory.rmdir()
    latches.directory.write_text("in the way")

    assert latches.rehearse(Scope.ORDERS).startswith("the latch could not be made: ")
