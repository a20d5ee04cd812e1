# ruff: noqa: E501 - the paragraphs of a page are lines
"""docs/metrics.md, written from the code: `python -m tests.metrics_book`; a test holds the file to it."""

import sys
from pathlib import Path

from joed.daemon import showing
from joed.daemon.alerts import RESULTS
from joed.daemon.catalogue import CATALOGUE, name_of, unit_of
from joed.daemon.readings import Sources
from joed.engine.view import view
from joed.model.state import State

FILE = Path(__file__).resolve().parent.parent / "docs" / "metrics.md"
BROKER = "BROKER"
KEPT = {
    "alert_deliveries_total": lambda: dict.fromkeys(RESULTS, 0),
    "ctl_requests_total": lambda: dict.fromkeys(showing.ANSWERS, 0),
    "journal_bytes": lambda: dict.fromkeys(("db", "wal"), 0),
}
"""What the daemon hands to metrics, at rest."""
OPEN = {
    "broker": "each broker of `brokers:`",
    "currency": "the base currency",
    "symbol": "the first fifty held, then `other`",
}
"""Labels whose values the configuration gives."""
SPECIAL = {
    ("rate_timestamp_seconds", "currency"): "each other currency",
    ("events_total", "kind"): "each event of the record",
    ("risk_rejections_total", "rule"): "each code of [limits.md](limits.md)",
    ("build", ""): "`version`, `code`, `python`",
}


def main():
    """Write the file."""
    FILE.write_text(book(), "utf-8")
    return 0


def book():
    """Give the whole page."""
    rows = "\n".join(line(row) for row in CATALOGUE)
    return f"{HEAD}\n| name | type | labels | unit | meaning |\n|---|---|---|---|---|\n{rows}\n{BESIDE}{ABSENT}"


def line(row):
    """Give one row of the table."""
    kind = {"enum": "gauge, a state set", "info": "gauge, an info"}.get(row.type, row.type)
    return f"| `{name_of(row)}` | {kind} | {labels(row)} | {unit_of(row)} | {row.help} |"


def labels(row):
    """Name a row's labels with the values that they can have."""
    if row.type in {"enum", "info"}:
        return SPECIAL.get((row.name, "")) or f"`{name_of(row)}`: {', '.join(states(row))}"
    return "; ".join(f"`{name}`: {values(row, at)}" for at, name in enumerate(row.labels)) or "none"


def values(row, at):
    """Give the values that a label can have."""
    name = row.labels[at]
    told = SPECIAL.get((row.name, name)) or OPEN.get(name)
    return told or ", ".join(dict.fromkeys(found[at] for found, _ in series(row)))


def states(row):
    """Give the states of a state set."""
    ((_, found),) = series(row)
    return list(found)


def series(row):
    """Read a row where nothing has happened."""
    shown = view(State())
    return row.read(Sources(lambda: shown, readings=KEPT, brokers=(BROKER,)), shown)


HEAD = """\
# Metrics

Written from the code by `make metrics-book`.

joed serves them on `127.0.0.1:9464/metrics` (`daemon.metrics_port`; 0 is off), to Prometheus' text format and to OpenMetrics, from a thread of its own: a loop that hangs still leaves them readable, and `joed_loop_heartbeat_timestamp_seconds` stands still. Of other machines nobody is answered, nor is a web page; any user of this machine is: the account's number is never told, sums of money, limits and what is held by symbol (fifty of them) unless `daemon.metrics_money` is false. Set the port for each account where there are several.

Every series is there from the start, at 0, so that a rate sees the first event. Labels come from closed sets; no histogram has a symbol. Instants are UTC seconds, never ages: an alert counts on when joed no longer does. Fewer than 600 series with three brokers. Counters begin at 0 with each process; what must not (the day's result, trades) is a gauge read from the record. In a demo faster than the clock, durations of orders are the demo's.

The rules that stand on them are in `packaging/prometheus`, the pictures in `packaging/grafana`; how to install both: [operations.md](operations.md#prometheus-and-grafana).
"""

BESIDE = """
## Beside the table
| name | from |
|---|---|
| `joed_scrape_failures_total` | rows that could not be read at a scrape: each is left out, the others stay |
| `joed_scrape_render_seconds` | what the last page cost |
| `process_*`, `python_gc_*` | prometheus_client: memory, processor time, descriptors, start; Python's collector |
| `joed_calendar_session_open_timestamp_seconds`, `joed_calendar_session_close_timestamp_seconds` | `joectl calendar textfile`, by `market`: joed cannot say that a session is due while it is down |
| `joed_failsafe_last_run_timestamp_seconds` | the same |
"""

ABSENT = """
## What there is not
| one might look for | it is absent because |
|---|---|
| age of an event in the queue, time to handle one, by kind | every quote would pay for two readings of the clock; `joed_tick_to_decision_seconds` has both for the quotes that led to something, `joed_queue_depth` and `joed_loop_lag_seconds` say when they grow |
| events dropped | none is: quotes give way to newer ones of their instrument (`joed_events_conflated_total`) or are refused (`joed_quotes_rejected_total`), facts are never dropped |
| lag of the exchange's own time stamps | Interactive Brokers sends none with its bid and ask; a number for one broker of two would mislead |
| gaps in a stream | no broker here numbers its messages; a feed that stops is `joed_stream_last_message_timestamp_seconds` |
| reasons of a lost link | their words are the broker's, an open set: the record and `joectl brokers` have them |
| limits of requests left at a broker | no broker tells; joed keeps its own pace below the documented ones, and a broker that complains is a finding (`joed_broker_findings`, `joectl doctor`) |
| clock offset to a broker, round trip of its heartbeat, age of its login | no adapter measures them |
| times of requests by operation | of those that matter: `joed_order_ack_seconds`, `joed_order_cancel_seconds`, `joed_reconcile_duration_seconds` |
| tasks, their restarts, slow callbacks | each failure is a line of the log with its traceback, counted in `joed_log_records_total{level="error"}`; what hangs is `joed_loop_lag_seconds` and the heartbeat |
| what a restart recovered | it is what `joed_orders_open` and `joed_positions` say right after `process_start_time_seconds` moved |
| why joed was started | it does not know: `changes(process_start_time_seconds[1h])` counts, `journalctl -u joed` says by whom |
| exposure by kind of asset | `joectl positions`; the limits are on all together, and by underlying |
| signals by strategy | users' own strategies name themselves, an open set; `joed_risk_rejections_total` has what was refused, `joectl why` each story |
| drawdown | it is one expression: `1 - joed_equity_amount / max_over_time(joed_equity_amount[1d])` |
| duplicates blocked | `joed_risk_rejections_total` by its rule |
| requests by verb, role and caller | the record has each change with who asked; as labels they would be a hundred series for a handful of requests a day |
"""

if __name__ == "__main__":
    sys.exit(main())
