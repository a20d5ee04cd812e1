"""joed.brokers.capital.faults: what an answer proves."""

from decimal import Decimal as Money

import pytest

from joed.brokers.capital.faults import (
    BadCredentials,
    Doubted,
    Fault,
    Gone,
    Refused,
    SessionOver,
    TooMany,
    fault_of,
    refusal_code,
)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "error.invalid.size.minvalue: 0.1", Refused),
        (400, "error.validation.stop.price", Refused),
        (400, "error.of.tomorrow", Refused),
        (401, "error.invalid.session.token", SessionOver),
        (400, "error.null.client.token", SessionOver),
        (401, "", SessionOver),
        (401, "error.invalid.details", BadCredentials),
        (400, "error.null.api.key", BadCredentials),
        (429, "error.too-many.requests", TooMany),
        (429, "", TooMany),
        (404, "error.not-found.dealId", Gone),
        (404, "error.prices.not-found", Gone),
        (404, "", Doubted),
        (400, "", Doubted),
        (500, "java.util.concurrent.TimeoutException", Doubted),
        (400, "java.util.concurrent.TimeoutException", Doubted),
        (503, "error.service.unavailable", Doubted),
        (502, "", Doubted),
        (302, "", Doubted),
    ],
)
def test_only_a_definitive_answer_is_a_refusal(status, code, kind):
    """A 4xx with a code of theirs is one; an error inside Capital.com proves nothing, whatever its status."""
    assert type(fault_of(status, code)) is kind


def test_a_session_that_is_over_is_no_refused_order():
    """Its code begins like one ("error.invalid."): asked for first, or an entry would be booked as refused by rule."""
    assert not isinstance(fault_of(400, "error.invalid.session.token"), BadCredentials)
    assert isinstance(fault_of(400, "error.invalid.session.token"), SessionOver)


@pytest.mark.parametrize(
    ("code", "bound"),
    [
        ("error.invalid.stoploss.minvalue: 17.146", Money("17.146")),
        ("error.invalid.size.minvalue", None),
        ("error.invalid.size.minvalue: none", None),
        ("error.invalid.size.minvalue: NaN", None),
    ],
)
def test_a_bound_is_read_from_behind_the_colon(code, bound):
    """The suffix is optional, and no number is guessed."""
    found = fault_of(400, code)

    assert isinstance(found, Refused)
    assert found.bound == bound


def test_a_fault_says_its_code_and_status_alone():
    """Its words go to logs and alerts."""
    found = fault_of(400, "error.invalid\n.size")

    assert isinstance(found, Fault)
    assert str(found) == "error.invalid?.size (HTTP 400)"


def test_a_refused_order_has_our_word_for_why():
    """Breakers and people count by it; a word that is unknown is kept as it is."""
    assert refusal_code("error.invalid.size.minvalue: 1") == "quantity"
    assert refusal_code("RC_NOT_ENOUGH_MARGIN") == "margin"
    assert refusal_code("NEW_REASON") == "NEW_REASON"
    assert refusal_code("") == "refused"
