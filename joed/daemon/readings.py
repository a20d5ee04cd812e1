"""How metrics are read: from the immutable View, plain counters and functions; nothing waits, nothing is locked.

Tables that the loop goes on counting in are read from a copy: `dict(found)` is one step to other threads, while a walk
over `items()` is not, not even inside `list()`, where Python's collector may run between two of its rows.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from joed.daemon.counters import Counters
from joed.daemon.log import Log
from joed.engine.times import TABLE
from joed.model.feeds import DELAYED, POLL, STREAM
from joed.model.values import SECOND, Status
from joed.model.view import BrokerView, JobView, View

SYMBOLS_MAX = 50
OTHER = "other"
LIMITS = ("loss_day_max", "gross_max", "position_max", "trades_day_max")
WAITING = (Status.PLANNED, Status.ARMED, Status.SENT, Status.CANCEL_ASKED, Status.UNCERTAIN, Status.QUARANTINED)
"""An order in one of these waits for its broker's word."""
MOVES = ("armed", "acked", "partial", "filled", "cancel_asked", "cancelled", "rejected", "expired")
DOUBTS = ("uncertain", "quarantined", "absent_proven")
"""What an order can come to: on its road, and where its fate was or is in doubt."""
SIDES = ("buy", "sell")
READ_RESULTS = ("clean", "differs", "partial")
SOURCES = (STREAM, POLL, DELAYED, "unsaid")
"""How a price can have come."""
BARS = ("daily", "minute")

Labels = tuple[str, ...]
Values = Iterable[tuple[Labels, Any]]
"""A row's series: the values of its labels, and a number, Buckets, states (name -> bool) or words (name -> text)."""
Readings = dict[str, Callable[[], float | Mapping[Any, float]]]
"""Numbers that others keep: a row's name -> a function that gives its value, or its values by label (or by labels)."""


@dataclass
class Sources:
    """All that a scrape reads.

    `brokers` names those configured, so that their series are there at once; `python` is the interpreter's version.
    A row whose name stands in `readings` is read there in place of its counter. Without `money`, what tells of sums and
    of what is held is left out.
    """

    view: Callable[[], View]
    counters: Counters = field(default_factory=Counters)
    readings: Readings = field(default_factory=dict)
    brokers: Labels = ()
    python: str = ""
    log: Log | None = None
    money: bool = True


Read = Callable[[Sources, View], Values]


def one(read: Callable[[Sources, View], float]) -> Read:
    """Read a row's single value."""
    return lambda sources, view: [((), read(sources, view))]


def each(names: Iterable[str], read: Callable[[Sources, View], Mapping[str, float]]) -> Read:
    """Read a value for each of these labels, 0 where there is none; what is none of them adds up as `other`."""
    known = tuple(map(str, names))

    def values(sources: Sources, view: View) -> Values:
        found = dict(read(sources, view))
        strange = sum(value for name, value in found.items() if name not in known)
        rows = [((name,), found.get(name, 0)) for name in known]
        return [*rows, ((OTHER,), strange)] if strange else rows

    return values


def state(names: Iterable[str], read: Callable[[Sources, View], str]) -> Read:
    """Read which of these states holds; none does where it is another."""
    known = tuple(map(label, names))

    def values(sources: Sources, view: View) -> Values:
        holds = label(read(sources, view))
        return [((), {name: name == holds for name in known})]

    return values


def count(name: str, counter: str = "") -> Read:
    """Read the row `name` from whoever keeps it, else from this field of Counters; no series where nobody does."""

    def values(sources: Sources, view: View) -> Values:
        kept = sources.readings.get(name)
        found = kept() if kept else getattr(sources.counters, counter) if counter else {}
        if not isinstance(found, Mapping):
            return [((), found)]
        items = dict(found).items()
        return [(tuple(map(str, key)) if isinstance(key, tuple) else (str(key),), value) for key, value in items]

    return values


def buckets(name: str) -> Read:
    """Read a histogram of Counters."""
    return lambda sources, _: [((), getattr(sources.counters, name))]


def kept(name: str) -> Read:
    """Read a number of Counters."""
    return lambda sources, _: [((), getattr(sources.counters, name))]


def utc(name: str) -> Read:
    """Read an instant of Counters as UTC seconds."""
    return lambda sources, _: [((), getattr(sources.counters, name) / SECOND)]


def instant(read: Callable[[View], int]) -> Read:
    """Read an instant of the engine's clock as UTC seconds, 0 for never."""
    return lambda _, view: [((), utc_s(view, read(view)))]


def broker(read: Callable[[View, BrokerView], float]) -> Read:
    """Read a number of each broker, 0 while nothing was heard of it."""

    def values(sources: Sources, view: View) -> Values:
        found = {row.name: row for row in view.brokers}
        return [((name,), read(view, found[name]) if name in found else 0) for name in brokers(sources, view)]

    return values


def tallied(name: str, states: Iterable[str]) -> Read:
    """Read a table of Counters by broker and by each of these states, 0 where there is nothing."""
    known = tuple(states)

    def values(sources: Sources, view: View) -> Values:
        found = dict(getattr(sources.counters, name))
        return [((at, each), found.get((at, each), 0)) for at in brokers(sources, view) for each in known]

    return values


def counted(name: str) -> Read:
    """Read a table of Counters by broker, 0 where there is nothing."""

    def values(sources: Sources, view: View) -> Values:
        found = dict(getattr(sources.counters, name))
        return [((at,), found.get(at, 0)) for at in brokers(sources, view)]

    return values


def by_broker(read: Callable[[View, str], float]) -> Read:
    """Read a number for each broker's name."""
    return lambda sources, view: [((name,), read(view, name)) for name in brokers(sources, view)]


def money(read: Callable[[View], Any]) -> Read:
    """Read an amount in base currency."""
    return lambda _, view: [((view.base_currency,), float(read(view)))]


def brokers(sources: Sources, view: View) -> list[str]:
    """Name the brokers, configured or seen."""
    return list(dict.fromkeys([*sources.brokers, *(row.name for row in view.brokers)]))


def feeds(sources: Sources, view: View) -> Values:
    """Count the prices by broker and by how the last one came."""
    found = dict.fromkeys(((name, source) for name in brokers(sources, view) for source in SOURCES), 0)
    for row in view.prices:
        at = (row.broker, row.source if row.source in SOURCES else "unsaid")
        if at in found:
            found[at] += 1
    return list(found.items())


def oldest(view: View, broker: BrokerView) -> float:
    """Give when the oldest of a broker's last prices came, UTC seconds, 0 for none."""
    ages = [row.age_s for row in view.prices if row.broker == broker.name and row.age_s is not None]
    return ago_s(view, max(ages, default=None))


def lacking(sources: Sources, view: View) -> Values:
    """Count by broker and kind of bar the names that have no history."""
    found = dict.fromkeys(((name, kind) for name in brokers(sources, view) for kind in BARS), 0)
    for broker in view.brokers:
        for kind, bars in broker.bars.items():
            if (broker.name, kind) in found:
                found[broker.name, kind] = len(bars.missing)
    return list(found.items())


def label(text: str) -> str:
    """Give a state as a label has it: AWAITING CONFIRMATION is awaiting_confirmation."""
    return text.lower().replace(" ", "_").replace("-", "_")


def utc_s(view: View, at_ns: int) -> float:
    """Give an instant of the engine's clock as UTC seconds, 0 for never."""
    return (at_ns + view.utc_ns - view.now_ns) / SECOND if at_ns else 0.0


def ago_s(view: View, age_s: float | None) -> float:
    """Give the UTC seconds of what is this old, 0 for never."""
    return 0.0 if age_s is None else view.utc_ns / SECOND - age_s


def build(sources: Sources, view: View) -> Values:
    """Read what runs."""
    return [((), {"version": view.version, "code": view.code[:12], "python": sources.python})]


def blocked(reason: str) -> Read:
    """Read whether a Block with this reason stands."""
    return one(lambda _, view: any(block.reason == reason for block in view.blocks))


def events(sources: Sources, view: View) -> Mapping[str, float]:
    """Read the events by kind."""
    kept = sources.readings.get("events_total")
    found = kept() if kept else sources.counters.events
    return dict(found) if isinstance(found, Mapping) else {}


def logged(sources: Sources, view: View) -> Mapping[str, float]:
    """Read the log's lines by level."""
    return dict(sources.log.records) if sources.log else {}


def unlogged(sources: Sources, view: View) -> float:
    """Read how many lines the log dropped."""
    return sources.log.dropped if sources.log else 0


def unacknowledged(sources: Sources, view: View) -> float:
    """Read how many alerts nobody has acknowledged."""
    return sum(row.acked_uid is None for row in view.alert_rows)


def alerts_waiting(sources: Sources, view: View) -> float:
    """Read how many alerts wait for the channel that is furthest behind."""
    return max((channel.waiting for channel in view.channels), default=0)


def channels_up(sources: Sources, view: View) -> float:
    """Read whether alerts leave, as far as one was tried."""
    return not any(channel.failed for channel in view.channels)


def killed(sources: Sources, view: View) -> Mapping[str, float]:
    """Read the kill in force."""
    return {view.killed: 1} if view.killed else {}


def kill_at(view: View) -> int:
    """Give when the kill in force came, 0 for none."""
    return view.kill.since_ns if view.kill else 0


def kill_done(sources: Sources, view: View) -> float:
    """Read whether a kill is in force and done."""
    return float(view.kill is not None and view.kill.done)


def kill_open(sources: Sources, view: View) -> float:
    """Count what is still open of the kill in force; a hundred at most."""
    return len(view.kill.waits) if view.kill else 0


def drill_at(view: View) -> int:
    """Give when a drill last passed, 0 for never."""
    return view.drilled.passed_ns if view.drilled else 0


def depth(sources: Sources, view: View) -> Values:
    """Read how many events wait, now where somebody can say, else at the last heartbeat."""
    return count("queue_depth")(sources, view) if "queue_depth" in sources.readings else [((), view.queue_depth)]


def last_seq(sources: Sources, view: View) -> Values:
    """Read the newest durable record; the View, which shows nothing newer, where nobody else can say."""
    return count("audit_last_seq")(sources, view) if "audit_last_seq" in sources.readings else [((), view.seq)]


def gc_pauses(sources: Sources, view: View) -> Values:
    """Read the pauses by Python's collector, by generation."""
    return [((generation,), found) for generation, found in dict(sources.counters.gc_pauses).items()]


def needs(sources: Sources, view: View) -> Mapping[str, float]:
    """Count what waits for a person by severity."""
    found: dict[str, float] = {}
    for need in view.needs:
        found[need.severity] = found.get(need.severity, 0) + 1
    return found


def orders(sources: Sources, view: View) -> Values:
    """Count living orders by broker and state."""
    states = [status for status in Status if not status.ended]
    found = dict.fromkeys(((name, status) for name in brokers(sources, view) for status in states), 0)
    for row in view.orders:
        found[row.broker, row.status] = found.get((row.broker, row.status), 0) + 1
    return [((name, label(status)), value) for (name, status), value in found.items()]


def pending_at(view: View, name: str) -> float:
    """Give when the oldest order was armed that waits for its broker's word, UTC seconds, 0 for none."""
    ages = [row.age_s for row in view.orders if row.broker == name and row.status in WAITING]
    return ago_s(view, max(ages, default=None))


def uncertain(view: View, name: str) -> float:
    """Count the orders whose fate is unknown."""
    return sum(row.broker == name and row.status.doubtful for row in view.orders)


def unprotected(view: View, name: str) -> float:
    """Count the positions without a working stop of their size."""
    return sum(row.broker == name and not row.protected for row in view.positions)


def unprotected_s(view: View, name: str) -> float:
    """Give for how long the longest unprotected position has been so, 0 where none is."""
    return max((row.unprotected_s or 0.0 for row in view.positions if row.broker == name), default=0.0)


def positions(sources: Sources, view: View) -> Values:
    """Count positions by broker and side."""
    found = dict.fromkeys(((name, side) for name in brokers(sources, view) for side in ("long", "short")), 0)
    for row in view.positions:
        at = (row.broker, "long" if row.quantity > 0 else "short")
        found[at] = found.get(at, 0) + 1
    return list(found.items())


def quantities(sources: Sources, view: View) -> Values:
    """Read what is held by symbol, the first fifty by name; the rest adds up."""
    rows = sorted((row.instrument, float(row.quantity)) for row in view.positions)
    found = [((name,), quantity) for name, quantity in rows[:SYMBOLS_MAX]]
    return [*found, ((OTHER,), sum(quantity for _, quantity in rows[SYMBOLS_MAX:]))]


def limits(sources: Sources, view: View) -> Mapping[str, float]:
    """Read the limits of the day."""
    return {name: float(getattr(view.limits, name)) for name in LIMITS}


def utilisation(sources: Sources, view: View) -> Mapping[str, float]:
    """Read what is used of the limits, as a share."""
    used = (max(0.0, -float(view.daily_pnl)), float(view.gross), len(view.positions), view.trades)
    most = limits(sources, view)
    return {name: value / most[name] if most[name] else 0.0 for name, value in zip(LIMITS, used, strict=True)}


def net(view: View) -> float:
    """Give long less short positions at their marks, in base currency; a rate nobody told counts as 1, as in limits."""
    worth = {row.currency: float(row.rate) for row in view.rates if row.rate is not None}
    rows = [(row, float(row.average) if row.price is None else row.price) for row in view.positions]
    return sum(float(row.quantity) * price * worth.get(row.currency, 1.0) for row, price in rows)


def rates(sources: Sources, view: View) -> Values:
    """Read when each currency's rate was told, UTC seconds, 0 for never; the base currency has none."""
    return [((row.currency,), ago_s(view, row.age_s)) for row in view.rates] or [((view.base_currency,), 0)]


def job_runs(sources: Sources, view: View) -> Values:
    """Count the runs of each job by how they ended; one that runs is not counted yet."""
    found = {job.name: job for job in view.jobs}
    for name in TABLE:
        job = found.get(name)
        runs, failures = (job.runs - job.running, job.failures) if job else (0, 0)
        yield (name, "ok"), max(0, runs - failures)
        yield (name, "failed"), failures


def job(read: Callable[[View, JobView], float]) -> Read:
    """Read a number of each job."""
    return each(TABLE, lambda _, view: {row.name: read(view, row) for row in view.jobs})
