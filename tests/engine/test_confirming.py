"""The day's confirmation: which card, whose hand, how long it holds and what takes it away."""

from dataclasses import replace
from decimal import Decimal

import pytest

from joed.daemon.record import decode_state, encode_state
from joed.engine.confirming import AT, REFUSED
from joed.engine.phase import UNCONFIRMED
from joed.engine.step import refold, step
from joed.engine.view import card_hash, view
from joed.model.blocks import Block
from joed.model.calendars import Calendar
from joed.model.commands import LiftBlock, RaiseAlert, RaiseBlock
from joed.model.events import AlertDelivered, BrokerDown, BrokerUp, EpochStarted, OperatorAsked, SettingsLoaded, Tick
from joed.model.settings import Confirm, Risk
from joed.model.values import MINUTE, SECOND, Mode, Severity
from joed.protocol import CONFLICTS
from tests.engine.build import CLOSE, OPEN, START, holding, kinds, of_kind, settings_of, trading_state, whole_read
from tests.faults.measure import measured

ASKS = Confirm(paper=True)
TWO = Confirm(paper=True, require_distinct_uid=True)


def ask(state, card, *, uid=1000, now=START, request=""):
    """Sign a card and give the commands; the answer is the last."""
    event = OperatorAsked("confirm", request or f"r-{state.seq}", uid, 1000, 7, "", {"card": card})
    return step(state, now, event)


def code(commands):
    """Give what the answer says."""
    return commands[-1].code


def unsigned(confirm=ASKS, **changes):
    """Give a State whose day waits for a signature."""
    state = trading_state(confirm=confirm, **changes)
    step(state, START, SettingsLoaded(state.settings, "digest", reason="start"))
    return state


def confirmed(**changes):
    """Give a State whose day is signed."""
    state = unsigned(**changes)
    assert code(ask(state, card_hash(state))) == "ok"
    return state


def load(state, settings, *, reason="reload", now=START):
    """Put settings in force, and give the Blocks that follow."""
    commands = step(state, now, SettingsLoaded(settings, "another", state.calendars, reason))
    return [command.block for command in of_kind(commands, RaiseBlock) if command.block.key == AT]


def test_exactly_the_card_that_was_seen_opens_the_day():
    """It is kept whole, with who signed it, and there is nothing to sign a second time (I23)."""
    state = unsigned()
    card = card_hash(state)

    right = ask(state, card)

    assert kinds(right) == ["SignCard", "LiftBlock", "Answer"]
    assert right[1] == LiftBlock(AT, "confirmed by uid 1000")
    assert (state.day.confirmed, state.signed.hash, state.signed.uids) == (card, card, (1000,))
    assert code(ask(state, card_hash(state))) == "nothing_to_confirm"


def test_a_card_signed_before_something_changed_opens_nothing():
    """A position that came in between is not on it."""
    state = unsigned()
    signed = card_hash(state)
    holding("AAPL", state=state)

    assert code(ask(state, signed)) == "card_changed"
    assert AT in state.blocks


def yesterday(state):
    """Let the card have been another session's."""
    state.day.session = "2026-09-18"


def account(state):
    """Let another account have been shown."""
    state.brokers["paper"].account = "OTHER"


STALE = {
    "card_expired": yesterday,
    "card_account": account,
    "card_settings": lambda state: setattr(state, "settings_digest", "other"),
    "card_build": lambda state: setattr(state, "code", "other"),
    "card_changed": lambda state: setattr(state.day, "equity_start", Decimal(5)),
}


@pytest.mark.parametrize("why", STALE)
def test_any_other_card_is_refused_by_its_own_code(why):
    """Yesterday's, another account's, other settings', another build's, an older one (F94): none opens the day."""
    state, then = unsigned(), unsigned()
    STALE[why](then)

    refused = ask(state, card_hash(then))

    assert (kinds(refused), code(refused)) == (["Answer"], why)
    assert AT in state.blocks
    assert state.signed is None
    measured("F94", detected_s=0)  # the answer itself


def test_every_refusal_has_its_words_and_is_a_conflict():
    """Joectl ends with 5 for each: look again, then decide again."""
    assert set(REFUSED) <= CONFLICTS
    assert code(ask(unsigned(), "nonsense")) == "card_unknown"


def test_yesterdays_signed_card_opens_nothing_today():
    """A replayed confirmation, though nothing else has changed."""
    state = unsigned()
    replayed = card_hash(state)
    ask(state, replayed)
    state.day.session = "2026-09-22"
    step(state, START, SettingsLoaded(replace(state.settings, risk=Risk(loss_day_max=Decimal(9000))), "digest"))

    assert code(ask(state, replayed, request="again")) == "card_expired"


def test_the_same_request_opens_the_day_once_and_two_that_race_are_one_and_a_conflict():
    """Whoever retries gets their own answer; whoever came second is told that it is done (S12, S15)."""
    state = unsigned()
    card = card_hash(state)

    first = ask(state, card, request="r1")
    again = ask(state, card, request="r1")
    second = ask(state, card, uid=2000, request="r2")

    assert again == first[-1:]
    assert code(second) == "nothing_to_confirm"
    assert state.signed.uids == (1000,)


def test_there_is_nothing_to_sign_before_the_session_after_it_or_with_books_unread():
    """The day's card needs a day, and what stands on it must have been read."""
    early, late, unread = unsigned(), unsigned(), unsigned()
    early.day.session = ""
    step(unread, START, BrokerDown("paper", "cut"))

    assert code(ask(early, "x")) == "too_early"
    assert code(ask(late, card_hash(late), now=CLOSE)) == "session_over"
    assert code(ask(unread, card_hash(unread))) == "not_reconciled"


def test_two_people_must_sign_the_same_card():
    """The first opens nothing, the same hand twice opens nothing, root is a hand like any other."""
    state = unsigned(TWO)
    card = card_hash(state)

    first = ask(state, card)
    shown = view(state)
    same = ask(state, card)
    second = ask(state, card, uid=0)

    assert (code(first), code(same), code(second)) == ("ok", "second_user_needed", "ok")
    assert "signed by 1 of 2" in first[-1].words
    assert (shown.signing.card, shown.signing.signers, shown.signing.needed) == (card, (1000,), 2)
    assert (kinds(first), kinds(second)) == (["SignCard", "Answer"], ["SignCard", "LiftBlock", "Answer"])
    assert state.signed.uids == (1000, 0)


def test_two_hands_under_two_cards_open_nothing():
    """What the first signed is not what the second saw: the count begins anew."""
    state = unsigned(TWO)
    ask(state, card_hash(state))
    holding("AAPL", state=state)

    other_card = ask(state, card_hash(state), uid=2000)

    assert kinds(other_card) == ["SignCard", "Answer"]
    assert state.day.signers == (2000,)
    assert code(ask(state, card_hash(state), uid=1000)) == "ok"
    assert AT not in state.blocks


def test_a_first_signature_outlives_a_crash():
    """It is in State, and State is in the record."""
    state = unsigned(TWO)
    card = card_hash(state)
    ask(state, card)
    again = decode_state(encode_state(state), b"key")

    assert code(ask(again, card, uid=2000)) == "ok"
    assert AT not in again.blocks


def test_a_restart_in_the_session_keeps_the_confirmation():
    """The same account, settings and build: nobody has to sign twice for a crash."""
    state = decode_state(encode_state(confirmed()), b"key")
    card = state.day.confirmed

    step(state, START, EpochStarted(2, "restart", "0", "code"))
    load(state, state.settings, reason="start")
    step(state, START, BrokerUp("paper", "DEMO", "paper", 2))
    step(state, START, whole_read(START, connection=2, cash="100000"))

    assert AT not in state.blocks
    assert state.day.confirmed == card


def test_a_restart_with_another_build_voids_it():
    """Nobody has signed for this code (I23, F20)."""
    state = confirmed()

    step(state, START, EpochStarted(2, "restart", "0", "new code"))

    assert [block.words for block in load(state, state.settings, reason="start")] == [
        "waiting for joectl confirm: it was for another build"
    ]
    assert state.day.confirmed == ""


@pytest.mark.parametrize("reason", ["start", "reload"])
def test_tightening_keeps_the_confirmation_and_loosening_voids_it(reason):
    """At a reload and at a restart alike, measured against what was signed: going back to it is no loosening (F19)."""
    state = confirmed()
    signed = state.settings

    def with_loss(amount):
        return load(state, replace(signed, risk=Risk(loss_day_max=Decimal(amount))), reason=reason)

    assert with_loss(1000) == []
    assert with_loss(2000) == []
    assert state.day.confirmed != ""
    (voided,) = with_loss(2001)
    assert voided.words == "waiting for joectl confirm: risk.loss_day_max 2000 -> 2001 (loosens)"
    assert state.day.confirmed == ""


def test_other_market_hours_void_it():
    """When may be traded at all was part of what was signed."""
    state = confirmed()
    hours = {"none2": Calendar(name="none2", timezone="UTC")}

    commands = step(state, START, SettingsLoaded(state.settings, "d", hours, "reload"))

    assert AT in [command.block.key for command in of_kind(commands, RaiseBlock)]


def test_another_account_at_the_broker_voids_it():
    """Nobody has signed for that one: a second broker's, say, that came up late."""
    state = confirmed()

    step(state, START, BrokerUp("second", "U9", "paper", 1))

    assert AT in state.blocks


def test_the_confirmation_ends_with_its_session():
    """Not a nanosecond later; there is nothing to sign until the next."""
    state = confirmed()

    raised = [
        [command.block.key for command in of_kind(step(state, at, Tick()), RaiseBlock)].count(AT)
        for at in (CLOSE - 1, CLOSE, CLOSE + SECOND)
    ]

    assert raised == [0, 1, 0]
    assert state.day.confirmed == ""


def test_the_last_signed_card_stays_for_the_next_day_to_be_compared_with():
    """Over sessions and snapshots: the next card shows what has changed since, and its hash names it."""
    state = confirmed()
    last = state.day.confirmed
    step(state, CLOSE, Tick())

    again = decode_state(encode_state(state), b"key")

    assert again.signed == state.signed
    assert again.signed.hash == last
    assert state.signed.card.previous == ""


def test_settings_that_ask_for_nothing_lift_what_waits():
    """In paper mode, once nobody is to sign; a person's own Blocks stay."""
    state = unsigned()
    state.blocks["all/paused"] = Block("all", "paused", "lunch", START)

    step(state, START, SettingsLoaded(settings_of(), "digest"))

    assert set(state.blocks) & {AT, "all/paused"} == {"all/paused"}


def test_a_record_of_signatures_folds_to_the_same_state():
    """Recovery applies what was recorded and decides nothing."""
    state = unsigned(TWO)
    twin = decode_state(encode_state(state), b"key")
    for uid in (1000, 2000):
        event = OperatorAsked("confirm", f"r{uid}", uid, 0, 0, "", {"card": card_hash(state)})
        refold(twin, START, event, step(state, START, event))

    assert encode_state(twin) == encode_state(state)


def examine(state, request="d1", **args):
    """Ask for the doctor of live days, as the shell found it."""
    return step(state, START, OperatorAsked("doctor", request, 0, 0, 0, "", args))


def test_a_first_live_day_is_not_confirmed_before_the_doctor_has_passed():
    """Once for this account: it outlives every session and restart."""
    state = trading_state(mode=Mode.LIVE)
    step(state, START, SettingsLoaded(state.settings, "digest"))

    first = ask(state, card_hash(state))
    failed = examine(state, "d1", failed="clock, alerts")
    second = ask(state, card_hash(state))
    passed = examine(state, "d2", passed="14")
    third = ask(decode_state(encode_state(state), b"key"), card_hash(state))

    assert [code(commands) for commands in (first, failed, second, passed, third)] == [
        *("doctor_needed", "doctor_failed", "doctor_needed", "ok", "ok"),
    ]
    assert kinds(failed) == ["RaiseAlert", "Answer"]
    assert "clock, alerts" in failed[-1].words


def test_a_doctor_that_looked_at_nothing_passes_nothing():
    """Only the shell's own word counts; a paper account has nothing to pass."""
    state = trading_state(mode=Mode.LIVE)

    assert code(examine(state)) == "doctor_failed"
    assert code(examine(trading_state(), passed="14")) == "paper"
    assert state.examined_ns == 0


def test_an_alert_that_arrived_is_remembered_and_one_that_failed_is_not():
    """What the doctor asks for."""
    state = trading_state()

    step(state, START, AlertDelivered("k", "command", Severity.INFO, "no such file"))
    before = state.delivered_ns
    step(state, START, AlertDelivered("k", "command", Severity.INFO))

    assert (before, state.delivered_ns) == (0, START)


def reminded(state, at):
    """Give the words of what a Tick tells about the signature."""
    alerts = [command for command in step(state, at, Tick()) if isinstance(command, RaiseAlert)]
    return [alert.words for alert in alerts if alert.key.startswith(f"{UNCONFIRMED}:")]


def before_open(**changes):
    """Give a State of the morning, whose session is known and not signed."""
    return unsigned(now=OPEN - 20 * MINUTE, **changes)


def test_a_day_that_nobody_has_signed_is_told_a_quarter_of_an_hour_before_the_open():
    """Both sides of it, once; and not where the day is signed, asks for nothing, or the person wants no word."""
    state = before_open()
    assert reminded(state, OPEN - 15 * MINUTE - 1) == []

    (words,) = reminded(state, OPEN - 15 * MINUTE)

    assert words == "session 2026-09-21 opens in 15 min and is not confirmed, so nothing is opened: joectl confirm"
    assert reminded(state, OPEN - 15 * MINUTE + 30 * SECOND) == []
    assert reminded(trading_state(now=OPEN - 20 * MINUTE), OPEN - 15 * MINUTE) == []
    assert reminded(before_open(confirm=replace(ASKS, tell_before_open_s=0)), OPEN - 15 * MINUTE) == []
    assert len(reminded(before_open(confirm=replace(ASKS, tell_before_open_s=60)), OPEN - MINUTE)) == 1


def test_a_day_that_lost_its_signature_is_told_until_its_close_and_a_signature_ends_the_alert():
    """What is over is told no more; a second loss is news again."""
    state = before_open()
    reminded(state, OPEN - 15 * MINUTE)
    assert code(ask(state, card_hash(state), now=OPEN - 10 * MINUTE)) == "ok"
    assert not any(key.startswith(f"{UNCONFIRMED}:") for key in state.alerts)
    assert reminded(state, OPEN - 9 * MINUTE) == []
    refold(state, START, Tick(), [RaiseBlock(Block("all", UNCONFIRMED, "voided", START))])

    assert reminded(state, START) == [
        "session 2026-09-21 is open and is not confirmed, so nothing is opened: joectl confirm"
    ]
    late = before_open()
    assert reminded(late, CLOSE) == []
