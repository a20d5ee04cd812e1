"""The verbs that change something."""

import asyncio

from joed.daemon.lanes import Limits
from joed.model.commands import RaiseAlert
from joed.model.values import Mode, Severity
from tests.daemon.serving import killed, serving, state_of_a_day, unconfirmed
from tests.joectl.running import joectl, typed


def run(server, *words, **more):
    """Run a verb against this server, whose clock is behind ours so that no deadline passes."""
    server.boottime_ns = 0
    return joectl(*words, state_dir=server.state_dir, **more)


def test_a_pause_and_its_end_say_what_they_did(tmp_path):
    """The engine's own words; the reason is recorded."""
    with serving(tmp_path / "s") as server:
        pause = run(server, "pause", "--reason", "lunch")
        resume = run(server, "resume")

        assert (pause.code, pause.out) == (0, "entries are paused\n")
        assert resume.code == 0
        assert server.desk.asked[0].reason == "lunch"


def test_a_conflict_is_5_and_a_refusal_1(tmp_path):
    """Nothing to resume is a conflict with what is so; the request's id is there to ask again."""
    with serving(tmp_path / "s") as server:
        again = run(server, "resume", "--json")

        assert (again.code, again.json["code"], bool(again.json["request"])) == (5, "nothing_to_resume", True)


def test_the_same_request_id_does_it_once(tmp_path):
    """What a person does after exit 6."""
    with serving(tmp_path / "s") as server:
        first = run(server, "pause", "--request-id", "mine")
        second = run(server, "pause", "--request-id", "mine")

        assert (first.out, first.code) == (second.out, second.code)
        assert [asked.request for asked in server.desk.asked] == ["mine"]


def test_an_unknown_outcome_is_6_with_the_command_that_finds_out(tmp_path):
    """The very line to type, under the same key."""
    with serving(tmp_path / "s", limits=Limits(handler_s=0.1)) as server:
        server.desk.hold = asyncio.Event()
        ran = run(server, "pause", "--request-id", "mine")

        assert ran.code == 6
        assert "the outcome is unknown" in ran.err
        assert "next: joectl pause --request-id mine" in ran.err


def test_a_request_that_waited_beyond_its_time_limit_is_refused(tmp_path):
    """The deadline travels with it, on a clock that both ends share."""
    with serving(tmp_path / "s") as server:
        server.boottime_ns = 1 << 62
        ran = joectl("pause", "--json", state_dir=server.state_dir)

        assert (ran.code, ran.json["code"], server.desk.asked) == (1, "too_late", [])


def test_a_flush_prints_the_durable_seq(tmp_path):
    """In words and in JSON."""
    with serving(tmp_path / "s") as server:
        assert run(server, "flush").out == "durable to seq 42\n"
        assert run(server, "flush", "--json").json["seq"] == 43


def test_a_release_needs_a_reason_before_anything_is_sent(tmp_path):
    """Hard to start again: usage, not a refusal, and nothing asked."""
    with serving(tmp_path / "s", killed(state_of_a_day())) as server:
        without = run(server, "release")
        given = run(server, "release", "--reason", "the cause is gone")

        assert (without.code, given.code) == (2, 0)
        assert [asked.reason for asked in server.desk.asked] == ["the cause is gone"]
        assert server.desk.state.killed is None


def test_a_card_is_not_signed_without_a_hand(tmp_path):
    """No terminal, no --card, no --yes: the card is shown, nothing is asked, exit 2."""
    with serving(tmp_path / "s", unconfirmed(state_of_a_day())) as server:
        ran = run(server, "confirm", "--no-input")

        assert (ran.code, server.desk.asked) == (2, [])
        assert "PAPER-1, mode paper" in ran.out
        assert "--card" in ran.err


def test_a_card_is_signed_by_its_hash_or_as_it_is(tmp_path):
    """--card signs that one only; --yes whatever it is; a second time there is nothing to sign."""
    with serving(tmp_path / "s", unconfirmed(state_of_a_day())) as server:
        shown = run(server, "confirm", "--json").json
        server.desk.state.day.equity_start += 1
        wrong = run(server, "confirm", "--card", shown["hash"])
        shown = run(server, "confirm", "--json").json
        right = run(server, "confirm", "--card", shown["hash"])
        again = run(server, "confirm", "--yes")

        assert (wrong.code, right.code, again.code) == (5, 0, 5)
        assert server.desk.asked[-1].args == {"card": shown["hash"]}
        assert "the card has changed" in wrong.err
        assert "equity  100000 -> 100001" in wrong.err


def test_a_paper_card_is_signed_by_yes_and_by_nothing_else(tmp_path):
    """Typed on a terminal."""
    with serving(tmp_path / "s", unconfirmed(state_of_a_day())) as server:
        server.boottime_ns = 0
        no, _ = typed("no", "confirm", state_dir=server.state_dir)
        yes, screen = typed("yes", "confirm", state_dir=server.state_dir)

        assert (no, yes) == (1, 0)
        assert "is confirmed" in screen


def test_a_live_card_is_signed_by_typing_the_account(tmp_path):
    """So that nobody signs real money out of habit."""
    state = unconfirmed(state_of_a_day(mode=Mode.LIVE, examined_ns=1))
    with serving(tmp_path / "s", state) as server:
        server.boottime_ns = 0
        habit, _ = typed("yes", "confirm", state_dir=server.state_dir)
        meant, screen = typed("PAPER-1", "confirm", state_dir=server.state_dir)

        assert (habit, meant) == (1, 0)
        assert "this is a live account" in screen


def test_a_reload_whose_files_are_not_sound_says_where_and_changes_nothing(tmp_path):
    """Exit 1; each problem on a line of its own, with the next thing to do."""
    with serving(tmp_path / "s") as server:
        ran = run(server, "reload")

        assert (ran.code, [asked.verb for asked in server.desk.asked]) == (1, ["reload"])
        assert "the configuration is not sound: nothing was changed" in ran.err
        assert "joed --check" in ran.err


def test_an_alert_is_acknowledged_by_its_key_or_all_at_once(tmp_path):
    """One of the two must be said; what does not wait is a conflict, with the next step."""
    with serving(tmp_path / "s") as server:
        server.desk.state.alerts["k"] = RaiseAlert("k", Severity.CRITICAL, "look here")
        listed = joectl("alerts", state_dir=server.state_dir)
        neither = joectl("ack", state_dir=server.state_dir)
        one = joectl("ack", "k", state_dir=server.state_dir)
        none = joectl("ack", "--all", state_dir=server.state_dir)

    assert (listed.code, "look here" in listed.out) == (0, True)
    assert (neither.code, one.out) == (2, "1 alert acknowledged\n")
    assert (none.code, "joectl alerts" in none.err) == (5, True)


def test_a_channel_that_there_is_not_is_refused_with_those_that_there_are(tmp_path):
    """Without a name it is usage; the test itself is seen in tests/wired/test_alerts.py."""
    with serving(tmp_path / "s") as server:
        server.boottime_ns = 0
        nameless = joectl("alerts", "test", state_dir=server.state_dir)
        unknown = joectl("alerts", "test", "pager", state_dir=server.state_dir)

    assert (nameless.code, "name a channel" in nameless.err) == (2, True)
    assert (unknown.code, "there is no channel 'pager'" in unknown.err) == (1, True)
    assert "alerts.yaml sets them up" in unknown.err
