"""The root of all events, in a module of its own so that events may be told in more than one file."""

from msgspec import Struct


class Event(Struct, frozen=True, gc=False):
    """The root of all events; it says nothing by itself."""
