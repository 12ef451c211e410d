"""What dashboards are made of. No panel is defined here, and nothing is written."""

import dataclasses
import enum
from collections.abc import Mapping
from typing import Final

TAG: Final = "aigw-telemetry"
"""The tag of all dashboards, by which each finds the others."""

COLUMNS: Final = 24
"""The width of a dashboard, in Grafana's columns."""


class Kind(enum.StrEnum):
    """How a panel shows what it has asked."""

    LINES = "timeseries"
    NUMBER = "stat"
    TABLE = "table"
    TEXT = "text"


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """A question to Prometheus."""

    expr: str
    legend: str
    """of a line: with {{labels}}; of a table: the heading of its column"""
    unit: str = ""
    """where it is another one than the panel's; a line of it has the axis at the right"""


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    """An address that a click on a number leads to. Grafana fills in ${…}."""

    title: str
    url: str
    inside: bool = False
    """whether it is another dashboard, which needs no tab of its own"""


@dataclasses.dataclass(frozen=True, slots=True)
class Panel:
    """One panel. Its number in Grafana is made of its slug, so a slug stays."""

    slug: str
    title: str
    text: str
    """what its numbers are; for a panel of text, the text, in Markdown"""
    unit: str = "short"
    queries: tuple[Query, ...] = ()
    kind: Kind = Kind.LINES
    width: int = 8
    height: int = 8
    stacked: bool = False
    links: tuple[Link, ...] = ()
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """of a table: headings by label, in the order of the columns; other labels are not shown"""
    names: Mapping[int, tuple[str, str]] = dataclasses.field(default_factory=dict)
    """text and color that stand for a number of the last query"""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A row of panels that can be closed; a closed one asks Prometheus nothing."""

    title: str
    panels: tuple[Panel, ...]
    closed: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class Variable:
    """A list of values to choose from, which Prometheus gives."""

    name: str
    label: str
    selector: str
    """of the series that have the label"""
    of: str
    """the label"""
    many: bool = True

    @property
    def query(self) -> str:
        """As Grafana writes it."""
        return f"label_values({self.selector}, {self.of})"


@dataclasses.dataclass(frozen=True, slots=True)
class Board:
    """A dashboard."""

    uid: str
    title: str
    text: str
    variables: tuple[Variable, ...]
    rows: tuple[Row, ...]
