"""Calendars from the disk: shipped tables against two libraries and real data, overrides, age, the gate."""

import asyncio
import csv
import datetime as dt
import importlib.util
import json
import os
import re
import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from freezegun import freeze_time
from hypothesis import given
from hypothesis import strategies as st

from joed.daemon.calendars import (
    CLOSED_DAYS_MAX,
    FILE_BYTES_MAX,
    FILES_MAX,
    age,
    gate,
    load_calendars,
    load_overrides,
    load_table,
    parse_overrides,
    parse_table,
    shipped,
)
from joed.engine.sessions import (
    Phase,
    is_open,
    next_open,
    phase,
    session_on,
    trading_date,
    why_closed,
    with_overrides,
)
from joed.errors import ConfigError
from joed.model.calendars import Calendar, Override
from joed.model.values import DAY, HOUR, MINUTE, SECOND

D = dt.date.fromisoformat
ROOT = Path(__file__).resolve().parents[2]
ONE_DAY = dt.timedelta(days=1)
LEAD = 65 * MINUTE


def at(text):
    """Give the ns of a UTC time as "2025-01-10 14:30", with or without T, seconds and Z."""
    moment = dt.datetime.fromisoformat(text)
    return int(moment.replace(tzinfo=dt.UTC).timestamp()) * SECOND


def dates(first, last):
    """Give every date from the first to the last."""
    return [first + dt.timedelta(days=n) for n in range((last - first).days + 1)]


@pytest.fixture(scope="module")
def xnys():
    """Give the shipped table of the US exchanges."""
    return load_table("XNYS")


@pytest.fixture
def calendar_d(tmp_path):
    """Give a function that writes the files of a calendar.d and returns the directory."""

    def write(**files):
        for name, text in files.items():
            (tmp_path / f"{name}.yaml").write_text(text)
        return tmp_path

    return write


# The shipped tables


def test_shipped_calendars_load():
    """Five come with joed, each under its own name, the exchanges' with a date, a source and an end."""
    assert shipped() == ("CRYPTO_24X7", "FX_24X5", "XETR", "XLON", "XNYS")
    calendars = load_calendars(shipped())
    assert {name: calendar.kind for name, calendar in calendars.items()} == {
        "CRYPTO_24X7": "24x7",
        "FX_24X5": "24x5",
        "XETR": "session",
        "XLON": "session",
        "XNYS": "session",
    }
    xnys = calendars["XNYS"]
    assert xnys.source.startswith("exchange_calendars ")
    assert xnys.valid_from < xnys.generated_on < xnys.valid_until


def test_unknown_calendar_is_refused_with_a_guess():
    """A name is taken to the letter."""
    with pytest.raises(ConfigError, match=r"no calendar is called 'xnys', did you mean 'XNYS'\?"):
        load_table("xnys")
    with pytest.raises(
        ConfigError, match="no calendar is called 'QQ'; known are CRYPTO_24X7, FX_24X5, XETR, XLON, XNYS"
    ):
        load_calendars(["XNYS", "QQ"])


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("{", "broken: Input data was truncated"),
        ('{"name": "X"}', "missing required field `timezone`"),
        ('{"name": "X", "timezone": "Mars/Base"}', "needs a time zone that this machine lacks"),
        ('{"name": "X", "timezone": "/etc/passwd"}', "broken: "),
        ('{"name": "Y", "timezone": "UTC"}', "it calls itself 'Y'"),
        ('{"name": "X", "timezone": "UTC", "open": "9:30"}', "matching regex"),
        ('{"name": "X", "timezone": "UTC", "holidays": ["2025-02-30"]}', "Invalid"),
        ('{"name": "X", "timezone": "UTC", "holidays": ["2025-02-03", "2025-02-01"]}', "holidays is not sorted"),
        (
            '{"name": "X", "timezone": "UTC", "early_closes": [["2025-02-03", "13:00"], ["2025-02-03", "13:00"]]}',
            "sorted",
        ),
    ],
)
def test_broken_table_is_refused(table, words):
    """A table that is not sound is not half used: a search in an unsorted one would miss holidays."""
    with pytest.raises(ConfigError, match=words):
        parse_table("X", table.encode())


def generator():
    """Load the script that makes the tables."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "packaging" / "calendar" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the libraries' quarrel with the newest pandas
def test_shipped_tables_are_what_the_generator_writes(xnys):
    """Regenerated for the same dates, every byte is the same, but for the version of the library."""
    made = generator().tables(xnys.valid_until, xnys.generated_on)

    assert sorted(made) == sorted(file.name for file in (ROOT / "joed" / "calendars").iterdir())
    for name, text in made.items():
        kept = (ROOT / "joed" / "calendars" / name).read_text()
        version = json.loads(text)["source"]
        assert kept.replace(json.loads(kept)["source"], version) == text


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the libraries' quarrel with the newest pandas
def test_generator_writes_where_it_is_told(tmp_path, monkeypatch, capsys):
    """The end is that of the year after next; the same arguments give the same bytes."""
    script = generator()
    for into in ("one", "two"):
        monkeypatch.setattr("sys.argv", ["generate.py", "--generated-on", "2025-06-30", "--into", str(tmp_path / into)])
        script.main()

    for file in sorted((tmp_path / "one").iterdir()):
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()
    made = parse_table("XNYS", (tmp_path / "one" / "xnys.json").read_bytes())
    assert (made.generated_on, made.valid_until) == (D("2025-06-30"), D("2027-12-31"))
    assert "xnys.json: " in capsys.readouterr().out


# Where the second library differs from the first, and why we stay with the first: it keeps opens to the session's rule,
# the second to the minute of a late first print, and it knows the early end of 1999.
SECOND_OPINION = {
    ("1999-12-31", "market_close"): "16:00",
    ("1999-12-31", "post"): "20:00",
    ("2001-09-17", "market_open"): "09:33",
    ("2001-10-08", "market_open"): "09:31",
    ("2002-09-11", "market_open"): "12:00",
    ("2003-03-20", "market_open"): "09:32",
    ("2004-06-07", "market_open"): "09:32",
    ("2006-12-27", "market_open"): "09:32",
    ("2005-06-01", "market_close"): "15:56",
    ("2005-06-01", "post"): "15:56",
}
# On a day that opens late the second library drops pre-market.
SECOND_OPINION |= {(day, "pre"): at for (day, edge), at in SECOND_OPINION.items() if edge == "market_open"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the libraries' quarrel with the newest pandas
def test_pandas_market_calendars_agrees(xnys):
    """Session by session and edge by edge, but for the days listed above, each of which must still differ."""
    import pandas_market_calendars  # here, for it brings pandas and half a second

    nyse = pandas_market_calendars.get_calendar("NYSE")
    theirs = nyse.schedule(xnys.valid_from, xnys.valid_until, start="pre", end="post")
    ours = {day: session for day in dates(xnys.valid_from, xnys.valid_until) if (session := session_on(xnys, day))}
    differ = {}
    for day, row in theirs.iterrows():
        session = ours[day.date()]
        mine = {
            "pre": session.pre_open_ns,
            "market_open": session.open_ns,
            "market_close": session.close_ns,
            "post": session.after_close_ns,
        }
        for edge, ns in mine.items():
            if int(row[edge].timestamp()) * SECOND != ns:
                differ[f"{day:%Y-%m-%d}", edge] = f"{row[edge].tz_convert('America/New_York'):%H:%M}"

    assert [day.date() for day in theirs.index] == list(ours)
    assert differ == SECOND_OPINION


# Real data


@pytest.mark.market_data
def test_every_session_of_the_exchanges_history(data_dir, xnys):
    """Open, close and early close of each session since 1999, and no session on any other day."""
    with (data_dir / "calendar" / "xnys_sessions_1999_2027.csv").open() as stream:
        rows = {D(row["session"]): row for row in csv.DictReader(stream)}
    days = dates(min(rows), max(rows))
    assert min(days) >= xnys.valid_from
    assert max(days) <= xnys.valid_until

    for day in days:
        session, row = session_on(xnys, day), rows.get(day)
        assert (session is None) is (row is None), day
        if session:
            assert not session.guessed
            assert (session.open_ns, session.close_ns) == (at(row["open_utc"]), at(row["close_utc"])), day
            assert session.early is (row["early_close"] == "True"), day
            assert is_open(xnys, session.open_ns)
            assert not is_open(xnys, session.close_ns)


@pytest.mark.market_data
def test_edge_cases_of_the_us_market(data_dir, xnys):
    """The hand-picked days, with pre-market and after-hours where the two libraries agree on them."""
    with (data_dir / "calendar" / "us_edge_cases.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 55

    for row in rows:
        day = D(row["date"])
        session = session_on(xnys, day)
        noon_utc = at(f"{day} 17:00")
        if row["xnys"] == "closed":
            assert session is None, row
            assert phase(xnys, noon_utc) is Phase.HOLIDAY
            continue
        assert (session.open_ns, session.close_ns) == (at(row["open_utc"]), at(row["close_utc"])), row
        assert session.early is (row["xnys"] == "early"), row
        if row["pmc_vs_xc"] == "same":
            edges = (session.pre_open_ns, session.after_close_ns)
            assert edges == (at(row["pre_open_utc"]), at(row["post_close_utc"])), row


WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# LEAN's key -> our calendar; "" builds one from the entry's own hours, to show that the rules can say them.
LEAN = {
    "Equity-usa-[*]": "XNYS",
    "Forex-fxcm-[*]": "FX_24X5",
    "Cfd-oanda-[*]": "FX_24X5",
    "Crypto-coinbase-[*]": "CRYPTO_24X7",
    "Future-cme-ES": "",
    "Future-cfe-VX": "",
    "Forex-oanda-[*]": "",
    "Cfd-fxcm-DE30EUR": "",
    "Cfd-oanda-DE30EUR": "",
    "Cfd-oanda-XAUUSD": "",
    "Index-usa-[*]": "",
    "Index-usa-VIX": "",
    "Index-usa-SPX": "",
}


@pytest.fixture(scope="module")
def lean(data_dir):
    """Give LEAN's market hours: key -> entry."""
    return json.loads((data_dir / "calendar" / "lean_market_hours_subset.json").read_text())["entries"]


def lean_segments(entry, weekday, state="market"):
    """Give a weekday's segments as minutes of its local day."""

    def minutes(text):
        day, _, clock = text.rpartition(".")
        return int(day or 0) * 1440 + int(clock[:2]) * 60 + int(clock[3:5])

    return [(minutes(part["start"]), minutes(part["end"])) for part in entry[weekday] if part["state"] == state]


def lean_calendar(entry):
    """Build a calendar from a LEAN entry: its evening start on Sunday, or its one market segment on Monday."""
    sunday, monday = lean_segments(entry, "sunday"), lean_segments(entry, "monday")
    opening, close = (sunday[0][0], monday[0][1]) if sunday else monday[0]
    return Calendar(
        name="LEAN",
        timezone=entry["exchangeTimeZone"],
        kind="24x5" if sunday else "session",
        open=f"{opening // 60:02}:{opening % 60:02}",
        close=f"{close // 60:02}:{close % 60:02}",
    )


@pytest.mark.market_data
def test_lean_entries_are_all_looked_at(lean):
    """A new entry in the data wants a row in the table above."""
    assert sorted(lean) == sorted(LEAN)


@pytest.mark.market_data
@pytest.mark.parametrize("key", LEAN)
def test_lean_weeks_agree(lean, key):
    """Each minute of the weeks in which US or EU clocks change, and of a summer week: open there as here."""
    entry = lean[key]
    calendar = load_table(LEAN[key]) if LEAN[key] else lean_calendar(entry)
    for first in ("2026-03-06", "2026-03-26", "2026-10-23", "2026-10-30", "2026-06-05"):
        start = at(f"{first} 00:00")
        for now in range(start, start + 7 * DAY, MINUTE):
            local = local_time(calendar, now)
            minute = local.hour * 60 + local.minute
            expected = any(a <= minute < b for a, b in lean_segments(entry, WEEK[local.weekday()]))
            assert is_open(calendar, now) is expected, (key, local)


def local_time(calendar, now):
    """Give the local wall clock of an instant."""
    return dt.datetime.fromtimestamp(now // SECOND, ZoneInfo(calendar.timezone))


@pytest.mark.market_data
def test_lean_phases_of_us_equities_agree(lean, xnys):
    """Pre-market, market and after-hours of a regular week, each five minutes and the nanosecond before."""
    entry = lean["Equity-usa-[*]"]
    names = {"premarket": Phase.PRE_MARKET, "market": Phase.OPEN, "postmarket": Phase.AFTER_HOURS}
    start = at("2026-06-06 00:00")
    for now in range(start, start + 8 * DAY, 5 * MINUTE):
        for instant in (now - 1, now):
            local = local_time(xnys, instant)
            minute = local.hour * 60 + local.minute
            found = [
                here
                for state, here in names.items()
                for a, b in lean_segments(entry, WEEK[local.weekday()], state)
                if a <= minute < b
            ]
            assert phase(xnys, instant) is (found[0] if found else Phase.CLOSED), local


@pytest.mark.market_data
@pytest.mark.parametrize("key", ["Equity-usa-[*]", "Index-usa-[*]"])
def test_lean_holidays_and_early_closes_agree(lean, xnys, key):
    """Every holiday and half day as far as LEAN's lists go, and no other; they lack the early end of 1999."""

    def day(text):
        month, date, year = map(int, text.split("/"))
        return dt.date(year, month, date)

    def covered(days):
        return {date for date in map(day, days) if xnys.valid_from <= date <= xnys.valid_until and date.weekday() < 5}

    entry = lean[key]
    holidays, halves = covered(entry["holidays"]), covered(entry["earlyCloses"])

    assert holidays == {date for date in xnys.holidays if date <= max(holidays)}
    assert halves | {D("1999-12-31")} == {date for date, _ in xnys.early_closes if date <= max(halves)}


# Overrides


def test_example_file_says_nothing_until_it_is_uncommented(tmp_path):
    """As shipped it changes no day; with its `#` gone (one of two forms of `closed`) it is sound."""
    example = ROOT / "etc" / "joed" / "calendar.d" / "example.yaml"
    assert load_overrides(example.parent) == {}

    prose = re.compile("# [^ ]")
    text = "\n".join(
        line.removeprefix("#")
        for line in example.read_text().splitlines()
        if not prose.match(line) and line != "#closed: [2025-01-09]"
    )
    (tmp_path / "example.yaml").write_text(text)

    assert [(o.date, o.closed, o.close, o.reason) for o in load_overrides(tmp_path)["XNYS"]] == [
        (D("2025-01-09"), True, "", "national day of mourning"),
        (D("2025-07-03"), False, "13:00", "the day before Independence Day"),
    ]


def test_overrides_are_folded_into_the_calendar(calendar_d):
    """Files are read in order of name, reasons fall back on the file's, and the calendar then says so."""
    directory = calendar_d(
        a="calendar: XNYS\nclosed: [2027-03-02]\nreason: storm\n",
        b='calendar: XNYS\nhours: {2027-03-01: {open: "10:30", close: 13:00, reason: outage}}\n',
        c="calendar: FX_24X5\nclosed: {2027-04-02: Good Friday}\n",
    )
    calendars = load_calendars(["XNYS", "FX_24X5", "CRYPTO_24X7"], directory)

    assert calendars["XNYS"].overrides == (
        Override(date=D("2027-03-01"), open="10:30", close="13:00", reason="outage", source="b.yaml"),
        Override(date=D("2027-03-02"), closed=True, reason="storm", source="a.yaml"),
    )
    assert why_closed(calendars["XNYS"], D("2027-03-02")) == "storm"
    assert session_on(calendars["FX_24X5"], D("2027-04-02")) is None
    assert calendars["CRYPTO_24X7"].overrides == ()


def test_absent_and_empty_directories_hold_no_overrides(tmp_path):
    """No directory, no file, an empty file, other names: nothing, and no error."""
    assert load_overrides(tmp_path / "absent") == {}
    assert load_overrides(tmp_path) == {}
    for name in ("README", "a.yaml~", ".hidden.yaml", "a.yaml.dpkg-dist"):
        (tmp_path / name).write_text("nonsense: [")
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert load_overrides(tmp_path) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("calendar: XNYS\nclose: [2025-01-09]", r"close is no key, did you mean 'closed'\? \(x.yaml:2\)"),
        ("calendar: XNYS\nzzz: 1", r"zzz is no key; known are calendar, closed, hours, reason \(x.yaml:2\)"),
        (
            "calendar: XNYZ\nclosed: [2025-01-09]",
            r"calendar is no calendar: 'XNYZ', did you mean 'XNYS'\? \(x.yaml:1\)",
        ),
        ("closed: [2025-01-09]", r"calendar is missing; known are .*XNYS \(x.yaml:1\)"),
        ("calendar: XNYS\nclosed: 2025-01-09", r"closed must be a list of dates"),
        ("calendar: XNYS\nclosed:", r"closed must be a list of dates"),
        ("calendar: XNYS\nclosed: [2025-02-30]", r"closed must name dates as YYYY-MM-DD .*'2025-02-30' \(x.yaml:2\)"),
        ("calendar: XNYS\nclosed:\n- 20250109", r"YYYY-MM-DD .*'20250109' \(x.yaml:3\)"),
        ("calendar: XNYS\nclosed: [0001-01-01]", "from 1990 to 2100"),
        ("calendar: XNYS\nclosed: [2025-01-09 10:00:00]", "YYYY-MM-DD"),
        ("calendar: XNYS\nclosed: [[2025-01-09]]", "closed must be text"),
        ("calendar: XNYS\nclosed: [2025-01-09, 2025-01-09]", "closed names 2025-01-09 twice"),
        ("calendar: XNYS\nclosed: {2025-01-09: a, 2025-01-09: b}", "closed names '2025-01-09' twice"),
        ("calendar: XNYS\ncalendar: XNYS", r"the file names 'calendar' twice \(x.yaml:2\)"),
        ("calendar: XNYS\nhours: [2025-07-03]", "hours must be a mapping"),
        ("calendar: XNYS\nhours: {2025-07-03: 13:00}", r"hours.2025-07-03 must be a mapping"),
        ("calendar: XNYS\nhours: {2025-07-03: {}}", "hours.2025-07-03 needs open, close or both"),
        ("calendar: XNYS\nhours: {2025-07-03: {reason: x}}", "hours.2025-07-03 needs open, close or both"),
        (
            "calendar: XNYS\nhours:\n  2025-07-03:\n    closes: 13:00",
            r"hours.2025-07-03.closes is no key, did you mean 'close'\? \(x.yaml:4\)",
        ),
        ('calendar: XNYS\nhours: {2025-07-03: {close: "1pm"}}', r"hours.2025-07-03.close must be a time .* '1pm'"),
        ('calendar: XNYS\nhours: {2025-07-03: {close: "24:00"}}', "must be a time"),
        ('calendar: XNYS\nhours: {2025-07-03: {close: ""}}', "must be a time"),
        ('calendar: XNYS\nhours: {2025-07-03: {close: "01:00"}}', r"closes before it opens, with close 01:00"),
        ('calendar: XNYS\nhours: {2025-07-03: {close: "09:30"}}', r"closes before it opens, with close 09:30"),
        ('calendar: XNYS\nhours: {2025-07-03: {open: "13:00"}}', r"closes before it opens, with open 13:00"),
        ("calendar: XNYS\nclosed: [2025-07-03]\nhours: {2025-07-03: {close: 12:00}}", "both name 2025-07-03"),
        ("calendar: [XNYS]", "calendar must be text"),
        ("? [a]\n: b", "the file has a key that is not text"),
        ("- calendar", r"the file must be a mapping \(x.yaml:1\)"),
        ("just words", "the file must be a mapping"),
        ("calendar: XNYS\nclosed: [", r"not YAML: .*\(x.yaml:2\)"),
        ("a: 1\n---\nb: 2", "not YAML"),
        ("calendar: \x00", "not YAML"),
        ("calendar: *gone", "not YAML: found undefined alias"),
        ("[" * 5000, "not YAML"),
        ("<<: {calendar: XNYS}", "<< is no key"),
    ],
)
def test_wrong_override_is_refused_by_file_line_and_key(text, words):
    """One wrong word refuses the file: an override that is silently left out is a market thought open."""
    with pytest.raises(ConfigError, match=words):
        parse_overrides("x.yaml", text)


def test_yaml_builds_no_objects():
    """A tag that would run code in a careless loader is plain text here, and no calendar."""
    with pytest.raises(ConfigError, match="is no calendar"):
        parse_overrides("x.yaml", 'calendar: !!python/object/apply:os.system ["true"]'.replace('["true"]', "x"))
    with pytest.raises(ConfigError, match="calendar must be text"):
        parse_overrides("x.yaml", 'calendar: !!python/object/apply:os.system ["true"]')


@given(
    st.text(max_size=200)
    | st.lists(
        st.sampled_from(
            [
                "calendar: XNYS\n",
                "closed: ",
                "[2025-01-09]\n",
                "hours:\n",
                "  2025-07-03: ",
                "{close: 13:00}\n",
                "- ",
                "&a ",
                "*a",
                "\t",
            ]
        ),
        max_size=12,
    ).map("".join)
)
def test_any_text_is_read_or_refused(text):
    """No text of a file ends in another error than ConfigError."""
    try:
        name, overrides = parse_overrides("x.yaml", text)
    except ConfigError as error:
        name, overrides, refusal = "", (), str(error)
    else:
        refusal = "x.yaml"
    assert "x.yaml" in refusal
    assert name in {"", *shipped()}
    assert all(override.source == "x.yaml" for override in overrides)


def test_a_date_set_in_two_files_names_both(calendar_d):
    """Which of them is right only a person knows."""
    directory = calendar_d(
        a="calendar: XNYS\nclosed: [2027-03-01]\n",
        b="calendar: XNYS\nhours: {2027-03-01: {close: 13:00}}\n",
    )
    with pytest.raises(ConfigError, match=r"XNYS 2027-03-01 is set twice, in a.yaml and in b.yaml"):
        load_overrides(directory)


def test_hours_that_reach_into_the_next_day_are_refused(calendar_d):
    """A currency day that closes at 18:00 would run beside the next, which opens at 17:00."""
    directory = calendar_d(a="calendar: FX_24X5\nhours: {2027-03-02: {close: 18:00}}\n")
    with pytest.raises(ConfigError, match=r"FX_24X5 2027-03-02 closes after 2027-03-03 opens.*a.yaml"):
        load_overrides(directory)


def test_closing_too_many_days_is_refused(calendar_d):
    """The bound keeps a search for the next session finite; at the bound itself it still finds one."""
    days = [day for day in dates(D("2025-01-01"), D("2026-12-31")) if day.weekday() < 5]

    def closing(count):
        return f"calendar: XNYS\nclosed: [{', '.join(map(str, days[:count]))}]\n"

    calendar = load_calendars(["XNYS"], calendar_d(a=closing(CLOSED_DAYS_MAX)))["XNYS"]
    assert next_open(calendar, at("2024-12-31 23:00")) > at("2025-10-01 00:00")

    with pytest.raises(ConfigError, match=r"201 days of XNYS are closed, at most 200 may be"):
        load_overrides(calendar_d(a=closing(CLOSED_DAYS_MAX + 1)))


@pytest.mark.parametrize("name", ["a.yml", "a.YAML", "a.YML"])
def test_override_file_with_a_near_name_is_refused(tmp_path, name):
    """A closure in a file that is not read would not hold."""
    (tmp_path / name).write_text("calendar: XNYS\n")
    with pytest.raises(ConfigError, match=rf"an override file's name ends in .yaml \(.*{name}\)"):
        load_overrides(tmp_path)


def test_files_that_cannot_be_read_are_named(tmp_path):
    """Not UTF-8, too long, a directory, a pipe, a dangling link, a file in the directory's place."""
    file = tmp_path / "x.yaml"
    file.write_bytes(b"calendar: \xff")
    with pytest.raises(ConfigError, match=r"not UTF-8 at byte 10 \(.*x.yaml\)"):
        load_overrides(tmp_path)
    with pytest.raises(ConfigError, match="cannot be listed: Not a directory"):
        load_overrides(file)
    file.write_text("#" * FILE_BYTES_MAX)
    assert load_overrides(tmp_path) == {}
    file.write_text("#" * (FILE_BYTES_MAX + 1))
    with pytest.raises(ConfigError, match="at most 65536 bytes"):
        load_overrides(tmp_path)
    file.unlink()
    for make in (file.mkdir, lambda: os.mkfifo(file), lambda: file.symlink_to("gone")):
        make()
        with pytest.raises(ConfigError, match=r"not a file \(.*x.yaml\)"):
            load_overrides(tmp_path)
        file.rmdir() if file.is_dir() else file.unlink()


def test_a_file_that_may_not_be_read_is_named(calendar_d, monkeypatch):
    """The system's own word for it, and the file."""

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    directory = calendar_d(x="calendar: XNYS\n")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ConfigError, match=r"the overrides cannot be read: Permission denied \(.*x.yaml\)"):
        load_overrides(directory)


def test_too_many_files_are_refused(calendar_d):
    """There is a bound on everything that is read."""
    directory = calendar_d(**{f"f{n:03}": "" for n in range(FILES_MAX)})
    assert load_overrides(directory) == {}
    with pytest.raises(ConfigError, match="101 override files, at most 100 are read"):
        load_overrides(calendar_d(one_more=""))


def test_byte_order_mark_is_read_over(tmp_path):
    """An editor on another system leaves one."""
    (tmp_path / "x.yaml").write_bytes(b"\xef\xbb\xbfcalendar: XNYS\nclosed: [2027-03-01]\n")
    assert len(load_overrides(tmp_path)["XNYS"]) == 1


# Age and the gate

TABLE = Calendar(
    name="T",
    timezone="America/New_York",
    valid_until=D("2026-12-31"),
    source="a library 1.0",
    generated_on=D("2024-11-22"),
)


@pytest.mark.parametrize(
    ("now", "state", "left"),
    [
        ("2026-11-02 04:59:59", "fresh", 60),
        ("2026-11-02 05:00", "ageing", 59),
        ("2027-01-01 04:59:59", "ageing", 0),
        ("2027-01-01 05:00", "expired", -1),
    ],
)
def test_table_ages_by_its_own_calendar(now, state, left):
    """Under 60 days it is ageing, through its last local day it holds, then it has expired."""
    found = age(TABLE, at(now))

    assert (found.state, found.days_left) == (state, left)
    assert found.words.startswith("T: table ends 2026-12-31 (a library 1.0, generated 2024-11-22), ")


def test_rules_without_an_end_do_not_age():
    """Crypto's calendar needs no table."""
    found = age(load_table("CRYPTO_24X7"), at("2099-01-01 00:00"))

    assert (found.state, found.days_left) == ("fresh", None)


@pytest.mark.parametrize(
    ("names", "now", "expected"),
    [
        (["XNYS"], "2025-01-10 13:24:59", 1),
        (["XNYS"], "2025-01-10 13:25", 0),
        (["XNYS"], "2025-01-10 20:59:59", 0),
        (["XNYS"], "2025-01-10 21:00", 1),
        (["XNYS"], "2025-01-09 14:30", 1),
        (["XNYS", "FX_24X5"], "2025-01-09 14:30", 0),
        (["XNYS"], "2028-12-29 15:00", 0),
        (["XNYS"], "2028-12-30 15:00", 1),
        (["XNYS"], "2029-01-02 15:00", 255),
        (["XNYS", "FX_24X5"], "2029-01-02 15:00", 0),
        (["XNYS", "FX_24X5"], "2029-01-06 15:00", 255),
        ([], "2025-01-10 15:00", 255),
    ],
)
def test_gate_says_due_none_or_unusable(names, now, expected):
    """0 for a session of any sound calendar, 1 when every one is sound and none is due, else 255."""
    calendars = load_calendars(names)
    until = {name: D("2028-12-31") for name in names if name == "XNYS"}
    pinned = [
        calendar if name not in until else Calendar(**{**fields(calendar), "valid_until": until[name]})
        for name, calendar in calendars.items()
    ]

    assert gate(pinned, at(now), LEAD) == expected


def fields(calendar):
    """Give a calendar's fields by name."""
    return {name: getattr(calendar, name) for name in calendar.__struct_fields__}


# The edge: real clocks, frozen


def test_half_day_ends_at_the_edge_of_a_real_clock(xnys):
    """Read from the system's clock on 2026-11-27, the market closes as the clock reaches 18:00 UTC."""
    with freeze_time("2026-11-27 17:59:59", real_asyncio=True) as clock:
        assert phase(xnys, time.time_ns()) is Phase.OPEN
        assert gate([xnys], time.time_ns(), LEAD) == 0
        clock.tick(1)
        assert phase(xnys, time.time_ns()) is Phase.AFTER_HOURS
        assert gate([xnys], time.time_ns(), LEAD) == 1


async def test_closed_day_passes_under_a_running_loop(xnys):
    """With time frozen and the loop's left alone, 2025-01-09 is walked through hour by hour and never opens."""
    with freeze_time("2025-01-09 05:00:00", real_asyncio=True) as clock:
        for _ in range(24):
            await asyncio.sleep(0)
            now = time.time_ns()
            assert phase(xnys, now) is Phase.HOLIDAY
            assert gate([xnys], now, HOUR) == 1
            assert trading_date(xnys, now) == D("2025-01-10")
            clock.tick(3600)
        assert phase(xnys, time.time_ns()) is Phase.CLOSED


@pytest.mark.parametrize(
    ("frozen", "offset", "expected"),
    [
        ("2026-03-09 13:29:59", 0, Phase.PRE_MARKET),
        ("2026-03-09 13:30:00", 0, Phase.OPEN),
        ("2026-11-02 14:29:59", -5, Phase.PRE_MARKET),
        ("2026-11-02 14:30:00", 9, Phase.OPEN),
    ],
)
def test_the_machines_own_zone_plays_no_part(xnys, frozen, offset, expected):
    """On the first sessions after US clocks change, whatever the host's zone, 09:30 in New York opens."""
    with freeze_time(frozen, tz_offset=offset, real_asyncio=True):
        assert phase(xnys, time.time_ns()) is expected


def test_override_on_the_day_itself_takes_hold_at_the_next_load(xnys, tmp_path):
    """A closure written in the morning shuts the afternoon."""
    with freeze_time("2027-03-01 17:00:00", real_asyncio=True):
        now = time.time_ns()
        assert is_open(load_calendars(["XNYS"], tmp_path)["XNYS"], now)
        (tmp_path / "today.yaml").write_text("calendar: XNYS\nhours: {2027-03-01: {close: 11:59}}\nreason: outage\n")
        calendar = load_calendars(["XNYS"], tmp_path)["XNYS"]
        assert phase(calendar, now) is Phase.AFTER_HOURS
        assert calendar == with_overrides(xnys, calendar.overrides)
