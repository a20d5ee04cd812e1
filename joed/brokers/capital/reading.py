"""The whole book as the engine reads it, made of one complete set and of what we asked for; pure.

Capital.com keeps a position's stop and target as its attributes; here they are the working orders that they are to
everyone else. Its account has no cash beside contracts: cash is what makes cash and positions together the equity.
"""

from collections.abc import Iterator
from decimal import Decimal

from joed.brokers.capital.ledger import Intent, Ledger, Stage
from joed.brokers.capital.whole import Held, Resting, Whole
from joed.brokers.capital.wire import finite
from joed.model.events import BrokerRead, OrderFilled, OrderSeen, PositionSeen
from joed.model.values import ZERO, Status

OPEN_STATUS = {Stage.ARMED: Status.UNCERTAIN, Stage.SENT: Status.UNCERTAIN}


def read_of(
    name: str, connection: int, whole: Whole, ledger: Ledger, names: dict[str, str], hands: frozenset[str], base: str
) -> BrokerRead:
    """Give the whole book; `names` gives instruments by epic, `hands` are orders that are being carried out now."""
    rows = ledger.rows()
    orders = [seen for row in rows for seen in _ours(row, whole, row.order in hands)]
    orders += _foreign(whole, ledger, names)
    fills: list[OrderFilled] = [fill for row in rows for fill in row.fills]
    ended = {order: status for row in rows for order, status in row.ended.items()}
    cash, balances, power = money_of(whole, base)
    return BrokerRead(
        name,
        connection,
        whole.from_ns,
        whole.to_ns,
        complete=True,
        orders=tuple(orders),
        positions=_positions(whole.held, names),
        executions=tuple(sorted(fills, key=lambda fill: (fill.at_ns, fill.execution.endswith(":close")))),
        ended=ended,
        cash=cash,
        balances=balances,
        buying_power=power,
    )


def _ours(row: Intent, whole: Whole, in_hand: bool) -> Iterator[OrderSeen]:  # noqa: FBT001 - one line at its only caller
    """Give the open orders that one row stands for."""
    if not row.opens:
        if not row.over:
            status = Status.SENT if in_hand else Status.UNCERTAIN
            yield OrderSeen(row.order, row.order, row.instrument, row.side, row.quantity, status)
        return
    if row.stage in OPEN_STATUS:
        status = Status.SENT if in_hand else Status.UNCERTAIN
        yield from _bracket(row, row.reference or row.order, status, status)
    elif row.stage is Stage.RESTING:
        there = any(one.deal == row.working for one in whole.resting)
        yield from _bracket(row, row.working, Status.WORKING if there else Status.UNCERTAIN, Status.ACKED)
    elif row.stage is Stage.OPEN:
        deal = row.deals[0]
        there = any(one.deal == deal for one in whole.held)
        yield from _legs(row, deal, row.held, Status.WORKING if there else Status.UNCERTAIN)


def _bracket(row: Intent, deal: str, status: Status, legs: Status) -> Iterator[OrderSeen]:
    """Give an entry that has not filled, and its legs."""
    yield OrderSeen(row.order, deal, row.instrument, row.side, row.quantity, status, row.level)
    yield from _legs(row, deal, row.quantity, legs)


def _legs(row: Intent, deal: str, quantity: Decimal, status: Status) -> Iterator[OrderSeen]:
    """Give the legs that stand."""
    side = row.side.opposite
    if row.stop_order and row.stop is not None and row.stop_order not in row.ended:
        yield OrderSeen(row.stop_order, f"{deal}:S", row.instrument, side, quantity, status, row.stop)
    if row.target_order and row.target is not None and row.target_order not in row.ended:
        yield OrderSeen(row.target_order, f"{deal}:T", row.instrument, side, quantity, status, row.target)


def _foreign(whole: Whole, ledger: Ledger, names: dict[str, str]) -> list[OrderSeen]:
    """Give the working orders that are nobody's of ours; what may be an order of ours in doubt is told as that one."""
    owned = ledger.owned() | {deal for row in ledger.intents.values() for deal in row.candidates}
    open_rows = [row for row in ledger.intents.values() if row.opens and row.unresolved]
    return [
        OrderSeen("", one.deal, names.get(one.epic, one.epic), one.side, one.size, Status.WORKING, one.level)
        for one in whole.resting
        if one.deal not in owned and not any(_may_be(one, row) for row in open_rows)
    ]


def _may_be(one: Resting, row: Intent) -> bool:
    """Say whether a working order may be one of ours that nobody has given a number to yet."""
    alike = (one.epic, one.side, one.size) == (row.epic, row.side, row.quantity)
    return alike and one.deal not in row.before


def _positions(held: tuple[Held, ...], names: dict[str, str]) -> tuple[PositionSeen, ...]:
    """Add up the rows of each instrument: signed quantity, and the average of what is left."""
    sums: dict[str, tuple[Decimal, Decimal]] = {}
    for row in held:
        quantity, money = sums.get(row.epic, (ZERO, ZERO))
        signed = row.side.sign * row.size
        sums[row.epic] = (quantity + signed, money + signed * row.level)
    return tuple(
        PositionSeen(names.get(epic, epic), quantity, abs(money / quantity))
        for epic, (quantity, money) in sums.items()
        if quantity
    )


def money_of(whole: Whole, base: str) -> tuple[Decimal | None, dict[str, Decimal], Decimal | None]:
    """Give cash in base currency, the other currencies' balances, and what may still be bought.

    A contract is not paid for: the deposit stays whole while a position is open. So what a position would have cost is
    taken off the cash of its currency, and cash plus positions at their prices is deposit plus open profit: the equity.
    Free margin is the buying power, without the leverage that the account would lend on top.
    """
    account = whole.account
    if account is None or account.balance is None:
        return None, {}, None
    deposit = finite(account.balance.deposit)
    currency = account.currency or base
    if deposit is None:
        return None, {}, None
    money = {currency: deposit}
    for row in whole.held:
        at = row.currency[:3] or currency
        money[at] = money.get(at, ZERO) - row.side.sign * row.size * row.level
    power = finite(account.balance.available) if currency == base else None
    cash = money.pop(base, ZERO)
    return cash, {name: amount for name, amount in money.items() if amount}, power
