"""The gate of crypto entries: bounds on both sides, and nothing opened on a reading that nobody knows."""

import pytest

from joed.engine.crypto import gated
from joed.engine.risk import CHECKS
from joed.engine.step import step
from joed.engine.view import view
from joed.model.commands import RefuseEntry
from joed.model.events import CryptoRead, TriggersMade
from joed.model.settings import Instrument
from joed.model.thinking import Bound, Crypto, Source
from joed.model.values import HOUR, SECOND
from tests.engine.build import START, kinds, of_kind, quote, settings_of, trading_state, trigger

COIN = Instrument("BTC", kind="crypto")
FEAR = Crypto(sources={"fear_greed_index": Source()}, gate={"fear_greed_index": Bound(low=25.0, high=75.0)})


def asked(rules, **readings):
    """Give a State under these rules that has heard these readings, an hour after their source said them."""
    state = trading_state(crypto=rules)
    step(state, START, CryptoRead(1, readings, dict.fromkeys(readings, START - HOUR)))
    return state


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (24.9, "fear_greed_index is 24.9, allowed is 25 to 75"),
        (25.0, ""),
        (75.0, ""),
        (75.1, "fear_greed_index is 75.1, allowed is 25 to 75"),
        (None, "fear_greed_index is unknown"),
        (float("nan"), "fear_greed_index is unknown"),
    ],
)
def test_a_reading_outside_its_bounds_or_unknown_opens_nothing(value, words):
    """Both bounds are allowed; what is absent is said to be, and refuses."""
    assert gated(asked(FEAR, fear_greed_index=value), START, COIN) == words


def test_what_was_never_read_is_unknown():
    """Before the first answer of the job there is none."""
    assert gated(trading_state(crypto=FEAR), START, COIN) == "fear_greed_index is unknown"


def test_a_reading_counts_from_when_its_source_said_it():
    """Two days as shipped, to the nanosecond; the job's own runs make no old word young."""
    state = asked(FEAR, fear_greed_index=50.0)
    last = START - HOUR + 172_800 * SECOND

    assert gated(state, last, COIN) == ""
    assert gated(state, last + 1, COIN) == "fear_greed_index is 48 h old, the limit is 48 h"


def test_only_crypto_is_gated_and_only_by_what_a_person_named():
    """A stock does not ask, and without a gate nothing does."""
    assert gated(asked(FEAR, fear_greed_index=5.0), START, Instrument("AAPL")) == ""
    assert gated(asked(Crypto(), fear_greed_index=5.0), START, COIN) == ""


def test_an_entry_is_refused_by_its_own_code():
    """Through the one gate: the refusal is a record with the code and the words."""
    state = asked(FEAR, fear_greed_index=12.0)
    settings = settings_of(crypto=FEAR)
    settings.universe["AAPL"] = Instrument("AAPL", kind="crypto")
    state.settings = settings
    step(state, START, TriggersMade(1, (trigger(),)))
    step(state, START, quote("AAPL", 199.0))

    commands = step(state, START, quote("AAPL", 200.0))

    (refused,) = of_kind(commands, RefuseEntry)
    assert (refused.code, refused.words) == ("crypto_gate", "fear_greed_index is 12, allowed is 25 to 75")
    assert "crypto_gate" in CHECKS
    assert kinds(commands) == ["RefuseEntry"]


def test_people_see_what_is_known_and_what_is_not():
    """Whatever was asked for or is waited for has a row, known or not."""
    rules = Crypto(sources={"mvrv_ratio": Source()}, gate={"bitcoin_return_30d": Bound(low=-0.2)})
    shown = view(asked(rules, bitcoin_return_30d=0.1)).crypto

    assert {name: (row.value, row.age_s) for name, row in shown.items()} == {
        "mvrv_ratio": (None, None),
        "bitcoin_return_30d": (0.1, 3600.0),
    }
