"""What can be looked at, and how a record is told."""

from dataclasses import replace

import msgspec
import pytest

from joed.daemon.reads import HIDDEN, READS, Record, about, describe, signatures, stem
from joed.engine.view import card_hash, view
from joed.model.commands import Answer, CancelOrder
from joed.model.events import OrderAccepted, Quote, SettingsLoaded, Tick
from joed.model.settings import Confirm, Settings
from joed.model.view import View
from joed.protocol import Role
from tests.daemon.serving import state_of_a_day


@pytest.mark.parametrize("verb", READS)
def test_every_row_is_ready_for_json(verb):
    """Whatever is chosen of the View encodes; money stays text."""
    body = msgspec.json.decode(msgspec.json.encode(READS[verb].show(view(state_of_a_day()))))

    assert isinstance(body, dict)
    assert not any(isinstance(value, float) for name, value in body.items() if name in {"equity", "daily_pnl"})


def test_status_leaves_out_only_what_is_hidden():
    """A field that is added to the View is shown without anybody remembering to."""
    shown = READS["status"].show(view(state_of_a_day()))

    assert set(View.__struct_fields__) - set(shown) == HIDDEN


def test_status_says_how_many_have_signed_the_card_as_it_is():
    """A signature of another card counts for nothing; once confirmed, all that were needed have signed."""
    state = state_of_a_day()
    state.settings = replace(state.settings, confirm=Confirm(require_distinct_uid=True))
    state.day.confirmed = ""
    assert signatures(view(state)) == {"signed": 0, "needed": 2}

    state.day.signing, state.day.signers = card_hash(state), (1000,)
    assert signatures(view(state)) == {"signed": 1, "needed": 2}

    state.day.signing = "another"
    assert signatures(view(state)) == {"signed": 0, "needed": 2}

    state.day.confirmed = "card"
    assert signatures(view(state)) == {"signed": 2, "needed": 2}


def test_only_the_version_is_for_everyone():
    """Positions are nobody's business but the viewers'."""
    assert [verb for verb, row in READS.items() if row.role is Role.ANY] == ["version"]


def test_a_record_tells_its_event_and_what_it_led_to():
    """In the order of the record, each under the name that the record has for it."""
    record = Record(7, 9, OrderAccepted("o", "17"), (CancelOrder("o", "why"), Answer("k", "kill", "ok", "")))

    told = msgspec.json.decode(msgspec.json.encode(describe(record)))

    assert (told["seq"], told["now_ns"], told["event"]["type"]) == (7, 9, "OrderAccepted")
    assert [command["type"] for command in told["commands"]] == ["CancelOrder", "Answer"]


def test_an_order_is_asked_about_with_all_its_legs():
    """The stem is what entry, stop and target share; a name that is none of our ids stands for itself."""
    assert stem("j1-20250103-3-17.0-E-ab12") == stem("j1-20250103-3-17.0-S-cd34") == "j1-20250103-3-17.0"
    assert stem("j1-20250103-3-17.1-E-ab12") != "j1-20250103-3-17.0"
    assert stem("AAPL") == "AAPL"


def test_of_a_record_only_what_concerns_the_order_is_told():
    """A Tick leads to much: of it what concerns the order; of the order's own event all that it led to."""
    mine, other = CancelOrder("j1-d-3-17.0-E-ab", "late"), CancelOrder("j1-d-3-18.0-E-cd", "late")
    names = ("j1-d-3-17.0",)

    assert about(Record(1, 2, Tick(), (other, mine)), names).commands == (mine,)
    assert about(Record(1, 2, OrderAccepted("j1-d-3-17.0-S-ef", "1"), (other,)), names).commands == (other,)
    assert about(Record(1, 2, Tick(), (other,)), names) is None
    assert about(Record(1, 2, Quote("AAPL", 1.0, 1.1), (mine,)), ("AAPL",)).commands == (mine,)
    assert about(Record(1, 2, Tick(), (Answer("k", "kill", "ok", ""),)), ("",)) is None


def test_settings_are_told_by_their_digest():
    """Five hundred instruments in a line of a watch would tell nobody anything."""
    told = describe(Record(1, 2, SettingsLoaded(Settings(), "d1g357")))

    assert told["event"] == {"type": "SettingsLoaded", "digest": "d1g357", "reason": "start"}
