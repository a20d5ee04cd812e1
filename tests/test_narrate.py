"""A day told line by line."""

from decimal import Decimal

import pytest

from joed import narrate
from joed.daemon.reads import Record
from joed.model import commands as c
from joed.model import events as e
from joed.model.blocks import Block
from joed.model.values import SECOND, Scope, Severity, Side
from tests.engine.build import bracket

D = Decimal
AT = 1_788_269_403 * SECOND
"""2026-09-01 09:30:03 in New York."""
ENTRY = "j1-20260901-1-118334.0-E-9c21"


def told(event, *commands):
    """Give what is told of a record."""
    return narrate.lines(Record(1, AT, event, commands))


def test_each_line_begins_with_the_markets_time():
    """A trader in New York looks at that clock."""
    assert told(e.BrokerDown("paper", "gone")) == ["09:30:03  broker    paper is down: gone"]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (e.BrokerUp("paper", "DU1", "paper", 1), "broker    paper is up, account DU1 (paper)"),
        (
            e.OrderFilled(ENTRY, "x1", "KO", Side.BUY, D(10), D("50.10")),
            "filled    BUY  10 KO at 50.10 (entry)",
        ),
        (
            e.OrderFilled(ENTRY.replace("-E-", "-S-"), "x1", "KO", Side.SELL, D(10), D("49.10")),
            "filled    SELL 10 KO at 49.10 (stop)",
        ),
        (e.OrderFilled("", "x1", "KO", Side.SELL, D(10), D("49.10")), "filled    SELL 10 KO at 49.10 (order)"),
        (e.OrderRejected("o", "cash", "too dear"), "rejected  o: cash too dear"),
        (e.MarketScanned(1, (e.Candidate("KO", 3.0), e.Candidate("HD", 2.0))), "watchlist KO, HD"),
        (e.MarketScanned(1, ()), "watchlist nothing"),
        (e.RegimeJudged(1, e.RegimeRead("bull", 1.0, ("a", "b"))), "regime    bull: a; b"),
        (e.SummaryWritten(1, "first\nsecond"), "summary   first"),
        (e.SummaryWritten(1, ""), "summary   "),
        (
            e.SessionEnded("2026-09-01", "over", D("99.999"), D(0), D(0), 3, 0),
            "ended     2026-09-01: over; equity 100.00, 3 trades",
        ),
    ],
)
def test_an_event_worth_telling_has_a_line(event, line):
    """In a trader's words."""
    assert told(event) == [f"09:30:03  {line}"]


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (
            bracket("KO", reasons=("breaks 200", "volume")),
            "entering  BUY  10 KO up to 200.00, stop 196.00, target 220.00: breaks 200; volume",
        ),
        (c.AmendOrder("o", D("1.5"), reason="trail"), "moving    o to 1.5 (trail)"),
        (c.CancelOrder("o", "timeout"), "cancelling o: timeout"),
        (c.RatchetTrail("KO", D("0.5")), "trailing  KO by 0.5"),
        (c.RaiseBlock(Block("all", "vix", "VIX at 40")), "blocked   all: VIX at 40"),
        (c.RaiseBlock(Block("strategy:a", "switched_off", "a is off")), "off       a is off"),
        (c.LiftBlock("all/vix", "calm"), "lifted    all/vix: calm"),
        (c.LiftBlock("all/vix"), "lifted    all/vix"),
        (c.RefuseEntry("KO", "breakout", "s", "cash", "too dear"), "refused   KO: too dear (cash)"),
        (c.LatchKill(Scope.ORDERS, "a drill"), "KILLED    orders: a drill"),
        (c.Stop("over"), "stopping  over"),
        (c.OpenSession("2026-09-01", 1, 2, D(100)), "session   2026-09-01 begins with 100.00"),
    ],
)
def test_a_command_worth_telling_has_a_line(command, line):
    """With its reason."""
    assert told(e.Tick(), command) == [f"09:30:03  {line}"]


def test_what_only_a_machine_wants_to_know_is_not_told():
    """A heartbeat, an alert that the log has, a job."""
    alert = c.RaiseAlert("k", Severity.INFO, "w")

    assert told(e.HeartbeatMeasured(0, 1), alert, c.RunJob("scan", 1, 2)) == []
