"""One request, and every way in which it may not be answered."""

import os
import re
import socket
import threading
from contextlib import contextmanager

import pytest

from joectl.client import Failure, NotRunning, Silent, change, look, new_request_id, stream
from joed.protocol import Exit, Place
from tests.daemon.serving import serving


@contextmanager
def answering(path, data, *, hold=False):
    """Listen as something that is not joed: take one request and answer with these bytes."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(path))
    listening.listen()
    over = threading.Event()

    def serve():
        wire, _ = listening.accept()
        with wire:
            wire.recv(65536)
            wire.sendall(data)
            if hold:
                over.wait(10)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield Place(path, None, "a test")
    finally:
        over.set()
        thread.join(10)
        listening.close()


def test_a_look_gives_status_headers_and_json(tmp_path):
    """Header names in lower case, whatever the server writes."""
    with serving(tmp_path / "s") as server:
        reply = look(Place(server.socket, None, ""), "version", 5)

    assert (reply.status, reply.headers["joed-mode"], reply.body["mode"]) == (200, "paper", "paper")


def test_nobody_there_is_not_running(tmp_path):
    """No socket and a dead socket are told apart; both say how to start."""
    dead = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
        wire.bind(str(dead))

    for path, why in ((tmp_path / "none.sock", "no socket"), (dead, "a dead socket")):
        with pytest.raises(NotRunning, match=why) as caught:
            look(Place(path, tmp_path, "--socket"), "status", 5)
        assert caught.value.code is Exit.NOT_RUNNING
        assert str(tmp_path) in caught.value.hint


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 x\r\n\r\n",
    ],
)
def test_an_answer_that_is_not_whole_leaves_a_change_unknown_and_a_look_failed(tmp_path, data):
    """Half an answer is none: a change may have happened, a look surely changed nothing."""
    with answering(tmp_path / "a.sock", data) as place, pytest.raises(Silent) as changed:
        change(place, "pause", "k", 5, {})
    with answering(tmp_path / "b.sock", data) as place, pytest.raises(Failure) as looked:
        look(place, "status", 5)

    assert (changed.value.code, looked.value.code) == (Exit.UNKNOWN, Exit.FAILED)


def test_no_answer_in_time_leaves_a_change_unknown(tmp_path):
    """The time limit is the caller's, and is said."""
    with answering(tmp_path / "a.sock", b"", hold=True) as place, pytest.raises(Silent, match=r"within 0.05 s"):
        change(place, "pause", "k", 0.05, {})


def test_a_refusal_carries_its_exit_its_words_and_its_hint(tmp_path):
    """As the problem says, and the whole problem with it."""
    body = b'{"code": "not_permitted", "detail": "no", "hint": "join a group", "outcome": "none"}'
    answer = b"HTTP/1.1 403 Forbidden\r\n\r\n" + body
    with answering(tmp_path / "a.sock", answer) as place, pytest.raises(Failure) as caught:
        look(place, "status", 5)

    assert (caught.value.code, caught.value.words, caught.value.hint) == (Exit.NOT_PERMITTED, "no", "join a group")
    assert caught.value.fields["code"] == "not_permitted"


def test_an_outcome_that_joed_does_not_know_is_unknown_here_too(tmp_path):
    """The daemon's own time limit is as much in the dark as ours."""
    body = b'{"code": "timeout", "detail": "late", "outcome": "unknown"}'
    with answering(tmp_path / "a.sock", b"HTTP/1.1 504 Late\r\n\r\n" + body) as place, pytest.raises(Silent) as caught:
        change(place, "pause", "k", 5, {})

    assert caught.value.code is Exit.UNKNOWN


def test_a_refusal_that_is_no_json_is_shown_as_it_is(tmp_path):
    """Whatever stands at the socket, nothing raises past Failure."""
    with (
        answering(tmp_path / "a.sock", b"HTTP/1.1 500 Oh\r\n\r\n\xff<html>") as place,
        pytest.raises(Failure) as caught,
    ):
        look(place, "status", 5)

    assert "<html>" in caught.value.words


def test_an_early_refusal_is_heard_over_a_broken_pipe(tmp_path):
    """A body that is too large is refused before it was sent whole: the refusal is what counts."""
    with serving(tmp_path / "s") as server, pytest.raises(Failure) as caught:
        change(Place(server.socket, None, ""), "pause", "k", 5, {"reason": "x" * 3_000_000})

    assert caught.value.fields["code"] == "body_too_large"


def test_a_stream_that_falls_silent_ends_as_a_failure(tmp_path):
    """No ping for so long means that the daemon hangs."""
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    with answering(tmp_path / "a.sock", head + b'{"kind":"hello"}\nhalf', hold=True) as place:
        lines = stream(place, "watch", 5, 0.05)

        assert next(lines) == b'{"kind":"hello"}'
        with pytest.raises(Failure, match="said nothing"):
            next(lines)


def test_a_stream_that_breaks_off_ends_as_a_failure(tmp_path):
    """Without a goodbye it was no orderly end."""
    with answering(tmp_path / "a.sock", b"HTTP/1.1 200 OK\r\n\r\n{}\n") as place:
        lines = stream(place, "watch", 5, 5)

        assert next(lines) == b"{}"
        with pytest.raises(Failure, match="ended"):
            next(lines)


def test_a_socket_deep_in_the_tree_is_reached(tmp_path):
    """A demo's state directory may lie anywhere."""
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    with serving_deep(deep) as place:
        assert look(place, "version", 5).status == 200


@contextmanager
def serving_deep(directory):
    """Serve below a directory whose path no Unix address holds."""
    with serving(directory / "s") as server:
        assert len(os.fsencode(server.socket)) > 108
        yield Place(server.socket, None, "")


def test_request_ids_are_uuids_of_version_7_and_sort_by_time():
    """RFC 9562: the version and the variant in their places; never the same twice."""
    ids = [new_request_id() for _ in range(100)]

    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", id_) for id_ in ids)
    assert len(set(ids)) == 100
    assert [id_[:13] for id_ in ids] == sorted(id_[:13] for id_ in ids)
