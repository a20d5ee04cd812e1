"""Alerts of a joed that runs, by the real apprise, to a web service and a mail server: told, told again, never lost."""

import signal
import subprocess
import sys

import pytest

from tests.daemon.sinks import Mailbox, Webhook
from tests.demos import QUIET, Demo

CANARY = "CANARY7q9z"
ALERTS = """\
repeat_s: 0.5
spacing_s: 0.2
channels:
  phone: {credential: phone-url}
  mail: {credential: mail-url, at_least: warning, after_s: 1}
dead_man: {credential: watch-url, every_s: 1}
"""
MORNING = "2026-09-01T13:15:30Z@1"
"""Fourteen and a half minutes before the bell in New York."""


NOON = "2026-09-01T16:00:00Z@1"


class Daemon(Demo):
    """A joed on paper at a given time of day, whose seconds are seconds."""

    def start(self):
        """Start it."""
        where = ["--daemon", "--state-dir", self.root, "--config", self.config, *self.words]
        with self.out.open("wb") as out, self.err.open("ab") as err:
            self.process = subprocess.Popen(
                [sys.executable, *self.program, *map(str, where)],
                env=self.env,
                stdout=out,
                stderr=err,
                stdin=subprocess.DEVNULL,
            )


class Scene:
    """A joed, where its alerts go, who watches it, and its credentials, each with a canary inside."""

    def __init__(self, root, *words, more=""):
        self.phone, self.watch, self.mail = Webhook(), Webhook(), Mailbox()
        secrets = root / "secrets"
        secrets.mkdir(mode=0o700)
        self.demo = Daemon(root, *words, env={"CREDENTIALS_DIRECTORY": str(secrets)})
        self.demo.config.write_text(QUIET + more)
        (root / "alerts.yaml").write_text(ALERTS)
        for name, address in {
            "phone-url": f"json://me:{CANARY}@127.0.0.1:{self.phone.port}/{CANARY}",
            "mail-url": f"{self.mail.address()}&name={CANARY}",
            "watch-url": f"http://127.0.0.1:{self.watch.port}/{CANARY}",
        }.items():
            (secrets / name).touch(mode=0o600)
            (secrets / name).write_text(address)

    def begin(self):
        """Start, or start again, and wait until it answers."""
        self.demo.start()
        self.demo.until(lambda shown: shown["phase"])

    def channel(self, name):
        """Give how a channel does, as a person is shown it."""
        return next(row for row in self.demo.ask("alerts", "--json").json["channels"] if row["name"] == name)

    def secret(self):
        """Say where a canary shows: in what people see, in the log, in the record."""
        places = {
            "alerts": self.demo.ask("alerts", "--json").out,
            "status": self.demo.ask("status", "--json").out,
            "log": self.demo.err.read_text(),
            **{path.name: path.read_bytes().decode("latin-1") for path in self.demo.root.glob("joed.db*")},
        }
        return [name for name, text in places.items() if CANARY in text]

    def end(self):
        """End all of it."""
        if self.demo.lives:
            self.demo.kill()
        self.demo.end_exchange()
        for sink in (self.phone, self.watch, self.mail):
            sink.close()


@pytest.fixture
def scene(tmp_path):
    """Give what makes a scene; it ends with the test."""
    made = []

    def make(*words, more=""):
        made.append(Scene(tmp_path, *words, more=more))
        return made[-1]

    yield make
    for one in made:
        one.end()


def kills(posts):
    """Give the messages about a kill."""
    return [post["message"] for post in posts if "orders: " in post["message"]]


def test_an_alert_is_told_once_again_by_the_second_channel_and_no_more_once_acknowledged(scene):
    """And meanwhile who watches from outside hears joed each second, until that fails and is seen here."""
    here = scene("--clock", NOON)
    here.begin()
    assert here.demo.ask("kill", "--no-wait").code == 0

    here.phone.wait(lambda hook: len(kills(hook.posts)) >= 2)
    here.mail.wait(len)
    assert here.demo.ask("ack", "--all").code == 0
    tried = here.demo.ask("alerts", "test", "phone")
    here.watch.status = 404
    shown = here.demo.until(lambda shown: "dead_man" in {need["code"] for need in shown["needs"]})

    first, second, *_ = kills(here.phone.posts)
    assert "told" not in first
    assert "told once before" in second
    people, mail = here.mail.mails[0]
    assert (people, mail["subject"].split(",")[0]) == (["me@example.com"], "joed paper: CRITICAL")
    assert (tried.code, tried.out) == (0, "phone has taken the test\n")
    assert "joed paper: test" in [post["title"] for post in here.phone.posts]
    state = here.demo.folded()
    seen = {key for key, telling in state.tellings.items() if telling.acked_ns}
    assert any(key.startswith("killed:") for key in seen)
    assert not seen & {key for row in state.channels.values() for key in row.owed}
    assert len(here.watch.gets) >= 2
    assert next(need["words"] for need in shown["needs"] if need["code"] == "dead_man").endswith("HTTP 404")
    assert here.secret() == []


def test_what_a_kill_minus_9_cut_off_while_it_was_being_sent_is_sent_by_the_next_process(scene):
    """Stored before it was sent: the web service had it in hand and never answered."""
    here = scene("--clock", NOON)
    here.begin()
    here.phone.answers.clear()
    assert here.demo.ask("kill", "--no-wait").code == 0
    here.phone.wait(lambda hook: len(kills(hook.posts)) == 1)
    assert here.channel("phone")["waiting"] == 1
    here.demo.kill()
    here.phone.answers.set()

    here.begin()
    here.phone.wait(lambda hook: len(kills(hook.posts)) == 2)

    first, second = (words.split(" (")[0].splitlines()[0] for words in kills(here.phone.posts)[:2])
    assert first == second
    assert here.secret() == []


def test_a_day_that_nobody_confirmed_is_told_by_mail_while_the_telephone_is_down_and_there_when_it_is_back(scene):
    """The first channel's failure is seen; a reload tries it at once, and the alert is still there."""
    here = scene("--clock", MORNING, "--confirm", "manual", more="confirm: {paper: true}\n")
    port = here.phone.port
    here.phone.close()
    here.begin()

    here.mail.wait(len)
    shown = here.demo.until(lambda shown: "alert_channel" in {need["code"] for need in shown["needs"]})
    tried = here.demo.ask("alerts", "test", "phone")
    here.phone = Webhook(port)
    here.demo.process.send_signal(signal.SIGHUP)
    here.phone.wait(lambda hook: len(hook.posts))

    said = here.mail.mails[0][1].get_content()
    assert "session 2026-09-01 opens in 14 min and is not confirmed, so nothing is opened: joectl confirm" in said
    assert "opens in 14 min and is not confirmed" in here.phone.posts[0]["message"]
    assert any(need["words"].startswith("alerts do not leave by the phone: ") for need in shown["needs"])
    assert (tried.code, "phone does not deliver: " in tried.err) == (1, True)
    assert here.secret() == []
