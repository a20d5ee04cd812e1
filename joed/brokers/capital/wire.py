"""Capital.com's JSON both ways, pure: bytes to rows in our words, our wishes to bytes; money is Decimal all the way.

An answer that cannot be what it claims is a BadMessage, which shows nothing of it. The shapes are in `shapes`.
"""

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from math import inf
from typing import Any, TypeVar

import msgspec
from msgspec import Raw

from joed.brokers.capital.shapes import ErrorBody
from joed.errors import BadMessage
from joed.model.values import SECOND

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
TRADEABLE = "TRADEABLE"
CODE_MAX = 120
SECRET_CHARS_MIN = 4

T = TypeVar("T")


DECODERS: dict[type, "msgspec.json.Decoder[Any]"] = {}


def decode(kind: type[T], body: bytes | str | Raw) -> T:
    """Read bytes as one of the shapes above; raise BadMessage, which shows nothing of them."""
    decoder = DECODERS.get(kind)
    if decoder is None:
        decoder = DECODERS[kind] = msgspec.json.Decoder(kind)
    try:
        found: T = decoder.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:  # a number can be too long for Python
        raise BadMessage(f"no {kind.__name__}: {str(error)[:CODE_MAX]}") from None
    return found


ENCODER = msgspec.json.Encoder(decimal_format="number")


def encode(body: dict[str, Any]) -> bytes:
    """Write a request's body; a Decimal is written as the number that it is, digit by digit."""
    return ENCODER.encode(body)


def code_of(body: bytes, secrets: Iterable[str] = ()) -> str:
    """Give the errorCode that a body carries, "" where it has none; only what such a code can be made of is kept.

    `secrets` are taken out of it first: a service may tell back what it was sent.
    """
    try:
        code = decode(ErrorBody, body).error_code or ""
    except BadMessage:
        return ""
    return clean(without(code, secrets))


def without(text: str, secrets: Iterable[str]) -> str:
    """Give a text with these taken out, whole; one too short to be a secret would take words apart."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        text = text.replace(secret, "***") if len(secret) >= SECRET_CHARS_MIN else text
    return text


def clean(code: str) -> str:
    """Give a code that is safe to show: short, and of the characters that codes are made of."""
    return "".join(letter if letter.isalnum() or letter in "._:- " else "?" for letter in code[:CODE_MAX])


def utc_ns(text: str) -> int:
    """Read a time that is UTC, without a zone suffix as theirs are; 0 where there is none."""
    if not text:
        return 0
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise BadMessage(f"no time: {clean(text)}") from None
    aware = moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment
    return (aware - EPOCH) // dt.timedelta(microseconds=1) * 1_000


def time_ns(utc: str, local: str, offset_s: int) -> int:
    """Give a row's time: its UTC twin where it has one, else its local time less the account's offset."""
    if utc:
        return utc_ns(utc)
    return utc_ns(local) - offset_s * SECOND if local else 0


def written_utc(at_ns: int) -> str:
    """Write a time as their parameters want it: whole seconds, UTC, no suffix (a Z is refused)."""
    return (EPOCH + dt.timedelta(seconds=at_ns // SECOND)).strftime("%Y-%m-%dT%H:%M:%S")


def is_quote(bid: float | None, ask: float | None) -> bool:
    """Say whether two numbers are a quote: both there, positive, finite and not crossed."""
    return bid is not None and ask is not None and 0.0 < bid <= ask < inf


def finite(value: Decimal | None) -> Decimal | None:
    """Give a number that is one; None for what is absent or, written as text, no number."""
    return value if value is not None and value.is_finite() else None
