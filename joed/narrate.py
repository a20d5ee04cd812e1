"""A trading day told line by line: the durable records that a trader would want to hear of."""

import datetime as dt
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from joed.daemon.reads import Record
from joed.engine.orders import leg_of
from joed.engine.reloading import OFF
from joed.model import commands as c
from joed.model import events as e
from joed.model.values import SECOND, Leg

ZONE = ZoneInfo("America/New_York")
LEGS = {Leg.ENTRY: "entry", Leg.STOP: "stop", Leg.TARGET: "target", Leg.CLOSE: "close"}


def lines(record: Record) -> list[str]:
    """Give what is worth telling of a record, each line with the market's time."""
    clock = dt.datetime.fromtimestamp(record.now_ns // SECOND, ZONE).strftime("%H:%M:%S")
    said = [EVENTS[type(record.event)](record.event)] if type(record.event) in EVENTS else []
    said += [COMMANDS[type(command)](command) for command in record.commands if type(command) in COMMANDS]
    return [f"{clock}  {words}" for words in said if words]


def _filled(event: e.OrderFilled) -> str:
    leg = leg_of(event.order)
    name = LEGS.get(leg, "order") if leg is not None else "order"
    return f"filled    {event.side:<4} {event.quantity} {event.instrument} at {event.price} ({name})"


def _scanned(event: e.MarketScanned) -> str:
    names = ", ".join(candidate.instrument for candidate in event.watchlist)
    return f"watchlist {names or 'nothing'}"


def _regime(event: e.RegimeJudged) -> str:
    return f"regime    {event.regime.name}: {'; '.join(event.regime.parts)}"


def _ended(event: e.SessionEnded) -> str:
    return f"ended     {event.session}: {event.reason}; equity {event.equity:.2f}, {event.trades} trades"


def _submitted(command: c.SubmitOrder) -> str:
    if not command.opens:
        return f"closing   {command.side:<4} {command.quantity} {command.instrument} ({LEGS[command.leg]})"
    why = "; ".join(command.reasons)
    bracket = f"stop {command.stop}, target {command.target}"
    return (
        f"entering  {command.side:<4} {command.quantity} {command.instrument} up to {command.level}, {bracket}: {why}"
    )


def _amended(command: c.AmendOrder) -> str:
    return f"moving    {command.order} to {command.level} ({command.reason})"


def _raised(command: c.RaiseBlock) -> str:
    if command.block.reason == OFF:
        return f"off       {command.block.words}"
    return f"blocked   {command.block.scope}: {command.block.words}"


EVENTS: dict[type[e.Event], Callable[[Any], str]] = {
    e.BrokerUp: lambda event: f"broker    {event.broker} is up, account {event.account} ({event.mode})",
    e.BrokerDown: lambda event: f"broker    {event.broker} is down: {event.reason}",
    e.RegimeJudged: _regime,
    e.MarketScanned: _scanned,
    e.OrderFilled: _filled,
    e.OrderRejected: lambda event: f"rejected  {event.order}: {event.code} {event.words}",
    e.SummaryWritten: lambda event: f"summary   {event.text.splitlines()[0] if event.text else ''}",
    e.SessionEnded: _ended,
}

COMMANDS: dict[type[c.Command], Callable[[Any], str]] = {
    c.OpenSession: lambda command: f"session   {command.session} begins with {command.equity:.2f}",
    c.SubmitOrder: _submitted,
    c.AmendOrder: _amended,
    c.CancelOrder: lambda command: f"cancelling {command.order}: {command.reason}",
    c.RatchetTrail: lambda command: f"trailing  {command.instrument} by {command.distance}",
    c.RaiseBlock: _raised,
    c.LiftBlock: lambda command: f"lifted    {command.key}{': ' + command.reason if command.reason else ''}",
    c.RefuseEntry: lambda command: f"refused   {command.instrument}: {command.words} ({command.code})",
    c.LatchKill: lambda command: f"KILLED    {command.scope}: {command.words}",
    c.Stop: lambda command: f"stopping  {command.reason}",
}
