"""Tests of joed.report.page: one page that needs nothing else."""

from html.parser import HTMLParser

import msgspec

from joed.report.page import curve, page_of
from tests.small_days import DAYS, played


class Balance(HTMLParser):
    """Counts what is open."""

    def __init__(self):
        super().__init__()
        self.open = []
        self.outside = []

    def handle_starttag(self, tag, attrs):
        """Note a tag, and where it would load something from."""
        self.outside += [value for name, value in attrs if name in {"src", "href"}]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        """Close it: it must be the one that was opened last."""
        assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing():
    """Every tag is closed in its order, and no address stands in it."""
    page = page_of(played()[0])
    found = Balance()
    found.feed(page)

    assert found.open == []
    assert found.outside == []
    assert "<script" not in page
    assert all(name in page for name in DAYS)


def test_what_comes_from_a_file_is_escaped():
    """A file's name is words, never markup."""
    page = page_of(msgspec.structs.replace(played()[0], data="<b>x</b>", refusals={"<i>": 1}))

    assert "<b>" not in page
    assert "<i>" not in page
    assert "&lt;b&gt;x" in page


def test_a_curve_of_nothing_is_not_drawn():
    """One point makes no line; a flat one does."""
    assert "svg" not in curve((1.0,))
    assert "polyline" in curve((1.0, 1.0))
