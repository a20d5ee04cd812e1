"""Rows for tests of pure judgement: an entry of ours, and looks at an account that show it or not."""

from decimal import Decimal as Money

from joed.brokers.capital.ledger import Intent, Stage
from joed.brokers.capital.shapes import AccountRow, Balance
from joed.brokers.capital.whole import Act, Held, Resting, Trade, Whole
from joed.model.values import SECOND, Leg, Side

SENT_NS = 1_000 * SECOND


def entry(order="E1", **more):
    """Give an entry for ten AAA with a stop at 95 and a target at 110, sent at SENT_NS and not answered."""
    row = {
        "instrument": "AAA",
        "epic": "AAA.X",
        "leg": Leg.ENTRY,
        "side": Side.BUY,
        "quantity": Money(10),
        "opens": True,
        "armed_ns": SENT_NS,
        "sent_ns": SENT_NS,
        "level": Money(100),
        "stop_order": f"{order}-S",
        "stop": Money(95),
        "target_order": f"{order}-T",
        "target": Money(110),
    }
    return Intent(order, **(row | more))


def opened(**more):
    """Give that entry as an open position, deal d1."""
    return entry(stage=Stage.OPEN, deals=("d1",), held=Money(10), **more)


def held(deal="d1", **more):
    """Give a position row like that entry's."""
    row = {"epic": "AAA.X", "side": Side.BUY, "size": Money(10), "level": Money(100), "at_ns": SENT_NS + SECOND}
    row |= {"stop": Money(95), "target": Money(110), "currency": "USD"}
    return Held(deal, **(row | more))


def resting(deal="w1", **more):
    """Give a working order like that entry's."""
    row = {"epic": "AAA.X", "side": Side.BUY, "size": Money(10), "level": Money(100), "at_ns": SENT_NS + SECOND}
    return Resting(deal, **(row | {"stop": Money(95), "target": Money(110)} | more))


def act(deal="d1", **more):
    """Give the activity of that entry's opening."""
    row = {"epic": "AAA.X", "kind": "POSITION", "status": "ACCEPTED", "source": "USER", "at_ns": SENT_NS + SECOND}
    return Act(deal, **(row | {"side": Side.BUY, "size": Money(10), "level": Money(100)} | more))


def closing(source="SL", level="95", deal="d1", **more):
    """Give the activity of its closing."""
    price = Money(level) if level else None
    return act(deal, **({"source": source, "side": Side.SELL, "level": price, "at_ns": SENT_NS + 9 * SECOND} | more))


def trade(deal="d1", amount="-50"):
    """Give the transaction of its closing."""
    return Trade(deal, "TRADE", "AAA.X", Money(amount), "USD", SENT_NS + 9 * SECOND)


def whole(*rows, acts=(), trades=(), at_s=20, history=True, balance=None):
    """Give a look at the account, `at_s` seconds after the entry was sent."""
    from_ns = SENT_NS + int(at_s * SECOND)
    return Whole(
        from_ns,
        from_ns + SECOND // 10,
        tuple(row for row in rows if isinstance(row, Held)),
        tuple(row for row in rows if isinstance(row, Resting)),
        tuple(acts) if history else None,
        tuple(trades) if history else None,
        AccountRow("A1", currency="USD", balance=Balance(**balance)) if balance else None,
    )
