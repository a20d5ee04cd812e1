"""What the worker can think about: one table from a job's name to a function of bars, context and parameters.

An answer follows from the history, the context and `RunJob.params`, and from nothing else. Parameters by section, each
optional, unknown keys refused: {"regime": RegimeRules, "scan": ScanRules, "score": ScoreRules, "risk": {"per_trade"},
"crypto": {"instrument", and a reading's value by its name}, and one section for each strategy that is to run}.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from joed.analysis import crypto, deals, performance
from joed.analysis.indicators import CLOSE, Floats, last
from joed.analysis.regime import Evidence, RegimeRules, above_mean, judge
from joed.analysis.scan import ScanRules, Tape, flaw, scan
from joed.analysis.score import ScoreRules, look_of, ranked, score
from joed.analysis.summary import DayFigures, write
from joed.daemon.history import History
from joed.daemon.job_context import JobContext
from joed.daemon.sandbox import PREFIX, fenced
from joed.model.commands import RunJob
from joed.model.events import (
    AnalyticsMade,
    Candidate,
    CryptoRead,
    Event,
    JobFailed,
    MarketScanned,
    RegimeJudged,
    SummaryWritten,
    TriggersMade,
    WatchlistScored,
)
from joed.model.triggers import Trigger
from joed.strategies.context import Context
from joed.strategies.table import STRATEGIES

Rules = TypeVar("Rules", RegimeRules, ScanRules, ScoreRules)
REASON_LENGTH_MAX = 300


class Inputs(Struct, frozen=True):
    """What a job thinks with: the worker's bars and the moment of State sent along."""

    history: History
    context: JobContext

    def today(self, instrument: str) -> Floats:
        """Give today's completed minute bars of the regular session."""
        return self.history.today(instrument, self.context.now_ns)

    def daily(self, instrument: str) -> Floats:
        """Give the daily bars before today."""
        return self.history.daily(instrument)

    def price(self, instrument: str) -> float | None:
        """Give the newest price there is: today's, else the last close, else None."""
        price = self.live(instrument)
        return self.closed(instrument) if price is None else price

    def live(self, instrument: str) -> float | None:
        """Give today's price, of its last quote or its last minute; None before there is one."""
        quoted = self.context.prices.get(instrument)
        return last(self.today(instrument)[:, CLOSE]) if quoted is None else quoted

    def closed(self, instrument: str) -> float | None:
        """Give the last session's closing price, None where that day is not known."""
        return last(self.daily(instrument)[:, CLOSE])

    def closes(self) -> dict[str, float]:
        """Give all closing prices of the last session."""
        found = {name: self.closed(name) for name in sorted(self.history.days)}
        return {name: close for name, close in found.items() if close is not None}

    def tape(self, instrument: str) -> Tape:
        """Give what there is of one name."""
        return Tape(
            instrument,
            self.daily(instrument),
            self.history.earlier(instrument),
            self.today(instrument),
            self.price(instrument),
            spread=self.context.spreads.get(instrument),
            now_ns=self.context.open_ns,
        )


Job = Callable[[Inputs, RunJob], Event]


def regime(inputs: Inputs, command: RunJob) -> RegimeJudged:
    """Judge the market by the index, VIX and the breadth of the command's instruments."""
    rules = rules_of(command, "regime", RegimeRules)
    above = {name: above_mean(inputs.daily(name), rules.days_short, inputs.price(name)) for name in command.instruments}
    evidence = Evidence(
        closes=inputs.daily(rules.index)[:, CLOSE],
        price=inputs.live(rules.index),
        vix=inputs.price(rules.vix),
        breadth={name: is_above for name, is_above in above.items() if is_above is not None},
        vix_source="now" if inputs.live(rules.vix) is not None else "at the last close",
        vix_closes=inputs.daily(rules.vix)[:, CLOSE],
        term=inputs.price(rules.term) if rules.term else None,
    )
    judged = judge(evidence, rules, inputs.context.regime, inputs.context.now_ns)
    return RegimeJudged(command.run, judged, inputs.closes())


def scan_market(inputs: Inputs, command: RunJob) -> MarketScanned:
    """Choose the watchlist from the command's instruments."""
    rules = rules_of(command, "scan", ScanRules)
    dates, sectors = (words_of(command, section) for section in ("dates", "sectors"))
    tapes = [replace(inputs.tape(name), dated=dates.get(name, "")) for name in command.instruments]
    found = scan(tapes, rules)
    best = ranked(candidates(inputs, command, found.kept), rules.watchlist_size, sectors, rules.sector_max)
    return MarketScanned(command.run, best, found.rejected, found.aside)


def score_watchlist(inputs: Inputs, command: RunJob) -> WatchlistScored:
    """Score the names of the watchlist anew."""
    tapes = [inputs.tape(candidate.instrument) for candidate in inputs.context.watchlist]
    return WatchlistScored(command.run, ranked(candidates(inputs, command, tapes), len(tapes)))


def candidates(inputs: Inputs, command: RunJob, tapes: list[Tape]) -> list[Candidate]:
    """Give these names with their scores; an index that cannot be believed is compared with nothing."""
    rules, scans = rules_of(command, "score", ScoreRules), rules_of(command, "scan", ScanRules)
    index = inputs.tape(scans.index)
    believed = None if flaw(index, scans) else look_of(index, rules)
    return [score(tape, believed, rules) for tape in tapes]


def words_of(command: RunJob, section: str) -> dict[str, str]:
    """Read a section of words by instrument."""
    return {name: str(words) for name, words in command.params.get(section, {}).items()}


def strategies(inputs: Inputs, command: RunJob) -> TriggersMade:
    """Ask each strategy that has parameters; one that raises is named with its reason, the others go on."""
    triggers: list[Trigger] = []
    faults: dict[str, str] = {}
    watched = [candidate.instrument for candidate in inputs.context.watchlist]
    minutes = {name: inputs.today(name) for name in watched}
    daily = {name: inputs.history.daily(name) for name in watched}
    for name in command.params:
        if name not in STRATEGIES and not name.startswith(PREFIX):
            continue
        try:
            context = strategy_context(inputs, command, name, minutes, daily)
            own = name.startswith(PREFIX)
            triggers += fenced.ask(name, context.params, context) if own else STRATEGIES[name](context)
        except Exception as error:  # noqa: BLE001 - a strategy is anybody's code; its fault is an answer
            faults[name] = reason_of(error)
    return TriggersMade(command.run, tuple(triggers), faults)


def strategy_context(
    inputs: Inputs, command: RunJob, name: str, minutes: dict[str, Floats], daily: dict[str, Floats]
) -> Context:
    """Give what one strategy sees: tables of its own over the same bars."""
    given = inputs.context
    return Context(
        now_ns=given.now_ns,
        session=given.session,
        open_ns=given.open_ns,
        close_ns=given.close_ns,
        regime=given.regime.name if given.regime else "",
        watchlist=given.watchlist,
        params=command.params[name],
        minutes=dict(minutes),
        daily=dict(daily),
        prices=given.prices,
        positions=given.positions,
        ticks=given.ticks,
        risk=Decimal(str(command.params.get("risk", {}).get("per_trade", "0.005"))),
    )


def analytics(inputs: Inputs, command: RunJob) -> AnalyticsMade:
    """Measure the account: ratios over the sessions' last equity, trades and drawdown of today."""
    given, history = inputs.context, inputs.history
    daily = np.array(list(history.equity.values()), np.float64)
    returns = performance.returns(daily)
    figures = {
        "sharpe_daily_252": performance.sharpe(returns),
        "sortino_daily_252": performance.sortino(returns),
        "max_drawdown_daily": performance.max_drawdown(daily) if len(daily) > 1 else None,
        "var95_historical_daily": performance.value_at_risk_historical(returns),
        "cvar95_historical_daily": performance.tail_loss_historical(returns),
        "max_drawdown_today": performance.max_drawdown(np.array(history.marks)) if len(history.marks) > 1 else None,
        "hit_rate_today": performance.hit_rate(given.wins, given.losses),
        "expectancy_today": performance.expectancy(float(given.realised - given.fees), given.wins + given.losses),
    }
    worked = deals.figures(given.deals, float(given.equity), float(given.gross), float(given.net))
    return AnalyticsMade(command.run, figures | worked)


def read_crypto(inputs: Inputs, command: RunJob) -> CryptoRead:
    """Read the crypto market from Bitcoin's daily bars and the readings among the parameters."""
    params = command.params.get("crypto", {})
    outside = inputs.context.outside | {
        name: float(value) for name, value in params.items() if isinstance(value, int | float)
    }
    readings = crypto.read(inputs.daily(str(params.get("instrument", "BTC"))), outside)
    return CryptoRead(command.run, readings, dict(inputs.context.outside_ns))


def summary(inputs: Inputs, command: RunJob) -> SummaryWritten:
    """Write the day's summary from the context's figures."""
    given = inputs.context
    figures = DayFigures(
        session=given.session,
        currency=given.currency,
        mode=given.mode,
        equity_start=float(given.equity_start),
        equity=float(given.equity),
        realised=float(given.realised),
        unrealised=float(given.unrealised),
        fees=float(given.fees),
        trades=given.trades,
        wins=given.wins,
        losses=given.losses,
        orders=given.orders,
        fills=given.fills,
        refusals=given.refusals,
        positions={name: str(quantity) for name, quantity in given.positions.items()},
        regime=given.regime.name if given.regime else "",
        regime_parts=given.regime.parts if given.regime else (),
        blocks=given.blocks,
        figures=given.figures,
    )
    return SummaryWritten(command.run, write(figures))


JOBS: dict[str, Job] = {
    "regime": regime,
    "scan": scan_market,
    "watchlist": score_watchlist,
    "strategies": strategies,
    "analytics": analytics,
    "crypto": read_crypto,
    "summary": summary,
}


def answer(jobs: dict[str, Job], history: History, command: RunJob, context: JobContext) -> Event:
    """Run one job and give its answer; whatever it raises is the answer JobFailed."""
    job = jobs.get(command.job)
    if job is None:
        return JobFailed(command.job, command.run, f"no job has this name, there are {', '.join(jobs)}")
    try:
        if context.session:
            history.turn_to(context.session, context.open_ns, context.close_ns)
        history.mark(float(context.equity))
        return job(Inputs(history, context), command)
    except Exception as error:  # noqa: BLE001 - a job may fail in any way; the answer says how
        return JobFailed(command.job, command.run, reason_of(error))


def rules_of(command: RunJob, section: str, rules: type[Rules]) -> Rules:
    """Read one section of the parameters over its defaults; an unknown key or a wrong type raises with its name."""
    return msgspec.convert(command.params.get(section, {}), rules)


def reason_of(error: BaseException) -> str:
    """Say what was raised, in a bounded line."""
    return f"{type(error).__name__}: {error}"[:REASON_LENGTH_MAX]
