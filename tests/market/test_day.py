"""Which day the embedded market plays, and with which settings."""

import subprocess
import sys
from dataclasses import replace

import pytest

from joed.daemon.calendars import load_calendars
from joed.daemon.clock import SimulatedClock
from joed.market.day import AFTER_CLOSE_S, DEMO_DATE_NS, LEAD_S, Day, day_at, demo_settings, plan_halts, thinker
from joed.market.listings import LISTINGS
from joed.model.settings import EndOfDay, Settings
from joed.model.values import HOUR, MINUTE, SECOND, Mode

CALENDAR = load_calendars(("XNYS",))["XNYS"]
FIRST = day_at(7, CALENDAR)


def test_the_first_day_is_the_same_for_everybody():
    """1 September 2026, half past nine to four in New York."""
    assert Day(7, "2026-09-01", 1_788_269_400 * SECOND, 1_788_292_800 * SECOND) == FIRST
    assert FIRST.open_ns > DEMO_DATE_NS


@pytest.mark.parametrize(
    ("after_close_ns", "session"),
    [(-1, "2026-09-01"), (int(AFTER_CLOSE_S * SECOND) - 1, "2026-09-01"), (int(AFTER_CLOSE_S * SECOND), "2026-09-02")],
)
def test_a_day_is_over_so_long_after_its_close(after_close_ns, session):
    """Then the next session is the day; until then there is still something to do."""
    assert day_at(7, CALENDAR, FIRST.close_ns + after_close_ns, after_s=AFTER_CLOSE_S).session == session


def test_a_real_day_lasts_until_the_end_of_its_after_hours():
    """Without `after_s` the calendar says."""
    assert day_at(7, CALENDAR, FIRST.close_ns + HOUR).session == "2026-09-01"
    assert day_at(7, CALENDAR, FIRST.close_ns + 5 * HOUR).session == "2026-09-02"


def test_the_day_after_a_friday_is_a_monday_and_no_holiday():
    """4 September 2026 is a Friday, the Monday after it Labor Day."""
    friday = FIRST.close_ns + 3 * 24 * HOUR

    assert day_at(7, CALENDAR, friday + HOUR, after_s=AFTER_CLOSE_S).session == "2026-09-08"


def test_a_demo_ends_flat_unless_the_settings_speak_of_the_end_of_day():
    """What somebody has set stays as it was set."""
    assert demo_settings(Settings()).eod.close_positions
    own = EndOfDay(at_s=600.0)
    assert demo_settings(replace(Settings(), eod=own)).eod == own


def test_a_demo_is_paper_and_trades_the_embedded_names():
    """Whatever the file says; its day begins and ends close to the market's."""
    settings = demo_settings(replace(Settings(), mode=Mode.LIVE))

    assert settings.mode is Mode.PAPER
    assert [row.symbol for row in settings.universe.values() if row.tradable] == [row.symbol for row in LISTINGS]
    assert (settings.session.lead_s, settings.session.after_close_s) == (LEAD_S, AFTER_CLOSE_S)


def test_a_halt_begins_and_ends_at_its_times():
    """At the exchange, by the day's clock."""
    clock, heard = SimulatedClock(0), []

    class Exchange:
        """Notes its halts."""

        def halt(self, instrument, *, halted):
            """Note one."""
            heard.append((clock.now(), instrument, halted))

    plan_halts(clock, [("KO", 3 * MINUTE, 8 * MINUTE)], Exchange())
    while clock.advance():
        pass

    assert heard == [(3 * MINUTE, "KO", True), (8 * MINUTE, "KO", False)]


def test_the_days_settings_need_no_numpy():
    """A daemon whose exchange lives elsewhere keeps that memory for itself."""
    code = "import sys, joed.market.day; sys.exit('numpy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_thinker_is_told_its_day():
    """The words that its process is started with."""
    assert thinker(Day(7, "2026-09-01", 1, 2)) == ("-P", "-m", "joed.market.thinker", "7", "2026-09-01", "1", "2")
