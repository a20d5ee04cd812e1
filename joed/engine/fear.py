"""The fast path of fear: a VIX that leaps shuts entries in the next record, and only time and level open them again.

By level, over the last close, or within minutes (libraries 3); each by several prints in a row, or by one that stands,
since the index of fear itself has printed nonsense; and each with a market that moved, where the market's index can be
asked. A leap that it does not confirm counts once it has stood for a minute. Resting entries are cancelled, stops are
kept.
"""

from joed.engine.markets import empty_band, price_of
from joed.engine.orders import cancel_entries
from joed.model.blocks import ALL, Block, key
from joed.model.commands import Command, LiftBlock, RaiseAlert, RaiseBlock
from joed.model.events import Quote
from joed.model.state import Fright, Market, State
from joed.model.values import SECOND, Severity

REASON = "vix"
KEY = key(ALL, REASON)
CALM = 0.92
"""The share of the threshold under which VIX must stay before entries are allowed again."""
ANCHOR_EVERY_NS = 10 * SECOND
ANCHORS_MAX = 60


def threshold(state: State, market: Market) -> float:
    """Give the VIX from which entries are off: the least of the level, the last close's rise and the window's rise.

    While they are off no anchor is added, so the level that shut them stays where it was.
    """
    fear = state.settings.vix
    level = fear.level_max
    if market.previous_close is not None:
        level = min(level, market.previous_close * (1 + fear.day_rise))
    for _, anchor in state.fright.anchors:
        level = min(level, anchor * (1 + fear.fast_rise))
    return level


def note_print(state: State, now: int, market: Market, quote: Quote) -> None:
    """Count prints in a row above the threshold (part of `apply`)."""
    if price_of(quote) >= threshold(state, market):
        state.fright.first_ns = state.fright.first_ns if state.fright.prints else now
        state.fright.prints += 1
        state.fright.last_high_ns = now
    else:
        state.fright.prints = 0


def note_shut(state: State) -> None:
    """Remember the level that shut entries: calm is judged against it (part of `apply`)."""
    market = state.markets.get(state.settings.vix.instrument)
    state.fright.level = threshold(state, market) if market is not None else state.settings.vix.level_max
    state.fright.since_ns = state.fright.last_high_ns = state.now


def note_session(state: State) -> None:
    """Let yesterday's prices say nothing about today's leaps; entries that are off stay off (part of `apply`)."""
    before = state.fright
    state.fright = Fright()
    if KEY in state.blocks:
        state.fright = Fright(since_ns=before.since_ns, last_high_ns=before.last_high_ns, level=before.level)


def note_tick(state: State, now: int) -> None:
    """Keep levels for the window, and when VIX was last too high to be calm (part of `apply`).

    A price that is being doubted, or that shut entries, is no anchor: the leap may not become the measure of the next.
    """
    market = state.markets.get(state.settings.vix.instrument)
    if market is None or market.quote is None:
        return
    fright = state.fright
    price = price_of(market.quote)
    if KEY in state.blocks:
        if price >= fright.level * CALM:
            fright.last_high_ns = now
        return
    if fright.prints or market.suspects:
        return
    if not fright.anchors or now - fright.anchors[-1][0] >= ANCHOR_EVERY_NS:
        window_ns = int(state.settings.vix.fast_window_s * SECOND)
        fright.anchors = [(at, level) for at, level in fright.anchors if at > now - window_ns][1 - ANCHORS_MAX :]
        fright.anchors.append((now, price))
        empty_band(market)


def shut(state: State, now: int, market: Market, commands: list[Command]) -> None:
    """Shut entries once enough prints in a row agree, or one has stood, and the market moved with them."""
    fear, fright = state.settings.vix, state.fright
    if KEY in state.blocks or not fright.prints or market.quote is None:
        return
    stood_s, alone = (now - fright.first_ns) / SECOND, fright.prints < fear.prints
    moved, why = confirmation(state, now, market)
    if alone and not (moved and stood_s >= fear.persist_s):
        return
    if moved is False and stood_s < fear.unconfirmed_s:
        return
    words = f"VIX at {price_of(market.quote):.2f}, {why}"
    commands.append(RaiseBlock(Block(ALL, REASON, words, now)))
    commands.append(RaiseAlert(f"vix:{now}", Severity.WARNING, f"{words}: entries are off"))
    commands.extend(cancel_entries(state, "VIX"))


def persists(state: State, now: int, commands: list[Command]) -> None:
    """Look at a high print that stands, once a second: it may have stood long enough, or the market has moved since."""
    market = state.markets.get(state.settings.vix.instrument)
    if market is not None and state.fright.prints:
        shut(state, now, market, commands)


def confirmation(state: State, now: int, vix: Market) -> tuple[bool | None, str]:
    """Say whether the market bears a leap of VIX out, and why; None where its index cannot be asked.

    Then several prints are enough: what is not known is never taken for calm.
    """
    fear, name = state.settings.vix, state.settings.index
    if vix.previous_close is not None and vix.previous_close >= fear.level_max * CALM:
        return True, "near its last close"
    index = state.markets.get(name)
    if (
        index is None
        or index.quote is None
        or now - index.quote.received_ns > int(state.settings.feed.stale_s * SECOND)
    ):
        return None, f"{name} is not quoted"
    price = price_of(index.quote)
    fell = [price / base - 1.0 for base in (index.previous_close, index.anchor or None) if base is not None]
    if not fell:
        return None, f"{name} has nothing to be compared with"
    moved = min(fell) <= -fear.confirm_fall
    return moved, f"{name} {min(fell):+.2%}{'' if moved else ', which does not confirm it'}"


def reopen(state: State, now: int, commands: list[Command]) -> None:
    """Allow entries again after the holding time, counted from the last print that was not calm."""
    if KEY in state.blocks and now - state.fright.last_high_ns >= int(state.settings.vix.hold_s * SECOND):
        commands.append(LiftBlock(KEY, "VIX is calm again"))
