"""The one rule that opens a position."""

from decimal import Decimal

from msgspec import Struct

from joed.model.values import Crossing, Side


class Trigger(Struct, frozen=True):
    """Open `side` of `instrument` when the price that would be paid crosses `level`.

    A buy looks at the ask, a sell at the bid. `signal` names the reason once for ever: one signal makes one entry.
    `stop` and `target` are absolute prices; `trail` is the distance, in price, of the trailing stop that takes over
    after the first R (0: none). `quantity` None means: size by `risk`, a share of equity lost at the stop.
    """

    instrument: str
    side: Side
    level: Decimal
    crossing: Crossing
    valid_until_ns: int
    stop: Decimal
    target: Decimal
    strategy: str
    signal: str
    trail: Decimal = Decimal(0)
    volume_min: float = 0.0
    quantity: Decimal | None = None
    risk: Decimal = Decimal("0.005")
    reasons: tuple[str, ...] = ()
