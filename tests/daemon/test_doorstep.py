"""joed.daemon.doorstep: a client that came while joed was dead is answered by the next process."""

import array
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

WAIT_S = 20
SERVE = """
import os, socket, sys
from pathlib import Path
os.environ["LISTEN_PID"] = str(os.getpid())
for at, kept in enumerate(sys.argv[4:]):
    os.dup2(int(kept), 3 + at)
from joed.daemon.doorstep import doorstep
from joed.daemon.systemd import Notifier
listening = doorstep(Path(sys.argv[1]), Path(sys.argv[2]), Notifier(), None)
print("open", os.get_blocking(listening.fileno()), flush=True)
listening.setblocking(True)
sys.stdin.readline()
caller, _ = listening.accept()
caller.sendall(b"served by " + sys.argv[3].encode())
caller.close()
"""


class Manager:
    """As much of systemd as keeps descriptors: it hears notifications, and hands on what it was left."""

    def __init__(self, room: Path) -> None:
        self.room = room
        self.path = room / "run" / "control.sock"
        self.ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ear.bind(str(room / "notify"))
        self.ear.settimeout(WAIT_S)

    def start(self, name, *kept, names=""):
        """Start a process that serves one caller when it is told to."""
        environ = {**os.environ, "NOTIFY_SOCKET": str(self.room / "notify")}
        if kept:
            environ |= {"LISTEN_FDS": str(len(kept)), "LISTEN_FDNAMES": names}

        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(self.path), str(self.room), name, *map(str, kept)],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=kept,
        )
        assert process.stdout.readline() == b"open False\n"
        return process

    def hear(self):
        """Give the next notification, and the descriptors that came with it."""
        words, ancillary, _, _ = self.ear.recvmsg(4096, socket.CMSG_SPACE(64))
        found = array.array("i")
        for _, _, data in ancillary:
            found.frombytes(data)
        return words.decode(), list(found)

    def call(self):
        """Connect as joectl does."""
        caller = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        caller.settimeout(WAIT_S)
        caller.connect(str(self.path))
        return caller


@pytest.fixture
def manager(tmp_path):
    """Give a service manager of our own."""
    made = Manager(tmp_path)
    yield made
    made.ear.close()


def answered(process, caller):
    """Have the process serve, and give what the caller heard."""
    process.stdin.write(b"\n")
    process.stdin.flush()
    said = caller.recv(100)
    caller.close()
    process.communicate(timeout=WAIT_S)
    return said


def test_who_called_while_joed_was_dead_is_answered_by_the_next_process(manager):
    """The socket is left with systemd at the first start, and taken up again at the second; the caller just waits."""
    first = manager.start("first")
    words, (kept,) = manager.hear()
    first.kill()
    first.communicate(timeout=WAIT_S)
    caller = manager.call()

    second = manager.start("second", kept, names="control")

    assert words == "FDSTORE=1\nFDNAME=control"
    assert answered(second, caller) == b"served by second"
    os.close(kept)


@pytest.mark.parametrize("name", ["metrics", "control"])
def test_what_cannot_serve_is_let_go_and_a_new_socket_is_bound(manager, tmp_path, name):
    """Another's name, or a socket that is bound elsewhere: a door that nobody knocks at is no door."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as elsewhere:
        elsewhere.bind(str(tmp_path / "elsewhere"))
        elsewhere.listen()

        process = manager.start("the new one", elsewhere.fileno(), names=name)

    assert manager.hear() == (f"FDSTOREREMOVE=1\nFDNAME={name}", [])
    words, (kept,) = manager.hear()
    os.close(kept)
    assert words == "FDSTORE=1\nFDNAME=control"
    assert answered(process, manager.call()) == b"served by the new one"
