"""What people ask for: each gets an answer, a yes or a named refusal."""

from joed.engine.step import refold, step
from joed.engine.view import card_hash
from joed.model.blocks import Block
from joed.model.commands import RaiseBlock
from joed.model.events import BrokerDown, JournalFailed, JournalRestored, OperatorAsked, SettingsLoaded, Tick
from joed.model.settings import Confirm
from joed.model.values import Mode
from tests.engine.build import (
    START,
    kinds,
    of_kind,
    settings_of,
    trading_state,
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
    assert unread[-1].words == "the books are not reconciled with paper"
    assert state.killed is None
    assert code(ask(state, "release")) == "nothing_to_release"


def test_a_release_asks_for_a_new_signature_where_the_day_needs_one():
    """The person who opens the gate again signs the card of that moment."""
    state = unsigned()
    ask(state, "confirm", card=card_hash(state))
    ask(state, "kill")

    commands = ask(state, "release")

    assert kinds(commands) == ["LiftBlock", "RaiseBlock", "Unlatch", "Answer"]
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


def test_nothing_is_released_while_the_journal_cannot_commit():
    """A release that cannot be kept is none: the disk first; then as ever, and the file goes with the kill alone."""
    state = trading_state()
    ask(state, "kill")
    step(state, START, JournalFailed("FULL"))

    full = ask(state, "release")
    step(state, START, JournalRestored())
    other = ask(state, "release", block="all/journal_failed")
    released = ask(state, "release")

    assert [code(commands) for commands in (full, other, released)] == ["journal_failed", "ok", "ok"]
    assert "make room" in full[-1].words
    assert ("Unlatch" in kinds(other), "Unlatch" in kinds(released)) == (False, True)


def test_a_person_runs_a_job_whatever_its_time():
    """It starts at once and once; a job that there is not, a running one and a day without a session are refused."""
    state = trading_state()
    made = ask(state, "run", job="analytics")

    assert kinds(made) == ["RunJob", "Answer"]
    assert code(made) == "ok"
    assert code(ask(state, "run", job="analytics", request="again")) == "job_running"
    assert code(ask(state, "run", job="tea")) == "job_unknown"
    state.day.session = ""
    assert code(ask(state, "run", job="scan")) == "no_session"
