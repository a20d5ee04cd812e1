"""All that the engine remembers: one value, written by `apply` alone, whole in a snapshot.

It holds what lives and this session's counters, not history: that is the journal's.
"""

from decimal import Decimal

from msgspec import Struct, field

from joed.model.blocks import Block
from joed.model.calendars import Calendar
from joed.model.card import Signed
from joed.model.channels import Channel as Channel  # noqa: PLC0414 - part of State, as its own shapes here
from joed.model.commands import Answer, JudgeBooks, RaiseAlert, RefuseEntry
from joed.model.events import Candidate, Quote, RegimeRead
from joed.model.kill import Drill, Kill
from joed.model.orders import Order, Position
from joed.model.settings import Settings
from joed.model.triggers import Trigger
from joed.model.values import ZERO, Bar, Mode, Scope

EMPTY_LO = float("inf")
EMPTY_HI = float("-inf")


class Market(Struct):
    """The live side of one instrument: its last quote, its price bands, and the second and minute being folded.

    Nothing can act while `lo < bid <= ask < hi` and `last_lo < last < last_hi`; an empty band lets every quote through
    to the rules. The folded price is `last` where the broker sends it, else the middle.
    """

    instrument: str
    lo: float = EMPTY_LO
    hi: float = EMPTY_HI
    last_lo: float = EMPTY_LO
    last_hi: float = EMPTY_HI
    quote: Quote | None = None
    quoted_ns: int = 0
    quotes: int = 0
    high: float = EMPTY_HI
    low: float = EMPTY_LO
    minute: Bar | None = None
    volume_at_minute: float | None = None
    suspect: float | None = None
    suspects: int = 0
    previous_close: float | None = None
    anchor: float = 0.0
    signals: list[str] = []
    rejected: int = 0
    blocked: bool = False


class Rate(Struct, gc=False):
    """What one unit of a currency is worth in base currency, as of `at_ns`, by whose word.

    `suspect` is a rate so far off that it waits for another that agrees, `rejected` counts those that were left out.
    """

    rate: Decimal
    at_ns: int
    source: str
    suspect: Decimal | None = None
    rejected: int = 0


class Proceeds(Struct, frozen=True, gc=False):
    """Money from sales that may be spent in a cash account only once it has settled."""

    settles_ns: int
    currency: str
    amount: Decimal


class Finding(Struct, frozen=True, gc=False):
    """What an adapter last found of one thing in its account or gateway, and since when it says so."""

    ok: bool
    words: str
    halts: bool
    since_ns: int


class Hours(Struct, frozen=True):
    """When a broker trades an instrument, by its own word: spans of time, complete from `from_ns` to `until_ns`."""

    spans: tuple[tuple[int, int], ...]
    from_ns: int
    until_ns: int


class Margin(Struct, frozen=True, gc=False):
    """What a broker said that a quantity would add to the margin, what the account had for it, and when."""

    quantity: Decimal
    change: Decimal
    available: Decimal
    at_ns: int


class Fetched(Struct, frozen=True, gc=False):
    """How much of a broker's history the worker has; `missing` says by instrument why there is none of it."""

    at_ns: int
    instruments: int
    bars: int
    missing: dict[str, str] = {}
    rejected: dict[str, int] = {}


class Broker(Struct):
    """What is known of a broker's connection, of its money, and of when its book was last read whole.

    `differences` counts what the last read changed in our books or left open. `foreign` are the open orders there that
    are not ours (number -> instrument), the first `strangers.FOREIGN_MAX`; `foreign_count` counts all of them.
    `suspected` is what one whole read showed beyond our books: the next may prove it external; `averages` are the
    prices at which the broker says that those positions were taken; `beyond` is what was proven external there, and
    `foreign_asked_ns` is when the broker was last asked to cancel what is not ours.
    `cash` is in base currency, `balances` are the other currencies'; `unsettled` is the part of both that sales brought
    and that is still to settle. `buying_power` and `day_trades_left` are the broker's word, None where it gives none.
    `source` is how its prices come ("" until it says so), `findings` what its adapter looked at, by name, `aside` says
    by instrument what it cannot serve, and why, `hours` when it trades it, `margins` ("AAPL:BUY") what it would need;
    `fetched` is its history by kind of bar, asked for at `bars_asked_ns`; `slept_ns` is when the machine last woke:
    what was asked before it proves nothing.
    """

    name: str
    up: bool = False
    account: str = ""
    connection: int = 0
    changed_ns: int = 0
    read_ns: int = 0
    reconciled: bool = False
    differences: int = 0
    quoted_ns: int = 0
    cash: Decimal = ZERO
    read_from_ns: int = 0
    slept_ns: int = 0
    foreign: dict[str, str] = {}
    foreign_count: int = 0
    suspected: dict[str, Decimal] = {}
    averages: dict[str, Decimal] = {}
    balances: dict[str, Decimal] = {}
    unsettled: list[Proceeds] = []
    buying_power: Decimal | None = None
    day_trades_left: int | None = None
    foreign_asked_ns: int = 0
    beyond: dict[str, Decimal] = {}
    source: str = ""
    findings: dict[str, Finding] = {}
    aside: dict[str, str] = {}
    fetched: dict[str, Fetched] = {}
    bars_asked_ns: int = 0
    hours: dict[str, Hours] = {}
    margins: dict[str, Margin] = {}


class Job(Struct, gc=False):
    """The state of one kind of job: what runs, what ran, how it went."""

    name: str
    runs: int = 0
    running: int = 0
    started_ns: int = 0
    ended_ns: int = 0
    next_ns: int = 0
    failed: str = ""
    failures: int = 0
    took_ns: int = 0


class Day(Struct, gc=False):
    """This session's counters; they outlive a crash, not a session.

    `confirmed` is the hash of the card that opened it; `signers` have signed the card `signing`, and more must.
    """

    session: str = ""
    open_ns: int = 0
    close_ns: int = 0
    equity_start: Decimal = ZERO
    realised: Decimal = ZERO
    fees: Decimal = ZERO
    trades: int = 0
    orders: int = 0
    fills: int = 0
    refusals: dict[str, int] = {}
    closed: bool = False
    confirmed: str = ""
    wins: int = 0
    losses: int = 0
    epoch: int = 0
    signing: str = ""
    signers: tuple[int, ...] = ()
    unrealised_start: Decimal = ZERO


class Fright(Struct, gc=False):
    """What the fast path remembers of VIX: recent prints, how many agree and since when, since when entries are off."""

    prints: int = 0
    since_ns: int = 0
    last_high_ns: int = 0
    anchors: list[tuple[int, float]] = []
    level: float = 0.0
    first_ns: int = 0


class KeyUse(Struct, frozen=True, gc=False):
    """What an idempotency key was first used for, when, in which record, and by whom."""

    digest: str
    at_ns: int
    seq: int
    uid: int


class Telling(Struct, gc=False):
    """How often an alert was told, when it is told again, whether it arrives, and who has acknowledged it."""

    raised_ns: int
    told: int = 0
    next_ns: int = 0
    failures: int = 0
    failed: str = ""
    acked_ns: int = 0
    acked_uid: int = -1


class Reading(Struct, frozen=True, gc=False):
    """What is known of the crypto market by one name, and when its source said it."""

    value: float
    at_ns: int


class State(Struct):
    """The whole. `seq` and `now` are those of the last event applied.

    `worth` is the equity, `exposure` the gross value of all positions and `unrealised` their open profit, in base
    currency as of the last second or fill: limits look at them, so that no entry waits for a sum. `longs` and `shorts`
    are the exposure by underlying, `held` counts the positions that are not flat. `resting` names every entry that may
    still fill; `signal_orders` counts the orders that each signal of the session has caused.
    `spent` holds a digest of every (strategy, signal) that ever became an entry, for ever (orders.SIGNALS_MAX). `found`
    is what the last word of a broker showed otherwise than our books, `verdicts` the latest of what was found.
    `signed` is the last card that was signed whole, of whatever session; `bound` the account at each broker that this
    directory belongs to; `live_session` the last of the `live_sessions` that were confirmed. `examined_ns` is when the
    doctor of the first live day passed, `delivered_ns` when an alert last reached anybody.
    `left_out` counts what the last scan left out, `aside` says which names' bars it could not believe, and why.
    `missed_cards` holds, by uid, when somebody named a card that is not the day's.
    """

    id_key: bytes = b""
    seq: int = 0
    now: int = 0
    epoch: int = 0
    utc_offset_ns: int = 0
    mode: Mode = Mode.PAPER
    settings: Settings = field(default_factory=Settings)
    settings_digest: str = ""
    calendars: dict[str, Calendar] = {}
    day: Day = field(default_factory=Day)
    markets: dict[str, Market] = {}
    triggers: dict[str, Trigger] = {}
    signals: dict[str, str] = {}
    trails: dict[str, Decimal] = {}
    orders: dict[str, Order] = {}
    positions: dict[str, Position] = {}
    blocks: dict[str, Block] = {}
    brokers: dict[str, Broker] = {}
    jobs: dict[str, Job] = {}
    cash: Decimal = ZERO
    realised: Decimal = ZERO
    fees: Decimal = ZERO
    regime: RegimeRead | None = None
    regime_ns: int = 0
    watchlist: tuple[Candidate, ...] = ()
    scanned_ns: int = 0
    analysed_ns: int = 0
    figures: dict[str, float | None] = {}
    summary: str = ""
    fright: Fright = field(default_factory=Fright)
    killed: Scope | None = None
    paused: bool = False
    stopping: str = ""
    stopping_ns: int = 0
    answers: dict[str, Answer] = {}
    alerts: dict[str, RaiseAlert] = {}
    refused: list[RefuseEntry] = []
    faulted: dict[str, int] = {}
    external: dict[str, Decimal] = {}
    order_times: list[int] = []
    rejects: dict[str, int] = {}
    equity_high: Decimal = ZERO
    marked_ns: int = 0
    finished: list[Bar] = []
    memory_bytes: int = 0
    queue_depth: int = 0
    sealed: bool = False
    repairs: int = 0
    summarised: str = ""
    version: str = ""
    code: str = ""
    worth: Decimal = ZERO
    exposure: Decimal = ZERO
    resting: dict[str, None] = {}
    spent: dict[str, None] = {}
    found: list[JudgeBooks] = []
    verdicts: list[JudgeBooks] = []
    signed: Signed | None = None
    bound: dict[str, str] = {}
    bound_mode: Mode | None = None
    live_sessions: int = 0
    live_session: str = ""
    examined_ns: int = 0
    delivered_ns: int = 0
    rates: dict[str, Rate] = {}
    unrealised: Decimal = ZERO
    signal_orders: dict[str, int] = {}
    quotes_rejected: dict[str, int] = {}
    longs: dict[str, Decimal] = {}
    shorts: dict[str, Decimal] = {}
    held: int = 0
    kill: Kill | None = None
    drilled: Drill | None = None
    journal_down: bool = False
    keys: dict[str, KeyUse] = {}
    missed_cards: dict[int, list[int]] = {}
    left_out: dict[str, int] = {}
    aside: dict[str, str] = {}
    tellings: dict[str, Telling] = {}
    channels: dict[str, Channel] = {}
    crypto: dict[str, Reading] = {}
    ticked_seq: int = -1
    """The seq of the last Tick, -1 where something was done since."""
    ticked_ns: int = 0
