"""A browser for all tests of the page, and pages that a test serves itself or that a demo serves."""

from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--host-resolver-rules=MAP *.example 127.0.0.1",  # a name that an attacker made to lead here
)
CHROMIUM = "/usr/bin/chromium"
BUILD = Path(__file__).resolve().parents[2] / "build"
SIZES = {"desk": (1280, 800), "phone": (390, 844)}
WAIT_MS = 15_000


@pytest.fixture(scope="package")
def browser(tmp_path_factory):
    """Give Debian's Chromium, with a profile that nobody has used.

    Of this folder alone: while it lives, its driver keeps an event loop running beneath whatever test follows.
    """
    if not Path(CHROMIUM).exists():
        pytest.skip("needs chromium (Debian: chromium)")
    with sync_playwright() as play:
        made = play.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield made
        made.close()


@pytest.fixture
def look(browser):
    """Give a function that opens an address in a fresh profile; what its scripts complained of is in `page.said`."""
    contexts = []

    def opened(url, size="desk", **more):
        width, height = SIZES[size]
        options = {"timezone_id": "Europe/Berlin", "locale": "en-GB", "reduced_motion": "reduce"} | more
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        page = context.new_page()
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: page.said.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (page.said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: page.asked.append(request.url))
        if url:
            page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def shots():
    """Give the folder where pictures are kept for whoever looks at a run."""
    folder = BUILD / "web"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
