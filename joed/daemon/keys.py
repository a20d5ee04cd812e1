"""Which requests are under way, and how fast they come: a key does one thing once, whoever retries.

What a key was used for stands in the record (`engine/requests.py`); here is only what has not got there yet.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

from joed.daemon.problem import Problem
from joed.engine.requests import over
from joed.model.commands import Answer
from joed.model.view import View

SECOND = 1_000_000_000
DIGEST_CHARACTERS = 32


def fingerprint(verb: str, uid: int, body: bytes) -> str:
    """Give what two requests must share to be the same one: 128 bits of a hash over all three."""
    return sha256(b"\0".join((verb.encode(), str(uid).encode(), body))).hexdigest()[:DIGEST_CHARACTERS]


class Keys:
    """The keys of the requests that are being carried in; their number is that of the connections."""

    def __init__(self) -> None:
        self._in_flight: dict[str, str] = {}

    def known(self, shown: View, key: str, verb: str, digest: str) -> Answer | None:
        """Give the Answer that this key got within its day, None where it is new.

        Raises a Problem where the key is under way, or was used for something else.
        """
        if key in self._in_flight:
            if self._in_flight[key] != digest:
                raise _reused(key)
            raise Problem(409, "in_flight", "this request is under way", retryable=True)
        answer, use = shown.answers.get(key), shown.keys.get(key)
        if use is not None and over(use, shown.now_ns):
            return None
        if (use is not None and use.digest not in {"", digest}) or (answer is not None and answer.verb != verb):
            raise _reused(key)
        return answer

    @contextmanager
    def under_way(self, key: str, digest: str) -> Iterator[None]:
        """Hold a key while its request is carried in."""
        self._in_flight[key] = digest
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
        if not self.spare(uid, now_ns):
            words = f"more than {self._each_second_max} requests in a second"
            raise Problem(429, "too_fast", words, retryable=True)

    def spare(self, uid: int, now_ns: int) -> bool:
        """Count one, and say whether it is within the limit."""
        second = now_ns // SECOND
        at, spent = self._spent.pop(uid, (second, 0))
        spent = spent + 1 if at == second else 1
        self._spent[uid] = (second, spent)
        if len(self._spent) > self._size_max:
            del self._spent[next(iter(self._spent))]
        return spent <= self._each_second_max


def _reused(key: str) -> Problem:
    return Problem(422, "key_reused", f"{key} was used for another request")
