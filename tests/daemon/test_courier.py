"""joed.daemon.courier: each message in a process with a deadline, its end an event, its address in no word."""

import asyncio
import os
import sys
from contextlib import asynccontextmanager

import pytest

from joed.daemon import courier as module
from joed.daemon.courier import QUEUE_MAX, Courier
from joed.daemon.credentials import Secrets
from joed.daemon.log import Log
from joed.model.channels import AlertChannel, AlertDelivered
from joed.model.commands import RaiseAlert, SendAlert
from joed.model.settings import Alerts
from joed.model.values import Severity
from tests.daemon.shell import until
from tests.daemon.sinks import Webhook

CANARY = "CANARY7q9z"


class Desk:
    """A courier with a credentials directory, what it emits, and the log it writes."""

    def __init__(self, path, timeout_s=20.0, **channels):
        self.path, self.events = path, []
        (path / "credentials").mkdir(mode=0o700)
        self.file = os.open(path / "log", os.O_WRONLY | os.O_CREAT)
        self.log = Log("journald", lambda: 0, descriptor=self.file)
        rows = channels or {"phone": AlertChannel("phone-url")}
        secrets = lambda: Secrets(path / "credentials", own=())  # noqa: E731 - read anew for each message
        self.courier = Courier(Alerts(timeout_s=timeout_s, channels=rows), self.log, self.events.append, secrets)

    def put(self, name, address):
        """Write a credential."""
        file = self.path / "credentials" / name
        file.touch(mode=0o600)
        file.write_text(address)

    def lines(self):
        """Give what the log says, once it has said all."""
        assert self.log.close()
        os.close(self.file)
        return (self.path / "log").read_text().splitlines()


@asynccontextmanager
async def running(desk):
    """Run the courier until all has left."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(desk.courier.run())
        yield
        await desk.courier.join()
        task.cancel()


@pytest.fixture
def webhook():
    """Give a webhook."""
    found = Webhook()
    yield found
    found.close()


def message(words="no stop", channel="phone", number=7):
    """Give a message."""
    return SendAlert(channel, number, ("c", "w"), Severity.CRITICAL, "joed live: CRITICAL", words)


async def test_a_message_leaves_by_its_channel_and_its_end_is_an_event_with_its_number(tmp_path, webhook):
    """Delivered says so; the words arrive without what is secret in them."""
    desk = Desk(tmp_path)
    desk.put("phone-url", f"json://127.0.0.1:{webhook.port}/{CANARY}")
    desk.log.hide(["broker-password"])

    async with running(desk):
        desk.courier.send(message("refused: broker-password is wrong"))

    assert desk.events == [AlertDelivered("c", "phone", Severity.CRITICAL, "", 7)]
    assert [post["message"] for post in webhook.posts] == ["refused: *** is wrong"]
    assert desk.lines() == []


async def test_what_fails_is_an_event_and_a_line_and_shows_nothing_of_the_address(tmp_path):
    """The canary is in the address, and nowhere in what people and records see."""
    desk = Desk(tmp_path)
    desk.put("phone-url", f"json://me:{CANARY}@127.0.0.1:1/{CANARY}?token={CANARY}")

    async with running(desk):
        desk.courier.send(message())
    desk.log.info("other", words=f"somebody wrote {CANARY} elsewhere")

    [event] = desk.events
    assert "onnection error" in event.failed
    lines = desk.lines()
    assert lines[0].startswith("<3>alert_not_delivered key=c,w channel=phone result=failed")
    assert CANARY not in f"{event}{lines}"


async def test_a_credential_that_lacks_is_told_with_the_next_step_and_read_anew_the_next_time(tmp_path, webhook):
    """Nothing of it is remembered: who writes the file needs no restart."""
    desk = Desk(tmp_path)

    async with running(desk):
        desk.courier.send(message())
        await desk.courier.join()
        desk.put("phone-url", f"json://127.0.0.1:{webhook.port}")
        desk.courier.send(message())

    assert desk.events[0].failed.startswith("no credential phone-url: neither")
    assert desk.events[1].failed == ""
    desk.lines()


@asynccontextmanager
async def hanging(over):
    """Give the address of a service that takes what comes and says nothing, and hangs up once it is over."""

    async def hang(reader, writer):
        await over.wait()
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        yield f"json://127.0.0.1:{server.sockets[0].getsockname()[1]}?rto=60&cto=60"


async def test_a_service_that_hangs_is_ended_at_its_deadline(tmp_path):
    """Whatever it is that does not answer, the process is gone by then."""
    over = asyncio.Event()
    async with hanging(over) as address:
        desk = Desk(tmp_path, timeout_s=2.5)
        desk.put("phone-url", address)

        async with running(desk):
            desk.courier.send(message())
        over.set()

    assert [event.failed for event in desk.events] == ["did not end within 2.5 s"]
    desk.lines()


async def test_a_service_that_hangs_holds_up_no_other(tmp_path, webhook):
    """The second leaves while the first still hangs."""
    over = asyncio.Event()
    async with hanging(over) as address:
        desk = Desk(tmp_path, timeout_s=60.0, slow=AlertChannel("slow-url"), quick=AlertChannel("quick-url"))
        desk.put("slow-url", address)
        desk.put("quick-url", f"json://127.0.0.1:{webhook.port}")

        async with running(desk):
            desk.courier.send(message(channel="slow"))
            desk.courier.send(message(channel="quick"))
            await until(lambda: desk.events, 60)
            over.set()

    assert [(event.channel, event.failed == "") for event in desk.events] == [("quick", True), ("slow", False)]
    desk.lines()


async def test_what_waits_is_bounded_and_what_does_not_fit_is_told(tmp_path, monkeypatch):
    """An event for each: the engine sends it again."""
    monkeypatch.setattr(module, "PROGRAM", (sys.executable, "-c", ""))
    desk = Desk(tmp_path)
    desk.put("phone-url", "json://127.0.0.1:1")

    for _ in range(QUEUE_MAX + 3):
        desk.courier.send(message())

    assert [event.failed for event in desk.events] == [f"{QUEUE_MAX} messages are waiting"] * 3
    desk.courier.settings = Alerts()
    async with running(desk):
        pass
    assert {event.failed for event in desk.events[3:]} == {"it is not set up any more"}
    desk.lines()


def test_where_no_engine_lives_an_alert_goes_by_every_channel_that_is_for_it(tmp_path):
    """The failsafe tells at once, by the second channel too: nobody will escalate for it."""
    desk = Desk(
        tmp_path,
        phone=AlertChannel("a", quiet="00:00-23:59 UTC"),
        backup=AlertChannel("b", Severity.CRITICAL, after_s=600),
    )

    desk.courier.spread(RaiseAlert("failsafe:1", Severity.CRITICAL, "all is closed"))
    desk.courier.spread(RaiseAlert("failsafe:2", Severity.WARNING, "all is well"))

    waiting = [desk.courier._queue.get_nowait() for _ in range(desk.courier._queue.qsize())]
    assert [(m.channel, m.title) for m in waiting] == [
        ("phone", "joed: CRITICAL"),
        ("backup", "joed: CRITICAL"),
        ("phone", "joed: WARNING"),
    ]
    desk.lines()
