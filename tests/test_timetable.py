"""joed.timetable: what people are told of market hours, a day that they close, and timers for any market."""

import datetime as dt
import json
import os
import subprocess
import sys

import exchange_calendars
import pytest
from prometheus_client.parser import text_string_to_metric_families

from joed.daemon.calendars import load_calendars, load_table
from joed.daemon.store import Store
from joed.engine.sessions import session_on
from joed.errors import ConfigError
from joed.model.events import FailsafeRan
from joed.model.settings import Session
from joed.model.values import HOUR, MINUTE, SECOND
from joed.timetable import close_day, exposition, failsafe_ns, main, table, timers, words
from tests.packaging.test_units import values

YEAR = 2027
OPEN = "joed-open.timer.d/50-calendar.conf"
CLOSE = "joed-close.timer.d/50-calendar.conf"


def ns(text):
    """Give an instant in ns."""
    return int(dt.datetime.fromisoformat(text).timestamp()) * SECOND


def elapses(text):
    """Give each instant of a year at which the timer of a drop-in rings, as systemd itself counts them."""
    when = text.strip().rpartition("OnCalendar=")[2]
    asked = ["systemd-analyze", "calendar", "--iterations=270", f"--base-time={YEAR}-01-01 00:00:00 UTC", when]
    out = subprocess.run(
        asked, capture_output=True, text=True, check=True, env={"TZ": "UTC", "PATH": "/usr/bin"}
    ).stdout
    stamps = [line.split(": ", 1)[1] for line in out.splitlines() if "elapse:" in line or "Iter. #" in line]
    return [dt.datetime.strptime(stamp, "%a %Y-%m-%d %H:%M:%S UTC").replace(tzinfo=dt.UTC) for stamp in stamps]


@pytest.mark.needs_systemd
@pytest.mark.filterwarnings("ignore:Series.values:DeprecationWarning")  # between that library and its own
@pytest.mark.parametrize("name", ["XNYS", "XLON", "XETR"])
def test_timers_of_an_exchange_ring_ahead_of_each_session_of_a_year_and_after_it(name):
    """Against exchange_calendars, over both changes of the clock: 65 minutes ahead of each open, after each close."""
    made, lead = timers(load_table(name), Session()), dt.timedelta(seconds=Session().lead_s)
    opens, closes = set(elapses(made[OPEN])), elapses(made[CLOSE])
    theirs = exchange_calendars.get_calendar(name, start=f"{YEAR}-01-01", end=f"{YEAR}-12-31")

    assert len(theirs.opens) > 240
    assert [day for day in theirs.opens if day.to_pydatetime() - lead not in opens] == []
    for opened, closed in zip(theirs.opens, theirs.closes, strict=True):
        rings = [at for at in closes if opened <= at <= opened + dt.timedelta(hours=23)]
        assert len(rings) == 1
        assert rings[0] > closed


@pytest.mark.needs_systemd
def test_currencies_are_started_before_the_week_and_ended_after_it():
    """Sunday 15:55 to Friday 17:10 in New York; the days between have no end."""
    made = timers(load_table("FX_24X5"), Session())
    assert {at.strftime("%a") for at in elapses(made[CLOSE])} == {"Fri"}
    assert made[OPEN].endswith("OnCalendar=Sun..Thu *-*-* 15:55:00 America/New_York\n")
    assert made[CLOSE].endswith("OnCalendar=Fri *-*-* 17:10:00 America/New_York\n")


def test_for_new_york_the_timers_are_the_ones_that_are_shipped():
    """One rule made both."""
    made = timers(load_table("XNYS"), Session())
    assert [made[name].strip().rpartition("OnCalendar=")[2] for name in (OPEN, CLOSE)] == [
        *values("joed-open.timer", "OnCalendar"),
        *values("joed-close.timer", "OnCalendar"),
    ]


def test_a_market_that_never_closes_has_no_timers():
    """It is told what to do instead."""
    with pytest.raises(ConfigError, match=r"enable joed\.service itself"):
        timers(load_table("CRYPTO_24X7"), Session())


def test_the_days_ahead_are_told_with_their_source_and_age():
    """Thanksgiving is closed and named, the Friday after ends at 13:00, weekends go without saying."""
    found = table(load_table("XNYS"), ns("2026-11-25T12:00Z"), 4)

    assert [(day["date"], day["close"][11:16], day["early"], day["closed"]) for day in found["days"]] == [
        ("2026-11-25", "16:00", False, ""),
        ("2026-11-26", "", False, "holiday"),
        ("2026-11-27", "13:00", True, ""),
        ("2026-11-30", "16:00", False, ""),
    ]
    said = words(found)
    assert "exchange_calendars" in said.splitlines()[0]
    assert f"{found['days_left']} days left  fresh" in said
    assert "Thu 26 Nov 2026  closed: holiday" in said
    assert "Fri 27 Nov 2026  09:30 to 13:00 EST, closes early" in said


def test_beyond_its_table_a_calendar_says_that_it_guesses():
    """An expired table knows weekdays only."""
    calendar = load_table("XNYS")
    last = calendar.valid_until
    found = table(calendar, ns(f"{last}T12:00Z") + 40 * 24 * HOUR + MINUTE, 1)
    assert (found["state"], found["days"][0]["guessed"]) == ("expired", True)
    assert "guessed" in words(found)


def test_a_day_that_is_closed_by_hand_has_no_session_any_more(tmp_path):
    """A second day joins the first; both are read as any other override, with their reasons."""
    folder, first, second = tmp_path / "calendar.d", dt.date(2027, 1, 13), dt.date(2027, 1, 8)
    for date, reason in ((first, 'a "mourning" # day'), (second, "")):
        close_day(folder, load_calendars(["XNYS"], folder)["XNYS"], date, reason)

    calendar = load_calendars(["XNYS"], folder)["XNYS"]

    assert [session_on(calendar, date) for date in (first, second)] == [None, None]
    assert session_on(calendar, dt.date(2027, 1, 14))
    assert {str(day.date): day.reason for day in calendar.overrides} == {
        "2027-01-08": "closed by hand",
        "2027-01-13": 'a "mourning" # day',
    }
    assert [file.name for file in folder.iterdir()] == ["by-hand-xnys.yaml"]


@pytest.mark.parametrize(
    ("date", "said"), [("2027-01-09", "weekend"), ("2027-01-01", "holiday"), ("2027-01-13", "already")]
)
def test_a_close_that_says_nothing_or_contradicts_is_refused_and_writes_nothing(tmp_path, date, said):
    """A day without a session, and one that another file speaks of."""
    (tmp_path / "mine.yaml").write_text('calendar: XNYS\nhours:\n  2027-01-13: {close: "13:00"}\n')
    calendar = load_calendars(["XNYS"], tmp_path)["XNYS"]

    with pytest.raises(ConfigError, match=said):
        close_day(tmp_path, calendar, dt.date.fromisoformat(date), "")

    assert [file.name for file in tmp_path.iterdir()] == ["mine.yaml"]


def test_the_program_answers_in_words_or_json_and_refuses_in_words(tmp_path, capsys):
    """Exit 0 and data on stdout; exit 1 and the reason on stderr."""
    config = ("--config", str(tmp_path / "joed.yaml"))
    assert main(["show", *config]) == 1  # a file that was named is not made up
    assert "No such file" in capsys.readouterr().err
    (tmp_path / "joed.yaml").touch()

    assert main(["show", "--days", "1", "--json", *config]) == 0
    [found] = json.loads(capsys.readouterr().out)["calendars"]
    assert (found["name"], len(found["days"])) == ("XNYS", 1)
    assert main(["emit-timers", "--market", "XLON", "--into", str(tmp_path), *config]) == 0
    assert (tmp_path / OPEN).read_text().endswith("Europe/London\n")
    assert main(["close", "tomorrow", *config]) == 1
    assert main(["show", "--market", "NOWHERE", *config]) == 1
    err = capsys.readouterr().err
    assert "YYYY-MM-DD" in err
    assert "no calendar is called 'NOWHERE'" in err


def test_a_reader_that_leaves_is_no_fault(tmp_path):
    """`joectl calendar --days 400 | head -1` ends quietly."""
    read, write = os.pipe()
    os.close(read)
    (tmp_path / "joed.yaml").touch()
    command = [sys.executable, "-m", "joed.timetable", "show", "--days", "400", "--config", tmp_path / "joed.yaml"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)

    assert (done.returncode, done.stderr) == (0, b"")


def test_the_textfile_says_when_a_session_is_due_whether_joed_lives_or_not(tmp_path, capsys):
    """Open and close of the session that is on or comes next, as Prometheus reads them; the failsafe's last run, 0."""
    found = exposition(load_calendars(("XNYS",)), ns("2027-03-15T15:00:00+00:00"), 7 * SECOND)
    into = tmp_path / "joed.prom"
    (tmp_path / "joed.yaml").touch()

    done = main(
        ["textfile", "--config", str(tmp_path / "joed.yaml"), "--into", str(into), "--state-dir", str(tmp_path)]
    )

    assert (
        f'joed_calendar_session_open_timestamp_seconds{{market="XNYS"}} {ns("2027-03-15T13:30:00+00:00") // SECOND}'
        in found
    )
    assert (
        f'joed_calendar_session_close_timestamp_seconds{{market="XNYS"}} {ns("2027-03-15T20:00:00+00:00") // SECOND}'
        in found
    )
    assert found.endswith("joed_failsafe_last_run_timestamp_seconds 7\n")
    assert done == 0
    assert into.read_text().endswith("joed_failsafe_last_run_timestamp_seconds 0\n")
    assert list(text_string_to_metric_families(into.read_text()))


def test_a_failsafe_in_the_record_is_found(tmp_path):
    """Its record's time; a file that is no journal is none."""
    store = Store.open(tmp_path / "joed.db", bounds=None)
    store.add(1, 9 * SECOND, "", FailsafeRan(1, "0"), [])
    store.commit()
    store.close()
    (tmp_path / "torn.db").write_bytes(b"no journal at all")

    assert failsafe_ns(tmp_path / "joed.db") == 9 * SECOND
    assert failsafe_ns(tmp_path / "torn.db") == failsafe_ns(tmp_path / "none.db") == 0
