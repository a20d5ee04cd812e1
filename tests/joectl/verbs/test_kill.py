"""The kill, with a daemon, without one, and with half of one."""

import asyncio
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from joed import protocol
from joed.daemon.lanes import Limits
from joed.engine.changes import APPLY_COMMAND
from joed.model.commands import EndDrill, LatchKill, LiftBlock, SettleKill
from joed.model.values import Scope, Status
from tests.daemon.serving import killed, serving, state_of_a_day
from tests.joectl.running import ROOT, environment, joectl


def test_a_kill_latches_and_gives_the_receipt(tmp_path):
    """Both layers, one line each."""
    with serving(tmp_path / "s") as server:
        ran = joectl("kill", "--no-wait", "--reason", "enough", state_dir=tmp_path / "s")

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


def test_a_kill_where_no_joed_ever_was_says_that_another_goes_on(tmp_path):
    """A wrong path makes a latch that nobody reads: exit 0, for it holds there, and the words leave no doubt."""
    ran = joectl("kill", state_dir=tmp_path)
    (tmp_path / "joed.db").touch()
    again = joectl("kill", state_dir=tmp_path)

    assert (ran.code, "one that runs elsewhere is NOT killed" in ran.err) == (0, True)
    assert "elsewhere" not in again.err


def test_a_kill_that_found_a_demo_says_whom_it_killed(tmp_path):
    """Who named no daemon, and has one of his own by --state-dir, sees that it was not this one."""
    env = environment(TMPDIR=str(tmp_path))
    with serving(tmp_path / "s") as server:
        protocol.announce_demo(env, Path(server.socket))
        ran = joectl("kill", "--no-wait", env=env)

    assert ran.out.splitlines()[0] == f"killed (orders): latched in {(tmp_path / 's').resolve()}, a demo that was found"

    (tmp_path / "s" / "joed.db").touch()
    over = joectl("kill", env=env)
    assert (over.code, "is over: one that runs elsewhere is NOT killed" in over.err) == (0, True)


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
        ran = joectl("kill", "--no-wait", "--json", "--socket", server.socket)

        assert (ran.code, ran.json["state_dir"]) == (0, str((tmp_path / "s").resolve()))


def test_a_kill_that_cannot_latch_but_is_answered_holds(tmp_path):
    """The daemon took it; that joectl could not is said."""
    with serving(tmp_path / "s") as server:
        (tmp_path / "s" / "latch").write_text("in the way")
        ran = joectl("kill", "--no-wait", "--json", state_dir=tmp_path / "s")

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
        ran = joectl("kill", "--no-wait", "--json", state_dir=tmp_path / "s")

        assert (ran.code, ran.json["receipt"]["code"]) == (0, "latched")


def test_a_kill_is_followed_until_it_is_done(tmp_path):
    """The receipt at the end is the broker's word, not our hope; --show tells it again."""
    with serving(tmp_path / "s") as server:
        server.desk.state.resting["e2"] = None

        def cancelled():
            server.desk.state.orders["e2"].status = Status.CANCELLED
            APPLY_COMMAND[SettleKill](server.desk.state, server.desk.state.now, SettleKill())

        later = threading.Timer(1.0, lambda: server.loop.call_soon_threadsafe(cancelled))
        later.start()
        ran = joectl("kill", state_dir=tmp_path / "s")
        later.join()
        again = joectl("kill", "--show", state_dir=tmp_path / "s")

    assert (ran.code, ran.err) == (0, "")
    assert "orders: done after" in ran.out
    assert ["MSFT", "entry", "cancelled", "cancelled"] in [line.split() for line in ran.out.splitlines()]
    assert "orders: done after" in again.out


def test_a_kill_that_is_not_waited_for_says_what_is_open(tmp_path):
    """Exit 0: it holds; `done` says whether all is over."""
    with serving(tmp_path / "s") as server:
        server.desk.state.resting["e2"] = None
        ran = joectl("kill", "--no-wait", "--json", state_dir=tmp_path / "s")

    assert (ran.code, ran.json["done"], ran.json["kill"]["counts"]) == (0, False, {"asked": 1, "kept": 1})
    assert "not done yet: 1 still open" in ran.err
    assert "joectl kill --show" in ran.err


def test_a_daemon_that_hangs_is_given_up_within_three_seconds_with_what_holds(tmp_path):
    """The whole process, the latch included: nothing new is sent, stops live on, and the next step is named."""
    (tmp_path / "run").mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as deaf:
        deaf.bind(str(tmp_path / "run" / "control.sock"))
        deaf.listen()
        ran = joectl("kill", state_dir=tmp_path)

    assert (ran.code, protocol.read_latch(tmp_path).scope) == (0, "orders")
    assert "no answer within 2.5 s: nothing new is sent" in ran.err
    assert "stops at the broker live on" in ran.err
    assert "joed --failsafe" in ran.err


def test_a_drill_is_followed_to_its_end_and_told(tmp_path):
    """It releases itself; no file of joectl's own is made."""
    with serving(tmp_path / "s") as server:
        state = server.desk.state

        def passed():
            for command in (EndDrill(passed=True, words="all done"), LiftBlock("all/killed")):
                APPLY_COMMAND[type(command)](state, state.now, command)

        later = threading.Timer(1.0, lambda: server.loop.call_soon_threadsafe(passed))
        later.start()
        ran = joectl("kill", "--drill", state_dir=tmp_path / "s")
        later.join()

    assert (ran.code, protocol.read_latch(tmp_path / "s")) == (0, None)
    assert "kill drill (orders) passed" in ran.out


def test_a_drill_that_is_refused_or_fails_says_so(tmp_path):
    """During a kill there is none; one that fails leaves the kill, exit 1."""
    with serving(tmp_path / "s", killed(state_of_a_day())):
        refused = joectl("kill", "--drill", state_dir=tmp_path / "s")
    with serving(tmp_path / "t") as server:
        state = server.desk.state

        def failed():
            for command in (EndDrill(passed=False, words="permit said yes"), LatchKill(Scope.ORDERS, "it failed")):
                APPLY_COMMAND[type(command)](state, state.now, command)

        later = threading.Timer(1.0, lambda: server.loop.call_soon_threadsafe(failed))
        later.start()
        ran = joectl("kill", "--drill", state_dir=tmp_path / "t")
        later.join()

    assert (refused.code, "a kill is in force" in refused.err) == (5, True)
    assert (ran.code, "FAILED" in ran.out, "permit said yes" in ran.err) == (1, True, True)


def test_a_kill_again_is_a_kill(tmp_path):
    """Nobody must look first whether somebody did already."""
    with serving(tmp_path / "s"):
        codes = [
            joectl("kill", "--no-wait", "--scope", scope, state_dir=tmp_path / "s").code
            for scope in ("orders", "entries")
        ]

    assert codes == [0, 0]
    assert protocol.read_latch(tmp_path / "s").scope == "orders"


@pytest.mark.parametrize("reason", ["a\nb\x1b[31m", "é" * 5000])
def test_a_kill_takes_any_words_for_a_reason(tmp_path, reason):
    """They are made to fit: joed is told at once, and not left to find the file."""
    with serving(tmp_path / "s") as server:
        ran = joectl("kill", "--no-wait", "--reason", reason, state_dir=tmp_path / "s")

        assert (ran.code, ran.out.splitlines()[1].startswith("joed: orders")) == (0, True)
        assert server.desk.asked[0].reason == protocol.plain(reason)


@pytest.mark.parametrize("screen", [">&-", ">&- 2>&-", ">/dev/full", ">/dev/full 2>&1"])
def test_a_kill_holds_and_ends_with_0_where_nothing_can_be_written(tmp_path, screen):
    """A closed or full stdout hinders neither layer: a script that reads the exit code must not think otherwise."""
    with serving(tmp_path / "s") as server:
        command = f"exec {sys.executable} -m joectl --state-dir {tmp_path / 's'} kill --no-wait {screen}"
        done = subprocess.run(["sh", "-c", command], env=environment(), cwd=ROOT, capture_output=True, check=False)

        assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
        assert (server.desk.state.killed, protocol.read_latch(tmp_path / "s").scope) == ("orders", "orders")
