"""The safety net under the stream: prices asked for in batches of fifty, only where the stream does not bring them.

A quote is pushed on a change alone, so silence may be a quiet market or a dead feed; asking tells them apart. Whatever
is stale is asked for. Where the answer is what the stream said last, all is well; where the price has moved and the
stream did not say so, twice, the feed counts as lost, and a person is told. It ends by itself when quotes come again.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from joed.model.feeds import POLL, STREAM
from joed.model.values import SECOND

BATCH = 50
"""Epics of one GET /markets."""
MISSED_LOOKS = 2
"""Looks in a row that find the same epic moved behind the stream's back: one may have crossed a quote on its way."""
BACK_LOOKS = 2
"""Looks in a row that must find nothing missed before polling ends, and the stream must have spoken: no flapping."""


class Need(NamedTuple):
    """What must be asked for, and why the stream cannot serve at all, "" where it can."""

    epics: tuple[str, ...] = ()
    down: str = ""


class Net:
    """Decides, look by look, what is polled, and how prices come."""

    def __init__(self, stale_ns: int) -> None:
        """Hold a quote for stale when it is older."""
        self.source = ""
        self._stale_ns = stale_ns
        self._known: dict[str, tuple[float, float]] = {}
        self._missed: dict[str, int] = {}
        self._well = 0
        self._heard = False

    def streamed(self, epic: str, bid: float, ask: float) -> None:
        """Take what the stream said."""
        self._known[epic] = (bid, ask)
        self._missed.pop(epic, None)
        self._heard = True

    def look(
        self,
        now: int,
        streamed: Iterable[str],
        beyond: tuple[str, ...],
        *,
        down: str,
        quoted_ns: Callable[[str], int],
        is_open: Callable[[str], bool],
    ) -> Need:
        """Give what to ask for now; `beyond` are epics that the stream has no room for, `down` why there is none."""
        names = tuple(streamed)
        if down:
            return Need((*names, *beyond), down)
        stale = (epic for epic in names if is_open(epic) and now - quoted_ns(epic) > self._stale_ns)
        return Need((*stale, *beyond))

    def polled(self, need: Need, epic: str, bid: float, ask: float) -> None:
        """Compare what was asked for with what the stream said last; while it is down, or new, this is what it said."""
        if need.down or self._known.setdefault(epic, (bid, ask)) == (bid, ask):
            self._known[epic] = (bid, ask)
            self._missed.pop(epic, None)
        else:
            self._missed[epic] = self._missed.get(epic, 0) + 1

    def change(self, need: Need, quoted_ns: Callable[[str], int], now: int) -> tuple[str, str]:
        """Give the source that prices have from here on and why; "" where that has not changed."""
        lost = next((epic for epic, looks in self._missed.items() if looks >= MISSED_LOOKS), "")
        reason = need.down or (f"{lost} moved, and the stream has said nothing for" if lost else "")
        self._well = 0 if reason else self._well + 1
        source = POLL if reason else STREAM
        early = self._well < BACK_LOOKS or not self._heard
        if source == self.source or (source == STREAM and self.source == POLL and early):
            return "", ""
        self.source, self._heard = source, False
        return source, f"{reason} {(now - quoted_ns(lost)) // SECOND} s" if lost and not need.down else reason


def batches(epics: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Cut into what one request may ask for."""
    return [epics[at : at + BATCH] for at in range(0, len(epics), BATCH)]


def query(epics: tuple[str, ...]) -> Mapping[str, str]:
    """Give the parameters of GET /markets for these."""
    return {"epics": ",".join(epics)}
