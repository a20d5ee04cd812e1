"""The alert rules: each fires when it should and stays silent next to it, by Prometheus's own promtool.

Needs Debian's package `prometheus`, which brings promtool.
"""

import re
import subprocess

import pytest
import yaml

from joed.daemon.catalogue import CATALOGUE
from joed.daemon.metrics import Page
from joed.daemon.readings import Sources
from joed.engine.view import view
from joed.model.state import State
from tests.demos import ROOT
from tests.metrics_book import KEPT

FOLDER = ROOT / "packaging/prometheus"
RULES = FOLDER / "joed.rules.yml"
AT = {"job": "joed", "instance": "a"}
OPEN = {'joed_session_state{job="joed",instance="a",joed_session_state="open"}': "1x80"}
SHUT = {'joed_session_state{job="joed",instance="a",joed_session_state="open"}': "0x80"}
NODE = 'joed_calendar_session_{}_timestamp_seconds{{job="node",instance="n",market="XNYS"}}'
DUE = {NODE.format("open"): "30x80", NODE.format("close"): "100000x80"}
OVER = {NODE.format("open"): "30x80", NODE.format("close"): "60x80"}
OUTSIDE = {"up", "process_start_time_seconds"}
TEXTFILE = re.compile(r"joed_(calendar|failsafe)_")


def own(name, values, **labels):
    """Give a series of joed's: a value each fifteen seconds, as promtool writes them."""
    found = ",".join(f'{key}="{value}"' for key, value in {**AT, **labels}.items())
    return {f"{name}{{{found}}}": values}


def broker(name, values):
    """Give a series of a broker's."""
    return own(name, values, broker="ibkr")


CASES = {
    "JoedDown": ({**own("up", "1 1 0x78"), **DUE}, {**own("up", "1 1 0x78"), **OVER}),
    "JoedLoopStalled": (
        own("joed_loop_heartbeat_timestamp_seconds", "1 15 30x78"),
        own("joed_loop_heartbeat_timestamp_seconds", "1+15x80"),
    ),
    "JoedRestartLoop": (
        own("process_start_time_seconds", "1 20 60 100 140x76"),
        own("process_start_time_seconds", "1 20x79"),
    ),
    "JoedFailsafeRan": (
        own("joed_failsafe_last_run_timestamp_seconds", "200x80"),
        own("joed_failsafe_last_run_timestamp_seconds", "-5000x80"),
    ),
    "JoedKillSwitchEngaged": (
        own("joed_kill_switch_engaged", "1x80", scope="orders"),
        own("joed_kill_switch_engaged", "0x80", scope="orders"),
    ),
    "JoedKillNotDone": (own("joed_kill_open", "2x80"), own("joed_kill_open", "2 2 0x78")),
    "JoedUnprotectedPosition": (
        broker("joed_unprotected_position_seconds", "0 6x79"),
        broker("joed_unprotected_position_seconds", "0 4 5x78"),
    ),
    "JoedBrokerDisconnected": (
        {**broker("joed_broker_connected", "1x4 0x76"), **OPEN},
        {**broker("joed_broker_connected", "1x4 0x76"), **SHUT},
    ),
    "JoedQuotesStale": (
        {**broker("joed_stream_last_message_timestamp_seconds", "1x80"), **OPEN},
        {**broker("joed_stream_last_message_timestamp_seconds", "1+15x80"), **OPEN},
    ),
    "JoedPositionMismatch": (
        broker("joed_reconcile_mismatches", "1x80"),
        broker("joed_reconcile_mismatches", "1 1 0x78"),
    ),
    "JoedOrderOutcomeUnknown": (
        broker("joed_order_outcome_unknown", "1x80"),
        broker("joed_order_outcome_unknown", "1 1 0x78"),
    ),
    "JoedOrderStuckPending": (
        broker("joed_orders_oldest_pending_timestamp_seconds", "15x80"),
        broker("joed_orders_oldest_pending_timestamp_seconds", "0x80"),
    ),
    "JoedDailyLossLimitHit": (
        own("joed_limit_utilisation_ratio", "1x80", limit="loss_day_max"),
        own("joed_limit_utilisation_ratio", "0.99x80", limit="loss_day_max"),
    ),
    "JoedJournalFailed": (own("joed_journal_failed", "1x80"), own("joed_journal_failed", "0x80")),
    "JoedEventFaulted": (own("joed_events_faulted_total", "0 0 1x78"), own("joed_events_faulted_total", "1x80")),
    "JoedAlertChannelDown": (own("joed_alert_channel_up", "0x80"), own("joed_alert_channel_up", "0 0 1x78")),
    "JoedNotConfirmed": (
        {**own("joed_confirm_pending", "1x80"), **own("joed_session_open_timestamp_seconds", "1400x80")},
        {**own("joed_confirm_pending", "1x80"), **own("joed_session_open_timestamp_seconds", "1600x80")},
    ),
    "JoedDailyLossLimitNear": (
        own("joed_limit_utilisation_ratio", "0.81x80", limit="loss_day_max"),
        own("joed_limit_utilisation_ratio", "0.81x80", limit="gross_max"),
    ),
    "JoedStateNotSaved": (
        own("joed_state_last_save_timestamp_seconds", "15x80"),
        own("joed_state_last_save_timestamp_seconds", "1+15x80"),
    ),
    "JoedReconcileStale": (
        {**broker("joed_reconcile_last_success_timestamp_seconds", "-500x80"), **OPEN},
        {**broker("joed_reconcile_last_success_timestamp_seconds", "1+15x80"), **OPEN},
    ),
    "JoedTickLatencyHigh": (
        {
            **own("joed_tick_to_decision_seconds_bucket", "0x80", le="0.05"),
            **own("joed_tick_to_decision_seconds_bucket", "0+10x80", le="0.1"),
            **own("joed_tick_to_decision_seconds_bucket", "0+10x80", le="+Inf"),
        },
        {
            **own("joed_tick_to_decision_seconds_bucket", "0+10x80", le="0.05"),
            **own("joed_tick_to_decision_seconds_bucket", "0+10x80", le="+Inf"),
        },
    ),
    "JoedQueueBacklog": (own("joed_queue_depth", "1001x80"), own("joed_queue_depth", "1001 1000x79")),
    "JoedPollingFallback": (
        own("joed_prices", "3x80", broker="capital", source="poll"),
        own("joed_prices", "3x80", broker="capital", source="stream"),
    ),
    "JoedInstrumentsSetAside": (
        broker("joed_instruments_set_aside", "1x80"),
        broker("joed_instruments_set_aside", "0x80"),
    ),
    "JoedJobFailing": (
        own("joed_job_runs_total", "0+1x80", job_name="scan", result="failed"),
        own("joed_job_runs_total", "0+1x80", job_name="scan", result="ok"),
    ),
    "JoedKillDrillOld": (
        own("joed_kill_drill_timestamp_seconds", "-1300000x80"),
        own("joed_kill_drill_timestamp_seconds", "0x80"),
    ),
    "JoedMetamonitoring": ({}, None),
}
"""Each alert: series under which it fires within ten minutes, and series next to them under which it does not."""


def rules():
    """Give all alerting rules by name."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def fired(tmp_path, series, alert):
    """Say whether an alert fires within ten minutes under these series, by promtool: it prints what it got."""
    rows = [{"series": name, "values": values} for name, values in series.items()]
    checks = [{"eval_time": "10m", "alertname": alert, "exp_alerts": []}]
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "15s",
        "tests": [{"interval": "15s", "input_series": rows, "alert_rule_test": checks}],
    }
    file = tmp_path / "case.yml"
    file.write_text(yaml.safe_dump(test))
    done = subprocess.run(["promtool", "test", "rules", file], check=False, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode == 0 or "got:[" in said.replace("\n", "").replace(" ", ""), said
    return done.returncode != 0


def test_prometheus_takes_the_rules():
    """Promtool's own check, syntax and names."""
    done = subprocess.run(["promtool", "check", "rules", RULES], check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_of_metrics_keeps_the_customs():
    """Promtool's lint of names, units and help finds nothing."""
    shown = view(State())
    page = Page(Sources(lambda: shown, readings=KEPT, brokers=("paper", "ibkr")), lambda: 0).text("")[1]
    done = subprocess.run(["promtool", "check", "metrics"], check=False, capture_output=True, input=page)

    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_every_alert_has_its_case_its_severity_and_its_runbook():
    """A heading of the failure handbook for each, found by its name."""
    handbook = (ROOT / "docs/failure-handbook.md").read_text()

    for name, rule in rules().items():
        assert rule["labels"]["severity"] in {"critical", "warning", "none"}
        assert rule["annotations"]["runbook_url"].endswith(f"failure-handbook.md#{name.lower()}")
        assert f"\n### {name}\n" in handbook, name
    assert set(rules()) == set(CASES)
    assert len(CASES) >= 25


def test_rules_ask_for_nothing_that_joed_does_not_say():
    """Each joed_ name in an expression is a row of the catalogue, or comes from the textfile."""
    known = {f"joed_{row.name}" for row in CATALOGUE} | {f"joed_{row.name}_bucket" for row in CATALOGUE}
    groups = yaml.safe_load(RULES.read_text())["groups"]
    asked = {name for group in groups for rule in group["rules"] for name in re.findall(r"joed_\w+", rule["expr"])}

    assert [name for name in sorted(asked - known) if not TEXTFILE.match(name)] == []


@pytest.mark.parametrize("alert", CASES)
def test_an_alert_fires_when_it_should_and_is_silent_next_to_it(alert, tmp_path):
    """Both sides of each rule's edge."""
    firing, silent = CASES[alert]

    assert fired(tmp_path, firing, alert)
    if silent is not None:
        assert not fired(tmp_path, silent, alert)


@pytest.mark.parametrize(("tool", "words"), [("promtool", ("check", "config")), ("amtool", ("check-config",))])
def test_the_examples_are_sound(tool, words, tmp_path):
    """As the programs that read them say."""
    file = FOLDER / ("prometheus.yml" if tool == "promtool" else "alertmanager.yml")

    done = subprocess.run([tool, *words, file], check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
