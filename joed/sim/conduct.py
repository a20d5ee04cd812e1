"""How joed must behave between what it hears and what it hands over: laws about its record, beside those of the book.

They look at the order in which facts are recorded, at what a record decides, and at what the exchange holds in the
moment of a hand-over.
"""

from collections import deque
from collections.abc import Callable

from joed.engine.risk import BREAKERS
from joed.model.blocks import ALL, key
from joed.model.book import BookOrder
from joed.model.commands import AmendOrder, CancelOrder, Command, LatchKill, LiftBlock, RefuseEntry, SubmitOrder
from joed.model.events import BrokerDown, BrokerRead, BrokerUp, Event, OperatorAsked, Quote
from joed.model.values import SECOND, Leg, Scope
from joed.sim.odd import OddExchange

Hold = Callable[[str, str], None]
"""Takes a law and what is wrong with it, "" for nothing."""
INFINITE = float("inf")
FAR = 0.3
"""How far from the market a stop may be moved, as a share of its price: anything beyond follows no real price."""
REACH_NS = 25 * SECOND
"""How long after a kill or a new link joed has had to decide all that the kill names, even if it hangs for a while."""

BARE_S = 40.0
"""How long a position may be bare in all: 15 s by policy, then closes that may each take their time-out."""
REFUSED_S, REFUSALS = 6.0, 6  # after each refused close the next waits twice as long


def patience_s(exchange: OddExchange, instrument: str) -> float:
    """Give how long a position may be bare, longer by the closes refused and by the time in which nobody traded."""
    refused = min(exchange.refused.get(instrument, 0), REFUSALS)
    return BARE_S + REFUSED_S * (1 << refused) + exchange.idle_ns.get(instrument, 0) / SECOND


class Conduct:
    """What joed heard and has not recorded yet, which breakers hold, when it last asked for what."""

    def __init__(self) -> None:
        """Begin with the first life."""
        self.epoch = 0
        self.decided: dict[str, int] = {}
        self._heard: deque[Event] = deque()
        self._shut: list[tuple[int, str, bool]] = []
        self._read = False

    def begin(self, epoch: int, seq: int) -> str:
        """See a life begin from what was durable, in an epoch of its own."""
        self._heard.clear()
        self._shut = [change for change in self._shut if change[0] <= seq]
        self._read = False
        again, self.epoch = epoch <= self.epoch, max(epoch, self.epoch)
        return f"epoch {epoch} begins after epoch {self.epoch}" if again else ""

    def heard(self, event: Event) -> None:
        """See a fact come in; quotes may give way to newer ones."""
        if type(event) is not Quote:
            self._heard.append(event)

    def recorded(
        self, exchange: OddExchange, now: int, seq: int, event: Event, commands: list[Command], hold: Hold
    ) -> None:
        """Judge a record as it is made."""
        hold("facts arrive in order", self.in_order(event))
        hold("prices are sound", sound_price(event))
        hold("released on evidence", self.evident(event, commands))
        if commands:
            hold("breakers hold", self.breakers(seq, commands))
            hold("a kill reaches", self.cancels(exchange, commands))
        for command in commands:
            self.asked(now, command)

    def in_order(self, event: Event) -> str:
        """Hold that facts are recorded as they came: none is left out, none overtakes another."""
        if type(event) is Quote or not self._heard:
            return ""
        if self._heard[0] is event:
            self._heard.popleft()
            return ""
        overtaken = any(one is event for one in self._heard)
        return f"{event} was recorded, {self._heard[0]} came before it" if overtaken else ""

    def evident(self, event: Event, commands: list[Command]) -> str:
        """Hold that a person's release is granted only over a link that was read whole, as far as joed has heard."""
        if isinstance(event, BrokerUp | BrokerDown):
            self._read = False
        elif isinstance(event, BrokerRead) and event.complete:
            self._read = True
        if self._read or not isinstance(event, OperatorAsked) or event.verb != "release":
            return ""
        if not any(isinstance(command, LiftBlock) for command in commands):
            return ""
        return f"{event.args} was released over a link that was not read"

    def breakers(self, seq: int, commands: list[Command]) -> str:
        """Hold that a breaker which refused an entry lets none pass until it is lifted."""
        for command in commands:
            if isinstance(command, RefuseEntry) and command.code in BREAKERS:
                self._shut.append((seq, key(ALL, command.code), True))
            elif isinstance(command, LiftBlock):
                self._shut.append((seq, command.key, False))
            elif isinstance(command, SubmitOrder) and command.opens and self._shut:
                last = {name: shut for _, name, shut in self._shut}
                if held := [name for name, shut in last.items() if shut]:
                    return f"{command.order} was decided while {held[0]} held"
        return ""

    def asked(self, now: int, command: Command) -> None:
        """Note what was decided: the end of an order, the close of a position."""
        if isinstance(command, CancelOrder | AmendOrder):
            self.decided[command.order] = now
        elif isinstance(command, SubmitOrder) and command.leg is Leg.CLOSE:
            self.decided[command.instrument] = now

    def cancels(self, exchange: OddExchange, commands: list[Command]) -> str:
        """Hold that the record which latches a kill asks for the end of every entry, unless one before it did."""
        if not any(isinstance(one, LatchKill) and one.scope.width >= Scope.ORDERS.width for one in commands):
            return ""
        asked = {one.order for one in commands if isinstance(one, CancelOrder)}
        left = [order.order for order in exchange.orders.values() if order.opens and resting(exchange, order)]
        forgotten = [name for name in left if name not in asked and name not in self.decided]
        return f"a kill was latched, and {forgotten[0]} may go on filling" if forgotten else ""

    def reaches(self, exchange: OddExchange, since_ns: int, scope: Scope) -> str:
        """Hold that joed has decided to close each position that a kill names."""
        if scope.width < Scope.FLATTEN.width:
            return ""
        for name in [name for name in exchange.book.positions if exchange.own(name) and name not in exchange.shaken]:
            targets = [
                one.order for one in exchange.orders.values() if one.instrument == name and one.leg is Leg.TARGET
            ]
            if not any(self.decided.get(what, 0) >= since_ns for what in (name, *targets)):
                return f"{exchange.position(name)} {name} are held under a kill of {scope}, and nobody closes them"
        return ""


def resting(exchange: OddExchange, order: BookOrder) -> bool:
    """Say whether joed answers for an order that may still fill: it is no person's, and nothing odd was done there."""
    return not (order.status.ended or exchange.strange(order.order) or order.instrument in exchange.shaken)


def sound_price(event: Event) -> str:
    """No numbers that can be no price come as far as the engine."""
    unsound = type(event) is Quote and not 0.0 < event.bid <= event.ask < INFINITE
    return f"the engine was given {event}" if unsound else ""


def near_the_market(exchange: OddExchange, command: Command) -> str:
    """No stop is moved to where no price is."""
    if not isinstance(command, AmendOrder) or command.level is None:
        return ""
    order = exchange.orders.get(command.order)
    quote = exchange.quotes.get(order.instrument) if order is not None else None
    if order is None or quote is None or order.leg is not Leg.STOP:
        return ""
    far = abs(float(command.level) / quote.bid - 1) > FAR
    return f"{command.order} was to go to {command.level}, {order.instrument} stands at {quote.bid}" if far else ""


def one_entry_at_a_time(exchange: OddExchange, command: Command) -> str:
    """No entry is sent for an instrument in which one may still fill, or of which something is held."""
    if not isinstance(command, SubmitOrder) or not command.opens:
        return ""
    held = exchange.own(command.instrument)
    if held and command.instrument not in exchange.shaken:
        return f"{command.order} left while {held} {command.instrument} were held"
    for order in exchange.orders.values():
        if order.opens and order.instrument == command.instrument and resting(exchange, order):
            return f"{command.order} left while {order.order} could still fill"
    return ""


def one_close_at_a_time(exchange: OddExchange, command: Command) -> str:
    """No market close is sent while another of its instrument is at work."""
    if not isinstance(command, SubmitOrder) or command.leg is not Leg.CLOSE:
        return ""
    for order in exchange.orders.values():
        if order.leg is Leg.CLOSE and order.instrument == command.instrument and resting(exchange, order):
            return f"{command.order} left while {order.order} was closing already"
    return ""


def doubt_counts(exchange: OddExchange, command: Command, most: int) -> str:
    """No entry is sent while what is held and what may still fill are as many as the limit allows (I19)."""
    if not isinstance(command, SubmitOrder) or not command.opens:
        return ""
    pending = {order.instrument for order in exchange.orders.values() if order.opens and resting(exchange, order)}
    held = {name for name in exchange.book.positions if exchange.own(name) and name not in exchange.shaken}
    found = sorted(pending | held | {command.instrument})
    return f"{command.order} left for one of {', '.join(found)}, the limit is {most}" if len(found) > most else ""


HAND_LAWS: dict[str, Callable[[OddExchange, Command], str]] = {
    "stops stay near": near_the_market,
    "one entry at a time": one_entry_at_a_time,
    "one close at a time": one_close_at_a_time,
}
"""Asked of each order as it is handed over, beside what the exchange holds in that moment."""


def at_hand(exchange: OddExchange, command: Command, position_max: int, hold: Hold) -> None:
    """Judge an order as it is handed over."""
    hold("doubt counts", doubt_counts(exchange, command, position_max))
    for name, law in HAND_LAWS.items():
        hold(name, law(exchange, command))
