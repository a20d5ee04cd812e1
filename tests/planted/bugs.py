"""Each bug is a small patch of joed's own code, undone afterwards: what somebody might write on a bad day."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

from tests.planted import books, exits, gate, orders, record, release


class Bug(NamedTuple):
    """How it is planted, and the laws by which it may be found."""

    plant: Callable[[], AbstractContextManager[None]]
    laws: tuple[str, ...]


BUGS = {
    plant.__name__: Bug(plant, laws)
    for module in (record, release, orders, books, gate, exits)
    for plant, laws in module.BUGS.items()
}
"""Every bug that the world must find, by name."""
