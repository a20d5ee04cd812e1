"""joed.daemon.systemd: what systemd receives, datagram by datagram, and that nobody ever waits for it."""

import array
import os
import socket
import subprocess
import sys
import threading

import pytest

from joed.daemon import systemd
from joed.daemon.systemd import Notifier, stored_sockets, watchdog_s
from tests.faults.measure import measured


class Manager:
    """The other end: a real datagram socket, as systemd has one."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(10)

    def read(self):
        """Give all datagrams that wait."""
        found = []
        self.socket.setblocking(False)
        while True:
            try:
                found.append(self.socket.recv(65_536))
            except BlockingIOError:
                self.socket.settimeout(10)
                return found

    def fill(self):
        """Take all room, as a manager does that is too busy to read."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.setblocking(False)
            other.connect(self.socket.getsockname())
            while True:
                try:
                    other.send(b"X_FILLS=1")
                except BlockingIOError:
                    return


@pytest.fixture
def manager(tmp_path, monkeypatch):
    """Give a service manager that listens."""
    path = str(tmp_path / "notify")
    made = Manager(path)
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    yield made
    made.socket.close()


@pytest.fixture
def notifier(manager):
    """Give a notifier that is connected to it."""
    made = Notifier()
    assert made.active
    yield made
    made.close()


@pytest.mark.parametrize("value", [None, "", "relative", "vsock:2:1234"])
def test_outside_systemd_nothing_happens(monkeypatch, value):
    """A foreground program says the same words, to nobody."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if value is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", value)
    notifier = Notifier()

    notifier.ready("TRADING")
    notifier.status("words")
    notifier.reloading(1)
    notifier.stopping()

    assert not notifier.active
    assert not notifier.ping()
    assert not notifier.extend(5)
    assert notifier.failures == 0
    notifier.close()
    measured("F98", recovered_s=0)  # never unwell


@pytest.mark.filterwarnings("ignore:.*unclosed.*:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_manager_that_is_not_there_is_none(tmp_path, monkeypatch):
    """A path left in the environment by a shell of yesterday."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))

    assert not Notifier().active


def test_a_status_with_any_letters_arrives_whole(manager, notifier):
    """The library under it would lose this message, and send é as a broken byte."""
    notifier.status("TRADING: P&L +12.50 €, é, 日本")

    assert manager.read() == ["STATUS=TRADING: P&L +12.50 €, é, 日本".encode()]


def test_a_status_is_one_line_of_bounded_length(manager, notifier):
    """No word of a broker's message can make a line of the protocol, and half a letter is never sent."""
    notifier.status("a\nREADY=1\r\0\x1b[31mb\tc  d")
    notifier.status("€" * 1000)
    notifier.status("\ud800")

    first, second, third = manager.read()
    assert first == b"STATUS=a READY=1 [31mb c d"
    assert second == b"STATUS=" + "€".encode() * (systemd.STATUS_BYTES_MAX // 3)
    assert third == b"STATUS="


def test_the_same_status_is_sent_once(manager, notifier):
    """Each second says the same words: only a change costs a datagram."""
    for words in ("a", "a", "b", "a"):
        notifier.status(words)

    assert manager.read() == [b"STATUS=a", b"STATUS=b", b"STATUS=a"]


def test_ready_reloading_and_stopping_say_what_systemd_asks_for(manager, notifier):
    """With the words in the same datagram, and the reload's moment in microseconds of CLOCK_MONOTONIC."""
    notifier.ready("AWAITING CONFIRMATION")
    notifier.reloading(12_345_678_999)
    notifier.ready()
    notifier.stopping("STOPPING: SIGTERM")
    notifier.extend(2.5)
    notifier.trip()

    assert manager.read() == [
        b"READY=1\nSTATUS=AWAITING CONFIRMATION",
        b"RELOADING=1\nMONOTONIC_USEC=12345678",
        b"READY=1",
        b"STOPPING=1\nSTATUS=STOPPING: SIGTERM",
        b"EXTEND_TIMEOUT_USEC=2500000",
        b"WATCHDOG=trigger",
    ]


def test_the_watchdogs_ping_is_a_datagram_of_its_own(manager, notifier):
    """Whatever is wrong with a status, the ping beside it arrives."""
    notifier.status("words")
    assert notifier.ping()

    assert manager.read() == [b"STATUS=words", b"WATCHDOG=1"]


def test_a_manager_that_does_not_read_makes_nobody_wait_and_nothing_raise(manager, notifier):
    """A systemd that is busy must not stop trading: all calls return, what did not leave is counted."""
    manager.fill()
    done = threading.Event()

    def talk():
        notifier.ready("a")
        notifier.status("b")
        assert not notifier.ping()
        notifier.extend(1)
        notifier.stopping()
        done.set()

    thread = threading.Thread(target=talk, daemon=True)
    thread.start()

    assert done.wait(10)
    assert notifier.failures >= 5


def test_what_must_arrive_is_sent_again_in_its_order_before_the_next_word(manager, notifier):
    """READY that finds the queue full would otherwise be missed until the start times out."""
    manager.fill()
    notifier.ready("a")
    notifier.reloading(5_000)
    notifier.status("lost")
    manager.read()

    assert notifier.ping()

    assert manager.read() == [b"READY=1\nSTATUS=a", b"RELOADING=1\nMONOTONIC_USEC=5", b"WATCHDOG=1"]
    assert notifier.ping()
    assert manager.read() == [b"WATCHDOG=1"]


def test_a_status_that_was_lost_is_sent_again_when_it_is_said_again(manager, notifier):
    """What was not delivered is not remembered as said."""
    manager.fill()
    notifier.status("a")
    manager.read()

    notifier.status("a")

    assert manager.read() == [b"STATUS=a"]


def test_what_must_arrive_is_given_up_after_a_bounded_number_of_tries(manager, notifier):
    """Every retry has an end."""
    manager.fill()
    notifier.ready("a")
    for _ in range(systemd.TRIES_MAX):
        notifier.ping()
    manager.read()

    notifier.ping()

    assert manager.read() == [b"WATCHDOG=1"]


def test_a_flood_of_messages_that_must_arrive_is_bounded(manager, notifier):
    """No list grows while systemd is away."""
    manager.fill()
    for _ in range(100):
        notifier.ready("a")
    manager.read()
    notifier.ping()

    assert len(manager.read()) == systemd.OWED_MAX + 1


def test_an_abstract_address_is_understood(monkeypatch):
    """`@name` stands for a name outside the file system."""
    name = f"joed-test-{os.getpid()}"
    manager = Manager(f"\0{name}")
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
    notifier = Notifier()

    notifier.ready()

    assert manager.read() == [b"READY=1"]
    notifier.close()
    manager.socket.close()


def test_a_stored_socket_is_the_same_socket_at_the_other_end(manager, notifier):
    """A client that connects while joed is dead is answered by the next one."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert notifier.store("control", [listening])

        data, ancillary, _, _ = manager.socket.recvmsg(4096, socket.CMSG_SPACE(4))
        received = array.array("i", ancillary[0][2])
        with socket.socket(fileno=received[0]) as kept:
            assert kept.getsockname() == listening.getsockname()
    assert data == b"FDSTORE=1\nFDNAME=control"


def test_what_is_stored_can_be_forgotten(manager, notifier):
    """A name of an older build would be kept for ever."""
    notifier.forget("old")

    assert manager.read() == [b"FDSTOREREMOVE=1\nFDNAME=old"]


@pytest.mark.parametrize("name", ["", "a\nb", "a:b", "é", "x" * 256])
def test_a_name_that_systemd_would_not_take_is_our_mistake(notifier, name):
    """Names are written in the code, never read from outside."""
    with pytest.raises(AssertionError):
        notifier.store(name, [])
    with pytest.raises(AssertionError):
        notifier.forget(name)


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "1", "WATCHDOG_PID": "me"}, None),
    ],
)
def test_the_watchdog_is_fed_only_where_systemd_asks_this_process(environ, seconds):
    """A child that inherited the environment does not ping for its parent."""
    assert watchdog_s(environ) == seconds


@pytest.fixture
def passed():
    """Give a function that puts descriptors from 700 on, as systemd does from 3, and gives the environment for them."""
    used = []

    def place(names, *descriptors, pid=None):
        for at, descriptor in enumerate(descriptors):
            used.append(os.dup2(descriptor, 700 + at, inheritable=True))
        pid = os.getpid() if pid is None else pid
        return {"LISTEN_PID": str(pid), "LISTEN_FDS": str(len(descriptors)), "LISTEN_FDNAMES": names, "HOME": "/"}

    yield place
    for descriptor in used:
        systemd._close(descriptor)


def test_stored_sockets_come_back_by_name_and_the_environment_forgets_them(passed):
    """No child of ours may take them for its own."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        environ = passed("control:metrics", one.fileno(), two.fileno())

        found = stored_sockets(environ, start=700)

        assert {name: kept.getsockname() for name, kept in found.items()} == {
            "control": one.getsockname(),
            "metrics": two.getsockname(),
        }
    assert not any(os.get_inheritable(kept.fileno()) for kept in found.values())
    assert environ == {"HOME": "/"}
    for kept in found.values():
        kept.close()


def test_what_is_no_socket_or_a_names_second_one_is_closed(passed, tmp_path):
    """It can serve nobody, and would stay open for ever."""
    with socket.create_server(("127.0.0.1", 0)) as one, (tmp_path / "file").open("w") as file:
        environ = passed("a:a:b", one.fileno(), one.fileno(), file.fileno())

        found = stored_sockets(environ, start=700)

        assert list(found) == ["a"]
        assert found["a"].fileno() == 700
        found["a"].close()
    for descriptor in (701, 702):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "a"},
        {"LISTEN_PID": str(os.getpid())},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "-1"},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "many"},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"},
    ],
)
def test_descriptors_meant_for_others_or_not_there_are_none(environ):
    """A broken environment costs a warning's worth, not the start."""
    assert stored_sockets(environ, start=900) == {}
    assert environ == {}


def test_the_default_place_is_descriptor_three():
    """As sd_listen_fds(3) has it; in a process of its own, for the number is fixed."""
    script = (
        "import os; os.environ['LISTEN_PID'] = str(os.getpid())\n"
        "from joed.daemon.systemd import stored_sockets\n"
        "print(*((n, s.family.name) for n, s in stored_sockets().items()), 'LISTEN_FDS' in os.environ)\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number = listening.fileno()
        start = (
            "import os, sys; os.dup2(int(sys.argv[1]), 3); os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
        )
        command = [sys.executable, "-c", start, str(number), "-c", script]
        environ = {**os.environ, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "control"}
        run = subprocess.run(command, env=environ, pass_fds=(number,), capture_output=True, text=True, check=True)
    assert run.stdout == "('control', 'AF_INET') False\n"
