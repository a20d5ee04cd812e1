"""Who may do what, over a real socket as real users: reducing risk is never harder than raising it."""

import json
import os
import socket
import traceback
from contextlib import contextmanager

import pytest

from joed.daemon.lanes import Limits
from joed.daemon.peer import Door
from joed.protocol import MUTATIONS, Role, Way
from tests.daemon.serving import parsed, received, request, serving

OPERATORS, VIEWERS = 64_001, 64_002
ROLES = {"stranger": (), "viewer": (VIEWERS,), "operator": (OPERATORS,), "admin": None}
"""Which groups a user of this role is in; None is root."""
RANKS = {"stranger": Role.ANY, "viewer": Role.VIEWER, "operator": Role.OPERATOR, "admin": Role.ADMIN}
PAIRS = {"pause": "resume", "kill": "release"}
"""What reduces risk, and what takes that back."""


def test_raising_risk_never_needs_less_than_reducing_it():
    """Each verb has its way; the whole group of operators may stop, and no viewer may start anything."""
    reduces = {verb: row for verb, row in MUTATIONS.items() if row.way is Way.REDUCES}
    raises = {verb: row for verb, row in MUTATIONS.items() if row.way is Way.RAISES}

    assert set(reduces) >= {"pause", "kill", "cancel", "flatten"}
    assert set(raises) >= {"confirm", "release", "resume", "reload", "doctor", "resolve"}
    assert {row.role for row in reduces.values()} == {Role.OPERATOR}
    assert all(row.role >= Role.OPERATOR for row in MUTATIONS.values())
    assert all(MUTATIONS[other].role >= MUTATIONS[verb].role for verb, other in PAIRS.items())


def posted(role, verb, path):
    """POST a verb and give status and code."""
    with socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(60)
        wire.connect(path)
        wire.sendall(request("POST", f"/v1/{verb}", {"Idempotency-Key": f"{role}-{verb}"}))
        found, _, body = parsed(received(wire))
    return found, body.get("code")


def be(role, hears, says, path):
    """Become a user of this role, and post each verb that is heard."""
    try:
        if ROLES[role] is not None:
            os.setgroups(list(ROLES[role]))
            os.setgid(64_100)
            os.setuid(64_100)
        for verb in hears:
            print(json.dumps(posted(role, verb.strip(), path)), file=says, flush=True)
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(0)


@contextmanager
def somebody(role, path):
    """Give what posts a verb as a user of this role, in a process of its own whose ids are real.

    It is begun before the server's thread is: a fork beside threads has their locks as they happened to be.
    """
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        ours.close()
        be(role, theirs.makefile("r"), theirs.makefile("w"), path)
    theirs.close()
    with ours, ours.makefile("r") as hears, ours.makefile("w") as says:

        def post(verb):
            print(verb, file=says, flush=True)
            return json.loads(hears.readline())

        yield post
    os.waitpid(child, 0)


@pytest.mark.needs_root
@pytest.mark.parametrize("role", ROLES)
def test_each_verb_asks_the_kernel_who_is_there(tmp_path, role):
    """Exactly who may, may: without the role a verb is denied, with it the engine has its word (S2)."""
    entrance = Door(uid=64_999, operators=OPERATORS, viewers=VIEWERS)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    path = str(tmp_path / "s" / "run" / "control.sock")
    with (
        somebody(role, path) as post,
        serving(tmp_path / "s", limits=Limits(mutations_s=100), entrance=entrance) as server,
    ):
        assert str(server.socket) == path
        server.socket.parent.chmod(0o755)
        server.socket.chmod(0o666)  # the door itself is tested elsewhere; here the roles behind it
        codes = {verb: post(verb) for verb in MUTATIONS}

    for verb, (status, code) in codes.items():
        allowed = RANKS[role] >= MUTATIONS[verb].role
        assert (code == "not_permitted", status == 403) == (not allowed, not allowed), (verb, status, code)
