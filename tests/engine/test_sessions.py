"""Market hours as a pure function: every boundary from both sides, the weeks in which clocks change, and the laws."""

import datetime as dt
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from joed.engine.sessions import (
    Phase,
    covers,
    due,
    is_open,
    local_date,
    next_close,
    next_open,
    next_shut,
    phase,
    phase_in,
    session_at,
    session_on,
    time_to_close_ns,
    trading_date,
    upcoming,
    why_closed,
    with_overrides,
    with_rollover,
    within,
)
from joed.model.calendars import Calendar, Override
from joed.model.values import HOUR, MINUTE, SECOND

D = dt.date.fromisoformat

STOCKS = Calendar(
    name="STOCKS",
    timezone="America/New_York",
    pre_open="04:00",
    after_close="20:00",
    after_close_early="17:00",
    holidays=(D("2025-01-01"), D("2025-01-09"), D("2025-12-25"), D("2026-01-01")),
    early_closes=((D("2024-11-29"), "13:00"), (D("2025-07-03"), "13:00")),
    late_opens=((D("2025-02-03"), "11:00"),),
    valid_from=D("2024-01-01"),
    valid_until=D("2026-12-31"),
)
XETRA = Calendar(name="XETRA", timezone="Europe/Berlin", open="09:00", close="17:30")
FX = Calendar(
    name="FX", timezone="America/New_York", kind="24x5", open="17:00", close="17:00", yearly_holidays=("01-01", "12-25")
)
GOLD = Calendar(name="GOLD", timezone="America/New_York", kind="24x5", open="18:03", close="16:58")
CRYPTO = Calendar(name="CRYPTO", timezone="UTC", kind="24x7", open="00:00", close="00:00")
CRYPTO_NY = with_rollover(CRYPTO, "17:00", "America/New_York")
CRYPTO_GAP = with_rollover(CRYPTO, "02:30", "America/New_York")  # a time that one day a year skips, one repeats
ALL = (STOCKS, XETRA, FX, GOLD, CRYPTO, CRYPTO_NY, CRYPTO_GAP)


def at(text):
    """Give the ns of a UTC time as "2025-01-10 14:30" or with seconds."""
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()) * SECOND


def hours(calendar, day):
    """Give the opening and the close of a day, as UTC texts to the minute."""
    session = session_on(calendar, D(day))
    return [
        f"{dt.datetime.fromtimestamp(ns // SECOND, dt.UTC):%Y-%m-%d %H:%M}"
        for ns in (session.open_ns, session.close_ns)
    ]


@pytest.mark.parametrize(
    ("instant", "before", "after"),
    [
        ("2025-01-10 09:00", Phase.CLOSED, Phase.PRE_MARKET),
        ("2025-01-10 14:30", Phase.PRE_MARKET, Phase.OPEN),
        ("2025-01-10 21:00", Phase.OPEN, Phase.AFTER_HOURS),
        ("2025-01-11 01:00", Phase.AFTER_HOURS, Phase.CLOSED),
        ("2025-07-03 17:00", Phase.OPEN, Phase.AFTER_HOURS),
        ("2025-07-03 21:00", Phase.AFTER_HOURS, Phase.CLOSED),
        ("2025-01-09 05:00", Phase.CLOSED, Phase.HOLIDAY),
        ("2025-01-10 05:00", Phase.HOLIDAY, Phase.CLOSED),
        ("2025-02-03 16:00", Phase.PRE_MARKET, Phase.OPEN),
    ],
)
def test_phase_turns_at_the_instant_itself(instant, before, after):
    """A phase begins with its first nanosecond, and ends before its last."""
    assert phase(STOCKS, at(instant) - 1) is before
    assert phase(STOCKS, at(instant)) is after


def test_open_takes_the_opening_in_and_leaves_the_close_out():
    """The first nanosecond of the session trades, the closing one does not; a resolved session says the same."""
    session = session_on(STOCKS, D("2025-01-10"))
    for now, expected in [
        (session.open_ns - 1, False),
        (session.open_ns, True),
        (session.close_ns - 1, True),
        (session.close_ns, False),
    ]:
        assert is_open(STOCKS, now) is expected
        assert within(session, now) is expected


def test_session_carries_all_its_edges():
    """A regular day runs 04:00, 09:30, 16:00, 20:00 in New York, and belongs to its date."""
    session = session_on(STOCKS, D("2025-01-10"))

    edges = (session.pre_open_ns, session.open_ns, session.close_ns, session.after_close_ns)
    assert edges == (at("2025-01-10 09:00"), at("2025-01-10 14:30"), at("2025-01-10 21:00"), at("2025-01-11 01:00"))
    assert (session.calendar, session.date, session.early, session.guessed) == ("STOCKS", D("2025-01-10"), False, False)


def test_half_day_ends_its_after_hours_early():
    """A close at 13:00 is marked early, and after-hours trading ends at 17:00."""
    session = session_on(STOCKS, D("2024-11-29"))

    assert session.early
    assert (session.close_ns, session.after_close_ns) == (at("2024-11-29 18:00"), at("2024-11-29 22:00"))


def test_closure_of_2025_01_09_has_no_session():
    """The day of mourning is skipped: the eve's after-hours are followed by the tenth."""
    assert session_on(STOCKS, D("2025-01-09")) is None
    assert next_open(STOCKS, at("2025-01-08 21:00")) == at("2025-01-10 14:30")
    assert why_closed(STOCKS, D("2025-01-09")) == "holiday"
    assert why_closed(STOCKS, D("2025-01-11")) == "weekend"
    assert why_closed(STOCKS, D("2025-01-10")) == ""


@pytest.mark.parametrize(
    ("calendar", "day", "expected"),
    [
        (STOCKS, "2026-03-06", ["2026-03-06 14:30", "2026-03-06 21:00"]),
        (STOCKS, "2026-03-09", ["2026-03-09 13:30", "2026-03-09 20:00"]),
        (XETRA, "2026-03-09", ["2026-03-09 08:00", "2026-03-09 16:30"]),
        (XETRA, "2026-03-27", ["2026-03-27 08:00", "2026-03-27 16:30"]),
        (XETRA, "2026-03-30", ["2026-03-30 07:00", "2026-03-30 15:30"]),
        (XETRA, "2026-10-26", ["2026-10-26 08:00", "2026-10-26 16:30"]),
        (STOCKS, "2026-10-30", ["2026-10-30 13:30", "2026-10-30 20:00"]),
        (STOCKS, "2026-11-02", ["2026-11-02 14:30", "2026-11-02 21:00"]),
        (FX, "2026-03-06", ["2026-03-05 22:00", "2026-03-06 22:00"]),
        (FX, "2026-03-09", ["2026-03-08 21:00", "2026-03-09 21:00"]),
        (FX, "2026-11-02", ["2026-11-01 22:00", "2026-11-02 22:00"]),
        (CRYPTO_NY, "2026-03-08", ["2026-03-07 22:00", "2026-03-08 21:00"]),
        (CRYPTO_NY, "2026-11-01", ["2026-10-31 21:00", "2026-11-01 22:00"]),
        (CRYPTO_GAP, "2026-03-08", ["2026-03-08 07:30", "2026-03-09 06:30"]),
        (CRYPTO_GAP, "2026-11-01", ["2026-11-01 07:30", "2026-11-02 07:30"]),
    ],
)
def test_hours_follow_the_exchanges_clock(calendar, day, expected):
    """US and EU clocks change weeks apart; each market opens by its own, and a day may last 23 or 25 hours."""
    assert hours(calendar, day) == expected


@pytest.mark.parametrize(
    ("instant", "before", "after"),
    [
        ("2025-01-10 22:00", Phase.OPEN, Phase.CLOSED),  # Friday 17:00
        ("2025-01-12 22:00", Phase.CLOSED, Phase.OPEN),  # Sunday 17:00
        ("2025-12-24 22:00", Phase.OPEN, Phase.HOLIDAY),
        ("2025-12-25 22:00", Phase.HOLIDAY, Phase.OPEN),
    ],
)
def test_currencies_trade_from_sunday_to_friday(instant, before, after):
    """The week runs from Sunday 17:00 to Friday 17:00 in New York; Christmas is closed for its trading day."""
    assert phase(FX, at(instant) - 1) is before
    assert phase(FX, at(instant)) is after


def test_currency_day_turns_at_1700_without_a_gap():
    """Tuesday 17:00 in New York is Wednesday's, and the market stays open; it shuts on Friday."""
    turn = at("2025-01-14 22:00")

    assert [trading_date(FX, turn - 1), trading_date(FX, turn)] == [D("2025-01-14"), D("2025-01-15")]
    assert is_open(FX, turn - 1)
    assert is_open(FX, turn)
    assert next_close(FX, turn - 1) == turn
    assert next_shut(FX, turn) == at("2025-01-17 22:00")
    assert next_shut(FX, at("2025-01-18 12:00")) == at("2025-01-24 22:00")


def test_a_daily_break_closes_a_24x5_market():
    """Gold rests from 16:58 to 18:03: the day has turned, the market is not open."""
    assert is_open(GOLD, at("2025-01-14 21:57:59"))
    assert not is_open(GOLD, at("2025-01-14 21:58"))
    assert not is_open(GOLD, at("2025-01-14 23:02:59"))
    assert is_open(GOLD, at("2025-01-14 23:03"))
    assert trading_date(GOLD, at("2025-01-14 21:58")) == D("2025-01-15")
    assert next_shut(GOLD, at("2025-01-14 12:00")) == at("2025-01-14 21:58")


def test_crypto_never_shuts_and_turns_at_its_rollover():
    """Open on a Sunday too; the date turns at midnight UTC, or where `day_rollover` says."""
    midnight = at("2025-01-12 00:00")

    assert is_open(CRYPTO, midnight)
    assert is_open(CRYPTO, midnight - 1)
    assert [trading_date(CRYPTO, midnight - 1), trading_date(CRYPTO, midnight)] == [D("2025-01-11"), D("2025-01-12")]
    assert next_close(CRYPTO, midnight) == at("2025-01-13 00:00")
    assert next_shut(CRYPTO, midnight) is None
    turn = at("2025-01-12 22:00")
    assert [trading_date(CRYPTO_NY, turn - 1), trading_date(CRYPTO_NY, turn)] == [D("2025-01-12"), D("2025-01-13")]


def test_rollover_leaves_a_market_that_closes_alone():
    """Stocks and currencies have days of their own."""
    assert with_rollover(STOCKS, "17:00") is STOCKS
    assert with_rollover(FX, "00:00") is FX


def test_an_operators_closure_shuts_crypto_for_its_day():
    """A maintenance day is the one thing that shuts a 24x7 market."""
    closed = with_overrides(CRYPTO, [Override(date=D("2025-01-12"), closed=True, reason="maintenance")])

    assert not is_open(closed, at("2025-01-12 12:00"))
    assert phase(closed, at("2025-01-12 12:00")) is Phase.HOLIDAY
    assert next_shut(closed, at("2025-01-10 12:00")) == at("2025-01-12 00:00")
    assert next_shut(closed, at("2025-01-12 12:00")) is None
    # A day that goes round midnight shuts on the morning of a closed date.
    night = with_overrides(CRYPTO_GAP, [Override(date=D("2025-01-12"), closed=True)])
    assert next_shut(night, at("2025-01-12 06:00")) == at("2025-01-12 07:30")


def test_override_comes_before_the_table_and_the_table_before_the_weekday():
    """Closed beats open, hours beat closed, a time left out stays the table's."""
    day = D("2025-07-03")
    table = session_on(STOCKS, day)
    closed = with_overrides(STOCKS, [Override(date=day, closed=True, reason="outage")])
    late = with_overrides(STOCKS, [Override(date=day, open="10:30")])
    full = with_overrides(STOCKS, [Override(date=day, close="16:00")])
    reopened = with_overrides(STOCKS, [Override(date=D("2025-01-09"), open="09:30", close="16:00")])
    saturday = with_overrides(STOCKS, [Override(date=D("2025-01-11"), open="10:00", close="12:00")])

    assert table.early
    assert session_on(closed, day) is None
    assert why_closed(closed, day) == "outage"
    assert hours(late, "2025-07-03") == ["2025-07-03 14:30", "2025-07-03 17:00"]
    assert session_on(full, day).early is False
    assert session_on(full, day).after_close_ns == at("2025-07-04 00:00")
    assert hours(reopened, "2025-01-09") == ["2025-01-09 14:30", "2025-01-09 21:00"]
    assert hours(saturday, "2025-01-11") == ["2025-01-11 15:00", "2025-01-11 17:00"]


def test_later_override_replaces_an_earlier_one_on_its_date():
    """The last word on a date holds, and overrides stay sorted."""
    first = with_overrides(STOCKS, [Override(date=D("2025-03-04"), closed=True), Override(date=D("2025-03-03"))])
    second = with_overrides(first, [Override(date=D("2025-03-04"), close="13:00")])

    assert [override.date for override in second.overrides] == [D("2025-03-03"), D("2025-03-04")]
    assert session_on(second, D("2025-03-04")).early
    assert second is not first


def test_override_without_a_reason_still_says_who_closed():
    """There is always something to tell a person who asks."""
    closed = with_overrides(STOCKS, [Override(date=D("2025-03-04"), closed=True)])

    assert why_closed(closed, D("2025-03-04")) == "closed by the operator"


def test_hours_moved_outside_the_extended_day_stretch_it():
    """Opening before pre-market and closing after after-hours move those edges; nothing ends before it began."""
    day = D("2025-03-04")
    session = session_on(with_overrides(STOCKS, [Override(date=day, open="03:00", close="21:00")]), day)

    assert session.pre_open_ns == session.open_ns == at("2025-03-04 08:00")
    assert session.after_close_ns == session.close_ns == at("2025-03-05 02:00")


def test_late_open_of_a_currency_day_is_on_its_own_date():
    """02:00 on 2 January is that morning, not the evening before."""
    calendar = with_overrides(FX, [Override(date=D("2025-01-02"), open="02:00", close="14:00")])

    assert hours(calendar, "2025-01-02") == ["2025-01-02 07:00", "2025-01-02 19:00"]
    assert session_on(calendar, D("2025-01-02")).early


def test_beyond_its_end_the_table_falls_back_on_weekdays_and_says_so():
    """The last day of the table is known, the next weekday is a guess, unless an operator speaks for it."""
    after = D("2027-01-01")
    spoken = with_overrides(STOCKS, [Override(date=after, close="13:00")])

    assert not session_on(STOCKS, D("2026-12-31")).guessed
    assert session_on(STOCKS, after).guessed
    assert session_on(STOCKS, D("2023-12-29")).guessed
    assert not session_on(STOCKS, D("2024-01-02")).guessed
    assert not session_on(spoken, after).guessed
    assert [covers(STOCKS, after), covers(FX, after)] == [False, True]


def test_session_of_the_night_is_the_next_one():
    """After after-hours end, the clock belongs to the next trading date, over a weekend and a holiday."""
    end = at("2025-01-11 01:00")

    assert [trading_date(STOCKS, end - 1), trading_date(STOCKS, end)] == [D("2025-01-10"), D("2025-01-13")]
    assert session_at(STOCKS, at("2025-01-09 15:00")).date == D("2025-01-10")
    assert local_date(STOCKS, at("2025-01-11 04:59")) == D("2025-01-10")
    assert local_date(STOCKS, at("2025-01-11 05:00")) == D("2025-01-11")


def test_time_to_close_counts_down_only_while_open():
    """Six and a half hours at the opening, a nanosecond before the end, and no number outside."""
    session = session_on(STOCKS, D("2025-01-10"))

    assert time_to_close_ns(STOCKS, session.open_ns) == 6 * HOUR + 30 * MINUTE
    assert time_to_close_ns(STOCKS, session.close_ns - 1) == 1
    assert time_to_close_ns(STOCKS, session.close_ns) is None
    assert time_to_close_ns(STOCKS, session.open_ns - 1) is None


def test_next_open_and_close_lie_strictly_ahead():
    """At an opening the next one is tomorrow's; at a close likewise."""
    assert next_open(STOCKS, at("2025-01-10 14:30") - 1) == at("2025-01-10 14:30")
    assert next_open(STOCKS, at("2025-01-10 14:30")) == at("2025-01-13 14:30")
    assert next_close(STOCKS, at("2025-01-10 21:00") - 1) == at("2025-01-10 21:00")
    assert next_close(STOCKS, at("2025-01-10 21:00")) == at("2025-01-13 21:00")


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2025-01-10 13:24:59", False),
        ("2025-01-10 13:25", True),
        ("2025-01-10 20:59:59", True),
        ("2025-01-10 21:00", False),
        ("2025-01-09 14:00", False),
        ("2025-07-03 17:00", False),
        ("2025-01-11 14:00", False),
    ],
)
def test_gate_is_due_from_the_lead_to_the_close(now, expected):
    """A session is due when it is open or opens within 65 minutes: not after an early close, not on a closed day."""
    assert due(STOCKS, at(now), 65 * MINUTE) is expected


def test_upcoming_lists_sessions_in_order():
    """The one of now, or the next, and those after it."""
    found = upcoming(STOCKS, at("2025-01-08 22:00"), 3)

    assert [session.date for session in found] == [D("2025-01-08"), D("2025-01-10"), D("2025-01-13")]
    assert upcoming(STOCKS, at("2025-01-08 22:00"), 0) == ()


def test_a_calendar_that_never_opens_is_our_own_mistake():
    """The loader bounds closures; a search that finds nothing asserts and does not run on."""
    days = [D("2025-01-01") + dt.timedelta(days=n) for n in range(500)]
    shut = with_overrides(STOCKS, [Override(date=day, closed=True) for day in days])

    with pytest.raises(AssertionError, match="STOCKS has no session within 400 days"):
        next_open(shut, at("2025-01-02 00:00"))


@pytest.mark.parametrize("calendar", [*ALL, with_overrides(STOCKS, [Override(date=D("2025-03-04"), close="13:00")])])
def test_a_calendar_travels_in_a_record(calendar):
    """Encoded and decoded it is equal, hashes alike and gives the same hours, so that a replay sees the same day."""
    for codec in (msgspec.json, msgspec.msgpack):
        again = codec.decode(codec.encode(calendar), type=Calendar)

        assert again == calendar
        assert hash(again) == hash(calendar)
        assert session_on(again, D("2025-03-04")) == session_on(calendar, D("2025-03-04"))


@pytest.mark.parametrize("time", ["9:30", "24:00", "12:60", "0930", "09:30\n", "noon"])
def test_a_time_that_is_none_is_refused_when_decoded(time):
    """A table's times are HH:MM, or the table does not load."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"name": "X", "timezone": "UTC", "open": time}, type=Calendar)


DAYS = st.dates(D("2024-01-03"), D("2027-06-30"))
INSTANTS = st.integers(at("2024-01-03 00:00"), at("2027-06-30 00:00"))
TIMES = st.tuples(st.integers(0, 11), st.integers(12, 23)).map(lambda pair: (f"{pair[0]:02}:00", f"{pair[1]:02}:30"))
OVERRIDES = st.builds(
    lambda day, times, closed: Override(date=day, closed=closed, open=times[0], close=times[1]),
    DAYS,
    TIMES,
    st.booleans(),
)
CALENDARS = st.one_of(
    st.sampled_from(ALL),
    st.builds(with_overrides, st.sampled_from([STOCKS, XETRA]), st.lists(OVERRIDES, max_size=20)),
)


@given(CALENDARS, INSTANTS)
def test_what_is_next_lies_ahead(calendar, now):
    """The next opening and close are after now, each the edge of a session, the close first while open."""
    opening, close = next_open(calendar, now), next_close(calendar, now)

    assert opening > now
    assert close > now
    assert is_open(calendar, opening)
    assert is_open(calendar, close - 1)
    assert (opening > close) is is_open(calendar, now) or opening == close


@given(CALENDARS, INSTANTS)
def test_open_means_inside_a_session_of_some_date_near(calendar, now):
    """is_open agrees with a plain look at the sessions of the days around, and with phase and time to close."""
    around = [session_on(calendar, local_date(calendar, now) + dt.timedelta(days=n)) for n in range(-2, 3)]
    inside = [session for session in around if session and session.open_ns <= now < session.close_ns]

    assert len(inside) <= 1
    assert is_open(calendar, now) is bool(inside)
    assert (phase(calendar, now) is Phase.OPEN) is bool(inside)
    assert (time_to_close_ns(calendar, now) is not None) is bool(inside)
    if inside:
        assert session_at(calendar, now) == inside[0]
        assert next_close(calendar, now) == inside[0].close_ns == now + time_to_close_ns(calendar, now)


@given(CALENDARS, INSTANTS)
def test_sessions_follow_each_other(calendar, now):
    """Edges of a session are in order, sessions never overlap, and session_at is the first that has not ended."""
    found = upcoming(calendar, now, 8)

    assert found[0] == session_at(calendar, now)
    for session in found:
        assert session.pre_open_ns <= session.open_ns < session.close_ns <= session.after_close_ns
        assert phase_in(session, session.open_ns) is Phase.OPEN
    for before, after in pairwise(found):
        assert before.date < after.date
        assert before.after_close_ns <= after.pre_open_ns


@given(CALENDARS, INSTANTS, st.integers(0, 10**9 * 86_400 * 10))
def test_trading_date_never_goes_back(calendar, now, later):
    """As time goes on the trading date stays or moves on."""
    assert trading_date(calendar, now) <= trading_date(calendar, now + later)


@given(CALENDARS, INSTANTS, st.integers(0, 10**9 * 86_400))
def test_due_is_open_or_opening_within_the_lead(calendar, now, lead_ns):
    """The gate says yes exactly when the market is open at some instant of [now, now + lead]."""
    expected = is_open(calendar, now) or next_open(calendar, now) <= now + lead_ns

    assert due(calendar, now, lead_ns) is expected


@given(CALENDARS, INSTANTS)
def test_next_shut_is_a_real_end(calendar, now):
    """At that instant the market is closed, the nanosecond before it is open; a 24x7 market has none."""
    shut = next_shut(calendar, now)

    if calendar.kind == "24x7":
        assert shut is None
    else:
        assert shut > now
        assert is_open(calendar, shut - 1)
        assert not is_open(calendar, shut)
