"""The account that a state directory belongs to."""

from dataclasses import replace

import pytest

from joed.daemon.record import decode_state, encode_state
from joed.engine.binding import misplaced
from joed.engine.step import step
from joed.model.commands import BindAccount, LiftBlock, RaiseBlock, ReadBroker
from joed.model.events import BrokerDown, BrokerUp, EpochStarted, OperatorAsked, SettingsLoaded
from joed.model.state import State
from joed.model.values import Mode
from tests.engine.build import START, of_kind, settings_of, trading_state, whole_read

WRONG = "broker:paper/wrong_account"


def fresh(**settings):
    """Give the State of a directory that has met no account."""
    state = State(id_key=b"key")
    step(state, START, EpochStarted(1, "start", "0", "code"))
    step(state, START, SettingsLoaded(settings_of(**settings), "digest"))
    return state


def up(state, account="U1", mode="live", connection=1):
    """Let a broker announce its account."""
    return step(state, START, BrokerUp("paper", account, mode, connection))


def test_the_first_account_that_answers_is_the_directorys():
    """Bound once, in the mode of then, and kept over a snapshot."""
    state = fresh(mode=Mode.LIVE)

    first = up(state)
    step(state, START, BrokerDown("paper", "cut"))
    second = up(state, connection=2)

    assert of_kind(first, BindAccount) == [BindAccount("paper", "U1", Mode.LIVE)]
    assert of_kind(second, BindAccount) == []
    again = decode_state(encode_state(state), b"key")
    assert (again.bound, again.bound_mode) == ({"paper": "U1"}, Mode.LIVE)


@pytest.mark.parametrize(("account", "mode"), [("U2", "live"), ("U1", "paper")])
def test_another_account_or_mode_is_as_good_as_down_and_no_release_lifts_it(account, mode):
    """Its book is not read, nothing is sent there; only the right account lifts the Block (I24)."""
    state = fresh(mode=Mode.LIVE)
    up(state)
    step(state, START, whole_read(START, cash="1000"))
    step(state, START, BrokerDown("paper", "cut"))

    wrong = up(state, account, mode, connection=2)
    step(state, START, whole_read(START, connection=2, cash="7"))
    release = step(state, START, OperatorAsked("release", "r", 0, 0, 0, "please", {"block": WRONG}))

    assert of_kind(wrong, ReadBroker) == []
    assert (state.brokers["paper"].up, state.cash) == (False, 1000)
    assert WRONG in state.blocks
    assert "another --state-dir" in state.blocks[WRONG].words
    assert release[-1].code == "nothing_to_release"
    step(state, START, BrokerDown("paper", "cut"))
    right = up(state, connection=3)
    assert WRONG in [command.key for command in of_kind(right, LiftBlock)]
    assert of_kind(right, ReadBroker) != []


def test_a_wrong_account_binds_nothing():
    """A paper login behind live settings, at the very first start."""
    state = fresh(mode=Mode.LIVE)

    commands = up(state, mode="paper")

    assert of_kind(commands, BindAccount) == []
    assert WRONG in [command.block.key for command in of_kind(commands, RaiseBlock)]


def test_a_live_account_must_be_one_that_the_settings_name():
    """Where they name any; in paper mode a name is for people."""
    live, paper = fresh(mode=Mode.LIVE, account="U1, U7"), fresh(account="U1")

    up(live, "U2")
    up(paper, "PAPER-1", "paper")

    assert (WRONG in live.blocks, WRONG in paper.blocks) == (True, False)


def test_settings_that_belong_elsewhere_are_known_before_any_connection():
    """Another mode, or another account by name; the first start fits anything."""
    state = fresh(mode=Mode.LIVE)
    assert misplaced(state, state.settings) == ""
    up(state)

    assert misplaced(state, state.settings) == ""
    assert misplaced(state, replace(state.settings, account="U1")) == ""
    assert "belongs to live account U1, the settings say paper" in misplaced(
        state, replace(state.settings, mode=Mode.PAPER)
    )
    assert "the settings name U2" in misplaced(state, replace(state.settings, account="U2"))


def test_paper_is_bound_to_paper():
    """A directory of a paper account never becomes a live one's."""
    state = trading_state()

    assert (state.bound, state.bound_mode) == ({"paper": "DEMO"}, Mode.PAPER)
    assert "belongs to paper account DEMO" in misplaced(state, settings_of(mode=Mode.LIVE))
