"""What joed knows of an order, a position and a fill: the ledger's nouns."""

from decimal import Decimal

from msgspec import Struct

from joed.model.values import ZERO, Kind, Leg, Side, Status


class Execution(Struct, frozen=True, gc=False):
    """The latest word on one execution, keyed by its root; `corrected` says that it changed what an earlier one told.

    A fee that is told later is a newer word and corrects nothing.
    """

    quantity: Decimal
    price: Decimal
    fee: Decimal
    revision: int
    corrected: bool = False


class Order(Struct, gc=False):
    """One order at a broker, by our id.

    `terms` is the level as the broker last confirmed it; `asked` the level of an amendment that is under way.
    `armed_ns`, `asked_ns` and `changed_ns` are engine time. An entry's `children` are all the exits of its group, its
    bracket's stop and target first; `late` is the last execution that came after the order had ended, `amend_tries`
    counts amendments refused in a row. `candidates` are the broker's numbers of what a QUARANTINED order may be, `twin`
    that of a second order that the broker holds under this one's id. `spare_reads` counts the whole reads in a row that
    showed an exit with nothing to guard. An `adopted` one stands for an entry that somebody else made: the broker knows
    no group of it. `refusal` is why a cancel was refused last, `foreign` closes what is not ours. `sized_ns` is
    when another quantity was asked for last. An entry's `decided` is the price that it was decided at, `regime` the
    market as it was judged then.
    """

    order: str
    broker: str
    instrument: str
    side: Side
    quantity: Decimal
    kind: Kind
    leg: Leg
    opens: bool
    status: Status
    group: str
    strategy: str
    signal: str
    terms: Decimal | None = None
    asked: Decimal | None = None
    filled: Decimal = ZERO
    cost: Decimal = ZERO
    broker_id: str = ""
    armed_ns: int = 0
    changed_ns: int = 0
    asked_ns: int = 0
    cancel_tries: int = 0
    executions: dict[str, Execution] = {}
    absent_reads: int = 0
    absent_ns: int = 0
    children: tuple[str, ...] = ()
    late: str = ""
    amend_tries: int = 0
    candidates: tuple[str, ...] = ()
    twin: str = ""
    spare_reads: int = 0
    adopted: bool = False
    refusal: str = ""
    foreign: bool = False
    sized_ns: int = 0
    decided: Decimal | None = None
    regime: str = ""

    @property
    def left(self) -> Decimal:
        """Give the quantity that may still fill."""
        return self.quantity - self.filled

    @property
    def live(self) -> bool:
        """Say whether the broker may still hold something of it."""
        return not self.status.ended


class Position(Struct, gc=False):
    """What is held of one instrument: signed quantity, average price, and the trail that follows it.

    Its prices, profit and fees are in `currency`, the instrument's own.

    `group` is the entry's id, whose stop and target protect it; `risk` is the first R in price;
    `best` the best bid (long) or ask (short) since the trail was set; `unprotected_ns` since when the stop is amiss.
    `groups` are all whose fills it is the sum of, mostly one; `result` is +1 or -1 once it was counted as won or lost;
    `repairs` counts stops put in place of lost ones since it was last protected; `unwanted` is why a person wants
    it gone, `refusals` counts closes that the broker refused in a row, `verified` is the session in which a whole read
    showed its stop working. A `patient` close rests at the market's price and may be hastened.
    `sized` is the session in which the broker showed it in the size that our books explain, `apart` what it held beside
    it then, `adjusted` the date of the last split or dividend that was taken over.
    """

    instrument: str
    broker: str
    quantity: Decimal = ZERO
    average: Decimal = ZERO
    realised: Decimal = ZERO
    fees: Decimal = ZERO
    group: str = ""
    strategy: str = ""
    risk: Decimal = ZERO
    trail: Decimal = ZERO
    trailing: bool = False
    best: float = 0.0
    opened_ns: int = 0
    unprotected_ns: int = 0
    closing: str = ""
    closing_ns: int = 0
    changed_ns: int = 0
    stop_order: str = ""
    target_order: str = ""
    groups: tuple[str, ...] = ()
    result: int = 0
    repairs: int = 0
    repaired_ns: int = 0
    unwanted: str = ""
    currency: str = ""
    refusals: int = 0
    verified: str = ""
    patient: bool = False
    sized: str = ""
    adjusted: str = ""
    apart: Decimal = ZERO


class Deal(Struct, frozen=True):
    """One entry that filled, with its exits: money in base currency, after fees; `slippage` is a share, over is worse.

    `gained` of one that is still held is what moved so far. `traded` is the value of all its executions.
    """

    strategy: str
    regime: str
    closed: bool
    gained: float
    traded: float
    slippage: float | None = None
