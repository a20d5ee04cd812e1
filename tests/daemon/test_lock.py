"""joed.daemon.lock: one joed per state directory, for as long as its process lives and no longer."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from joed.daemon import lock
from joed.daemon.lock import Lock, StateHeld
from tests.faults.measure import Attack

HOLDER = """
import sys, pathlib
from joed.daemon.lock import Lock
held = Lock(pathlib.Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    """Give the path of a lock that nobody holds."""
    return tmp_path / "lock"


def test_a_second_holder_is_told_the_first_ones_pid(path):
    """The exit message names whom to look at."""
    path.write_text("the pid of a longer name\n")
    with Lock(path):
        with pytest.raises(StateHeld, match=f"another joed holds the state directory: pid {os.getpid()}") as raised:
            Lock(path)
        assert raised.value.pid == os.getpid()
        assert path.read_text() == f"{os.getpid()}\n"


def test_a_released_lock_can_be_taken_and_its_file_stays(path):
    """To remove the file would let two processes lock two files of one name."""
    with Lock(path) as first:
        inode = path.stat().st_ino
    first.release()  # twice is once

    with Lock(path):
        assert path.stat().st_ino == inode


def test_a_process_that_is_killed_frees_its_lock_at_once(path):
    """No stale lock: the kernel lets go, whatever the file still says."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StateHeld) as raised:
            Lock(path)
        holder.send_signal(signal.SIGKILL)
        holder.wait()

        with Lock(path):
            assert path.read_text() == f"{os.getpid()}\n"
    assert raised.value.pid == holder.pid


def test_no_child_inherits_the_lock(path):
    """A worker that outlives a dead daemon must not keep its successor out."""
    with Lock(path):
        command = [sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()"]
        child = subprocess.Popen(command, close_fds=False, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert child.stdout.readline() == "up\n"

    with child, Lock(path):
        child.stdin.close()


def test_a_holder_that_has_not_yet_written_its_pid_is_told_so(path):
    """Between taking the lock and writing the pid there is a moment; a torn or foreign word is no pid."""
    with Lock(path):
        path.write_text("")
        with pytest.raises(StateHeld, match="just starting") as raised:
            Lock(path)
        assert raised.value.pid is None
        path.write_text("me\n")
        with pytest.raises(StateHeld, match="just starting"):
            Lock(path)


def test_a_link_is_not_followed(path, tmp_path):
    """A lock through a link could overwrite what it leads to."""
    (tmp_path / "precious").write_text("precious")
    path.symlink_to(tmp_path / "precious")

    attack = Attack("S50")
    with pytest.raises(OSError, match="lock"):
        Lock(path)
    attack.refused()
    path.unlink()
    with Lock(path):
        attack.answered()

    assert (tmp_path / "precious").read_text() == "precious"


def test_a_full_disk_keeps_nobody_from_the_lock(path, monkeypatch):
    """Only the holder's name is missing: the start on a full disk goes on."""

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lock.os, "pwrite", full)
    with Lock(path), pytest.raises(StateHeld, match="just starting"):
        Lock(path)


def test_an_error_of_the_file_system_leaves_no_descriptor_open(path, monkeypatch):
    """A file system without locks is refused in its own words."""

    def without(*_):
        raise OSError(37, "No locks available")

    before = len(list(Path("/proc/self/fd").iterdir()))
    monkeypatch.setattr(lock.fcntl, "flock", without)
    with pytest.raises(OSError, match="No locks"):
        Lock(path)

    assert len(list(Path("/proc/self/fd").iterdir())) <= before  # others may have closed theirs meanwhile
