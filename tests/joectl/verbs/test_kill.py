"""The kill, with a daemon, without one, and with half of one."""

import asyncio
import os
import socket

from joed import protocol
from joed.daemon.lanes import Limits
from tests.daemon.serving import serving
from tests.joectl.running import joectl


def test_a_kill_latches_and_gives_the_receipt(tmp_path):
    """Both layers, one line each."""
    with serving(tmp_path / "s") as server:
        ran = joectl("kill", "--reason", "enough", state_dir=tmp_path / "s")

        assert ran.code == 0
        assert ran.out.splitlines()[0] == f"killed (orders): latched in {tmp_path / 's'}"
        assert ran.out.splitlines()[1].startswith("joed: orders")
        assert protocol.read_latch(tmp_path / "s") == ("orders", os.getuid())
        assert (server.desk.asked[0].verb, server.desk.asked[0].reason) == ("kill", "enough")


def test_a_kill_without_a_daemon_is_latched_and_says_what_is_left_to_do(tmp_path):
    """Exit 0: it holds at the next start. What rests at the broker is another matter, and is said."""
    ran = joectl("kill", "--scope", "flatten", state_dir=tmp_path)

    assert (ran.code, ran.out.splitlines()[0]) == (0, f"killed (flatten): latched in {tmp_path}")
    assert "joed is not running" in ran.err
    assert f"joed --failsafe --state-dir {tmp_path}" in ran.err
    assert protocol.read_latch(tmp_path).scope == "flatten"


def test_a_kill_of_a_daemon_that_hangs_is_latched_all_the_same(tmp_path):
    """A process that is stopped accepts and never answers: the file was there before it was asked."""
    (tmp_path / "run").mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as deaf:
        deaf.bind(str(tmp_path / "run" / "control.sock"))
        deaf.listen()
        ran = joectl("kill", "--timeout", "0.2", "--json", state_dir=tmp_path)

    assert (ran.code, ran.json["latched"], ran.json["daemon"]) == (0, True, "silent")
    assert "joed --failsafe" in ran.err


def test_a_kill_by_the_socket_alone_finds_the_latch_through_its_link(tmp_path):
    """--socket names no state directory: the link beside it does."""
    with serving(tmp_path / "s") as server:
        ran = joectl("kill", "--json", "--socket", server.socket)

        assert (ran.code, ran.json["state_dir"]) == (0, str((tmp_path / "s").resolve()))


def test_a_kill_that_cannot_latch_but_is_answered_holds(tmp_path):
    """The daemon took it; that joectl could not is said."""
    with serving(tmp_path / "s") as server:
        (tmp_path / "s" / "latch").write_text("in the way")
        ran = joectl("kill", "--json", state_dir=tmp_path / "s")

        assert (ran.code, ran.json["latched"], ran.json["daemon"]) == (0, False, "answered")
        assert "could not latch it itself" in ran.err
        assert server.desk.state.killed == "orders"


def test_a_kill_that_nothing_took_says_not_killed(tmp_path):
    """Neither file nor daemon: never exit 0, and the words leave no doubt."""
    ran = joectl("kill", state_dir=tmp_path / "nowhere")

    assert (ran.code, ran.out) == (3, "")
    assert "NOT killed" in ran.err


def test_a_kill_that_the_engine_answers_late_is_latched(tmp_path):
    """The daemon's own receipt says that the engine is still to come."""
    with serving(tmp_path / "s", limits=Limits(kill_s=0.1)) as server:
        server.desk.hold = asyncio.Event()
        ran = joectl("kill", "--json", state_dir=tmp_path / "s")

        assert (ran.code, ran.json["receipt"]["code"]) == (0, "latched")


def test_a_kill_again_is_a_kill(tmp_path):
    """Nobody must look first whether somebody did already."""
    with serving(tmp_path / "s"):
        codes = [joectl("kill", "--scope", scope, state_dir=tmp_path / "s").code for scope in ("orders", "entries")]

    assert codes == [0, 0]
    assert protocol.read_latch(tmp_path / "s").scope == "orders"
