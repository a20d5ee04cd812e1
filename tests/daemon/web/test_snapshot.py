"""joed.daemon.web.snapshot: what the page is told is what joectl is told."""

import msgspec
from msgspec.structs import replace

from joed.daemon.reads import Record, status
from joed.daemon.web.snapshot import CHARACTERS_MAX, FIELDS, RECORDS_SHOWN, row_of, said, snapshot
from joed.engine.view import view
from joed.model.blocks import Block
from joed.model.commands import MarkEquity, RaiseBlock, RefuseEntry
from joed.model.events import AmendRejected, BrokerDown, Tick
from joed.model.values import SECOND, Severity
from joed.model.view import Need, PriceView
from joed.protocol import REMEDIES
from tests.engine.build import D, fill, holding, quote

SHOWN = view(holding())


def told(shown=SHOWN, records=()):
    """Give a message as the page reads it."""
    return msgspec.json.decode(snapshot(shown, records, "build"))


def test_the_page_is_told_the_rows_that_joectl_is_told():
    """Field by field the same JSON, at the same seq."""
    rows = msgspec.json.decode(msgspec.json.encode(status(SHOWN)))

    assert {name: told()[name] for name in FIELDS} == {name: rows[name] for name in FIELDS}


def test_each_need_comes_with_its_remedy():
    """The words that joectl has for it."""
    found = told(replace(SHOWN, needs=(Need(Severity.CRITICAL, "latched", "loss"), Need(Severity.INFO, "?", "new"))))

    assert [need["remedy"] for need in found["needs"]] == [REMEDIES["latched"], ""]


def test_a_message_is_one_line():
    """A stream of events ends a message at a line's end."""
    assert b"\n" not in snapshot(replace(SHOWN, words="one\ntwo\r\n\n"), [], "build")


def test_the_last_records_come_newest_first_and_none_is_ahead_of_the_view():
    """What is shown beside each other happened together."""
    seq = SHOWN.seq
    records = [Record(at, SHOWN.now_ns, BrokerDown("paper", f"no {at}")) for at in range(seq - 40, seq + 3)]

    rows = told(records=records)["records"]

    assert [row["seq"] for row in rows] == list(range(seq, seq - RECORDS_SHOWN, -1))
    assert rows[0]["words"] == f"broker down paper: no {seq}"
    assert rows[0]["at_ns"] == SHOWN.utc_ns


def test_routine_is_told_by_what_it_led_to():
    """A Tick that raised a Block is the Block; one that only marked the equity is nothing."""
    block = RaiseBlock(Block("all", "vix", "VIX at 40"))

    assert row_of(Record(1, SECOND, Tick(), [block])) == {"seq": 1, "words": said(block), "commands": [], "times": 1}
    assert said(block) == "raise block all/vix: VIX at 40"
    assert row_of(Record(1, SECOND, Tick(), [MarkEquity(D(1), D(1), D(0), D(0), D(0))])) is None


def test_a_fill_and_a_refusal_are_told_in_words():
    """What, how many, where, and why not."""
    refusal = RefuseEntry("AAPL", "breakout", "signal", "cash", "not enough")

    assert said(fill("AAPL-e", "10", "200.00")) == "order filled BUY 10 AAPL 200.00"
    assert row_of(Record(1, SECOND, quote("AAPL", 1.0), [refusal]))["words"] == "refuse entry AAPL: cash, not enough"


def test_an_order_is_told_by_what_it_protects():
    """An id of ours says nothing to a person; the instrument and the leg do."""
    moved = Record(SHOWN.seq, SHOWN.now_ns, AmendRejected("AAPL-s", "too late"))

    assert told(records=[moved])["records"][0]["words"] == "amend rejected AAPL stop: too late"


def test_a_refusal_that_comes_again_and_again_is_told_once():
    """With how often it was met, at its newest; another instrument's is another."""
    records = [
        Record(SHOWN.seq - 9 + at, SHOWN.now_ns, Tick(), [RefuseEntry(name, "breakout", "s", "cash", f"no {at}")])
        for at, name in enumerate(("AAPL", "KO", "AAPL", "AAPL"))
    ]

    rows = told(records=records)["records"]

    assert [(row["words"], row["times"]) for row in rows] == [
        ("refuse entry AAPL: cash, no 3", 3),
        ("refuse entry KO: cash, no 1", 1),
    ]


def test_long_words_are_cut():
    """A broker's error text does not fill the page."""
    assert len(said(BrokerDown("paper", "x" * 5000))) == CHARACTERS_MAX


def test_prices_are_told_by_source_with_the_oldest():
    """Who looks sees which of them are old, and how many were never heard."""
    rows = [
        PriceView(name, "paper", 1.0, 1.0, None, "stream", age_s)
        for name, age_s in zip("ABCDE", (1.0, 9.0, None, 4.0, 2.0), strict=True)
    ]

    assert told(replace(SHOWN, prices=tuple(rows)))["prices"] == [
        {
            "broker": "paper",
            "source": "stream",
            "count": 5,
            "silent": 1,
            "oldest": [{"instrument": name, "age_s": age_s} for name, age_s in (("B", 9.0), ("D", 4.0), ("E", 2.0))],
        }
    ]
