"""joed.daemon.web.curves: lines that are bounded, whatever the day."""

from msgspec.structs import replace

from joed.daemon.web.curves import LINES_MAX, POINTS_MAX, Curves, Line
from joed.engine.step import step
from joed.engine.view import view
from joed.model.values import SECOND, Crossing
from tests.engine.build import START, D, armed, holding, quote, trigger


def test_a_line_takes_one_point_a_second():
    """What comes sooner is no news for a line of a day."""
    line = Line()

    for at in (0, SECOND // 2, SECOND, 2 * SECOND):
        line.add(at, 1.0)

    assert [at for at, _ in line.points] == [0, 1000, 2000]


def test_a_full_line_keeps_its_ends_and_half_its_points():
    """It never holds more than its bound, and reaches from the first moment to the last."""
    line = Line()

    for second in range(5 * POINTS_MAX):
        line.add(second * SECOND, float(second))
        assert len(line.points) <= POINTS_MAX

    assert line.points[0] == (0, 0.0)
    assert line.points[-1][0] >= (5 * POINTS_MAX - line.step_ns // SECOND) * 1000
    assert len(line.points) > POINTS_MAX // 2


def test_prices_of_what_is_held_and_the_days_result_are_kept():
    """A point a View, in milliseconds of UTC."""
    curves, state = Curves(), holding("AAPL")
    curves.look(view(state))
    step(state, START + SECOND, quote("AAPL", 202.0, at=START + SECOND))
    curves.look(view(state))

    rows = curves.rows()

    assert rows["session"] == "2026-09-21"
    assert [value for _, value in rows["day"]] == [-0.05, 20.1]
    assert [value for _, value in rows["prices"]["AAPL"]] == [199.995, 202.01]
    assert rows["day"][0][0] == START // 1_000_000


def test_a_triggers_price_is_the_one_that_its_distance_was_counted_from():
    """So the line of a position begins before its entry; it holds for both ways of crossing."""
    for crossing, level in ((Crossing.ABOVE, "200.00"), (Crossing.BELOW, "190.00")):
        curves, state = Curves(), armed(trigger(level=level, crossing=crossing))
        step(state, START, quote("AAPL", 194.98, 195.0))
        curves.look(view(state))
        ((_, price),) = curves.rows()["prices"]["AAPL"]
        assert round(price, 6) == 195.0


def test_another_session_begins_anew():
    """Yesterday's result is not today's."""
    curves, shown = Curves(), view(holding())
    curves.look(shown)
    curves.look(replace(shown, clock=replace(shown.clock, session="2026-09-22"), utc_ns=shown.utc_ns + SECOND))

    assert len(curves.rows()["day"]) == 1


def test_there_are_at_most_so_many_lines():
    """The oldest goes first."""
    curves, shown = Curves(), view(holding())
    (row,) = shown.positions
    for number in range(LINES_MAX + 3):
        curves.look(replace(shown, positions=(replace(row, instrument=f"I{number}"),)))

    assert len(curves.rows()["prices"]) == LINES_MAX
    assert "I0" not in curves.rows()["prices"]


def test_what_an_earlier_process_left_of_the_session_comes_first():
    """The day's line goes on over a crash: its marks are in the record; what was open before the day does not count."""
    shown = view(holding())
    shown = replace(shown, daily_pnl=shown.realised + shown.unrealised - shown.fees - 7, utc_ns=shown.now_ns + SECOND)
    curves, asked = Curves(), []

    def marks(session):
        asked.append(session)
        return [(shown.now_ns - 60 * SECOND, D("10.00")), (shown.now_ns - 30 * SECOND, D("12.50"))]

    curves.look(shown, marks)
    curves.look(replace(shown, utc_ns=shown.utc_ns + SECOND), marks)

    assert asked == ["2026-09-21"]
    assert [value for _, value in curves.rows()["day"]][:2] == [3.0, 5.5]
    assert curves.rows()["day"][0][0] == (shown.utc_ns - 60 * SECOND) // 1_000_000
    assert len(curves.rows()["day"]) == 4
