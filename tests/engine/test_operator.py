"""What people ask for: each gets an answer, a yes or a named refusal."""

import pytest

from joed.engine.step import refold, step
from joed.engine.view import card_hash
from joed.model.blocks import Block
from joed.model.commands import CancelOrder, LatchKill, RaiseBlock, SubmitOrder
from joed.model.events import BrokerDown, EpochStarted, LatchSeen, OperatorAsked, SettingsLoaded, Tick
from joed.model.settings import Confirm
from joed.model.values import SECOND, Mode, Scope
from tests.engine.build import (
    START,
    armed,
    bracket,
    holding,
    kinds,
    of_kind,
    quote,
    settings_of,
    submitted,
    trading_state,
    trigger,
)

UNCONFIRMED = "all/not_confirmed"


def ask(state, verb, reason="because", request="", now=START, **args):
    """Ask for something and give the commands; the answer is the last."""
    return step(state, now, OperatorAsked(verb, request or f"{verb}-{state.seq}", 1000, 1000, 7, reason, args))


def code(commands):
    """Give what the answer says."""
    return commands[-1].code


def unsigned(**changes):
    """Give a State whose day waits for a signature."""
    state = trading_state(confirm=Confirm(paper=True), **changes)
    step(state, START, SettingsLoaded(settings_of(confirm=Confirm(paper=True)), "digest"))
    return state


def test_an_unknown_verb_is_answered():
    """Nobody waits in vain."""
    assert code(ask(trading_state(), "dance")) == "unknown_verb"


def test_the_same_request_is_answered_the_same_and_done_once():
    """The idempotency key is the request's id (I34)."""
    state = trading_state()
    first = ask(state, "pause", request="r1")
    ask(state, "resume", request="r2")

    assert ask(state, "pause", request="r1") == first[-1:]
    assert state.blocks == {}


def test_a_pause_forbids_entries_and_a_resume_allows_them():
    """Positions stay managed; what is shown says so."""
    state = trading_state()

    paused = ask(state, "pause")
    during = (state.paused, "all/paused" in state.blocks)
    resumed = ask(state, "resume")

    assert (code(paused), code(resumed), during) == ("ok", "ok", (True, True))
    assert (state.paused, code(ask(state, "resume"))) == (False, "nothing_to_resume")


def test_live_mode_always_asks():
    """Whatever the settings for paper say."""
    state = trading_state()

    commands = step(state, START, SettingsLoaded(settings_of(mode=Mode.LIVE), "live"))

    assert UNCONFIRMED in [command.block.key for command in of_kind(commands, RaiseBlock)]


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("entries", ["LatchKill", "RaiseAlert", "Answer"]),
        ("orders", ["LatchKill", "RaiseAlert", "CancelOrder", "Answer"]),
        ("flatten", ["LatchKill", "RaiseAlert", "CancelOrder", "AmendOrder", "Answer"]),
    ],
)
def test_a_kill_reaches_as_far_as_its_scope(scope, expected):
    """Entries are shut, resting ones cancelled, positions closed; protection stays until they are."""
    state = holding("AAPL")
    submitted(state, bracket("MSFT"))

    assert kinds(ask(state, "kill", scope=scope)) == expected
    assert state.killed is Scope(scope)


def test_a_kill_shuts_every_entry_at_once():
    """The next crossing is refused (I3)."""
    state = armed(trigger())
    ask(state, "kill", scope="entries")

    [refused] = step(state, START, quote("AAPL", 200.0))

    assert refused.code == "blocked"


def test_the_widest_kill_holds():
    """A narrower one after it changes nothing; a wider one widens."""
    state = trading_state()
    for scope, holds in (("orders", "orders"), ("entries", "orders"), ("account", "account"), ("flatten", "account")):
        ask(state, "kill", scope=scope)
        assert state.killed == holds

    assert code(ask(state, "kill", scope="everything")) == "unknown_scope"


def test_a_kill_file_is_honoured_whoever_made_it_and_at_the_start():
    """Found by the shell while running, or there before anything was connected."""
    found, started = trading_state(), trading_state()

    step(found, START, LatchSeen(Scope.ORDERS, 1000))
    step(started, START, EpochStarted(2, "start", "0", "c", killed=Scope.FLATTEN))

    assert (found.killed, started.killed) == (Scope.ORDERS, Scope.FLATTEN)
    assert of_kind(step(started, START, LatchSeen(Scope.ORDERS, 1000)), LatchKill) == []


def test_a_release_needs_a_reason_and_reconciled_books():
    """Deliberately harder than the kill."""
    state = trading_state()
    ask(state, "kill")

    without = ask(state, "release", reason="")
    step(state, START, BrokerDown("paper", "cut"))
    unread = ask(state, "release")
    state.brokers["paper"].reconciled = True
    released = ask(state, "release")

    assert [code(commands) for commands in (without, unread, released)] == ["reason_needed", "not_reconciled", "ok"]
    assert state.killed is None
    assert code(ask(state, "release")) == "nothing_to_release"


def test_a_release_asks_for_a_new_signature_where_the_day_needs_one():
    """The person who opens the gate again signs the card of that moment."""
    state = unsigned()
    ask(state, "confirm", card=card_hash(state))
    ask(state, "kill")

    commands = ask(state, "release")

    assert kinds(commands) == ["LiftBlock", "RaiseBlock", "Answer"]
    assert (UNCONFIRMED in state.blocks, state.day.confirmed) == (True, "")


def test_any_latched_block_is_released_by_its_key_and_no_other_is():
    """A Block that its rule lifts again is not a person's to lift."""
    state = trading_state()
    for block in (Block("instrument:KO", "rejects_max", "x", latched=True), Block("all", "vix", "x")):
        refold(state, START, Tick(), [RaiseBlock(block)])

    named = ask(state, "release", block="instrument:KO/rejects_max")
    by_rule = ask(state, "release", block="all/vix")

    assert (code(named), code(by_rule)) == ("ok", "nothing_to_release")
    assert list(state.blocks) == ["all/vix"]


def test_a_flatten_goes_on_each_second_until_the_broker_shows_flat():
    """The target first; a market close after the time-out; never two at once."""
    state = holding("AAPL")
    step(state, START, quote("AAPL", 200.0))
    first = ask(state, "kill", scope="flatten")
    sent = [of_kind(step(state, START + second * SECOND, Tick()), SubmitOrder) for second in range(1, 61)]

    assert "AmendOrder" in kinds(first)
    assert [second for second, orders in enumerate(sent, start=1) if orders] == [30]


def test_a_kill_cancels_no_entry_twice():
    """What was asked to end is not asked again by the same hand."""
    state = trading_state()
    submitted(state, bracket("MSFT"))
    ask(state, "kill")

    assert of_kind(ask(state, "kill"), CancelOrder) == []
