"""What one look at the account means for our orders: fills, ends, changed levels, found and lost orders; no I/O.

There is no stream of orders at Capital.com, so everything that happens to one is learned here, from what positions,
working orders and activity show. A thing that is missing from a look has ended only where something says how: a list
may lag behind a confirmation, and activity behind the list.
"""

from collections.abc import Iterator
from decimal import Decimal

from msgspec import Struct

from joed.brokers.capital.evidence import Judgement, Verdict, judge, late
from joed.brokers.capital.ledger import Intent, Ledger, Stage
from joed.brokers.capital.nights import booked
from joed.brokers.capital.whole import Act, Held, Whole
from joed.model.events import (
    Event,
    OrderAccepted,
    OrderCancelled,
    OrderDoubted,
    OrderExpired,
    OrderFilled,
    OrderWorking,
)
from joed.model.values import SECOND, ZERO, Leg, Side, Status

GONE_LOOKS = 3
GONE_NS = 90 * SECOND
"""A working order that is in no list, filled no position and has no activity after so long was cancelled."""
UNDONE_NS = 20 * SECOND
"""A position that is still there so long after it was to be closed was not closed by that request."""
BARE_LOOKS = 2
"""A position must lack its stop in so many looks before it counts as lost."""


class Ending(Struct, frozen=True):
    """How a position ended: by what, at which price, when; `source` is theirs (SL, TP, USER…)."""

    deal: str
    source: str
    price: Decimal
    at_ns: int


class Books:
    """Our orders as the account shows them."""

    def __init__(self, name: str, ledger: Ledger, absent_ns: int) -> None:
        """Judge for the broker of this name; an order in doubt is searched for `absent_ns` at least."""
        self.name = name
        self.ledger = ledger
        self._absent_ns = absent_ns

    def wants_history(self, whole: Whole) -> bool:
        """Say whether positions and working orders alone leave something open that activity would tell."""
        alive = whole.deals
        return any(
            row.unresolved
            or (row.stage is Stage.RESTING and row.working not in alive)
            or (row.stage is Stage.OPEN and row.opens and not set(row.deals) <= alive)
            for row in self.ledger.intents.values()
        )

    def fold(self, whole: Whole, now: int, skew_ns: int, hands: frozenset[str]) -> list[Event]:
        """Take one look over and give what it told, in order; `hands` are orders that are being carried out now.

        What it finds out about an order in doubt is told by the next whole read alone.
        """
        events: list[Event] = []
        owned = self.ledger.owned()
        for row in self.ledger.rows():
            if row.order in hands or whole.from_ns <= row.changed_ns:
                continue
            before = _digest(row)
            if row.opens:
                told = list(self._one(row, whole, now, skew_ns, owned))
            else:
                told = self._closing(row, whole, now + skew_ns)
            if row.doubted and not row.unresolved:
                row.doubted, told = False, []
            events += told
            if _digest(row) != before:
                row.changed_ns = now
                self.ledger.note(row)
        return [*events, *booked(self.ledger, whole, now)]

    def _one(self, row: Intent, whole: Whole, now: int, skew_ns: int, owned: frozenset[str]) -> Iterator[Event]:
        """Give what a look tells of one entry."""
        if row.unresolved:
            yield from self._search(row, whole, now, skew_ns, owned)
        elif (found := late(row, whole, owned, now)) is not None:
            row.ended = {}
            yield from self._adopt(row, found, whole, now)
        if row.stage is Stage.RESTING:
            yield from self._resting(row, whole, now)
        if row.stage is Stage.OPEN:
            yield from self._open(row, whole)

    def _search(self, row: Intent, whole: Whole, now: int, skew_ns: int, owned: frozenset[str]) -> Iterator[Event]:
        """Look for an order in doubt; it was told as such, or a process before this one left it so."""
        row.sets += whole.acts is not None
        row.doubted = True
        if (held := next((one for one in whole.held if _told(row, one)), None)) is not None:
            yield from fill(self.name, row, held.deal, held.size, held.level, held.at_ns)
            return
        if row.deals:  # named, and not to be seen: its activity says that it was there
            yield from self._adopt(row, Judgement(Verdict.PROVISIONAL, row.deals), whole, now)
            return
        found = judge(row, whole, owned, now + skew_ns, self._absent_ns)
        if found.verdict in (Verdict.ADOPT, Verdict.PROVISIONAL):
            yield from self._adopt(row, found, whole, now)
        elif found.verdict is Verdict.QUARANTINE and found.deals != row.candidates:
            row.stage, row.candidates, row.doubted = Stage.QUARANTINED, found.deals, False
            yield OrderDoubted(row.order, "it may be one of several", found.deals)
        elif found.verdict is Verdict.ABSENT and row.stage is not Stage.QUARANTINED:
            row.stage = Stage.ABSENT

    def settle(self, row: Intent, deal: str, image: Whole | None) -> bool:
        """Take a person's word for an order in doubt: this deal, or none; say whether there was a doubt."""
        if not row.opens or not row.unresolved:
            return False
        row.candidates = ()
        if not deal:
            row.stage = Stage.ABSENT
        elif image is not None and any(one.deal == deal for one in image.resting):
            row.stage, row.working, row.deals = Stage.RESTING, deal, ()
        else:
            row.stage, row.deals = Stage.SENT, (deal,)
        self.ledger.note(row)
        return True

    def _adopt(self, row: Intent, found: Judgement, whole: Whole, now: int) -> Iterator[Event]:
        """Take what was found for the order."""
        deal = found.deals[0]
        row.candidates = ()
        if found.resting:
            yield from rest(row, deal)
            return
        held = next((one for one in whole.held if one.deal == deal), None)
        act = next((one for one in whole.acts or () if one.deal == deal and one.opens(row.side)), None)
        if held is not None:
            yield from fill(self.name, row, deal, held.size, held.level, held.at_ns)
        elif act is not None and act.level is not None and act.size is not None:
            yield from fill(self.name, row, deal, act.size, act.level, act.at_ns)

    def _resting(self, row: Intent, whole: Whole, now: int) -> Iterator[Event]:
        """Follow a working order: there, filled, ended, or for the moment nowhere."""
        if any(one.deal == row.working for one in whole.resting):
            row.lost = 0
            return
        held = next((one for one in whole.held if one.working == row.working), None)
        acts = [one for one in whole.acts or () if row.working in (one.deal, one.working)]
        began = next((one for one in acts if one.working == row.working and one.opens(row.side)), None)
        ended = next((one for one in acts if one.deal == row.working and one.status in ENDS), None)
        if held is not None:
            yield from fill(self.name, row, held.deal, held.size, held.level, held.at_ns)
        elif began is not None and began.level is not None and began.size is not None:
            yield from fill(self.name, row, began.deal, began.size, began.level, began.at_ns)
        elif ended is not None:
            yield from end(row, ENDS[ended.status], ended.status.lower())
        elif whole.acts is not None:
            row.lost, row.lost_ns = row.lost + 1, row.lost_ns if row.lost else now
            if row.lost >= GONE_LOOKS and now - row.lost_ns >= GONE_NS:
                yield from end(row, Status.CANCELLED, "it is in no list and no history")

    def _open(self, row: Intent, whole: Whole) -> Iterator[Event]:
        """Follow a position: its levels while it is there, its ending once something tells how."""
        held = next((one for one in whole.held if one.deal in row.deals), None)
        if held is not None:
            yield from self._levels(row, held)
            return
        ending = ending_of(row, whole)
        if ending is not None:
            yield from self.finish(row, ending)

    def _closing(self, row: Intent, whole: Whole, server_ns: int) -> list[Event]:
        """Give up a close whose answer was lost where its position lives on, or something else has ended it."""
        if not row.unresolved or row.fills:
            return []
        late = server_ns - row.sent_ns > UNDONE_NS
        owners = [self.ledger.owner(deal) for deal in row.deals]
        forestalled = bool(owners) and all(owner is not None and owner.over for owner in owners)
        if late and (forestalled or set(row.deals) <= whole.deals):
            row.stage = Stage.ABSENT
        return []

    def _levels(self, row: Intent, held: Held) -> Iterator[Event]:
        """Take over the levels and the size that the broker holds."""
        size_changed, row.held = row.held != held.size, held.size
        if held.stop is None and row.stop is not None:
            row.lost += 1
            if row.lost >= BARE_LOOKS:
                row.lost, row.stop = 0, None
                row.ended[row.stop_order] = Status.CANCELLED
                yield OrderCancelled(row.stop_order, "the position has no stop any more")
        else:
            row.lost = 0
            if row.stop_order not in row.ended and (held.stop != row.stop or size_changed) and held.stop is not None:
                row.stop = held.stop
                yield OrderWorking(row.stop_order, held.size, held.stop)
        if row.target_order and row.target_order not in row.ended and held.target is None and row.target is not None:
            row.target = None
            row.ended[row.target_order] = Status.CANCELLED
            yield OrderCancelled(row.target_order, "the position has no target any more")
        elif held.target is not None and row.target_order and row.target_order not in row.ended:
            if held.target != row.target or size_changed:
                yield OrderWorking(row.target_order, held.size, held.target)
            row.target = held.target

    def finish(self, row: Intent, ending: Ending) -> Iterator[Event]:
        """End a position: who closed it has the fill, the other legs are gone."""
        close = self.close_of(ending.deal)
        closer = {"SL": row.stop_order, "TP": row.target_order}.get(ending.source, "")
        if not closer and ending.source not in ("SL", "TP", "CLOSE_OUT"):
            closer = close.order if close is not None else row.closer
        if closer:
            target = close if close is not None and closer == close.order else row
            yield from _closed(self.name, target, row, closer, ending)
            if target is not row:
                target.stage, target.ended[closer] = Stage.ENDED, Status.FILLED
                self.ledger.note(target)
        row.stage, row.held = Stage.ENDED, ZERO
        for name in (row.stop_order, row.target_order):
            if name and name not in row.ended:
                row.ended[name] = Status.CANCELLED
                yield OrderCancelled(name, f"the position ended ({ending.source or 'closed'})")

    def close_of(self, deal: str) -> Intent | None:
        """Give the close of ours that is to end this deal, None where none is under way."""
        rows = (row for row in self.ledger.intents.values() if row.leg is Leg.CLOSE and not row.over)
        return next((row for row in rows if deal in row.deals), None)


def _told(row: Intent, held: Held) -> bool:
    """Say whether a confirmation named this position, or the order that it came of."""
    return held.deal in row.deals or (row.working != "" and held.working == row.working)


ENDS: dict[str, Status] = {
    "EXPIRED": Status.EXPIRED,
    "CANCELLED": Status.CANCELLED,
    "REJECTED": Status.REJECTED,
}
"""How an activity says that a working order is over; EXECUTED is told by its position."""


def rest(row: Intent, deal: str) -> Iterator[Event]:
    """Note that an entry rests as a working order."""
    row.stage, row.working, row.lost = Stage.RESTING, deal, 0
    yield from accepted(row, deal)
    yield OrderWorking(row.order, row.quantity, row.level)


def accepted(row: Intent, deal: str) -> Iterator[Event]:
    """Tell the numbers: the legs of a position have none of their own, so theirs are the deal's with a letter."""
    yield OrderAccepted(row.order, deal)
    if row.stop_order:
        yield OrderAccepted(row.stop_order, f"{deal}:S")
    if row.target_order:
        yield OrderAccepted(row.target_order, f"{deal}:T")


def fill(name: str, row: Intent, deal: str, size: Decimal, price: Decimal, at_ns: int) -> Iterator[Event]:
    """Note that an entry filled: whole, at one price, with its legs working from the same moment."""
    if row.stage is not Stage.RESTING:
        yield from accepted(row, deal)
        yield OrderWorking(row.order, row.quantity, row.level)
    row.stage, row.deals, row.held, row.lost = Stage.OPEN, (deal,), size, 0
    row.ended[row.order] = Status.FILLED
    told = OrderFilled(row.order, f"{deal}:open", row.instrument, row.side, size, price, at_ns=at_ns, broker=name)
    row.fills = (*row.fills, told)
    yield told
    if size < row.quantity:
        yield OrderCancelled(row.order, "the rest met positions the other way")
    if row.stop_order and row.stop is not None:
        yield OrderWorking(row.stop_order, size, row.stop)
    if row.target_order and row.target is not None:
        yield OrderWorking(row.target_order, size, row.target)


def end(row: Intent, status: Status, words: str) -> Iterator[Event]:
    """Note that an entry ended without a fill, and its legs with it."""
    row.stage = Stage.ENDED
    for name in row.legs:
        row.ended[name] = status
        yield OrderExpired(name) if status is Status.EXPIRED else OrderCancelled(name, words)


def _closed(name: str, target: Intent, entry: Intent, order: str, ending: Ending) -> Iterator[Event]:
    """Tell the fill that ended a position, and keep it with whose order it was."""
    told = OrderFilled(
        order,
        f"{ending.deal}:close",
        entry.instrument,
        entry.side.opposite,
        entry.held,
        ending.price,
        at_ns=ending.at_ns,
        broker=name,
    )
    target.fills = (*target.fills, told)
    target.ended[order] = Status.FILLED
    yield told


def ending_of(row: Intent, whole: Whole) -> Ending | None:
    """Give how a position ended, None while nothing tells: activity names the price, in the end the result does.

    A row of activity may come before its level; a TRADE's money is then the price's own proof, where the position's
    money is the account's.
    """
    acts = [act for act in whole.acts or () if act.deal in row.deals and act.closes(row.side)]
    if not acts:
        return None
    known: Act = max(acts, key=lambda act: (act.level is not None, act.at_ns))
    price = known.level if known.level is not None else _price_by_result(row, whole)
    return Ending(known.deal, known.source, price, known.at_ns) if price is not None else None


def _price_by_result(row: Intent, whole: Whole) -> Decimal | None:
    """Give the price that a position's realised result implies, None where it is not told or in other money."""
    opened = next((one for one in row.fills if one.order == row.order), None)
    trade = next((one for one in whole.trades or () if one.kind == "TRADE" and one.deal in row.deals), None)
    held = next((one.currency for one in whole.held if one.epic == row.epic), "")
    if opened is None or trade is None or not row.held or held not in ("", trade.currency):
        return None
    sign = 1 if row.side is Side.BUY else -1
    return opened.price + sign * trade.amount / row.held


def _digest(row: Intent) -> tuple[object, ...]:
    """Give what of a row is worth keeping when it changes."""
    return (
        row.stage,
        row.deals,
        row.working,
        row.candidates,
        row.stop,
        row.target,
        row.held,
        len(row.fills),
        dict(row.ended),
        row.doubted,
    )
