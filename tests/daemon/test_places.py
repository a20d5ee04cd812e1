"""joed.daemon.places: everything has its place and its mode, and the key of order ids is never lost by halves."""

import os
import stat
from pathlib import Path

import pytest

from joed.daemon import places as module
from joed.daemon.places import default_root, places
from joed.errors import ConfigError
from joed.protocol import SYSTEM_STATE_DIR, socket_in


@pytest.fixture(autouse=True)
def umask():
    """Run with the umask of a careless shell: the modes must not depend on it."""
    before = os.umask(0o000)
    yield
    os.umask(before)


def mode(path):
    """Give the permissions of a path, as chmod has them."""
    return oct(stat.S_IMODE(path.stat().st_mode))


def test_each_thing_has_its_place_below_the_state_directory(tmp_path):
    """The names are the interface: backups, joectl and people know them."""
    found = places(tmp_path, {})

    assert {name: str(getattr(found, name).relative_to(tmp_path)) for name in NAMES} == NAMES


NAMES = {
    "journal": "joed.db",
    "paper": "paper.db",
    "tape": "tape",
    "latch": "latch",
    "lock": "lock",
    "reports": "reports",
    "backup": "backup",
    "run": "run",
    "socket": "run/control.sock",
    "id_key": "id.key",
}


def test_joectl_looks_for_the_socket_where_the_daemon_puts_it(tmp_path):
    """One word for both."""
    assert places(tmp_path, {}).socket == socket_in(tmp_path)


def test_systemds_directories_are_used_together_or_not_at_all(tmp_path):
    """A second daemon by hand, on another state directory, must not take the system's socket."""
    environ = {"STATE_DIRECTORY": f"{tmp_path}:/other", "RUNTIME_DIRECTORY": "/run/joed:/run/other"}

    assert places(tmp_path, environ).socket == Path("/run/joed/control.sock")
    assert places(tmp_path / "mine", environ).socket == tmp_path / "mine" / "run" / "control.sock"
    assert places(tmp_path, {"RUNTIME_DIRECTORY": "/run/joed"}).run == tmp_path / "run"


def test_the_default_is_systemds_directory_or_the_systems():
    """An instance joed@x finds its own."""
    assert default_root({}) == SYSTEM_STATE_DIR
    assert default_root({"STATE_DIRECTORY": "/var/lib/joed/x"}) == Path("/var/lib/joed/x")


def test_a_relative_directory_is_made_absolute(tmp_path, monkeypatch):
    """The daemon may change its working directory later."""
    monkeypatch.chdir(tmp_path)

    assert places(Path("state/../s"), {}).root == tmp_path / "s"


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_all_is_made_with_its_mode_whatever_the_umask(tmp_path, mask):
    """An operator passes through to the latch; nobody else lists, reads or writes anything."""
    os.umask(mask)
    found = places(tmp_path / "deep" / "state", {})
    found.make()

    assert mode(found.root) == "0o711"
    assert mode(found.latch) == "0o3770"
    assert mode(found.run) == "0o711"
    assert {mode(directory) for directory in (found.tape, found.reports, found.backup)} == {"0o700"}


def test_what_is_there_keeps_its_mode_and_the_latch_is_set_right(tmp_path):
    """An operator's own choice stands; a restored backup that lost the latch's mode is mended."""
    found = places(tmp_path, {})
    tmp_path.chmod(0o755)
    (tmp_path / "reports").mkdir(mode=0o755)
    (tmp_path / "latch").mkdir(mode=0o755)

    found.make()
    found.make()

    assert (mode(tmp_path), mode(found.reports), mode(found.latch)) == ("0o755", "0o755", "0o3770")


def test_a_latch_that_is_as_it_should_be_is_left_alone(tmp_path, monkeypatch):
    """Under a unit that may set no group's bit, what the package made beforehand serves as it is."""
    found = places(tmp_path)
    found.make()
    monkeypatch.setattr(Path, "chmod", lambda *_: pytest.fail("nothing is to be changed"))

    found.make()

    assert mode(found.latch) == "0o3770"


def test_the_latch_belongs_to_the_operators_where_there_are_any(tmp_path, monkeypatch):
    """Their group may make a latch; its sticky bit keeps others from taking it away."""
    theirs = 4242 if os.getuid() == 0 else os.getgroups()[-1]
    groups = {"joed-op": type("Group", (), {"gr_gid": theirs})}
    monkeypatch.setattr(module, "getgrnam", groups.__getitem__)
    found = places(tmp_path, {})
    found.make()

    assert found.latch.stat().st_gid == theirs
    assert mode(found.latch) == "0o3770"


def test_a_file_in_the_place_of_a_directory_is_refused(tmp_path):
    """Nothing is removed to make room."""
    (tmp_path / "tape").write_text("precious")

    with pytest.raises(FileExistsError):
        places(tmp_path, {}).make()
    assert (tmp_path / "tape").read_text() == "precious"


def test_the_key_is_made_once_private_and_kept(tmp_path):
    """A new key would make strangers of our own orders."""
    found = places(tmp_path, {})
    found.make()

    key = found.key()

    assert len(key) == 32
    assert mode(found.id_key) == "0o600"
    assert found.key() == key
    assert places(tmp_path, {}).key() == key


def test_two_state_directories_have_two_keys(tmp_path):
    """No id of one passes for the other's."""
    keys = []
    for name in "ab":
        found = places(tmp_path / name, {})
        found.make()
        keys.append(found.key())

    assert keys[0] != keys[1]


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_damaged_key_is_refused_and_kept(tmp_path, size):
    """To go on with another would be to forget every order at the broker."""
    found = places(tmp_path, {})
    found.make()
    found.id_key.write_bytes(bytes(size))

    with pytest.raises(ConfigError, match=rf"must hold 32 bytes, has {size} .*id\.key"):
        found.key()
    assert found.id_key.stat().st_size == size


def test_a_crash_while_the_key_was_made_leaves_none_or_all(tmp_path, monkeypatch):
    """What was half written is not the key; the next start makes it anew."""
    found = places(tmp_path, {})
    found.make()
    (tmp_path / ".id.key").write_bytes(b"half")
    monkeypatch.setattr(module.os, "fsync", power_cut)
    with pytest.raises(KeyboardInterrupt):
        found.key()
    assert not found.id_key.exists()
    monkeypatch.undo()

    assert len(found.key()) == 32
    assert not (tmp_path / ".id.key").exists()


def power_cut(_):
    """End everything here."""
    raise KeyboardInterrupt


def test_a_key_that_others_could_read_is_made_private_again(tmp_path):
    """A restored backup may have lost its mode."""
    found = places(tmp_path, {})
    found.make()
    key = found.key()
    found.id_key.chmod(0o644)

    assert found.key() == key
    assert mode(found.id_key) == "0o600"


def test_a_link_in_the_place_of_the_key_is_not_followed(tmp_path):
    """Nobody chooses our key for us."""
    found = places(tmp_path, {})
    found.make()
    (tmp_path / "theirs").write_bytes(bytes(32))
    found.id_key.symlink_to(tmp_path / "theirs")

    with pytest.raises(OSError, match=r"id\.key"):
        found.key()


def test_a_state_directory_that_cannot_be_written_is_refused_by_name(tmp_path, monkeypatch):
    """The start ends there, with the path that is wrong."""
    monkeypatch.setattr(module.os, "access", lambda path, _: False)

    with pytest.raises(PermissionError, match=str(tmp_path)):
        places(tmp_path, {}).make()


def test_a_state_directory_that_others_can_change_is_refused(tmp_path):
    """A link, or one that the group or the world can write in: 78 by name, with what to do (reliability F30)."""
    (tmp_path / "s").mkdir(mode=0o711)
    (tmp_path / "link").symlink_to(tmp_path / "s")
    for mode in (0o771, 0o773):
        (tmp_path / "s").chmod(mode)
        with pytest.raises(ConfigError, match="chmod go-w"):
            places(tmp_path / "s").make()
    (tmp_path / "s").chmod(0o755)
    with pytest.raises(ConfigError, match="is a link"):
        places(tmp_path / "link").make()

    places(tmp_path / "s").make()


def test_a_state_directory_of_somebody_else_is_refused(tmp_path, monkeypatch):
    """Root too: files of root's would keep the daemon out of its own directory."""
    (tmp_path / "s").mkdir(mode=0o711)
    monkeypatch.setattr("os.geteuid", lambda: (tmp_path / "s").stat().st_uid + 1)

    with pytest.raises(PermissionError, match="uid"):
        places(tmp_path / "s").make()
