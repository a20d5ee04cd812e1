"""joed.daemon.log: one line an event, no secret in any of them, and nobody ever waits for the reader."""

import fcntl
import json
import logging
import os
import socket
import sys
import threading
import warnings
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joed.daemon import log as module
from joed.daemon.log import Bridge, Log, adopt, pick_format
from joed.daemon.native import Native
from joed.model.values import Severity, Side
from tests.faults.measure import Attack

NOW = 1_790_000_000_123_456_789
STAMP = "2026-09-21 14:13:20.123"


class Desk:
    """A log and the file it writes to."""

    def __init__(self, path, form="journald", **keywords):
        self.path = path
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT)
        self.log = Log(form, lambda: NOW, descriptor=self.file, **keywords)

    def text(self):
        """Give what was written, once all is."""
        assert self.log.close(10)
        os.close(self.file)
        return self.path.read_text()


@pytest.fixture
def desk(tmp_path):
    """Give a function that makes a desk."""
    return lambda form="journald", **keywords: Desk(tmp_path / "log", form, **keywords)


def test_under_journald_what_is_about_an_order_is_an_entry_with_fields_and_no_secret(tmp_path):
    """The rest stays a line with its priority; where the journal is away, so does this."""
    path, reader, writer = tmp_path / "journal", *os.pipe()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
        wire.bind(str(path))
        log = Log("journald", lambda: 0, descriptor=writer, native=Native(path), secrets=["s3cret"])
        log.info("OrderFilled", order="j1-7", instrument="KO", words="s3cret words")
        log.info("ready")
        assert log.close()
        said = wire.recv(4096).decode().splitlines()
    late = Log("journald", lambda: 0, descriptor=writer, native=Native(path.with_name("nowhere")))
    late.info("OrderFilled", order="j1-8")
    assert late.close()
    os.close(writer)

    assert said == [
        'MESSAGE=OrderFilled order=j1-7 instrument=KO words="*** words"',
        "PRIORITY=6",
        "SYSLOG_IDENTIFIER=joed",
        "JOED_EVENT=OrderFilled",
        "JOED_ORDER_ID=j1-7",
        "JOED_INSTRUMENT=KO",
    ]
    with os.fdopen(reader) as lines:
        assert lines.read() == "<6>ready\n<6>OrderFilled order=j1-8\n"


def test_each_level_has_the_priority_that_the_journal_filters_by(desk):
    """`journalctl -p warning` shows what a person should see."""
    made = desk(level="debug")
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(made.log, level)("happened")

    assert made.text() == "".join(f"<{priority}>happened\n" for priority in (7, 6, 4, 3, 2))
    assert made.log.records == {"debug": 1, "info": 1, "warning": 1, "error": 1, "critical": 1}


def test_a_line_below_the_level_costs_nothing(desk):
    """Neither a line nor a count."""
    made = desk(level="warning")
    made.log.info("happened")

    assert made.text() == ""
    assert made.log.records["info"] == 0


def test_every_severity_of_an_alert_has_a_level():
    """No alert is lost for want of a word."""
    assert set(module.SEVERITY) == set(Severity)
    assert set(module.SEVERITY.values()) <= set(module.PRIORITY)


def test_values_are_bare_where_they_can_be_and_quoted_where_they_must(desk):
    """A line splits at its spaces; what holds one is quoted."""
    made = desk()
    made.log.info("e", a=1, b="x", c="two words", d=Decimal("1.50"), f=None, g="", h='say "a=b"', i=Side.BUY, j=0.5)

    assert made.text() == ('<6>e a=1 b=x c="two words" d=1.50 f=None g="" h="say \\"a=b\\"" i=BUY j=0.5\n')


def test_no_value_breaks_a_line_or_moves_a_cursor(desk):
    """A broker's message cannot write a second line, nor a priority of its own."""
    made, attack = desk(), Attack("S49")
    made.log.info("bad\n<0>event", words="a\n<0>b\x1b[31m", more="\u202eabc", letters="Zürich €")
    while not made.path.read_text().endswith("\n"):
        assert attack.watch.ms() < 20_000
    attack.refused()
    made.log.info("good")
    text = made.text()
    attack.answered()

    assert text == ('<6>bad\\n<0>event words="a\\n<0>b\\u001b[31m" more="\\u202eabc" letters="Zürich €"\n<6>good\n')


def test_text_has_the_time_and_the_level(desk):
    """For a terminal, in UTC, by the clock that was handed in."""
    made = desk("text")
    made.log.warning("broker_down", broker="paper", retry_s=5)

    assert made.text() == f"{STAMP} WARNING  broker_down broker=paper retry_s=5\n"


def test_json_is_one_object_a_line_with_numbers_as_numbers(desk):
    """For a collector; a field's name never hides our own."""
    made = desk("json")
    made.log.error(
        "e", count=3, share=0.5, price=Decimal("1.10"), nothing=None, event="mine", bad=float("nan"), n="a\nb"
    )

    assert json.loads(made.text()) == {
        "at": "2026-09-21T14:13:20.123457+00:00",
        "level": "error",
        "event": "e",
        "count": 3,
        "share": 0.5,
        "price": "1.10",
        "nothing": None,
        "event_": "mine",
        "bad": "nan",
        "n": "a\nb",
    }


def test_a_long_value_is_cut(desk):
    """No message fills the journal."""
    made = desk()
    made.log.info("x" * 50_000, words="y" * 50_000)

    assert len(made.text()) < 3 * module.VALUE_CHARS_MAX


SECRET = 'p@ss w"rd/€'


@pytest.mark.parametrize("form", module.FORMATS)
def test_a_secret_is_blotted_out_wherever_it_turns_up(desk, form):
    """As a value, in an address, in JSON, in a Python string, in an event, in a traceback."""
    made = desk(form, secrets=[SECRET, "", " "])
    event = f"login {SECRET}"
    made.log.info(event, key=SECRET, inside=f"a{SECRET}b", listed=[SECRET])
    made.log.info(
        "url", at="https://u:p%40ss%20w%22rd%2F%E2%82%AC@h/", plus="p%40ss+w%22rd%2F%E2%82%AC", a=json.dumps(SECRET)
    )
    Bridge(made.log).emit(logging.LogRecord("lib", 40, "f", 1, "failed with %s", (SECRET,), raised(SECRET)))

    text = made.text()
    for trace in ("p@ss", "p%40ss", "rd/", "rd%2F"):
        assert trace not in text
    assert text.count("***") >= 8


def raised(words):
    """Give what an error with these words is to logging."""
    try:
        int(f"x{words}")
    except ValueError:
        return sys.exc_info()


def test_secrets_that_come_later_are_hidden_from_then_on(desk):
    """Credentials are read after the log has begun; the lines of a key file are hidden one by one."""
    made = desk()
    made.log.hide(["-----BEGIN\nMIIEvQ\n-----END"])
    made.log.info("e", line="MIIEvQ")
    made.log.hide(["other-secret"])
    made.log.info("e", a="MIIEvQ", b="other-secret")

    assert made.text() == "<6>e line=***\n<6>e a=*** b=***\n"


def test_a_number_that_is_a_secret_is_hidden_too(desk):
    """A PIN is no less secret as an int."""
    made = desk("json", secrets=["123456"])
    made.log.info("e", pin=123456)

    assert json.loads(made.text())["pin"] == "***"


def test_a_secret_too_short_to_protect_does_not_blot_out_words(desk):
    """Three letters would make every line unreadable."""
    made = desk(secrets=["the", "four"])
    made.log.info("e", words="the other four")

    assert made.text() == '<6>e words="the other ***"\n'


def test_a_reader_that_does_not_read_makes_nobody_wait_and_what_is_dropped_is_counted_and_told():
    """A full pipe holds up the writer's thread only; when it flows again the log says what is missing."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writer, b"x" * 4095 + b"\n")
    log = Log("journald", lambda: NOW, descriptor=writer, size_max=100)
    done = threading.Event()

    def talk():
        for at in range(5_000):
            log.info("line", at=at)
        done.set()

    threading.Thread(target=talk, daemon=True).start()
    assert done.wait(10)
    dropped = log.dropped
    assert 5_000 - 100 - module.BATCH_MAX <= dropped <= 5_000 - 100
    assert not log.close(0.05)

    lines = []
    flow = os.fdopen(reader, "rb")
    flowing = threading.Thread(target=lambda: lines.extend(flow.readlines()[1:]), daemon=True)
    flowing.start()
    assert log.close(10)
    os.close(writer)
    flowing.join(10)
    flow.close()
    assert sum(int(line.rpartition(b"=")[2]) for line in lines if b"log_dropped" in line) == dropped
    assert sum(b">line" in line for line in lines) == 5_000 - dropped


def test_a_reader_that_is_gone_ends_the_writer_and_nothing_else():
    """Whoever closed our standard error must not stop trading."""
    reader, writer = os.pipe()
    os.close(reader)
    log = Log("journald", lambda: NOW, descriptor=writer, size_max=10)

    log.info("a")
    log._thread.join(10)
    for _ in range(20):
        log.info("b")

    assert log.dropped >= 10
    assert log.close()
    os.close(writer)


def test_a_descriptor_that_does_not_wait_is_waited_for():
    """A terminal shared with another program may be non-blocking: no line is torn for it."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    log = Log("journald", lambda: NOW, descriptor=writer)
    for at in range(200):
        log.info("line", at=at, words="x" * 1_900)

    text = b""
    while b"at=199" not in text:
        text += os.read(reader, 65_536)
    assert log.close(10)
    os.close(writer)
    text += os.read(reader, 65_536)
    os.close(reader)

    assert [line.split()[1] for line in text.splitlines()] == [b"at=%d" % at for at in range(200)]


def test_a_value_is_logged_as_it_was_and_not_as_it_became(desk):
    """The writer comes later; the loop goes on meanwhile."""
    made = desk()
    orders = ["a"]
    made.log.info("e", orders=orders)
    orders.append("b")

    assert made.text() == "<6>e orders=['a']\n".replace("['a']", "\"['a']\"")


class Broken:
    """A value whose own words raise."""

    def __str__(self):
        raise RuntimeError("no words")


def test_a_value_that_cannot_be_said_costs_its_words_only(desk):
    """Whoever logs does not want to know."""
    made = desk()
    made.log.info("e", a=Broken(), b=1)

    assert made.text() == '<6>e a="(Broken raised RuntimeError)" b=1\n'


def test_after_the_end_nothing_is_taken(desk):
    """A late line neither fails nor waits."""
    made = desk()
    made.log.info("a")
    text = made.text()
    made.log.info("b")

    assert text == "<6>a\n"
    assert made.log.close()


@pytest.fixture
def restored():
    """Leave Python's logging as it was."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = before[0]
    root.setLevel(before[1])


def test_what_libraries_say_is_led_into_the_log(desk, restored):
    """Their names beside their words; our own modules speak for themselves; a traceback stands below."""
    made = desk()
    adopt(made.log)
    logging.getLogger("aiohttp.server").error("bad %s", "request")
    logging.getLogger("joed.daemon.control").warning("control_refused verb=%s uid=%d", "kill", 0)
    logging.getLogger("lib").debug("not heard")
    logging.getLogger("lib").info("does not %d fit", "really")
    logging.getLogger("lib").error("failed", exc_info=raised("why\nnot"))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("careful", UserWarning, stacklevel=1)

    lines = made.text().splitlines()
    assert lines[:4] == [
        "<3>bad request logger=aiohttp.server",
        "<4>control_refused verb=kill uid=0",
        "<6>does not %d fit (TypeError) logger=lib",
        "<3>failed logger=lib",
    ]
    assert all(line.startswith("<3>    ") for line in lines[4:-1])
    assert any("invalid literal" in line for line in lines[4:-1])
    assert "careful" in lines[-1]
    assert lines[-1].endswith("logger=py.warnings")


def test_the_format_is_the_one_asked_for_or_the_journals_where_it_listens(tmp_path):
    """$JOURNAL_STREAM names the stream; a shell inside a service inherits the variable, but not the stream."""
    file = os.open(tmp_path / "stream", os.O_WRONLY | os.O_CREAT)
    seen = os.fstat(file)
    stream = f"{seen.st_dev}:{seen.st_ino}"

    assert pick_format(None, {"JOURNAL_STREAM": stream}, file) == "journald"
    assert pick_format(None, {"JOURNAL_STREAM": "1:1"}, file) == "text"
    assert pick_format(None, {"JOURNAL_STREAM": "broken"}, file) == "text"
    assert pick_format(None, {}, file) == "text"
    assert pick_format("json", {"JOURNAL_STREAM": stream}, file) == "json"
    os.close(file)
    assert pick_format(None, {"JOURNAL_STREAM": stream}, file) == "text"


@given(event=st.text(max_size=50), value=st.text(max_size=50), form=st.sampled_from(module.FORMATS))
def test_any_words_make_exactly_one_line(event, value, form):
    """Whatever a broker sends, one event is one line that can be written."""
    line = (NOW, "info", event, {"value": value}, "")

    text = module.RENDER[form](lambda words: words, line)

    assert text.endswith("\n")
    assert len(text.splitlines()) == 1
    assert text.encode(errors="backslashreplace")
