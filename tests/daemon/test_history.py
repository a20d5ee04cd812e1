"""The bars as thinking finds them: in order, bounded, rolled into days, and back after a restart."""

import numpy as np
import pytest

from joed.analysis.indicators import AT, CLOSE, OPEN, rows
from joed.daemon.history import DAYS_MAX, MINUTES_MAX, History, Series
from joed.model.values import DAY, HOUR, MINUTE, Bar

OPEN_NS = 20_000 * DAY + 14 * HOUR + 30 * MINUTE
CLOSE_NS = OPEN_NS + 390 * MINUTE
NEXT_NS = OPEN_NS + DAY


def bar(minute=0, price=10.0, instrument="A", start=OPEN_NS):
    """Build a minute bar with a range of one on each side."""
    return Bar(instrument, start + minute * MINUTE, price, price + 1, price - 1, price, 100.0)


def day(at_ns, price=9.0):
    """Build one daily bar."""
    return [at_ns, price, price + 1, price - 1, price, 1000.0]


def history_of(bars=(), cache=None, session="d1", open_ns=OPEN_NS):
    """Build a history in a session."""
    history = History(cache)
    history.turn_to(session, open_ns, open_ns + (CLOSE_NS - OPEN_NS))
    history.add(list(bars))
    return history


def test_bars_of_today_are_those_of_the_session_that_have_begun():
    """Before the open is earlier; at the close and later, and what is not complete by now, is not today's."""
    history = history_of(bar(minute) for minute in (-5, 0, 1, 389, 390))

    assert history.today("A", CLOSE_NS + HOUR)[:, AT].tolist() == [bar(m).at_ns for m in (0, 1, 389)]
    assert [len(history.today("A", OPEN_NS + MINUTE + step)) for step in (-1, 0, MINUTE - 1, MINUTE)] == [0, 1, 1, 2]
    assert len(history.earlier("A")) == 1
    assert history.today("B", CLOSE_NS).shape == (0, 6)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"close": float("nan")}, "unsound"),
        ({"low": 0.0}, "unsound"),
        ({"low": -1.0}, "unsound"),
        ({"high": 9.9}, "unsound"),
        ({"high": float("inf")}, "unsound"),
        ({"volume": -1.0}, "unsound"),
        ({"volume": float("nan")}, "unsound"),
        ({"at_ns": OPEN_NS}, "stale"),
        ({"at_ns": OPEN_NS - MINUTE}, "stale"),
    ],
)
def test_what_cannot_be_a_bar_or_comes_again_is_counted_and_left_out(change, reason):
    """Nothing else is lost with it."""
    history = history_of([bar(0)])
    values = dict(zip(Bar.__struct_fields__, bar(1).__reduce__()[1], strict=True))

    history.add([Bar(**(values | change)), bar(2)])

    assert len(history.today("A", CLOSE_NS)) == 2
    assert history.rejected == {reason: 1}


def test_a_past_that_comes_late_goes_where_it_belongs_and_the_brokers_whole_minute_counts():
    """What our quotes began in the middle of a minute is replaced; what is newer than the past stays behind it."""
    history = history_of([bar(3, 30.0), bar(4, 40.0)])

    history.fill([bar(minute, 10.0 + minute) for minute in range(4)])

    assert history.today("A", CLOSE_NS)[:, [AT, CLOSE]].tolist() == [
        [bar(minute).at_ns, price] for minute, price in enumerate((10.0, 11.0, 12.0, 13.0, 40.0))
    ]
    history.add([bar(5, 50.0)])
    assert history.today("A", CLOSE_NS)[-1, CLOSE] == 50.0


def test_a_past_is_bounded_and_checked_like_everything_else():
    """The newest stay; what cannot be a bar is counted."""
    history = history_of([bar(MINUTES_MAX)])

    history.fill([bar(minute) for minute in range(MINUTES_MAX)])
    history.fill([Bar("A", OPEN_NS, 1.0, 0.5, 1.0, 1.0, 1.0)])

    series = history.minutes["A"]
    assert (series.count, series.rows[0, AT], series.rows[-1, AT]) == (
        MINUTES_MAX,
        bar(1).at_ns,
        bar(MINUTES_MAX).at_ns,
    )
    assert history.rejected == {"unsound": 1}


def test_a_filled_past_is_there_again_after_a_restart(tmp_path):
    """In the cache too the broker's whole minute replaces ours."""
    history = history_of([bar(1, 5.0)], tmp_path / "bars.db")
    history.fill([bar(0, 6.0), bar(1, 7.0)])
    history.close()

    assert History(tmp_path / "bars.db").minutes["A"].rows[:, CLOSE].tolist() == [6.0, 7.0]


def test_a_series_is_bounded_and_drops_the_oldest_quarter():
    """It never holds more than its limit, and always the newest."""
    series = Series(100)
    for minute in range(250):
        assert series.append([minute, 1, 1, 1, 1, 0])
        assert series.count <= 100

    assert series.rows[-1, AT] == 249
    assert series.rows[0, AT] == 250 - series.count
    assert series.count >= 75


def test_a_view_handed_out_keeps_its_bars_while_the_series_grows():
    """A job may hold on to what it got: growing makes a new array."""
    series = Series(64)
    for minute in range(64):
        series.append([minute, 1, 1, 1, 1, 0])
    held = series.rows
    before = held.copy()
    for minute in range(64, 100):
        series.append([minute, 2, 2, 2, 2, 0])

    assert (held == before).all()


def test_the_next_session_rolls_the_last_into_its_daily_bar():
    """First open, highest high, lowest low, last close, all volume of the regular hours, at the session's open."""
    history = history_of([bar(-1, 50.0), bar(0, 10.0), bar(1, 12.0), bar(2, 11.0), bar(390, 70.0)])

    history.turn_to("d2", NEXT_NS, NEXT_NS + 390 * MINUTE)

    assert history.daily("A").tolist() == [[OPEN_NS, 10.0, 13.0, 9.0, 11.0, 300.0]]
    assert len(history.earlier("A")) == 5
    assert len(history.today("A", NEXT_NS + DAY)) == 0


def test_the_same_session_again_rolls_nothing():
    """A job each minute names the session each time."""
    history = history_of([bar(0)])
    history.turn_to("d1", OPEN_NS, CLOSE_NS)

    assert len(history.daily("A")) == 0
    assert len(history.today("A", CLOSE_NS)) == 1


@pytest.mark.parametrize("midnight", [OPEN_NS, 20_000 * DAY, 20_000 * DAY + 5 * HOUR])
def test_a_daily_bar_of_today_is_never_shown_nor_doubled(midnight):
    """Wherever the file puts a day's start: today's own bar would be the future, and one day is one bar."""
    history = history_of([bar(0, 10.0)])
    history.load_daily({"A": np.array([day(midnight - DAY, 8.0), day(midnight, 9.0)])})

    assert history.daily("A")[:, CLOSE].tolist() == [8.0]
    history.turn_to("d2", NEXT_NS, NEXT_NS + 390 * MINUTE)
    assert history.daily("A")[:, CLOSE].tolist() == [8.0, 9.0]


def test_days_made_here_stay_behind_a_loaded_history_that_ends_before_them():
    """Yesterday's own bar is kept when the file ends the day before, and gives way to the file's where both have it."""
    history = history_of([bar(0, 10.0)])
    history.turn_to("d2", NEXT_NS, NEXT_NS + 390 * MINUTE)

    history.load_daily({"A": np.array([day(OPEN_NS - DAY, 8.0)])})
    assert history.daily("A")[:, CLOSE].tolist() == [8.0, 10.0]
    history.load_daily({"A": np.array([day(OPEN_NS - DAY, 8.0), day(OPEN_NS - 14 * HOUR, 9.9)])})
    assert history.daily("A")[:, CLOSE].tolist() == [8.0, 9.9]


def test_daily_histories_are_cleaned_and_bounded():
    """Unsound and unsorted rows are counted and left out; at most DAYS_MAX days stay, the newest."""
    history = History()
    good = [day(number * DAY) for number in range(DAYS_MAX + 10)]
    history.load_daily({"A": np.array([*good, day(5 * DAY), day(10_000 * DAY, -3.0)])})

    assert len(history.daily("A")) == DAYS_MAX
    assert history.daily("A")[-1, AT] == (DAYS_MAX + 9) * DAY
    assert history.rejected == {"unsound": 1, "stale": 1}


def test_a_restarted_process_has_its_bars_sessions_and_equity_again(tmp_path):
    """What one process took in, the next finds in the cache, and it rolls what the first did not live to roll."""
    first = history_of([bar(0), bar(1, 12.0)], tmp_path / "bars.db")
    first.load_daily({"A": np.array([day(OPEN_NS - DAY, 8.0)])})
    first.mark(100_500.0)
    first.close()

    second = History(tmp_path / "bars.db")

    assert second.session == "d1"
    assert second.today("A", CLOSE_NS)[:, CLOSE].tolist() == [10.0, 12.0]
    assert second.equity == {"d1": 100_500.0}
    second.turn_to("d2", NEXT_NS, NEXT_NS + 390 * MINUTE)
    assert second.daily("A")[:, CLOSE].tolist() == [8.0, 12.0]
    second.close()
    assert History(tmp_path / "bars.db").daily("A")[:, CLOSE].tolist() == [8.0, 12.0]


def test_an_unreadable_cache_is_thrown_away(tmp_path):
    """A cache holds nothing that is not elsewhere: rubbish in its place must not keep the worker from starting."""
    path = tmp_path / "bars.db"
    path.write_bytes(b"rubbish" * 1000)

    history = history_of([bar(0)], path)
    history.close()

    assert len(History(path).today("A", CLOSE_NS)) == 1


def test_a_cache_that_stops_writing_does_not_stop_the_thinking(tmp_path):
    """Its file closed under it, bars are still taken in."""
    history = history_of(cache=tmp_path / "bars.db")
    history._cache.base.close()

    history.add([bar(0)])
    history.add([bar(1)])

    assert len(history.today("A", CLOSE_NS)) == 2


def test_equity_is_marked_for_the_session_under_way_only():
    """The last mark of a session is its own; before any session, or without a number, nothing is noted."""
    history = History()
    history.mark(1.0)
    history.turn_to("d1", OPEN_NS, CLOSE_NS)
    for equity in (100.0, 90.0, float("nan"), 0.0):
        history.mark(equity)

    assert history.equity == {"d1": 90.0}
    assert history.marks == [100.0, 90.0]


def test_minutes_round_the_clock_hold_more_than_a_day():
    """1,440 minutes and more are there at any moment after as many came."""
    history = history_of(bar(minute) for minute in range(3 * MINUTES_MAX))

    assert 1440 < len(history.minutes["A"].rows) <= MINUTES_MAX


def test_rows_keep_the_order_of_their_columns():
    """Open is column OPEN."""
    assert rows([bar(0, 10.0)])[0, OPEN] == 10.0
