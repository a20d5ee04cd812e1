"""The gate of crypto entries: which readings of that market must lie where, and that an unknown one opens nothing."""

from joed.model.settings import Instrument
from joed.model.state import State
from joed.model.values import HOUR, SECOND

KIND = "crypto"


def gated(state: State, now: int, instrument: Instrument) -> str:
    """Say which reading forbids an entry in a crypto instrument, "" where none does.

    A person who asks for a bound wants it looked at: a reading that is unknown or too old refuses, it is never guessed.
    """
    rules = state.settings.crypto
    if instrument.kind != KIND or not rules.gate:
        return ""
    for name, bound in rules.gate.items():
        reading = state.crypto.get(name)
        if reading is None:
            return f"{name} is unknown"
        if now - reading.at_ns > int(rules.stale_s * SECOND):
            return f"{name} is {(now - reading.at_ns) / HOUR:.0f} h old, the limit is {rules.stale_s / 3600:g} h"
        if not bound.low <= reading.value <= bound.high:
            return f"{name} is {reading.value:g}, allowed is {bound.low:g} to {bound.high:g}"
    return ""
