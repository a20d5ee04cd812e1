"""Days that a page shows: what is good and what is not, each a View whose time goes on as a living joed's does."""

import threading
from contextlib import contextmanager
from decimal import Decimal

from msgspec.structs import replace

from joed.daemon.reads import Record
from joed.engine.view import view
from joed.model.blocks import Block
from joed.model.commands import RefuseEntry
from joed.model.events import BrokerDown, OrderFilled, Tick
from joed.model.values import SECOND, Severity, Side
from joed.model.view import Need, PriceView, RateView
from tests.daemon.serving import state_of_a_day
from tests.daemon.web.looking import Shown, served

D = Decimal


class Living(Shown):
    """A View whose time goes on each time that it is looked at."""

    def __init__(self, *shown):
        super().__init__(*shown)
        self.lock = threading.Lock()

    def view(self):
        """Give it a moment later."""
        with self.lock:
            self.shown = later(self.shown, self.shown)
            return self.shown

    def show(self, shown):
        """Show another View from now on; its time goes on from where the last one was."""
        with self.lock:
            self.shown = later(shown, self.shown)


def later(shown, before):
    """Give a View that is a moment later than another."""
    return replace(shown, now_ns=before.now_ns + SECOND // 5, utc_ns=before.utc_ns + SECOND // 5)


def good():
    """Give a day without trouble: one protected position, one resting entry, one Trigger."""
    shown = view(state_of_a_day())
    return replace(shown, clock=replace(shown.clock, timezone="America/New_York"))


def bad():
    """Give a day with every trouble that a page can show."""
    shown = good()
    (row,) = shown.positions
    naked = replace(row, instrument="MSFT", stop=None, protected=False, unprotected_s=4.0, price_age_s=95.0)
    return replace(
        shown,
        phase="HALTED",
        words="the loss of the day is 2,012.40",
        health="halted",
        positions=(row, naked),
        daily_pnl=D("-1812.405"),
        blocks=(Block("all", "loss_day", "the loss of the day is 2,012.40", latched=True),),
        needs=(
            Need(Severity.CRITICAL, "unprotected", "MSFT has no working stop"),
            Need(Severity.CRITICAL, "latched", "loss_day (all): the loss of the day is 2,012.40"),
            Need(Severity.WARNING, "uncertain", "MSFT order j1-20250103-3-9.0-E-ab12: its fate is unknown"),
            Need(Severity.INFO, "unconfirmed", "waiting for joectl confirm"),
        ),
        rates=(RateView("EUR", D("1.08"), 1200.0, "EURUSD", stale=True),),
        prices=(
            PriceView("AAPL", "paper", 201.0, 201.02, None, "stream", 0.4),
            PriceView("MSFT", "paper", 201.0, 201.02, None, "stream", 95.0),
            PriceView("KO", "paper", 1.0, 1.0, None, "poll", None),
        ),
        brokers=tuple(replace(broker, up=False, differences=2) for broker in shown.brokers),
    )


def records(shown):
    """Give some records that led to something."""
    filled = OrderFilled("j1-20250103-3-7.0-E-aa11", "x", "AAPL", Side.BUY, D(10), D("200.00"))
    refused = RefuseEntry("TSLA", "breakout", "s", "cash", "24950.88 is needed, 2988.38 is free")
    return [
        Record(shown.seq - 3, shown.now_ns - 9 * SECOND, filled),
        Record(shown.seq - 2, shown.now_ns - 5 * SECOND, Tick(), [refused]),
        Record(shown.seq - 1, shown.now_ns - 2 * SECOND, BrokerDown("paper", "the connection was reset")),
    ]


@contextmanager
def page_of(shown, records=None):
    """Serve a living day, and give its address with its server."""
    side = Living(shown, globals()["records"](shown) if records is None else records)
    with served(side, turn_s=0.1) as server:
        side.server = server
        yield f"http://127.0.0.1:{server.port}/", side
