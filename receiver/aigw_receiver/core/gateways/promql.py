"""What a Prometheus is asked for, so that it answers what the rollup would: PromQL, and how its answers become totals.

Series are those of docs/metrics.md, as the receiver shows them. `increase()` alone extrapolates to the edges of its
window; what a counter gained is the last value in the window less the last one before it. That is exact wherever
the counter did not fall, since a new one is first shown at 0; `increase()` stands in where it did.

It sends nothing. Moments are nanoseconds since 1970.
"""

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from aigw_receiver.core.request_usage import DURATIONS
from aigw_receiver.core.rollup.model import LABELS, TOKENS, Cell, Measure, Number, View
from aigw_receiver.core.sources import SECOND

_MILLISECOND: Final = 1_000_000

# How far back the last value before a window is sought: as long as a pod that is away is remembered.
_BEFORE: Final = "1h"

_IDENTITY: Final = ("gateway_namespace", "gateway_name")

_TOKEN_TYPES: Final = {number.value: number for number in TOKENS}

_LLM: Final = (View.GATEWAY, View.POD, View.PROVIDER, View.MODEL)
_MCP: Final = (View.GATEWAY, View.POD, View.MCP_BACKEND)


@dataclasses.dataclass(frozen=True, slots=True)
class Family:
    """Series that say something of the cells of some views."""

    selector: str
    matchers: str
    views: tuple[View, ...]
    of: Mapping[str, Number] | Number | Measure
    """what its value is; by token type; a Measure's are buckets"""
    by: str = ""
    """a further label by which its values are told apart"""
    is_sum: bool = False
    """whether it is the sum of a Measure"""


def _histogram(name: str, measure: Measure, views: tuple[View, ...]) -> tuple[Family, ...]:
    return (
        Family(f"{name}_bucket", "", views, measure, by="le"),
        Family(f"{name}_sum", "", views, measure, is_sum=True),
    )


_METHODS: Final = "mcp_method_count_total"

FAMILIES: Final[tuple[Family, ...]] = (
    *_histogram(DURATIONS, Measure.DURATION, _LLM),
    Family(f"{DURATIONS}_count", 'error_type!=""', _LLM, Number.ERRORS),
    *_histogram("gen_ai_server_time_to_first_token_seconds", Measure.FIRST_TOKEN, _LLM),
    *_histogram("gen_ai_server_time_per_output_token_seconds", Measure.OUTPUT_TOKEN, _LLM),
    Family("gen_ai_client_token_usage_sum", "", _LLM, _TOKEN_TYPES, by="gen_ai_token_type"),
    Family("gen_ai_estimated_cost_usd_total", "", _LLM, Number.COST),
    Family("gen_ai_unpriced_tokens_total", "", _LLM, Number.UNPRICED),
    *_histogram("mcp_request_duration_seconds", Measure.MCP_DURATION, _MCP),
    *_histogram("mcp_initialization_duration_seconds", Measure.MCP_INITIALIZATION, _MCP),
    Family(_METHODS, "", (*_MCP, View.MCP_METHOD), Number.MCP_MESSAGES),
    Family(_METHODS, 'status=~"failed|error"', (*_MCP, View.MCP_METHOD), Number.MCP_ERRORS),
    Family(_METHODS, 'status="failed"', (*_MCP, View.MCP_METHOD), Number.MCP_FAILED),
    Family("mcp_capabilities_negotiated_total", "", (*_MCP, View.MCP_CAPABILITY), Number.MCP_CAPABILITIES),
)


_REQUESTS: Final = (
    f"{DURATIONS}_count",
    "gen_ai_server_time_to_first_token_seconds_count",
    "mcp_request_duration_seconds_count",
    _METHODS,
)
"""one of these is there wherever there were requests"""


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """An expression at one moment, or at each end of a step."""

    expression: str
    start: int
    end: int
    step: int | None
    """None: at `end` alone"""

    @property
    def path(self) -> str:
        """Of Prometheus' HTTP API, v1."""
        return "/api/v1/query" if self.step is None else "/api/v1/query_range"

    @property
    def parameters(self) -> dict[str, str]:
        """What it is asked with."""
        if self.step is None:
            return {"query": self.expression, "time": _seconds(self.end)}
        moments = {"start": _seconds(self.start), "end": _seconds(self.end), "step": _seconds(self.step)}
        return {"query": self.expression, **moments}


@dataclasses.dataclass(frozen=True, slots=True)
class Query(Question):
    """The question for a family by the cells of a view."""

    family: Family
    view: View


def families_of(view: View, of: Iterable[Number | Measure] | None = None) -> Iterator[Family]:
    """The families of a view; with `of`, those that these numbers are made of."""
    wanted = None if of is None else set(of)
    for family in FAMILIES:
        made = {family.of} if isinstance(family.of, (Number, Measure)) else set(family.of.values())
        if view in family.views and (wanted is None or made & wanted):
            yield family


def window_query(family: Family, view: View, gateway: tuple[str, str] | None, start: int, end: int) -> Query:
    """What the cells of a view gained from `start` to `end`; of one gateway, or of all."""
    selector = _selector(family, _of_gateway(gateway))
    return Query(_gain(family, view, selector, end - start), end, end, None, family, view)


def step_query(family: Family, cells: Sequence[Cell], edges: Sequence[int]) -> Query:
    """What cells, of one view and one gateway, gained between each two edges, which are a step apart."""
    first, step = cells[0], edges[1] - edges[0]
    matchers = _of_gateway((first.namespace, first.name))
    for place, label in enumerate(LABELS[first.view]):
        matchers.append(f"{label}=~{_quote('|'.join(sorted({re.escape(cell.key[place]) for cell in cells})))}")
    selector = _selector(family, matchers)
    return Query(_gain(family, first.view, selector, step), edges[1], edges[-1], step, family, first.view)


def presence_question(start: int, end: int) -> Question:
    """Whether there is anything of any gateway from `start` to `end`, which is later: without it, no sample."""
    (matcher,) = _of_gateway(None)
    window = _window(end - start)
    counts = (f"count(last_over_time({name}{{{matcher}}}{window}))" for name in _REQUESTS)
    return Question(" or ".join(counts), end, end, None)


def _window(length: int) -> str:
    """Of at least a millisecond, which is what a Prometheus counts in."""
    return f"[{max(length // _MILLISECOND, 1)}ms]"


def _of_gateway(gateway: tuple[str, str] | None) -> list[str]:
    if gateway is None:
        # The receiver's own label, so that nothing else of this name is taken for it.
        return ['gateway_name!=""']
    return [f"{label}={_quote(value)}" for label, value in zip(_IDENTITY, gateway, strict=True)]


def _selector(family: Family, matchers: Sequence[str]) -> str:
    return f"{family.selector}{{{','.join([*matchers, family.matchers] if family.matchers else matchers)}}}"


def _gain(family: Family, view: View, selector: str, length: int) -> str:
    window = f"{length // _MILLISECOND}ms"
    inside = f"{selector}[{window}]"
    before = f"last_over_time({selector}[{_BEFORE}] offset {window})"
    by = ", ".join((*_IDENTITY, *LABELS[view], *([family.by] if family.by else [])))
    return (
        f"sum by ({by}) (\n"
        f"  last_over_time({inside}) - ({before} or min_over_time({inside})) >= 0 and resets({inside}) == 0\n"
        f"  or increase({inside})\n"
        ")"
    )


def _quote(text: str) -> str:
    """A string literal: PromQL escapes as Go does, whose rules hold for what JSON writes."""
    return json.dumps(text.encode("utf-8", "replace").decode(), ensure_ascii=False)


def _seconds(time: int) -> str:
    return f"{time // SECOND}.{time % SECOND:09}"
