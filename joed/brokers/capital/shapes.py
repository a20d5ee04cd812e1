"""The shapes of Capital.com's JSON, as their documentation and recordings have them (https://open-api.capital.com).

Fields that are unknown are left alone, those that are missing or null have a default. What is odd stands at its row.
"""

from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Raw, Struct

from joed.model.values import ZERO, Side


class Wire(Struct, rename="camel"):
    """The root of what stands in their JSON: names as theirs, everything that may be absent with a default."""


class Balance(Wire):
    """`balance` is deposit and open profit, `available` the margin that is free."""

    balance: Decimal | None = None
    deposit: Decimal | None = None
    profit_loss: Decimal | None = None
    available: Decimal | None = None


class AccountRow(Wire):
    """One financial account of the user."""

    account_id: str
    account_type: str = ""
    status: str = "ENABLED"
    preferred: bool = False
    currency: str = ""
    balance: Balance | None = None


class Accounts(Wire):
    """GET /accounts."""

    accounts: list[AccountRow] = []


class Login(Wire):
    """POST /session; the tokens are in its headers. `timezoneOffset` is the account's, in hours from UTC."""

    current_account_id: str
    currency_iso_code: str = ""
    streaming_host: str = ""
    timezone_offset: Decimal = ZERO
    accounts: list[AccountRow] = []


class Active(Wire):
    """GET /session: the authority on which account is active."""

    account_id: str
    currency: str = ""
    timezone_offset: Decimal = ZERO
    stream_endpoint: str = ""


class EncryptionKey(Wire):
    """GET /session/encryptionKey; note the capital S of timeStamp."""

    encryption_key: str
    time_stamp: int


class Preferences(Wire):
    """GET /accounts/preferences."""

    hedging_mode: bool
    leverages: dict[str, Any] = {}


class ServerTime(Wire):
    """GET /time, in milliseconds."""

    server_time: int


class MarketPart(Wire):
    """The market that a position or order row carries along."""

    epic: str
    market_status: str = ""
    bid: Decimal | None = None
    offer: Decimal | None = None


class PositionPart(Wire):
    """A position's own half; its size is positive, the direction says which way."""

    deal_id: str
    size: Decimal
    direction: Side
    level: Decimal
    created_date: str = ""
    created_date_utc: str = msgspec.field(name="createdDateUTC", default="")
    working_order_id: str = ""
    currency: str = ""
    upl: Decimal | None = None
    stop_level: Decimal | None = None
    profit_level: Decimal | None = None
    trailing_stop: bool = False
    guaranteed_stop: bool = False


class PositionRow(Wire):
    """One row of GET /positions: each opening is a row of its own."""

    position: PositionPart
    market: MarketPart


class Positions(Wire):
    """GET /positions."""

    positions: list[PositionRow]


class OrderPart(Wire):
    """A working order's own half; its stop and target come back as distances, with signs that cannot be trusted."""

    deal_id: str
    direction: Side
    epic: str
    order_size: Decimal
    order_level: Decimal
    order_type: str = ""
    created_date: str = ""
    created_date_utc: str = msgspec.field(name="createdDateUTC", default="")
    stop_distance: Decimal | None = None
    profit_distance: Decimal | None = None


class OrderRow(Wire):
    """One row of GET /workingorders."""

    working_order_data: OrderPart


class WorkingOrders(Wire):
    """GET /workingorders."""

    working_orders: list[OrderRow]


class Reference(Wire):
    """What a write answers: a reference that is made by the server, and reused."""

    deal_reference: str = ""


class Affected(Wire):
    """What a deal did to one position or order: OPENED, AMENDED, PARTIALLY_CLOSED, FULLY_CLOSED, DELETED."""

    deal_id: str
    status: str = ""


class Confirm(Wire):
    """GET /confirms/{reference}: the latest state of what goes by that reference, which may be an older action's."""

    deal_status: str
    status: str = ""
    deal_id: str = ""
    epic: str = ""
    direction: str = ""
    level: Decimal | None = None
    size: Decimal | None = None
    stop_level: Decimal | None = None
    profit_level: Decimal | None = None
    profit: Decimal | None = None
    reject_reason: str | None = None
    reason: str | None = None
    affected_deals: list[Affected] = []
    date: str = ""


class ActivityDetails(Wire):
    """Size, level and direction of an activity live here alone."""

    size: Decimal | None = None
    level: Decimal | None = None
    direction: str = ""
    working_order_id: str = ""
    deal_reference: str = ""


class ActivityRow(Wire):
    """One row of GET /history/activity?detailed=true; there is no id, rows come late, repeated and out of order."""

    deal_id: str = ""
    epic: str = ""
    source: str = ""
    type: str = ""
    status: str = ""
    date: str = ""
    date_utc: str = msgspec.field(name="dateUTC", default="")
    details: ActivityDetails | None = None


class Activities(Wire):
    """GET /history/activity."""

    activities: list[ActivityRow]


class TransactionRow(Wire):
    """One row of GET /history/transactions; `size` of a TRADE is its realised result in money. Note dateUtc."""

    transaction_type: str = ""
    date: str = ""
    date_utc: str = ""
    deal_id: str = ""
    reference: str = ""
    instrument_name: str = ""
    note: str = ""
    size: Decimal | None = None
    currency: str = ""
    status: str = ""


class Transactions(Wire):
    """GET /history/transactions."""

    transactions: list[TransactionRow]


class RuleValue(Wire):
    """A dealing rule's value: POINTS mean units of price or size, PERCENTAGE is of the current price."""

    value: Decimal | None = None
    unit: str = ""


class Rules(Wire):
    """The dealing rules: minStepDistance is the step of prices, minSizeIncrement that of sizes."""

    min_step_distance: RuleValue | None = None
    min_deal_size: RuleValue | None = None
    max_deal_size: RuleValue | None = None
    min_size_increment: RuleValue | None = None
    min_stop_or_profit_distance: RuleValue | None = None
    max_stop_or_profit_distance: RuleValue | None = None


class OvernightFee(Wire):
    """What a night costs, in percent of the position a day; negative is paid by us."""

    long_rate: Decimal | None = None
    short_rate: Decimal | None = None
    swap_charge_timestamp: int = 0


class InstrumentPart(Wire):
    """What an instrument is."""

    epic: str
    name: str = ""
    type: str = ""
    currency: str = ""
    opening_hours: dict[str, Any] | None = None
    overnight_fee: OvernightFee | None = None


class SnapshotPart(Wire):
    """What an instrument does now."""

    market_status: str = ""
    market_modes: list[str] | None = None
    bid: Decimal | None = None
    offer: Decimal | None = None
    delay_time: int | None = None


class Market(Wire):
    """One of GET /markets?epics=, also GET /markets/{epic}."""

    instrument: InstrumentPart
    snapshot: SnapshotPart
    dealing_rules: Rules = msgspec.field(default_factory=Rules)


class Markets(Wire):
    """GET /markets?epics=."""

    market_details: list[Market]


class Pair(Wire):
    """A price's two sides."""

    bid: float | None = None
    ask: float | None = None


class PriceRow(Wire):
    """One bar of GET /prices/{epic}; the newest is still being made while the market is open."""

    open_price: Pair
    close_price: Pair
    high_price: Pair
    low_price: Pair
    snapshot_time: str = ""
    snapshot_time_utc: str = msgspec.field(name="snapshotTimeUTC", default="")
    last_traded_volume: float | None = None


class Prices(Wire):
    """GET /prices/{epic}."""

    prices: list[PriceRow]


class ErrorBody(Wire):
    """What a refusal says; nothing else of an error's body is ever looked at."""

    error_code: str | None = None


class Frame(Wire):
    """One message of the stream; a push has no correlation id."""

    destination: str = ""
    status: str = ""
    correlation_id: str | None = None
    payload: Raw = Raw()
    error_code: str | None = None


class Tick(Wire):
    """The payload of a quote; note `ofr`."""

    epic: str
    bid: float | None = None
    ofr: float | None = None
    bid_qty: float | None = None
    ofr_qty: float | None = None


class Subscribed(Wire):
    """The payload of a subscription's answer: PROCESSED, or why not."""

    subscriptions: dict[str, str] = {}
