"""A user's own strategy: it trades as ours do, and what raises, loops or makes nonsense costs it alone."""

from decimal import Decimal

import pytest

from joed.daemon import sandbox
from joed.daemon.sandbox import OwnFailed
from joed.model.values import MINUTE
from tests.daemon.owning import NOW, asking
from tests.faults.measure import FULL, Attack


@pytest.fixture
def ask(tmp_path):
    """Give what asks a strategy of these lines."""
    with asking(tmp_path) as asked:
        yield asked


def test_it_sees_bars_and_parameters_and_its_triggers_carry_its_own_name(ask):
    """Under whatever name it made them: strategy, signal, session's end and risk are not its to choose."""
    lines = """
def strategy(context):
    assert context.minutes_of("A").shape == (2, 6) and context.minutes_of("A")[1, 5] == 11.0
    yield buy(context, level=context.params["level"], risk=Decimal(1))
"""
    (made,) = ask(lines, level="100.5")

    assert (made.instrument, made.level, made.strategy) == ("A", Decimal("100.5"), "own:mine")
    assert made.signal == "own:mine-2026-11-20-first"
    assert (made.risk, made.valid_until_ns) == (Decimal("0.004"), NOW + MINUTE)


def test_it_is_not_asked_in_a_regime_that_is_not_its_own(ask):
    """No process is started for it either."""
    assert ask("def strategy(context): return 1 / 0", regimes=("defensive",)) == ()


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("def strategy(context): return 1 / 0", "ZeroDivisionError: division by zero"),
        ("def strategy(context): return [buy(context, name='ZZZ')]", "'ZZZ' is not on the watchlist"),
        ("def strategy(context): return [buy(context, stop='NaN')]", "a number that is none"),
        ("def strategy(context): return [buy(context, stop='102')]", "stop 102, level 101, target 105"),
        ("def strategy(context): return [buy(context, stop='-1')]", "stop -1, level 101"),
        ("def strategy(context): return ['buy']", "something else than triggers"),
        ("def strategy(context): return [buy(context)] * 501", "501 triggers, at most 500"),
        ("def strategy(context): return None", "TypeError"),
        ("strategi = 1", "there is no function strategy(context)"),
        ("def strategy(context) return", "SyntaxError"),
        ("import os\ndef strategy(context): os._exit(3)", "ended with status 3"),
        ("def strategy(context): return list(bytearray(1 << 33))", "MemoryError"),
    ],
)
def test_what_raises_or_makes_nonsense_is_a_fault_in_words(ask, lines, words):
    """And its process is gone."""
    with pytest.raises(OwnFailed) as raised:
        ask(lines)

    assert words in str(raised.value)


def test_what_loops_is_ended_at_its_deadline(ask, monkeypatch):
    """Two seconds as shipped; here but at full length a fifth of one. The next one is answered."""
    assert sandbox.ANSWER_S == 2.0
    if not FULL:
        monkeypatch.setattr(sandbox, "ANSWER_S", 0.2)
    attack = Attack("S48")
    with pytest.raises(OwnFailed) as raised:
        ask("def strategy(context):\n    while True: pass")
    attack.refused()

    assert str(raised.value) == f"it ran over its {sandbox.ANSWER_S:g} s"
    monkeypatch.undo()
    assert len(ask("def strategy(context): return [buy(context)]")) == 1
    attack.answered()


def test_a_file_that_changed_since_it_was_configured_does_not_run(ask):
    """What was tried and signed is what trades."""
    with pytest.raises(OwnFailed) as raised:
        ask("def strategy(context): return []", digest="0" * 64)

    assert "another than what was configured" in str(raised.value)


def test_a_strategy_that_is_asked_again_keeps_its_process(ask):
    """It may remember: the second answer comes from the same process."""
    lines = "import os\nseen = []\ndef strategy(context):\n    seen.append(1)\n    return [buy(context)] * len(seen)"

    assert [len(ask(lines)), len(ask(lines))] == [1, 2]
