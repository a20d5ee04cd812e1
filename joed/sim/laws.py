"""What must hold whatever goes wrong, judged by the exchange's own book and the journal's own file.

Each law is a small function that gives a sentence when it is broken, else "". joed's State is never asked, except at
rest, where it is compared with the book.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec

from joed.daemon.clock import SimulatedClock
from joed.model.book import BookOrder, Line
from joed.model.commands import AmendOrder, Answer, CancelOrder, Command, RaiseAlert, RetireOrder, SubmitOrder
from joed.model.events import BrokerRead, Event, OrderFilled, Quote
from joed.model.settings import Risk
from joed.model.values import MINUTE, SECOND, ZERO, Leg, Side
from joed.sim import conduct
from joed.sim.odd import OddExchange

Order = SubmitOrder | AmendOrder | CancelOrder

TOLD_S = 8.0
"""How long a position may be bare before a person is told: the policy's 5 s, a second hand and a commit."""
READ_S = 6.0  # how much later it is known what a person or a split did: by the next whole read
LOOSE_S = 45.0
"""How long more stops than position may work: two whole reads, and the amendment that follows."""
SHAKEN_S = 30.0
"""How long after an oddity the exits that were under way may still do harm."""


class Broken(Exception):
    """A law was broken: its name, and what was seen."""

    def __init__(self, law: str, words: str) -> None:
        super().__init__(f"{law}: {words}")
        self.law, self.words = law, words


class Watch:
    """The onlooker: it sees the exchange's log, every order at the moment of its hand-over, and every record made."""

    def __init__(self, exchange: OddExchange, clock: SimulatedClock, journal: Path, risk: Risk) -> None:
        """Look at this exchange, and read this journal with a connection of its own."""
        self.exchange = exchange
        self.clock = clock
        self.risk = risk
        self.alerts: dict[str, int] = {}
        self.answers: dict[str, str] = {}
        self.bare_ns: dict[str, int] = {}
        self.loose_ns: dict[str, int] = {}
        self.since_ns: dict[str, int] = {}
        self.worst_s: dict[str, float] = {}
        self.sent_ns: list[int] = []
        self._tended_ns = clock.now()
        self.checks: Counter[str] = Counter()
        self.accepted: Counter[str] = Counter()
        self.entered: Counter[str] = Counter()
        self.levels: dict[str, Decimal] = {}
        self.held: dict[str, Decimal] = {}
        self.handed: dict[str, int] = {}
        self.killed_ns = 0
        self.paused = False
        self.unrecorded = False
        self.read_since_up, self.read_ns = False, 0
        self.fear: tuple[str, float, int] = ("", 0.0, 0)
        self.prints_high, self.conduct = 0, conduct.Conduct()
        self._journal = journal
        self._reader: sqlite3.Connection | None = None
        self._seqs: dict[int, tuple[int, Command]] = {}
        self._lines = self._fills = 0

    def hold(self, law: str, words: str) -> None:
        """Count a check; raise Broken where there are words."""
        self.checks[law] += 1
        if words:
            raise Broken(law, words)

    def look(self) -> None:
        """Judge what the exchange has done since the last look."""
        log, fills = self.exchange.log, self.exchange.executions
        while self._lines < len(log):
            line = log[self._lines]
            self._lines += 1
            for name, law in LINE_LAWS.items():
                self.hold(name, law(self, line))
        while self._fills < len(fills):
            fill = fills[self._fills]
            self._fills += 1
            for name, judge in FILL_LAWS.items():
                self.hold(name, judge(self, fill))

    def tend(self, *, able: bool) -> None:
        """Judge how long what an oddity did goes unmended, while joed is `able` to mend it."""
        now = self.clock.now()
        passed_ns = now - self._tended_ns if able else 0
        self._tended_ns = now
        for instrument, since_ns in list(self.exchange.shaken.items()):
            least, most = needed(self.exchange, instrument)
            protection = self.exchange.protection(instrument)
            bare = self._last(self.bare_ns, "bare", instrument, passed_ns, amiss=protection < least)
            loose = self._last(self.loose_ns, "loose", instrument, passed_ns, amiss=protection > most)
            self.hold("a person is told of a bare position", untold(self, instrument, bare))
            self.exchange.wait(instrument, passed_ns)
            most_s = conduct.patience_s(self.exchange, instrument)
            self.hold("a bare position is mended", lasts(instrument, "without its stop", bare, most_s))
            self.hold("a stop too many is mended", lasts(instrument, "with a stop too many", loose, LOOSE_S))
            # A stop fits what is left of ours beside a stranger's.
            apart = self.exchange.foreign.get(instrument) or self.exchange.unguarded(instrument)
            if not bare:
                self.exchange.settle(instrument)
            if not bare and not loose and not apart and now - since_ns > int(SHAKEN_S * SECOND):
                del self.exchange.shaken[instrument]

    def _last(self, table: dict[str, int], what: str, instrument: str, passed_ns: int, *, amiss: bool) -> float:
        """Add up how long something is amiss, in seconds."""
        if not amiss:
            table.pop(instrument, None)
            self.since_ns.pop(f"{what} {instrument}", None)
            return 0.0
        self.since_ns.setdefault(f"{what} {instrument}", self.clock.now())
        table[instrument] = table.get(instrument, 0) + passed_ns
        lasted_s = table[instrument] / SECOND
        self.worst_s[what] = max(self.worst_s.get(what, 0.0), lasted_s)
        return max(lasted_s, 1e-9)

    def recorded(self, seq: int, event: Event, commands: list[Command]) -> None:
        """See a record being made: what leaves later must be found in it."""
        self.conduct.recorded(self.exchange, self.clock.now(), seq, event, commands, self.hold)
        for command in commands:
            if isinstance(command, Order | Answer):  # the same answer may be given again
                self._seqs.setdefault(id(command), (seq, command))
            elif isinstance(command, RetireOrder):
                self.hold("absence is proven", absence_proven(self, event, command))
            elif isinstance(command, RaiseAlert):
                self.alerts[command.key] = self.clock.now()
        if type(event) is Quote:
            self.took(event)

    def took(self, quote: Quote) -> None:
        """See joed take a quote in: after enough high prints of fear nothing may open."""
        name, level, _ = self.fear
        if quote.instrument == name and quote.bid > 0:
            price = quote.last if quote.last is not None else (quote.bid + quote.ask) / 2
            self.prints_high = self.prints_high + 1 if price >= level else 0

    def died(self) -> None:
        """See a life end: what it had not handed over it never will."""
        self._seqs = {}
        self.prints_high = 0
        self.read_since_up = self.unrecorded = False

    def handing(self, command: Command) -> None:
        """Judge an order in the moment in which it is handed over."""
        assert isinstance(command, Order), command
        now = self.clock.now()
        self.sent_ns = [at_ns for at_ns in self.sent_ns if at_ns > now - MINUTE]
        self.sent_ns += [now] if opens(command) else []
        for name, law in HAND_LAWS.items():
            self.hold(name, law(self, command))
        conduct.at_hand(self.exchange, command, self.risk.position_max, self.hold)
        if isinstance(command, SubmitOrder):
            for order in filter(None, (command.order, command.stop_order, command.target_order)):
                self.handed[order] = self.clock.now()

    def stored(self, command: Order | Answer) -> str:
        """Say what is missing in the file of a command's record, "" where it is whole."""
        seq, _ = self._seqs.get(id(command), (0, None))
        if not seq:
            return "stands in no record"
        if self._reader is None:
            self._reader = sqlite3.connect(f"{self._journal.as_uri()}?mode=ro", uri=True, isolation_level=None)
        row = self._reader.execute("SELECT commands FROM records WHERE seq = ?", (seq,)).fetchone()
        if row is None:
            return f"is of record {seq}, which is not in the file"
        return "" if msgspec.json.encode(command).decode() in row[0] else f"is not what record {seq} says"

    def close(self) -> None:
        """Let go of the file."""
        if self._reader is not None:
            self._reader.close()


def one_order(watch: Watch, line: Line) -> str:
    """One id makes one order."""
    if line.what == "duplicate":
        return f"order {line.order} came to the exchange again"
    if line.what != "accepted":
        return ""
    watch.accepted[line.order] += 1
    return f"order {line.order} was accepted twice" if watch.accepted[line.order] > 1 else ""


def one_entry(watch: Watch, line: Line) -> str:
    """One signal makes one entry."""
    order = watch.exchange.orders.get(line.order)
    if line.what != "accepted" or order is None or not order.opens or not order.signal:
        return ""
    watch.entered[order.signal] += 1
    return (
        f"signal {order.signal} made {watch.entered[order.signal]} entries" if watch.entered[order.signal] > 1 else ""
    )


def needed(exchange: OddExchange, instrument: str) -> tuple[Decimal, Decimal]:
    """Give the least and the most that stops may guard: what joed holds, less or more where a person traded by hand."""
    own, total = exchange.own(instrument), exchange.position(instrument)
    same = own * total > 0
    return (min(abs(own), abs(total)), max(abs(own), abs(total))) if same else (ZERO, abs(own))


def untold(watch: Watch, instrument: str, bare_s: float) -> str:
    """Say that nobody was told of a bare position in time."""
    if bare_s <= TOLD_S + (READ_S if instrument in watch.exchange.foreign else 0.0):
        return ""
    since_ns = watch.since_ns[f"bare {instrument}"]
    key = f"unprotected:{instrument}:"
    told = any(name.startswith(key) and at_ns >= since_ns for name, at_ns in watch.alerts.items())
    return "" if told else f"nobody was told that {instrument} is bare for {bare_s:.1f} s"


def lasts(instrument: str, what: str, found_s: float, most_s: float) -> str:
    """Say that something lasts too long."""
    return f"{instrument} is {what} for {found_s:.1f} s" if found_s > most_s else ""


def protected(watch: Watch, line: Line) -> str:
    """At the end of every turn of the exchange the working stops equal the position; an oddity has its own bounds."""
    if line.protection == abs(line.position) or line.instrument in watch.exchange.shaken:
        return ""
    return f"{line.instrument} held {line.position} with stops for {line.protection} ({line.order} {line.what})"


def never_loosened(watch: Watch, line: Line) -> str:
    """No stop moves away from the price."""
    order = watch.exchange.orders.get(line.order)
    if order is None or order.leg is not Leg.STOP or line.what not in ("accepted", "amended") or line.price is None:
        return ""
    before = watch.levels.get(line.order, line.price)
    watch.levels[line.order] = line.price
    looser = line.price < before if order.side is Side.SELL else line.price > before
    return f"the stop {line.order} went from {before} to {line.price}" if looser else ""


def only_reduces(watch: Watch, fill: OrderFilled) -> str:
    """Orders that may only reduce never enlarge a position, nor take it through zero."""
    if watch.exchange.strange(fill.order):
        return ""
    shaken = fill.instrument in watch.exchange.shaken
    before = watch.held.get(fill.instrument, ZERO)
    after = watch.held[fill.instrument] = before + fill.side.sign * fill.quantity
    order: BookOrder = watch.exchange.orders[fill.order]
    if order.opens or shaken or (after * before >= 0 and abs(after) <= abs(before)):
        return ""
    return f"{fill.order} took {fill.instrument} from {before} to {after}"


def within_limits(watch: Watch, fill: OrderFilled) -> str:
    """No more instruments are held than the limit allows."""
    held = sorted(name for name, quantity in watch.held.items() if quantity and name not in watch.exchange.odd)
    most = watch.risk.position_max
    return f"{', '.join(held)} are held, the limit is {most}" if len(held) > most else ""


def within_gross(watch: Watch, command: Order) -> str:
    """Nobody opens so much that what is held and what may still fill is worth more than the limit."""
    if not isinstance(command, SubmitOrder) or not command.opens:
        return ""
    pending = [o for o in watch.exchange.orders.values() if o.opens and not o.status.ended and o.group]
    worth = sum((o.left * (o.level or ZERO) for o in pending), command.quantity * (command.level or ZERO))
    for name, quantity in watch.held.items():
        quote = watch.exchange.quotes.get(name)
        worth += abs(quantity) * Decimal(str(quote.bid)) if quote is not None else ZERO
    most = watch.risk.gross_max * Decimal("1.05")  # prices have moved since the limit was asked
    return f"{worth:.0f} would be open with {command.order}, the limit is {most:.0f}" if worth > most else ""


def within_order(watch: Watch, command: Order) -> str:
    """No entry is worth more than one order may be."""
    if not isinstance(command, SubmitOrder) or not command.opens:
        return ""
    worth = command.quantity * (command.level or ZERO)
    most = watch.risk.notional_max
    return f"{command.order} is worth {worth}, the limit is {most}" if worth > most else ""


def within_minute(watch: Watch, command: Order) -> str:
    """No more entries leave within a minute than the limit allows."""
    found, most = len(watch.sent_ns), watch.risk.orders_minute_max
    return f"{found} entries left within a minute, the limit is {most}" if opens(command) and found > most else ""


def durable_before_sent(watch: Watch, command: Order) -> str:
    """No order is handed over before its record lies in the file, read there by somebody else."""
    missing = watch.stored(command)
    if watch.unrecorded and not opens(command):
        return ""  # a full disk holds nobody back from reducing risk
    return f"{type(command).__name__} {command.order} {missing}" if missing else ""


def handed_once(watch: Watch, command: Order) -> str:
    """No id is handed over twice, by any life."""
    again = isinstance(command, SubmitOrder) and command.order in watch.handed
    return f"{command.order} was handed over before" if again else ""


def killed_means_shut(watch: Watch, command: Order) -> str:
    """From the kill's file on nothing that opens is handed over, until a person releases it."""
    if not opens(command) or not watch.killed_ns:
        return ""
    return f"{command.order} left {(watch.clock.now() - watch.killed_ns) / 1e9:.3f} s after the kill"


def paused_means_shut(watch: Watch, command: Order) -> str:
    """After a pause nothing that opens is handed over."""
    return f"{command.order} left while entries were paused" if opens(command) and watch.paused else ""


def fear_means_shut(watch: Watch, command: Order) -> str:
    """After enough high prints of VIX in a row nothing that opens is handed over."""
    shut = opens(command) and watch.prints_high >= watch.fear[2] > 0
    return f"{command.order} left after {watch.prints_high} high prints" if shut else ""


def read_before_entries(watch: Watch, command: Order) -> str:
    """Nothing that opens is handed over before the broker has been read whole over this link."""
    return f"{command.order} left over a link that was not read" if opens(command) and not watch.read_since_up else ""


def not_too_late(watch: Watch, command: Order) -> str:
    """Nothing that opens is handed over after its time."""
    late = isinstance(command, SubmitOrder) and command.opens and watch.clock.now() > command.expires_at_ns
    return f"{command.order} left after it had expired" if late else ""


def stops_stay(watch: Watch, command: Order) -> str:
    """Nobody asks for the end of a stop that an open position needs."""
    order = watch.exchange.orders.get(command.order)
    if not isinstance(command, CancelOrder) or order is None or order.leg is not Leg.STOP or order.status.ended:
        return ""
    held, _ = needed(watch.exchange, order.instrument)
    if order.side.sign * watch.exchange.own(order.instrument) > 0:
        return ""  # it would open more, not guard
    bare = held > watch.exchange.protection(order.instrument) - order.left
    return f"{command.order} guards {held} {order.instrument} and was to go: {command.reason}" if held and bare else ""


def absence_proven(watch: Watch, event: Event, command: RetireOrder) -> str:
    """Orders given up as not being at the exchange had not come when the last reading was made (F48: they may yet)."""
    order = watch.exchange.orders.get(command.order)
    if order is None or (type(event) is BrokerRead and order.at_ns > event.to_ns):
        return ""
    return f"{command.order} was given up ({command.evidence}), and is {order.status} with {order.filled} filled"


def opens(command: Order) -> bool:
    """Say whether an order adds risk."""
    return isinstance(command, SubmitOrder) and command.opens


def corrected(watch: Watch, line: Line) -> str:
    """Follow what a broker takes back; it breaks no law."""
    if line.what == "corrected":
        watch.held[line.instrument] = watch.held.get(line.instrument, ZERO) + line.quantity
    return ""


LINE_LAWS: dict[str, Callable[[Watch, Line], str]] = {
    "one order an intent": one_order,  # I1, I9
    "one entry a signal": one_entry,  # I7
    "always protected": protected,  # I4, I5
    "stops never loosen": never_loosened,
    "corrections are followed": corrected,
}
"""Asked of each line of the exchange's log."""

FILL_LAWS: dict[str, Callable[[Watch, OrderFilled], str]] = {
    "reducing orders reduce": only_reduces,  # I5, I22
    "position limit": within_limits,  # I19
}
"""Asked of each execution."""

HAND_LAWS: dict[str, Callable[[Watch, Order], str]] = {
    "durable before sent": durable_before_sent,  # I2
    "handed over once": handed_once,  # I1, I8, I9
    "killed means shut": killed_means_shut,  # I3
    "paused means shut": paused_means_shut,
    "fear means shut": fear_means_shut,
    "read before entries": read_before_entries,  # I25
    "expired stays here": not_too_late,
    "stops stay": stops_stay,  # I6
    "gross limit": within_gross,  # I19
    "order limit": within_order,  # I19
    "entries a minute": within_minute,  # I21
}
"""Asked of each order as it is handed over."""
