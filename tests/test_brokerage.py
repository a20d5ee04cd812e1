"""A run at real brokers: who trades what where, and what is refused before anything connects."""

from dataclasses import replace

import pytest

from joed.brokerage import assigned, checked, is_real, real_plan, reload_of
from joed.daemon.clock import RealClock, utc_ns
from joed.daemon.credentials import Secrets
from joed.daemon.places import places
from joed.daemon.worker import Worker
from joed.errors import ConfigError
from joed.model.settings import Instrument, Settings
from joed.model.values import SECOND, Mode
from tests.test_compose import options

NONE = Secrets(None)


def settings_of(brokers=("ibkr",), **rows):
    """Give settings with SPY and VIX, and what else there is: a name and its broker."""
    named = {"SPY": brokers[0], "VIX": brokers[0], **rows}
    universe = {name: Instrument(name, broker, tradable=name not in ("SPY", "VIX")) for name, broker in named.items()}
    return Settings(brokers=brokers, universe=universe)


def homes(settings):
    """Give where each instrument trades."""
    return {name: row.broker for name, row in settings.universe.items()}


def test_a_row_that_names_no_broker_belongs_to_the_only_one_there_is():
    """A universe written for paper trades at the broker that --broker names, as it is."""
    settings = settings_of(("capital",), KO="paper", SPY="paper", VIX="paper")

    assert homes(assigned(settings)) == {"SPY": "capital", "VIX": "capital", "KO": "capital"}
    assert is_real(settings)
    assert not is_real(Settings())


def test_with_several_brokers_each_row_says_where_it_trades():
    """Nobody guesses; the row is named."""
    settings = settings_of(("ibkr", "capital"), KO="ibkr", GOLD="capital")
    assert homes(assigned(settings)) == {"SPY": "ibkr", "VIX": "ibkr", "KO": "ibkr", "GOLD": "capital"}

    with pytest.raises(ConfigError, match=r"universe\.KO: say at which broker it trades, with several: ibkr, capital"):
        assigned(settings_of(("ibkr", "capital"), KO="paper"))


def test_what_trades_at_a_broker_that_is_not_used_is_left_out():
    """--broker ibkr trades what is ibkr's."""
    assert "GOLD" not in assigned(settings_of(("ibkr",), KO="ibkr", GOLD="capital")).universe


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (settings_of(("ibkr", "paper"), KO="ibkr"), "stands alone"),
        (settings_of(("elsewhere",), KO="elsewhere"), "'elsewhere' is not known"),
        (settings_of(("ibkr",)), "nothing to trade at ibkr"),
        (settings_of(("ibkr",), KO="ibkr", VIX="capital"), "vix.instrument is VIX"),
        (settings_of(("ibkr",), KO="ibkr", SPY="capital"), "index is SPY"),
        (replace(settings_of(("ibkr",), KO="ibkr"), mode=Mode.LIVE), "`account` must name the account"),
    ],
)
def test_what_cannot_be_traded_is_refused_before_anything_connects(settings, said):
    """A configuration's fault is told with its key; 78, and no order."""
    with pytest.raises(ConfigError, match=said):
        checked(settings, NONE)


def test_where_nothing_measures_fear_no_name_of_it_is_asked_for():
    """An empty vix.instrument watches nothing: a broker that lists no such index can be traded at all the same."""
    settings = settings_of(("capital",), GOLD="capital")
    del settings.universe["VIX"]

    fearless = replace(settings, vix=replace(settings.vix, instrument=""))

    assert homes(assigned(fearless)) == {"SPY": "capital", "GOLD": "capital"}


def test_with_several_brokers_the_accounts_are_named_one_for_each():
    """In the order of the brokers; two names for three brokers are nobody's."""
    settings = replace(settings_of(("ibkr", "capital"), KO="ibkr", GOLD="capital"), account="DU1")

    with pytest.raises(
        ConfigError, match=r"account names 1: name one for each broker, in their order \(ibkr, capital\)"
    ):
        checked(settings, NONE)


def test_live_mode_is_for_real_brokers(tmp_path):
    """With the account named; a signature is a person's."""
    live = replace(settings_of(KO="ibkr"), mode=Mode.LIVE, account="U1234567")
    where = places(tmp_path / "s")
    where.make()

    plan = real_plan(options(), live, None, where, NONE)
    assert (plan.settings.mode, plan.auto_confirm, plan.streams) == (Mode.LIVE, False, True)
    for more, said in (({"confirm": "auto"}, "--confirm auto"), ({"clock": "2026-09-01T13:20:00Z@60"}, "--clock")):
        with pytest.raises(ConfigError, match=said):
            real_plan(options(**more), live, None, where, NONE)


def test_a_broker_lives_in_real_time_at_whatever_speed(tmp_path):
    """An accelerated clock is for a fake that plays a day; as fast as it goes is no time that two processes share."""
    where = places(tmp_path / "s")
    where.make()
    settings = settings_of(KO="ibkr")

    wall = real_plan(options(), settings, None, where, NONE)
    fast = real_plan(options(clock="2026-09-01T13:20:00Z@60"), settings, None, where, NONE)

    assert wall.wall_time
    assert not fast.wall_time
    assert abs(wall.clock(0).now() - utc_ns()) < 5 * SECOND
    clock = fast.clock(0)
    assert (type(clock), clock.speed, clock.origin_ns) == (RealClock, 60.0, 1_788_268_800 * SECOND)
    with pytest.raises(ConfigError, match="a speed that is a number"):
        real_plan(options(clock="2026-09-01T13:20:00Z@max"), settings, None, where, NONE)


def test_two_processes_can_share_a_clock(tmp_path):
    """The boot time of the origin is named: a fake broker and joed agree to the nanosecond, also after a restart."""
    where = places(tmp_path / "s")
    where.make()
    settings = settings_of(KO="ibkr")
    plan = real_plan(options(clock="2026-09-01T13:20:00Z@60@12345"), settings, None, where, NONE)

    clock = plan.clock(1_788_268_900 * SECOND)

    assert (clock.origin_ns, clock.speed, clock.base_ns) == (1_788_268_800 * SECOND, 60.0, 12345)
    with pytest.raises(ConfigError, match="a boot time in ns"):
        real_plan(options(clock="2026-09-01T13:20:00Z@60@soon"), settings, None, where, NONE)


async def test_the_worker_thinks_with_what_brokers_tell_and_nothing_embedded(tmp_path):
    """The plain worker, a process of its own."""
    where = places(tmp_path / "s")
    where.make()
    plan = real_plan(options(), settings_of(KO="ibkr"), None, where, NONE)

    worker, works = plan.worker(plan.clock(0), where.root)

    assert isinstance(worker, Worker)
    assert "joed.daemon.worker_main" in worker._arguments
    assert len(works) == 1


def test_a_reload_assigns_as_the_start_did():
    """What only a start puts in force stays, and is told."""
    running = assigned(settings_of(KO="ibkr"))
    wanted = replace(settings_of(KO="paper"), fill_timeout_s=7.0)

    loaded = reload_of(lambda: (wanted, None))(running)

    assert homes(loaded.settings) == homes(running)
    assert loaded.settings.fill_timeout_s == 7.0
