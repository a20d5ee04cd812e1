"""A lock against falling asleep: there while something is at a broker, and said once where it is not to be had."""

import asyncio
import contextlib
import sys
from pathlib import Path

from joed.daemon.awake import Awake, exposed
from joed.engine.step import refold
from joed.model.events import Tick
from tests.engine.build import START, bracket, holding, trading_state

STAND_IN = """
import sys
mode = sys.argv[-2]
if mode in sys.argv[1].split(","):
    sys.exit("Failed to inhibit: Access denied" if "--mode=delay" in sys.argv[1] else "Failed: only a delay")
print(mode, file=open(sys.argv[2], "a"), flush=True)
sys.stdin.read()
print("let go", file=open(sys.argv[2], "a"), flush=True)
"""
"""Does what systemd-inhibit does, as far as a holder sees it: refuses these modes, or lives as long as its input."""


class Told:
    """A log that keeps its lines."""

    def __init__(self):
        self.lines = []

    def put(self, level, event, fields):
        """Keep it."""
        self.lines.append((level, event, fields["reason"]))


def program(tmp_path, refused=""):
    """Give the stand-in as a program, and the file in which it writes."""
    script = tmp_path / "inhibit.py"
    script.write_text(STAND_IN)
    return (sys.executable, str(script), refused, str(tmp_path / "seen")), tmp_path / "seen"


def seen(file: Path):
    """Give what the stand-in wrote."""
    return file.read_text().split("\n")[:-1] if file.exists() else []


def test_what_is_at_a_broker_is_exposed():
    """A position is, and an order that may be alive; a flat account is not."""
    held, resting = holding("AAPL", quantity="10", stop="196.00"), trading_state()
    assert exposed(held)
    held.orders.clear()
    assert exposed(held)
    assert not exposed(resting)
    refold(resting, START, Tick(), [bracket("KO")])
    assert exposed(resting)


def test_the_lock_is_held_while_something_is_open_and_no_longer(tmp_path):
    """Taken at the first look, kept through the next, let go with the last position."""
    words, file = program(tmp_path)
    told, state = Told(), holding("AAPL", quantity="10", stop="196.00")

    async def looks():
        awake = Awake(state, told, words)
        await awake.look()
        await awake.look()
        assert awake.held
        state.positions.clear()
        state.orders.clear()
        await awake.look()
        assert not awake.held

    asyncio.run(looks())

    assert seen(file) == ["--mode=block", "let go"]
    assert told.lines == [("info", "sleep_inhibited", "block")]


def test_where_a_block_is_refused_a_delay_is_taken_and_said(tmp_path):
    """Without the rule that lets joed block, logind gives a few seconds, and the log says so once."""
    words, file = program(tmp_path, "--mode=block")
    told = Told()

    async def looks():
        awake = Awake(holding("AAPL", quantity="10", stop="196.00"), told, words)
        await awake.look()
        assert awake.held
        task = asyncio.create_task(awake.run())
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(looks())

    assert seen(file) == ["--mode=delay", "let go"]
    assert [line[:2] for line in told.lines] == [("warning", "sleep_only_delayed")]


def test_a_machine_without_logind_is_told_of_once(tmp_path):
    """No such program, or a refusal of both: said, not repeated at each look, and trading goes on."""
    words, _ = program(tmp_path, "--mode=block,--mode=delay")
    told, missing = Told(), Told()
    state = holding("AAPL", quantity="10", stop="196.00")

    async def looks():
        for log, asked in ((told, words), (missing, ("/nowhere/systemd-inhibit",))):
            awake = Awake(state, log, asked)
            await awake.look()
            await awake.look()
            assert not awake.held

    asyncio.run(looks())

    assert told.lines == [("warning", "sleep_not_inhibited", "Failed to inhibit: Access denied")]
    assert missing.lines == [("warning", "sleep_not_inhibited", "/nowhere/systemd-inhibit: No such file or directory")]
