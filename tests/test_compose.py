"""What each mode is made of."""

import asyncio
import os
import subprocess
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest

from joed import compose
from joed.brokers.paper import PaperBroker
from joed.brokers.paper_remote import RemotePaperBroker, read_hello
from joed.brokers.paper_store import PaperStore
from joed.daemon.clock import RealClock, SimulatedClock, utc_ns
from joed.daemon.inline import InlineJobs
from joed.daemon.places import places
from joed.daemon.store import Store
from joed.daemon.worker import Worker
from joed.errors import BrokerUnavailable, ConfigError
from joed.market.day import DEMO_DATE_NS, day_at
from joed.model.settings import Settings
from joed.model.values import HOUR, SECOND, Mode
from tests.daemon.records import SESSION, fill
from tests.demos import ROOT, alive, quiet

DAY = day_at(7, compose.calendars_for(Settings(), None)["XNYS"])
LIVE = Settings(mode=Mode.LIVE)


@pytest.fixture
def where(tmp_path):
    """Give a state directory."""
    made = places(tmp_path / "s")
    made.make()
    return made


def choices_of(where, **more):
    """Give choices for the demo's first day."""
    settings = replace(Settings(), universe={})
    calendars = compose.calendars_for(settings, None)
    origin_ns = DAY.open_ns - HOUR
    return compose.Choices(settings, calendars, where, DAY, **{"speed": 60.0, "origin_ns": origin_ns, **more})


def options(**more):
    """Give the options of a command line."""
    common = {"broker": None, "confirm": None, "clock": None, "seed": None, "exchange": "inline", "config": None}
    return Namespace(**common | more)


@pytest.mark.parametrize(
    ("text", "origin_s", "speed"),
    [
        ("2026-09-01T13:20:00Z@60", 1_788_268_800, 60.0),
        ("2026-09-01T09:20:00-04:00", 1_788_268_800, 1.0),
        ("2026-09-01T13:20:00Z@max", 1_788_268_800, None),
    ],
)
def test_a_clock_is_read_with_its_zone_and_its_speed(text, origin_s, speed):
    """Speed 1 where none is named; max is as fast as it goes."""
    assert compose.clock_of(text, Settings()) == (origin_s * SECOND, speed)


@pytest.mark.parametrize("text", ["2026-09-01T13:20:00@60", "soon@60", "2026-09-01T13:20:00Z@-1", "@", "x@max"])
def test_a_clock_that_is_none_is_refused(text):
    """Without a zone nobody knows when; backwards goes nobody."""
    with pytest.raises(ConfigError, match="--clock"):
        compose.clock_of(text, Settings())


def test_time_is_never_made_up_for_real_money():
    """Nor is a person's signature."""
    with pytest.raises(ConfigError, match="live"):
        compose.clock_of("2026-09-01T13:20:00Z@60", LIVE)
    with pytest.raises(ConfigError, match="live"):
        compose.live_choices(options(confirm="auto"), LIVE, None, None)


def test_without_a_clock_time_is_the_walls(where):
    """Then a wall clock that is set is news."""
    choices = compose.live_choices(options(), Settings(), None, where)

    assert abs(choices.origin_ns - utc_ns()) < 5 * SECOND
    assert (choices.speed, choices.wall_time, choices.confirm, choices.day.seed) == (1.0, True, "manual", 1)
    assert "KO" in choices.settings.universe


def test_a_broker_that_this_joed_does_not_know_is_refused(where):
    """By its name."""
    with pytest.raises(ConfigError, match="ibkr"):
        compose.live_choices(options(), Settings(brokers=("ibkr",)), None, where)


def test_the_codes_digest_is_the_same_each_time():
    """It names the source that decided."""
    assert compose.code_digest() == compose.code_digest()
    assert len(compose.code_digest()) == 16


def test_the_newest_time_is_the_records_or_the_exchanges(where):
    """A killed joed's exchange went on: its time counts too."""
    assert compose.newest_ns(where) == 0

    store = Store.open(where.journal)
    store.add(1, 500, SESSION, fill(1), [])
    store.commit()
    store.close()
    assert compose.newest_ns(where) == 500

    book = PaperStore(where.paper)
    book._base.execute("INSERT INTO log (at_ns, data) VALUES (700, '{}')")
    book.close()
    assert compose.newest_ns(where) == 700


def test_what_is_no_database_has_no_time(where):
    """Whoever opens it will say what is wrong with it."""
    where.journal.write_bytes(b"no database, and longer than a header of one" * 100)

    assert compose.newest_ns(where) == 0


def test_an_exchange_inside_goes_on_where_the_record_ends(where):
    """Or begins at the origin; at full speed time is simulated, and the worker thinks at once."""
    choices = choices_of(where, speed=None)
    plan = compose.paper_plan(choices)

    clock = plan.clock(0)
    worker, works = plan.worker(clock, where.root)

    assert isinstance(clock, SimulatedClock)
    assert clock.now() == choices.origin_ns
    assert plan.clock(choices.origin_ns + HOUR).now() == choices.origin_ns + HOUR
    assert isinstance(worker, InlineJobs)
    assert works == []


async def test_an_exchange_inside_plays_the_market(where):
    """Its quotes come through its broker, once the market has been prepared."""
    plan = compose.paper_plan(choices_of(where, speed=None))
    clock, heard = plan.clock(0), []
    plan.prepare()
    brokers = plan.connect(clock, heard.append)
    assert isinstance(brokers["paper"], PaperBroker)

    brokers["paper"].start()
    plan.feed(clock, brokers)
    while len(heard) < 10:
        assert clock.advance()

    brokers["paper"].stop()
    assert {type(event).__name__ for event in heard} == {"BrokerUp", "Quote"}


async def test_in_real_time_the_worker_is_a_process_of_its_own(where):
    """It is told which day it thinks about."""
    plan = compose.paper_plan(choices_of(where, speed=60.0))
    clock = plan.clock(0)

    worker, works = plan.worker(clock, where.root)

    assert isinstance(clock, RealClock)
    assert isinstance(worker, Worker)
    assert "joed.market.thinker" in worker._arguments
    assert len(works) == 1


def test_an_exchange_beside_is_started_once_found_again_and_ended(where, tmp_path):
    """Its time is taken over; a kill of joed leaves it alive."""
    choices = choices_of(where, exchange="process", config=quiet(tmp_path))
    plan = compose.paper_plan(choices)
    try:
        clock = plan.clock(0)
        hello = read_hello(where.exchange)
        again = compose.find_or_start(choices, choices.origin_ns, 60.0)

        assert (clock.origin_ns, clock.speed, clock.base_ns) == (hello.origin_ns, 60.0, hello.base_ns)
        assert again.pid == hello.pid
        assert alive(hello.pid)
        assert isinstance(plan.connect(clock, print)["paper"], RemotePaperBroker)
    finally:
        compose.end_venue(where)
    with pytest.raises(BrokerUnavailable):
        read_hello(where.exchange)
    compose.end_venue(where)


def test_an_exchange_left_over_from_an_earlier_day_makes_room(where, tmp_path):
    """Its clock is behind our day's beginning."""
    choices = choices_of(where, exchange="process", config=quiet(tmp_path))
    try:
        old = compose.find_or_start(choices, choices.origin_ns, 60.0)
        later = replace(choices, origin_ns=choices.origin_ns + 24 * HOUR)
        new = compose.find_or_start(later, later.origin_ns, 60.0)

        assert old.pid != new.pid
        assert new.now_ns >= later.origin_ns
    finally:
        compose.end_venue(where)


def test_an_exchange_that_cannot_start_is_no_broker(where, monkeypatch):
    """Whoever waits for it hears why, in bounded time."""
    monkeypatch.setattr(compose, "VENUE_WAIT_S", 5.0)
    choices = choices_of(where, exchange="process", config=where.root / "absent.yaml")

    with pytest.raises(BrokerUnavailable, match=r"exchange\.log"):
        compose.find_or_start(choices, choices.origin_ns, 60.0)
    assert "absent.yaml" in (where.root / compose.VENUE_LOG).read_text()


def test_an_exchange_beside_needs_a_speed(where):
    """As fast as it goes is no speed that two processes could share."""
    with pytest.raises(ConfigError, match="--speed"):
        compose.paper_plan(choices_of(where, exchange="process", speed=None))


def test_a_daemon_whose_exchange_lives_elsewhere_has_no_numpy():
    """That memory is the exchange's and the worker's."""
    code = (
        "import sys, joed.modes, joed.demo, joed.compose, joed.daemon.showing; "
        "sys.exit(any(name in sys.modules for name in ('numpy', 'joed.market.embedded')))"
    )

    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)

    assert done.returncode == 0
    assert asyncio.iscoroutinefunction(RemotePaperBroker.run)
    assert DAY.open_ns > DEMO_DATE_NS


def test_a_path_that_no_socket_can_have_is_refused_with_what_to_do():
    """108 bytes are all there is for it, the zero at the end included (unix(7))."""
    compose.refuse_long(Path("/" + "d" * 106))

    with pytest.raises(ConfigError, match="take a shorter --state-dir"):
        compose.refuse_long(Path("/" + "d" * 107))
