"""The attacks on the control socket that joed must stand, one test each, on real sockets and with real users.

The rows are S1 to S16 of the catalogue in docs/failure-handbook.md; a test's name begins with its row.
"""

import asyncio
import json
import os
import resource
import select
import socket
import stat
import threading
import time
from contextlib import suppress

import pytest

from joectl import render
from joed import protocol
from joed.daemon.lanes import Limits, SocketTaken, listen
from joed.daemon.log import Log
from joed.daemon.peer import Door, Peer, role_of
from joed.errors import ConfigError
from joed.model.values import Leg
from joed.protocol import Role
from tests.daemon.apart import apart, closed, connected, descriptors, flood, looked_s, resident_bytes
from tests.daemon.serving import (
    nobody,
    parsed,
    put,
    received,
    request,
    serving,
    state_of_a_day,
    unconfirmed,
)
from tests.daemon.users import as_user, opened, passed
from tests.faults.measure import FULL, Attack, Watch, measured

AS_ROOT = pytest.mark.needs_root
STRANGER, VIEWER = 65534, 65533
KEY = {"Idempotency-Key": "k"}
MEBIBYTE = 1 << 20
KIBIBYTE = 1 << 10


@pytest.fixture
def server(tmp_path):
    """Serve a day."""
    with serving(tmp_path / "state") as running:
        yield running


@AS_ROOT
def test_s1_another_user_cannot_connect(server):
    """The kernel says EACCES before joed sees anything: 0660, and the directory leads there for its group alone."""
    opened(server.socket, mode=None)

    def knock():
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
            try:
                wire.connect(str(server.socket))
            except PermissionError:
                return b"EACCES"
        return b"connected"

    attack = Attack("S1")
    assert as_user(STRANGER, knock) == b"EACCES"
    attack.refused()
    assert server.get("/v1/status")[0] == 200
    attack.answered()
    assert stat.S_IMODE(server.socket.stat().st_mode) == 0o660


@AS_ROOT
@pytest.mark.parametrize("verb", ["kill", "confirm", "flush", "pause", "resume", "release"])
def test_s2_a_viewer_changes_nothing_and_leaves_a_trace(tmp_path, verb):
    """Denied, counted, and in the record with the kernel's word on who it was; looking is allowed."""
    with serving(tmp_path / "state", entrance=nobody()._replace(viewers=VIEWER)) as server:
        opened(server.socket)
        attack = Attack("S2")
        change = parsed(as_user(VIEWER, lambda: server.raw(request("POST", f"/v1/{verb}", KEY, b"{}"))))
        attack.refused()
        look = parsed(as_user(VIEWER, lambda: server.raw(request("GET", "/v1/status", {}))))
        attack.answered()

        assert (look[0], change[0], change[2]["code"]) == (200, 403, "not_permitted")
        assert server.control.counts[verb, 403] == 1
        (denied,) = server.desk.denied
        assert (denied.verb, denied.uid, denied.gid, denied.denied) == (verb, VIEWER, VIEWER, "not_permitted")
        assert (server.desk.asked, protocol.read_latch(server.state_dir)) == ([], None)


@AS_ROOT
def test_s2_a_flood_of_denied_requests_does_not_fill_the_record(tmp_path):
    """One record a second for each user; the counter has them all."""
    with serving(tmp_path / "state", entrance=nobody()._replace(viewers=VIEWER)) as server:
        opened(server.socket)
        data = request("POST", "/v1/kill", KEY, b"{}")
        as_user(VIEWER, lambda: b"".join(server.raw(data)[:1] for _ in range(30)))

        assert (len(server.desk.denied), server.control.counts["kill", 403]) == (1, 30)


@AS_ROOT
@pytest.mark.parametrize(("connector", "status"), [(STRANGER, 403), (0, 200)])
def test_s3_a_connection_belongs_to_who_opened_it(tmp_path, connector, status):
    """A descriptor that is handed to another process keeps the role of its connector, for better and for worse."""
    with serving(tmp_path / "state", entrance=nobody()) as server:
        opened(server.socket)
        sender = STRANGER if connector == 0 else 0
        attack = Attack("S3")
        answer = passed(server.socket, connector, sender, request("POST", "/v1/pause", KEY, b"{}"))
        attack.refused()

        assert answer[0] == status
        assert server.get("/v1/status")[0] == 200
        if status == 403:
            attack.answered()
        assert [asked.uid for asked in server.desk.asked] == ([0] if status == 200 else [])


@AS_ROOT
def test_s4_a_process_that_is_gone_lends_nobody_its_role(tmp_path):
    """Only uid and groups count: the connector has ended, its pid may be anybody's, and its role has not changed."""
    with serving(tmp_path / "state", entrance=nobody()) as server:
        opened(server.socket)
        attack = Attack("S4")
        answer = passed(server.socket, STRANGER, 0, request("POST", "/v1/pause", KEY, b"{}"))
        attack.refused()

        assert (answer[0], server.desk.asked) == (403, [])
        assert server.get("/v1/status")[0] == 200
        attack.answered()
    door = Door(uid=1000, operators=7, viewers=None)
    assert {role_of(Peer(pid, 5, 7, ()), door) for pid in (1, os.getpid(), 4_000_000)} == {Role.OPERATOR}


FLOODS = {
    "a line of 64 KiB and a byte": b"GET /" + b"x" * 65536,
    "a header without an end": b"GET /v1/status HTTP/1.1\r\nHost: joed\r\nX: " + b"y" * 65536,
    "a body of 64 KiB and a byte": request("POST", "/v1/kill", {**KEY, "Content-Length": 65537}) + b"z" * 65537,
}


@pytest.mark.parametrize("name", FLOODS)
def test_s5_what_is_too_long_is_closed_at_64_kib(server, name):
    """A refusal and the end; nothing of it is done."""
    attack = Attack("S5")
    status, _, body = parsed(server.raw(FLOODS[name]))
    attack.refused()

    assert (status in {400, 413, 431}, body["outcome"]) == (True, "none")
    assert server.desk.asked == []
    assert server.get("/v1/status")[0] == 200
    attack.answered()


@pytest.mark.parametrize("head", [b"", b"POST /v1/kill HTTP/1.1\r\nHost: joed\r\nIdempotency-Key: k\r\nX: "])
def test_s5_a_gibibyte_without_a_newline_takes_no_memory(tmp_path, head):
    """Whoever sends for ever is cut off after 64 KiB or so, and resident memory does not follow."""
    with apart(tmp_path) as (socket_path, pid):
        with connected(socket_path) as warm:
            warm.sendall(request("GET", "/v1/version", {}))
            received(warm)
        before = resident_bytes(pid)
        attack = Attack("S5")
        sent = flood(socket_path, head, total=1 << 30)
        attack.refused()
        after = resident_bytes(pid)
        looked_s(socket_path)
        attack.answered()

        assert sent < MEBIBYTE  # what the kernel's own buffers take, too
        assert after - before < MEBIBYTE


def test_s6_a_byte_at_a_time_is_dropped_and_others_are_not_kept_waiting(tmp_path):
    """The head must come whole within its time, however busily it trickles: 5 s, here but at full length a tenth."""
    assert Limits().head_s == 5.0
    head_s = 5.0 if FULL else 0.5
    with serving(tmp_path / "state", limits=Limits(head_s=head_s)) as server, server.connect() as slow:
        began, attack = time.monotonic(), Attack("S6")
        slow.settimeout(0.02)
        for byte in request("GET", "/v1/status", {"X": "y" * 500}):
            try:
                slow.sendall(bytes([byte]))
                assert slow.recv(1) == b""
                break
            except TimeoutError:
                assert server.get("/v1/version")[0] == 200
            except OSError:
                break
        else:
            raise AssertionError("it was let finish")
        attack.refused()
        assert server.get("/v1/status")[0] == 200
        attack.answered()
        assert time.monotonic() - began > 0.8 * head_s


@AS_ROOT
def test_s7_a_crowd_at_the_door_keeps_nobody_else_out(tmp_path):
    """5,000 connections of one user: 4 are let in, status stays quick for another, and a kill goes through at once."""
    crowd(tmp_path, 5_000)


def crowd(tmp_path, number):
    """Have one user open so many connections and another look, who waits no longer than a busy machine has him wait."""
    limits = Limits()
    beyond = limits.connections_uid + limits.kill_connections
    with apart(tmp_path, viewers=STRANGER) as (socket_path, pid):
        opened(socket_path)
        quiet = sorted(looked_s(socket_path) for _ in range(40))
        stop = os.pipe()

        def press():
            _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
            held, watch, first_ms = [], Watch(), 0.0
            while len(held) < number:
                with suppress(BlockingIOError):  # the queue at the door is full: again, as fast as it goes
                    held.append(connected(socket_path))
                if not first_ms and select.select(held[:100], [], [], 0)[0]:  # nobody speaks: it is closed
                    first_ms = watch.ms()
            held_open = sum(not closed(wire) for wire in held)
            os.read(stop[0], 1)
            return f"{held_open} of {len(held)}, {first_ms}".encode()

        answer = []
        thread = threading.Thread(target=lambda: answer.append(as_user(STRANGER, press)))
        thread.start()
        try:
            took = sorted(looked_s(socket_path) for _ in range(100))
            asks = [request("POST", "/v1/kill", {"Idempotency-Key": f"k{number}"}, b"{}") for number in range(5)]
            kills = [looked_s(socket_path, ask) for ask in asks]
            fds = descriptors(pid)
        finally:
            os.write(stop[1], b".")
            thread.join(60)

        held_open, asked, first_ms = answer[0].decode().replace(" of", ",").split(", ")
        assert int(held_open) <= beyond
        assert int(asked) == number
        measured("S7", detected_ms=float(first_ms), recovered_ms=max(*took, *kills) * 1e3)
        print(f"p99 {took[98] * 1e3:.1f} ms, quiet {quiet[-1] * 1e3:.1f} ms, kill {max(kills) * 1e3:.1f} ms")
        slow = max(0.1, 4 * quiet[-1])
        assert took[98] < slow
        assert max(kills) < slow
        assert fds < limits.connections + 40


def test_s8_a_reader_who_never_reads_fills_no_memory_and_is_dropped(tmp_path):
    """At most 256 KiB wait for it, and after 5 s (here but at full length a fraction) its connection is gone."""
    assert (Limits().write_s, Limits().write_bytes) == (5.0, 256 * KIBIBYTE)
    state = state_of_a_day()
    for number in range(6000):
        put(state, f"o{number}", "MSFT", Leg.ENTRY, "5", "410.00")
    with (
        serving(tmp_path / "s", state, limits=Limits(write_s=5.0 if FULL else 0.4)) as server,
        server.connect() as lazy,
    ):
        attack = Attack("S8")
        lazy.sendall(request("GET", "/v1/orders", {}))
        waiting = []
        lanes = server.control._runner.server
        while not waiting or lanes._uids:
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0.01), server.loop).result()
            waiting += [connection._wire.get_write_buffer_size() for connection in list(lanes._uids)]
            assert len(waiting) < 3000
        attack.refused()
        assert server.get("/v1/version")[0] == 200
        attack.answered()

        assert 0 < max(waiting) <= 256 * KIBIBYTE
        assert len(received(lazy)) < 2 * MEBIBYTE


BODIES = {
    "nested 100,000 deep": b"[" * 30_000 + b"]" * 30_000,
    "nested objects": b'{"args":' + b'{"scope":' * 5000 + b"1" + b"}" * 5001,
    "a name twice": b'{"reason": "a", "reason": "b"}',
    "an argument twice": b'{"args": {"scope": "entries", "scope": "account"}}',
    "NaN": b'{"reason": NaN}',
    "Infinity": b'{"reason": -Infinity}',
    "1e400": b'{"reason": 1e400}',
    "4,301 digits": b'{"reason": ' + b"9" * 4301 + b"}",
    "lone surrogate": b'{"reason": "\\ud800"}',
    "NUL": b'{"reason": "a\\u0000b"}',
    "raw NUL": b'{"reason": "a\x00b"}',
    "half a character": b'{"reason": "\xc3"}',
    "two values": b"{} {}",
    "a byte-order mark": b"\xef\xbb\xbf{}",
}


@pytest.mark.parametrize("name", BODIES)
def test_s9_json_that_is_none_or_too_much_is_a_typed_error(server, name, caplog):
    """Never a traceback, never a guess at which of two was meant; the daemon goes on."""
    attack = Attack("S9")
    status, headers, body = server.post("kill", BODIES[name])
    attack.refused()
    assert server.get("/v1/status")[0] == 200
    attack.answered()

    assert (status, body["code"], body["outcome"]) == (422, body["code"], "none")
    assert body["code"] in {"body_unreadable", "reason_unreadable"}
    assert headers["content-type"] == protocol.PROBLEM_TYPE
    assert (server.desk.asked, caplog.text) == ([], "")


UNKNOWN = {
    "command": (404, "unknown_verb", lambda s: s.post("buy")),
    "field": (422, "body_unreadable", lambda s: s.post("pause", {"force": True})),
    "argument": (422, "argument_unknown", lambda s: s.post("pause", {"args": {"scope": "orders"}})),
    "API version": (400, "api_version", lambda s: s.post("pause", Joed_API="2.0")),
    "path version": (404, "unknown_verb", lambda s: s.get("/v9/status")),
    "wrong type": (422, "body_unreadable", lambda s: s.post("kill", {"args": {"scope": 1}})),
    "wrong shape": (422, "body_unreadable", lambda s: s.post("kill", {"args": []})),
    "a list": (422, "body_unreadable", lambda s: s.post("kill", b"[]")),
    "null": (422, "body_unreadable", lambda s: s.post("kill", b"null")),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_s10_what_is_not_in_the_schema_is_refused_by_name(server, name):
    """A word that joed does not know is never ignored: the sender meant something by it."""
    status, code, send = UNKNOWN[name]

    attack = Attack("S10")
    answer = send(server)
    attack.refused()
    assert server.get("/v1/status")[0] == 200
    attack.answered()

    assert (answer[0], answer[2]["code"]) == (status, code)
    assert server.desk.asked == []


def test_s11_pipelined_commands_are_one_command(server):
    """10,000 on one connection: the first is answered, the others are never read."""
    data = b"".join(request("POST", "/v1/pause", {"Idempotency-Key": f"k{n}"}, b"{}") for n in range(10_000))

    attack = Attack("S11")
    answer = server.raw(data)
    attack.refused()
    assert server.get("/v1/status")[0] == 200
    attack.answered()

    assert answer.count(b"HTTP/1.1 ") == 1
    assert len(server.desk.asked) == 1


def test_s11_twenty_changes_a_second_and_any_number_of_kills(server):
    """At the limit it goes through, beyond it not; a kill is outside, before and after."""
    attack = Attack("S11")
    codes = [server.post("pause", key=f"p{n}")[0] for n in range(25)]
    attack.refused()
    assert server.post("kill", key="k")[0] == 200
    attack.answered()
    kills = [server.post("kill", key=f"k{n}")[0] for n in range(25)]

    assert codes == [200] * 20 + [429] * 5
    assert kills == [200] * 25


def test_s12_a_replayed_request_is_answered_and_a_changed_one_refused(server):
    """The same body gets the same answer, byte for byte; another body, verb or user gets 422."""
    first = server.post("pause", {"reason": "one"})
    attack = Attack("S12")
    same = server.post("pause", {"reason": "one"})
    other = server.post("pause", {"reason": "two"})
    verb = server.post("flush", {"reason": "one"})
    attack.refused()
    assert server.get("/v1/status")[0] == 200
    attack.answered()

    assert (same[2], same[1]["idempotency-replayed"]) == (first[2], "true")
    assert [(answer[0], answer[2]["code"]) for answer in (other, verb)] == [(422, "key_reused")] * 2
    assert len(server.desk.asked) == 1


TRICKS = ["\x1b[2J\x1b[31mowned", "a\nAPPROVED b", "a\rb", "\x9b31m", "\u202egnp.exe", "\x07", "a\u2028b"]


@pytest.mark.parametrize("words", TRICKS)
def test_s13_words_that_steer_a_terminal_are_refused_in_and_written_out(server, words):
    """No reason carries them in; where another's words do, log, terminal and JSON show them and obey nothing."""
    attack = Attack("S13")
    assert server.post("pause", {"reason": words})[2]["code"] == "reason_unreadable"
    attack.refused()
    assert server.get("/v1/status")[0] == 200
    attack.answered()

    shown = render.cleaned({"words": words})["words"]
    assert shown.isprintable()
    assert json.dumps({"words": words}).isprintable()
    for form in ("text", "journald", "json"):
        (line, rest) = logged(form, words)
        assert (line.isprintable(), rest) == (True, "")


def logged(form, words):
    """Give what the log writes: the line, and what comes after its end."""
    read, write = os.pipe()
    log = Log(form, lambda: 0, descriptor=write)
    log.warning("alert", words=words)
    log.close()
    os.close(write)
    with os.fdopen(read, encoding="utf-8") as pipe:
        line, _, rest = pipe.read().partition("\n")
    return line, rest


@AS_ROOT
def test_s14_a_socket_that_somebody_else_made_is_refused(tmp_path):
    """Made beforehand by another user, in a directory that all may write, or a link: nothing is taken over."""
    path = tmp_path / "run" / "control.sock"
    listen(path, tmp_path).close()
    os.chown(path, STRANGER, STRANGER)
    attack = Attack("S14")
    with pytest.raises(ConfigError, match="in the way"):
        listen(path, tmp_path)
    attack.refused()
    path.unlink()
    listen(path, tmp_path).close()
    attack.answered()

    os.chown(path.parent, STRANGER, STRANGER)
    with pytest.raises(ConfigError, match="belongs to somebody else"):
        listen(path, tmp_path)
    os.chown(path.parent, 0, 0)
    path.parent.chmod(0o777)
    with pytest.raises(ConfigError, match="anybody may write"):
        listen(path, tmp_path)


def test_s14_a_link_is_not_followed_and_a_stale_socket_is_replaced(tmp_path):
    """A link stays what it was; a dead daemon's socket makes room, a living one's does not."""
    path = tmp_path / "run" / "control.sock"
    path.parent.mkdir()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="in the way"):
        listen(path, tmp_path)
    assert (path.is_symlink(), (tmp_path / "elsewhere").exists()) == (True, False)
    path.unlink()

    listen(path, tmp_path).close()
    with listen(path, tmp_path), pytest.raises(SocketTaken):
        listen(path, tmp_path)


def test_s15_of_two_confirmations_one_wins(server):
    """Two people sign at the same moment: one opens the day, the other hears that it is open."""
    unconfirmed(server.desk.state)
    card = server.get("/v1/confirm")[2]["hash"]
    server.desk.hold = asyncio.Event()
    answers, attack = [], Attack("S15")
    signers = [
        threading.Thread(target=lambda k=k: answers.append(server.post("confirm", {"args": {"card": card}}, key=k)))
        for k in ("a", "b")
    ]
    for signer in signers:
        signer.start()
    while len(server.desk.asked) < 2:
        pass
    server.loop.call_soon_threadsafe(server.desk.hold.set)
    for signer in signers:
        signer.join(10)
    attack.refused()
    assert server.get("/v1/status")[0] == 200
    attack.answered()

    assert sorted((answer[0], answer[2]["code"]) for answer in answers) == [(200, "ok"), (409, "nothing_to_confirm")]


def test_s16_a_guessed_card_is_guessed_five_times(server):
    """64 bits, five tries, then words that say for how long; the right card does not help whoever guessed."""
    unconfirmed(server.desk.state)
    card = server.get("/v1/confirm")[2]["hash"]
    stem = card.rpartition("-")[0]
    attack = Attack("S16")
    codes = [server.post("confirm", {"args": {"card": f"{stem}-{n:016x}"}}, key=f"g{n}")[2]["code"] for n in range(8)]
    attack.refused()
    assert server.get("/v1/status")[0] == 200
    attack.answered()
    right = server.post("confirm", {"args": {"card": card}}, key="right")

    assert len(card.rpartition("-")[2]) == 16
    assert codes == ["card_changed"] * 5 + ["confirm_locked"] * 3
    assert (right[0], right[2]["detail"]) == (422, "5 wrong cards: wait 15 minutes")
