"""The account's money as it is shown: in base currency, with the rates and their ages."""

from joed.engine.funds import balances, funds
from joed.engine.step import step
from joed.engine.view import view
from joed.model.events import Tick
from joed.model.values import SECOND
from tests.engine.build import START, D, quote, trading_state
from tests.engine.test_money import bought, two_currencies


def test_the_rates_are_seen_with_their_age():
    """Of every currency that is traded or held, also one without a rate."""
    state = two_currencies()
    step(state, START + 30 * SECOND, Tick())
    unknown = two_currencies(rate=None)

    [row], [none] = view(state).rates, view(unknown).rates

    assert (row.currency, row.rate, row.age_s, row.source, row.stale) == (
        "EUR",
        D("1.10"),
        30.0,
        "paper: EURUSD",
        False,
    )
    assert (none.rate, none.age_s, none.stale) == (None, None, True)
    assert view(trading_state()).rates == ()


def test_the_money_shown_is_converted():
    """Ten at 105 euros, bought at 100: 1,155 dollars, 55 of them gained; the cash less what was paid in euros."""
    state = two_currencies()
    bought(state, fee="2")
    step(state, START, quote("SAP", 105.0, 105.0))
    shown = view(state)
    money = funds(state, shown.positions)

    assert (money["gross"], money["unrealised"], money["cash"]) == (D(1155), D(55), D("98897.8"))
    assert (money["equity"], money["daily_pnl"]) == (D("100052.8"), D("52.8"))
    assert (shown.equity, shown.balances, balances(state)) == (money["equity"], {"EUR": D(-1002)}, {"EUR": D(-1002)})
    assert (shown.positions[0].currency, shown.positions[0].unrealised) == ("EUR", 50)
