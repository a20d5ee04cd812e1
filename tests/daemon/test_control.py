"""The control socket from outside: who may, what is said, what is done once, and what nobody may do to it."""

import asyncio
import json
import os
import socket
import threading

import pytest

import joed
from joed import protocol
from joed.daemon.lanes import Limits
from joed.daemon.reads import Record
from joed.model.commands import Answer
from joed.model.events import OrderAccepted
from joed.model.values import SECOND, Leg
from joed.protocol import MUTATIONS
from tests.daemon.serving import (
    killed,
    nobody,
    parsed,
    put,
    received,
    request,
    serving,
    state_of_a_day,
    unconfirmed,
)
from tests.daemon.users import as_user, opened

AS_ROOT = pytest.mark.needs_root
"""To come as somebody else, a test must be able to become somebody else."""


@pytest.fixture
def server(tmp_path):
    """Serve a day."""
    with serving(tmp_path / "state") as running:
        yield running


LOOKS = ("status", "orders", "positions", "watchlist", "regime", "jobs", "brokers", "confirm", "version", "doctor")


@pytest.mark.parametrize("verb", LOOKS)
def test_every_look_is_json_and_says_where_it_stands(server, verb):
    """Each answer carries version, mode, instance and the durable seq, whatever was asked."""
    status, headers, body = server.get(f"/v1/{verb}")

    assert (status, headers["content-type"]) == (200, "application/json")
    assert headers["joed-version"] == joed.__version__
    assert (headers["joed-mode"], headers["joed-instance"], headers["joed-seq"]) == ("paper", "test", "41")
    assert isinstance(body, dict)


def test_status_tells_everything_and_keeps_the_answers_to_itself(server):
    """The phase by its own name, money as text, and nobody else's request ids."""
    server.desk.state.answers["other"] = Answer("other", "pause", "ok", "")

    _, _, body = server.get("/v1/status")

    assert (body["phase"], body["daily_pnl"]) == ("TRADING", "111.90")
    assert body["line"].startswith("TRADING: paper")
    assert body["state"]["pending_orders"] == ["AAPL-s", "AAPL-t", "e2"]
    assert "answers" not in body


def test_why_gives_the_record_of_an_order_and_what_is_left_of_it(server):
    """From the cause to the end, and where it stands now; a name that is in no record is not found."""
    server.desk.kept.append(Record(6, 9, OrderAccepted("e2", "18")))
    body = server.get("/v1/why/e2")[2]

    assert [record["event"]["broker_id"] for record in body["records"]] == ["18"]
    assert [order["instrument"] for order in body["now"]] == ["MSFT"]
    assert server.get("/v1/why/nobody")[2]["code"] == "order_unknown"
    assert server.get("/v1/why")[0] == 400


def test_a_change_becomes_an_event_with_the_kernels_word_on_who_asked(server):
    """uid, gid and pid are the peer's, the reason and arguments as they were given."""
    status, _, body = server.post("pause", {"reason": "lunch"})

    (asked,) = server.desk.asked
    assert (status, body["code"], body["verb"], body["request"]) == (200, "ok", "pause", "k1")
    assert (asked.verb, asked.request, asked.reason) == ("pause", "k1", "lunch")
    assert (asked.uid, asked.gid, asked.pid) == (os.getuid(), os.getgid(), os.getpid())


def test_a_refusal_of_the_engine_is_a_problem_with_its_own_name(server):
    """Nothing to resume is a conflict with what is, not a failure of joed."""
    status, headers, body = server.post("resume")

    assert (status, headers["content-type"]) == (409, "application/problem+json")
    assert (body["code"], body["outcome"], body["retryable"]) == ("nothing_to_resume", "none", False)


def test_a_card_is_signed_by_its_hash_and_no_other(server):
    """The card that was read is the card that is signed; after a fill it is another one."""
    unconfirmed(server.desk.state)
    card = server.get("/v1/confirm")[2]
    server.desk.state.positions["AAPL"].quantity += 1

    changed = server.post("confirm", {"args": {"card": card["hash"]}}, key="a")
    again = server.get("/v1/confirm")[2]
    signed = server.post("confirm", {"args": {"card": again["hash"]}}, key="b")

    assert (card["waits"], changed[0], changed[2]["code"]) == (True, 409, "card_changed")
    assert (signed[0], server.get("/v1/confirm")[2]["waits"]) == (200, False)


@pytest.mark.parametrize("verb", MUTATIONS)
def test_a_change_without_a_key_is_refused(server, verb):
    """Without one a retry could do it twice."""
    assert server.post(verb, key=None)[0] == 428
    assert server.desk.asked == []


def test_the_same_key_gets_the_same_answer_and_is_asked_once(server):
    """A joectl that died and tries again finds out what it did."""
    first = server.post("pause")
    second = server.post("pause")

    assert first[2]["words"] == second[2]["words"]
    assert "idempotency-replayed" not in first[1]
    assert second[1]["idempotency-replayed"] == "true"
    assert len(server.desk.asked) == 1


def test_a_refusal_is_replayed_as_a_refusal(server):
    """What was refused under a key stays refused under it."""
    first, second = server.post("resume"), server.post("resume")

    assert (first[0], first[2]) == (second[0], second[2])
    assert second[1]["idempotency-replayed"] == "true"


def test_an_answer_of_an_earlier_life_is_found_in_the_record(server):
    """The key is journalled: a restart between asking and hearing changes nothing."""
    server.desk.state.answers["old"] = Answer("old", "pause", "ok", "entries are paused")

    status, headers, body = server.post("pause", key="old")

    assert (status, headers["idempotency-replayed"], body["words"]) == (200, "true", "entries are paused")
    assert server.post("resume", key="old")[2]["code"] == "key_reused"
    assert server.desk.asked == []


def test_a_key_is_not_good_for_another_request(server):
    """Another verb or another body under the same key is a mistake, and nothing is done."""
    server.post("pause", {"reason": "one"})

    assert server.post("pause", {"reason": "two"})[2]["code"] == "key_reused"
    assert server.post("flush")[2]["code"] == "key_reused"
    assert len(server.desk.asked) == 1


def test_a_flush_answers_with_the_durable_seq_and_a_replay_with_the_same(server):
    """Two flushes under one key are one."""
    first = server.post("flush")
    server.desk.state.seq = 99
    second = server.post("flush")

    assert (first[2]["seq"], first[2]["words"], server.desk.flushed) == (42, "durable to seq 42", 1)
    assert second[2] == first[2]


def test_a_request_past_its_deadline_is_refused_unless_it_is_a_kill(server):
    """What waited in the socket of a dead daemon must not surprise anybody an hour later; a kill always may."""
    late = {"Joed_Deadline": server.boottime_ns - 1}

    assert server.post("pause", key="a", **late)[2]["code"] == "too_late"
    assert server.post("kill", key="b", **late)[0] == 200
    assert server.post("pause", key="c", Joed_Deadline=server.boottime_ns)[0] == 200
    assert [asked.verb for asked in server.desk.asked] == ["kill", "pause"]


def test_a_kill_latches_before_the_engine_answers(server):
    """The file is there while the engine still thinks: that is what a kill is for."""
    seen = []
    answer = server.desk.ask

    async def ask(asked):
        seen.append(protocol.read_latch(server.state_dir))
        return await answer(asked)

    server.desk.ask = ask
    status, _, body = server.post("kill", {"args": {"scope": "entries"}})

    assert seen == [("entries", os.getuid())]
    assert (status, body["latched"], body["trouble"]) == (200, True, "")


def test_a_kill_whose_latch_cannot_be_made_still_reaches_the_engine(server):
    """One layer that fails does not take the other with it, and the receipt says which."""
    (server.state_dir / "latch").write_text("in the way")

    status, _, body = server.post("kill")

    assert (status, body["latched"]) == (200, False)
    assert "latch file could not be made" in body["trouble"]
    assert server.desk.state.killed == "orders"


def test_a_kill_that_the_engine_does_not_answer_says_that_it_is_latched(tmp_path):
    """The gate is shut; that the cancels are still to come is said, not hidden."""
    with serving(tmp_path / "state", limits=Limits(kill_s=0.1)) as server:
        server.desk.hold = asyncio.Event()

        status, _, body = server.post("kill")

        assert (status, body["code"], body["latched"]) == (202, "latched", True)
        assert protocol.read_latch(server.state_dir)


def test_the_answer_to_a_kill_carries_its_receipt_and_so_does_a_look(server):
    """As of then, and as of now."""
    server.desk.state.resting["e2"] = None
    before = server.get("/v1/kill")[2]
    _, _, body = server.post("kill")
    after = server.get("/v1/kill")[2]

    assert (before["kill"], before["drill"]) == (None, None)
    assert body["kill"]["counts"] == after["kill"]["counts"] == {"asked": 1, "kept": 1}
    assert (body["kill"]["done"], body["kill"]["request"]) == (False, body["request"])
    assert body["kill"]["waits"] == ["entry e2 (MSFT): it is cancel asked"]


def test_how_long_a_kill_waited_is_told_to_who_counts(server):
    """A look at its receipt is no kill."""
    answer = server.desk.ask

    async def ask(asked):
        server.boottime_ns += 2_500_000
        return await answer(asked)

    server.desk.ask = ask
    server.get("/v1/kill")
    assert server.desk.kills_s == []
    server.post("kill")

    assert server.desk.kills_s == [0.0025]


def test_a_drill_makes_no_file_before_the_engine_has_said_yes(server):
    """The engine's own command makes it: a look at the wrong moment would take it for a real kill's."""
    status, _, body = server.post("kill", {"args": {"scope": "orders", "drill": "yes"}})

    assert (status, body["kill"]["drill"]) == (200, True)
    assert protocol.read_latch(server.state_dir) is None
    status, _, body = server.post("kill", {"args": {"drill": "yes"}}, key="again")
    assert (status, body["code"]) == (409, "already_killed")


def test_what_takes_too_long_has_an_unknown_outcome(tmp_path):
    """A look that times out did nothing; a change may have, and its key finds out."""
    with serving(tmp_path / "state", limits=Limits(handler_s=0.1)) as server:
        server.desk.hold = asyncio.Event()
        status, _, body = server.post("pause")
        assert (status, body["code"], body["outcome"], body["retryable"]) == (504, "timeout", "unknown", True)

        server.loop.call_soon_threadsafe(server.desk.hold.set)
        assert server.post("pause")[0] == 200


def test_the_same_request_twice_at_once_is_asked_once(tmp_path):
    """The second is told that the first is under way."""
    with serving(tmp_path / "state") as server:
        server.desk.hold = asyncio.Event()
        first = []
        thread = threading.Thread(target=lambda: first.append(server.post("pause")))
        thread.start()
        while not server.desk.asked:
            pass

        second = server.post("pause")
        server.loop.call_soon_threadsafe(server.desk.hold.set)
        thread.join(10)

        assert (second[0], second[2]["code"]) == (409, "in_flight")
        assert (first[0][0], len(server.desk.asked)) == (200, 1)


def test_a_fault_in_the_daemon_is_an_answer_not_a_silence(server, caplog):
    """Whoever asked hears that it failed, and that the outcome is not known."""

    async def ask(asked):
        raise AssertionError("we were wrong")

    server.desk.ask = ask
    status, _, body = server.post("pause")

    assert (status, body["code"], body["outcome"]) == (500, "fault", "unknown")
    assert "control_failed verb=pause" in caplog.text


def test_changes_are_paced_and_kills_are_not(tmp_path):
    """The eleventh in a second waits; a kill never does."""
    with serving(tmp_path / "state", limits=Limits(mutations_s=3)) as server:
        codes = [server.post("pause", key=f"p{number}")[0] for number in range(4)]
        kills = [server.post("kill", key=f"k{number}")[0] for number in range(4)]
        server.boottime_ns += SECOND

        assert (codes, kills) == ([200, 200, 200, 429], [200] * 4)
        assert server.post("pause", key="later")[0] == 200


@AS_ROOT
@pytest.mark.parametrize(("verb", "method"), [("status", "GET"), ("kill", "POST"), ("release", "POST")])
def test_a_stranger_may_ask_for_the_version_and_nothing_else(tmp_path, verb, method):
    """Who is in no group looks at nothing and changes nothing; what was refused is counted."""
    with serving(tmp_path / "state", entrance=nobody()) as server:
        opened(server.socket)
        answers = asked_as(65534, server.raw, request(method, f"/v1/{verb}", {"Idempotency-Key": "k"}, b"{}"))

        assert (answers[0], answers[2]["code"]) == (403, "not_permitted")
        assert asked_as(65534, server.raw, request("GET", "/v1/version", {}))[0] == 200
        assert server.desk.asked == []
        assert server.control.counts[verb, 403] == 1


@AS_ROOT
def test_an_operator_may_kill_but_not_release(tmp_path):
    """Easy to stop, hard to start again."""
    entrance = nobody()._replace(operators=65534)
    with serving(tmp_path / "state", killed(state_of_a_day()), entrance=entrance) as server:
        opened(server.socket)
        kill = asked_as(65534, server.raw, request("POST", "/v1/kill", {"Idempotency-Key": "a"}, b"{}"))
        release = asked_as(65534, server.raw, request("POST", "/v1/release", {"Idempotency-Key": "b"}, b"{}"))

        assert (kill[0], release[0]) == (200, 403)
        assert server.desk.asked[0].uid == 65534


def asked_as(uid, send, data):
    """Ask as another user."""
    return parsed(as_user(uid, lambda: send(data)))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil"}, 403),
        ({"Referer": "http://evil"}, 403),
        ({"Host": "evil"}, 421),
        ({"Host": "joed:80"}, 421),
        ({"Joed_API": "0.1"}, 400),
        ({"Joed_API": "x"}, 400),
        ({f"X_{number}": "y" * 1000 for number in range(9)}, 431),
        ({"X": "y" * 9000}, 400),
        ({f"X_{number}": "y" for number in range(40)}, 400),
    ],
)
def test_a_request_that_no_joectl_sends_is_refused(server, headers, status):
    """A browser, another host, another version, too many words: nothing of it reaches a verb."""
    answer = server.get("/v1/status", **headers)

    assert (answer[0], answer[1]["content-type"]) == (status, "application/problem+json")


def test_a_kill_fails_over_no_version(server):
    """A joectl that was upgraded before joed must still be able to stop it."""
    assert server.post("pause", Joed_API="9.9", key="a")[2]["code"] == "api_version"
    assert server.post("kill", Joed_API="9.9", key="b")[0] == 200


def test_a_request_without_a_host_is_refused(server):
    """HTTP/1.0 without one included."""
    assert parsed(server.raw(b"GET /v1/status HTTP/1.0\r\n\r\n"))[0] == 421


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "unknown_verb"),
        ("GET", "/v1/", 404, "unknown_verb"),
        ("GET", "/v2/status", 404, "unknown_verb"),
        ("GET", "/v1/../v1/status", 404, "unknown_verb"),
        ("GET", "/v1/%2e%2e/status", 404, "unknown_verb"),
        ("POST", "/v1/status", 405, "method"),
        ("DELETE", "/v1/kill", 405, "method"),
        ("GET", "/v1/release", 405, "method"),
    ],
)
def test_only_what_is_in_the_tables_is_there(server, method, path, status, code):
    """No path is a file, no method does what another does."""
    answer = parsed(server.raw(request(method, path, {"Idempotency-Key": "k"})))

    assert (answer[0], answer[2]["code"]) == (status, code)


BODIES = {
    "not json": b"pause",
    "not an object": b"[]",
    "unknown field": b'{"reason": "x", "force": true}',
    "unknown argument": b'{"args": {"force": "1"}}',
    "wrong type": b'{"args": {"scope": 1}}',
    "unknown scope": b'{"args": {"scope": "everything"}}',
    "deep": b'{"args":' + b'{"scope":' * 5000 + b"1" + b"}" * 5001,
    "deep list": b"[" * 60000,
    "no number": b'{"reason": NaN}',
    "huge number": b'{"reason": ' + b"9" * 5000 + b"}",
    "lone surrogate": b'{"reason": "\\ud800"}',
    "not utf-8": b'{"reason": "\xff"}',
    "nul": b'{"reason": "\\u0000"}',
    "escape": b'{"reason": "\\u001b[31m"}',
    "newline": b'{"reason": "a\\nb"}',
    "long reason": b'{"reason": "' + b"x" * 501 + b'"}',
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_not_what_the_verb_takes_changes_nothing(server, name):
    """Typed, bounded, printable, or refused by name; the daemon goes on."""
    status, _, body = server.post("kill", BODIES[name])

    assert (status, body["outcome"]) == (422, "none")
    assert server.desk.asked == []
    assert protocol.read_latch(server.state_dir) is None
    assert server.get("/v1/version")[0] == 200


@pytest.mark.parametrize(("size", "status"), [(65536, 422), (65537, 413)])
def test_a_body_holds_64_kib_and_not_a_byte_more(server, size, status):
    """Both sides of the limit: at it the words are judged, over it the size."""
    body = b'{"reason": "' + b"x" * (size - 14) + b'"}'
    assert len(body) == size

    assert server.post("pause", body)[0] == status


def test_a_chunked_body_is_bounded_too(server):
    """Without a Content-Length the bytes are counted as they come."""
    head = request("POST", "/v1/pause", {"Idempotency-Key": "k", "Transfer-Encoding": "chunked"})
    chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"

    assert parsed(server.raw(head + chunk * 5 + b"0\r\n\r\n"))[0] == 413


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET /v1/status HTTP/9.9\r\n\r\n",
        b"POST /v1/kill HTTP/1.1\r\nHost: joed\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"POST /v1/kill HTTP/1.1\r\nHost: joed\r\nContent-Length: -1\r\n\r\n",
        b"GET /v1/status HTTP/1.1\r\nHost: joed\r\nX\0: y\r\n\r\n",
    ],
)
def test_what_is_not_http_gets_a_problem_and_the_end(server, data):
    """Smuggled, truncated or of another protocol: one answer in our form, then the connection closes."""
    status, headers, body = parsed(server.raw(data))

    assert (status, headers["content-type"], body["code"]) == (400, "application/problem+json", "bad_request")
    assert server.desk.asked == []


def test_a_second_request_on_a_connection_is_not_read(server):
    """One request a connection: what is pipelined behind it does nothing."""
    data = request("GET", "/v1/version", {}) + request("POST", "/v1/pause", {"Idempotency-Key": "k"}, b"{}")

    answer = server.raw(data)

    assert answer.count(b"HTTP/1.1 ") == 1
    assert server.desk.asked == []


def test_a_slow_writer_is_dropped_and_nobody_waits_for_it(tmp_path):
    """A head that does not come whole in time, and a body that does not: both end, while others are served."""
    with serving(tmp_path / "state", limits=Limits(head_s=0.2, body_s=0.2)) as server:
        with server.connect() as half, server.connect() as body:
            half.sendall(b"GET /v1/status HTTP/1.1\r\nHost:")
            body.sendall(request("POST", "/v1/pause", {"Idempotency-Key": "k", "Content-Length": "9"}))

            assert server.get("/v1/status")[0] == 200
            assert received(half) == b""
            assert parsed(received(body))[0] == 408
        assert server.desk.asked == []


def test_an_answer_that_nobody_reads_is_dropped(tmp_path):
    """More than the buffers hold, and nobody takes it: the connection ends in time and its lane is free again."""
    state = state_of_a_day()
    for number in range(3000):
        put(state, f"o{number}", "MSFT", Leg.ENTRY, "5", "410.00")
    limits = Limits(handler_s=0.2, write_s=0.1, connections_uid=1)
    with serving(tmp_path / "s", state, limits=limits) as server, server.connect() as lazy:
        lazy.sendall(request("GET", "/v1/orders", {}))
        while server.get("/v1/version")[0] == 503:
            pass
        assert len(received(lazy)) < 1_000_000


def test_a_watcher_that_does_not_read_is_dropped(tmp_path):
    """A watcher whose buffers are full ends at the write's time limit; memory does not grow with it."""
    with serving(tmp_path / "state", limits=Limits(write_s=0.2, watch_poll_s=0.01, watchers=1)) as server:
        row = server.desk.kept[0]
        server.desk.kept = [type(row)(seq, row.now_ns, row.event) for seq in range(1, 40_000)]
        server.desk.state.seq = 40_000
        with server.connect() as slow:
            slow.sendall(request("GET", "/v1/watch?since=0", {}))
            assert slow.recv(10)
            while server.control.watchers:
                pass

        assert server.get("/v1/status")[0] == 200


def test_the_last_lane_is_kept_for_a_kill(tmp_path):
    """With every connection taken, a look is told so and a kill goes through."""
    with serving(tmp_path / "state", limits=Limits(connections_uid=2)) as server:
        with server.connect(), server.connect():
            busy = server.get("/v1/status")
            kill = server.post("kill")

        assert (busy[0], busy[2]["code"], busy[2]["retryable"]) == (503, "busy", True)
        assert kill[0] == 200


def test_idle_connections_cannot_fill_the_lane_of_the_kill(tmp_path):
    """The oldest one that asked nothing makes room: a kill always finds a place."""
    with serving(tmp_path / "state", limits=Limits(connections_uid=1, kill_connections=2)) as server:
        idle = [server.connect() for _ in range(6)]

        assert server.post("kill")[0] == 200
        assert [ended(wire) for wire in idle] == [False, True, True, True, True, False]


def ended(wire):
    """Say whether the other end closed this connection, and close it."""
    with wire:
        wire.setblocking(False)
        try:
            return wire.recv(1) == b""
        except BlockingIOError:
            return False


def test_the_socket_of_an_ended_control_answers_nobody(tmp_path):
    """After stop there is no one half alive."""
    with serving(tmp_path / "state") as server:
        assert server.get("/v1/status")[0] == 200
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire, pytest.raises(ConnectionRefusedError):
        wire.connect(str(server.socket))


def test_curl_gets_an_answer_it_can_read(server):
    """The form is plain HTTP/1.1 with a length: any client will do."""
    _, headers, body = server.get("/v1/version")

    assert int(headers["content-length"]) == len(json.dumps(body, separators=(",", ":")))
    assert headers["connection"] == "close"
    assert body["api"] == protocol.API
