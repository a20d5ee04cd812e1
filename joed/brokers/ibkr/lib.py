"""The one place that knows the client library: ib_insync, or ib_async, its maintained twin.

Used of it are its encoder (`Client`'s requests), its decoder and its nouns (Contract, Order). Its own picture of orders
is not: it takes any error about an order for the order's end. Why so: docs/adr/0011-interactive-brokers.md.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from joed.brokers.ibkr.translate import zoned
from joed.errors import BadMessage

Listeners = Mapping[str, Callable[..., None]]
"""Who hears a message, by the name that the library has for it."""
Handler = Callable[[list[str]], None]

VERSION_MIN, VERSION_MAX = 157, 176
"""What both libraries can decode; TWS answers with the highest that it knows, today's with 176."""
NEEDED = {
    "1": "priceSizeTick",
    "2": "tickSize",
    "3": "orderStatus",
    "4": "error",
    "5": "openOrder",
    "9": "nextValidId",
    "10": "contractDetails",
    "11": "execDetails",
    "15": "managedAccounts",
    "17": "historicalData",
    "45": "tickGeneric",
    "49": "currentTime",
    "52": "contractDetailsEnd",
    "53": "openOrderEnd",
    "55": "execDetailsEnd",
    "58": "marketDataType",
    "59": "commissionReport",
    "61": "position",
    "62": "positionEnd",
    "73": "accountUpdateMulti",
    "74": "accountUpdateMultiEnd",
    "93": "marketRule",
    "99": "tickByTickBidAsk",
    "101": "completedOrder",
    "102": "completedOrdersEnd",
}
"""The messages that are read, by their number; all others are counted and left alone."""

EXECUTION, MOMENT = "11", 15
"""The message that tells of an execution, and which of its fields is the time: its zone may have an old name."""

READERS: dict[type, Callable[[str], Any]] = {
    str: str,
    int: lambda text: int(text or 0),
    float: lambda text: float(text or 0),
    bool: lambda text: bool(int(text or 0)),
}


def load(name: str) -> Any:
    """Import the library, inside the running loop: what it stands on asks for the thread's loop as it is imported."""
    asyncio.set_event_loop(asyncio.get_running_loop())
    return import_module(name)


def client_of(library: Any, listeners: Listeners) -> Any:
    """Give a fresh client whose messages go to `listeners`, with a decoder that hides no fault."""
    wrapper = SimpleNamespace(ib=SimpleNamespace(TimezoneTWS=None), defaultTimezone=UTC, **listeners)
    client = library.Client(wrapper)
    client.MinClientVersion, client.MaxClientVersion = VERSION_MIN, VERSION_MAX
    client.MaxRequests = 0  # our pacer alone keeps the pace: the library's own queue would hold a cancel back
    client.decoder = strict(library)(wrapper, 0)
    return client


def begin(client: Any, transport: Any, client_id: int) -> None:
    """Let a client write to this transport, under this id."""
    client.conn.transport, client.clientId, client.connState = transport, client_id, client.CONNECTED


def agree(client: Any, version: int) -> None:
    """Speak this version from here on."""
    client._serverVersion = client.decoder.serverVersion = version  # noqa: SLF001 - it has no other door


def release(client: Any) -> None:
    """Let a client number its requests: accounts and next id are told."""
    client._apiReady = True  # noqa: SLF001 - it has no other door


def holds_back(client: Any) -> bool:
    """Say whether messages wait in the library's own queue, where no permission would be asked for them."""
    return bool(client._msgQ)  # noqa: SLF001 - it has no other door


def strict(library: Any) -> type[Any]:
    """Give the library's decoder, but raising where a message lacks a field or has none of its kind."""
    plain = import_module(f"{library.__name__}.decoder").Decoder
    return type("StrictDecoder", (plain,), {"wrap": _wrap})


def handlers_of(client: Any) -> dict[str, Handler]:
    """Give what decodes each message that somebody listens to, by its number as it stands in the message."""
    decode = client.decoder.handlers
    wrapper = client.wrapper
    found: dict[str, Handler] = {
        number: decode[int(number)] for number, name in NEEDED.items() if hasattr(wrapper, name)
    }
    read = found.get(EXECUTION)
    if read is not None:
        found[EXECUTION] = lambda fields: read(
            [*fields[:MOMENT], *map(zoned, fields[MOMENT : MOMENT + 1]), *fields[MOMENT + 1 :]]
        )
    return found


def _wrap(decoder: Any, name: str, kinds: list[type], skip: int = 2) -> Handler:
    """Give what reads a plain message's fields after the first `skip` and hands them on."""
    listener = getattr(decoder.wrapper, name, None)
    readers = [READERS[kind] for kind in kinds]

    def handle(fields: list[str]) -> None:
        values = fields[skip:]
        if len(values) < len(readers):
            raise BadMessage(f"{name} has {len(values)} fields of {len(readers)}")
        if listener is not None:
            listener(*[read(value) for read, value in zip(readers, values, strict=False)])

    return handle
