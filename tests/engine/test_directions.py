"""Which way a change of settings goes."""

from dataclasses import fields, is_dataclass, replace
from decimal import Decimal

import pytest

from joed.engine.directions import (
    AT_START,
    DIRECTIONS,
    LOOSENS,
    NEUTRAL,
    TIGHTENS,
    differences,
    in_force,
    loosening,
    patterns,
    said,
    waits,
    way,
)
from joed.model.card import Change
from joed.model.settings import Breakout, Instrument, Risk, Settings, Strategies
from joed.model.values import Mode

BASE = Settings(universe={"AAPL": Instrument("AAPL"), "BRK.B": Instrument("BRK.B")})


def keys_of(value, path=""):
    """Give every dotted key of the settings with its value."""
    if is_dataclass(value):
        for field in fields(value):
            yield from keys_of(getattr(value, field.name), f"{path}{field.name}.")
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from keys_of(inner, f"{path}{name}.")
    else:
        yield path[:-1], value


KEYS = dict(keys_of(BASE))


def test_each_row_of_the_tables_names_a_setting_that_there_is():
    """A row that outlived its setting would be believed to guard something."""
    named = {name for key in KEYS for name in patterns(key)}

    assert set(DIRECTIONS) | AT_START <= named


@pytest.mark.parametrize(
    ("key", "before", "after", "expected"),
    [
        ("risk.loss_day_max", Decimal(2000), Decimal(1999), TIGHTENS),
        ("risk.loss_day_max", Decimal(2000), Decimal(2001), LOOSENS),
        ("eod.entries_until_s", 1800.0, 1801.0, TIGHTENS),
        ("eod.entries_until_s", 1800.0, 1799.0, LOOSENS),
        ("risk.allow_short", False, True, LOOSENS),
        ("risk.allow_short", True, False, TIGHTENS),
        ("confirm.require_distinct_uid", True, False, LOOSENS),
        ("confirm.require_distinct_uid", False, True, TIGHTENS),
        ("strategies.breakout.enabled", True, False, TIGHTENS),
        ("strategies.breakout.enabled", False, True, LOOSENS),
        ("strategies.breakout.stop_atr", 2.5, 2.0, LOOSENS),
        ("strategies.breakout.stop_atr", 2.5, 3.0, LOOSENS),
        ("jobs.scan_s", 1800.0, 60.0, NEUTRAL),
        ("jobs.watchlist_size", 12, 13, LOOSENS),
        ("universe.BRK.B.tradable", True, False, TIGHTENS),
        ("universe.BRK.B.lot", Decimal(1), Decimal(2), LOOSENS),
        ("a.key.of.tomorrow", 1, 2, LOOSENS),
        ("risk.loss_day_max", None, Decimal(1), LOOSENS),
    ],
)
def test_a_change_tightens_only_where_the_table_says_so(key, before, after, expected):
    """Both sides of each kind; what no row names is taken for a risk whichever way it goes."""
    assert way(key, before, after) == expected


def test_every_limit_of_the_gate_has_its_direction():
    """A new limit that nobody classified is safe (it voids), and shows here."""
    unnamed = [key for key in KEYS if key.startswith(("risk.", "protection.", "eod.")) and DIRECTIONS.get(key) is None]

    assert unnamed == []


def test_settings_differ_key_by_key_and_what_is_equal_is_not_told():
    """A person sees `risk.loss_day_max 2000 -> 5000`."""
    after = replace(
        BASE,
        risk=Risk(loss_day_max=Decimal(5000)),
        strategies=Strategies(breakout=Breakout(regimes=("bull",))),
        universe={"AAPL": Instrument("AAPL", tradable=False), "KO": Instrument("KO")},
    )

    found = differences(BASE, after)

    assert differences(BASE, BASE) == ()
    assert found == (
        Change("risk.loss_day_max", "2000", "5000", LOOSENS),
        Change("strategies.breakout.regimes", "[bull, neutral]", "[bull]", LOOSENS),
        Change("universe.AAPL.tradable", "true", "false", TIGHTENS),
        Change("universe.BRK.B", "there", None, LOOSENS, restart=True),
        Change("universe.KO", None, "there", LOOSENS, restart=True),
    )
    assert said(found[0]) == "risk.loss_day_max 2000 -> 5000 (loosens)"
    assert said(found[4]) == "universe.KO none -> there (loosens)"
    assert [change.field for change in loosening(found)] == [found[0].field, *(c.field for c in (found[1], *found[3:]))]


def test_a_reload_puts_in_force_everything_but_what_only_a_start_changes():
    """Mode, account and broker above all; what is left as it was is exactly what is named as waiting."""
    after = replace(
        BASE,
        mode=Mode.LIVE,
        account="U1",
        brokers=("ibkr",),
        base_currency="EUR",
        calendar="FX_24X5",
        session=replace(BASE.session, day_rollover="18:00", lead_s=60.0),
        health=replace(BASE.health, heartbeat_s=1.0, orders_read_s=1.0, queue_backlog=5),
        paper=replace(BASE.paper, cash=Decimal(1)),
        daemon=replace(BASE.daemon, metrics_port=1),
        risk=Risk(loss_day_max=Decimal(1)),
        universe={"AAPL": Instrument("AAPL", lot=Decimal(10), tradable=False), "KO": Instrument("KO")},
    )

    applied = in_force(BASE, after)

    assert [change.field for change in differences(BASE, applied)] == [
        *("session.lead_s", "risk.loss_day_max", "health.queue_backlog", "universe.AAPL.tradable"),
    ]
    assert all(change.restart for change in differences(applied, after))
    assert not any(change.restart for change in differences(BASE, applied))


def test_the_table_and_the_hand_that_holds_back_agree_for_every_key():
    """A key that `waits` names and `in_force` would let through changes under a running daemon, or the other way."""
    for key, value in KEYS.items():
        if key.endswith(".symbol"):
            continue  # the key above it: never set by itself
        other = replaced(BASE, key.replace("BRK.B", "BRK_B").split("."), changed(value))
        moved = [change.field for change in differences(BASE, in_force(BASE, other))]
        assert bool(moved) != waits(key), key


def replaced(value, path, new):
    """Give settings with one key set anew."""
    if not path:
        return new
    name, *rest = path
    if isinstance(value, dict):
        name = name.replace("_", ".")
        return {**value, name: replaced(value[name], rest, new)}
    return replace(value, **{name: replaced(getattr(value, name), rest, new)})


def changed(value):
    """Give another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, Mode):
        return Mode.LIVE
    if isinstance(value, str):
        return f"{value}x"
    return (*value, "x") if isinstance(value, tuple) else value + 1
