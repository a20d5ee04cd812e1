"""Each job by its answer, and that no job's fault is more than an answer."""

from decimal import Decimal

import msgspec
import numpy as np
import pytest

from joed.daemon import jobs
from joed.daemon.history import History
from joed.daemon.job_context import JobContext
from joed.daemon.jobs import JOBS, answer
from joed.model import events
from joed.model.commands import RunJob
from joed.model.events import Candidate, JobFailed, RegimeRead
from joed.model.values import DAY, HOUR, MINUTE, Bar

OPEN_NS = 20_000 * DAY + 14 * HOUR + 30 * MINUTE
CLOSE_NS = OPEN_NS + 390 * MINUTE
NAMES = tuple("ABCDEFGHIJKL")


def history_of(minutes=40, days=0):
    """Build a history of the names, an index and VIX: names rise, the later in the alphabet the faster."""
    history = History()
    history.turn_to("2026-11-20", OPEN_NS, CLOSE_NS)
    for index, name in enumerate((*NAMES, "SPY")):
        closes = 100.0 + index * 0.001 * np.arange(minutes) + 0.02 * (np.arange(minutes) % 2)
        history.add(
            [
                Bar(name, OPEN_NS + m * MINUTE, close, close + 0.05, close - 0.05, close, 1000.0)
                for m, close in enumerate(closes.tolist())
            ]
        )
        times = OPEN_NS - DAY * np.arange(days, 0.0, -1.0)
        level = 90.0 + 10.0 * np.arange(days) / max(days, 1)
        columns = (times, level, level + 1, level - 1, level, np.full(days, 390_000.0))
        history.load_daily({name: np.column_stack(columns)})
    history.add([Bar("VIX", OPEN_NS + m * MINUTE, 15.0, 15.0, 15.0, 15.0, 0.0) for m in range(minutes)])
    return history


def context_of(minutes=40, **changes):
    """Build the moment after so many minutes."""
    given = {
        "now_ns": OPEN_NS + minutes * MINUTE,
        "session": "2026-11-20",
        "open_ns": OPEN_NS,
        "close_ns": CLOSE_NS,
        "regime": RegimeRead("neutral", 0.5),
        "watchlist": (Candidate("A", 1.0), Candidate("L", 2.0)),
        "ticks": {"A": Decimal("0.01"), "L": Decimal("0.01")},
        "equity": Decimal(1000),
    }
    return JobContext(**(given | changes))


def run(job, params=None, history=None, context=None, instruments=NAMES):
    """Run a job by the table."""
    command = RunJob(job, 7, 0, params or {}, instruments)
    return answer(JOBS, history or history_of(), command, context or context_of())


def test_every_job_answers_with_its_own_event_and_run():
    """The table is whole: a job a kind of answer, each with the run's number."""
    kinds = {job: type(run(job)) for job in JOBS}

    assert kinds == {
        "regime": events.RegimeJudged,
        "scan": events.MarketScanned,
        "watchlist": events.WatchlistScored,
        "strategies": events.TriggersMade,
        "analytics": events.AnalyticsMade,
        "crypto": events.CryptoRead,
        "summary": events.SummaryWritten,
    }
    assert {run(job).run for job in JOBS} == {7}


def test_the_same_inputs_give_the_same_answer_to_the_byte():
    """Answers follow from bars, context and parameters: a second worker says the same."""
    for job in JOBS:
        first, second = (msgspec.msgpack.encode(run(job, history=history_of(days=60))) for _ in range(2))
        assert first == second


def test_the_regime_is_judged_by_daily_bars_vix_and_breadth():
    """With 250 rising days, a quiet VIX and all names above their mean it is a bull market; closes are yesterday's."""
    judged = run("regime", {"regime": {"index": "SPY", "vix": "VIX"}}, history_of(days=250))

    assert judged.regime.name == "bull"
    assert "fear: VIX 15.00 now (0 of 2 stress)" in judged.regime.parts
    assert "breadth: 100% of 12 names above their 50-day mean (0 of 1 stress)" in judged.regime.parts
    assert judged.closes["A"] == pytest.approx(99.96)
    assert "VIX" not in judged.closes


def test_before_the_open_the_last_close_is_no_calm_day():
    """Without a price of today the day's vote is withheld; VIX is that of the last close and says so."""
    history = history_of(minutes=0, days=60)
    history.load_daily({"VIX": history.days["A"]})

    parts = run("regime", history=history, context=context_of(-60)).regime.parts

    assert "day: SPY has no price today or no last close (withheld)" in parts
    assert any(part.startswith("fear: VIX 99.83 at the last close") for part in parts)


def test_the_regime_before_is_remembered():
    """One vote of calm frees nobody from a defensive regime's threshold unless it is passed."""
    rules = {"regime": {"defensive_leave": 2.0}}

    assert run("regime", rules, context=context_of(regime=RegimeRead("defensive", -1.0))).regime.name == "defensive"


def test_on_a_first_day_the_scan_lives_on_minutes_and_says_so():
    """No daily history: the fastest riser comes first, its reasons speak of minutes, its ATR is unknown."""
    scanned = run("scan", {"scan": {"watchlist_size": 3, "index": "SPY", "value_day_min": 1.0}})

    assert len(scanned.watchlist) == 3
    assert scanned.watchlist[0].instrument == "L"
    assert "in 40 minutes" in scanned.watchlist[0].reasons[0]
    assert scanned.watchlist[0].atr is None


def test_the_scan_keeps_a_dated_name_away_and_caps_a_sector():
    """Dates and sectors come with the command; spreads with the context."""
    params = {
        "scan": {"value_day_min": 1.0, "sector_max": 1},
        "dates": {"L": "2026-11-20 earnings"},
        "sectors": dict.fromkeys("IJK", "energy"),
    }
    scanned = run("scan", params, context=context_of(spreads={"H": 0.02}))

    assert scanned.rejected == {"dated": 1, "spread_wide": 1}
    assert [row.instrument for row in scanned.watchlist][:2] == ["K", "G"]


def test_the_scan_counts_what_it_leaves_out():
    """A name without any bar and names too illiquid."""
    scanned = run("scan", {"scan": {"value_day_min": 1e12}}, instruments=("A", "B", "NONE"))

    assert scanned.watchlist == ()
    assert scanned.rejected == {"illiquid": 2, "price_unknown": 1}


def test_the_watchlist_keeps_its_names_and_is_scored_anew():
    """No name comes or goes; a price that has risen since scores more."""
    before = run("watchlist", history=history_of(days=30))
    risen = run("watchlist", history=history_of(days=30), context=context_of(prices={"A": 120.0}))

    assert sorted(row.instrument for row in risen.watchlist) == ["A", "L"]
    scores = [{row.instrument: row.score for row in scored.watchlist} for scored in (before, risen)]
    assert scores[1]["A"] > scores[0]["A"]


def test_strategies_make_triggers_for_the_watchlist():
    """One for each name, by the parameters in the command."""
    made = run("strategies", {"breakout": {"range_minutes": 30}, "risk": {"per_trade": "0.002"}})

    assert [trigger.instrument for trigger in made.triggers] == ["A", "L"]
    assert {trigger.risk for trigger in made.triggers} == {Decimal("0.002")}
    assert made.faults == {}


def test_a_bar_that_is_not_complete_is_not_seen():
    """At half past the minute the bar that began with it is no bar yet, were it there already."""
    seen = []
    jobs.STRATEGIES["watcher"] = lambda context: seen.append(len(context.minutes_of("A"))) or ()
    try:
        for now in (30 * MINUTE - 1, 30 * MINUTE, 31 * MINUTE - 1):
            run("strategies", {"watcher": {}}, context=context_of(now_ns=OPEN_NS + now))
    finally:
        del jobs.STRATEGIES["watcher"]

    assert seen == [29, 30, 30]


def test_a_strategy_that_raises_is_named_and_the_others_go_on():
    """Its fault is in the answer, with the reason; the triggers of the others are there."""
    jobs.STRATEGIES["broken"] = lambda context: 1 / 0
    try:
        made = run("strategies", {"broken": {}, "breakout": {}})
    finally:
        del jobs.STRATEGIES["broken"]

    assert made.faults == {"broken": "ZeroDivisionError: division by zero"}
    assert len(made.triggers) == 2


def test_a_strategy_of_the_users_own_runs_beside_ours_and_its_fault_is_its_own(tmp_path):
    """Its file raises: it is named, and breakout's triggers are there."""
    (tmp_path / "mine.py").write_text("def strategy(context): return 1 / 0")
    own = {"file": str(tmp_path / "mine.py"), "entry": "", "digest": "", "regimes": ["neutral"]}
    made = run("strategies", {"own:mine": own, "breakout": {}})

    assert made.faults == {"own:mine": "OwnFailed: ZeroDivisionError: division by zero"}
    assert len(made.triggers) == 2


def test_a_strategy_without_parameters_does_not_run():
    """What is not in the command is switched off."""
    assert run("strategies").triggers == ()


def test_analytics_know_the_day_and_call_the_rest_unknown():
    """Two marks give a drawdown, trades a hit rate; one session gives no Sharpe ratio."""
    history = history_of()
    context = context_of(equity=Decimal(1000))
    run("analytics", history=history, context=context)
    later = context_of(equity=Decimal(990), wins=3, losses=1, realised=Decimal(10), fees=Decimal(2))

    figures = run("analytics", history=history, context=later).figures

    assert figures["max_drawdown_today"] == pytest.approx(-0.01)
    assert (figures["hit_rate_today"], figures["expectancy_today"]) == (0.75, 2.0)
    assert figures["sharpe_daily_252"] is None
    assert figures["max_drawdown_daily"] is None


def test_analytics_measure_sessions_by_their_last_equity():
    """Over 21 sessions the ratios are known."""
    history = history_of()
    history.equity = {f"s{number}": 1000.0 + (number % 3) for number in range(21)}

    figures = run("analytics", history=history).figures

    assert all(figures[name] is not None for name in figures if "daily" in name)


def test_crypto_readings_come_from_parameters_and_bars_or_are_unknown():
    """A reading among the parameters is taken, words are not; without Bitcoin's bars the rest is None."""
    readings = run("crypto", {"crypto": {"fear_greed_index": 40, "instrument": "XBT"}}).readings

    assert readings["fear_greed_index"] == 40.0
    assert readings["bitcoin_return_30d"] is None


def test_the_summary_speaks_of_the_contexts_figures():
    """Money, trades and regime as sent."""
    text = run("summary", context=context_of(equity_start=Decimal(1000), equity=Decimal(1010), trades=4)).text

    assert text.startswith("Session 2026-11-20 (paper): up 10.00 USD (+1.00%)")
    assert "4 trades" in text
    assert "Regime: neutral." in text


@pytest.mark.parametrize(
    ("job", "params", "words"),
    [
        ("tea", {}, "no job has this name"),
        ("regime", {"regime": {"vixx": "VIX"}}, "vixx"),
        ("scan", {"scan": {"watchlist_size": "many"}}, "watchlist_size"),
    ],
)
def test_a_job_that_cannot_be_done_is_a_failed_job_with_its_reason(job, params, words):
    """An unknown job, an unknown parameter, a wrong type: JobFailed, never an exception."""
    failed = run(job, params)

    assert isinstance(failed, JobFailed)
    assert (failed.job, failed.run) == (job, 7)
    assert words in failed.reason


def test_a_reason_is_bounded():
    """A fault that tells a novel does not fill the journal."""
    assert len(jobs.reason_of(ValueError("x" * 10_000))) == jobs.REASON_LENGTH_MAX


def test_a_job_before_any_session_leaves_the_bars_alone():
    """Without a session there is nothing to roll."""
    history = history_of()
    run("crypto", history=history, context=JobContext(now_ns=1))

    assert history.session == "2026-11-20"
