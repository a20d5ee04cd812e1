"""What is due: the session's beginning and end, the jobs, the daily close; asked once a second by the Tick."""

import datetime as dt
from dataclasses import asdict, fields
from decimal import Decimal

from joed.engine import sessions
from joed.engine.channels import unsent
from joed.engine.confirming import needs_confirmation, unconfirmed
from joed.engine.health import keep
from joed.engine.money import cash_of
from joed.engine.orders import resting
from joed.engine.phase import local
from joed.engine.positions import unrealised
from joed.engine.reconcile import reconciled
from joed.engine.times import TABLE, deadline_ns, is_open
from joed.model.blocks import ALL, key
from joed.model.commands import Command, MarkEquity, OpenSession, RaiseBlock, RunJob, Stop, WindDown
from joed.model.settings import Settings, Strategies
from joed.model.state import Job, State
from joed.model.values import MINUTE, SECOND

WIND_DOWN_NS = 10 * SECOND
"""How long an orderly end waits for the broker's word on cancelled entries, and for alerts to leave."""
LOST_NS = 30 * SECOND
"""A job whose answer is this late beyond its deadline is taken for lost."""

CENT_HUNDREDTH = Decimal("0.0001")
"""How finely worth is noted: an average price has as many digits as its division gave."""

NEVER = Job("")
"""What is known of a job that never ran."""

SHARES = frozenset({"risk_bull", "risk_neutral", "risk_defensive"})
"""What the engine does with a regime: the job that judges it needs none of it."""

FAILED = "strategy_failed"
"""Why a strategy is not asked any more: it raised, looped or made nonsense, and a person has to look."""

OURS = tuple(row.name for row in fields(Strategies) if row.name != "own")
"""The strategies that come with joed."""

RISK = "risk"
"""The name under which the strategies are told what one trade may risk; none of them is called so."""

CLOSED = "market_closed"
NO_SESSION = "no_session"


def session(state: State, now: int, commands: list[Command]) -> None:
    """Open the session that is due, and keep each calendar's Block true."""
    calendar = state.calendars.get(state.settings.calendar)
    if calendar is None:
        return
    found = sessions.session_at(calendar, now)
    name = found.date.isoformat()
    due = now >= found.open_ns - int(state.settings.session.lead_s * SECOND)
    if due and name != state.day.session and reconciled(state):
        commands.append(OpenSession(name, found.open_ns, found.close_ns, state.worth, state.unrealised))
        if needs_confirmation(state):  # a signature lasts one session
            commands.append(RaiseBlock(unconfirmed(now)))
    if due == (key(ALL, NO_SESSION) in state.blocks):
        words = f"no session; next open {local(found.open_ns, calendar.timezone)}"
        keep(state, now, commands, not due, ALL, NO_SESSION, words)
    for market, hours in state.calendars.items():
        here = found if hours is calendar else sessions.session_at(hours, now)
        is_within, scope = here.open_ns <= now < here.close_ns, f"calendar:{market}"
        if is_within == (key(scope, CLOSED) in state.blocks):
            words = f"{market} opens {local(sessions.next_open(hours, now), hours.timezone)}"
            keep(state, now, commands, not is_within, scope, CLOSED, words)


def jobs(state: State, now: int, commands: list[Command]) -> None:
    """Start every job that is due, makes sense and does not run."""
    if not state.day.session or state.stopping or not ours(state, now):
        return
    for name, row in TABLE.items():
        job = state.jobs.get(name, NEVER)
        if now < job.next_ns or row.waits(state, now) or in_flight(state, job, now):
            continue
        commands.append(start(state, now, name))


def in_flight(state: State, job: Job, now: int) -> bool:
    """Say whether a job's answer is still to come: one that is long over its deadline is lost."""
    return bool(job.running) and now < job.started_ns + deadline_ns(state.settings.jobs, job.name) + LOST_NS


def start(state: State, now: int, name: str) -> RunJob:
    """Give the next run of a job."""
    runs = state.jobs.get(name, NEVER).runs
    ends_ns = now + deadline_ns(state.settings.jobs, name)
    return RunJob(name, runs + 1, ends_ns, params(state, name), names(state, name))


def params(state: State, job: str) -> dict[str, dict[str, str | float | int | bool | list[str]]]:
    """Give all the parameters that a job may use, so that its answer follows from the record."""
    settings = state.settings
    if job == "strategies":
        asked = {
            name: rules
            for name, rules in strategies(settings).items()
            if key(f"strategy:{name}", FAILED) not in state.blocks
        }
        return {**asked, RISK: {"per_trade": str(settings.risk.per_trade)}}
    if job in ("scan", "watchlist"):
        return looks(state, job)
    if job == "regime":
        rules = {name: plain(value) for name, value in asdict(settings.regime).items() if name not in SHARES}
        return {"regime": {**rules, "index": settings.index, "vix": settings.vix.instrument}}
    return {}


def strategies(settings: Settings) -> dict[str, dict[str, str | float | int | bool | list[str]]]:
    """Give each enabled strategy's parameters by its name: ours, and the user's own as "own:NAME".

    Of those only what a person has seen tried: another digest than `tried` is another strategy.
    """
    ours = {name: rules for name in OURS if (rules := getattr(settings.strategies, name)).enabled}
    found = {name: {key: plain(value) for key, value in asdict(rules).items()} for name, rules in ours.items()}
    for name, own in settings.strategies.own.items():
        if own.enabled and own.tried and own.digest.startswith(own.tried):
            found[f"own:{name}"] = {f"params.{key}": value for key, value in own.params.items()}
            found[f"own:{name}"] |= {"file": own.file, "entry": own.entry, "digest": own.digest}
            found[f"own:{name}"]["regimes"] = list(own.regimes)
    return found


def looks(state: State, job: str) -> dict[str, dict[str, str | float | int | bool | list[str]]]:
    """Give the parameters of scan and score; the sectors and what lies ahead go with the scan alone."""
    settings = state.settings
    rules = {name: plain(value) for name, value in asdict(settings.scan).items() if not name.startswith("dates")}
    found: dict[str, dict[str, str | float | int | bool | list[str]]] = {
        "scan": {**rules, "watchlist_size": settings.jobs.watchlist_size, "index": settings.index},
        "score": {name: plain(value) for name, value in asdict(settings.score).items()},
    }
    if job == "scan":
        found["sectors"] = {name: row.sector for name, row in settings.universe.items() if row.sector and row.tradable}
        found["dates"] = {name: words for name in settings.dates if (words := ahead(state, name))}
    return found


def ahead(state: State, instrument: str) -> str:
    """Say what is dated from this session's day on to `dates_days` later ("2026-11-30 earnings"), "" for nothing."""
    if not state.day.session:
        return ""
    first = dt.date.fromisoformat(state.day.session)
    last = first + dt.timedelta(days=state.settings.scan.dates_days)
    due = [row for row in state.settings.dates.get(instrument, ()) if first.isoformat() <= row[:10] <= last.isoformat()]
    return ", ".join(due)


def plain(value: object) -> str | float | int | bool | list[str]:
    """Give a setting as what a record holds."""
    if isinstance(value, tuple):
        return [str(item) for item in value]
    assert isinstance(value, str | float | int | bool)
    return value


def names(state: State, job: str) -> tuple[str, ...]:
    """Give the instruments that a job looks at: the watchlist where there is one to look at, else the universe."""
    if job in ("watchlist", "strategies"):
        return tuple(candidate.instrument for candidate in state.watchlist)
    return tuple(symbol for symbol, instrument in state.settings.universe.items() if instrument.tradable)


def mark(state: State, now: int, commands: list[Command]) -> None:
    """Note the account's worth each minute while the market is open, and once after."""
    over = now >= state.day.close_ns and state.marked_ns < state.day.close_ns
    if state.day.session and (over or (is_open(state, now) and now - state.marked_ns >= MINUTE)):
        figures = (state.worth, cash_of(state), state.day.realised, unrealised(state), state.day.fees)
        commands.append(MarkEquity(*(figure.quantize(CENT_HUNDREDTH) for figure in figures)))


def ours(state: State, now: int) -> bool:
    """Say whether the day in the books is this life's to end: an earlier day's is no reason to leave a later one."""
    if state.day.epoch == state.epoch:
        return True
    calendar = state.calendars.get(state.settings.calendar)
    return calendar is not None and sessions.session_at(calendar, now).date.isoformat() == state.day.session


def wind_down(state: State, now: int, commands: list[Command]) -> None:
    """End in order: the day's own end begins it, resting entries are cancelled (orders), then the daemon stops."""
    if not state.stopping:
        grace_ns = int(state.settings.session.after_close_s * SECOND)
        if state.day.session and now >= state.day.close_ns + grace_ns and ours(state, now):
            commands.append(WindDown(f"session {state.day.session} is over"))
        return
    waits = resting(state) or unsent(state, now)
    if not waits or now - state.stopping_ns >= WIND_DOWN_NS:
        commands.append(Stop(state.stopping))
