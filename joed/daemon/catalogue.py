"""The catalogue of metrics: one row each, with its type, labels, where it is read, and help.

Every label comes from a closed set whose series are there from the start, at 0. Instants are UTC seconds, never ages,
so that an alert counts on while nothing here moves any more.
"""

from typing import Literal, NamedTuple

from joed.daemon import readings as r
from joed.daemon.counters import KINDS
from joed.daemon.log import PRIORITY
from joed.engine import phase as phases
from joed.engine.health import JOURNAL
from joed.engine.markets import REJECTED
from joed.engine.risk import CHECKS
from joed.engine.sessions import Phase
from joed.model.values import Mode, Scope, Severity

Type = Literal["gauge", "counter", "histogram", "enum", "info"]
REGIMES = ("bull", "neutral", "defensive")


class Row(NamedTuple):
    """One metric: its name is joed_ and this in Prometheus, an info's ends in _info."""

    name: str
    type: Type
    labels: r.Labels
    read: r.Read
    help: str


NONE: r.Labels = ()
BROKER = ("broker",)
MONEY = ("currency",)
JOB = "job_name"
"""A label of the worker's jobs: `job` is Prometheus' own, it would rename ours."""
ORDERS = r.tallied("orders", (*r.MOVES, *r.DOUBTS))
READS = r.tallied("reads", r.READ_RESULTS)

CATALOGUE = (
    Row("build", "info", NONE, r.build, "what runs"),
    Row("mode", "enum", NONE, r.state(Mode, lambda _, v: v.mode), "whose money it is"),
    Row("lifecycle_state", "enum", NONE, r.state(phases.RANK, lambda _, v: v.phase), "the phase, as in joectl status"),
    Row("session_state", "enum", NONE, r.state(Phase, lambda _, v: v.clock.phase), "where the market's day stands"),
    Row("session_open_timestamp_seconds", "gauge", NONE, r.instant(lambda v: v.clock.open_ns), "the session's open"),
    Row("session_close_timestamp_seconds", "gauge", NONE, r.instant(lambda v: v.clock.close_ns), "the session's close"),
    Row("confirm_pending", "gauge", NONE, r.blocked(phases.UNCONFIRMED), "1 while the day's card waits for a person"),
    Row("confirm_signatures", "gauge", NONE, r.one(lambda _, v: len(v.signing.signers)), "signatures so far"),
    Row("confirm_signatures_needed", "gauge", NONE, r.one(lambda _, v: v.signing.needed), "users who must sign a card"),
    Row(
        "live_session",
        "gauge",
        NONE,
        r.one(lambda _, v: v.signing.live_session),
        "its number, 0 on paper",
    ),
    Row(
        "ramp_share_ratio",
        "gauge",
        NONE,
        r.one(lambda _, v: float(v.signing.ramp)),
        "how much of the size is traded",
    ),
    Row("blocks", "gauge", NONE, r.one(lambda _, v: len(v.blocks)), "blocks that forbid entries somewhere"),
    Row("kill_switch_engaged", "gauge", ("scope",), r.each(Scope, r.killed), "1 for the kill in force"),
    Row("kill_since_timestamp_seconds", "gauge", NONE, r.instant(r.kill_at), "when the kill in force came"),
    Row("kill_done", "gauge", NONE, r.one(r.kill_done), "1 while a kill is in force and done by the brokers' evidence"),
    Row("kill_open", "gauge", NONE, r.one(r.kill_open), "what is still open of the kill in force"),
    Row("kill_drill_timestamp_seconds", "gauge", NONE, r.instant(r.drill_at), "the last kill drill that passed"),
    Row("paused", "gauge", NONE, r.one(lambda _, v: v.paused), "1 while a person has paused entries"),
    Row("needs", "gauge", ("severity",), r.each(Severity, r.needs), "what waits for a person"),
    Row("alerts_raised", "gauge", NONE, r.one(lambda _, v: len(v.alerts)), "alerts that were raised, one a matter"),
    Row(
        "alert_deliveries_total",
        "counter",
        ("result",),
        r.count("alert_deliveries_total"),
        "alerts by command and channels",
    ),
    Row("alerts_unacknowledged", "gauge", NONE, r.one(r.unacknowledged), "alerts that nobody has acknowledged"),
    Row("alerts_waiting", "gauge", NONE, r.one(r.alerts_waiting), "alerts that a channel has not told yet"),
    Row("alert_channel_up", "gauge", NONE, r.one(r.channels_up), "0 while alerts do not leave by their channel"),
    Row("loop_heartbeat_timestamp_seconds", "gauge", NONE, r.utc("heartbeat_ns"), "the last whole proof of life"),
    Row("loop_lag_seconds", "histogram", NONE, r.buckets("loop_lag"), "how late the loop came to its own timer"),
    Row(
        "watchdog_pings_total",
        "counter",
        NONE,
        r.count("watchdog_pings_total", "watchdog_pings"),
        "watchdog pings sent",
    ),
    Row("watchdog_last_ping_timestamp_seconds", "gauge", NONE, r.utc("pinged_ns"), "the last watchdog ping"),
    Row("watchdog_timeout_seconds", "gauge", NONE, r.kept("watchdog_s"), "the watchdog's patience, 0 without one"),
    Row("gc_pause_seconds", "histogram", ("generation",), r.gc_pauses, "pauses by Python's collector"),
    Row("log_records_total", "counter", ("level",), r.each(PRIORITY, r.logged), "lines for the system log"),
    Row("log_dropped_total", "counter", NONE, r.one(r.unlogged), "lines that found the log's queue full"),
    Row("queue_depth", "gauge", NONE, r.depth, "events that wait"),
    Row(
        "queue_high_watermark",
        "gauge",
        NONE,
        r.count("queue_high_watermark", "queue_high_watermark"),
        "most that waited",
    ),
    Row("events_total", "counter", ("kind",), r.each(KINDS, r.events), "events that went through step"),
    Row(
        "events_conflated_total",
        "counter",
        NONE,
        r.count("events_conflated_total", "conflated"),
        "quotes replaced unread",
    ),
    Row(
        "events_faulted_total",
        "counter",
        NONE,
        r.count("events_faulted_total", "faults"),
        "events that made a rule raise",
    ),
    Row("commands_sent_total", "counter", NONE, r.count("commands_sent_total", "sent"), "order commands handed over"),
    Row("commands_dropped_total", "counter", NONE, r.count("commands_dropped_total", "dropped"), "refused at release"),
    Row("quotes_total", "counter", BROKER, r.counted("quotes"), "quotes of a broker's instruments"),
    Row(
        "stream_last_message_timestamp_seconds",
        "gauge",
        BROKER,
        r.broker(lambda v, b: r.ago_s(v, b.quote_age_s)),
        "a broker's last quote",
    ),
    Row(
        "quote_age_seconds", "gauge", BROKER, r.broker(lambda _, b: b.quote_age_s or 0), "its age when the loop looked"
    ),
    Row("prices", "gauge", ("broker", "source"), r.feeds, "last prices by how they came"),
    Row(
        "price_oldest_timestamp_seconds",
        "gauge",
        BROKER,
        r.broker(r.oldest),
        "when the oldest of a broker's last prices came",
    ),
    Row(
        "instruments_set_aside",
        "gauge",
        BROKER,
        r.broker(lambda _, b: len(b.aside)),
        "instruments that a broker cannot serve",
    ),
    Row("history_missing", "gauge", ("broker", "kind"), r.lacking, "names without bars of a kind"),
    Row(
        "broker_findings",
        "gauge",
        BROKER,
        r.broker(lambda _, b: sum(not row.ok for row in b.findings)),
        "what its adapter found amiss",
    ),
    Row("broker_connected", "gauge", BROKER, r.broker(lambda _, b: b.up), "1 while a broker answers"),
    Row("broker_connections_total", "counter", BROKER, r.broker(lambda _, b: b.connection), "connections made"),
    Row("broker_losses_total", "counter", BROKER, r.counted("losses"), "times that a broker stopped answering"),
    Row(
        "reconcile_runs_total",
        "counter",
        ("broker", "result"),
        READS,
        "readings of a broker's book, by what they found",
    ),
    Row("reconcile_duration_seconds", "gauge", BROKER, r.counted("read_s"), "how long the last reading took"),
    Row("reconciled", "gauge", BROKER, r.broker(lambda _, b: b.reconciled), "1 while the books agree"),
    Row("reconcile_mismatches", "gauge", BROKER, r.broker(lambda _, b: b.differences), "differences of the books"),
    Row(
        "reconcile_last_success_timestamp_seconds",
        "gauge",
        BROKER,
        r.broker(lambda v, b: r.ago_s(v, b.read_age_s)),
        "the last whole reading of a broker's book",
    ),
    Row("orders_open", "gauge", ("broker", "state"), r.orders, "orders that may be alive at a broker"),
    Row(
        "orders_oldest_pending_timestamp_seconds",
        "gauge",
        BROKER,
        r.by_broker(r.pending_at),
        "when the oldest order was armed that waits for its broker's word",
    ),
    Row("order_outcome_unknown", "gauge", BROKER, r.by_broker(r.uncertain), "orders whose fate is unknown"),
    Row("orders_total", "counter", ("broker", "state"), ORDERS, "orders, by each state that they came to"),
    Row("fills_total", "counter", ("broker", "side"), r.tallied("fills", r.SIDES), "executions, each once"),
    Row("order_ack_seconds", "histogram", NONE, r.buckets("order_ack"), "from an order's record to its broker's word"),
    Row(
        "order_fill_seconds",
        "histogram",
        NONE,
        r.buckets("order_fill"),
        "from an entry's or a close's record to its end",
    ),
    Row(
        "order_cancel_seconds", "histogram", NONE, r.buckets("order_cancel"), "from asking to cancel to an order's end"
    ),
    Row(
        "slippage_adverse_bps",
        "histogram",
        NONE,
        r.buckets("slippage_adverse"),
        "entries and stops at or beyond their price",
    ),
    Row(
        "slippage_favourable_bps",
        "histogram",
        NONE,
        r.buckets("slippage_favourable"),
        "entries and stops better than it",
    ),
    Row("tick_to_decision_seconds", "histogram", NONE, r.buckets("tick_to_decision"), "quote in hand to step's answer"),
    Row("decision_to_send_seconds", "histogram", NONE, r.buckets("decision_to_send"), "the answer to the hand-over"),
    Row("triggers", "gauge", NONE, r.one(lambda _, v: v.trigger_count), "triggers that wait for their price"),
    Row("watchlist", "gauge", NONE, r.one(lambda _, v: len(v.watchlist)), "instruments on the watchlist"),
    Row(
        "regime", "enum", NONE, r.state(REGIMES, lambda _, v: v.regime.name if v.regime else ""), "the market's regime"
    ),
    Row("equity_amount", "gauge", MONEY, r.money(lambda v: v.equity), "what the account is worth"),
    Row("cash_amount", "gauge", MONEY, r.money(lambda v: v.cash), "cash"),
    Row("pnl_day_amount", "gauge", MONEY, r.money(lambda v: v.daily_pnl), "the day's result, open positions included"),
    Row("pnl_realised_amount", "gauge", MONEY, r.money(lambda v: v.realised), "the day's realised result"),
    Row("pnl_unrealised_amount", "gauge", MONEY, r.money(lambda v: v.unrealised), "the result of open positions"),
    Row("fees_day_amount", "gauge", MONEY, r.money(lambda v: v.fees), "the day's fees"),
    Row("exposure_gross_amount", "gauge", MONEY, r.money(lambda v: v.gross), "long and short positions added up"),
    Row("exposure_net_amount", "gauge", MONEY, r.money(r.net), "long positions less short ones"),
    Row("positions", "gauge", ("broker", "side"), r.positions, "open positions"),
    Row("positions_unprotected", "gauge", BROKER, r.by_broker(r.unprotected), "positions without a stop of their size"),
    Row(
        "unprotected_position_seconds",
        "gauge",
        BROKER,
        r.by_broker(r.unprotected_s),
        "how long the longest unprotected position has been so",
    ),
    Row("position_quantity", "gauge", ("symbol",), r.quantities, "what is held: fifty symbols, then other"),
    Row("limit_value", "gauge", ("limit",), r.each(r.LIMITS, r.limits), "the day's limits"),
    Row("limit_utilisation_ratio", "gauge", ("limit",), r.each(r.LIMITS, r.utilisation), "what is used of them"),
    Row(
        "risk_rejections_total", "counter", ("rule",), r.each(CHECKS, lambda _, v: v.refusals), "entries refused today"
    ),
    Row(
        "quotes_rejected_total",
        "counter",
        ("reason",),
        r.each(REJECTED, lambda _, v: v.quotes_rejected),
        "quotes left out today",
    ),
    Row("rate_timestamp_seconds", "gauge", MONEY, r.rates, "when each other currency's rate was told"),
    Row("trades_today", "gauge", NONE, r.one(lambda _, v: v.trades), "entries of the session"),
    Row("trades_won", "gauge", NONE, r.one(lambda _, v: v.wins), "positions closed with a gain, this session"),
    Row("trades_lost", "gauge", NONE, r.one(lambda _, v: v.losses), "positions closed with a loss, this session"),
    Row("wal_records_total", "counter", NONE, r.count("wal_records_total", "records"), "records made durable"),
    Row("wal_commit_seconds", "histogram", NONE, r.buckets("commit"), "commits of the journal, to the disk and back"),
    Row("journal_bytes", "gauge", ("file",), r.count("journal_bytes"), "the record, and its write-ahead log"),
    Row("audit_last_seq", "gauge", NONE, r.last_seq, "the newest durable record"),
    Row("journal_failed", "gauge", NONE, r.blocked(JOURNAL), "1 while the journal cannot commit"),
    Row("state_last_save_timestamp_seconds", "gauge", NONE, r.utc("snapshot_ns"), "the last snapshot"),
    Row("job_runs_total", "counter", (JOB, "result"), r.job_runs, "runs of the worker's jobs"),
    Row(
        "job_last_end_timestamp_seconds",
        "gauge",
        (JOB,),
        r.job(lambda v, j: r.utc_s(v, j.last_ns)),
        "the end of each job's last run",
    ),
    Row("job_duration_seconds", "gauge", (JOB,), r.job(lambda _, j: j.took_ns / 1e9), "how long each job took last"),
    Row("ctl_requests_total", "counter", ("result",), r.count("ctl_requests_total"), "answers on the control socket"),
    Row("ctl_watchers", "gauge", NONE, r.count("ctl_watchers"), "who watches the record"),
    Row("kill_answer_seconds", "histogram", NONE, r.buckets("kill_answer"), "from a kill's request to its answer"),
)
"""All metrics of joed's own; those of the process and of Python's collector come from prometheus_client."""

UNITS = {
    "_timestamp_seconds": "s, UTC",
    "_seconds": "s",
    "_bytes": "bytes",
    "_ratio": "share, 0 to 1",
    "_amount": "money, in `currency`",
    "_bps": "0.01 %",
    "_total": "count since the start",
}
"""A name's end -> the unit that it says; the first that fits."""
PLAIN = {"enum": "1 for the one that holds", "info": "1"}


def name_of(row: Row) -> str:
    """Give a row's name as Prometheus has it."""
    return f"joed_{row.name}_info" if row.type == "info" else f"joed_{row.name}"


def unit_of(row: Row) -> str:
    """Give the unit that a row's name promises."""
    ends = (unit for end, unit in UNITS.items() if row.name.endswith(end))
    return PLAIN.get(row.type) or next(ends, "0 or 1" if row.help.startswith(("0 while", "1 ")) else "count")


PRIVATE = frozenset(
    row.name for row in CATALOGUE if row.name.endswith("_amount") or row.name in {"position_quantity", "limit_value"}
)
"""The rows that tell sums of money and what is held: left out where `daemon.metrics_money` is off."""
