"""The page over a real joed in a process of its own: as fast as its prices, and honest when it dies."""

import http.client
import json
import re
import signal
import socket
import time
from itertools import pairwise

import pytest

from joed.brokers.paper_remote import read_hello
from joed.daemon.clock import RealClock
from joed.engine.markets import price_of
from joed.market.embedded import EmbeddedMarket
from joed.model.values import SECOND
from tests.demos import QUIET
from tests.faults.scene import until
from tests.worlds import copied, held_of

SEEN = """
() => {
    globalThis.seen = [];
    const note = () => {
        const root = document.documentElement, price = document.querySelector("[data-price]");
        const made = document.querySelector("#answer-made .big span");
        if (price) globalThis.seen.push([Date.now(), Number(root.dataset.seq), price.textContent, made.textContent]);
    };
    new MutationObserver(note).observe(document.documentElement, { attributes: true, attributeFilter: ["data-seq"] });
}
"""
SHOWS = """
() => new Promise((first) => {
    const root = document.documentElement;
    globalThis.shows = [];
    const note = () => first(globalThis.shows.push([performance.now(), root.dataset.state]));
    new MutationObserver(note).observe(root, { attributes: true, attributeFilter: ["data-state"] });
})
"""
STALE_WITHIN_S = 3.0
"""From the last news on, by the page's own clock: how soon a test's driver hears of it is the machine's."""
ON_PAGE_WITHIN_S = 1.0
LOOKED_S = 15.0
"""So long that a price stands for a second, whenever within the world's next quarter of an hour it is begun."""


def free_port():
    """Give a port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


@pytest.fixture
def living(held_world, tmp_path):
    """Give a demo that holds a position, and the address of its page."""
    port = free_port()
    words = ("--exchange", "process", "--speed", "5", "--confirm", "auto", "--seed", 7)
    demo = copied(held_world, tmp_path / "s", words=words)
    demo.config.write_text(QUIET + f"  web_port: {port}\n")
    demo.start()
    url = f"http://127.0.0.1:{port}/"
    until(lambda: serves(url), what="the page")  # joectl is answered a moment sooner
    yield demo, url
    demo.kill()
    demo.end_exchange()


def opened(look, demo, url):
    """Open the page once the position is on it."""
    demo.until(lambda shown: any(row["protected"] and row["price"] for row in shown["positions"]), 60)
    page = look(url)
    page.wait_for_selector("[data-price]", state="attached")
    return page


def shows(page):
    """Have a page note when it shows what, and wait for the first news since."""
    page.evaluate(SHOWS)


def turned_stale_s(page):
    """Wait until a page says that it is stale; give how long after the last news it did."""
    page.wait_for_selector("html[data-state=stale]", state="attached")
    found = page.evaluate("shows")
    first = [state for _, state in found].index("stale")
    return (found[first][0] - found[first - 1][0]) / 1000


def asked(demo, seconds):
    """Ask as joectl does, again and again: when, seq, price and the day's result as they stood in each answer."""
    found, deadline = [], time.monotonic() + seconds
    while time.monotonic() < deadline:
        at = time.time()
        shown = demo.status()
        if not found or found[-1][1] != shown["seq"]:
            found.append((at, shown["seq"], shown["positions"][0]["price"], shown["daily_pnl"], shown["line"]))
        time.sleep(0.01)
    return found


def fetched(url, path):
    """Fetch one of our own addresses."""
    connection = http.client.HTTPConnection(url.split("/")[2], timeout=5)
    connection.request("GET", f"/{path}")
    body = connection.getresponse().read()
    connection.close()
    return body


def serves(url):
    """Say whether the page is there."""
    try:
        return bool(fetched(url, ""))
    except OSError:
        return False


def told_by_the_exchange(demo, instrument, from_wall_s, to_wall_s):
    """Give when, on our own clock, the exchange told each price: its market is its seed's, its clock it says itself."""
    hello = read_hello(demo.places.exchange)
    clock, shown = RealClock(hello.origin_ns, hello.speed, hello.base_ns), demo.status()["clock"]
    now_s, now_ns = time.time(), clock.now()
    from_ns = now_ns + int((from_wall_s - now_s) * hello.speed * SECOND)
    found = []
    for at_ns, one in EmbeddedMarket(7, (shown["session"], shown["open_ns"], shown["close_ns"])).quotes(from_ns):
        at_s = now_s + (at_ns - now_ns) / SECOND / hello.speed
        if at_s > to_wall_s:
            return found
        if one.instrument == instrument:
            found.append((at_s, price_of(one)))
    return found


def number(text):
    """Read a number as the page writes it."""
    return float(re.search(r"[-\d.,]+", text.replace("\N{MINUS SIGN}", "-").replace("+", ""))[0].replace(",", ""))


def test_a_price_is_on_the_page_within_a_second_and_is_joectls_at_that_seq(look, living):
    """From the exchange's own door to the page; and at one seq the page never shows another number than joectl."""
    demo, url = living
    page = opened(look, demo, url)
    instrument = held_of(demo)
    assert instrument == page.locator(".position").get_attribute("data-instrument")
    page.evaluate(SEEN)

    begun_s = time.time()
    told = asked(demo, LOOKED_S)
    quotes = told_by_the_exchange(demo, instrument, begun_s, begun_s + LOOKED_S - 1.0)
    page.wait_for_timeout(1000 * ON_PAGE_WITHIN_S)
    seen = page.evaluate("globalThis.seen")

    rows = {seq: (price, made) for _, seq, price, made, _ in told}
    common = [(seq, number(price), number(made)) for _, seq, price, made in seen if seq in rows]
    assert len(common) >= 3
    for seq, price, made in common:
        assert price == pytest.approx(rows[seq][0], abs=5e-5), seq
        assert made == pytest.approx(float(rows[seq][1]), abs=0.006), seq
    late = lateness(quotes, [(when / 1000, number(text)) for when, _, text, _ in seen])
    assert late, "no price stayed for a second while we looked"
    print(f"\n{len(late)} changes, the slowest after {max(late):.2f} s; {len(common)} compared at one seq")
    assert max(late) <= ON_PAGE_WITHIN_S, late


def lateness(quotes, seen):
    """Give for each price that stood for a second at the exchange how long the page took to show it, in s."""
    changes = [now for before, now in pairwise(quotes) if now[1] != before[1]]
    stood = [(at, price) for (at, price), (after, _) in pairwise([*changes, quotes[-1]]) if after - at > 1.0]
    return [
        min((s - at for s, shown in seen if s >= at - 0.05 and abs(shown - price) < 5e-5), default=99.0)
        for at, price in stood
    ]


def test_the_page_says_stale_after_a_kill_and_is_live_again_by_itself_after_the_restart(look, living, shots):
    """Old numbers are never shown as new: within three seconds the page names the moment, and greys what it had."""
    demo, url = living
    page = opened(look, demo, url)
    assert page.locator("html").get_attribute("data-state") == "live"
    before = page.locator("html").get_attribute("data-seq")
    shows(page)

    demo.kill()
    assert turned_stale_s(page) <= STALE_WITHIN_S
    page.screenshot(path=shots / "desk-stale.png")

    assert re.search(r"Stale since \d\d:\d\d:\d\d", page.locator("#banner").inner_text())
    assert "No answer" in page.locator("#answer-alive .big").inner_text()
    assert page.locator("#answer-owned h2").inner_text() == "Owned then"
    assert page.title() == "■ joed: no answer"

    demo.start()
    page.wait_for_selector("html[data-state=live]", timeout=30_000, state="attached")

    assert page.locator("#banner").inner_text() == ""
    assert page.locator("#answer-owned h2").inner_text() == "Owned"
    assert int(page.locator("html").get_attribute("data-seq")) > int(before)


def test_a_joed_that_hangs_is_stale_though_its_socket_lives(look, living):
    """A process that is stopped keeps its connections: life is what goes on, not what is connected."""
    demo, url = living
    page = opened(look, demo, url)
    shows(page)

    demo.process.send_signal(signal.SIGSTOP)
    try:
        assert turned_stale_s(page) <= STALE_WITHIN_S
    finally:
        demo.process.send_signal(signal.SIGCONT)

    page.wait_for_selector("html[data-state=live]", timeout=30_000, state="attached")


def test_what_the_page_reads_is_what_joectl_reads(living):
    """The same rows in the same JSON, for whoever scripts against the port."""
    demo, url = living
    demo.until(lambda shown: any(row["protected"] for row in shown["positions"]), 60)
    for _ in range(200):
        before = demo.status()
        page = json.loads(fetched(url, "view.json"))
        if page["seq"] == before["seq"]:
            break

    assert page["seq"] == before["seq"]
    assert {name: page[name] for name in ("equity", "positions", "orders", "brokers", "line")} == {
        name: before[name] for name in ("equity", "positions", "orders", "brokers", "line")
    }


def test_the_days_line_goes_on_over_a_crash(living):
    """What this process has not seen is in the record: the line begins with the session, not with the restart."""
    demo, url = living
    demo.until(lambda shown: any(row["protected"] for row in shown["positions"]), 60)

    day = json.loads(fetched(url, "curves.json"))["day"]

    assert day[-1][0] - day[0][0] > 10 * 60 * 1000
