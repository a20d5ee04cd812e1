"""Slips in the gate: limits that do not hold, prices that are none, Blocks that match nothing."""

from joed.daemon import carry_out, intake
from joed.engine import fear, markets, risk
from joed.model.blocks import ALL
from tests.planted.planting import patched, together


def passing(code):
    """Give the patch by which one limit lets everything through."""
    return patched(risk.CHECKS, code, lambda state, now, request: "")


def know_no_fear():
    """Let VIX leap, and go on."""
    return patched(fear, "shut", lambda state, now, market, commands: None)


def match_blocks_by_another_scope():
    """Look for a broker's Block under the instrument's name."""

    def mistaken(state, symbol, strategy):
        scopes = (ALL, f"instrument:{symbol}", f"strategy:{strategy}", f"broker:{symbol}")
        return next((block for block in state.blocks.values() if block.scope in scopes), None)

    return together(patched(risk, "matches", mistaken), patched(carry_out, "matches", mistaken))


def trade_on_crossed_prices():
    """Take a bid above its ask for a price."""

    def tolerant(quote):
        return 0.0 < quote.bid < markets.inf and 0.0 < quote.ask < markets.inf

    return together(patched(markets, "sound", tolerant), patched(intake, "sound", tolerant), passing("spread_wide"))


def believe_every_print():
    """Follow a price that no other confirms."""
    return patched(markets, "jumped", lambda state, market, price: False)


def count_only_what_is_held():
    """Leave pending entries out of the limit of positions."""

    def held_only(state, now, request):
        held = sum(1 for position in state.positions.values() if position.quantity)
        return "too many" if held >= state.settings.risk.position_max else ""

    return patched(risk.CHECKS, "position_max", held_only)


BUGS = {
    know_no_fear: ("fear means shut",),
    match_blocks_by_another_scope: ("read before entries",),
    trade_on_crossed_prices: ("prices are sound",),
    believe_every_print: ("stops stay near",),
    count_only_what_is_held: ("position limit",),
}
