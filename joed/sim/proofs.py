"""The laws of the record: nothing durable is lost, recovery is the truth, and the same facts decide the same again."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from joed.daemon import audit
from joed.daemon.record import decode_state, encode_commands, encode_state
from joed.daemon.store import Entry, Store
from joed.engine import step as engine
from joed.engine.markets import empty_band, empty_bands
from joed.model.commands import Command, SubmitOrder
from joed.model.events import EpochStarted, Event, Quote
from joed.model.state import State
from joed.model.values import SECOND


class Remains(Struct):
    """What a life left in memory as it died: its State, what it had added since its last commit, what it had announced.

    `whole` is False where a rule raised in the middle of a step: then its State is nobody's truth.
    """

    state: State
    tail: list[Entry]
    announced: int
    whole: bool = True


def twin(state: State, id_key: bytes) -> State:
    """Give a State that shares nothing with this one."""
    return decode_state(encode_state(state), id_key)


def without_bands(state: State) -> bytes:
    """Give a State's bytes with all price bands empty: a band is a cache of the rules' own thresholds."""
    markets = {name: replace(market) for name, market in state.markets.items()}
    copy = replace(state, markets=markets)
    empty_bands(copy)
    return encode_state(copy)


def lost(recovered: State, remains: Remains) -> str:
    """Hold that what had been announced as durable is there."""
    if recovered.seq >= remains.announced:
        return ""
    return f"the restart has {recovered.seq}, {remains.announced} was announced as durable"


def untrue(recovered: State, remains: Remains, id_key: bytes) -> str:
    """Hold that a recovered State with what was not yet durable on top is the State that died, byte for byte."""
    if not remains.whole:
        return ""
    state = twin(recovered, id_key)
    for seq, now, event, commands in remains.tail:
        if seq > state.seq:
            engine.refold(state, now, event, commands)
    if without_bands(state) == without_bands(remains.state):
        return ""
    return f"at {state.seq} of {remains.state.seq}: {difference(state, remains.state)}"


def difference(one: State, other: State) -> str:
    """Name the first field in which two States differ, with both values."""
    left, right = msgspec.to_builtins(one, str_keys=True), msgspec.to_builtins(other, str_keys=True)
    return _difference(left, right, "") or "the order of a table differs"


def _difference(one: object, other: object, path: str) -> str:
    if isinstance(one, dict) and isinstance(other, dict) and list(one) == list(other):
        found = (_difference(one[name], other[name], f"{path}.{name}") for name in one if name not in BANDS)
        return next((words for words in found if words), "")
    return "" if one == other else f"{path[1:]} is {str(one)[:200]} after recovery, was {str(other)[:200]}"


BANDS = ("lo", "hi", "last_lo", "last_hi", "id_key")


def unstable(store: Store, recovered: State, recover: Callable[[Store, bytes], State]) -> str:
    """Hold that a second recovery of the same files gives the same State."""
    again = recover(store, recovered.id_key)
    return "" if encode_state(again) == encode_state(recovered) else difference(again, recovered)


def chained(root: Path) -> str:
    """Hold that the hash chain is whole from the first record to the last."""
    verdict = audit.verify(root)
    return "" if verdict.whole else verdict.words


def decided_again(entries: Iterable[Entry], id_key: bytes, begin: Callable[[EpochStarted], None]) -> tuple[str, State]:
    """Decide the whole record once more: each step gives the recorded commands, byte for byte.

    All bands are emptied before each step: a band lets pass what no rule would act on, and nothing else.
    `begin` sets a life's rules; the State comes back as it is at the end.
    """
    state = State(id_key=id_key)
    for seq, now, event, recorded in entries:
        if isinstance(event, EpochStarted):
            begin(event)
        if type(event) is Quote and (market := state.markets.get(event.instrument)) is not None:
            empty_band(market)
        decided = engine.step(state, now, event)
        if (decided or recorded) and encode_commands(decided) != encode_commands(recorded):
            return f"record {seq} ({type(event).__name__}): {change(recorded, decided)}", state
        if decided and (words := aged(state, now, event, decided)):
            return words, state
    return "", state


def change(recorded: Sequence[Command], decided: Sequence[Command]) -> str:
    """Say what was recorded and what is decided now."""
    return f"recorded {str(recorded)[:300]}, decided again {str(decided)[:300]}"


def aged(state: State, now: int, event: Event, decided: Sequence[Command]) -> str:
    """No entry was decided on a quote that was older than the limit."""
    if not isinstance(event, Quote) or not any(isinstance(c, SubmitOrder) and c.opens for c in decided):
        return ""
    age_s = (now - event.received_ns) / SECOND
    limit_s = state.settings.risk.quote_age_max_s
    return f"an entry was decided on a quote of {age_s:.1f} s" if age_s > limit_s else ""
