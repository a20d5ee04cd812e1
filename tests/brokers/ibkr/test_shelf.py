"""joed.brokers.ibkr.shelf: one page of one day, whole or not at all."""

from types import SimpleNamespace

import pytest

from joed.brokers.ibkr.shelf import FIELDS, NAME, SIZE_MAX, Kept, Page, Shelf, day_of, fields_of
from joed.model.values import DAY, SECOND

NOW = 1_790_000_000 * SECOND


def page(now=NOW):
    """Give a page with one instrument."""
    contract = {"conId": 265598, "symbol": "AAPL"}
    row = Kept({"symbol": "AAPL"}, contract, 26, "0.01", "US/Eastern", "20260921:CLOSED", "", now)
    return Page(day_of(now), {"AAPL": row}, {"26": [("0", "0.01")]})


def test_what_is_put_there_is_there_for_the_day(tmp_path):
    """And on the next it is not."""
    Shelf(tmp_path).save(page())

    assert Shelf(tmp_path).load(NOW) == page()
    assert Shelf(tmp_path).load(NOW + DAY) == Page(day_of(NOW + DAY))
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"day": 3}', b"\xff\xfe", b" " * (SIZE_MAX + 1)])
def test_a_page_that_cannot_be_read_is_an_empty_one(tmp_path, content):
    """TWS is asked anew."""
    (tmp_path / NAME).write_bytes(content)

    assert Shelf(tmp_path).load(NOW) == Page(day_of(NOW))


def test_without_a_place_nothing_is_kept(tmp_path):
    """A visit that trades nothing has none; a place that is gone is as good as none."""
    for shelf in (Shelf(None), Shelf(tmp_path / "gone")):
        shelf.save(page())
        assert shelf.load(NOW) == Page(day_of(NOW))


def test_a_contract_is_kept_by_the_fields_that_tell_it_from_all_others():
    """What an order for it needs on the wire."""
    contract = SimpleNamespace(**dict.fromkeys(FIELDS, "x"), comboLegs=[])

    assert fields_of(contract) == dict.fromkeys(FIELDS, "x")
