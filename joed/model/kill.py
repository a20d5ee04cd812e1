"""A kill in force and what it concerns; the receipt that is derived from it; and what the last drill showed."""

from decimal import Decimal

from msgspec import Struct

from joed.model.values import Scope


class Kill(Struct):
    """The kill in force: since when, what it met, and when all of it was done (0: not yet).

    `entries` are the orders that might still fill, `held` what was held by instrument, `foreign` the orders at a broker
    that are not ours (broker/number -> instrument), `external` the quantities there beyond our books. `latch_ns` is how
    long a drill took to make the file, `proof` what permit said during it.
    """

    request: str
    scope: Scope
    words: str
    since_ns: int
    entries: tuple[str, ...] = ()
    held: dict[str, Decimal] = {}
    foreign: dict[str, str] = {}
    external: dict[str, Decimal] = {}
    done_ns: int = 0
    drill: bool = False
    rehearsed: bool = False
    latch_ns: int = 0
    proof: str = ""


class Drill(Struct, frozen=True):
    """The last drill: how it went, how long the file and all of it took; `passed_ns` is when one last passed."""

    at_ns: int
    scope: Scope
    passed: bool
    words: str
    latch_ns: int = 0
    done_ns: int = 0
    passed_ns: int = 0


class EntryFate(Struct, frozen=True, gc=False):
    """What became of one entry that the kill met; `fate` is one of `joed.engine.receipt.FATES`."""

    order: str
    instrument: str
    fate: str
    words: str = ""


class PositionFate(Struct, frozen=True, gc=False):
    """What became of one position: `was` when the kill came, `now` what is held; `fate` is kept, open or closed."""

    instrument: str
    was: Decimal
    now: Decimal
    fate: str
    words: str = ""


class ForeignFate(Struct, frozen=True, gc=False):
    """What became of what is not ours at a broker: an order (by its number there) or a quantity; gone or left."""

    broker: str
    what: str
    instrument: str
    fate: str


class Receipt(Struct, frozen=True):
    """What a kill did, by the broker's evidence so far; `waits` says in words what is still open, and why.

    `done` is True only once nothing is; `done_s` is how long that took. The counts tell of all, the rows of the first
    hundred.
    """

    scope: Scope
    words: str
    request: str
    since_ns: int
    age_s: float
    done: bool
    done_s: float | None
    drill: bool
    counts: dict[str, int]
    entries: tuple[EntryFate, ...]
    positions: tuple[PositionFate, ...]
    foreign: tuple[ForeignFate, ...]
    waits: tuple[str, ...]
