"""What is to be done, in the imperative: everything the engine wants, it says with one of these.

Some leave the process (orders, jobs, alerts, Stop); the others only change State, and are commands so that the record
shows every decision beside its cause.
"""

from decimal import Decimal

from msgspec import Struct

from joed.model.blocks import Block
from joed.model.card import Card
from joed.model.values import ZERO, Kind, Leg, Mode, Scope, Severity, Side, Tif, Verdict


class Command(Struct, frozen=True, gc=False):
    """The root of all commands; it does nothing by itself."""


class Basis(Struct, frozen=True, gc=False):
    """What the gate saw when it judged an entry, for whoever asks why; money is in base currency.

    `price` is the one decided on and `quantity` at `limit` what was asked for, one unit of its currency worth `rate`;
    `gross` counts it in, `free` is the cash that nothing pending may spend first, `lost` the day's loss (below 0: won).
    """

    checks: int
    price: Decimal
    quantity: Decimal
    limit: Decimal
    rate: Decimal
    worth: Decimal
    gross: Decimal
    free: Decimal
    lost: Decimal
    positions: int
    orders_minute: int
    trades: int


class SubmitOrder(Command, frozen=True, gc=False, tag="SubmitOrder"):
    """Send one new order, with its bracket when `stop_order` and `target_order` name the children's ids.

    `stop` and `target` are absolute prices of the children, which are GTC and one cancels the other with reduction
    (OCA type 2): as the target fills in part, the stop shrinks. A CLOSE joins the group of the position that it
    closes by `group`, the id of that position's entry. `opens` is False for whatever can only reduce. `lot` is the
    group in our books where the broker knows none: of a position that was adopted. `foreign` closes what is not ours:
    its fills are nobody's in our books.
    """

    order: str
    broker: str
    instrument: str
    side: Side
    quantity: Decimal
    kind: Kind
    leg: Leg
    opens: bool
    level: Decimal | None = None
    tif: Tif = Tif.DAY
    stop_order: str = ""
    stop: Decimal | None = None
    target_order: str = ""
    target: Decimal | None = None
    group: str = ""
    strategy: str = ""
    signal: str = ""
    expires_at_ns: int = 0
    reasons: tuple[str, ...] = ()
    lot: str = ""
    foreign: bool = False
    basis: Basis | None = None


class AmendOrder(Command, frozen=True, gc=False, tag="AmendOrder"):
    """Give a working order another level (a stop's trigger, a limit's price), in absolute terms.

    `closes` says that it is to trade at once and so to close its position; `patient` that a target is to close it where
    the market stands, and not at any price.
    """

    order: str
    level: Decimal | None = None
    quantity: Decimal | None = None
    reason: str = ""
    closes: bool = False
    patient: bool = False


class CancelOrder(Command, frozen=True, gc=False, tag="CancelOrder"):
    """Ask the broker to cancel; the order lives on until the broker's word.

    `broker_id` names one of several that the broker holds under the same id of ours; "" means the order itself.
    """

    order: str
    reason: str = ""
    broker_id: str = ""


class CancelForeign(Command, frozen=True, gc=False, tag="CancelForeign"):
    """Ask a broker to cancel orders that are not ours, by their numbers there: a kill of the whole account does.

    `alone` says that nothing of ours lives there: only then may an adapter use a means that cancels everything.
    """

    broker: str
    numbers: tuple[str, ...]
    alone: bool = False


class ReadBroker(Command, frozen=True, gc=False, tag="ReadBroker"):
    """Read a broker's whole book and answer with BrokerRead."""

    broker: str
    reason: str = ""


class RunJob(Command, frozen=True, tag="RunJob"):
    """Have the worker think: `params` are all the parameters that it may use, so that its answer follows from them."""

    job: str
    run: int
    deadline_ns: int
    params: dict[str, dict[str, str | float | int | bool | list[str]]] = {}
    instruments: tuple[str, ...] = ()


class RaiseAlert(Command, frozen=True, gc=False, tag="RaiseAlert"):
    """Tell a person; `key` names the matter, for deduplication, `repeat` how often it was told before."""

    key: str
    severity: Severity
    words: str
    repeat: int = 0


class SendAlert(Command, frozen=True, gc=False, tag="SendAlert"):
    """Send one message by a channel, about the alerts of these keys; AlertDelivered with its number answers it."""

    channel: str
    message: int
    keys: tuple[str, ...]
    severity: Severity
    title: str
    words: str


class Acknowledge(Command, frozen=True, gc=False, tag="Acknowledge"):
    """Note that a person has seen an alert: it is told no more."""

    key: str
    uid: int
    reason: str = ""


class Stop(Command, frozen=True, gc=False, tag="Stop"):
    """End the process in order, with this exit status."""

    reason: str
    exit_code: int = 0


class RaiseBlock(Command, frozen=True, gc=False, tag="RaiseBlock"):
    """Forbid entries in a scope."""

    block: Block


class LiftBlock(Command, frozen=True, gc=False, tag="LiftBlock"):
    """Take a Block away."""

    key: str
    reason: str = ""


class LatchKill(Command, frozen=True, gc=False, tag="LatchKill"):
    """Shut the gate for entries until a person releases it; the widest scope asked for holds."""

    scope: Scope
    words: str
    request: str = ""
    drill: bool = False


class SettleKill(Command, frozen=True, gc=False, tag="SettleKill"):
    """Note that everything a kill asked for is done by the broker's evidence; `done` False takes it back."""

    done: bool = True


class RehearseKill(Command, frozen=True, tag="RehearseKill"):
    """Make the kill's files as a drill does, and ask permit for this entry, which is never sent."""

    scope: Scope
    entry: SubmitOrder


class EndDrill(Command, frozen=True, gc=False, tag="EndDrill"):
    """Note how a drill went; one that did not pass leaves the kill in force as a real one."""

    passed: bool
    words: str


class Unlatch(Command, frozen=True, gc=False, tag="Unlatch"):
    """Take the kill's files away, unless somebody has killed anew since this was decided, or since the drill began."""

    drill: bool = False


class RefuseEntry(Command, frozen=True, gc=False, tag="RefuseEntry"):
    """Note that a Trigger fired and was not let through, and why; its signal is spent."""

    instrument: str
    strategy: str
    signal: str
    code: str
    words: str
    basis: Basis | None = None


class RetireOrder(Command, frozen=True, gc=False, tag="RetireOrder"):
    """End our waiting for an order that is proven never to have existed, with the evidence."""

    order: str
    evidence: str


class MarkUncertain(Command, frozen=True, gc=False, tag="MarkUncertain"):
    """Note that an order's fate is unknown; its risk stays reserved."""

    order: str
    reason: str


class JudgeBooks(Command, frozen=True, gc=False, tag="JudgeBooks"):
    """Note one thing that a broker's book showed otherwise than ours, and the verdict on it (verdicts.VERDICTS).

    `what` is the finding's code, `words` what was seen; `order` and `instrument` are "" where it concerns none.
    """

    broker: str
    verdict: Verdict
    what: str
    words: str
    order: str = ""
    instrument: str = ""


class RatchetTrail(Command, frozen=True, gc=False, tag="RatchetTrail"):
    """Start or stop trailing a position's stop from here on."""

    instrument: str
    distance: Decimal


class FlattenPosition(Command, frozen=True, gc=False, tag="FlattenPosition"):
    """Note that a person wants a position closed: it is pressed until the broker shows flat."""

    instrument: str
    reason: str


class ClaimOrder(Command, frozen=True, gc=False, tag="ClaimOrder"):
    """Settle a doubt by a person's word: the order is what the broker holds under this number."""

    order: str
    broker_id: str
    evidence: str


class AdoptPosition(Command, frozen=True, gc=False, tag="AdoptPosition"):
    """Take a position of somebody else into our books, as a lot of its own; `quantity` is signed."""

    instrument: str
    broker: str
    quantity: Decimal
    average: Decimal
    lot: str
    reason: str = ""


class AdjustPosition(Command, frozen=True, gc=False, tag="AdjustPosition"):
    """Take over what a split or a dividend of `date` made of a position: so many, each `old` now `new` shares."""

    instrument: str
    quantity: Decimal
    new: int = 1
    old: int = 1
    dividend: Decimal = ZERO
    date: str = ""


class MarkEquity(Command, frozen=True, gc=False, tag="MarkEquity"):
    """Note what the account is worth, in its base currency."""

    equity: Decimal
    cash: Decimal
    realised: Decimal
    unrealised: Decimal
    fees: Decimal


class OpenSession(Command, frozen=True, gc=False, tag="OpenSession"):
    """Begin a trading session: the day's counters start again from this equity and this open profit."""

    session: str
    open_ns: int
    close_ns: int
    equity: Decimal
    unrealised: Decimal = Decimal(0)


class WindDown(Command, frozen=True, gc=False, tag="WindDown"):
    """Begin the orderly end: no entries any more, resting ones cancelled, protection kept."""

    reason: str


class BindAccount(Command, frozen=True, gc=False, tag="BindAccount"):
    """Note to which account at a broker, in which mode, this state directory belongs from here on."""

    broker: str
    account: str
    mode: Mode


class PassDoctor(Command, frozen=True, gc=False, tag="PassDoctor"):
    """Note that everything a first live day needs was found well, and by whom it was asked."""

    uid: int
    words: str


class SignCard(Command, frozen=True, gc=False, tag="SignCard"):
    """Note that a user signed this card; with `needed` different ones it is signed whole, and opens the day."""

    card: Card
    hash: str
    uid: int
    needed: int


class Answer(Command, frozen=True, gc=False, tag="Answer"):
    """Answer an operator: `code` is "ok" or the name of a refusal.

    `orders` is what is done, or in a dry run would be; a dry run does nothing of it.
    """

    request: str
    verb: str
    code: str
    words: str
    orders: tuple[
        SubmitOrder | AmendOrder | CancelOrder | RetireOrder | ClaimOrder | AdoptPosition | FlattenPosition, ...
    ] = ()
    dry_run: bool = False


ANY = (
    SubmitOrder
    | AmendOrder
    | CancelOrder
    | CancelForeign
    | ReadBroker
    | RunJob
    | RaiseAlert
    | SendAlert
    | Acknowledge
    | Stop
    | RaiseBlock
    | LiftBlock
    | LatchKill
    | SettleKill
    | RehearseKill
    | EndDrill
    | Unlatch
    | RefuseEntry
    | RetireOrder
    | MarkUncertain
    | JudgeBooks
    | WindDown
    | RatchetTrail
    | FlattenPosition
    | ClaimOrder
    | AdoptPosition
    | AdjustPosition
    | MarkEquity
    | OpenSession
    | BindAccount
    | PassDoctor
    | SignCard
    | Answer
)
"""All commands, for decoding a record."""

TO_BROKER = (SubmitOrder, AmendOrder, CancelOrder, CancelForeign, ReadBroker)
OUTWARD = (*TO_BROKER, RunJob, RaiseAlert, SendAlert, RehearseKill, Unlatch, Stop)
"""Commands that leave the loop, once their record is durable."""
