"""Bytes that no TWS should send, by kind: each is for a client to survive, to count and to tell."""

from tests.fakes.tws.wire import frame, raw_frame

STATUS = (3, 1, "Submitted", 0, 1, 0, 1, 0, 0, 17, "", 0)


def huge(session):
    """A length of almost four gigabytes."""
    return raw_frame(b"9\0001\0007\0", 0xFFFFFFF0)


def missing(session):
    """An openOrder that ends in its middle."""
    return frame(5, 1, 265598, "AAPL", "STK")


def extra(session):
    """An orderStatus with fields of a version to come."""
    return frame(*STATUS, "more", "still more")


def wrong_ids(session):
    """An orderStatus of an order that has a word for a number."""
    return frame(3, "one", *STATUS[2:])


def not_utf8(session):
    """An error whose words are no text."""
    return raw_frame(b"4\0002\0-1\0002104\0caf\xe9 \xff\xfe\0\0")


def unknown(session):
    """A message that nobody has heard of."""
    return frame(999, 1, "what")


def empty(session):
    """A frame without a field."""
    return raw_frame(b"")


def not_a_number(session):
    """A price that is none."""
    line = next(iter(session.lines), 1)
    return frame(1, 6, line, 1, "abc", 100, 1)


def infinite(session):
    """Prices beyond all numbers."""
    line = next(iter(session.lines), 1)
    return frame(1, 6, line, 1, "nan", 100, 1) + frame(1, 6, line, 2, "inf", 100, 1)


def garbage(session):
    """Bytes out of step: everything after them is read at the wrong place."""
    return b"\x00\x00\x00\x05abc"


HOSTILE = {
    "length": huge,
    "missing": missing,
    "extra": extra,
    "ids": wrong_ids,
    "utf8": not_utf8,
    "unknown": unknown,
    "empty": empty,
    "number": not_a_number,
    "infinite": infinite,
    "garbage": garbage,
}
