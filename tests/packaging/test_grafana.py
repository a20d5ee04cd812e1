"""packaging/grafana: the dashboards are what their script makes, and every panel keeps the rules of its kind."""

import json
import re
import subprocess
import sys

import pytest
import yaml
from grafana_foundation_sdk.models.dashboard import Dashboard

from joed.daemon.catalogue import CATALOGUE, name_of
from tests.demos import ROOT

FOLDER = ROOT / "packaging/grafana"
FILES = sorted((FOLDER / "dashboards").glob("*.json"))
BOARDS = {file.stem: json.loads(file.read_text("utf-8")) for file in FILES}
PANELS = [
    pytest.param(panel, id=f"{stem}: {panel['title']}") for stem, board in BOARDS.items() for panel in board["panels"]
]
OUTSIDE = {
    "joed_scrape_render_seconds",
    "joed_scrape_failures_total",
    "process_start_time_seconds",
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "process_open_fds",
}
"""What a scrape shows beside the catalogue."""
UNITS = {"none", "s", "bytes", "locale", "percentunit", "cps"}
CHOICE = 'job="$job",instance="$instance"'
PANELS_MAX, QUERIES_MAX, GRID_WIDTH = 30, 4, 24
ROWS = {name_of(row): row for row in CATALOGUE}
ENDS = {"histogram": ("_bucket",), "counter": ("",), "gauge": ("",), "enum": ("",), "info": ("",)}
SERIES = {f"{name}{end}": row for name, row in ROWS.items() for end in ENDS[row.type]}


def names(expression):
    """Give the metrics that an expression asks for."""
    found = set(re.findall(r"\b(?:joed|process|python)_\w+", re.sub(r'"[^"]*"', "", expression)))
    return {
        name for name in found if f"{name}=" not in expression.replace("joed_mode=", "") or f"{name}{{" in expression
    }


def labels(name):
    """Give the labels that a metric's series have."""
    row = SERIES.get(name)
    own = {"joed_build_info": ("version", "code", "python")}.get(name) or (row.labels if row else ())
    shown = (*own, name) if row is not None and row.type == "enum" else own
    return {*shown, "le", "job", "instance"}


def test_the_dashboards_are_what_their_script_makes(tmp_path):
    """`make grafana` writes them; what was changed by hand, or in a metric's name, is seen here."""
    script = FOLDER / "make_grafana.py"
    subprocess.run([sys.executable, script, tmp_path], check=True, capture_output=True)
    made = {file.name: file.read_text("utf-8") for file in tmp_path.glob("*.json")}

    assert made == {file.name: file.read_text("utf-8") for file in FILES}


def test_there_are_five_with_names_for_ever_and_the_same_choices():
    """A link to a dashboard outlives its title; each has its Prometheus, job and joed chosen alike."""
    assert {board["uid"] for board in BOARDS.values()} == {
        *("joed-overview", "joed-execution", "joed-market-data", "joed-risk", "joed-runtime")
    }
    for board in BOARDS.values():
        assert [choice["name"] for choice in board["templating"]["list"]] == ["datasource", "job", "instance"]
        assert [mark["name"] for mark in board["annotations"]["list"]] == ["Sessions", "Starts", "Kills"]
        assert board["schemaVersion"] == 41
        assert not board["editable"]
        assert Dashboard.from_json(board).title == board["title"]


@pytest.mark.parametrize("stem", BOARDS)
def test_panels_lie_side_by_side_and_are_few_enough(stem):
    """None over another, none beyond the grid, no title twice."""
    panels = BOARDS[stem]["panels"]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len(panels) <= PANELS_MAX
    assert len(set(cells)) == len(cells)
    assert all(x < GRID_WIDTH for x, _ in cells)
    assert len({panel["title"] for panel in panels}) == len(panels) == len({panel["id"] for panel in panels})


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows_in_which_unit_and_whose(panel):
    """A title, a sentence, a unit, a name for each line, the chosen Prometheus and the chosen joed."""
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert 1 <= len(panel["targets"]) <= QUERIES_MAX
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    for target in panel["targets"]:
        assert target["legendFormat"]
        assert target["datasource"] == panel["datasource"]
        assert target["instant"] != target["range"]


@pytest.mark.parametrize("panel", [param for param in PANELS if param.values[0]["type"] == "state-timeline"])
def test_yes_and_no_have_words_and_colours_of_their_own(panel):
    """A link that is down is not drawn as one that is up."""
    defaults = panel["fieldConfig"]["defaults"]
    steps = defaults["thresholds"]["steps"]

    assert [step["value"] for step in steps] == [None, 1.0]
    assert steps[0]["color"] != steps[1]["color"]
    assert defaults["color"] == {"mode": "thresholds"}
    assert set(defaults["mappings"][0]["options"]) == {"0", "1"}


@pytest.mark.parametrize("panel", PANELS)
def test_a_query_asks_for_what_there_is_and_for_one_joed(panel):
    """Each metric is a row of the catalogue, its labels are its own, and no empty answer is painted over."""
    for target in panel["targets"]:
        expression = target["expr"]
        asked = names(expression)
        assert asked <= {*SERIES, *OUTSIDE}, asked
        assert asked or expression.startswith("ALERTS{")
        assert len(re.findall(rf"\w+\{{{re.escape(CHOICE)}[,}}]", expression)) >= len(asked)
        assert "vector(" not in expression
        assert " or " not in expression
        known = set.union(*map(labels, asked)) if asked else {"alertname"}
        by = {word for group in re.findall(r"by \(([^)]*)\)", expression) for word in re.split(r",\s*", group)}
        assert by | set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= known


@pytest.mark.parametrize("panel", PANELS)
def test_what_only_grows_is_shown_as_its_growth(panel):
    """A rate of what may fall is a lie, a quantile needs its buckets; a bare counter is shown only as a sum so far."""
    for target in panel["targets"]:
        expression = target["expr"]
        inside = set(re.findall(r"(?:rate|increase)\((\w+)\{", expression))
        grow = {name for name in names(expression) if name.endswith(("_total", "_bucket"))}
        assert all(name.endswith(("_total", "_bucket")) for name in inside)
        assert all(name in inside for name in grow if name.endswith("_bucket"))
        assert (
            grow == inside or panel["type"] in {"stat", "bargauge"} or panel["title"] == "Rows that a scrape left out"
        )
        assert ("histogram_quantile" in expression) <= any(name.endswith("_bucket") for name in inside)


def test_every_metric_that_a_person_needs_is_on_a_panel():
    """What no dashboard shows is named here, with a reason: a new metric asks for its place."""
    shown = {name for board in BOARDS.values() for panel in board["panels"] for target in panel["targets"]
             for name in names(target["expr"])}  # fmt: skip
    shown = {name.removesuffix("_bucket") for name in shown}
    elsewhere = {
        "joed_session_open_timestamp_seconds": "the alert on a card that nobody signed",
        "joed_kill_since_timestamp_seconds": "the annotation shows it",
        "joed_live_session": "the card tells",
        "joed_watchdog_pings_total": "the margin says more",
        "joed_reconciled": "the mismatches say more",
        "joed_job_last_end_timestamp_seconds": "the runs say more",
    }

    assert set(ROWS) - shown == set(elsewhere)


def test_what_grafana_reads_at_its_start_finds_the_dashboards():
    """The path is where the package puts them; the source is asked for as often as Prometheus scrapes."""
    (provider,) = yaml.safe_load((FOLDER / "provisioning/dashboards/joed.yaml").read_text())["providers"]
    (source,) = yaml.safe_load((FOLDER / "provisioning/datasources/joed.yaml").read_text())["datasources"]
    scrape = yaml.safe_load((ROOT / "packaging/prometheus/prometheus.yml").read_text())["global"]["scrape_interval"]
    package = (ROOT / "packaging/deb/make_deb.py").read_text("utf-8")

    assert provider["options"]["path"] == "/usr/share/doc/joed/examples/grafana/dashboards"
    assert 'examples / "grafana"' in package
    assert source["jsonData"]["timeInterval"] == scrape
