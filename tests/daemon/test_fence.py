"""The fence around a stranger's code, from the inside: what it tries, and what the kernel says."""

import ctypes
import os
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from joed.daemon import fence
from joed.daemon.fence import Unfenced, hide_memory, raise_fence
from joed.daemon.sandbox import OwnFailed
from tests.daemon.owning import asking
from tests.daemon.users import as_user
from tests.faults.measure import Watch, measured

STRANGER = 65534
PTRACE_ATTACH, PTRACE_DETACH = 16, 17


@pytest.fixture
def ask(tmp_path):
    """Give what asks a strategy of these lines."""
    with asking(tmp_path) as asked:
        yield asked


@pytest.mark.parametrize(
    "deed",
    [
        "import socket; socket.create_connection(('127.0.0.1', PORT), 1)",
        "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        "import socket; socket.socketpair()",
        "import subprocess; subprocess.run(['/bin/true'])",
        "import os; os.fork()",
        "import os; os.execv('/bin/true', ['true'])",
        "import os; os.kill(os.getppid(), 9)",
        "open('SECRET').read()",
        "import os; os.listdir('FOLDER')",
        "open('FOLDER/new', 'w')",
        "import os; os.mkdir('FOLDER/new')",
        "import os; os.unlink('SECRET')",
        "open('/etc/passwd').read()",
        "open(f'/proc/{__import__(\"os\").getppid()}/environ', 'rb').read()",
    ],
)
def test_the_world_is_closed_to_it(ask, tmp_path, deed):
    """No network, no program, no signal, no file that is not Python's, no look at the process that asked."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    secret = folder / "key"
    secret.write_text("secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        lines = deed.replace("PORT", str(server.getsockname()[1]))
        lines = lines.replace("SECRET", str(secret)).replace("FOLDER", str(folder))
        watch = Watch()
        with pytest.raises(OwnFailed) as raised:
            ask(f"def strategy(context):\n    {lines}\n    return []")
        measured("S48", detected_ms=watch.ms())

    assert "PermissionError" in str(raised.value) or "NotADirectoryError" in str(raised.value)
    assert list(folder.iterdir()) == [secret]


def test_it_inherits_no_environment(ask, monkeypatch):
    """Whatever key the daemon was given, its name and value are not there."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/joed")
    lines = "import os\ndef strategy(context):\n    raise ValueError(sorted(os.environ))"

    with pytest.raises(OwnFailed) as raised:
        ask(lines)
    assert "CREDENTIALS_DIRECTORY" not in str(raised.value)


def test_threads_and_numpy_work_inside_the_fence(ask):
    """What is allowed is allowed: the filter does not take a thread for a process."""
    lines = """
import threading, numpy, statistics
def strategy(context):
    found = []
    thread = threading.Thread(target=lambda: found.append(float(numpy.linalg.norm([3.0, 4.0]))))
    thread.start(); thread.join()
    return [buy(context)] if found == [5.0] else []
"""
    assert len(ask(lines)) == 1


def test_a_machine_whose_calls_are_not_known_is_not_fenced(monkeypatch):
    """Nothing runs behind half a fence; here before anything of it was raised in this process."""
    monkeypatch.setattr(fence.resource, "setrlimit", lambda *_: None)
    monkeypatch.setattr(fence, "_call", lambda result, what: result)
    monkeypatch.setattr(fence.ctypes, "CDLL", lambda *_args, **_more: FakeC())
    monkeypatch.setattr(fence, "_landlock", lambda *_: None)
    monkeypatch.setattr(fence.platform, "machine", lambda: "z80")

    with pytest.raises(Unfenced, match="z80"):
        raise_fence([], 64)


class FakeC:
    """A C library that does nothing: the test's own process must stay as it is."""

    def prctl(self, *_args):
        """Say that it went well."""
        return 0


def test_a_call_that_fails_is_no_fence():
    """The kernel's own words."""
    with pytest.raises(Unfenced, match="landlock"):
        fence._call(-1, "landlock")


def read(path):
    """Say whether a file of a process can be opened."""
    with suppress(OSError), Path(path).open("rb"):
        return True
    return False


def attached(pid):
    """Say whether a debugger takes hold of a process."""
    libc = ctypes.CDLL(None)
    if libc.ptrace(PTRACE_ATTACH, pid, 0, 0) != 0:
        return False
    os.waitpid(pid, 0)
    libc.ptrace(PTRACE_DETACH, pid, 0, 0)
    return True


def looks_into(hide):
    """Give what of a child one can see who is its user and its parent, which even a strict system would allow."""
    ready, stay = os.pipe(), os.pipe()
    victim = os.fork()
    if not victim:
        ctypes.CDLL(None).prctl(fence.PR_SET_DUMPABLE, 1, 0, 0, 0)  # as after an exec: who has changed users is closed
        hide()
        own = read("/proc/self/statm") and read(f"/proc/self/fd/{os.open('/usr', os.O_DIRECTORY)}/bin/true")
        os.write(ready[1], b"y" if own else b"n")
        os.close(stay[1])
        os.read(stay[0], 1)
        os._exit(0)
    assert os.read(ready[0], 1) == b"y"
    seen = [name for name in ("mem", "environ", "maps") if read(f"/proc/{victim}/{name}")]
    seen += ["ptrace"] if attached(victim) else []
    os.close(stay[1])
    os.waitpid(victim, 0)
    return " ".join(seen).encode() or b"nothing"


@pytest.mark.needs_root
def test_a_process_that_hides_its_memory_is_closed_to_others_of_its_user():
    """Memory, environment, map and debugger are refused, what is its own it still sees; one that does not is open."""
    assert as_user(STRANGER, lambda: looks_into(hide_memory)) == b"nothing"
    assert as_user(STRANGER, lambda: looks_into(lambda: None)) == b"mem environ maps ptrace"
