"""The names of the embedded market."""

from joed.market.listings import BROKER, INDEX, LISTINGS, VIX, universe_of


def test_the_stocks_are_traded_and_the_index_and_vix_are_watched():
    """Twenty and two, all at the paper broker."""
    universe = universe_of()

    assert [name for name, row in universe.items() if not row.tradable] == [INDEX, VIX]
    assert [name for name, row in universe.items() if row.tradable] == [row.symbol for row in LISTINGS]
    assert {row.broker for row in universe.values()} == {BROKER}
    assert len(LISTINGS) == 20


def test_a_market_of_some_names_lists_those():
    """The index and VIX are always there."""
    assert list(universe_of(LISTINGS[:1])) == [INDEX, VIX, "AAPL"]
    assert universe_of()["AAPL"].sector == "technology"
