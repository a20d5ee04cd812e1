"""joed.brokers.capital.listings: what Capital.com's rules allow, before an order is sent."""

from decimal import Decimal as Money

import pytest
from msgspec.structs import replace

from joed.brokers.capital.listings import Gap, amiss, is_level, listing_of, misfit, shut
from joed.brokers.capital.shapes import Markets
from joed.brokers.capital.wire import decode
from joed.model.settings import Instrument
from joed.model.values import Side
from tests.brokers.capital.recorded import MARKETS
from tests.brokers.rigs import bracket

ROW = Instrument("AAA")
LISTING = listing_of(decode(Markets, MARKETS).market_details[0], 7)
BID, ASK = Money("99.90"), Money("100.00")


def test_the_step_of_prices_is_not_that_of_sizes():
    """Mixing them makes a small size nothing; a distance may be a share of the price."""
    assert (LISTING.step, LISTING.size_step, LISTING.size_min) == (Money("0.01"),) * 3
    assert LISTING.gap_max == Gap(Money(60), percent=True)
    assert LISTING.gap_max.at(Money(200)) == 120
    assert Gap(Money(3)).at(Money(200)) == 3
    assert (LISTING.read_ns, LISTING.open, LISTING.restricted) == (7, True, "")


@pytest.mark.parametrize(
    ("listing", "words"),
    [
        (None, "not read yet"),
        (replace(LISTING, status="CLOSED"), "AAA is CLOSED"),
        (replace(LISTING, status=""), "of no status"),
        (replace(LISTING, status="SUSPENDED"), "SUSPENDED"),
        (replace(LISTING, modes=("CLOSE_ONLY",)), "AAA is CLOSE_ONLY"),
        (replace(LISTING, modes=("REGULAR", "LONG_ONLY")), "LONG_ONLY"),
    ],
)
def test_nothing_is_opened_in_a_market_that_does_not_trade(listing, words):
    """Its status decides, and its modes: weekends, holidays and crypto alike."""
    assert words in shut(listing, ROW)
    assert shut(LISTING, ROW) == shut(replace(LISTING, modes=()), ROW) == ""


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, None),
        ({"quantity": Money("0.5")}, "quantity"),
        ({"quantity": Money(0)}, "quantity"),
        ({"quantity": Money(501)}, "quantity"),
        ({"stop": Money("95.001")}, "price"),
        ({"level": Money(0)}, "price"),
        ({"target": Money(-1)}, "price"),
        ({"stop": None}, "stop"),
        ({"stop": Money("99.90")}, "stop"),
        ({"stop": Money("101.00")}, "stop"),
        ({"stop": Money("39.00")}, "stop"),
        ({"target": Money("99.90")}, "target"),
    ],
)
def test_an_entry_fits_the_dealing_rules_or_says_which_it_breaks(change, code):
    """Size, step, level and distances, measured from the quote on the closing side."""
    found = misfit(LISTING, ROW, replace(bracket(), **change), BID, ASK)

    assert (found.code if found else None) == code


def test_a_shorts_distances_are_measured_from_above():
    """Its stop lies above the offer, its target below."""
    short = replace(bracket(level="99.00", stop="105.00", target="90.00"), side=Side.SELL)

    assert misfit(LISTING, ROW, short, BID, ASK) is None
    assert misfit(LISTING, ROW, replace(short, stop=Money("100.00")), BID, ASK).code == "stop"


def test_a_distance_that_has_widened_refuses_what_it_allowed_before():
    """Rules widen in troubled times."""
    assert misfit(replace(LISTING, gap_min=Gap(Money(5))), ROW, bracket(), BID, ASK).code == "stop"
    assert misfit(replace(LISTING, gap_min=Gap(Money("4.90"))), ROW, bracket(), BID, ASK) is None


def test_a_level_is_a_positive_number_of_ticks():
    """Nothing else can stand in a book."""
    assert is_level(Money("97.01"), ROW)
    assert not any(is_level(Money(text), ROW) for text in ("97.001", "0", "-1", "NaN", "Infinity"))
    assert not is_level(None, ROW)


@pytest.mark.parametrize(
    ("listing", "row", "code"),
    [
        (LISTING, ROW, None),
        (replace(LISTING, currency=""), ROW, None),
        (LISTING, Instrument("AAA", currency="EUR"), "currency"),
        (LISTING, Instrument("AAA", lot=Money("0.015")), "lot"),
        (replace(LISTING, size_step=None), Instrument("AAA", lot=Money("0.015")), None),
        (replace(LISTING, modes=("CLOSE_ONLY",)), ROW, "close_only"),
    ],
)
def test_a_row_of_the_universe_that_does_not_fit_its_listing_says_what_to_mend(listing, row, code):
    """Money in another currency and sizes off the step are wrong numbers: nothing is opened on them."""
    found = amiss(listing, row)

    assert (found.code if found else None) == code
