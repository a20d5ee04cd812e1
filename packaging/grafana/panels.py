"""How a panel of a dashboard is built: one row of a table in, one panel of Grafana out."""

from collections.abc import Callable
from typing import NamedTuple

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import heatmap as heat
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
ONE = 'job="$job",instance="$instance"'
"""What AT in an expression stands for: one joed, for money of two accounts is not to be added up."""
HEIGHTS = {"number": 4, "word": 4}
HEIGHT = 8
Built = stat.Panel | timeseries.Panel | bargauge.Panel | heatmap.Panel | statetimeline.Panel | table.Panel
Query = tuple[str, str]
"""An expression, and the name of each of its series."""


class Panel(NamedTuple):
    """One panel: `limits` are (value, colour) from which on it is drawn so; below them it has the colour `below`."""

    title: str
    kind: str
    unit: str
    queries: tuple[Query, ...]
    words: str
    width: int
    limits: tuple[tuple[float, str], ...] = ()
    names: dict[str, str] = {}  # noqa: RUF012 - never changed
    """Words for values of a panel: "1" -> "yes"."""
    below: str = "green"


def build(panel: Panel) -> Built:
    """Give the panel as the SDK has it."""
    made = KINDS[panel.kind](panel)
    made.title(panel.title).description(panel.words).datasource(SOURCE).unit(panel.unit).span(panel.width)
    made.height(HEIGHTS.get(panel.kind, HEIGHT))
    for at, (expression, legend) in enumerate(panel.queries):
        made.with_target(_query(panel.kind, expression, legend).ref_id("ABCDEFGH"[at]))
    steps = [
        model.Threshold(value=None, color=panel.below),
        *(model.Threshold(value, color) for value, color in panel.limits),
    ]
    made.thresholds(dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps))
    if panel.names:
        words = {value: model.ValueMappingResult(text=text) for value, text in panel.names.items()}
        made.mappings([model.ValueMap(options=words)])
    return made


def at(expression: str) -> str:
    """Put the choice of one joed into an expression."""
    return expression.replace("AT", ONE)


def _query(kind: str, expression: str, legend: str) -> prometheus.Dataquery:
    query = prometheus.Dataquery().expr(at(expression)).legend_format(legend).datasource(SOURCE)
    if kind in {"number", "word", "bars now", "table"}:
        query.instant()
    else:
        query.range()
    if kind == "table":
        query.format(PromQueryFormat.TABLE)
    if kind == "heat":
        query.format(PromQueryFormat.HEATMAP)
    return query


def _legend() -> common.VizLegendOptions:
    placed = common.VizLegendOptions().show_legend(show_legend=True)
    return placed.display_mode(shapes.LegendDisplayMode.LIST).placement(shapes.LegendPlacement.BOTTOM)


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"])


def _number(panel: Panel) -> stat.Panel:
    plain = stat.Panel().graph_mode(shapes.BigValueGraphMode.NONE).color_mode(shapes.BigValueColorMode.VALUE)
    mode = shapes.BigValueTextMode.VALUE if len(panel.queries) == 1 and "{{" not in panel.queries[0][1] else None
    return plain.reduce_options(_last()).text_mode(mode or shapes.BigValueTextMode.VALUE_AND_NAME)


def _word(_: Panel) -> stat.Panel:
    plain = stat.Panel().graph_mode(shapes.BigValueGraphMode.NONE).color_mode(shapes.BigValueColorMode.NONE)
    return plain.reduce_options(_last()).text_mode(shapes.BigValueTextMode.NAME)


def _lines(panel: Panel) -> timeseries.Panel:
    made = (
        timeseries.Panel()
        .legend(_legend())
        .fill_opacity(0)
        .show_points(shapes.VisibilityMode.NEVER)
        .span_nulls(span_nulls=False)
    )
    if panel.limits:
        made.thresholds_style(common.GraphThresholdsStyleConfig().mode(shapes.GraphThresholdsStyleMode.DASHED))
    return made


def _bars(_: Panel) -> timeseries.Panel:
    made = timeseries.Panel().legend(_legend()).draw_style(shapes.GraphDrawStyle.BARS).fill_opacity(60)
    return made.stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL).group("A"))


def _bars_now(_: Panel) -> bargauge.Panel:
    made = bargauge.Panel().orientation(shapes.VizOrientation.HORIZONTAL).reduce_options(_last())
    return made.display_mode(shapes.BarGaugeDisplayMode.BASIC).min(0)


def _heat(panel: Panel) -> heatmap.Panel:
    made = heatmap.Panel().calculate(calculate=False).cell_gap(1).show_value(shapes.VisibilityMode.NEVER)
    made.color(heatmap.HeatmapColorOptions().mode(heat.HeatmapColorMode.SCHEME).scheme("Blues").steps(32))
    made.show_legend()
    return made.y_axis(heatmap.YAxisConfig().unit(panel.unit).axis_placement(shapes.AxisPlacement.LEFT))


def _states(_: Panel) -> statetimeline.Panel:
    made = (
        statetimeline.Panel().legend(_legend()).merge_values(merge_values=True).show_value(shapes.VisibilityMode.AUTO)
    )
    return made.color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))


def _table(_: Panel) -> table.Panel:
    hidden = dict.fromkeys(("Time", "__name__", "job", "instance"), True)
    made = table.Panel().show_header(show_header=True)
    return made.with_transformation(model.DataTransformerConfig(id_val="organize", options={"excludeByName": hidden}))


KINDS: dict[str, Callable[[Panel], Built]] = {
    "number": _number,
    "word": _word,
    "lines": _lines,
    "bars": _bars,
    "bars now": _bars_now,
    "heat": _heat,
    "states": _states,
    "table": _table,
}
