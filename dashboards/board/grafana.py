"""Boards as Grafana's JSON, by Grafana's own builders. It decides where panels lie, and writes no file."""

import re
import string
import zlib
from collections.abc import Iterable
from typing import Final, TypeAlias

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, table, text, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.text import TextMode

from board import model
from board.model import COLUMNS, TAG, Board, Kind, Panel, Row, Variable

SOURCE: Final = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
_PLAIN_NOTE: Final = "No recording rule has this: it is computed from plain series."
_RECORDED: Final = re.compile(r"\bgateway_pod\w*:")
_PAGE: Final = "http://localhost:8080"

Visual: TypeAlias = timeseries.Panel | stat.Panel | table.Panel


def text_of(board: Board) -> str:
    """The JSON of a dashboard."""
    return JSONEncoder(indent=1, ensure_ascii=False).encode(build(board)) + "\n"


def build(board: Board) -> models.Dashboard:
    """A dashboard as Grafana's model of it."""
    built = dashboard.Dashboard(board.title).uid(board.uid).description(board.text).tags([TAG]).refresh("1m")
    built = built.time("now-1h", "now").timezone("browser").tooltip(models.DashboardCursorSync.CROSSHAIR)
    built = built.editable().link(_other_dashboards())
    built = built.with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    for variable in board.variables:
        built = built.with_variable(_variable(variable))
    built = built.with_variable(_page())
    top = 0
    recorded = board.uid.endswith("-rules")
    for row in board.rows:
        top = _add(built, row, top, noted=recorded)
    return built.build()


def number_of(slug: str) -> int:
    """A panel's number, which stays as long as its slug does."""
    return zlib.crc32(slug.encode()) % 1_000_000 + 1


def _other_dashboards() -> dashboard.DashboardLink:
    link = dashboard.DashboardLink("AI gateways").type(models.DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.as_dropdown(True).include_vars(True).keep_time(True)


def _variable(variable: Variable) -> dashboard.QueryVariable:
    built = dashboard.QueryVariable(variable.name).label(variable.label).datasource(SOURCE)
    built = built.query({"query": variable.query, "refId": variable.name, "qryType": 1})
    built = built.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(models.VariableSort.ALPHABETICAL_ASC)
    if variable.many:
        built = built.multi(True).include_all(True).all_value(".*")
        built = built.current(models.VariableOption(text="All", value="$__all", selected=True))
    return built


def _page() -> dashboard.TextBoxVariable:
    built = dashboard.TextBoxVariable("page").label("Receiver's page").default_value(_PAGE)
    built = built.description("Address of the receiver's port 8080, as your browser reaches it; links lead there.")
    return built.current(models.VariableOption(text=_PAGE, value=_PAGE, selected=True))


def _add(built: dashboard.Dashboard, row: Row, top: int, *, noted: bool) -> int:
    """Add a row below `top`; the line below it."""
    header = dashboard.Row(row.title).id(number_of(f"row-{row.title}"))
    header = header.grid_pos(models.GridPos(h=1, w=COLUMNS, x=0, y=top))
    places = list(_places(row.panels, top + 1))
    visuals = [_visual(panel, place, noted=noted) for panel, place in zip(row.panels, places, strict=True)]
    for visual in visuals if row.closed else ():
        header = header.with_panel(visual)
    built.with_row(header)
    for visual in () if row.closed else visuals:
        built.with_panel(visual)
    return max(place.y + place.h for place in places)


def _places(panels: Iterable[Panel], top: int) -> Iterable[models.GridPos]:
    """From left to right, in lines as high as their highest."""
    left = height = 0
    for panel in panels:
        if left + panel.width > COLUMNS:
            left, top, height = 0, top + height, 0
        height = max(height, panel.height)
        yield models.GridPos(h=panel.height, w=panel.width, x=left, y=top)
        left += panel.width


def _visual(panel: Panel, place: models.GridPos, *, noted: bool) -> Visual | text.Panel:
    if panel.kind is Kind.TEXT:
        words = text.Panel().content(panel.text).mode(TextMode.MARKDOWN).title(panel.title).description(panel.title)
        return words.id(number_of(panel.slug)).grid_pos(place)
    visual = _of_kind(panel)
    plain = noted and not any(_RECORDED.search(query.expr) for query in panel.queries)
    visual.title(panel.title).description(f"{panel.text} {_PLAIN_NOTE}" if plain else panel.text)
    visual.unit(panel.unit).datasource(SOURCE).id(number_of(panel.slug)).grid_pos(place)
    for name, query in zip(string.ascii_uppercase, panel.queries, strict=False):
        visual.with_target(_target(panel.kind, name, query))
    if panel.links:
        visual.data_links([_link(link) for link in panel.links])
    return visual


def _of_kind(panel: Panel) -> Visual:
    match panel.kind:
        case Kind.NUMBER:
            return _number()
        case Kind.TABLE:
            return _table(panel)
        case _:
            return _lines(panel)


def _target(kind: Kind, name: str, query: model.Query) -> prometheus.Dataquery:
    built = prometheus.Dataquery().expr(query.expr).ref_id(name).legend_format(query.legend).datasource(SOURCE)
    if kind is Kind.LINES:
        return built.range()
    return built.instant().format(PromQueryFormat.TABLE if kind is Kind.TABLE else PromQueryFormat.TIME_SERIES)


def _link(link: model.Link) -> dashboard.DashboardLink:
    return dashboard.DashboardLink(link.title).url(link.url).target_blank(not link.inside)


def _lines(panel: Panel) -> timeseries.Panel:
    options = common.VizLegendOptions().show_legend(True).display_mode(common_models.LegendDisplayMode.LIST)
    built = timeseries.Panel().legend(options.placement(common_models.LegendPlacement.BOTTOM)).min(0)
    tooltip = common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI)
    built = built.tooltip(tooltip.sort(common_models.SortOrder.DESCENDING)).fill_opacity(30 if panel.stacked else 8)
    built = built.show_points(common_models.VisibilityMode.NEVER)
    if panel.stacked:
        built = built.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL).group("A"))
    for name, query in zip(string.ascii_uppercase, panel.queries, strict=False):
        if query.unit:
            right = models.DynamicConfigValue("custom.axisPlacement", "right")
            dashed = models.DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [6, 6]})
            unit = models.DynamicConfigValue("unit", query.unit)
            built = built.override_by_query(name, [unit, right, dashed])
    return built


def _number() -> stat.Panel:
    built = stat.Panel().graph_mode(common_models.BigValueGraphMode.NONE)
    built = built.color_mode(common_models.BigValueColorMode.NONE).text_mode(common_models.BigValueTextMode.VALUE)
    return built.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"])).no_value("-")


def _table(panel: Panel) -> table.Panel:
    names = dict(zip(string.ascii_uppercase, panel.queries, strict=False))
    headings = {**panel.columns, **{f"Value #{name}": query.legend for name, query in names.items()}}
    if len(names) == 1:
        headings["Value"] = panel.queries[0].legend
    first = [*panel.columns, *(f"Value #{name}" for name, query in names.items() if query is _named(panel))]
    order = {label: place for place, label in enumerate(dict.fromkeys([*first, *headings]))}
    layout = {"excludeByName": {"Time": True}, "indexByName": order, "renameByName": headings}
    built = table.Panel().show_header(True).filterable(True)
    built = built.with_transformation(models.DataTransformerConfig("merge", options={}))
    built = built.with_transformation(models.DataTransformerConfig("organize", options=layout))
    for query in panel.queries:
        values = [models.DynamicConfigValue("unit", query.unit)] if query.unit else []
        if query is _named(panel):
            values += [
                models.DynamicConfigValue("mappings", [_mapping(panel)]),
                models.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
            ]
        if values:
            built = built.override_by_name(query.legend, values)
    return built


def _named(panel: Panel) -> model.Query | None:
    """The query whose numbers have names: it is the last one, and its column the first."""
    return panel.queries[-1] if panel.names else None


def _mapping(panel: Panel) -> models.ValueMap:
    shown = {
        str(number): models.ValueMappingResult(text=words, color=color, index=number)
        for number, (words, color) in panel.names.items()
    }
    return models.ValueMap(options=shown)
