"""joed --failsafe: a process of its own that does what a dead daemon cannot, on the broker's evidence."""

import asyncio
import json
import os
import subprocess
import sys
from decimal import Decimal

import pytest
from msgspec.structs import replace

from joed.daemon.audit import verify
from joed.daemon.failsafe import Failsafe
from joed.daemon.log import Log
from joed.daemon.places import places
from joed.daemon.store import Store
from joed.model import ids
from joed.model.channels import AlertChannel
from joed.model.commands import CancelOrder
from joed.model.events import FailsafeRan
from joed.model.settings import Alerts, Settings
from joed.model.values import Leg, Tif
from joed.protocol import read_latch
from tests.daemon.sinks import Webhook
from tests.demos import holdings, joed
from tests.hand import Hand, entry
from tests.joectl.running import environment
from tests.worlds import WORDS, copied, held_of, start_exchange


@pytest.fixture
def world(held_world, tmp_path):
    """Give what makes a demo whose joed died holding a position while its exchange lives on; all ends with the test."""
    made = []

    def make(more="", words=WORDS):
        demo = copied(held_world, tmp_path / "s", more, words)
        made.append(demo)
        if "process" in words:
            start_exchange(demo)
        return demo

    yield make
    for demo in made:
        if demo.lives:
            demo.kill()
        demo.end_exchange()


@pytest.fixture
def demo(world):
    """Give such a demo as it is by default."""
    return world()


def failsafe(demo, *words, env=None):
    """Run it to its end; give its status and its report."""
    done = joed("--failsafe", "--state-dir", demo.root, "--json", *words, env=env)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def at_the_exchange(demo, act):
    """Do something at the exchange by hand, and give what it gives."""

    async def work():
        async with Hand(demo.places) as hand:
            return await act(hand)

    return asyncio.run(work())


def stops_in(book):
    """Give the orders of ours that are stops."""
    return [seen.order for seen in book.orders if ids.leg_of(seen.order) is Leg.STOP]


async def seen_in(hand, holds):
    """Read the book, again and again, until something holds of it."""
    async with asyncio.timeout(30):
        while not holds(await hand.read()):
            pass


async def take_the_stop(hand):
    """Take the stops of ours away, and see that they are gone."""
    for stop in stops_in(await hand.read()):
        assert hand.broker.cancel(CancelOrder(stop), lambda command: "") == ""
    await seen_in(hand, lambda book: not stops_in(book))


def books_agree(demo):
    """Start joed again, and give its status once it knows its broker."""
    demo.start()
    shown = demo.until(lambda shown: shown["brokers"] and all(row["reconciled"] for row in shown["brokers"]))
    ours = {row["instrument"]: row["quantity"] for row in shown["positions"]}
    assert ours == holdings(demo.book())
    return shown


def test_it_cancels_what_rests_keeps_stops_and_the_next_start_is_killed_with_books_that_agree(demo):
    """An entry of ours goes, another's stays, the position keeps its stop: exit 1 names nothing, 0 is the proof."""
    held = held_of(demo)
    key = demo.places.key()

    async def leave_orders(hand):
        price = Decimal(int(await hand.price("KO") / 2))
        ours = entry(key, "KO", Decimal(5), price, price - 1)
        theirs = entry(bytes(32), "KO", Decimal(5), price, price - 1, begun="j1-20260901-1-5.0")
        for order in (ours, theirs):
            assert hand.broker.submit(order, lambda command: "") == ""
        await seen_in(hand, lambda book: {ours.order, theirs.order} <= {seen.order for seen in book.orders})
        return ours.order, theirs.order

    ours, theirs = at_the_exchange(demo, leave_orders)
    code, report = failsafe(demo)

    row = report["brokers"][0]
    assert (code, report["safe"], report["left"]) == (0, True, [])
    assert (row["cancelled"], row["closed"], row["foreign"]) == ([ours], [], 2)
    assert [seen["protected"] for seen in row["positions"] if seen["instrument"] == held] == [True]
    book = at_the_exchange(demo, lambda hand: hand.read())
    assert theirs in {seen.order for seen in book.orders}
    assert read_latch(demo.root).scope == "orders"
    kept = list(demo.places.reports.glob("failsafe-*.json"))
    assert json.loads(kept[0].read_text())["pid"] == report["pid"]
    shown = books_agree(demo)
    assert shown["killed"] == "orders"


def test_a_position_that_lost_its_stop_is_closed_recorded_and_known_to_the_next_start(demo):
    """Two readings miss the stop: what is ours is closed, the order stands in the record before it leaves."""
    held = held_of(demo)
    key = demo.places.key()
    at_the_exchange(demo, take_the_stop)

    code, report = failsafe(demo)

    assert (code, report["left"]) == (0, [])
    assert held in report["brokers"][0]["closed"][0]
    assert holdings(demo.book()) == {}
    assert verify(demo.root).whole
    store = Store.open(demo.places.journal)
    *_, (_, _, event, commands) = store.read()
    store.close()
    assert isinstance(event, FailsafeRan)
    assert list(event.closes) == commands
    assert all(ids.ours(key, command.order) for command in commands)
    shown = books_agree(demo)
    assert shown["killed"] == "orders"
    assert not [block for block in shown["blocks"] if block["reason"] == "books_differ"]


def test_a_kill_of_scope_flatten_asks_it_to_close_everything_of_ours(demo):
    """What a person ordered while nobody was there to do it is done; their own shares are not touched."""
    assert demo.ask("kill", "--scope", "flatten").code == 0

    async def buy_by_hand(hand):
        price = Decimal(int(await hand.price("KO") * 2))
        order = entry(bytes(32), "KO", Decimal(5), price, Decimal(1), begun="j1-20260901-1-5.0")
        order = replace(order, stop_order="", stop=None, tif=Tif.GTC)
        assert hand.broker.submit(order, lambda command: "") == ""
        await seen_in(hand, lambda book: "KO" in {held.instrument for held in book.positions})

    at_the_exchange(demo, buy_by_hand)
    code, report = failsafe(demo)

    assert (code, report["policy"], report["left"]) == (0, "all", [])
    assert holdings(demo.book()) == {"KO": "5"}


def test_it_never_flattens_where_the_policy_says_never_and_says_what_is_left(world):
    """Exit 1, naming the position and how much of it has no stop. The policy is the last one that was in force."""
    demo = world("failsafe:\n  flatten: never\n")
    demo.start()
    demo.until(lambda shown: shown["brokers"])
    demo.kill()
    held = held_of(demo)
    at_the_exchange(demo, take_the_stop)

    code, report = failsafe(demo)

    assert (code, report["policy"]) == (1, "never")
    assert [words for words in report["left"] if held in words and "without a working stop" in words]
    assert held in holdings(demo.book())


def test_a_living_joed_keeps_it_out_and_is_named(demo):
    """75, the pid and what to do; nothing is latched, nothing touched."""
    demo.start()
    demo.until(lambda shown: shown["brokers"])

    done = joed("--failsafe", "--state-dir", demo.root)

    assert done.returncode == 75
    assert f"pid {demo.process.pid}" in done.stderr
    assert "joectl kill" in done.stderr
    assert read_latch(demo.root) is None


def test_a_torn_tail_and_a_damaged_record_do_not_keep_it(demo):
    """What cannot be read is told; settings come from a file, entries go all the same."""
    with demo.places.journal.with_name("joed.db-wal").open("r+b") as wal:
        wal.truncate(0)
    data = bytearray(demo.places.journal.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    demo.places.journal.write_bytes(data)

    code, report = failsafe(demo, "--config", demo.config)

    assert code == 1
    assert report["settings"] == "the configuration"
    assert [words for words in report["left"] if "record cannot be read" in words]
    assert report["brokers"][0]["read"]


def test_an_account_without_a_process_is_read_from_its_file(world):
    """The exchange died with joed: its book is the broker, and the next start finds what was done to it."""
    demo = world(words=("--speed", 60, "--confirm", "auto", "--seed", 7))
    held = held_of(demo)

    code, report = failsafe(demo)

    assert (code, report["left"]) == (0, [])
    assert [row["instrument"] for row in report["brokers"][0]["positions"]] == [held]
    assert books_agree(demo)["killed"] == "orders"


def test_there_is_no_failsafe_for_a_place_where_nothing_is(tmp_path):
    """78 for no state directory, and for one that holds neither record nor settings; it invents nothing."""
    assert joed("--failsafe", "--state-dir", tmp_path / "none").returncode == 78
    (tmp_path / "s").mkdir()
    assert joed("--failsafe", "--state-dir", tmp_path / "s").returncode == 78
    assert not (tmp_path / "none").exists()


WITHOUT_ENGINE = """
import sys
from joed.__main__ import main
status = main(sys.argv[1:])
wrong = [name for name in sys.modules if name.startswith(("joed.engine", "joed.strategies", "joed.analysis", "numpy"))]
sys.exit(f"imported {wrong}" if wrong else status)
"""


def test_it_has_no_engine_and_no_strategy_in_it(demo):
    """What a wrong rule did to the daemon it cannot do to the process that cleans up after it."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_ENGINE, "--failsafe", "--state-dir", demo.root, "--config", demo.config],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


async def test_what_it_did_is_told_by_every_channel_that_is_for_it(tmp_path, monkeypatch):
    """No engine lives that could: at once, in quiet hours too, with what is left to do."""
    hook = Webhook()
    (tmp_path / "phone-url").touch(mode=0o600)
    (tmp_path / "phone-url").write_text(f"json://127.0.0.1:{hook.port}")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    log = Log("journald", lambda: 0)
    run = Failsafe(places(tmp_path), log, None)
    run.report.left = ["paper: KO has no stop"]

    await run._alert(Settings(alerts=Alerts(channels={"phone": AlertChannel("phone-url", quiet="00:00-23:59 UTC")})))

    log.close()
    hook.close()
    [post] = hook.posts
    assert (post["title"], post["message"]) == (
        "joed: CRITICAL",
        f"the failsafe ran in {tmp_path}: paper: KO has no stop",
    )
