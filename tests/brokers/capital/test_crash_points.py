"""Crash points C1 to C8 (reliability 6.5): wherever the process dies around an order, no order is ever doubled.

Each test dies with a photograph of the disk, taken at its point, and goes on from it against an account that lived on.
"""

import pytest

from joed.model.events import BrokerRead, OrderAccepted
from joed.model.values import SECOND, Status
from tests.brokers.capital.place import Place
from tests.brokers.rigs import bracket, permitted
from tests.faults.measure import measured


@pytest.fixture
def place(tmp_path):
    """Give an account that is connected, with a price."""
    (tmp_path / "state").mkdir()
    place = Place(tmp_path / "state")
    yield place
    place.close()


class Camera:
    """Takes one photograph: when permission is asked at the write, or at the first request of a path."""

    def __init__(self, place):
        self.place, self.film, self.asked = place, None, 0

    def at_the_write(self, command):
        """Be a permit; the second look is the one before the bytes."""
        self.asked += 1
        if self.asked == 2:
            self.film = self.place.photograph("write")
        return ""

    def at(self, path):
        """Take it as the service hears of this path."""

        def journal(_method, heard, _status):
            if heard.startswith(path) and self.film is None:
                self.film = self.place.photograph("heard")

        self.place.fake.journal = journal


def settled(place, seconds=40.0):
    """Give the last whole read once its search is over, with the account's own count of what was opened."""
    place.wait(seconds)
    return place.read(), place.posts(), place.exchange.position("AAA")


def proven_ns(place):
    """Read until no order is in doubt any more, and give when that was read."""
    for _ in range(30):
        if all(row.status is not Status.UNCERTAIN for row in place.read().orders):
            return max(at_ns for at_ns, event in place.heard.times if isinstance(event, BrokerRead))
    raise AssertionError("still in doubt")


def test_c1_a_crash_before_the_order_is_written_down_leaves_no_order(place):
    """Handed over, and the process died: nothing left, and the next read lacks it."""
    film = place.photograph("before")
    assert place.broker.submit(bracket(), permitted) == ""
    place.crash(film)
    seen, posts, position = settled(place)

    assert (posts, position) == (0, 0)
    assert (seen.orders, seen.ended) == ((), {})


def test_c2_a_crash_between_the_ledger_and_the_first_byte_leaves_no_order(place):
    """It may have been sent, for all that the disk knows: searched for two minutes, then absent, and never resent."""
    camera = Camera(place)

    def permit(command):
        camera.at_the_write(command)
        return "" if camera.asked < 2 else "the power went"

    place.broker.submit(bracket(), permit)
    place.wait()
    place.crash(camera.film)
    first = place.read()
    seen, posts, position = settled(place)

    assert [row.status for row in first.orders] == [Status.UNCERTAIN] * 3
    assert (posts, position) == (0, 0)
    assert (seen.orders, seen.ended) == ((), {})


@pytest.mark.parametrize("level", ["100.00", "99.00"])
def test_c3_a_crash_after_the_bytes_and_before_the_answer_finds_the_order(place, level):
    """The nasty window: no reference, no answer, one order; its fingerprint proves it, bought or resting."""
    camera = Camera(place)
    place.fake.faults.lose_answer("POST", "/")
    place.broker.submit(bracket(level=level), camera.at_the_write)
    place.wait()
    died_ns = place.clock.now()
    place.crash(camera.film)
    measured("F3", recovered_s=(proven_ns(place) - died_ns) / SECOND)
    seen, posts, position = settled(place, seconds=10.0)  # an entry that rests dies by itself after two minutes

    assert posts == 1
    assert position == (10 if level == "100.00" else 0)
    ours = {row.order: row.status for row in seen.orders}
    assert set(ours) | set(seen.ended) == {"E1", "E1-S", "E1-T"}
    assert ours["E1-S"] is (Status.WORKING if position else Status.ACKED)


def test_c4_a_crash_after_the_answer_and_before_its_reference_is_kept_finds_the_order(place):
    """The reference is lost with the process: as C3."""
    camera = Camera(place)
    place.broker.submit(bracket(), camera.at_the_write)
    place.wait()
    place.crash(camera.film)
    seen, posts, position = settled(place)

    assert (posts, position) == (1, 10)
    assert seen.ended["E1"] is Status.FILLED
    assert [fill.order for fill in seen.executions] == ["E1"]


@pytest.mark.parametrize("late_s", [0.0, 30.0])
def test_c5_a_crash_with_a_reference_and_no_confirmation_asks_for_it_again(place, late_s):
    """The confirmation may come late, or the books be first: one order, one fill."""
    camera = Camera(place)
    camera.at("/confirms")
    place.fake.faults.confirm_delay_s = late_s
    place.broker.submit(bracket(), permitted)
    place.wait(0.5)
    place.crash(camera.film)
    seen, posts, position = settled(place)

    assert (posts, position) == (1, 10)
    assert [fill.order for fill in seen.executions] == ["E1"]


def test_c6_a_crash_after_the_confirmation_and_before_it_is_kept_reads_it_again(place):
    """As C5: it is still there, or the position is."""
    camera = Camera(place)
    camera.at("/confirms")
    place.broker.submit(bracket(), permitted)
    place.wait()
    assert place.of(OrderAccepted)
    place.crash(camera.film)
    place.fake.faults.confirm_ttl_s = 0.0
    seen, posts, position = settled(place)

    assert (posts, position) == (1, 10)
    assert [fill.order for fill in seen.executions] == ["E1"]


def test_c7_a_crash_after_acceptance_while_the_position_lags_waits_for_it(place):
    """Accepted and kept, and no list shows it yet: never flat, never sent again."""
    place.fake.faults.positions_lag_s = 20.0
    place.broker.submit(bracket(), permitted)
    place.wait()
    place.crash(place.photograph("accepted"))
    early = place.read()
    seen, posts, position = settled(place)

    assert {row.status for row in early.orders} == {Status.UNCERTAIN}
    assert (posts, position) == (1, 10)
    assert {row.status for row in seen.orders} == {Status.WORKING}
    assert [held.quantity for held in seen.positions] == [10]


@pytest.mark.parametrize("gone", [False, True])
def test_c8_a_crash_after_a_rejection_and_before_it_is_kept_ends_the_order(place, gone):
    """Its confirmation says so; where that is gone too, absence proves it. Nothing was opened, nothing is."""
    camera = Camera(place)
    camera.at("/confirms")
    place.fake.faults.rejects.append("RC_NOT_ENOUGH_MARGIN")
    place.broker.submit(bracket(), permitted)
    place.wait()
    if gone:
        place.fake.faults.confirm_ttl_s = 0.0
    place.crash(camera.film)
    seen, posts, position = settled(place)

    assert (posts, position) == (1, 0)
    assert seen.orders == ()
    assert seen.ended == ({} if gone else dict.fromkeys(("E1", "E1-S", "E1-T"), Status.REJECTED))


def test_after_each_crash_the_id_is_never_taken_again(place):
    """The ledger remembers it: the same command handed over anew is a duplicate, at any point."""
    place.broker.submit(bracket(), permitted)
    place.wait()
    place.crash(place.photograph("after"))
    place.broker.submit(bracket(), permitted)
    place.wait()

    assert place.posts() == 1
    assert place.exchange.position("AAA") == 10
