"""joed.daemon.courier_main: one message by the real apprise, one plain GET, and never a word of the address."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joed.daemon import courier_main
from joed.daemon.courier import PROGRAM
from joed.daemon.courier_main import BLOT, blotted, outcome, pieces, refused
from tests.daemon.sinks import Mailbox, Webhook
from tests.faults.measure import Attack

CANARY = "CANARY7q9z"

# apprise imports what its services will need one day; in its own process nobody hears of it.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def webhook():
    """Give a webhook."""
    found = Webhook()
    yield found
    found.close()


@pytest.fixture
def mailbox():
    """Give a mail server."""
    found = Mailbox()
    yield found
    found.close()


def order(address, do="tell", **more):
    """Give an order as the courier tells it."""
    words = {"title": "joed paper: CRITICAL", "words": "no stop\njoectl ack c", "severity": "critical", "timeout_s": 5}
    return {"do": do, "address": address, **words, **more}


def test_a_message_goes_to_a_web_service_and_to_a_mail_server_as_it_was_said(webhook, mailbox):
    """By apprise itself: title, words line by line, and how loud."""
    assert outcome(order(f"json://127.0.0.1:{webhook.port}/hook")) == ""
    assert outcome(order(mailbox.address())) == ""

    [post] = webhook.posts
    assert (post["path"], post["title"], post["type"]) == ("/hook", "joed paper: CRITICAL", "failure")
    assert post["message"] == "no stop\njoectl ack c"
    [(people, mail)] = mailbox.mails
    assert (people, mail["subject"]) == (["me@example.com"], "joed paper: CRITICAL")
    assert mail.get_content().split() == ["no", "stop", "joectl", "ack", "c"]


def test_a_service_that_refuses_and_one_that_is_not_there_are_told_apart(webhook):
    """With the service's own number where it gave one."""
    webhook.status = 503
    assert "error=503" in outcome(order(f"json://127.0.0.1:{webhook.port}"))
    assert "onnection error" in outcome(order("json://127.0.0.1:1"))


def test_the_watch_is_asked_by_a_plain_get_and_must_answer_well(webhook):
    """Any 2xx is well; a redirect is followed nowhere."""
    address = f"http://127.0.0.1:{webhook.port}/ping/{CANARY}?a=b"
    assert outcome(order(address, "ask")) == ""
    for webhook.status in (302, 404):
        assert outcome(order(address, "ask")) == f"HTTP {webhook.status}"
    assert webhook.gets[0] == {"path": f"/ping/{CANARY}?a=b", "agent": "joed"}
    assert outcome(order("http://127.0.0.1:1/x", "ask")) == "Connection refused"


@pytest.mark.parametrize("address", ["http://example.com/x", "ftp://example.com/x", "file:///etc/passwd", "words"])
def test_the_watch_is_asked_over_https_alone_but_on_this_machine(address):
    """Its address is a secret, and a plain request shows it to everybody on the way."""
    assert outcome(order(address, "ask")) == "the credential must hold an https address"


@pytest.mark.parametrize("address", ["words", "file:///etc/passwd", "nonsense://x", ""])
def test_what_is_no_address_of_any_service_is_named_without_its_content(address):
    """The person looks into the file."""
    assert outcome(order(address)) == "the credential holds no address that apprise knows"


@pytest.mark.parametrize(
    ("host", "wrong"),
    [
        *(("169.254.169.254", True), ("0xa9.16689662", True), ("2852039166", True), ("[fe80::1]", True)),
        *(("[::ffff:169.254.169.254]", True), ("metadata.google.internal", True), ("127.0.0.1", False)),
        *(("10.0.0.7", False), ("example.com", False), ("ntfy.sh", False)),
    ],
)
def test_a_clouds_own_secrets_are_asked_for_under_no_spelling(host, wrong):
    """An address may come from a copied recipe; the link's own network is nobody's telephone (S51)."""
    assert bool(refused(f"json://{host}/latest")) is wrong
    assert bool(refused(f"https://{host}/x")) is wrong


@pytest.mark.parametrize(
    "address", ["json://169.254.169.254/latest/meta-data", "json://[::ffff:169.254.169.254]/x", "file:///etc/passwd"]
)
def test_an_alert_goes_to_no_machines_secrets_and_the_next_one_leaves(webhook, address):
    """The address is refused before a byte is sent, and costs no other channel its message (S51)."""
    attack = Attack("S51")
    said = outcome(order(address))
    attack.refused()
    assert said.startswith(("an address of the link itself is refused", "the credential holds no address"))
    assert outcome(order(f"json://127.0.0.1:{webhook.port}/hook")) == ""
    attack.answered()


ADDRESSES = (
    f"tgram://123456789:{CANARY}/987654321/",
    f"mailtos://me%40here:{CANARY}@smtp.example.com?to=you@example.com",
    f"json://{CANARY}@127.0.0.1:1/a/b?token={CANARY}&x=%43ANARY7q9z",
    f"slack://T1JJ3T3L2/{CANARY}/TIiajkdnlazkcOXrIdevi7FQ/#general",
    f"ntfys://{CANARY.lower()}/{CANARY}",
    f"https://hc.example.com/{CANARY}",
)


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_part_of_an_address_is_ever_in_the_words(address):
    """Whole, decoded, or piece by piece; the host's name and common words stay."""
    said = f"sending to {address} failed: {CANARY} {CANARY.lower()} at smtp.example.com, me%40here or me@here"

    found = blotted(said, address)

    assert CANARY not in found
    if CANARY.lower() in address:
        assert CANARY.lower() not in found
    assert BLOT in found
    assert "at smtp.example.com" in found


@given(st.text("abcXYZ019_-.~%", min_size=4, max_size=30), st.text(max_size=40))
def test_whatever_the_secret_is_it_is_blotted(secret, around):
    """As a user, a password, a path or a query; unless it looks like the name of a host."""
    address = f"json://user:{secret}@example.com/{secret}?key={secret}"

    for piece in pieces(address):
        assert piece not in blotted(f"{around} {piece} {around}", address).replace(BLOT, "\0")


def test_the_process_says_one_blotted_line_and_nothing_of_any_library():
    """Its address comes through standard input, and shows nowhere else; standard output stays empty."""
    told = json.dumps(order(f"json://me:{CANARY}@127.0.0.1:1/{CANARY}")).encode()

    run = subprocess.run(PROGRAM, input=told, capture_output=True, check=False, timeout=30)

    assert run.returncode == 1
    assert run.stdout == b""
    assert b"onnection error" in run.stderr
    assert CANARY.encode() not in run.stderr


NOISY = """
import ctypes
import sys
import joed.daemon.courier_main as module
def noisy(order):
    print("cannot reach", order["address"], file=sys.stderr)
    return "the service did not take it"
module.DOES["tell"] = noisy
status = module.main()
PR_GET_DUMPABLE = 3
sys.exit(status + 10 * ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0))
"""


def test_what_a_library_prints_goes_nowhere_and_nobody_looks_into_the_process():
    """What is printed has seen no blotting; the memory holds the address, and is closed to others of this user."""
    told = json.dumps(order(f"json://{CANARY}")).encode()

    run = subprocess.run([sys.executable, "-c", NOISY], input=told, capture_output=True, check=False, timeout=30)

    assert (run.returncode, run.stderr) == (1, b"the service did not take it")


def test_a_service_that_breaks_is_named_by_its_kind_alone(monkeypatch):
    """An exception's own words may hold the address."""

    def broken(_order):
        raise RuntimeError(f"cannot parse {CANARY}")

    monkeypatch.setitem(courier_main.DOES, "tell", broken)

    assert outcome(order(f"json://{CANARY}")) == "the service failed with RuntimeError"


def test_without_the_extra_the_person_is_told_what_to_install(monkeypatch):
    """Apprise is no hard dependency: the log and the command need none of it."""
    monkeypatch.setitem(sys.modules, "apprise", None)

    assert outcome(order("json://127.0.0.1")) == "apprise is not installed: install joed with its extra `alerts`"


def test_the_module_itself_loads_the_standard_library_alone():
    """The daemon imports it for its blotting; a ping need not wait for a hundred services."""
    script = "import sys, joed.daemon.courier_main\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert not {"apprise", "requests", "msgspec", "aiohttp", "asyncio"} & set(run.stdout.split())


@pytest.mark.parametrize(("first", "open_to_others"), [("main()", 0), ("None", 1)])
def test_nobody_of_its_user_looks_into_what_has_read_an_address(first, open_to_others):
    """By the kernel's own word on the process (prctl, PR_GET_DUMPABLE); one that did not close itself is open."""
    lines = f"import ctypes, sys; from joed.daemon.courier_main import main; {first}"
    ends = "sys.exit(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    order = json.dumps({"do": "ask", "address": "", "timeout_s": 1})

    done = subprocess.run([sys.executable, "-c", f"{lines}; {ends}"], input=order, text=True, check=False)

    assert done.returncode == open_to_others
