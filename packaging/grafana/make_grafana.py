"""Write the dashboards: `make grafana`, or `make_grafana.py FOLDER`. A test holds the committed files to it."""

import sys
from pathlib import Path
from typing import Any

import execution
import market_data
import overview
import risk
import runtime
from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model
from panels import SOURCE, Panel, at, build

FOLDER = Path(__file__).parent / "dashboards"
TAG = "joed"
PAGE = "http://127.0.0.1:9465/"

BOARDS: tuple[tuple[str, str, tuple[Panel, ...], str], ...] = (
    (
        "overview",
        "joed: overview",
        overview.PANELS,
        "Is it alive, what do I own, is it protected, what did I make?",
    ),
    (
        "execution",
        "joed: execution",
        execution.PANELS,
        "What became of orders, how fast, how dear.",
    ),
    (
        "market-data",
        "joed: market data",
        market_data.PANELS,
        "What comes from brokers, and whether books agree.",
    ),
    (
        "risk",
        "joed: risk",
        risk.PANELS,
        "What is at stake, what of the limits is used, what forbids entries.",
    ),
    (
        "runtime",
        "joed: runtime",
        runtime.PANELS,
        "The process, its loop, its disk, its jobs and its doors.",
    ),
)

MARKS = (
    (
        "Sessions",
        'joed_session_state{AT,joed_session_state="open"} == 1',
        "blue",
        "market open",
    ),
    (
        "Starts",
        "time() - process_start_time_seconds{AT} < 60",
        "purple",
        "joed started",
    ),
    ("Kills", "joed_kill_switch_engaged{AT} == 1", "red", "killed: {{scope}}"),
)
"""What is drawn behind every panel; points that follow one another become a span."""


def made() -> dict[str, str]:
    """Give each file by its name."""
    files = {}
    for name, title, panels, words in BOARDS:
        board = _frame(name, title, words)
        for panel in panels:
            board.with_panel(build(panel))
        whole = board.build()
        for number, panel in enumerate(whole.panels or [], start=1):
            panel.id_val = number
        whole.annotations.list_val = [*map(_mark, MARKS)]
        files[f"{name}.json"] = JSONEncoder(sort_keys=True, indent=1).encode(whole) + "\n"
    return files


def _frame(name: str, title: str, words: str) -> dashboard.Dashboard:
    """Give a dashboard without panels: its name for ever, its choices, its links."""
    board = dashboard.Dashboard(title).uid(f"joed-{name}").description(words).tags([TAG]).readonly()
    board.time("now-8h", "now").refresh("10s").timezone("browser").tooltip(model.DashboardCursorSync.CROSSHAIR)
    for variable in _choices():
        board.with_variable(variable)
    boards = dashboard.DashboardLink("joed").type(model.DashboardLinkType.DASHBOARDS).tags([TAG])
    page = dashboard.DashboardLink("Live page").type(model.DashboardLinkType.LINK).url(PAGE)
    board.link(boards.include_vars(include_vars=True).keep_time(keep_time=True))
    return board.link(page.tooltip("joed's own page, on its machine: the last records, the watchlist, the chart"))


def _choices() -> tuple[Any, ...]:
    """Give the variables: which Prometheus, which of its jobs, which joed."""
    sorted_up = model.VariableSort.ALPHABETICAL_ASC
    often = model.VariableRefresh.ON_TIME_RANGE_CHANGED
    job = dashboard.QueryVariable("job").label("Job").query("label_values(joed_build_info, job)")
    instance = dashboard.QueryVariable("instance").label("joed")
    return (
        dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"),
        job.datasource(SOURCE).refresh(often).sort(sorted_up),
        instance.query('label_values(joed_build_info{job="$job"}, instance)')
        .datasource(SOURCE)
        .refresh(often)
        .sort(sorted_up),
    )


def _mark(mark: tuple[str, str, str, str]) -> model.AnnotationQuery:
    """Give one annotation."""
    name, expression, color, words = mark
    found = model.AnnotationQuery(name=name, datasource=SOURCE, icon_color=color, expr=at(expression))
    return _Titled(found, words)


class _Titled(model.AnnotationQuery):
    """An annotation of Prometheus: the SDK's has no place for its title."""

    def __init__(self, plain: model.AnnotationQuery, words: str) -> None:
        super().__init__(**vars(plain))
        self._words = words

    def to_json(self) -> dict[str, object]:
        """Give it as Grafana reads it."""
        return {**super().to_json(), "titleFormat": self._words}


def main(words: list[str]) -> int:
    """Write all files into a folder."""
    folder = Path(words[0]) if words else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in made().items():
        (folder / name).write_text(text, "utf-8")
        print(folder / name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
