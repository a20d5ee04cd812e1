"""The stream behind `joectl watch`."""

import json
from contextlib import contextmanager

from joed.daemon.lanes import Limits
from joed.daemon.reads import Record
from joed.model.events import OrderAccepted
from tests.daemon.serving import OPEN, received, request, serving

QUICK = Limits(watch_poll_s=0.005, ping_s=0.02, watch_page=3)


@contextmanager
def watching(server, query=""):
    """Open a stream, and give what reads its next line that is no ping."""
    with server.connect() as wire:
        wire.sendall(request("GET", f"/v1/watch{query}", {}).replace(b"HTTP/1.1", b"HTTP/1.0"))
        file = wire.makefile("rb")
        while file.readline().strip():
            pass
        yield lambda pings=False: next(line for line in map(json.loads, file) if pings or line["kind"] != "ping")
        file.close()


def record(seq):
    """Give a record."""
    return Record(seq, OPEN, OrderAccepted(f"o{seq}", "17"))


def grow(server, *seqs):
    """Let records become durable."""
    server.desk.kept += [record(seq) for seq in seqs]
    server.desk.state.seq = seqs[-1]


def test_a_watch_begins_with_where_it_stands_and_goes_on_with_what_comes(tmp_path):
    """A hello with seq and phase, then only what is new, each record once and in order."""
    with serving(tmp_path / "s", limits=QUICK) as server, watching(server) as line:
        hello = line()
        grow(server, 50, 51)

        assert (hello["kind"], hello["seq"], hello["phase"]) == ("hello", 41, "TRADING")
        assert [line()["seq"], line()["seq"]] == [50, 51]
        grow(server, 52)
        assert line()["event"]["order"] == "o52"


def test_a_watch_since_a_seq_gives_all_that_came_after_it(tmp_path):
    """More than fits a page comes page by page, nothing left out and nothing twice."""
    with serving(tmp_path / "s", limits=QUICK) as server:
        server.desk.kept = [record(seq) for seq in range(10, 42)]
        with watching(server, "?since=20") as line:
            assert line()["kind"] == "hello"
            assert [line()["seq"] for _ in range(21)] == list(range(21, 42))


def test_what_is_no_longer_at_hand_is_a_gap_that_is_told(tmp_path):
    """Silence would look like nothing happened."""
    with serving(tmp_path / "s", limits=QUICK) as server:
        server.desk.first = 31
        with watching(server, "?since=20") as line:
            assert line()["kind"] == "hello"
            assert line() == {"kind": "gap", "from": 21, "to": 30}


def test_a_quiet_stream_pings(tmp_path):
    """Whoever hears nothing for three pings knows that the daemon hangs."""
    with serving(tmp_path / "s", limits=QUICK) as server, watching(server) as line:
        line()
        assert line(pings=True)["kind"] == "ping"


def test_watchers_are_counted_and_room_is_given_back(tmp_path):
    """One too many is told so; when one leaves there is room again."""
    with serving(tmp_path / "s", limits=Limits(watch_poll_s=0.005, ping_s=0.01, watchers=1)) as server:
        with watching(server) as line:
            line()
            assert server.get("/v1/watch")[2]["code"] == "busy"
        while server.get("/v1/watch?since=x")[2]["code"] == "busy":
            pass
        with watching(server) as line:
            assert line()["kind"] == "hello"


def test_a_since_that_is_no_number_is_refused(tmp_path):
    """Before anything is streamed."""
    with serving(tmp_path / "s", limits=QUICK) as server:
        assert server.get("/v1/watch?since=-1")[2]["code"] == "number_unreadable"


def test_the_daemons_end_is_said(tmp_path):
    """A goodbye tells an orderly stop from a crash."""
    with serving(tmp_path / "s", limits=QUICK) as server:
        wire = server.connect()
        wire.sendall(request("GET", "/v1/watch", {}))
        assert wire.recv(10)
    with wire:
        assert b'{"kind":"bye","seq":41}' in received(wire)
