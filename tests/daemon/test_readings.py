"""joed.daemon.readings: what a scrape sees is what the View and the counters say, series by series."""

import gc
from collections import Counter
from decimal import Decimal

import pytest
from msgspec.structs import replace

from joed.daemon import readings as r
from joed.daemon.counters import Counters
from joed.daemon.readings import Sources
from joed.engine.view import view
from joed.model.blocks import Block
from joed.model.kill import Drill
from joed.model.state import State
from joed.model.values import SECOND, Kind, Leg, Scope, Severity, Side, Status
from joed.model.view import BarsView, BrokerView, JobView, Limits, Need, OrderView, PositionView, PriceView, RateView
from tests.daemon.serving import OPEN, killed, state_of_a_day

NOW = 1_000 * SECOND
UTC_S = 1_010.0
"""The wall clock was set ten seconds ahead of the engine's."""
SEEN = replace(
    view(State()),
    now_ns=NOW,
    utc_ns=NOW + 10 * SECOND,
    base_currency="EUR",
    seq=77,
    queue_depth=5,
    limits=Limits(Decimal(2000), Decimal(200_000), Decimal(25_000), 10, 40, Decimal("0.005")),
)
EMPTY = Sources(lambda: SEEN)


def broker(name, **changes):
    """Give a broker that answers and agrees."""
    plain = BrokerView(name, True, "U1", 3, True, 0, 2.5, 4.0, 0)
    return replace(plain, **changes)


def order(status, age_s=1.0, broker="paper"):
    """Give a living order."""
    one = Decimal(1)
    return OrderView(
        "j1",
        broker,
        "",
        "AAPL",
        Side.BUY,
        one,
        Decimal(0),
        Kind.LIMIT,
        Leg.ENTRY,
        one,
        None,
        status,
        True,
        "",
        "",
        age_s,
    )


def position(instrument, quantity, broker="paper", protected=True):
    """Give a position."""
    d = Decimal
    return PositionView(
        instrument,
        broker,
        d(quantity),
        d(1),
        1.0,
        d(1),
        None,
        protected,
        None,
        d(0),
        d(0),
        d(0),
        "",
        False,
        False,
        0,
        "g",
    )


def read(reader, sources=EMPTY, seen=SEEN):
    """Give a row's series."""
    return dict(reader(sources, seen))


def test_a_closed_set_is_whole_from_the_start_and_strangers_add_up():
    """A label that nobody foresaw neither fails nor grows a series of its own."""
    found = {}
    reader = r.each(Severity, lambda sources, seen: found)

    assert read(reader) == {("info",): 0, ("warning",): 0, ("critical",): 0}
    found.update({"warning": 2, "odd": 3, "odder": 4})
    assert read(reader) == {("info",): 0, ("warning",): 2, ("critical",): 0, ("other",): 7}


def test_one_state_holds_or_none_that_we_know():
    """An unknown word is no state, and no error."""
    word = ["AWAITING CONFIRMATION"]
    reader = r.state(["TRADING", "AWAITING CONFIRMATION"], lambda sources, seen: word[0])

    assert read(reader) == {(): {"trading": False, "awaiting_confirmation": True}}
    word[0] = "NEW"
    assert read(reader) == {(): {"trading": False, "awaiting_confirmation": False}}


def test_a_count_comes_from_whoever_keeps_it():
    """A reading goes before a counter; its labels may be one, several or none; without any there is no series."""
    counters = Counters()
    counters.sent = 4
    sources = Sources(lambda: SEEN, counters)

    assert read(r.count("commands_sent_total", "sent"), sources) == {(): 4}
    sources.readings["commands_sent_total"] = lambda: 9
    assert read(r.count("commands_sent_total", "sent"), sources) == {(): 9}
    sources.readings["by_one"] = lambda: Counter(delivered=2)
    assert read(r.count("by_one"), sources) == {("delivered",): 2}
    sources.readings["by_two"] = lambda: {("kill", 200): 1}
    assert read(r.count("by_two"), sources) == {("kill", "200"): 1}
    assert read(r.count("nobody"), sources) == {}


def test_instants_are_utc_and_never_is_nought():
    """The engine's clock and the wall clock may differ; an age counts back from when the View was made."""
    assert read(r.instant(lambda seen: 990 * SECOND)) == {(): 1_000.0}
    assert read(r.instant(lambda seen: 0)) == {(): 0.0}
    assert r.ago_s(SEEN, 2.5) == UTC_S - 2.5
    assert r.ago_s(SEEN, None) == 0.0
    counters = Counters()
    counters.heartbeat_ns = 5 * SECOND
    assert read(r.utc("heartbeat_ns"), Sources(lambda: SEEN, counters)) == {(): 5.0}


def test_every_broker_has_its_series_before_it_is_heard_of():
    """Configured or seen; a broker that never connected is at 0, where an alert finds it."""
    sources = Sources(lambda: SEEN, brokers=("ibkr", "paper"))
    seen = replace(SEEN, brokers=(broker("paper"), broker("capital", up=False, quote_age_s=None)))

    assert read(r.broker(lambda seen, row: row.up), sources, seen) == {("ibkr",): 0, ("paper",): 1, ("capital",): 0}
    assert read(r.broker(lambda seen, row: r.ago_s(seen, row.quote_age_s)), sources, seen) == {
        ("ibkr",): 0,
        ("paper",): UTC_S - 2.5,
        ("capital",): 0,
    }


def test_prices_are_counted_by_how_they_came_and_the_oldest_is_told():
    """By broker; what nobody said is a source of its own, a broker that nobody configured has no series."""
    rows = [("A", "ibkr", "poll", 3.0), ("B", "ibkr", "", 9.0), ("C", "ibkr", "stream", None), ("D", "other", "", 1.0)]
    prices = tuple(PriceView(name, at, 1.0, 1.1, None, source, age_s) for name, at, source, age_s in rows)
    seen = replace(SEEN, prices=prices, brokers=(broker("ibkr"),))
    sources = Sources(lambda: seen, brokers=("ibkr",))

    assert dict(r.feeds(sources, seen)) == {
        ("ibkr", "stream"): 1,
        ("ibkr", "poll"): 1,
        ("ibkr", "delayed"): 0,
        ("ibkr", "unsaid"): 1,
    }
    assert r.oldest(seen, broker("ibkr")) == UTC_S - 9.0
    assert r.oldest(SEEN, broker("ibkr")) == 0


def test_names_without_history_are_counted_by_broker_and_kind():
    """Also before anything was asked."""
    lacking = broker(
        "ibkr", bars={"daily": BarsView(2, 600, {"KO": "none"}, {}, 1.0), "weekly": BarsView(0, 0, {}, {}, 1.0)}
    )
    seen = replace(SEEN, brokers=(lacking,))

    assert dict(r.lacking(Sources(lambda: seen), seen)) == {("ibkr", "daily"): 1, ("ibkr", "minute"): 0}


def test_orders_are_counted_by_broker_and_state():
    """All living states are there; an ended one is no series; a broker out of the settings still shows its orders."""
    sources = Sources(lambda: SEEN, brokers=("paper",))
    seen = replace(SEEN, orders=(order(Status.WORKING), order(Status.WORKING), order(Status.SENT, broker="old")))

    found = read(r.orders, sources, seen)

    assert found["paper", "working"] == 2
    assert found["old", "sent"] == 1
    assert found["paper", "cancel_asked"] == 0
    assert ("paper", "filled") not in found


def test_the_oldest_order_that_waits_for_its_broker_is_told_by_its_time():
    """A working order waits for a price, not for its broker."""
    seen = replace(SEEN, orders=(order(Status.WORKING, 500), order(Status.SENT, 3), order(Status.CANCEL_ASKED, 20)))

    assert r.pending_at(seen, "paper") == UTC_S - 20
    assert r.pending_at(seen, "ibkr") == 0.0
    assert r.pending_at(SEEN, "paper") == 0.0


def test_uncertain_orders_and_unprotected_positions_are_counted_by_broker():
    """The two that a person is woken for."""
    seen = replace(
        SEEN,
        orders=(order(Status.UNCERTAIN), order(Status.SENT)),
        positions=(position("A", 1, protected=False), position("B", 1), position("C", 1, "ibkr", protected=False)),
    )

    assert (r.uncertain(seen, "paper"), r.uncertain(seen, "ibkr")) == (1, 0)
    assert (r.unprotected(seen, "paper"), r.unprotected(seen, "ibkr")) == (1, 1)


def test_positions_are_counted_by_side_and_shown_by_symbol():
    """Short is negative; a symbol beyond the fiftieth is part of the rest."""
    sources = Sources(lambda: SEEN, brokers=("paper",))
    seen = replace(SEEN, positions=(position("B", -5), position("A", 10), position("C", 1)))
    many = replace(SEEN, positions=tuple(position(f"S{at:03}", at + 1) for at in range(60)))

    assert read(r.positions, sources, seen) == {("paper", "long"): 2, ("paper", "short"): 1}
    assert read(r.quantities, sources, seen) == {("A",): 10.0, ("B",): -5.0, ("C",): 1.0, ("other",): 0}
    found = read(r.quantities, sources, many)
    assert len(found) == r.SYMBOLS_MAX + 1
    assert found["other",] == sum(range(51, 61))


def test_limits_and_what_is_used_of_them():
    """A gain uses nothing of the loss limit; a limit of 0 is not divided by."""
    seen = replace(SEEN, daily_pnl=Decimal(-500), gross=Decimal(50_000), positions=(position("A", 1),), trades=10)

    assert read(r.each(r.LIMITS, r.utilisation), seen=seen) == {
        ("loss_day_max",): 0.25,
        ("gross_max",): 0.25,
        ("position_max",): 0.1,
        ("trades_day_max",): 0.25,
    }
    assert r.utilisation(EMPTY, replace(SEEN, daily_pnl=Decimal(500)))["loss_day_max"] == 0
    none = replace(SEEN, limits=replace(SEEN.limits, position_max=0))
    assert r.utilisation(EMPTY, none)["position_max"] == 0
    assert r.limits(EMPTY, SEEN)["gross_max"] == 200_000


def test_a_job_that_runs_has_not_ended_yet():
    """Ok and failed add up to the runs that are over; the time of the last end is UTC."""
    seen = replace(SEEN, jobs=(JobView("scan", True, 5, 990 * SECOND, 0, "late", 1),))

    found = read(r.job_runs, seen=seen)

    assert (found["scan", "ok"], found["scan", "failed"]) == (3, 1)
    assert found["regime", "ok"] == 0
    assert read(r.job(lambda shown, row: r.utc_s(shown, row.last_ns)), seen=seen)["scan",] == 1_000.0


def test_what_people_must_know_is_told():
    """The kill in force, blocks by reason, needs by severity."""
    seen = replace(
        SEEN,
        killed=Scope.FLATTEN,
        blocks=(Block("all", "vix", "VIX 40"),),
        needs=(Need(Severity.CRITICAL, "unprotected", "w"), Need(Severity.CRITICAL, "latched", "w")),
    )

    assert r.killed(EMPTY, seen) == {Scope.FLATTEN: 1}
    assert r.killed(EMPTY, SEEN) == {}
    assert read(r.blocked("vix"), seen=seen) == {(): True}
    assert read(r.blocked("paused"), seen=seen) == {(): False}
    assert r.needs(EMPTY, seen) == {"critical": 2}


def test_where_nobody_keeps_a_number_the_view_has_it():
    """The queue at the last heartbeat; the newest record that may be seen."""
    keeping = Sources(lambda: SEEN, readings={"queue_depth": lambda: 8, "audit_last_seq": lambda: 99})

    assert (read(r.depth), read(r.depth, keeping)) == ({(): 5}, {(): 8})
    assert (read(r.last_seq), read(r.last_seq, keeping)) == ({(): 77}, {(): 99})


def test_events_come_from_the_counters_or_from_whoever_keeps_them():
    """Both by kind."""
    counters = Counters()
    counters.events["OrderFilled"] = 3
    sources = Sources(lambda: SEEN, counters)

    assert r.events(sources, SEEN)["OrderFilled"] == 3
    sources.readings["events_total"] = lambda: {"OrderFilled": 5}
    assert r.events(sources, SEEN) == {"OrderFilled": 5}
    sources.readings["events_total"] = lambda: 7
    assert r.events(sources, SEEN) == {}


class Talk:
    """A log, as far as its counts are read."""

    def __init__(self):
        self.records = Counter(info=3)
        self.dropped = 2


@pytest.mark.parametrize(("log", "lines", "dropped"), [(None, {}, 0), (Talk(), {"info": 3}, 2)])
def test_the_logs_own_counts_are_read(log, lines, dropped):
    """Without a log, none."""
    sources = Sources(lambda: SEEN, log=log)

    assert (r.logged(sources, SEEN), r.unlogged(sources, SEEN)) == (lines, dropped)


def test_an_amount_names_its_currency():
    """No sum over currencies can be made by mistake."""
    assert read(r.money(lambda seen: Decimal("12.50"))) == {("EUR",): 12.5}


def test_what_runs_is_told_in_words():
    """The code's hash is cut as git cuts it."""
    seen = replace(SEEN, version="1.2", code="a" * 40)

    assert read(r.build, Sources(lambda: seen, python="3.11.7"), seen) == {
        (): {"version": "1.2", "code": "a" * 12, "python": "3.11.7"}
    }


def test_pauses_of_the_collector_are_read_by_generation():
    """Three histograms."""
    assert list(read(r.gc_pauses)) == [("0",), ("1",), ("2",)]
    assert read(r.buckets("commit"))[()] is EMPTY.counters.commit


@pytest.mark.parametrize(
    "read",
    [r.count("asked"), r.each(["status"], lambda sources, _: sources.readings["asked"]())],
    ids=["count", "each"],
)
def test_a_table_that_grows_while_it_is_read_is_read_all_the_same(read):
    """Python's collector may run between two rows of a walk, and lets the loop count on: nothing is lost by it."""
    asked = dict.fromkeys(map(str, range(5_000)), 1)

    def counts_on(*_):
        asked[str(len(asked))] = 1

    sources = Sources(lambda: SEEN, readings={"asked": lambda: asked})
    gc.callbacks.append(counts_on)
    try:
        gc.collect()
        rows = list(read(sources, SEEN))
    finally:
        gc.callbacks.remove(counts_on)

    assert sum(value for _, value in rows) >= 5_000


def test_a_kill_and_the_last_drill_are_told_by_their_times():
    """0 for never; a kill that is not done says how much is open."""
    calm, state = state_of_a_day(), killed(state_of_a_day())
    state.drilled = Drill(state.now, Scope.ORDERS, passed=False, words="", passed_ns=OPEN)
    shown, none = view(state), view(calm)

    assert (r.kill_at(none), r.kill_done(None, none), r.kill_open(None, none), r.drill_at(none)) == (0, 0, 0, 0)
    assert (r.kill_at(shown), r.kill_done(None, shown), r.kill_open(None, shown)) == (state.now, 0, 1)
    assert r.drill_at(shown) == OPEN


def test_tables_have_every_broker_and_every_state_from_the_start():
    """A rate needs its series before the first event."""
    counters = Counters()
    sources = Sources(lambda: SEEN, counters, brokers=("ibkr", "paper"))
    counters.fills["paper", "buy"] = 3
    counters.losses["ibkr"] = 2
    counters.watchdog_s = 90.0

    assert read(r.tallied("fills", r.SIDES), sources) == {
        ("ibkr", "buy"): 0,
        ("ibkr", "sell"): 0,
        ("paper", "buy"): 3,
        ("paper", "sell"): 0,
    }
    assert read(r.counted("losses"), sources) == {("ibkr",): 2, ("paper",): 0}
    assert read(r.kept("watchdog_s"), sources) == {(): 90.0}


def test_net_exposure_is_long_less_short_in_base_currency():
    """At the mark, or the average while there is no price; at the rate, or 1 where nobody told one."""
    long, short = position("A", 10), replace(position("B", -4), price=None, average=Decimal(5))
    foreign = replace(position("C", 2), price=10.0, currency="USD")
    rates = (RateView("USD", Decimal("0.5"), 1.0, "paper", stale=False), RateView("GBP", None, None, "", stale=True))

    assert r.net(replace(SEEN, positions=(long, short, foreign), rates=rates)) == 10 - 20 + 10
