"""Which requests were made before, and how fast they come: a key does one thing once, whoever retries."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import NamedTuple

from joed.daemon.problem import Problem
from joed.model.commands import Answer

SECOND = 1_000_000_000


class Use(NamedTuple):
    """One use of a key: what was asked with it, and the body it was answered with where the record has no Answer."""

    fingerprint: bytes
    body: bytes | None = None


def fingerprint(verb: str, uid: int, body: bytes) -> bytes:
    """Give what two requests must share to be the same one."""
    return sha256(b"\0".join((verb.encode(), str(uid).encode(), body))).digest()


class Keys:
    """The keys in use and the last `size_max` that were; the record remembers the Answers themselves for longer."""

    def __init__(self, size_max: int) -> None:
        self._size_max = size_max
        self._used: dict[str, Use] = {}
        self._in_flight: dict[str, bytes] = {}

    def check(self, key: str, verb: str, mark: bytes, answer: Answer | None) -> None:
        """Raise a Problem where this key is under way, or was used for something else."""
        if key in self._in_flight:
            if self._in_flight[key] != mark:
                raise _reused(key)
            raise Problem(409, "in_flight", "this request is under way", retryable=True)
        used = self._used.get(key)
        if (used is not None and used.fingerprint != mark) or (answer is not None and answer.verb != verb):
            raise _reused(key)

    def body(self, key: str) -> bytes | None:
        """Give the body that this key was answered with, where it was kept."""
        used = self._used.get(key)
        return used.body if used else None

    def keep(self, key: str, mark: bytes, body: bytes | None = None) -> None:
        """Remember a key, and forget the oldest beyond the limit."""
        self._used.pop(key, None)
        self._used[key] = Use(mark, body)
        if len(self._used) > self._size_max:
            del self._used[next(iter(self._used))]

    @contextmanager
    def under_way(self, key: str, mark: bytes) -> Iterator[None]:
        """Hold a key while its request is carried in."""
        self._in_flight[key] = mark
        self.keep(key, mark)
        try:
            yield
        finally:
            del self._in_flight[key]


class Pace:
    """How many requests each user made in this second; `size_max` users are remembered."""

    def __init__(self, each_second_max: int, size_max: int) -> None:
        self._each_second_max = each_second_max
        self._size_max = size_max
        self._spent: dict[int, tuple[int, int]] = {}

    def spend(self, uid: int, now_ns: int) -> None:
        """Count one; raise a Problem beyond the limit."""
        second = now_ns // SECOND
        at, spent = self._spent.pop(uid, (second, 0))
        spent = spent + 1 if at == second else 1
        self._spent[uid] = (second, spent)
        if len(self._spent) > self._size_max:
            del self._spent[next(iter(self._spent))]
        if spent > self._each_second_max:
            raise Problem(429, "too_fast", f"more than {self._each_second_max} requests in a second", retryable=True)


def _reused(key: str) -> Problem:
    return Problem(422, "key_reused", f"{key} was used for another request")
