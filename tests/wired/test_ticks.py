"""Real ticks of a press conference, traded at Capital.com's wire while the stream is cut and comes back."""

from itertools import pairwise

from joed.config import load
from joed.model.feeds import POLL, STREAM
from joed.model.values import SECOND
from tests.wired.day import at
from tests.wired.ticks import play

BEGIN = "2014-05-08T12:30:00Z"
CUT, ADMIT = "2014-05-08T12:32:30Z", "2014-05-08T12:32:55Z"
SECONDS = 230
TAKES_OVER_NS, HANDS_BACK_NS = 10 * SECOND, 60 * SECOND
SEEN_NS = 10 * SECOND
"""How long the daemon may take to see what the service did: it looks each 1.5 s."""


def test_the_press_conference_is_traded_through_a_cut_of_the_stream(data_dir, tmp_path):
    """Polling takes over within ten of the daemon's seconds and hands back by itself; no entry on a stale price.

    And what the record says was filled is what the service says was dealt, to the price.
    """
    faults = [f"{CUT} cut", f"{CUT} refuse", f"{ADMIT} admit"]
    record, book = play(data_dir, tmp_path, BEGIN, SECONDS, speed=12, faults=faults)

    changes = [(source, now) for now, source in record.changes]
    assert [source for source, _ in changes] == [STREAM, POLL, STREAM], (tmp_path / "log").read_text()[-2000:]
    assert at(CUT) <= changes[1][1] <= at(CUT) + TAKES_OVER_NS
    assert at(ADMIT) <= changes[2][1] <= at(ADMIT) + HANDS_BACK_NS
    quotes = [(came_ns, source) for came_ns, name, source in record.quotes if name == "EURUSD"]
    polled = [came_ns for came_ns, source in quotes if source == POLL and at(CUT) <= came_ns <= changes[2][1]]
    assert polled[0] <= at(CUT) + TAKES_OVER_NS
    assert max(later - sooner for sooner, later in pairwise(polled)) <= TAKES_OVER_NS
    assert quotes[-1][1] != POLL

    settings = load(tmp_path / "joed.yaml")
    limit_ns = int(min(settings.risk.quote_age_max_s, settings.feed.stale_s) * SECOND)
    assert record.entries, (tmp_path / "log").read_text()[-2000:]
    assert all(entry.age_ns <= limit_ns for entry in record.entries)

    told = {(fill.execution, str(fill.side), fill.quantity, fill.price) for fill in record.fills}
    assert told
    assert told <= set(book.deals)
    assert all(at_ns > record.last_ns - SEEN_NS for deal, at_ns in book.deals.items() if deal not in told)
    assert {fill.order for fill in record.fills} & {entry.order for entry in record.entries}
