"""All that can be set, frozen, with the defaults that serve where no file says otherwise.

One definition serves three: config.py checks the files against these types (pydantic reads the bounds), the record
carries them as an event, and the engine reads them. Durations end in their unit; money is Decimal in base currency.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt, Le, Lt

from joed.model.channels import AlertChannel, DeadMan
from joed.model.thinking import Breakout as Breakout  # noqa: PLC0414 - part of the settings, as all of these
from joed.model.thinking import Crypto, Regime, Scan, Score, Summary
from joed.model.thinking import Momentum as Momentum  # noqa: PLC0414 - as above
from joed.model.thinking import Own as Own  # noqa: PLC0414 - as above
from joed.model.thinking import Reversion as Reversion  # noqa: PLC0414 - as above
from joed.model.thinking import Strategies as Strategies  # noqa: PLC0414 - as above
from joed.model.values import AccountKind, EventLoop, Flatten, Host, Mode

STRICT = {"extra": "forbid"}

Seconds = Annotated[float, Gt(0)]
Share = Annotated[Decimal, Gt(0), Le(1)]
Amount = Annotated[Decimal, Gt(0)]
Count = Annotated[int, Gt(0)]


@dataclass(frozen=True, slots=True)
class Instrument:
    """One thing that can be traded or watched: where, in what steps, in which sector."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    symbol: str
    broker: str = "paper"
    kind: str = "stock"
    calendar: str = "XNYS"
    currency: str = "USD"
    tick: Annotated[Decimal, Gt(0)] = Decimal("0.01")
    lot: Annotated[Decimal, Gt(0)] = Decimal(1)
    sector: str = ""
    tradable: bool = True
    underlying: str = ""
    epic: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """When the daemon works, around the market's hours."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    lead_s: Seconds = 3900.0
    after_close_s: Seconds = 300.0
    extended_hours: bool = False
    day_rollover: str = "17:00"


@dataclass(frozen=True, slots=True)
class EndOfDay:
    """What happens to positions before the close."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    close_positions: bool = False
    at_s: Annotated[float, Gt(0), Lt(14400)] = 300.0
    entries_until_s: Annotated[float, Ge(0), Lt(14400)] = 1800.0
    limit_s: Annotated[float, Ge(0), Lt(14400)] = 0.0
    auction_s: Annotated[float, Ge(0), Lt(14400)] = 600.0


@dataclass(frozen=True, slots=True)
class Risk:
    """The limits of the one gate; a breach refuses, a breaker also latches a Block."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    per_trade: Share = Decimal("0.005")
    quote_age_max_s: Seconds = 5.0
    spread_max: Share = Decimal("0.01")
    collar: Share = Decimal("0.01")
    notional_max: Amount = Decimal(25_000)
    position_max: Count = 10
    gross_max: Amount = Decimal(200_000)
    orders_minute_max: Count = 30
    trades_day_max: Count = 40
    loss_day_max: Amount = Decimal(2_000)
    rejects_max: Count = 3
    orders_signal_max: Annotated[int, Ge(3)] = 10
    allow_short: bool = False
    underlying_max: Amount = Decimal(50_000)
    rate_age_max_s: Seconds = 900.0
    settle_days: Annotated[int, Ge(0), Le(5)] = 1


@dataclass(frozen=True, slots=True)
class Protection:
    """How soon a position without its stop is told, mended and closed; how trailing stops move."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    alert_s: Seconds = 5.0
    flatten_s: Seconds = 15.0
    close_unprotected: bool = True
    trail_step: Share = Decimal("0.001")
    trail_interval_s: Seconds = 1.0


@dataclass(frozen=True, slots=True)
class Fear:
    """When VIX stops entries at once (libraries 3): by level, over the last close, or within five minutes.

    The index must have moved with it; a leap that it does not confirm counts after `unconfirmed_s`.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    instrument: str = "VIX"
    level_max: Annotated[float, Gt(0)] = 35.0
    day_rise: Annotated[float, Gt(0)] = 0.30
    fast_rise: Annotated[float, Gt(0)] = 0.15
    fast_window_s: Seconds = 300.0
    prints: Count = 2
    hold_s: Seconds = 1800.0
    persist_s: Seconds = 10.0
    confirm_fall: Annotated[float, Ge(0), Lt(1)] = 0.005
    unconfirmed_s: Annotated[float, Ge(0)] = 60.0


@dataclass(frozen=True, slots=True)
class Feed:
    """How quotes are judged."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    stale_s: Seconds = 60.0
    jump_max: Annotated[float, Gt(0), Lt(1)] = 0.10
    prints: Count = 2


@dataclass(frozen=True, slots=True)
class Jobs:
    """How often the worker thinks, and how long it may."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    regime_s: Seconds = 3600.0
    scan_s: Seconds = 1800.0
    watchlist_s: Seconds = 900.0
    strategies_s: Seconds = 60.0
    analytics_s: Seconds = 3600.0
    crypto_s: Seconds = 14400.0
    deadline_s: Seconds = 30.0
    watchlist_size: Count = 12
    times: dict[str, str] = field(default_factory=dict)
    deadlines: dict[str, Seconds] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Health:
    """What the heartbeat measures against."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    heartbeat_s: Seconds = 30.0
    queue_backlog: Count = 1000
    memory_high_mb: Count = 512
    broker_silence_s: Seconds = 60.0
    orders_read_s: Seconds = 5.0
    reconcile_wait_s: Seconds = 10.0
    kill_late_s: Seconds = 15.0
    lag_max_s: Seconds = 5.0


@dataclass(frozen=True, slots=True)
class Confirm:
    """Whether a person must sign the day's card; live mode always asks."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    paper: bool = False
    require_distinct_uid: bool = False
    tell_before_open_s: Annotated[float, Ge(0), Le(86_400)] = 900.0


@dataclass(frozen=True, slots=True)
class Ramp:
    """How the first live sessions trade smaller: from `first` of the size, in equal steps, to all of it."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    sessions: Annotated[int, Ge(0), Le(250)] = 0
    first: Share = Decimal("0.2")


@dataclass(frozen=True, slots=True)
class Paper:
    """How the embedded exchange treats us."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    cash: Amount = Decimal(100_000)
    latency_s: Annotated[float, Ge(0)] = 0.05
    fee_share: Annotated[Decimal, Ge(0)] = Decimal("0.005")
    fee_min: Annotated[Decimal, Ge(0)] = Decimal("0.35")
    slippage: Annotated[Decimal, Ge(0)] = Decimal("0.0001")
    partial_share: Annotated[float, Ge(0), Le(1)] = 0.15
    reject_share: Annotated[float, Ge(0), Le(1)] = 0.0
    rates: dict[str, Amount] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Capital:
    """How joed speaks with Capital.com: which host, how often it asks, how long it waits."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    host: Host = Host.DEMO
    rest_url: str = ""
    stream_url: str = ""
    hedging: bool = False
    requests_s: Annotated[int, Ge(2), Le(10)] = 8
    orders_hour: Annotated[int, Ge(1), Le(1000)] = 950
    connect_timeout_s: Seconds = 5.0
    request_timeout_s: Seconds = 10.0
    answer_max_kb: Annotated[int, Ge(64), Le(16384)] = 4096
    orders_poll_s: Annotated[float, Ge(0.5), Le(60)] = 1.5
    prices_poll_s: Annotated[float, Ge(0.5), Le(60)] = 2.0
    stale_s: Annotated[float, Ge(2), Le(600)] = 8.0
    ping_s: Annotated[float, Ge(5), Le(300)] = 15.0
    silence_s: Annotated[float, Ge(10), Le(600)] = 40.0
    quote_silence_s: Annotated[float, Ge(10), Le(600)] = 120.0
    dead_s: Annotated[float, Ge(5), Le(30)] = 20.0
    confirm_s: Annotated[float, Ge(2), Le(60)] = 12.0
    absent_s: Annotated[float, Ge(75), Le(900)] = 120.0
    rest_s: Annotated[float, Ge(60), Le(3600)] = 120.0
    renew_s: Annotated[float, Ge(60), Le(3000)] = 2700.0
    check_s: Annotated[float, Ge(5), Le(60)] = 60.0
    rules_s: Annotated[float, Ge(10), Le(300)] = 300.0


@dataclass(frozen=True, slots=True)
class Alerts:
    """Where alerts go besides the log: a command that is run with the severity and the words, channels, a dead man."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    command: tuple[str, ...] = ()
    timeout_s: Seconds = 10.0
    repeat_s: Seconds = 60.0
    repeats_max: Count = 8
    spacing_s: Seconds = 5.0
    channels: dict[str, AlertChannel] = field(default_factory=dict)
    dead_man: DeadMan = field(default_factory=DeadMan)


@dataclass(frozen=True, slots=True)
class Daemon:
    """The shell's own settings; the engine does not read them."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    metrics_port: Annotated[int, Ge(0), Le(65535)] = 9464
    metrics_money: bool = True
    snapshot_s: Seconds = 60.0
    queue_size_max: Count = 100_000
    tape_days: Count = 30
    backups: Annotated[int, Ge(0)] = 30
    ballast_mb: Annotated[int, Ge(0)] = 16
    worker_memory_mb: Count = 1024
    web_port: Annotated[int, Ge(0), Le(65535)] = 0
    loop: EventLoop = EventLoop.ASYNCIO


@dataclass(frozen=True, slots=True)
class Failsafe:
    """What `joed --failsafe` may do beyond cancelling entries, when no daemon lives."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    flatten: Flatten = Flatten.UNPROTECTED
    broker_wait_s: Seconds = 20.0


@dataclass(frozen=True, slots=True)
class Ibkr:
    """How Interactive Brokers' TWS or Gateway is reached, paced and judged."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    host: str = "127.0.0.1"
    port: Annotated[int, Ge(1), Le(65535)] = 4002
    client_id: Annotated[int, Ge(1), Le(2_000_000_000)] = 17
    library: str = "ib_insync"
    messages_s: Annotated[int, Ge(10), Le(45)] = 40
    lines_max: Annotated[int, Ge(1), Le(2_000)] = 100
    tick_by_tick: tuple[str, ...] = ()
    primary: dict[str, str] = field(default_factory=dict)
    connect_s: Seconds = 10.0
    answer_s: Seconds = 10.0
    order_s: Seconds = 5.0
    beat_s: Annotated[float, Gt(0), Le(30)] = 2.5
    silence_s: Seconds = 5.0
    first_tick_s: Seconds = 30.0
    retry_max_s: Annotated[float, Ge(1), Le(600)] = 60.0
    reset_windows: tuple[str, ...] = ("23:45-00:45 America/New_York",)
    no_submit_windows: tuple[str, ...] = ()
    margin_preview: bool = False
    preview_s: Annotated[float, Ge(60), Le(86400)] = 900.0


@dataclass(frozen=True, slots=True)
class History:
    """How much of the past is asked of a broker, and how patiently."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    days: Annotated[int, Ge(1), Le(600)] = 300
    pace_s: Annotated[float, Ge(0), Le(60)] = 0.1
    wait_s: Seconds = 60.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything in force at a moment."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    mode: Mode = Mode.PAPER
    account: str = ""
    base_currency: str = "USD"
    calendar: str = "XNYS"
    index: str = "SPY"
    brokers: tuple[str, ...] = ("paper",)
    fill_timeout_s: Seconds = 30.0
    cancel_tries: Count = 5
    session: Session = field(default_factory=Session)
    eod: EndOfDay = field(default_factory=EndOfDay)
    risk: Risk = field(default_factory=Risk)
    protection: Protection = field(default_factory=Protection)
    vix: Fear = field(default_factory=Fear)
    feed: Feed = field(default_factory=Feed)
    jobs: Jobs = field(default_factory=Jobs)
    health: Health = field(default_factory=Health)
    confirm: Confirm = field(default_factory=Confirm)
    paper: Paper = field(default_factory=Paper)
    alerts: Alerts = field(default_factory=Alerts)
    daemon: Daemon = field(default_factory=Daemon)
    strategies: Strategies = field(default_factory=Strategies)
    universe: dict[str, Instrument] = field(default_factory=dict)
    failsafe: Failsafe = field(default_factory=Failsafe)
    ramp: Ramp = field(default_factory=Ramp)
    account_kind: AccountKind = AccountKind.MARGIN
    capital: Capital = field(default_factory=Capital)
    ibkr: Ibkr = field(default_factory=Ibkr)
    regime: Regime = field(default_factory=Regime)
    history: History = field(default_factory=History)
    scan: Scan = field(default_factory=Scan)
    score: Score = field(default_factory=Score)
    summary: Summary = field(default_factory=Summary)
    crypto: Crypto = field(default_factory=Crypto)
    dates: dict[str, tuple[str, ...]] = field(default_factory=dict)
