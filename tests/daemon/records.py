"""Made-up records for the journal's tests: cheap to build, each different from all others."""

from decimal import Decimal

from joed.model.commands import CancelOrder
from joed.model.events import OrderFilled, Quote
from joed.model.values import SECOND, Side

SESSION = "2026-11-20"


def order(seq, leg="E"):
    """Give an order's id, in the form of ours."""
    return f"j1-20261120-1-{seq}.0-{leg}-ab12"


def fill(seq, **terms):
    """Give a fill that belongs to this seq alone."""
    said = {"instrument": "AAPL", "side": Side.BUY, "quantity": Decimal(10), "price": Decimal("101.50")} | terms
    return OrderFilled(order=order(seq), execution=f"x{seq}", **said)


def quote(seq):
    """Give a quote that belongs to this seq alone."""
    return Quote("AAPL", bid=100.0 + seq, ask=100.5 + seq, received_ns=seq)


def commands(seq):
    """Give what is decided on the fact of this seq."""
    return [CancelOrder(order(seq), "done")] if seq % 2 else []


def add(store, kinds):
    """Add a record for each letter, f for a fact and t for a row of tape, after what the store has."""
    for kind in kinds:
        seq = store.added + 1
        if kind == "f":
            store.add(seq, seq * SECOND, SESSION, fill(seq), commands(seq))
        else:
            store.add_tape(seq, seq * SECOND, quote(seq))


def entries(kinds, after=0):
    """Give what `add` on an empty store must read back as."""
    made = enumerate(kinds, start=1)
    return [
        (seq, seq * SECOND, fill(seq), commands(seq)) if kind == "f" else (seq, seq * SECOND, quote(seq), [])
        for seq, kind in made
        if seq > after
    ]
