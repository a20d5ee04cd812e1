"""joed.brokers.capital.nights: what holding costs, on the position that it is for."""

from decimal import Decimal as Money

import pytest
from msgspec.structs import replace

from joed.brokers.capital.ledger import Ledger, Stage
from joed.brokers.capital.nights import BOOKED_MAX, booked
from joed.brokers.capital.whole import Trade
from joed.model.events import OrderFilled
from joed.model.values import SECOND, Side
from tests.brokers.capital.place import Place
from tests.brokers.capital.rows import SENT_NS, held, opened, whole
from tests.brokers.rigs import bracket

FILL = OrderFilled("E1", "d1:open", "AAA", Side.BUY, Money(10), Money(100), at_ns=SENT_NS)
NIGHT = Trade("", "SWAP", "AAA.X", Money("-0.60"), "USD", SENT_NS + 5 * SECOND, "r1")


def book(look, *rows):
    """Book what a look shows on these rows."""
    ledger = Ledger()
    for row in rows:
        ledger.put(row)
    return booked(ledger, look, 9)


def test_a_nights_fee_corrects_the_openings_fee_once():
    """The same execution, one revision on; seen again it is no news."""
    row = opened(fills=(FILL,))
    look = whole(held(), trades=[NIGHT])

    assert book(look, row) == [replace(FILL, fee=Money("0.60"), revision=1)]
    assert book(look, row) == []
    again = whole(held(), trades=[NIGHT, replace(NIGHT, reference="r2", amount=Money("0.10"))])
    assert book(again, row) == [replace(FILL, fee=Money("0.50"), revision=2)]
    assert row.fills == (replace(FILL, fee=Money("0.50"), revision=2),)


def test_rows_share_a_movement_by_their_sizes_and_strangers_bear_theirs():
    """The epic is named, not the position: half to a stranger's row of the same size."""
    assert book(whole(held(), held("d9"), trades=[NIGHT]), opened(fills=(FILL,)))[0].fee == Money("0.30")


@pytest.mark.parametrize(
    ("row", "trade"),
    [
        (opened(fills=(FILL,)), replace(NIGHT, kind="DEPOSIT")),
        (opened(fills=(FILL,)), replace(NIGHT, kind="TRADE")),
        (opened(fills=(FILL,)), replace(NIGHT, epic="BBB.X")),
        (opened(fills=(FILL,)), replace(NIGHT, at_ns=SENT_NS - 1)),
        (opened(fills=(FILL,)), replace(NIGHT, currency="EUR")),
        (opened(fills=(FILL,)), replace(NIGHT, amount=Money(0))),
        (opened(fills=(FILL,), swaps=tuple(map(str, range(BOOKED_MAX)))), NIGHT),
        (replace(opened(fills=(FILL,)), stage=Stage.ENDED), NIGHT),
        (opened(), NIGHT),
    ],
)
def test_what_is_not_the_positions_is_not_booked_on_it(row, trade):
    """Other kinds, epics, times, money: the account's equity has them all the same."""
    assert book(whole(held(), trades=[trade]), row) == []


def test_a_position_that_ended_since_bears_the_night_that_it_was_held():
    """The movement may be seen after the close."""
    close = replace(FILL, order="E1-S", execution="d1:close", at_ns=NIGHT.at_ns + 1)
    row = replace(opened(fills=(FILL, close)), stage=Stage.ENDED)

    assert book(whole(trades=[NIGHT]), row)[0].fee == Money("0.60")


def test_fees_and_dividends_of_a_real_night_reach_the_fill_and_the_cash(tmp_path):
    """The equity by the read equals what the executions make: no money appears or disappears."""
    place = Place(tmp_path)
    place.submit(bracket())
    place.wait()
    place.fake.charge_overnight()
    place.fake.adjust_dividend("AAA", Money("0.25"))
    place.read()
    place.wait()
    seen = place.read()

    fee = seen.executions[0].fee
    assert fee != 0
    assert seen.executions[0].revision == 2
    assert seen.cash == place.exchange.book.cash - fee
    assert [event.revision for event in place.of(OrderFilled)] == [0, 1, 2]
    place.close()
