"""The page as a person meets it: at a glance, on a phone, in the dark, by keyboard and by ear."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.web.lives import bad, good, page_of

ANSWERS = ("alive", "owned", "protected", "made", "needs")
MINUS = "\N{MINUS SIGN}"
GRAVE = {"serious", "critical"}


def text(page, selector):
    """Give what an element says, as it is shown."""
    return page.locator(selector).inner_text()


@pytest.mark.parametrize("size", ["desk", "phone"])
@pytest.mark.parametrize("day", [good, bad], ids=["good", "bad"])
def test_the_five_answers_are_visible_without_scrolling(look, shots, size, day):
    """Whole, inside the window, at both sizes, in good days and bad; nothing is wider than the window."""
    with page_of(day()) as (url, _):
        page = look(url, size)
        page.wait_for_selector("#answer-needs")
        page.wait_for_selector(".chart .price", state="attached")
        page.screenshot(path=shots / f"{size}-{day.__name__}.png")
        width, height = page.viewport_size["width"], page.viewport_size["height"]
        for name in ANSWERS:
            box = page.locator(f"#answer-{name}").bounding_box()
            assert box["x"] >= 0
            assert box["y"] >= 0
            assert box["x"] + box["width"] <= width
            assert box["y"] + box["height"] <= height, name
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("scrollY") == 0


def test_each_answer_says_what_is_so(look):
    """In the words and digits of joectl."""
    with page_of(good()) as (url, _):
        page = look(url)

        assert "Trading" in text(page, "#answer-alive .big")
        assert "1 position" in text(page, "#answer-owned .big")
        assert "AAPL" in text(page, "#answer-owned .small")
        assert "Yes" in text(page, "#answer-protected .big")
        assert "+" in text(page, "#answer-made .big")
        assert "USD" in text(page, "#answer-made .big")
        assert "Nothing" in text(page, "#answer-needs .big")
        assert page.title().endswith("trading · joed")


def test_what_is_wrong_is_said_in_words_and_shapes_and_not_in_colour_alone(look):
    """Who sees no colours sees squares and triangles, and reads which position has no stop."""
    with page_of(bad()) as (url, _):
        page = look(url)

        assert "Halted" in text(page, "#answer-alive .big")
        assert "1 without stop" in text(page, "#answer-protected .big")
        assert "MSFT" in text(page, "#answer-protected .small")
        assert "4 things" in text(page, "#answer-needs .big")
        assert page.locator("#answer-protected .mark rect").count() == 1
        assert page.locator("#answer-made .mark path").count() == 1  # near the loss limit
        assert f"{MINUS}1,812.40 USD" in text(
            page, "#answer-made .big"
        )  # halves go to the even neighbour, as joectl's do
        assert "NO STOP for 4" in text(page, ".position[data-instrument=MSFT]")
        assert "201.01 1\u00a0min old" in page.text_content(".position[data-instrument=MSFT] .label.now")
        assert "201.01 now" in page.text_content(".position[data-instrument=AAPL] .label.now")
        assert "oldest MSFT 1\u00a0min" in text(page, ".feeds")
        assert "1 not heard yet" in text(page, ".feeds")
        assert "joectl release --reason WORDS" in text(page, ".needs")
        assert page.title().startswith(f"■ {MINUS}1,812.40")


def test_all_that_is_asked_for_is_there(look):
    """Positions with their levels drawn, orders, watchlist with distances, regime, the day, feeds, jobs, the record."""
    with page_of(good()) as (url, _):
        page = look(url)
        page.wait_for_selector(".record li")

        chart = page.locator(".position svg.chart")
        assert chart.get_attribute("aria-label").startswith("AAPL: target 210.00")
        assert "stop 196.00" in chart.get_attribute("aria-label")
        assert chart.locator("line.stop, line.target, line.entry").count() == 3
        assert "MSFT" in text(page, ".orders")
        assert "buy above 131.20" in text(page, ".watch")
        assert "+0.85%" in text(page, ".watch")
        assert "above its 200-day average" in text(page, ".regime")
        assert "paper" in text(page, ".feeds")
        assert "scan" in text(page, ".jobs")
        assert "order filled BUY 10 AAPL 200.00" in text(page, ".record")
        assert page.locator(".day svg.chart").get_attribute("aria-label").startswith("The day's result: +")


def test_times_are_the_exchanges_and_the_viewers(look):
    """Ten thirty in New York is half past four in Berlin; each is named."""
    with page_of(good()) as (url, _):
        page = look(url)

        assert re.search(r"10:3\d:\d\d New York · 16:3\d:\d\d Berlin", text(page, "header"))
        assert re.search(r"10:\d\d:\d\d\s*16:\d\d:\d\d", text(page, ".record li >> nth=0"))


def test_the_page_asks_nobody_else_and_has_nothing_to_complain_of(look):
    """Its own files and its own stream; the policy is never hit."""
    with page_of(good()) as (url, _):
        page = look(url)
        page.wait_for_selector("#answer-needs")

        assert {address.split("?")[0].removeprefix(url) for address in page.asked} <= {
            *("", "page.css", "page.js", "dom.js", "words.js", "chart.js", "answers.js", "sections.js", "icon.svg"),
            *("events", "curves.json"),
        }
        assert page.said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desk", "phone"])
def test_axe_finds_nothing_serious(look, shots, size, scheme):
    """Contrast, names, landmarks and order, in light and dark, with everything wrong that can be shown."""
    with page_of(bad()) as (url, _):
        page = look(url, size, color_scheme=scheme, bypass_csp=True)  # axe is put into the page; the page puts nothing
        page.wait_for_selector(".record li")
        page.screenshot(path=shots / f"{size}-{scheme}-whole.png", full_page=True)

        found = Axe().run(page).response["violations"]

        assert [
            (row["id"], [node["html"][:90] for node in row["nodes"]]) for row in found if row["impact"] in GRAVE
        ] == []


def test_the_keyboard_reaches_what_can_be_opened(look):
    """Tab goes to what acts, Enter opens it; the first stop skips to the content."""
    with page_of(good()) as (url, _):
        page = look(url)
        page.wait_for_selector(".watch summary")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        reached = set()
        for _ in range(12):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.tagName"))
            if page.evaluate("document.activeElement.tagName") == "SUMMARY":
                break
        assert {"BUTTON", "SUMMARY"} <= reached
        page.keyboard.press("Enter")

        assert page.locator(".watch details[open]").count() == 1
        page.wait_for_timeout(500)  # new messages come meanwhile, and close nothing
        assert page.locator(".watch details[open]").count() == 1
        assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_the_colours_can_be_chosen_and_stay(look):
    """Auto, light, dark; the next visit remembers."""
    with page_of(good()) as (url, _):
        page = look(url, color_scheme="light")
        page.wait_for_selector("header button")
        before = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        page.click("header button")
        page.click("header button")
        assert text(page, "header button") == "dark"
        after = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        page.reload()
        page.wait_for_selector("header button")

        assert before != after
        assert text(page, "header button") == "dark"
        assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == after


def test_a_page_of_an_older_joed_loads_itself_again(look):
    """After an upgrade nobody looks at new rows through old eyes."""
    with page_of(good()) as (url, side):
        page = look(url)
        page.wait_for_selector("#answer-needs")
        page.evaluate("document.documentElement.dataset.old = 'yes'")
        side.server._build = "another"

        page.wait_for_selector("html:not([data-old])", state="attached")
