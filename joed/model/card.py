"""The day's card: what a person signs, what of it is kept, and how two of them differ."""

from decimal import Decimal

from msgspec import Struct, field

from joed.model.settings import Settings
from joed.model.values import Kind, Mode, Side


class Limits(Struct, frozen=True, gc=False):
    """The limits of the day that are worth seeing beside the day's figures, in base currency."""

    loss_day_max: Decimal
    gross_max: Decimal
    notional_max: Decimal
    position_max: int
    trades_day_max: int
    per_trade: Decimal
    underlying_max: Decimal = Decimal(0)


class CardPosition(Struct, frozen=True, gc=False):
    """One position as the day's card lists it."""

    instrument: str
    quantity: Decimal
    average: Decimal
    protected: bool


class CardOrder(Struct, frozen=True, gc=False):
    """One living order as the day's card lists it."""

    order: str
    instrument: str
    side: Side
    quantity: Decimal
    kind: Kind
    level: Decimal | None


class Card(Struct, frozen=True, gc=False):
    """The day's card: what a person signs. Nothing in it moves with a quote, so that it can be signed as it was seen.

    `equity` is that of the session's start; `positions` and `orders` are ours as the broker's book agreed; `previous`
    is the hash of the last signed card, which this one is shown against. `ramp` is the share of its size that an entry
    has in this session, the `live_session`-th live one (0: it is not live).
    """

    session: str
    account: str
    mode: Mode
    settings_digest: str
    version: str
    code: str
    equity: Decimal
    base_currency: str
    limits: Limits
    positions: tuple[CardPosition, ...]
    orders: tuple[CardOrder, ...]
    external: dict[str, Decimal]
    differences: dict[str, int]
    regime: str
    watchlist: tuple[str, ...]
    blocks: tuple[str, ...]
    calendar: str
    open_ns: int
    close_ns: int
    previous: str = ""
    live_session: int = 0
    ramp: Decimal = Decimal(1)


class Change(Struct, frozen=True, gc=False):
    """One thing that is another: its name, what it was and what it is (None: absent), and which way it goes.

    `way` is "tightens", "loosens" or "neutral" for a setting, "" for a fact; `restart` says that a running daemon
    cannot put it in force.
    """

    field: str
    before: str | None
    after: str | None
    way: str = ""
    restart: bool = False


class Signed(Struct, frozen=True):
    """A card that was signed whole: by whom, when, under which settings; `hours` is the hash of the calendars."""

    card: Card
    hash: str
    settings: Settings
    hours: str
    uids: tuple[int, ...]
    at_ns: int


class Signing(Struct, frozen=True):
    """Where the day's signature stands: the settings in force, the last card signed whole, and who has signed `card`.

    `needed` is how many different users must sign the same card.
    """

    settings: Settings = field(default_factory=Settings)
    last: Signed | None = None
    card: str = ""
    signers: tuple[int, ...] = ()
    needed: int = 1
    bound: dict[str, str] = {}
    examined_ns: int = 0
    delivered_ns: int = 0
    live_session: int = 0
    ramp: Decimal = Decimal(1)
