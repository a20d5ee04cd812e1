"""The words on the socket, where things are found, and the latch."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from joed import protocol
from joed.model.values import Scope
from joed.protocol import Exit, Latch, Place


def test_scopes_are_the_engines_in_the_engines_order():
    """The model is not for joectl to import: this test is what keeps the two lists one."""
    assert tuple(scope.value for scope in Scope) == protocol.SCOPES


@pytest.mark.parametrize(
    ("status", "code", "outcome", "expected"),
    [
        (200, "ok", "none", Exit.OK),
        (202, "latched", "none", Exit.OK),
        (400, "api_version", "none", Exit.VERSION),
        (403, "not_permitted", "none", Exit.NOT_PERMITTED),
        (409, "card_changed", "none", Exit.CONFLICT),
        (422, "key_reused", "none", Exit.CONFLICT),
        (422, "reason_needed", "none", Exit.FAILED),
        (503, "busy", "none", Exit.FAILED),
        (504, "timeout", "unknown", Exit.UNKNOWN),
        (504, "timeout", "none", Exit.FAILED),
        (500, "fault", "unknown", Exit.UNKNOWN),
    ],
)
def test_each_answer_has_its_exit_code(status, code, outcome, expected):
    """Scripts live by these numbers; an unknown outcome comes before everything else."""
    assert protocol.exit_of(status, code, outcome) is expected


@pytest.mark.parametrize(("asked", "spoken"), [("1.0", True), ("0.9", False), ("1.1", False), ("2.0", False)])
def test_only_versions_within_the_range_are_spoken(asked, spoken):
    """Neither older than what we still answer nor newer than what we know."""
    assert protocol.speaks(asked) is spoken


@pytest.mark.parametrize("asked", ["", "one", "1", "1.x", "1.0.0", "9" * 5000])
def test_a_version_that_is_none_is_not_spoken(asked):
    """Whatever a header holds, it does not raise."""
    assert protocol.speaks(asked) is False


def touched(path):
    """Make a file and what is above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.fixture
def system(tmp_path, monkeypatch):
    """Move the system's places below tmp_path."""
    monkeypatch.setattr(protocol, "SYSTEM_SOCKET", tmp_path / "run-joed" / "control.sock")
    monkeypatch.setattr(protocol, "SYSTEM_STATE_DIR", tmp_path / "var-lib-joed")
    return tmp_path


def test_the_place_is_looked_for_in_the_order_that_is_promised(system):
    """What was named, $JOED_SOCKET, the system's, a demo; each hides those behind it."""
    environ = {"XDG_RUNTIME_DIR": str(system / "xdg"), "JOED_SOCKET": str(system / "named.sock")}
    demo = touched(system / "demo" / "run" / "control.sock")
    protocol.announce_demo(environ, demo)
    touched(protocol.SYSTEM_SOCKET)

    assert protocol.find(environ, socket="/a/b").socket == Path("/a/b")
    assert protocol.find(environ, state_dir=str(system)).socket == system / "run" / "control.sock"
    assert protocol.find(environ).socket == system / "named.sock"
    del environ["JOED_SOCKET"]
    assert protocol.find(environ).socket == protocol.SYSTEM_SOCKET
    protocol.SYSTEM_SOCKET.unlink()
    assert protocol.find(environ) == Place(demo, system / "demo", protocol.A_DEMO)
    demo.unlink()
    assert protocol.find(environ).socket == protocol.SYSTEM_SOCKET


def test_the_link_beside_a_socket_names_the_state_directory(system):
    """A kill must find the latch from the socket alone, whether or not somebody answers."""
    socket, state = system / "elsewhere" / "control.sock", system / "state"
    socket.parent.mkdir()
    state.mkdir()

    protocol.link_state(socket, system)
    protocol.link_state(socket, state)

    assert protocol.find({}, socket=str(socket)).state_dir == state
    assert [file.name for file in socket.parent.iterdir()] == ["state"]


def test_the_state_directory_outlives_the_run_time_directory(system):
    """After the service ended /run/joed is gone: the kill still finds where the latch belongs."""
    protocol.SYSTEM_STATE_DIR.mkdir()
    environ = {"TMPDIR": str(system)}

    assert protocol.find(environ).state_dir == protocol.SYSTEM_STATE_DIR
    assert protocol.find(environ, state_dir=str(system)).state_dir == system


def test_a_state_directory_given_by_name_leads_to_the_systems_socket_when_it_is_the_systems(system):
    """--state-dir /var/lib/joed talks to the service, whose socket is not below it."""
    protocol.SYSTEM_STATE_DIR.mkdir()
    protocol.SYSTEM_SOCKET.parent.mkdir()
    protocol.link_state(protocol.SYSTEM_SOCKET, protocol.SYSTEM_STATE_DIR)

    assert protocol.find({}, state_dir=str(protocol.SYSTEM_STATE_DIR)).socket == protocol.SYSTEM_SOCKET


def test_without_anything_the_systems_place_is_what_is_missing(system):
    """The message names the place a person would expect."""
    assert protocol.find({"TMPDIR": str(system)}) == Place(protocol.SYSTEM_SOCKET, None, "the system's")


def test_a_demos_address_left_by_somebody_else_is_not_believed(system):
    """The temporary directory is everybody's: neither a link nor another's directory is followed."""
    environ = {"TMPDIR": str(system)}
    theirs = system / "theirs"
    touched(theirs / "demo").write_text("/trap\n")
    (system / f"joed-{os.getuid()}").symlink_to(theirs)

    assert protocol.read_demo(environ) is None
    with pytest.raises(PermissionError):
        protocol.announce_demo(environ, system / "x")


def test_a_demos_address_is_read_back_and_rubbish_is_not(system):
    """What announce_demo wrote, read_demo gives; bytes that are no text give nothing."""
    environ = {"TMPDIR": str(system)}
    file = protocol.announce_demo(environ, system / "run" / "control.sock")

    assert protocol.read_demo(environ) == system / "run" / "control.sock"
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    file.write_bytes(b"\xff\xfe")
    assert protocol.read_demo(environ) is None


def test_a_long_path_is_reached_through_its_directory(tmp_path):
    """A Unix address holds 108 bytes; a state directory may be deeper."""
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    (deep / "file").write_text("here")

    with protocol.in_reach(deep / "file") as address:
        assert len(address) < 108
        assert Path(address).read_text() == "here"
    with protocol.in_reach(Path("/short")) as address:
        assert address == "/short"


def test_a_latch_is_two_empty_files_and_the_widest_scope_holds(tmp_path):
    """Empty files need no space; a narrower kill after a wider one narrows nothing."""
    protocol.latch(tmp_path, "flatten")
    sizes = [file.stat().st_size for file in (tmp_path / "latch").iterdir()]

    protocol.latch(tmp_path, "entries")

    names = sorted(file.name for file in (tmp_path / "latch").iterdir())
    assert sizes == [0, 0]
    assert names == ["KILL", "KILL-entries", "KILL-flatten"]
    assert protocol.read_latch(tmp_path) == Latch("flatten", os.getuid())
    assert stat.S_IMODE((tmp_path / "latch").stat().st_mode) == protocol.LATCH_DIR_MODE


def test_latching_twice_leaves_the_first_author(tmp_path):
    """The file's owner is its author: whoever repeats the kill does not take it over."""
    protocol.latch(tmp_path, "orders")
    before = (tmp_path / "latch" / "KILL").stat()

    protocol.latch(tmp_path, "orders")

    after = (tmp_path / "latch" / "KILL").stat()
    assert (after.st_ino, after.st_uid) == (before.st_ino, before.st_uid)
    assert after.st_size > before.st_size  # so that a release decided before this kill leaves it there


def test_the_scope_is_there_before_the_file_that_is_looked_at(tmp_path, monkeypatch):
    """A power cut between the two leaves a scope without a kill, never a kill that is too narrow; then the disk."""
    made = []
    real_open, real_fsync = os.open, os.fsync
    monkeypatch.setattr(
        os, "open", lambda path, *rest, **more: made.append(path.name) or real_open(path, *rest, **more)
    )
    monkeypatch.setattr(os, "fsync", lambda handle: made.append("fsync") or real_fsync(handle))

    protocol.latch(tmp_path, "orders")

    assert made == ["KILL-orders", "KILL", "latch", "fsync", tmp_path.name, "fsync"]


@pytest.mark.parametrize("name", ["KILL", "KILL-account"])
def test_one_file_alone_is_a_kill(tmp_path, name):
    """`touch latch/KILL` by hand is a kill of the default scope; half a latch counts as one."""
    touched(tmp_path / "latch" / name)

    assert protocol.read_latch(tmp_path).scope == (name.partition("-")[2] or protocol.SCOPE_DEFAULT)


def test_a_dangling_link_in_place_of_the_latch_is_a_kill(tmp_path):
    """Whatever has the name counts: it is looked at, never followed, neither read nor made through."""
    (tmp_path / "latch").mkdir()
    (tmp_path / "latch" / "KILL").symlink_to(tmp_path / "nowhere")

    protocol.latch(tmp_path, "orders")

    assert protocol.read_latch(tmp_path).scope == "orders"
    assert not (tmp_path / "nowhere").exists()


def test_no_latch_is_none_and_no_state_directory_is_not_invented(tmp_path):
    """A kill for a daemon that never was must fail, not comfort."""
    assert protocol.read_latch(tmp_path) is None
    with pytest.raises(FileNotFoundError):
        protocol.latch(tmp_path / "nowhere", "orders")


def test_a_release_takes_every_file_away(tmp_path):
    """Nothing is left that would kill at the next start."""
    for scope in protocol.SCOPES:
        protocol.latch(tmp_path, scope)

    protocol.unlatch(tmp_path)

    assert protocol.read_latch(tmp_path) is None
    assert list((tmp_path / "latch").iterdir()) == []


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("plain é 10 €", "plain é 10 €"),
        ("a\x1b[31mred", "a\\x1b[31mred"),
        ("two\nlines\r", "two\\nlines\\r"),
        ("c1\x9b31m", "c1\\x9b31m"),
        ("turn\u202earound", "turn\\u202earound"),
        ("nul\0", "nul\\x00"),
    ],
)
def test_words_never_steer_a_terminal(words, shown):
    """Broker texts and reasons are shown, not obeyed."""
    assert protocol.safe(words) == shown


def test_the_words_need_little_of_the_standard_library():
    """Every verb pays for every import before it says anything."""
    code = "import sys, joed.protocol; print(*{'socket', 'tempfile', 'json', 'random', 'asyncio'} & set(sys.modules))"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert loaded.strip() == ""


@pytest.mark.parametrize(
    ("reason", "kept"), [("so", "so"), ("a\nb\x1bc\udce4", "a b c "), ("x" * 501, "x" * 500), ("", "")]
)
def test_a_reason_is_made_to_fit(reason, kept):
    """A space for what cannot be printed, and no longer than the record takes."""
    assert protocol.plain(reason) == kept


def test_a_stream_that_was_closed_swallows_what_is_said(monkeypatch):
    """One that is open stays what it is."""
    before = sys.stderr
    monkeypatch.setattr(sys, "stdout", None)

    protocol.open_streams()
    with sys.stdout as opened:
        print("nobody hears it", file=opened)

    assert (opened.name, sys.stderr) == (os.devnull, before)
