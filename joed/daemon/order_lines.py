"""An order's life in the system log: one line for each durable word about it, with the order's id as a field.

`journalctl JOED_ORDER_ID=j1-…` follows one order, `JOED_ORDER_GROUP=` a whole bracket, `JOED_INSTRUMENT=` all of a
name. The record stays the truth (`joectl why`); this is its echo, for whoever reads logs.
"""

from collections.abc import Callable

from msgspec import Struct

from joed.daemon.log import Log, Value
from joed.daemon.reads import Record, stem

FIELDS = ("instrument", "side", "leg", "quantity", "level", "limit", "price", "execution", "reason", "words")
"""What is said of a fact beside its order, where it has it."""


def order_lines(log: Log) -> Callable[[Record], None]:
    """Give what tells a record to this log."""

    def tell(record: Record) -> None:
        for fact in (record.event, *record.commands):
            if order := str(getattr(fact, "order", "")):
                log.put("info", type(fact).__name__, said(fact, order, record.seq))

    return tell


def said(fact: Struct, order: str, seq: int) -> dict[str, Value]:
    """Give the key-values of one line."""
    found = {name: getattr(fact, name) for name in FIELDS if getattr(fact, name, None) not in (None, "")}
    return {"order": order, "group": stem(order), "seq": seq, **found}
