"""What happened, in the past tense: everything the engine learns, it learns from one of these.

Fields are only ever added, with defaults, and the tags are literal: a record written today reads for ever.
A Quote, a Tick and a clean BrokerRead are tape; everything else is audit.
"""

from decimal import Decimal

from joed.model import feeds
from joed.model.calendars import Calendar
from joed.model.card import Change
from joed.model.channels import AlertDelivered as AlertDelivered  # noqa: PLC0414 - one of the events, as all here
from joed.model.commands import SubmitOrder
from joed.model.event import Event as Event  # noqa: PLC0414 - re-exported as the root of what follows
from joed.model.rows import Candidate as Candidate  # noqa: PLC0414 - re-exported beside its event
from joed.model.rows import OrderSeen as OrderSeen  # noqa: PLC0414 - re-exported beside its event
from joed.model.rows import PositionSeen as PositionSeen  # noqa: PLC0414 - re-exported beside its event
from joed.model.rows import RegimeRead as RegimeRead  # noqa: PLC0414 - re-exported beside its event
from joed.model.settings import Settings
from joed.model.triggers import Trigger
from joed.model.values import Scope, Side, Status


class Quote(Event, frozen=True, gc=False, tag="Quote", omit_defaults=True):
    """The best bid and ask of one instrument, as floats in its currency; `last` and `volume` are None where unknown.

    `received_ns` is when the adapter had it in hand (the age of a quote counts from there);
    `volume` is the session's running total; `source` is how it came where that is not the broker's stream (feeds).
    """

    instrument: str
    bid: float
    ask: float
    last: float | None = None
    volume: float | None = None
    received_ns: int = 0
    bid_size: float | None = None
    ask_size: float | None = None
    broker: str = ""
    source: str = ""


class Tick(Event, frozen=True, gc=False, tag="Tick"):
    """A second passed: schedules, time-outs and staleness look up."""


class ClockStepped(Event, frozen=True, gc=False, tag="ClockStepped"):
    """The wall clock was set: UTC is `now` plus this offset from here on; or the machine slept for `slept_ns`."""

    offset_ns: int
    slept_ns: int = 0


class EpochStarted(Event, frozen=True, gc=False, tag="EpochStarted"):
    """A joed process took over: an epoch above any before, for all its ids; `suspect` says how its journal is old."""

    epoch: int
    reason: str
    version: str
    code: str
    pid: int = 0
    killed: Scope | None = None
    suspect: str = ""


class SettingsLoaded(Event, frozen=True, tag="SettingsLoaded"):
    """What is in force from here on; `digest` is its hash. Of a reload: who asked, what changes, what is held back."""

    settings: Settings
    digest: str
    calendars: dict[str, Calendar] = {}
    reason: str = "start"
    request: str = ""
    changes: tuple[Change, ...] = ()
    held: tuple[Change, ...] = ()


class StopAsked(Event, frozen=True, gc=False, tag="StopAsked"):
    """Somebody wants the daemon to end in order: a signal, systemd, the session's end."""

    reason: str


class SessionEnded(Event, frozen=True, gc=False, tag="SessionEnded"):
    """The last record of a day: the books as they were left."""

    session: str
    reason: str
    equity: Decimal
    realised: Decimal
    fees: Decimal
    trades: int
    positions: int


class EventFaulted(Event, frozen=True, gc=False, tag="EventFaulted"):
    """`step` raised on an event: it and its repeats (by `digest`) are never applied, its instrument is blocked."""

    digest: str
    kind: str
    instrument: str | None
    error: str
    event: str


class JournalFailed(Event, frozen=True, gc=False, tag="JournalFailed"):
    """The journal can't commit: entries are off, reductions leave at once."""

    reason: str


class JournalRestored(Event, frozen=True, gc=False, tag="JournalRestored"):
    """The journal commits again and has been checked."""


class HeartbeatMeasured(Event, frozen=True, gc=False, tag="HeartbeatMeasured"):
    """What the shell measured of itself: events waiting, resident memory, the loop's worst lateness."""

    queue_depth: int
    memory_bytes: int
    lag_ns: int = 0


class BrokerUp(Event, frozen=True, gc=False, tag="BrokerUp"):
    """A broker answers, in its connection number `connection`; nothing is known until it has been read whole."""

    broker: str
    account: str
    mode: str
    connection: int


class BrokerDown(Event, frozen=True, gc=False, tag="BrokerDown"):
    """A broker stopped answering."""

    broker: str
    reason: str


class OrderAccepted(Event, frozen=True, gc=False, tag="OrderAccepted"):
    """The broker has the order and gave it a number."""

    order: str
    broker_id: str


class OrderWorking(Event, frozen=True, gc=False, tag="OrderWorking"):
    """The order can be executed from now on (a child: its parent has filled); with the terms as the broker holds them.

    Also the answer to an amendment. `quantity` is what is left to do.
    """

    order: str
    quantity: Decimal
    level: Decimal | None = None


class OrderFilled(Event, frozen=True, gc=False, tag="OrderFilled"):
    """One execution; `revision` above 0 replaces the same execution's earlier word, with quantity 0 it is a bust.

    `quantity` is positive, `price` in the instrument's currency, `fee` positive when paid; `currency` is theirs as the
    broker names it, "" where it is the instrument's own.
    """

    order: str
    execution: str
    instrument: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal = Decimal(0)
    revision: int = 0
    at_ns: int = 0
    broker: str = ""
    currency: str = ""


class OrderCancelled(Event, frozen=True, gc=False, tag="OrderCancelled"):
    """The broker says that nothing of the order is left working."""

    order: str
    reason: str = ""


class OrderExpired(Event, frozen=True, gc=False, tag="OrderExpired"):
    """The order's time in force ran out, by the broker's word."""

    order: str


class OrderRejected(Event, frozen=True, gc=False, tag="OrderRejected"):
    """A definitive refusal by the broker."""

    order: str
    code: str
    words: str = ""


class OrderDoubted(Event, frozen=True, gc=False, tag="OrderDoubted"):
    """The outcome of an attempt is not known and will not be told: a time-out, a reset, a cut or unreadable answer.

    `candidates` are the broker's numbers of what it could have become, where several could and none is proven.
    """

    order: str
    reason: str
    candidates: tuple[str, ...] = ()


class CancelRejected(Event, frozen=True, gc=False, tag="CancelRejected"):
    """The broker would not cancel: the order may have filled, or may be gone; only evidence ends it."""

    order: str
    words: str = ""


class AmendRejected(Event, frozen=True, gc=False, tag="AmendRejected"):
    """The broker kept the order as it was."""

    order: str
    words: str = ""


class BrokerRead(Event, frozen=True, tag="BrokerRead"):
    """The whole of a broker's book, read within one unbroken connection between `from_ns` and `to_ns`.

    `complete` False means that an end marker is missing: then it may add what it shows, and prove no absence.
    `executions` are all since the session's start, oldest first.
    `ended` maps our ids of orders that the broker shows as ended, and how. `cash` is in base currency, `balances` are
    the other currencies'; `buying_power` and `day_trades_left` are None where the broker does not say.
    """

    broker: str
    connection: int
    from_ns: int
    to_ns: int
    complete: bool
    orders: tuple[OrderSeen, ...] = ()
    positions: tuple[PositionSeen, ...] = ()
    executions: tuple[OrderFilled, ...] = ()
    ended: dict[str, Status] = {}
    cash: Decimal | None = None
    balances: dict[str, Decimal] = {}
    buying_power: Decimal | None = None
    day_trades_left: int | None = None


class RateSeen(Event, frozen=True, gc=False, tag="RateSeen"):
    """What one unit of a currency is worth in base currency, as of `at_ns`, and who says so."""

    currency: str
    rate: Decimal
    at_ns: int
    source: str


class CommandSent(Event, frozen=True, gc=False, tag="CommandSent"):
    """Command `index` of record `seq` was handed to its transport."""

    seq: int
    index: int
    order: str
    command: str = "SubmitOrder"


class CommandDropped(Event, frozen=True, gc=False, tag="CommandDropped"):
    """Command `index` of record `seq` was refused at release, proven before its first byte."""

    seq: int
    index: int
    order: str
    reason: str
    command: str = "SubmitOrder"


class RegimeJudged(Event, frozen=True, gc=False, tag="RegimeJudged"):
    """The regime job's answer; `closes` are the last session's closing prices, by instrument."""

    run: int
    regime: RegimeRead
    closes: dict[str, float] = {}


class MarketScanned(Event, frozen=True, tag="MarketScanned"):
    """The scan's answer: a new watchlist, best first; `rejected` counts reasons, `aside` says what none can believe."""

    run: int
    watchlist: tuple[Candidate, ...]
    rejected: dict[str, int] = {}
    aside: dict[str, str] = {}


class WatchlistScored(Event, frozen=True, tag="WatchlistScored"):
    """The watchlist job's answer: the same names scored anew with the latest prices."""

    run: int
    watchlist: tuple[Candidate, ...]


class TriggersMade(Event, frozen=True, tag="TriggersMade"):
    """The strategies job's answer: all Triggers that hold from now on, in place of the earlier ones."""

    run: int
    triggers: tuple[Trigger, ...]
    faults: dict[str, str] = {}


class AnalyticsMade(Event, frozen=True, tag="AnalyticsMade"):
    """The analytics job's answer: named figures, each with its method in its name; None is unknown."""

    run: int
    figures: dict[str, float | None]


class SummaryWritten(Event, frozen=True, gc=False, tag="SummaryWritten"):
    """The end-of-day summary, in words."""

    run: int
    text: str


class CryptoRead(Event, frozen=True, tag="CryptoRead"):
    """The crypto job's answer: named readings, None where a source is absent; `read_ns` is when a source said it."""

    run: int
    readings: dict[str, float | None]
    read_ns: dict[str, int] = {}


class JobFailed(Event, frozen=True, gc=False, tag="JobFailed"):
    """A job raised, ran over its deadline or lost its worker."""

    job: str
    run: int
    reason: str


class OperatorAsked(Event, frozen=True, tag="OperatorAsked"):
    """A person (or the demo's own hand) asked for something over the control socket; `request` is the idempotency key.

    uid, gid and pid are the kernel's word; `digest` covers verb, uid and body; a `denied` one is a record, no more.
    """

    verb: str
    request: str
    uid: int
    gid: int
    pid: int
    reason: str = ""
    args: dict[str, str] = {}
    digest: str = ""
    denied: str = ""


class LatchSeen(Event, frozen=True, gc=False, tag="LatchSeen"):
    """The kill file was found; `uid` is its owner."""

    scope: Scope
    uid: int


class LatchGone(Event, frozen=True, gc=False, tag="LatchGone"):
    """The kill file is no longer there, without a release: the Block stays until one."""


class KillRehearsed(Event, frozen=True, gc=False, tag="KillRehearsed"):
    """A drill's files lie on the disk, made within `latch_ns`; `proof` is what permit said to an entry."""

    latch_ns: int
    proof: str


class FailsafeRan(Event, frozen=True, tag="FailsafeRan"):
    """A failsafe, which knows no engine, is about to close these: recorded before the first of them leaves."""

    pid: int
    version: str
    closes: tuple[SubmitOrder, ...] = ()


ANY = (
    Quote | Tick | ClockStepped | EpochStarted | SettingsLoaded | StopAsked | SessionEnded | EventFaulted
    | JournalFailed | JournalRestored | HeartbeatMeasured | BrokerUp | BrokerDown | OrderAccepted | OrderWorking
    | OrderFilled | OrderCancelled | OrderExpired | OrderRejected | OrderDoubted | CancelRejected | AmendRejected
    | BrokerRead | RateSeen | CommandSent | CommandDropped | RegimeJudged | MarketScanned | WatchlistScored
    | TriggersMade | AnalyticsMade | SummaryWritten | CryptoRead | JobFailed | OperatorAsked | LatchSeen | LatchGone
    | KillRehearsed | AlertDelivered | FailsafeRan | feeds.InstrumentSetAside | feeds.InstrumentServed
    | feeds.FeedChanged | feeds.BrokerExamined | feeds.BarsAsked | feeds.BarsFetched | feeds.HoursTold
    | feeds.MarginTold
)  # fmt: skip
"""All events, for decoding a record; packed by hand, for a word a line would be a page."""

TAPE = (Quote, Tick)
"""Events that go to the tape when they led to no command."""
