"""What the account is worth and exposed to: ours at its marks, and what else lies in the same account."""

from joed.engine.exposure import foreign_value, note_worth
from joed.engine.step import step
from joed.model.events import PositionSeen
from tests.engine.build import START, D, holding, quote, trading_state, whole_read


def test_a_position_counts_at_its_mark_in_exposure_worth_and_profit():
    """Ten at 210 that cost 200: 2,100 held, 100 gained."""
    state = holding("AAPL")
    before = state.cash
    step(state, START, quote("AAPL", 209.99, 210.01))

    note_worth(state)

    assert (state.exposure, state.unrealised) == (D(2100), D(100))
    assert state.worth == before + D(2100)
    assert (state.longs, state.shorts) == ({"AAPL": D(2100)}, {})


def test_what_is_not_ours_is_exposure_and_neither_worth_nor_profit():
    """A person's fifty short in the same account fill the limits; our equity and our result are as before."""
    state = holding("AAPL")
    step(state, START, quote("MSFT", 99.99, 100.01))
    note_worth(state)
    ours = (state.worth, state.unrealised, state.exposure)
    state.external["MSFT"] = D(-50)

    note_worth(state)

    assert (state.worth, state.unrealised) == ours[:2]
    assert state.exposure == ours[2] + D(5000)
    assert state.shorts == {"MSFT": D(5000)}


def test_what_nobody_quotes_counts_at_the_price_at_which_the_broker_says_it_was_taken():
    """Two whole reads prove 7 of something unknown held at 30: 210; without that price it is worth nothing known."""
    state = trading_state()
    for at in (START, START + 1):
        step(state, at, whole_read(at, positions=(PositionSeen("OTHER", D(7), D(30)),)))

    value = foreign_value(state, "OTHER")
    state.brokers["paper"].averages.clear()

    assert value == D(210)
    assert foreign_value(state, "OTHER") == 0
