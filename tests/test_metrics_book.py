"""docs/metrics.md is what the code says."""

import re

from joed.daemon.catalogue import CATALOGUE, Row, name_of, unit_of
from joed.daemon.metrics import Page
from joed.daemon.readings import Sources
from joed.daemon.showing import kept
from joed.engine.view import view
from joed.model.settings import Settings
from joed.model.state import State
from tests.metrics_book import BESIDE, FILE, KEPT, book


def test_the_page_is_what_the_code_says():
    """A metric that was added is in it: `make metrics-book` writes it."""
    assert FILE.read_text("utf-8") == book()


def test_every_name_that_a_scrape_shows_is_on_the_page():
    """Ours and those of the libraries."""
    shown = view(State())
    text = Page(Sources(lambda: shown, readings=KEPT, brokers=("paper",)), lambda: 0).text("")[1].decode()
    names = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    page = FILE.read_text("utf-8")

    assert len(names) > 100
    assert [name for name in sorted(names) if name.startswith("joed_") and f"`{name}`" not in page] == []
    assert {name.split("_")[0] for name in names} == {"joed", "process", "python"}


def test_a_name_says_its_unit():
    """By its end, the longest first; a state set and an info have none of their own."""
    rows = [Row(name, "gauge", (), list, "x") for name in ("a_timestamp_seconds", "a_seconds", "a_bps", "a")]

    assert [unit_of(row) for row in rows] == ["s, UTC", "s", "0.01 %", "count"]
    assert unit_of(Row("a", "enum", (), list, "x")) == "1 for the one that holds"
    assert name_of(Row("build", "info", (), list, "x")) == "joed_build_info"


def test_nothing_on_the_page_is_of_yesterday():
    """What is said to be absent is absent, what is named instead is there, and the daemon keeps what the page reads."""
    page = FILE.read_text("utf-8")
    known = {name_of(row) for row in CATALOGUE} | set(re.findall(r"joed_\w+", BESIDE))
    absent = page.partition("## What there is not")[2]

    assert set(re.findall(r"joed_\w+", absent)) <= known
    assert set(KEPT) <= set(kept(_Sink(), _Sink(), _Sink(), _Sink()))
    assert Settings().daemon.metrics_port == 9464


class _Sink:
    """Stands where the daemon's parts are, and is not asked."""

    results = counts = watchers = sizes = None
