"""The verbs of a person's hands, over a real socket."""

from decimal import Decimal

import pytest

from joectl.verbs.changes import again
from joed.model.events import Quote
from joed.model.state import Market
from joed.model.values import Leg, Status
from tests.daemon.serving import put, serving, state_of_a_day
from tests.joectl.running import joectl


def run(server, *words):
    """Run a verb against this server, whose clock is behind ours so that no deadline passes."""
    server.boottime_ns = 0
    return joectl(*words, state_dir=server.state_dir)


def day():
    """Give a State whose broker listens, with five MSFT of somebody else; what is held came from an entry."""
    state = state_of_a_day(external={"MSFT": Decimal(5)})
    state.brokers["paper"].read_ns = state.now
    state.resting["e2"] = None
    entry = put(state, "AAPL-e", "AAPL", Leg.ENTRY, "10", "199.50", Status.FILLED)
    entry.filled, entry.cost = entry.quantity, entry.quantity * entry.terms
    state.brokers["paper"].averages["MSFT"] = Decimal(400)
    state.markets["MSFT"] = Market("MSFT", quote=Quote("MSFT", 410.0, 410.1, received_ns=state.now))
    return state


def test_a_dry_run_shows_each_order_and_sends_nothing(tmp_path):
    """As a table for people, as they are in JSON; the books stay as they were."""
    with serving(tmp_path / "s", day()) as server:
        text = run(server, "cancel", "e2", "--dry-run")
        data = run(server, "flatten", "--all", "--dry-run", "--json")

        assert (text.code, text.out.splitlines()[0]) == (0, "would cancel e2 (BUY 5 MSFT)")
        assert text.out.splitlines()[1].startswith("  CancelOrder order=e2 reason=cancel by uid")
        assert text.out.splitlines()[-1] == "nothing was sent"
        assert [row["type"] for row in data.json["orders"]] == ["CancelOrder", "FlattenPosition", "AmendOrder"]
        assert data.json["dry_run"]
        assert server.desk.state.orders["e2"].status is Status.WORKING


def test_an_order_is_cancelled_and_a_position_closed_once_for_a_request(tmp_path):
    """The same id again gets the same answer."""
    with serving(tmp_path / "s", day()) as server:
        first = run(server, "cancel", "e2", "--request-id", "mine")
        second = run(server, "cancel", "e2", "--request-id", "mine")
        closed = run(server, "flatten", "AAPL", "--reason", "tired of it")

        assert (first.code, first.out) == (second.code, second.out)
        assert server.desk.state.orders["e2"].status is Status.CANCEL_ASKED
        assert closed.out.startswith("close 10 AAPL")
        assert "tired of it" in server.desk.state.positions["AAPL"].unwanted


def test_the_stop_of_a_position_stays_and_the_next_step_is_said(tmp_path):
    """A refusal, not a conflict: nothing that changes meanwhile makes it right."""
    with serving(tmp_path / "s", day()) as server:
        ran = run(server, "cancel", "AAPL-s", "--json")

        assert (ran.code, ran.json["code"]) == (1, "last_stop")
        assert "joectl flatten AAPL" in ran.err


def test_a_position_is_adopted_as_it_is_shown_now(tmp_path):
    """Its quantity travels with the request, so that joed can refuse when it has moved."""
    with serving(tmp_path / "s", day()) as server:
        moved = run(server, "adopt", "MSFT", "--stop", "390.00", "--quantity", "4")
        done = run(server, "adopt", "MSFT", "--stop", "390.00")

        assert (moved.code, "books_moved" in moved.out) == (5, False)
        assert "joectl brokers" in moved.err
        assert done.code == 0
        assert server.desk.asked[-1].args == {"instrument": "MSFT", "stop": "390.00", "quantity": "5"}
        assert server.desk.state.positions["MSFT"].quantity == 5


def test_a_doubt_is_resolved_with_a_reason(tmp_path):
    """By an admin, who says how they know."""
    state = day()
    state.orders["e2"].status = Status.UNCERTAIN
    with serving(tmp_path / "s", state) as server:
        ran = run(server, "resolve", "e2", "--absent", "--reason", "their screen shows none")

        assert ran.code == 0
        assert server.desk.state.orders["e2"].status is Status.ABSENT_PROVEN


@pytest.mark.parametrize(
    "words",
    [
        ("flatten",),
        ("flatten", "AAPL", "--all"),
        ("resolve", "e2", "--reason", "x"),
        ("resolve", "e2", "--absent", "--deal", "7", "--reason", "x"),
        ("resolve", "e2", "--absent"),
        ("cancel",),
    ],
)
def test_what_is_not_said_is_not_guessed(tmp_path, words):
    """Usage, before anything is asked of joed."""
    with serving(tmp_path / "s", day()) as server:
        assert run(server, *words).code == 2
        assert server.desk.asked == []


def test_a_name_in_small_letters_is_told_in_large_ones(tmp_path):
    """Nothing is guessed where positions are closed; what was meant is one line away."""
    with serving(tmp_path / "s", day()) as server:
        ran = run(server, "flatten", "aapl")

    assert (ran.code, "joectl flatten AAPL, if that was meant" in ran.err) == (5, True)


def test_what_to_type_again_is_what_was_typed():
    """Exit 6 names the very line."""
    assert again("cancel", {"order": "e2", "dry_run": "yes"}, "r") == "joectl cancel e2 --dry-run --request-id r"
    assert again("resolve", {"order": "e2", "deal": "absent"}, "r") == "joectl resolve e2 --absent --request-id r"
    assert again("resolve", {"order": "e2", "deal": "d7"}, "r") == "joectl resolve e2 --deal d7 --request-id r"
    adopt = {"instrument": "MSFT", "stop": "390", "quantity": "5"}
    assert again("adopt", adopt, "r") == "joectl adopt MSFT --stop 390 --quantity 5 --request-id r"
