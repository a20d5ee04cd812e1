"""The past from brokers: days first, then the session's minutes, only the gap after a break, the missing by name."""

import asyncio
import os
from contextlib import asynccontextmanager, suppress

import pytest

from joed.daemon.backfill import BARS_MAX, DAILY, MINUTES, PAUSES_S, SETTLING_S, Backfill, sift
from joed.daemon.calendars import load_calendars
from joed.daemon.clock import SimulatedClock
from joed.daemon.log import Log
from joed.errors import BadMessage, BrokerUnavailable
from joed.model.feeds import BarsAsked, BarsFetched
from joed.model.settings import History, Instrument, Settings
from joed.model.state import Broker, State
from joed.model.values import DAY, HOUR, MINUTE, SECOND, Bar

OPEN = 1_788_269_400 * SECOND
"""2026-09-01, 09:30 in New York."""
UNIVERSE = {name: Instrument(name, "ibkr") for name in ("AAPL", "KO", "SPY", "VIX")} | {
    "GOLD": Instrument("GOLD", "cfd")
}


def bar(symbol="AAPL", at_ns=OPEN, price=10.0, **changes):
    """Give a bar that can be true."""
    values = {"open": price, "high": price + 1, "low": price - 1, "close": price, "volume": 5.0} | changes
    return Bar(symbol, at_ns, **values)


class Archive:
    """A broker with a past: whole minutes from the open until now, ten days; `fails` says of whom it has none, why."""

    streams = ()

    def __init__(self, clock, name="ibkr"):
        self.clock, self.name, self.asked, self.fails, self.none = clock, name, [], {}, set()

    async def daily(self, instrument, days):
        """Give ten days."""
        self._answer(instrument, DAILY)
        if instrument in self.none:
            return ()
        return tuple(bar(instrument, OPEN - back * DAY) for back in range(10, 0, -1))

    async def minutes(self, instrument, from_ns):
        """Give the whole minutes since then."""
        self._answer(instrument, MINUTES, from_ns)
        return tuple(bar(instrument, at) for at in range(from_ns, self.clock.now() - MINUTE + 1, MINUTE))

    def _answer(self, instrument, *words):
        self.asked.append((instrument, *words))
        if instrument in self.fails:
            raise self.fails[instrument]


class Pupil:
    """Notes what it is taught."""

    def __init__(self):
        self.days, self.minutes = {}, {}

    def daily(self, instrument, bars):
        """Note days."""
        self.days[instrument] = len(bars)

    def fill(self, bars):
        """Note minutes."""
        self.minutes.setdefault(bars[0].instrument, []).extend(one.at_ns for one in bars)


class Rig:
    """A backfill between a state, an archive and a pupil, on a clock that the test moves."""

    def __init__(self, folder, start_ns, **history):
        settings = Settings(universe=UNIVERSE, brokers=("ibkr",), history=History(**{"pace_s": 0.0} | history))
        self.state = State(settings=settings, calendars=load_calendars(("XNYS",), None))
        self.clock = SimulatedClock(start_ns)
        self.archive, self.pupil, self.events = Archive(self.clock), Pupil(), []
        self.path = folder / "log"
        self.log = Log("json", lambda: 0, descriptor=os.open(self.path, os.O_CREAT | os.O_WRONLY))
        self.backfill = Backfill(
            {"ibkr": self.archive, "paper": object()},
            self.state,
            clock=self.clock,
            worker=self.pupil,
            emit=self.events.append,
            log=self.log,
        )

    def link(self, connection, *, up=True):
        """Let the link be up or down."""
        broker = self.state.brokers.setdefault("ibkr", Broker("ibkr"))
        broker.up, broker.connection, broker.changed_ns = up, connection, self.clock.now()

    async def until(self, at_ns):
        """Let time pass to there, and each task have its turns."""
        while (due := self.clock.next_ns()) is not None and due <= at_ns:
            self.clock.advance()
            await self.turns()
        self.clock.call_at(at_ns, lambda: None)
        self.clock.advance()
        await self.turns()

    async def turns(self):
        """Let the tasks do what they can do now."""
        for _ in range(30):
            await asyncio.sleep(0)

    def told(self):
        """Give what was told, and forget it."""
        found, self.events[:] = list(self.events), []
        return found


@asynccontextmanager
async def running(folder, start_ns=OPEN + 10 * MINUTE + 20 * SECOND, **history):
    """Give a rig whose backfill runs."""
    rig = Rig(folder, start_ns, **history)
    task = asyncio.create_task(rig.backfill.run())
    await rig.turns()
    try:
        yield rig
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        rig.log.close()


async def test_days_come_first_and_minutes_once_the_linked_minute_is_over(tmp_path):
    """The index and VIX before the others; no half minute; another broker's names are not asked for."""
    async with running(tmp_path) as rig:
        rig.link(1)
        await rig.until(OPEN + 10 * MINUTE + 50 * SECOND)
        assert [name for name, *_ in rig.archive.asked] == ["SPY", "VIX", "AAPL", "KO"]
        assert rig.told() == [BarsAsked("ibkr", 4), BarsFetched("ibkr", DAILY, 4, 40)]

        await rig.until(OPEN + 11 * MINUTE + 10 * SECOND)
        assert rig.told() == [BarsFetched("ibkr", MINUTES, 4, 44)]
        assert rig.pupil.minutes["KO"] == [OPEN + minute * MINUTE for minute in range(11)]
        assert rig.pupil.days == dict.fromkeys(("SPY", "VIX", "AAPL", "KO"), 10)


async def test_before_the_open_no_minutes_are_asked_for_and_none_is_missing(tmp_path):
    """The session's own quotes will make them."""
    async with running(tmp_path, OPEN - HOUR) as rig:
        rig.link(1)
        await rig.until(OPEN - HOUR + 5 * MINUTE)

        assert {kind for _, kind, *_ in rig.archive.asked} == {DAILY}
        assert [type(event) for event in rig.told()] == [BarsAsked, BarsFetched]


async def test_after_a_break_only_the_gap_is_asked_for_again(tmp_path):
    """Days stay; minutes from the one in which the link was lost."""
    async with running(tmp_path) as rig:
        rig.link(1)
        await rig.until(OPEN + 20 * MINUTE + 30 * SECOND)
        rig.archive.asked.clear()
        rig.link(1, up=False)
        await rig.until(OPEN + 24 * MINUTE + 10 * SECOND)
        rig.link(2)
        await rig.until(OPEN + 26 * MINUTE)

        assert rig.archive.asked == [(name, MINUTES, OPEN + 20 * MINUTE) for name in ("SPY", "VIX", "AAPL", "KO")]


async def test_a_break_of_less_than_a_second_is_a_break(tmp_path):
    """Another number is another link, whether anybody saw it down."""
    async with running(tmp_path) as rig:
        rig.link(1)
        await rig.until(OPEN + 20 * MINUTE)
        rig.archive.asked.clear()
        rig.link(2)
        await rig.until(OPEN + 22 * MINUTE)

        assert rig.archive.asked[0] == ("SPY", MINUTES, OPEN + 20 * MINUTE)


async def test_what_does_not_come_is_named_and_tried_again_a_bounded_number_of_times(tmp_path):
    """One name's trouble is no other's; after the last try it stays missing, and is asked for no more."""
    async with running(tmp_path, OPEN - HOUR) as rig:
        rig.archive.fails["KO"] = BrokerUnavailable("no market data permission (162)")
        rig.link(1)
        await rig.until(OPEN - HOUR + 5 * SECOND)
        assert rig.told()[1:] == [
            BarsFetched("ibkr", DAILY, 3, 30, {"KO": "no market data permission (162)"}),
        ]

        await rig.until(OPEN - MINUTE)
        assert [name for name, *_ in rig.archive.asked].count("KO") == len(SETTLING_S) + 1 + len(PAUSES_S)
        assert rig.told() == []


async def test_an_empty_answer_is_an_answer_until_the_next_link(tmp_path):
    """Brokers punish the same question asked again; what they do not have they will not have in a minute."""
    async with running(tmp_path, OPEN - HOUR) as rig:
        rig.archive.none = {"KO"}
        rig.link(1)
        await rig.until(OPEN - 30 * MINUTE)
        assert [name for name, *_ in rig.archive.asked].count("KO") == 1
        assert rig.told()[1:] == [BarsFetched("ibkr", DAILY, 3, 30, {"KO": "it has none"})]

        rig.archive.none = set()
        rig.link(2)
        await rig.until(OPEN - 20 * MINUTE)
        assert rig.told() == [BarsFetched("ibkr", DAILY, 4, 40)]


async def test_a_new_link_is_given_a_moment_to_look_its_contracts_up(tmp_path):
    """What comes within seconds was never missing."""
    async with running(tmp_path, OPEN - HOUR) as rig:
        rig.archive.fails["KO"] = BrokerUnavailable("it has no contract yet")
        rig.link(1)
        await rig.until(OPEN - HOUR + SECOND // 2)
        del rig.archive.fails["KO"]
        await rig.until(OPEN - HOUR + MINUTE)

        assert rig.told() == [BarsAsked("ibkr", 4), BarsFetched("ibkr", DAILY, 4, 40)]


async def test_a_name_that_comes_late_is_told(tmp_path):
    """The missing one is taken in at the next try, and nothing is missing any more."""
    async with running(tmp_path, OPEN - HOUR) as rig:
        rig.archive.fails["KO"] = BadMessage("a bar without a close")
        rig.link(1)
        await rig.until(OPEN - HOUR + 5 * SECOND)
        rig.told()
        del rig.archive.fails["KO"]
        await rig.until(OPEN - HOUR + 2 * MINUTE)

        assert rig.told() == [BarsFetched("ibkr", DAILY, 4, 40)]


async def test_an_answer_that_never_comes_is_given_up(tmp_path):
    """Each wait has an end."""
    async with running(tmp_path, OPEN - HOUR, wait_s=0.001) as rig:
        rig.archive.daily = lambda instrument, days: asyncio.Event().wait()
        rig.link(1)
        async with asyncio.timeout(10):
            while len(rig.events) < 2:
                await asyncio.sleep(0.001)  # real time: each wait is a millisecond
                await rig.until(rig.clock.now() + SECOND)

        assert set(rig.events[1].missing.values()) == {"no answer within 0.001 s"}


async def test_the_next_session_is_fetched_anew(tmp_path):
    """A daemon that stays overnight knows the day that ended."""
    async with running(tmp_path, OPEN + 10 * HOUR + 20 * MINUTE) as rig:
        rig.link(1)
        await rig.until(OPEN + 10 * HOUR + 25 * MINUTE)
        rig.archive.asked.clear()
        await rig.until(OPEN + 10 * HOUR + 31 * MINUTE)

        assert [(name, kind) for name, kind, *_ in rig.archive.asked][:1] == [("SPY", DAILY)]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"symbol": "KO"}, "no_symbol"),
        ({"close": float("nan")}, "nan"),
        ({"volume": float("inf")}, "nan"),
        ({"low": 0.0}, "negative"),
        ({"volume": -1.0}, "negative"),
        ({"high": 9.0}, "crossed"),
        ({"low": 10.5}, "crossed"),
        ({"at_ns": OPEN}, "unsorted"),
        ({"at_ns": OPEN + HOUR + 1}, "future"),
    ],
)
def test_a_bar_that_cannot_be_is_counted_and_left_out(changes, reason):
    """Nothing else is lost with it, and nothing is mended."""
    good, later = bar(), bar(at_ns=OPEN + HOUR)
    bad = bar(**{"at_ns": OPEN + MINUTE} | changes)

    assert sift("AAPL", (good, bad, later), OPEN + HOUR) == ([good, later], {reason: 1})


def test_an_answer_without_end_is_cut():
    """A broker that sends a million bars costs no more than a day of them."""
    bars = [bar(at_ns=OPEN + number) for number in range(BARS_MAX + 7)]

    kept, rejected = sift("AAPL", bars, OPEN + HOUR)

    assert (len(kept), rejected) == (BARS_MAX, {"too_many": 7})


def test_history_needs_a_worker_that_takes_it(tmp_path):
    """A daemon put together wrongly does not start, rather than trade without a past."""
    with pytest.raises(AssertionError, match="takes it"):
        Backfill(
            {"ibkr": Archive(SimulatedClock(0))}, State(), clock=SimulatedClock(0), worker=None, emit=None, log=None
        )
