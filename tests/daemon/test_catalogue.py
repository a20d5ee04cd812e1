"""joed.daemon.catalogue: each row keeps the rules of Prometheus' names, and its series are there from the start."""

import re

import pytest

from joed.daemon.catalogue import CATALOGUE
from joed.daemon.counters import Buckets
from joed.daemon.readings import Sources
from joed.engine.phase import RANK
from joed.engine.view import view
from joed.model.state import State

SEEN = view(State())
SOURCES = Sources(lambda: SEEN, brokers=("paper", "ibkr", "capital"))

ASKED_FOR = """
    build mode lifecycle_state session_state queue_depth events_total quote_age_seconds
    stream_last_message_timestamp_seconds broker_connected orders_open fills_total positions positions_unprotected
    equity_amount pnl_day_amount limit_value limit_utilisation_ratio risk_rejections_total trades_today
    kill_switch_engaged regime wal_records_total wal_commit_seconds audit_last_seq reconcile_mismatches
    reconcile_last_success_timestamp_seconds job_runs_total loop_heartbeat_timestamp_seconds watchdog_pings_total
    events_conflated_total commands_dropped_total events_faulted_total tick_to_decision_seconds
    decision_to_send_seconds loop_lag_seconds gc_pause_seconds confirm_pending order_outcome_unknown
    log_dropped_total state_last_save_timestamp_seconds ctl_requests_total alert_deliveries_total
    orders_total order_ack_seconds order_fill_seconds order_cancel_seconds slippage_adverse_bps slippage_favourable_bps
    quotes_total broker_losses_total reconcile_runs_total exposure_net_amount kill_answer_seconds ctl_watchers
    watchdog_last_ping_timestamp_seconds watchdog_timeout_seconds journal_bytes
"""

KEPT_ELSEWHERE = {"ctl_requests_total", "ctl_watchers", "alert_deliveries_total", "journal_bytes"}
"""What others count, who know the labels (daemon.showing); test_showing holds them to it."""


def test_everything_that_dashboards_and_alerts_stand_on_is_there():
    """A metric that goes makes an alert go silent."""
    assert set(ASKED_FOR.split()) <= {row.name for row in CATALOGUE}


def test_no_name_stands_twice():
    """One row a metric."""
    names = [row.name for row in CATALOGUE]

    assert len(set(names)) == len(names)


@pytest.mark.parametrize("row", CATALOGUE, ids=lambda row: row.name)
def test_a_rows_name_type_and_help_keep_the_rules(row):
    """Base units, _total for what only grows, instants and not ages, a help that is a phrase."""
    assert re.fullmatch(r"[a-z][a-z_]*[a-z]", row.name)
    assert not {"job", "instance"} & set(row.labels)  # Prometheus has its own, and renames ours
    assert not row.name.startswith("joed_")
    assert row.name.endswith("_total") == (row.type == "counter")
    assert not re.search(r"_(ms|us|ns|milliseconds|percent|minutes|hours|kb|mb)(_|$)", row.name)
    assert row.type != "histogram" or row.name.endswith(("_seconds", "_bps"))
    assert "timestamp" not in row.name or row.name.endswith("_timestamp_seconds")
    assert row.help
    assert row.help[-1] not in ".!"


@pytest.mark.parametrize("row", CATALOGUE, ids=lambda row: row.name)
def test_a_row_can_be_read_before_anything_has_happened(row):
    """Every value fits its type and every label has its place; a rate needs its series before the first event."""
    found = list(row.read(SOURCES, SEEN))

    assert found or row.name in KEPT_ELSEWHERE
    assert len({labels for labels, _ in found}) == len(found)
    for labels, value in found:
        assert len(labels) == len(row.labels)
        assert all(isinstance(label, str) and label for label in labels)
        if row.type == "histogram":
            assert isinstance(value, Buckets)
        elif row.type in {"enum", "info"}:
            assert all(isinstance(name, str) for name in value)
        else:
            assert float(value) >= 0 or row.name.endswith("_amount")


def test_every_phase_is_a_state_and_one_holds():
    """The words of `joectl status`, as labels."""
    (row,) = [row for row in CATALOGUE if row.name == "lifecycle_state"]
    ((_, states),) = row.read(SOURCES, SEEN)

    assert len(states) == len(RANK)
    assert [name for name, holds in states.items() if holds] == ["starting"]
