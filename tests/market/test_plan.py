"""What is meant to happen in an embedded day."""

from numpy.random import PCG64, Generator

from joed.market.grid import grid_of
from joed.market.listings import INDEX, LISTINGS, VIX
from joed.market.plan import CHARACTERS, around, fail, halt_of, jump, plan_of, rise, spike
from joed.model.values import SECOND

OPEN = 1_707_748_200 * SECOND
GRID = grid_of(OPEN, OPEN + 23_400 * SECOND)
PLANS = [plan_of(Generator(PCG64(seed)), GRID, LISTINGS, 0.01) for seed in range(300)]


def test_every_kind_of_day_comes_about_as_often():
    """Up, down and chop are drawn alike."""
    for character in CHARACTERS:
        assert 70 <= sum(plan.character == character for plan in PLANS) <= 130


def test_about_one_day_in_five_has_a_spike_and_one_in_four_a_halt():
    """Rare things are rare, and not too rare to be met in fifty seeds."""
    assert 40 <= sum(plan.spike_at is not None for plan in PLANS) <= 80
    assert 40 <= sum(plan.bad_print_at is not None for plan in PLANS) <= 80
    assert 55 <= sum(plan.halt is not None for plan in PLANS) <= 95


def test_everything_that_is_planned_lies_within_the_session():
    """No push starts before the open, none but a jump of two seconds ends after the close."""
    for plan in PLANS:
        for push in plan.pushes:
            assert GRID.opens <= push.begin <= push.end <= GRID.closes + 2
        if plan.halt:
            assert GRID.opens < plan.halt.begin < plan.halt.end <= GRID.closes


def test_a_down_day_falls_and_an_up_day_rises():
    """The index's drift over the day has the sign of its kind."""
    for plan in PLANS:
        drift = next(push.size for push in plan.pushes if push.symbol == INDEX)
        assert {"up": drift > 0.006, "down": drift < -0.006, "chop": abs(drift) < 0.003}[plan.character.name]


def test_a_trend_keeps_its_direction_and_a_failed_breakout_gives_all_back():
    """What rises goes one way; what fails ends no higher than it began."""
    chance = Generator(PCG64(1))
    for _ in range(50):
        assert rise(chance, GRID, LISTINGS[0])[0].size > 0
        up, down = fail(chance, GRID, LISTINGS[0])
        assert up.size > 0 >= up.size + down.size
        assert up.end == down.begin


def test_a_jump_takes_two_seconds():
    """News is at once."""
    (push,) = jump(Generator(PCG64(1)), GRID, LISTINGS[0])

    assert push.end - push.begin == 2


def test_a_spike_lifts_vix_at_once_and_pulls_the_index_down():
    """VIX is pushed by at least 16 % within four minutes, and keeps part of it."""
    up, loss, relief, recovery = spike(Generator(PCG64(1)), GRID, GRID.opens + 9000)

    assert (up.symbol, loss.symbol) == (VIX, INDEX)
    assert up.size >= 0.16
    assert up.end - up.begin < 240
    assert loss.size < 0 < recovery.size < -loss.size
    assert 0 < up.size + relief.size < up.size


def test_a_name_rushes_into_its_halt_and_reopens_elsewhere():
    """A halt follows a fast move, and its end is another move."""
    chance = Generator(PCG64(1))
    halt = halt_of(chance, GRID, LISTINGS[0])
    before, after = around(chance, halt)

    assert halt.end - halt.begin in {300, 600}
    assert abs(before.size) >= 0.03
    assert (before.end, after.end) == (halt.begin, halt.end)
