"""What became of an order whose answer was lost (reliability 6.5), pure: fingerprints, candidates, a verdict.

Capital.com knows no id of ours. So each order is sent with a stop and a target that no other of ours on that epic has
had for a day, what lived in the account before is written down, and afterwards only what is new, alike, of the right
time and with that fingerprint can be it. Until one thing is proven the epic is frozen, and nothing is ever sent again.
"""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from joed.brokers.capital.ledger import Intent, Stage
from joed.brokers.capital.whole import Whole
from joed.model.values import DAY, SECOND, Side

EARLY_NS = 2 * SECOND
"""How much earlier than we sent it a deal may be stamped: two clocks, one estimate."""
LATE_NS = 60 * SECOND
"""How much later."""
LAG_NS = 75 * SECOND
"""Activity was seen to come 60 s late: one set must be later than this."""
SETS_MIN = 3
STEPS_MAX = 50
"""By how many ticks a fingerprint is moved at most; then the entry is refused."""

Mark = tuple[str, Side, Decimal, Decimal | None, Decimal | None]


class Verdict(StrEnum):
    """What the evidence says of one order."""

    WAIT = "wait"
    ADOPT = "adopt"
    PROVISIONAL = "provisional"
    QUARANTINE = "quarantine"
    ABSENT = "absent"


class Judgement(NamedTuple):
    """A verdict; `deals` are what it is or may be, `resting` says that they are working orders."""

    verdict: Verdict
    deals: tuple[str, ...] = ()
    resting: bool = False


class Sighting(NamedTuple):
    """One thing that an order may have become; `marked` says whether it shows its levels, and so its fingerprint."""

    deal: str
    resting: bool
    marked: bool
    mark: Mark


def mark_of(intent: Intent) -> Mark:
    """Give an order's fingerprint."""
    return (intent.epic, intent.side, intent.quantity, intent.stop, intent.target)


def taken(intents: Iterable[Intent], now: int) -> frozenset[Mark]:
    """Give the fingerprints that no new order may have: of all that lives, and of a day."""
    return frozenset(mark_of(row) for row in intents if row.opens and (not row.over or now - row.armed_ns < DAY))


def apart(intent: Intent, others: frozenset[Mark], tick: Decimal) -> bool:
    """Move an order's stop nearer by as few ticks as make its fingerprint its own; say whether there was room."""
    for steps in range(STEPS_MAX + 1):
        if intent.stop is None:
            return mark_of(intent) not in others
        moved = intent.stop + intent.side.sign * steps * tick
        if (intent.epic, intent.side, intent.quantity, moved, intent.target) not in others:
            intent.stop = moved
            return True
    return False


def sightings(intent: Intent, whole: Whole, owned: frozenset[str]) -> list[Sighting]:
    """Give what is new in the account since before the order, alike, and of its time, one row a deal."""
    found: dict[str, Sighting] = {}
    for held in whole.held:
        if _alike(intent, held.epic, held.side, held.size, held.at_ns):
            mark = (held.epic, held.side, held.size, held.stop, held.target)
            found[held.deal] = Sighting(held.deal, resting=False, marked=True, mark=mark)
    for row in whole.resting:
        if intent.rests and _alike(intent, row.epic, row.side, row.size, row.at_ns) and row.level == intent.level:
            mark = (row.epic, row.side, row.size, row.stop, row.target)
            found[row.deal] = Sighting(row.deal, resting=True, marked=True, mark=mark)
    for act in whole.acts or ():
        began = act.opens(intent.side) and act.size is not None
        if began and act.deal not in found and _alike(intent, act.epic, intent.side, act.size, act.at_ns):
            found[act.deal] = Sighting(act.deal, resting=False, marked=False, mark=mark_of(intent))
    known = intent.before | owned
    return [row for deal, row in found.items() if deal not in known]


def _alike(intent: Intent, epic: str, side: Side, size: Decimal | None, at_ns: int) -> bool:
    """Say whether a row is of the order's epic, side and size, and stamped when it could have been made."""
    timely = intent.sent_ns - EARLY_NS <= at_ns <= intent.sent_ns + LATE_NS
    return timely and epic == intent.epic and side is intent.side and size == intent.quantity


def judge(intent: Intent, whole: Whole, owned: frozenset[str], now_ns: int, absent_ns: int) -> Judgement:
    """Give the verdict on an order in doubt by one complete set; `now_ns` is on Capital.com's clock.

    `intent.sets` counts the sets so far, this one included. Absence takes three sets, one of them later than activity
    was ever seen to lag, and its time; whatever is found before that ends the search.
    """
    rows = sightings(intent, whole, owned)
    exact = [row for row in rows if row.marked and row.mark == mark_of(intent)]
    blank = [row for row in rows if not row.marked]
    if len(exact) == 1:
        return Judgement(Verdict.ADOPT, (exact[0].deal,), exact[0].resting)
    if exact or len(blank) > 1:
        deals = tuple(sorted(row.deal for row in exact or blank))
        return Judgement(Verdict.QUARANTINE, deals)
    if blank:
        return Judgement(Verdict.PROVISIONAL, (blank[0].deal,))
    since = max(intent.sent_ns, intent.search_ns)
    if intent.sets >= SETS_MIN and now_ns - since >= max(absent_ns, LAG_NS) and whole.acts is not None:
        return Judgement(Verdict.ABSENT)
    return Judgement(Verdict.WAIT)


def late(intent: Intent, whole: Whole, owned: frozenset[str], now: int) -> Judgement | None:
    """Give what an order that counts as never made has become after all: its fingerprint shows within a day."""
    if intent.stage is not Stage.ABSENT or now - intent.armed_ns > DAY:
        return None
    known = intent.before | owned
    mark = mark_of(intent)
    for held in whole.held:
        if held.deal not in known and (held.epic, held.side, held.size, held.stop, held.target) == mark:
            return Judgement(Verdict.ADOPT, (held.deal,))
    for row in whole.resting:
        if row.deal not in known and (row.epic, row.side, row.size, row.stop, row.target) == mark:
            return Judgement(Verdict.ADOPT, (row.deal,), resting=True)
    return None
