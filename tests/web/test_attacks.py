"""What other pages and names may try from the same browser: rebinding, cross-site reads, frames, and text as markup."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from msgspec.structs import replace

from joed.daemon.reads import Record
from joed.model.blocks import Block
from joed.model.events import BrokerDown, Candidate, RegimeRead
from joed.model.values import Severity
from joed.model.view import Need
from tests.faults.measure import Attack, Watch, measured
from tests.web.lives import good, page_of

PAYLOADS = (
    "<script>pwned()</script>",
    "<img src=x onerror=pwned()>",
    "<svg onload=pwned()>",
    "<svg><script>pwned()</script></svg>",
    "<body onload=pwned()>",
    "<iframe src=javascript:pwned()></iframe>",
    "<iframe srcdoc='<script>parent.pwned()</script>'></iframe>",
    '"><script>pwned()</script>',
    "'><img src=x onerror=pwned()>",
    "</textarea><script>pwned()</script>",
    "</title><script>pwned()</script>",
    "</style><script>pwned()</script>",
    "<a href=javascript:pwned()>x</a>",
    "<details open ontoggle=pwned()>",
    "<video><source onerror=pwned()></video>",
    "<input autofocus onfocus=pwned()>",
    "<math><mtext><script>pwned()</script></mtext></math>",
    "<object data=javascript:pwned()></object>",
    "<embed src=javascript:pwned()>",
    "<link rel=stylesheet href=javascript:pwned()>",
    "<meta http-equiv=refresh content='0;url=javascript:pwned()'>",
    "<base href=//evil.example/>",
    "<form action=javascript:pwned()><button autofocus>x</button></form>",
    "<template><script>pwned()</script></template>",
    "javascript:pwned()",
    "${pwned()}",
    "{{constructor.constructor('pwned()')()}}",
    "&lt;script&gt;pwned()&lt;/script&gt;",
    "\u202e<script>pwned()</script>\u0000\u2028\u2029",
    "__proto__",
    "data:text/html,<script>pwned()</script>",
    "*/}</script><script>pwned()</script>",
)


def poisoned(words):
    """Give a day in which everything that comes from outside says these words."""
    shown = good()
    (row,), order = shown.positions, shown.orders[0]
    lots = tuple(replace(lot, strategy=words) for lot in (*row.lots, *row.lots))
    return replace(
        shown,
        account=words,
        words=words,
        phase="BLOCKED",
        blocks=(Block("all", words, words),),
        positions=(replace(row, instrument=words, strategy=words, lots=lots, currency=words),),
        orders=(replace(order, instrument=words, order=words, strategy=words),),
        triggers=tuple(replace(one, instrument=words, strategy=words, reasons=(words,)) for one in shown.triggers),
        watchlist=(Candidate(words, 1.0, (words,)),),
        regime=RegimeRead(words, 0.5, (words,)),
        brokers=tuple(replace(broker, name=words, account=words) for broker in shown.brokers),
        jobs=tuple(replace(job, name=words, failed=words) for job in shown.jobs),
        needs=(Need(Severity.CRITICAL, "latched", words),),
        version=words,
        code=words,
        clock=replace(shown.clock, timezone=words, session=words),
    )


def test_thirty_payloads_as_symbols_and_reasons_are_inert(look):
    """Each is shown as the text that it is, in a browser whose refusal of markup is off: our code alone must hold."""
    assert len(PAYLOADS) >= 30
    shown_ms = []
    with page_of(poisoned(PAYLOADS[0])) as (url, side):
        page = look(None, bypass_csp=True)
        page.add_init_script("globalThis.hits = 0; globalThis.pwned = () => { globalThis.hits += 1; };")
        page.goto(url)
        for number, words in enumerate(PAYLOADS):
            shown = poisoned(words)
            seq, watch = 1_000 + number, Watch()
            side.records = [Record(seq, shown.now_ns, BrokerDown(words, words))]
            side.show(replace(shown, seq=seq))
            page.wait_for_selector(f"html[data-seq='{seq}']", state="attached")
            shown_ms.append(watch.ms())
            assert page.locator(".needs li p >> nth=0").text_content().removeprefix("critical: ") == words
            assert page.locator(".position h3").text_content() == words
            assert page.locator("main script, main iframe, main img, main a, main form, main object").count() == 0
            assert page.evaluate("globalThis.hits") == 0, words
        watch = Watch()
        side.show(replace(good(), seq=2_000))
        page.wait_for_selector("html[data-seq='2000']", state="attached")
        measured("S21", detected_ms=max(shown_ms), recovered_ms=max(shown_ms) + watch.ms())
        assert [line for line in page.said if line.startswith("dialog")] == []
        assert {address.split("/")[2] for address in page.asked} == {url.split("/")[2]}


def test_the_browser_itself_refuses_markup_and_code(look):
    """Were our code to fail one day, the policy holds: no text becomes markup, no script but our files runs."""
    with page_of(good()) as (url, _):
        page = look(url)
        page.wait_for_selector("#answer-needs")

        page.evaluate(
            """() => {
                globalThis.tried = {};
                const attempt = (name, work) => {
                    try { work(); globalThis.tried[name] = "taken"; } catch { globalThis.tried[name] = "refused"; }
                };
                setTimeout(() => { // from here on it is the page's own code, and no debugger's
                    attempt("markup", () => { document.body.innerHTML = "<b>x</b>"; });
                    attempt("code", () => { (0, eval)("globalThis.ran = 1"); });
                    attempt("script", () => {
                        const script = document.createElement("script");
                        script.text = "globalThis.ran = 2";
                        document.body.append(script);
                    });
                    document.documentElement.dataset.tried = "yes";
                });
            }"""
        )
        page.wait_for_selector("html[data-tried]", state="attached")

        assert page.evaluate("globalThis.tried") == dict.fromkeys(("markup", "code", "script"), "refused")
        assert page.evaluate("globalThis.ran === undefined")


@contextmanager
def evil(script, seen=None):
    """Serve a page of another site that runs this script; note in `seen` each path asked for, and the referrer."""
    seen = [] if seen is None else seen

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, self.headers["Referer"]))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f"<!doctype html><body><script>{script}</script>".encode())

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://evil.example:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("path", ["", "view.json", "events", "curves.json", "page.js"])
def test_a_name_that_was_made_to_lead_here_gets_nothing(look, path):
    """DNS rebinding in a real browser: the name resolves to us, and we do not answer to it (S17)."""
    with page_of(good()) as (url, _):
        port = url.rstrip("/").rpartition(":")[2]
        page, ours = look(None), look(None)

        attack = Attack("S17")
        answer = page.goto(f"http://rebound.example:{port}/{path}")
        attack.refused()
        ours.goto(url)
        attack.answered()

        assert answer.status == 421
        assert "AAPL" not in answer.text()


TRIES = """
(async () => {
  const told = {};
  const took = {};
  const note = async (name, work) => {
    const began = performance.now();
    try { told[name] = await work(); } catch (error) { told[name] = "refused"; }
    took[name] = performance.now() - began;
  };
  await note("fetch", async () => (await fetch("JOED/view.json")).status);
  await note("simple", async () => {
    const answer = await fetch("JOED/view.json", { mode: "no-cors" });
    return (await answer.text()).length || "refused";
  });
  await note("post", async () => (await fetch("JOED/", { method: "POST", mode: "cors", body: "x" })).status);
  await note("stream", () => new Promise((done) => {
    const source = new EventSource("JOED/events");
    source.onmessage = () => done("heard");
    source.onerror = () => done("refused");
  }));
  await note("socket", () => new Promise((done) => {
    const socket = new WebSocket("JOED/events".replace("http", "ws"));
    socket.onopen = () => done("open");
    socket.onerror = () => done("refused");
  }));
  await note("script", () => new Promise((done) => {
    const script = document.createElement("script");
    script.src = "JOED/page.js"; script.onload = () => done("run"); script.onerror = () => done("refused");
    document.body.append(script);
  }));
  await note("image", () => new Promise((done) => {
    const image = new Image(); image.onload = () => done("shown"); image.onerror = () => done("refused");
    image.src = "JOED/icon.svg";
  }));
  await note("frame", () => new Promise((done) => {
    const frame = document.createElement("iframe");
    frame.src = "JOED/"; document.body.append(frame);
    frame.onload = () => { let seen; try { seen = frame.contentDocument?.body?.innerText; } catch { seen = null; }
      done(seen ? "read" : "refused"); };
  }));
  globalThis.took = took;
  globalThis.told = told;
})();
"""


def test_a_page_of_another_site_reads_nothing_and_frames_nothing(look):
    """Requests, streams, sockets, scripts, pictures and frames from another site are all refused (S18, S19, S22)."""
    with page_of(good()) as (url, _), evil(TRIES.replace("JOED/", url)) as there:
        page = look(there)
        page.wait_for_function("globalThis.told !== undefined")

        assert page.evaluate("globalThis.told") == dict.fromkeys(
            ("fetch", "simple", "post", "stream", "socket", "script", "image", "frame"), "refused"
        )
        took, watch = page.evaluate("globalThis.took"), Watch()
        look(url).wait_for_selector("#answer-needs")
        for row, tries in (("S18", ("post",)), ("S19", ("stream", "socket", "fetch", "simple")), ("S22", ("frame",))):
            longest_ms = max(took[one] for one in tries)
            measured(row, detected_ms=longest_ms, recovered_ms=longest_ms + watch.ms())
        frames = [frame for frame in page.frames if frame is not page.main_frame]
        assert all("AAPL" not in (frame.content() or "") for frame in frames)


def test_a_link_from_another_site_opens_the_page(look):
    """An alert's link is no attack: the tab is the page's own, and the other site keeps no hold on it."""
    with page_of(good()) as (url, _), evil("") as there:
        page = look(there)
        page.evaluate(f"location.href = '{url}'")
        page.wait_for_url(url)
        page.wait_for_selector("#answer-needs")

        assert page.evaluate("window.opener") is None


def test_where_the_page_leads_nobody_hears_where_it_was(look):
    """No token stands in any address, none is taken from one, and no other site is told which page led to it (S20)."""
    seen = []
    with page_of(good()) as (url, _), evil("", seen) as there:
        page = look(url)
        page.wait_for_selector("#answer-needs")
        attack = Attack("S20")
        assert page.goto(f"{url}?token=a-secret").status == 200  # it opens nothing that was shut
        page.wait_for_selector("#answer-needs")
        page.evaluate(f"location.href = '{there}'")
        page.wait_for_url(there)
        attack.refused()
        page.goto(url)
        page.wait_for_selector("#answer-needs")
        attack.answered()

        assert {referer for path, referer in seen if path == "/"} == {None}
        assert {address for address in page.asked if "?" in address} == {f"{url}?token=a-secret"}
