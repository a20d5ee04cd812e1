"""joed.daemon.dead_man: whoever watches from outside hears joed while it is well, and only then."""

import pytest

from joed.daemon.courier import Courier
from joed.daemon.credentials import Secrets
from joed.daemon.dead_man import TOLD_EVERY_NS, DeadMan
from joed.daemon.log import Log
from joed.model.channels import DeadMan as Row
from joed.model.events import AlertDelivered
from joed.model.settings import Alerts
from joed.model.values import SECOND, Severity
from tests.daemon.sinks import Webhook


class Watched:
    """A dead man's switch with its watch, its health and its time in the test's hands."""

    def __init__(self, path):
        self.watch, self.events, self.why, self.now = Webhook(), [], "", 0
        (path / "watch-url").touch(mode=0o600)
        (path / "watch-url").write_text(f"http://127.0.0.1:{self.watch.port}/ping/CANARY7q9z")
        self.log = Log("journald", lambda: 0)
        settings = Alerts(timeout_s=20.0, dead_man=Row("watch-url", 60))
        self.courier = Courier(settings, self.log, secrets=lambda: Secrets(path, own=()))
        self.dead_man = DeadMan(self.courier, lambda: self.why, self.events.append, lambda: self.now)

    async def look(self, seconds=60):
        """Let the time come, and give what was emitted."""
        self.now += seconds * SECOND
        before = len(self.events)
        await self.dead_man.look()
        return [event.failed for event in self.events[before:]]


@pytest.fixture
def watched(tmp_path):
    """Give one."""
    found = Watched(tmp_path)
    yield found
    found.watch.close()
    found.log.close()


async def test_while_joed_is_well_the_watch_hears_it_and_the_record_is_not_filled_with_that(watched):
    """The first ping is an event, then one in ten minutes: both sides."""
    assert await watched.look() == [""]
    assert watched.events == [AlertDelivered("dead_man", "dead_man", Severity.INFO)]

    assert await watched.look(TOLD_EVERY_NS // SECOND - 1) == []
    assert await watched.look(1) == [""]
    assert [row["path"] for row in watched.watch.gets] == ["/ping/CANARY7q9z"] * 3


async def test_while_joed_is_not_well_no_ping_leaves_and_here_too_it_is_seen(watched):
    """Why it is withheld is an event each time, and so is the first that leaves again."""
    await watched.look()
    watched.why = "the journal cannot commit"

    assert await watched.look() == ["withheld: the journal cannot commit"]
    assert await watched.look() == ["withheld: the journal cannot commit"]
    assert len(watched.watch.gets) == 1
    watched.why = ""
    assert await watched.look() == [""]


async def test_a_watch_that_does_not_answer_well_is_told_without_its_address(watched):
    """A check that was deleted there looks well from here for ever, else."""
    watched.watch.status = 404

    assert await watched.look() == ["HTTP 404"]
    assert "CANARY" not in repr(watched.events)


async def test_without_a_credential_nobody_is_asked_and_a_reload_that_names_one_begins(watched):
    """And the first ping after that is news."""
    asked = watched.courier.settings
    watched.courier.settings = Alerts()
    assert await watched.look() == []

    watched.courier.settings = asked
    assert await watched.look() == [""]
