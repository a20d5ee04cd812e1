"""The form of an order's id: that it is ours, which leg it is, and what else is of its bracket."""

from hashlib import blake2s

from joed.model.values import Leg

PREFIX = "j1-"
TAG_BYTES = 2


def tag_of(key: bytes, body: str) -> str:
    """Give the tag that only the holder of the key can make (keyed BLAKE2s, RFC 7693, 16 bits)."""
    return blake2s(body.encode(), key=key, digest_size=TAG_BYTES).hexdigest()


def ours(key: bytes, order: str) -> bool:
    """Say whether an id found at a broker was made with our key."""
    body, _, tag = order.rpartition("-")
    return body.startswith(PREFIX) and tag == tag_of(key, body)


def leg_of(order: str) -> Leg | None:
    """Give the leg that stands in an id of ours."""
    parts = order.split("-")
    return Leg(parts[4]) if len(parts) == 6 and parts[4] in tuple(Leg) else None


def of_session(order: str, session: str) -> bool:
    """Say whether an id of ours was made in this session."""
    return order.split("-")[1:2] == [session.replace("-", "")]


def sibling(key: bytes, order: str, leg: Leg) -> str:
    """Give the id of another leg of the same command."""
    return made(key, "-".join(order.split("-")[:4]), leg)


def made(key: bytes, begun: str, leg: Leg) -> str:
    """Give the id of a leg: what the legs of one command share, the leg, and the tag."""
    body = f"{begun}-{leg.value}"
    return f"{body}-{tag_of(key, body)}"
