"""Which way a change of settings goes: what tightens keeps the day's confirmation, what may raise risk voids it.

A key that no row names counts as loosening whichever way it goes: an unknown risk is a risk.
"""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from decimal import Decimal
from enum import StrEnum

from joed.model.card import Change
from joed.model.settings import Settings

TIGHTENS, LOOSENS, NEUTRAL = "tightens", "loosens", "neutral"


class Safer(StrEnum):
    """Which value of a setting is the safer one."""

    LESS = "less"
    MORE = "more"
    OFF = "off"
    ON = "on"
    EITHER = "either"


DIRECTIONS: dict[str, Safer] = {
    **dict.fromkeys(
        (
            *("risk.per_trade", "risk.quote_age_max_s", "risk.spread_max", "risk.collar", "risk.notional_max"),
            *("risk.position_max", "risk.gross_max", "risk.orders_minute_max", "risk.trades_day_max"),
            *("risk.loss_day_max", "risk.rejects_max", "risk.orders_signal_max", "fill_timeout_s"),
            *("risk.underlying_max", "risk.rate_age_max_s"),
            *("protection.alert_s", "protection.flatten_s", "protection.trail_step", "protection.trail_interval_s"),
            *("vix.level_max", "vix.day_rise", "vix.fast_rise", "vix.prints", "feed.stale_s", "feed.jump_max"),
            *("vix.persist_s", "vix.confirm_fall", "vix.unconfirmed_s"),
            *("regime.vix_uneasy", "regime.vix_fear", "regime.vix_rise", "regime.fall_day"),
            *("scan.price_max", "scan.spread_max", "scan.atr_max", "scan.sector_max", "scan.leap_max"),
            "scan.stale_days",
            *("regime.risk_bull", "regime.risk_neutral", "regime.risk_defensive"),
            *("health.broker_silence_s", "health.orders_read_s", "health.reconcile_wait_s"),
            *("ramp.first", "eod.limit_s"),
        ),
        Safer.LESS,
    ),
    **dict.fromkeys(
        (
            "eod.at_s",
            "eod.entries_until_s",
            "vix.fast_window_s",
            "vix.hold_s",
            "feed.prints",
            "ramp.sessions",
            "risk.settle_days",
            *("scan.price_min", "scan.value_day_min", "scan.atr_min", "scan.dates_days"),
            *("regime.breadth_weak", "regime.bull_enter", "regime.bull_leave", "regime.bull_votes_min"),
            *("regime.defensive_enter", "regime.defensive_leave", "regime.dwell_days"),
        ),
        Safer.MORE,
    ),
    **dict.fromkeys(
        ("risk.allow_short", "session.extended_hours", "strategies.*.enabled", "universe.*.tradable"), Safer.OFF
    ),
    **dict.fromkeys(
        (
            *("eod.close_positions", "protection.close_unprotected"),
            *("confirm.paper", "confirm.require_distinct_uid"),
        ),
        Safer.ON,
    ),
    **dict.fromkeys(
        (
            *("cancel_tries", "session.lead_s", "session.after_close_s", "health.heartbeat_s", "health.queue_backlog"),
            *("health.memory_high_mb", "alerts.*", "confirm.tell_before_open_s", "jobs.*", "paper.*", "daemon.*"),
            *("score.*", "summary.*", "crypto.every_s", "crypto.timeout_s", "crypto.stale_s"),
            "capital.*",
            *("ibkr.*", "eod.auction_s"),
        ),
        Safer.EITHER,
    ),
    "jobs.watchlist_size": Safer.LESS,
}
"""The safer value of each setting; a `*` stands for one name."""

AT_START = frozenset(
    {
        *("mode", "account", "base_currency", "calendar", "brokers", "session.day_rollover"),
        *("health.heartbeat_s", "health.orders_read_s", "paper.*", "daemon.*", "universe.*"),
        "capital.*",
        "ibkr.*",
    }
)
"""What only a start puts in force: a reload names it and leaves it as it was."""


def differences(before: Settings, after: Settings) -> tuple[Change, ...]:
    """Give each setting that is another, in the order of the settings' own definition."""
    return tuple(_walk(before, after, ""))


def loosening(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """Give the changes that may raise risk."""
    return tuple(change for change in changes if change.way == LOOSENS)


def in_force(running: Settings, loaded: Settings) -> Settings:
    """Give what a reload may put in force: the loaded settings, with everything that only a start changes as it was."""
    universe = {
        symbol: replace(row, tradable=loaded.universe[symbol].tradable) if symbol in loaded.universe else row
        for symbol, row in running.universe.items()
    }
    return replace(
        loaded,
        mode=running.mode,
        account=running.account,
        base_currency=running.base_currency,
        calendar=running.calendar,
        brokers=running.brokers,
        session=replace(loaded.session, day_rollover=running.session.day_rollover),
        health=replace(
            loaded.health, heartbeat_s=running.health.heartbeat_s, orders_read_s=running.health.orders_read_s
        ),
        paper=running.paper,
        capital=running.capital,
        ibkr=running.ibkr,
        daemon=running.daemon,
        universe=universe,
    )


def said(change: Change) -> str:
    """Write a change in one line: "risk.loss_day_max 2000 -> 5000 (loosens)"."""
    way = f" ({change.way})" if change.way in (TIGHTENS, LOOSENS) else ""
    return f"{change.field} {change.before or 'none'} -> {change.after or 'none'}{way}"


def written(value: object) -> str | None:
    """Write a setting as its file would."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _walk(before: object, after: object, path: str) -> Iterator[Change]:
    """Go down where two values differ; what is equal is not looked into."""
    if before == after:
        return
    if is_dataclass(before) and is_dataclass(after):
        for field in fields(after):
            yield from _walk(getattr(before, field.name), getattr(after, field.name), f"{path}{field.name}.")
    elif isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys((*before, *after)):
            yield from _walk(before.get(name), after.get(name), f"{path}{name}.")
    else:
        key = path[:-1]
        yield Change(key, _short(before), _short(after), way(key, before, after), waits(key))


def _short(value: object) -> str | None:
    """Give a value, of a whole section only that it is there."""
    return "there" if is_dataclass(value) else written(value)


def way(key: str, before: object, after: object) -> str:
    """Say which way a setting goes: tightens, loosens or neutral."""
    safer = next((DIRECTIONS[name] for name in patterns(key) if name in DIRECTIONS), None)
    if safer is None or before is None or after is None:
        return LOOSENS
    if safer is Safer.EITHER:
        return NEUTRAL
    rises = bool(after > before)  # type: ignore[operator]  # a setting keeps its type: both are numbers, or both bool
    return TIGHTENS if rises == (safer in (Safer.MORE, Safer.ON)) else LOOSENS


def waits(key: str) -> bool:
    """Say whether only a start puts this setting in force."""
    names = patterns(key)
    return not AT_START.isdisjoint(names) and names[1] != "universe.*.tradable"


def patterns(key: str) -> tuple[str, ...]:
    """Give the names under which a key may stand in a table, the nearest first; a symbol may hold dots itself."""
    section, _, _ = key.partition(".")
    _, _, last = key.rpartition(".")
    return (key, f"{section}.*.{last}", f"{section}.*")
