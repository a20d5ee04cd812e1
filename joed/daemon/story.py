"""An entry's whole story, told from its records: what fired it, what judged it, what the broker said, what it made.

Pure: records go in, plain values come out, ready for JSON; instants are engine nanoseconds, money is Decimal.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from joed.daemon.reads import Record, stem
from joed.model import commands as c
from joed.model import events as e
from joed.model.settings import Settings
from joed.model.triggers import Trigger
from joed.model.values import SECOND, ZERO, Leg, Side, floor_to
from joed.model.view import PositionView

BASIS_POINTS = Decimal(10_000)
LEGS = {Leg.ENTRY: "entry", Leg.STOP: "stop", Leg.TARGET: "target", Leg.CLOSE: "close"}


class Source(Struct):
    """What lies before an entry: the settings in force, its Trigger and its candidate with when each came."""

    settings: Settings
    trigger: Trigger | None = None
    trigger_ns: int = 0
    score: e.Candidate | None = None
    score_ns: int = 0


def story_of(entry: Record, command: c.SubmitOrder, source: Source, records: Sequence[Record]) -> dict[str, Any]:
    """Tell an entry that was sent."""
    told = _messages(command, records)
    fills = _fills(command, records)
    protection = _protection(command, records)
    ended = _exit(command, fills, protection, records)
    return {
        "order": command.order,
        **_named(command),
        "outcome": _outcome(command, fills, told),
        **_cause(entry, source),
        "verdict": _verdict(command.basis, source.settings, "", ""),
        "intent": _intent(command, source),
        "messages": told,
        "fills": fills,
        "protection": protection,
        "exit": ended,
        "result": _result(command, fills),
    }


def refusal_of(entry: Record, command: c.RefuseEntry, source: Source) -> dict[str, Any]:
    """Tell an entry that was not let through."""
    return {
        "order": "",
        **_named(command),
        "outcome": f"refused: {command.code}",
        **_cause(entry, source),
        "verdict": _verdict(command.basis, source.settings, command.code, command.words),
        "intent": None,
        "messages": [],
        "fills": [],
        "protection": [],
        "exit": None,
        "result": None,
    }


def with_position(story: dict[str, Any], held: PositionView | None) -> dict[str, Any]:
    """Add what an open position is worth now."""
    if held is None or story["result"] is None:
        return story
    return {**story, "result": {**story["result"], "unrealised": held.unrealised, "price": held.price}}


def _named(command: c.SubmitOrder | c.RefuseEntry) -> dict[str, Any]:
    side = command.side if isinstance(command, c.SubmitOrder) else None
    return {
        "instrument": command.instrument,
        "side": side,
        "strategy": command.strategy,
        "signal": command.signal,
    }


def _cause(entry: Record, source: Source) -> dict[str, Any]:
    """Give what led to the decision: the quote, the Trigger and the score."""
    quote = entry.event if isinstance(entry.event, e.Quote) else None
    seen = (
        {
            "seq": entry.seq,
            "at_ns": entry.now_ns,
            "bid": quote.bid,
            "ask": quote.ask,
            "last": quote.last,
            "age_s": (entry.now_ns - quote.received_ns) / SECOND,
        }
        if quote
        else None
    )
    trigger = {"at_ns": source.trigger_ns, **_fields(source.trigger)} if source.trigger else None
    score = {"at_ns": source.score_ns, **_fields(source.score)} if source.score else None
    return {"decided": {"seq": entry.seq, "at_ns": entry.now_ns}, "quote": seen, "trigger": trigger, "score": score}


def _fields(value: Struct) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__struct_fields__}


def _verdict(basis: c.Basis | None, settings: Settings, code: str, words: str) -> dict[str, Any]:
    """Give what the gate said, and each figure that a limit stands against."""
    figures = [] if basis is None else figures_of(basis, settings)
    checks = None if basis is None else basis.checks
    passed = f"passed all {checks} checks" if checks else "passed"
    return {"passed": not code, "code": code, "words": words or passed, "checks": checks, "figures": figures}


def figures_of(basis: c.Basis, settings: Settings) -> list[dict[str, Any]]:
    """Give the figures that were judged beside the limits that were in force."""
    risk = settings.risk
    notional = basis.quantity * basis.limit * basis.rate
    rows = (
        ("order", notional, risk.notional_max),
        ("gross", basis.gross, risk.gross_max),
        ("cash", notional, basis.free),
        ("lost today", max(basis.lost, ZERO), risk.loss_day_max),
        ("positions", basis.positions, risk.position_max),
        ("trades today", basis.trades, risk.trades_day_max),
        ("orders a minute", basis.orders_minute, risk.orders_minute_max),
    )
    return [{"name": name, "value": value, "limit": limit} for name, value, limit in rows]


def _intent(command: c.SubmitOrder, source: Source) -> dict[str, Any]:
    return {
        "quantity": command.quantity,
        "kind": command.kind,
        "limit": command.level,
        "stop": command.stop,
        "target": command.target,
        "risked": None
        if command.stop is None or command.level is None
        else abs(command.level - command.stop) * command.quantity,
        "sized": sized(command, source),
        "expires_ns": command.expires_at_ns,
        "reasons": command.reasons,
    }


def sized(command: c.SubmitOrder, source: Source) -> str:
    """Say what the size came from."""
    trigger, basis, risk = source.trigger, command.basis, source.settings.risk
    if trigger is not None and trigger.quantity is not None:
        return f"the strategy asked for {trigger.quantity}"
    if basis is None or command.level is None or command.stop is None:
        return ""
    instrument = source.settings.universe.get(command.instrument)
    lot = instrument.lot if instrument is not None else Decimal(1)
    if basis.quantity == floor_to(risk.notional_max / (command.level * basis.rate), lot):
        return f"no more than {risk.notional_max} an order: at {command.level}, in lots of {lot}"
    share = risk.per_trade if trigger is None else min(trigger.risk, risk.per_trade)
    distance = abs(command.level - command.stop)
    return f"{share:.2%} of {basis.worth:.2f} lost over {distance} to the stop, in lots of {lot}"


def _group(command: c.SubmitOrder, records: Iterable[Record]) -> dict[str, Leg]:
    """Give all orders of a group with their legs: the bracket, and what joined it later."""
    legs = {command.order: command.leg, command.stop_order: Leg.STOP, command.target_order: Leg.TARGET}
    for record in records:
        for other in record.commands:
            if isinstance(other, c.SubmitOrder) and other.group == command.order:
                legs[other.order] = other.leg
    return {name: leg for name, leg in legs.items() if name}


def _messages(command: c.SubmitOrder, records: Sequence[Record]) -> list[dict[str, Any]]:
    """Give all that joed and the broker said of a group, in order, each with its distance from the one before it.

    `after_s` counts from the message before; `answer_s`, on the broker's
    first word after ours on the same order, counts from ours.
    """
    legs, told = _group(command, records), list[dict[str, Any]]()
    asked: dict[str, int] = {}
    before = 0
    for record in records:
        for who, fact in [("broker", record.event), *(("joed", issued) for issued in record.commands)]:
            order = getattr(fact, "order", "")
            if order not in legs or not isinstance(fact, SAID):
                continue
            ours = who == "joed" or isinstance(fact, e.CommandSent | e.CommandDropped)
            row = {
                "seq": record.seq,
                "at_ns": record.now_ns,
                "after_s": (record.now_ns - before) / SECOND if before else 0.0,
                "answer_s": None if ours or order not in asked else (record.now_ns - asked[order]) / SECOND,
                "who": "joed" if ours else "broker",
                "leg": LEGS[legs[order]],
                "what": type(fact).__name__,
                "words": words_of(fact),
            }
            if ours:
                asked[order] = record.now_ns
                if isinstance(fact, c.SubmitOrder | e.CommandSent) and order == command.order:
                    asked |= dict.fromkeys((command.stop_order, command.target_order), record.now_ns)
            elif order in asked:
                del asked[order]  # answered: what comes later is news
            before = record.now_ns
            told.append(row)
    return told


SAID = (
    *(c.SubmitOrder, c.AmendOrder, c.CancelOrder, c.RetireOrder, c.MarkUncertain, e.CommandSent, e.CommandDropped),
    *(e.OrderAccepted, e.OrderWorking, e.OrderFilled, e.OrderCancelled, e.OrderExpired, e.OrderRejected),
    *(e.CancelRejected, e.AmendRejected),
)


def words_of(fact: Any) -> str:  # noqa: ANN401 - any of SAID
    """Say a message in a few words."""
    match fact:
        case c.SubmitOrder():
            at = f" at {fact.level}" if fact.level is not None else ""
            return f"{fact.side.lower()} {fact.quantity} {fact.kind.lower()}{at}"
        case c.AmendOrder():
            to = " ".join(f"{name} {value}" for name, value in (("to", fact.level), ("for", fact.quantity)) if value)
            return f"move {to} ({fact.reason})" if fact.reason else f"move {to}"
        case e.OrderFilled():
            fee = f", fee {fact.fee}" if fact.fee else ""
            revised = (
                f" (revision {fact.revision})" if fact.revision > 1 else ""
            )  # 0 and 1: without its fee, and with it
            return f"{fact.quantity} at {fact.price}{fee}{revised}"
        case e.OrderWorking():
            return f"{fact.quantity}" if fact.level is None else f"{fact.quantity} at {fact.level}"
        case e.OrderAccepted():
            return f"as {fact.broker_id}"
        case e.OrderRejected():
            return f"{fact.code} {fact.words}".strip()
        case e.CommandSent():
            return fact.command
        case e.CommandDropped():
            return f"{fact.command}: {fact.reason}"
    return str(getattr(fact, "reason", "") or getattr(fact, "words", "") or getattr(fact, "evidence", ""))


def _executions(command: c.SubmitOrder, records: Sequence[Record]) -> list[tuple[Record, e.OrderFilled]]:
    """Give each execution of the group once, in its last revision, also those that only a read of the book showed."""
    legs = _group(command, records)
    found: dict[str, tuple[Record, e.OrderFilled]] = {}
    for record in records:
        seen = record.event.executions if isinstance(record.event, e.BrokerRead) else (record.event,)
        for fill in seen:
            if isinstance(fill, e.OrderFilled) and fill.order in legs:
                known = found.get(fill.execution)
                if known is None or known[1].revision < fill.revision:
                    found[fill.execution] = (known[0] if known else record, fill)
    return [(record, fill) for record, fill in found.values() if fill.quantity]


def _fills(command: c.SubmitOrder, records: Sequence[Record]) -> list[dict[str, Any]]:
    """Give the executions with what each cost beyond the price that was decided on (the entry's) or asked for."""
    legs = _group(command, records)
    return [
        {
            "seq": record.seq,
            "at_ns": record.now_ns,
            "leg": LEGS[legs[fill.order]],
            "side": fill.side,
            "quantity": fill.quantity,
            "price": fill.price,
            "fee": fill.fee,
            **_slippage(fill, _wanted(command, fill.order, legs[fill.order], record.seq, records)),
        }
        for record, fill in _executions(command, records)
    ]


def _wanted(command: c.SubmitOrder, order: str, leg: Leg, seq: int, records: Sequence[Record]) -> Decimal | None:
    """Give the price that an execution is measured against: the decision's, or the level that the leg had then.

    None for a close, and for a target that was moved to become one: it is to fill at any price that is there.
    """
    if leg is Leg.ENTRY:
        return command.basis.price if command.basis is not None else command.level
    issued = [one for record in records if record.seq < seq for one in record.commands]
    if leg is Leg.TARGET and any(isinstance(one, c.AmendOrder) and one.order == order and one.level for one in issued):
        return None
    level = {Leg.STOP: command.stop, Leg.TARGET: command.target}.get(leg)
    if leg is Leg.STOP:
        for move in _protection(command, records):
            if move["seq"] < seq:
                level = move["to"]
    return level


def _slippage(fill: e.OrderFilled, wanted: Decimal | None) -> dict[str, Any]:
    """Give how much worse than wanted a price is, in money and in hundredths of a per cent; negative is better."""
    if not wanted:
        return {"wanted": None, "slippage": None, "slippage_bp": None}
    worse = (fill.price - wanted) * fill.side.sign
    return {
        "wanted": wanted,
        "slippage": worse * fill.quantity,
        "slippage_bp": float(worse / wanted * BASIS_POINTS),
    }


def _protection(command: c.SubmitOrder, records: Sequence[Record]) -> list[dict[str, Any]]:
    """Give each change of the stop: from, to, why, and whether the broker has confirmed it."""
    stops = {name for name, leg in _group(command, records).items() if leg is Leg.STOP}
    level, moves = command.stop, list[dict[str, Any]]()
    for record in records:
        event = record.event
        if isinstance(event, e.OrderWorking) and moves and event.order in stops and event.level == moves[-1]["to"]:
            moves[-1]["confirmed_s"] = (record.now_ns - moves[-1]["at_ns"]) / SECOND
        for issued in record.commands:
            new = isinstance(issued, c.SubmitOrder) and issued.order in stops
            moved = isinstance(issued, c.AmendOrder) and issued.order in stops and issued.level is not None
            if not (new or moved) or not isinstance(issued, c.SubmitOrder | c.AmendOrder):
                continue
            why = issued.reason if isinstance(issued, c.AmendOrder) else "a new stop"
            row = {"seq": record.seq, "at_ns": record.now_ns, "from": level, "to": issued.level, "why": why}
            moves.append({**row, "confirmed_s": None})
            level = issued.level
    return moves


def _exit(
    command: c.SubmitOrder, fills: list[dict[str, Any]], moves: list[dict[str, Any]], records: Sequence[Record]
) -> dict[str, Any] | None:
    """Say how the position ended, or is ending: by its stop, its target, or because somebody closed it."""
    closing = [fill for fill in fills if fill["leg"] != "entry"]
    if not closing:
        return None
    last = closing[-1]
    asked = [
        issued.reason
        for record in records
        for issued in record.commands
        if isinstance(issued, c.AmendOrder)
        and issued.order == command.target_order
        and issued.reason not in {"", "resize"}
    ]
    trailed = any(move["why"] == "trail" for move in moves)
    reason = {"stop": "the trailing stop" if trailed else "the stop", "target": "the target"}.get(last["leg"], "closed")
    if last["leg"] != "stop" and asked:
        reason = f"closed: {asked[-1]}"
    return {"at_ns": last["at_ns"], "leg": last["leg"], "reason": reason, "price": last["price"]}


def _result(command: c.SubmitOrder, fills: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Give what was made: closed against the average entry, fees taken off."""
    bought = [fill for fill in fills if fill["leg"] == "entry"]
    quantity = sum((fill["quantity"] for fill in bought), ZERO)
    if not quantity:
        return None
    average = sum((fill["quantity"] * fill["price"] for fill in bought), ZERO) / quantity
    sold = [fill for fill in fills if fill["leg"] != "entry"]
    sign = Side(command.side).sign
    gross = sum((sign * (fill["price"] - average) * fill["quantity"] for fill in sold), ZERO)
    fees = sum((fill["fee"] for fill in fills), ZERO)
    left = quantity - sum((fill["quantity"] for fill in sold), ZERO)
    slipped = [fill["slippage"] for fill in fills if fill["slippage"] is not None]
    return {
        "quantity": quantity,
        "average": average,
        "left": left,
        "gross": gross,
        "fees": fees,
        "net": gross - fees,
        "slippage": sum(slipped, ZERO),
    }


def _outcome(command: c.SubmitOrder, fills: list[dict[str, Any]], told: list[dict[str, Any]]) -> str:
    """Say in two words where it stands."""
    result = _result(command, fills)
    if result is None:
        ended = {"OrderCancelled": "cancelled", "OrderExpired": "expired", "OrderRejected": "rejected by the broker"}
        ended |= {"CommandDropped": "held back at release", "RetireOrder": "never reached the broker"}
        words = [ended[row["what"]] for row in told if row["leg"] == "entry" and row["what"] in ended]
        return words[-1] if words else "not filled yet"
    return "closed" if not result["left"] else "open"


def stems(subject: str, records: Iterable[Record]) -> list[str]:
    """Give the stems of all orders in these records that belong to a group of this stem."""
    found = {subject: None}
    for record in records:
        for issued in record.commands:
            if isinstance(issued, c.SubmitOrder) and stem(issued.group) == subject:
                found[stem(issued.order)] = None
    return list(found)
