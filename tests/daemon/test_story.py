"""An entry's story: every figure in it is computed from records that a reader can find again."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from joed.daemon.reads import Record
from joed.daemon.story import Source, figures_of, refusal_of, sized, stems, story_of, words_of
from joed.model import commands as c
from joed.model import events as e
from joed.model.settings import Instrument, Risk, Settings
from joed.model.triggers import Trigger
from joed.model.values import SECOND, Crossing, Kind, Leg, Side, Tif

D = Decimal
ENTRY, STOP, TARGET = "j1-d-1-10.0-E-aa", "j1-d-1-10.0-S-bb", "j1-d-1-10.0-T-cc"
BASIS = c.Basis(
    checks=32,
    price=D("100.00"),
    quantity=D(40),
    limit=D("100.25"),
    rate=D(1),
    worth=D(100000),
    gross=D(4010),
    free=D(100000),
    lost=D(-12),
    positions=0,
    orders_minute=1,
    trades=2,
)
SUBMIT = c.SubmitOrder(
    ENTRY,
    "paper",
    "AAPL",
    Side.BUY,
    D(40),
    Kind.LIMIT,
    Leg.ENTRY,
    opens=True,
    level=D("100.25"),
    tif=Tif.DAY,
    stop_order=STOP,
    stop=D("95.00"),
    target_order=TARGET,
    target=D("110.00"),
    group=ENTRY,
    strategy="breakout",
    signal="s1",
    basis=BASIS,
)
TRIGGER = Trigger("AAPL", Side.BUY, D("100.00"), Crossing.ABOVE, 99 * SECOND, D("95.00"), D("110.00"), "breakout", "s1")
SETTINGS = Settings(universe={"AAPL": Instrument("AAPL")}, risk=Risk(per_trade=D("0.002")))
SOURCE = Source(SETTINGS, TRIGGER, 5 * SECOND, e.Candidate("AAPL", 59.0, ("near its high",)), 4 * SECOND)
QUOTE = e.Quote("AAPL", 99.99, 100.0, 100.0, received_ns=10 * SECOND - SECOND // 4)


def at(seconds, event, *commands):
    """Make a record."""
    return Record(int(seconds * 10), int(seconds * SECOND), event, commands)


def filled(order, side, quantity, price, execution, revision=0):
    """Make an execution that cost a dollar."""
    return e.OrderFilled(order, execution, "AAPL", side, D(quantity), D(price), D(1), revision)


def a_day():
    """Give the records of a trade: filled above the price decided on, trailed twice, stopped below the level."""
    return [
        at(10, QUOTE, SUBMIT),
        at(10.5, e.CommandSent(100, 0, ENTRY)),
        at(11, e.OrderAccepted(ENTRY, "17")),
        at(11.25, filled(ENTRY, Side.BUY, 40, "100.05", "x1")),
        at(20, QUOTE, c.AmendOrder(STOP, D("98.00"), reason="trail")),
        at(21, e.OrderWorking(STOP, D(40), D("98.00"))),
        at(30, QUOTE, c.AmendOrder(STOP, D("101.00"), reason="trail")),
        at(40, filled(STOP, Side.SELL, 40, "100.90", "x2")),
        at(40.5, e.OrderCancelled(TARGET, "the stop closed it")),
    ]


def story():
    """Tell that day."""
    records = a_day()
    return story_of(records[0], SUBMIT, SOURCE, records)


def test_the_cause_is_the_quote_the_trigger_and_the_score():
    """With the age that the quote had when it was decided on, and when the others came."""
    told = story()

    assert (told["quote"]["ask"], told["quote"]["age_s"], told["quote"]["seq"]) == (100.0, 0.25, 100)
    assert (told["trigger"]["level"], told["trigger"]["at_ns"]) == (D("100.00"), 5 * SECOND)
    assert (told["score"]["score"], told["score"]["reasons"]) == (59.0, ("near its high",))


def test_the_messages_stand_in_order_with_their_distances():
    """From the message before, and for the broker's first word from ours on the same order."""
    rows = [(row["who"], row["leg"], row["what"], row["after_s"], row["answer_s"]) for row in story()["messages"]]

    assert rows[:5] == [
        ("joed", "entry", "SubmitOrder", 0.0, None),
        ("joed", "entry", "CommandSent", 0.5, None),
        ("broker", "entry", "OrderAccepted", 0.5, 0.5),
        ("broker", "entry", "OrderFilled", 0.25, None),
        ("joed", "stop", "AmendOrder", 8.75, None),
    ]
    assert [row[2] for row in rows[5:]] == ["OrderWorking", "AmendOrder", "OrderFilled", "OrderCancelled"]


def test_slippage_is_against_the_decision_and_against_the_stops_own_level():
    """Paying more and getting less are both positive; in hundredths of a per cent too."""
    entry, stop = story()["fills"]

    assert (entry["wanted"], entry["slippage"], entry["slippage_bp"]) == (D("100.00"), D("2.00"), pytest.approx(5.0))
    assert (stop["wanted"], stop["slippage"]) == (D("101.00"), D("4.00"))


def test_the_stops_way_the_exit_and_the_result():
    """Each raise with its confirmation, why it ended, and what was made after fees."""
    told = story()

    assert [(row["from"], row["to"], row["confirmed_s"]) for row in told["protection"]] == [
        (D("95.00"), D("98.00"), 1.0),
        (D("98.00"), D("101.00"), None),
    ]
    assert (told["exit"]["reason"], told["exit"]["price"]) == ("the trailing stop", D("100.90"))
    assert (told["result"]["gross"], told["result"]["fees"], told["result"]["net"]) == (D("34.00"), D(2), D("32.00"))
    assert (told["outcome"], told["result"]["left"]) == ("closed", D(0))


def test_an_execution_counts_once_in_its_last_revision():
    """A correction takes the place of what it corrects, a bust of everything, also in a read of the book."""
    records = a_day()[:4]
    records.append(at(12, filled(ENTRY, Side.BUY, 30, "100.05", "x1", 1)))
    records.append(
        at(13, e.BrokerRead("paper", 1, 0, 1, complete=True, executions=(filled(ENTRY, Side.BUY, 5, "100", "x9"),)))
    )
    told = story_of(records[0], SUBMIT, SOURCE, records)
    records.append(at(14, filled(ENTRY, Side.BUY, 0, "100", "x9", 1)))
    busted = story_of(records[0], SUBMIT, SOURCE, records)

    assert [fill["quantity"] for fill in told["fills"]] == [D(30), D(5)]
    assert (told["outcome"], busted["result"]["quantity"]) == ("open", D(30))


ENDS = [
    (e.OrderRejected(ENTRY, "201", "no margin"), "rejected by the broker"),
    (e.OrderCancelled(ENTRY, "timeout"), "cancelled"),
    (e.CommandDropped(100, 0, ENTRY, "killed"), "held back at release"),
    (e.OrderAccepted(ENTRY, "17"), "not filled yet"),
]


@pytest.mark.parametrize(("event", "outcome"), ENDS)
def test_an_entry_that_did_not_fill_says_what_became_of_it(event, outcome):
    """No fill, no result."""
    records = [*a_day()[:2], at(11, event)]
    told = story_of(records[0], SUBMIT, SOURCE, records)

    assert (told["outcome"], told["result"], told["exit"]) == (outcome, None, None)


def test_a_close_for_another_reason_says_the_reason():
    """The target was made marketable: it is no target that was reached."""
    records = [
        *a_day()[:4],
        at(20, e.Tick(), c.AmendOrder(TARGET, D("99.00"), reason="end of day", closes=True)),
        at(21, filled(TARGET, Side.SELL, 40, "100.10", "x2")),
    ]

    assert story_of(records[0], SUBMIT, SOURCE, records)["exit"]["reason"] == "closed: end of day"


def test_a_target_that_was_moved_to_close_is_measured_against_no_price():
    """It is to fill at any price: what lies between it and the target that was given up is no slippage."""
    closed = [
        *a_day()[:4],
        at(20, e.Tick(), c.AmendOrder(TARGET, D("99.00"), reason="killed", closes=True)),
        at(21, filled(TARGET, Side.SELL, 40, "100.10", "x2")),
    ]
    reached = [*a_day()[:4], at(21, filled(TARGET, Side.SELL, 40, SUBMIT.target, "x2"))]

    told = story_of(closed[0], SUBMIT, SOURCE, closed)

    assert (told["fills"][1]["wanted"], told["fills"][1]["slippage"]) == (None, None)
    assert told["result"]["slippage"] == told["fills"][0]["slippage"] == D("2.00")
    assert story_of(reached[0], SUBMIT, SOURCE, reached)["fills"][1]["slippage"] == D(0)


def test_a_refusal_explains_itself_with_the_figures_it_was_made_on():
    """The code, the words, and each figure beside its limit."""
    command = c.RefuseEntry("AAPL", "breakout", "s1", "notional_max", "4010.00 is over the limit", BASIS)
    told = refusal_of(at(10, QUOTE, command), command, SOURCE)

    assert told["outcome"] == "refused: notional_max"
    assert (told["verdict"]["passed"], told["verdict"]["words"]) == (False, "4010.00 is over the limit")
    assert {"name": "order", "value": D("4010.00"), "limit": D(25000)} in told["verdict"]["figures"]
    assert (told["quote"]["bid"], told["messages"], told["result"]) == (99.99, [], None)


def test_what_was_won_is_no_loss():
    """A day above its start stands at 0 of the limit."""
    assert next(row["value"] for row in figures_of(BASIS, SETTINGS) if row["name"] == "lost today") == 0


def test_a_record_of_an_older_build_is_told_without_figures():
    """It passed; what the gate saw was not written down then."""
    old = c.SubmitOrder(ENTRY, "paper", "AAPL", Side.BUY, D(1), Kind.LIMIT, Leg.ENTRY, opens=True, level=D(100))
    told = story_of(at(10, QUOTE, old), old, Source(SETTINGS), [at(10, QUOTE, old)])

    assert (told["verdict"]["words"], told["verdict"]["figures"], told["intent"]["sized"]) == ("passed", [], "")


SIZES = [
    (D(40), None, "0.20% of 100000.00 lost over 5.25 to the stop, in lots of 1"),
    (D(249), None, "no more than 25000 an order: at 100.25, in lots of 1"),
    (D(7), D(7), "the strategy asked for 7"),
]


@pytest.mark.parametrize(("quantity", "asked", "words"), SIZES)
def test_the_size_says_what_it_came_from(quantity, asked, words):
    """By risk, by the order's limit, or by the strategy's own word."""
    command = replace(SUBMIT, quantity=quantity, basis=replace(BASIS, quantity=quantity))
    source = Source(SETTINGS, replace(TRIGGER, quantity=asked))

    assert sized(command, source) == words


def test_what_joins_a_group_later_belongs_to_its_story():
    """A new stop has a stem of its own; the group names it."""
    renewed = c.SubmitOrder(
        "j1-d-1-77.0-S-dd",
        "paper",
        "AAPL",
        Side.SELL,
        D(40),
        Kind.STOP,
        Leg.STOP,
        opens=False,
        level=D(97),
        group=ENTRY,
    )
    records = [*a_day()[:4], at(20, e.Tick(), renewed)]

    assert stems("j1-d-1-10.0", records) == ["j1-d-1-10.0", "j1-d-1-77.0"]
    moved = story_of(records[0], SUBMIT, SOURCE, records)["protection"]
    assert [(row["to"], row["why"]) for row in moved] == [(D(97), "a new stop")]


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        (SUBMIT, "buy 40 limit at 100.25"),
        (c.AmendOrder(STOP, D(98), reason="trail"), "move to 98 (trail)"),
        (c.AmendOrder(STOP, quantity=D(3)), "move for 3"),
        (c.CancelOrder(ENTRY, "killed"), "killed"),
        (e.OrderRejected(ENTRY, "201", "no margin"), "201 no margin"),
        (e.CancelRejected(ENTRY, "too late"), "too late"),
        (e.CommandDropped(1, 0, ENTRY, "killed"), "SubmitOrder: killed"),
        (filled(ENTRY, Side.BUY, 1, "100", "x", 2), "1 at 100, fee 1 (revision 2)"),
    ],
)
def test_a_message_is_said_in_a_few_words(fact, words):
    """What was asked, or what was answered."""
    assert words_of(fact) == words
