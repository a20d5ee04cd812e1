"""What people and programs see: rows of plain values, ready for JSON, that share nothing with State that changes.

Ages are in seconds, counted against the engine's `now`; money is Decimal, prices of quotes float, instants in ns.
"""

from decimal import Decimal

from msgspec import Struct, field

from joed.model.blocks import Block
from joed.model.card import Limits, Signing
from joed.model.commands import Answer, JudgeBooks, RaiseAlert, RefuseEntry
from joed.model.events import Candidate, RegimeRead
from joed.model.kill import Drill, Receipt
from joed.model.state import KeyUse
from joed.model.values import Crossing, Kind, Leg, Mode, Scope, Severity, Side, Status


class SessionClock(Struct, frozen=True, gc=False):
    """Where the market stands: a phase of the day ("" where no calendar is known), and what comes next.

    `to_open_s` is None while the market is open, `to_close_s` while it is not.
    """

    session: str
    calendar: str
    timezone: str
    phase: str
    open_ns: int
    close_ns: int
    next_open_ns: int
    to_open_s: float | None
    to_close_s: float | None


class PriceView(Struct, frozen=True, gc=False):
    """One price as joed has it, how it came (stream, poll, delayed; "" where nobody said), and how old it is."""

    instrument: str
    broker: str
    bid: float
    ask: float
    last: float | None
    source: str
    age_s: float | None


class FindingView(Struct, frozen=True, gc=False):
    """One thing that an adapter looked at; `halts` says that nothing is opened there while it is not well."""

    name: str
    ok: bool
    words: str
    halts: bool


class BarsView(Struct, frozen=True, gc=False):
    """What the worker has of a broker's bars of one kind, and of whom it has none, with why."""

    instruments: int
    bars: int
    missing: dict[str, str]
    rejected: dict[str, int]
    age_s: float


class BrokerView(Struct, frozen=True):
    """One broker's connection; ages are None where nothing came yet, `foreign` counts the orders of others there.

    `source` is how its prices come, `aside` what it cannot serve and why, `bars` its history by kind.
    """

    name: str
    up: bool
    account: str
    connection: int
    reconciled: bool
    differences: int
    quote_age_s: float | None
    read_age_s: float | None
    changed_ns: int
    foreign: int = 0
    source: str = ""
    findings: tuple[FindingView, ...] = ()
    aside: dict[str, str] = {}
    bars: dict[str, BarsView] = {}


class RateView(Struct, frozen=True, gc=False):
    """What a unit of a currency is worth in base currency; None where no rate was heard of: it counts as 1 until then.

    `stale` says that nothing is opened in it.
    """

    currency: str
    rate: Decimal | None
    age_s: float | None
    source: str
    stale: bool


class LotView(Struct, frozen=True, gc=False):
    """What one strategy holds of one instrument; the lots of an instrument add up to its position.

    `orders` are the entries that made it.
    """

    instrument: str
    strategy: str
    quantity: Decimal
    average: Decimal
    orders: tuple[str, ...]


class PositionView(Struct, frozen=True, gc=False):
    """One position at its mark; `stop` and `target` as the broker last confirmed them, None where there is none.

    `unprotected_s` says for how long the stop has been amiss, None while it is as it should be. Prices, profit and fees
    are in `currency`.
    """

    instrument: str
    broker: str
    quantity: Decimal
    average: Decimal
    price: float | None
    stop: Decimal | None
    target: Decimal | None
    protected: bool
    unprotected_s: float | None
    unrealised: Decimal
    realised: Decimal
    fees: Decimal
    strategy: str
    trailing: bool
    closing: bool
    opened_ns: int
    order: str
    currency: str = ""
    lots: tuple[LotView, ...] = ()
    source: str = ""
    price_age_s: float | None = None


class OrderView(Struct, frozen=True, gc=False):
    """One order that may still be alive at its broker."""

    order: str
    broker: str
    broker_id: str
    instrument: str
    side: Side
    quantity: Decimal
    filled: Decimal
    kind: Kind
    leg: Leg
    level: Decimal | None
    asked: Decimal | None
    status: Status
    opens: bool
    strategy: str
    signal: str
    age_s: float


class TriggerView(Struct, frozen=True, gc=False):
    """One Trigger; `distance` is what the price that would be paid still has to go, as a share of it (None: no quote).

    It is negative when the level lies behind. `quantity` is what it would be worth buying now, before the gate.
    """

    instrument: str
    side: Side
    level: Decimal
    crossing: Crossing
    distance: float | None
    stop: Decimal
    target: Decimal
    strategy: str
    signal: str
    valid_until_ns: int
    reasons: tuple[str, ...]
    quantity: Decimal = Decimal(0)


class JobView(Struct, frozen=True, gc=False):
    """One kind of job; times are 0 where it never ran or is not planned, `waits` is what it lacks though it is due."""

    name: str
    running: bool
    runs: int
    last_ns: int
    next_ns: int
    failed: str
    failures: int
    time: str = ""
    took_ns: int = 0
    waits: str = ""
    deadline_s: float = 0.0


class CryptoView(Struct, frozen=True, gc=False):
    """A reading of the crypto market, and how old its source's word is; None where nothing is known."""

    value: float | None
    age_s: float | None


class Need(Struct, frozen=True, gc=False):
    """Something that only a person can settle; joectl knows for each code what to do."""

    severity: Severity
    code: str
    words: str


class Remembered(Struct, frozen=True, gc=False):
    """The six fields that outlive a crash, each a function of the durable record alone; times in ns, 0 is never."""

    last_regime: str | None
    watchlist: tuple[str, ...]
    pending_orders: tuple[str, ...]
    last_analysis_time: int
    daily_trade_count: int
    daily_pnl: Decimal


class AlertView(Struct, frozen=True, gc=False):
    """One alert; `next_ns` is 0 where it is told no more, `acked_uid` is None until somebody has acknowledged it."""

    key: str
    severity: Severity
    words: str
    raised_ns: int
    told: int
    next_ns: int
    failed: str
    acked_ns: int
    acked_uid: int | None


class ChannelView(Struct, frozen=True, gc=False):
    """How one way to a person does: `waiting` alerts it has not told yet, milder ones `held` by quiet hours or a limit.

    `dropped` counts those that found its account full. `tested_ns` is when the last test by hand ended, `tested` how it
    failed.
    """

    name: str
    delivered_ns: int
    failed_ns: int
    failures: int
    failed: str
    waiting: int = 0
    held: str = ""
    dropped: int = 0
    tested_ns: int = 0
    tested: str = ""


class Stance(Struct, frozen=True, gc=False):
    """What the regime comes to: the share of its size that an entry has, which strategies look and which rest."""

    share: Decimal
    active: tuple[str, ...]
    resting: tuple[str, ...]


class View(Struct, frozen=True):
    """The whole of what is shown. `answers` and `keys` find a request's Answer; everything else is for people."""

    seq: int
    now_ns: int
    utc_ns: int
    epoch: int
    phase: str
    words: str
    reasons: tuple[str, ...]
    health: str
    mode: Mode
    account: str
    base_currency: str
    settings_digest: str
    version: str
    code: str
    clock: SessionClock
    confirmed: str
    killed: Scope | None
    paused: bool
    stopping: str
    blocks: tuple[Block, ...]
    brokers: tuple[BrokerView, ...]
    equity: Decimal
    equity_start: Decimal
    cash: Decimal
    gross: Decimal
    daily_pnl: Decimal
    realised: Decimal
    unrealised: Decimal
    fees: Decimal
    limits: Limits
    trades: int
    wins: int
    losses: int
    positions: tuple[PositionView, ...]
    orders: tuple[OrderView, ...]
    triggers: tuple[TriggerView, ...]
    trigger_count: int
    watchlist: tuple[Candidate, ...]
    scanned_ns: int
    regime: RegimeRead | None
    regime_age_s: float | None
    jobs: tuple[JobView, ...]
    needs: tuple[Need, ...]
    refusals: dict[str, int]
    refused: tuple[RefuseEntry, ...]
    alerts: tuple[RaiseAlert, ...]
    external: dict[str, Decimal]
    figures: dict[str, float | None]
    summary: str
    queue_depth: int
    memory_bytes: int
    state: Remembered
    answers: dict[str, Answer]
    verdicts: tuple[JudgeBooks, ...] = ()
    signing: Signing = field(default_factory=Signing)
    balances: dict[str, Decimal] = {}
    rates: tuple[RateView, ...] = ()
    unsettled: Decimal = Decimal(0)
    quotes_rejected: dict[str, int] = {}
    crypto: dict[str, CryptoView] = {}
    kill: Receipt | None = None
    drilled: Drill | None = None
    keys: dict[str, KeyUse] = {}
    alert_rows: tuple[AlertView, ...] = ()
    channels: tuple[ChannelView, ...] = ()
    stance: Stance | None = None
    left_out: dict[str, int] = {}
    aside: dict[str, str] = {}
    prices: tuple[PriceView, ...] = ()
