"""What a person reads."""

from decimal import Decimal

import msgspec
import pytest

from joectl import render
from joed.daemon.reads import READS, Record, describe
from joed.engine.card import card_of
from joed.engine.step import step
from joed.engine.view import card_hash, view
from joed.model.blocks import Block
from joed.model.card import Signed
from joed.model.commands import CancelOrder
from joed.model.events import OrderAccepted, Tick
from joed.model.orders import Position
from joed.model.settings import Confirm, Risk, Settings
from joed.model.state import State
from joed.model.values import SECOND
from tests.daemon.serving import OPEN, killed, state_of_a_day, unconfirmed
from tests.engine.build import START, bracket, fill, holding, quote, submitted
from tests.engine.test_money import bought, two_currencies


def body(state, verb="status"):
    """Give what the daemon answers, through JSON as it travels."""
    return msgspec.json.decode(msgspec.json.encode(READS[verb].show(view(state))))


def test_status_fits_a_narrow_terminal_and_says_it_all():
    """The line, the money against its limit, the clock, the feed, the stops, the orders: without any colour."""
    text = render.status(body(state_of_a_day()))

    assert text.splitlines()[0] == "TRADING: paper, 1 position, 3 orders, day +111.90 USD, closes in 5 h 30 min"
    assert "day       +111.90 USD, limit -2,000.00 (realised +100.00, open +15.10, fees 3.20)" in text
    assert "broker    paper up, reconciled, quote 1.0 s old" in text
    assert "AAPL  10 @ 199.50  now 201.01  +15.10  stop 196.00  target 210.00  breakout" in text
    assert "MSFT  entry   buy 5 limit 410.00" in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 100


def test_what_was_open_at_the_start_is_told_so_that_the_day_adds_up():
    """Realised and open count from the entry, the day from its start: a position of yesterday's is in one alone."""
    state = state_of_a_day()
    state.day.unrealised_start = Decimal("-20.00")

    text = render.status(body(state))

    assert "day       +131.90 USD" in text
    assert "(realised +100.00, open +15.10, -20.00 of it before this session, fees 3.20)" in text


def test_status_of_nothing_is_drawn_too():
    """Before the first broker, before the first session."""
    assert render.status(body(State())).startswith("STARTING: no broker yet")


def test_what_needs_a_person_comes_first_with_what_to_do():
    """Right under the line, each with its remedy."""
    lines = render.status(body(killed(unconfirmed(state_of_a_day())))).splitlines()

    assert lines[0].startswith("HALTED: killed by uid 1000: test")
    assert lines[1] == "needs you"
    assert "release --reason" in lines[3]
    assert any("joectl confirm" in line for line in lines)


def test_every_need_has_its_remedy():
    """A need that leaves a person alone is half a need; alerts speak for themselves."""
    state = killed(unconfirmed(state_of_a_day()))
    state.positions["AAPL"].unprotected_ns = 1
    codes = {need["code"] for need in body(state)["needs"]}

    assert {"latched", "unconfirmed", "unprotected"} <= codes <= set(render.REMEDIES)


def test_a_position_without_a_stop_says_so_in_words():
    """Not by a colour alone, and since when."""
    state = state_of_a_day()
    state.positions["AAPL"].unprotected_ns = state.now - 7 * SECOND
    amiss = render.positions(body(state, "positions"))
    state.positions["NVDA"] = Position("NVDA", "paper", state.cash, state.cash, unprotected_ns=state.now)

    assert "STOP AMISS for 7 s" in amiss
    assert "NO STOP for 0 s" in render.positions(body(state, "positions"))


def test_colours_only_add():
    """What is painted reads the same when the paint is taken off."""
    told = body(killed(state_of_a_day()))
    painted = render.status(told, render.coloured)

    assert "\x1b[31;1mHALTED\x1b[0m" in painted
    for code in ("\x1b[31;1m", "\x1b[0m", "\x1b[36m", "\x1b[33m"):
        painted = painted.replace(code, "")
    assert painted == render.status(told)


def test_no_word_of_a_brokers_steers_the_terminal():
    """Names, reasons and keys alike, however deep."""
    nasty = {"a\x1b[2J": ["\x1b]0;x\x07", {"b": "\x9b31m\n"}], "n": 1.5, "none": None}

    clean = render.cleaned(nasty)

    assert clean == {"a\\x1b[2J": ["\\x1b]0;x\\x07", {"b": "\\x9b31m\\n"}], "n": 1.5, "none": None}


@pytest.mark.parametrize("verb", ["orders", "positions", "regime", "brokers", "jobs"])
def test_each_list_is_drawn_full_and_empty(verb):
    """An empty list says that it is empty."""
    draw = getattr(render, verb)

    assert len(draw(body(state_of_a_day(), verb)).splitlines()) >= 1
    assert draw(body(State(), verb)) != ""


def test_the_card_shows_what_is_signed():
    """Account, money, limits, what is held and what is due, and the hash at the end."""
    told = body(unconfirmed(state_of_a_day()), "confirm")
    text = render.card(told)

    for word in ("PAPER-1, mode paper", "100,000.00 USD", "loss a day 2,000.00", "AAPL 10 @ 199.50", "MSFT BUY 5"):
        assert word in text
    assert text.splitlines()[-1] == f"card      {told['hash']}"


def test_the_card_begins_with_what_has_changed_since_the_last_signed_one():
    """What a person must not miss comes first, with before and after; a loosened limit is marked."""
    state = unconfirmed(state_of_a_day())
    first = render.card(body(state, "confirm")).splitlines()
    state.signed = Signed(card_of(view(state)), "h", state.settings, "", (1000,), OPEN)
    same = render.card(body(state, "confirm")).splitlines()
    risk = Risk(loss_day_max=Decimal(5000), trades_day_max=5)
    state.settings = Settings(universe=state.settings.universe, risk=risk)
    changed = render.card(body(state, "confirm")).splitlines()

    assert first[0] == "the first card that is signed here"
    assert same[:2] == ["changed since the card of 2025-01-03", "  nothing"]
    assert changed[1:3] == [
        "     risk.trades_day_max  40 -> 5       tightens",
        "  !  risk.loss_day_max    2000 -> 5000  loosens",
    ]


def test_the_card_says_who_has_signed_where_it_takes_two():
    """And nothing of it where one is enough."""
    state = unconfirmed(state_of_a_day())
    assert "signed by" not in render.card(body(state, "confirm"))
    state.settings = Settings(universe=state.settings.universe, confirm=Confirm(require_distinct_uid=True))
    state.day.signing, state.day.signers = card_hash(state), (1000,)

    assert "signed    by 1 of 2 (uid 1000)" in render.card(body(state, "confirm"))


def test_a_record_is_a_line_with_its_commands_under_it():
    """Only what is set is said."""
    row = msgspec.json.decode(
        msgspec.json.encode(describe(Record(7, 9, OrderAccepted("o", "17"), (CancelOrder("o", "late"),))))
    )

    assert render.record(row) == ["7  OrderAccepted order=o broker_id=17", "    -> CancelOrder order=o reason=late"]


def test_what_is_long_is_counted_or_cut():
    """A person follows the record by its lines; the whole of it is in JSON."""
    fact = {"type": "RunJob", "instruments": ["AAPL"] * 40, "words": "w" * 200, "job": "scan"}

    (line,) = render.record({"seq": 1, "event": fact, "commands": []})

    assert line == f"1  RunJob instruments=(40) words={'w' * 100}... job=scan"


@pytest.mark.parametrize(
    ("text", "sign", "shown"),
    [
        ("0", False, "0.00"),
        ("1234567.891", False, "1,234,567.89"),
        ("-0.005", True, "-0.00"),
        ("1E+3", True, "+1,000.00"),
    ],
)
def test_money_is_rounded_for_show_only(text, sign, shown):
    """To the cent with thousands, from the daemon's own digits."""
    assert render.money(text, sign=sign) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "-"), ("196.00", "196.00"), (201.01, "201.01"), (0.1 + 0.2, "0.3"), (5.0, "5")]
)
def test_a_price_is_written_as_it_came(value, shown):
    """Money keeps its digits, a float loses its tail."""
    assert render.price(value) == shown


@pytest.mark.parametrize(
    ("at_ns", "words"), [(0, "never"), (130 * SECOND, "in 30 s"), (100 * SECOND, "in 0 s"), (40 * SECOND, "1 min ago")]
)
def test_an_instant_is_told_by_its_distance(at_ns, words):
    """Nobody subtracts times of day in their head."""
    assert render.when(at_ns, 100 * SECOND) == words


@pytest.mark.parametrize(("seconds", "words"), [(-1, "0 s"), (60, "1 min"), (3600, "1 h 0 min"), (90000, "1 d 1 h")])
def test_a_length_of_time_is_said_as_the_daemon_says_it(seconds, words):
    """One form on both ends of the socket."""
    from joed.engine.phase import span

    assert render.span(seconds) == span(seconds) == words


def test_other_currencies_are_shown_with_their_rate_its_age_and_what_is_held_in_them():
    """A rate that is too old, or not there at all, is said to be; a position names its currency where it is another."""
    state = two_currencies()
    bought(state)
    step(state, START, quote("SAP", 105.0, 105.0))
    step(state, START + 30 * SECOND, Tick())
    young = render.status(body(state))
    step(state, START + 901 * SECOND, Tick())
    old = render.status(body(state))

    assert "rate      EUR 1.10 USD, 30 s old (paper: EURUSD)" in young.splitlines()
    assert "balance   -1,000.00 EUR" in young.splitlines()
    assert "+50.00 EUR" in young
    assert "15 min old (paper: EURUSD), TOO OLD: nothing is opened in it" in old
    assert "rate      EUR: none known, nothing is opened in it" in render.status(body(two_currencies(rate=None)))


def test_a_position_that_strategies_share_shows_each_ones_lot():
    """And in JSON with the entries that made it."""
    state = holding("AAPL", quantity="10")
    state.orders["AAPL-e"].strategy = "momentum"
    second = bracket("AAPL", quantity="5", entry="203.00", tag="2")
    submitted(state, second)
    step(state, START, fill(second.order, "5", "203.00", execution="x-second"))
    told = body(state, "positions")

    assert "momentum 10, breakout 5" in render.positions(told)
    assert [(lot["strategy"], lot["quantity"], lot["orders"]) for lot in told["positions"][0]["lots"]] == [
        ("momentum", "10", ["AAPL-e"]),
        ("breakout", "5", ["AAPL2-e"]),
    ]


def test_a_line_wider_than_the_terminal_is_broken_between_words_and_loses_nothing():
    """Under its own beginning; a word that alone is wider stays whole, colours take no room."""
    row = "  XOM   stop  sell 255 stop 96.50  working  j1-20260901-1-34918.0-S-9a43"

    assert render.fitted(row, 80) == row
    assert render.fitted(row, 50).split("\n") == [
        "  XOM   stop  sell 255 stop 96.50  working",
        "      j1-20260901-1-34918.0-S-9a43",
    ]
    assert render.fitted(row, 10).replace("\n", " ").split() == row.split()
    assert render.fitted(render.coloured("TRADING", "TRADING") + ": x", 10).count("\n") == 0


def test_colours_do_not_push_columns_apart():
    """A cell is as wide as what is seen of it."""
    rows = [[render.coloured("a", "critical"), "b"], ["aa", "b"]]

    assert [line.endswith("b") and render.visible(line) for line in render.table(rows, "")] == [5, 5]


def test_status_says_who_is_still_to_sign():
    """One of two; nothing of it where one is enough."""
    state = unconfirmed(state_of_a_day())
    assert "signed" not in render.status(body(state, "status"))
    state.settings = Settings(universe=state.settings.universe, confirm=Confirm(require_distinct_uid=True))
    state.day.signing, state.day.signers = card_hash(state), (1000,)

    assert "      signed 1 of 2\n      joectl confirm" in render.status(body(state, "status"))


def test_a_strategy_that_is_off_is_named_and_hinders_nobody():
    """It is off until somebody switches it on: one quiet line, not a Block among those that a person must settle."""
    state = state_of_a_day()
    off = Block("strategy:momentum", "switched_off", "momentum is switched off", OPEN)
    state.blocks[off.key] = off
    lines = render.status(body(state)).splitlines()

    assert [line for line in lines if "momentum" in line] == ["off       momentum"]
