"""What a name stands for: an order of any leg, an instrument, a signal; and what the record has before each entry."""

import pytest
from msgspec.structs import replace

from joed.daemon.desk import _holds
from joed.daemon.reads import Record, stem
from joed.daemon.why import STORIES_MAX, why
from joed.engine.view import view
from joed.model import commands as c
from joed.model import events as e
from joed.model.values import SECOND
from tests.daemon.serving import state_of_a_day
from tests.daemon.test_story import BASIS, ENTRY, SETTINGS, STOP, TARGET, TRIGGER, a_day


class Kept:
    """A record in memory, searched as the desk searches its own."""

    def __init__(self, *records):
        self.kept = sorted(records, key=lambda record: record.seq)

    async def records(self, since, limit, order=""):
        """Give what names an order."""
        found = [row for row in self.kept if row.seq > since]
        name = stem(order)
        return [row for row in found if _holds(row, (name,), ()) or _holds(row, (), (name,))][:limit]

    async def search(self, event, commands, before, limit):
        """Give what holds all words, the newest first."""
        found = (row for row in reversed(self.kept) if row.seq < before and _holds(row, event, commands))
        return list(found)[:limit]


REFUSED = c.RefuseEntry("MSFT", "breakout", "s2", "duplicate", "an entry is pending", BASIS)
BEFORE = (
    Record(1, SECOND, e.SettingsLoaded(SETTINGS, "digest")),
    Record(2, 2 * SECOND, e.MarketScanned(1, (e.Candidate("AAPL", 50.0),))),
    Record(3, 3 * SECOND, e.WatchlistScored(1, (e.Candidate("MSFT", 1.0), e.Candidate("AAPL", 59.0, ("rising",))))),
    Record(4, 4 * SECOND, e.TriggersMade(1, (replace(TRIGGER, signal="s0"),))),
    Record(5, 5 * SECOND, e.TriggersMade(2, (TRIGGER,))),
)
AFTER = Record(450, 45 * SECOND, e.Quote("MSFT", 9.0, 9.1), (REFUSED,))


def source():
    """Give a day: what came before, a trade, and a refusal."""
    return Kept(*BEFORE, *a_day(), AFTER)


def shown():
    """Give a View after all of it."""
    return view(state_of_a_day(seq=1000))


async def told(subject, records=None):
    """Ask, and give what was told."""
    return await why(records or source(), subject, shown(), 500)


@pytest.mark.parametrize("subject", [ENTRY, STOP, TARGET, "s1"])
async def test_an_order_of_any_leg_and_its_signal_lead_to_one_story(subject):
    """Whatever is at hand, on a screen or in a log, leads to the whole."""
    (story,) = (await told(subject))["stories"]

    assert (story["order"], story["outcome"], story["signal"]) == (ENTRY, "closed", "s1")
    assert len(story["messages"]) == 9


async def test_an_instrument_leads_to_its_entries_and_refusals_in_order():
    """Sent and refused, the oldest first."""
    everything = [*(await told("AAPL"))["stories"], *(await told("MSFT"))["stories"]]

    assert [story["outcome"] for story in everything] == ["closed", "refused: duplicate"]
    assert everything[1]["verdict"]["words"] == "an entry is pending"


async def test_what_lay_before_is_the_newest_that_was_known_then():
    """The scores that were latest, the Triggers that held it, the settings in force; nothing that came later."""
    later = Record(600, 60 * SECOND, e.WatchlistScored(2, (e.Candidate("AAPL", 1.0),)))
    (story,) = (await told("s1", Kept(*source().kept, later)))["stories"]

    assert (story["score"]["score"], story["score"]["at_ns"]) == (59.0, 3 * SECOND)
    assert (story["trigger"]["signal"], story["trigger"]["at_ns"]) == ("s1", 5 * SECOND)
    assert next(row["limit"] for row in story["verdict"]["figures"] if row["name"] == "positions") == 10


async def test_a_trigger_that_waits_is_shown_where_nothing_was_entered():
    """Why nothing has happened yet: how far it is."""
    found = await told("NVDA")

    assert (found["stories"], [trigger.signal for trigger in found["waiting"]]) == ([], ["s1"])


async def test_an_order_that_no_entry_explains_has_its_bare_records():
    """What is known of a stranger, as it was recorded."""
    found = await told("e9", Kept(Record(7, 1, e.OrderAccepted("e9", "17"))))

    assert [row["event"].broker_id for row in found["records"]] == ["17"]


async def test_an_instrument_with_many_entries_tells_the_newest():
    """A page, not a book."""
    rows = [replace(AFTER, seq=500 + n, commands=(replace(REFUSED, signal=f"s{n}"),)) for n in range(STORIES_MAX + 5)]
    found = await told("MSFT", Kept(*rows))

    assert [story["signal"] for story in found["stories"]] == [f"s{n}" for n in range(5, STORIES_MAX + 5)]


async def test_a_name_that_only_looks_like_another_is_not_it():
    """A part of a name is another name."""
    assert (await told("AAP"))["stories"] == []
