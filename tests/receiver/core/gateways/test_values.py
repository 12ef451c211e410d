"""The numbers of a cell by name, and as the API writes them."""

from aigw_receiver.core.gateways import values
from aigw_receiver.core.rollup.model import NOTHING, Distribution, Measure, Number, Totals

# Ten requests: four in each of two buckets, one in the next, one above the last.
_SPREAD = Distribution((1.0, 2.0, 4.0), (4, 4, 1, 1), 20.0)
_TWO = Distribution((1.0, 2.0, 4.0), (2, 0, 0, 0), 1.0)

_TOTALS = Totals(
    {
        Number.ERRORS: 2,
        Number.INPUT: 100.0,
        Number.OUTPUT: 30.0,
        Number.CACHED_INPUT: 60.0,
        Number.CACHE_CREATION_INPUT: 10.0,
        Number.REASONING: 5.0,
        Number.COST: 0.25,
        Number.UNPRICED: 7.0,
        Number.MCP_MESSAGES: 8,
        Number.MCP_ERRORS: 3,
        Number.MCP_FAILED: 2,
        Number.MCP_CAPABILITIES: 3,
    },
    {Measure.DURATION: (_SPREAD,), Measure.MCP_DURATION: (_TWO,)},
)

_NONE = {"count": 0, **dict.fromkeys(("avg", "p50", "p75", "p90", "p95", "p99", "overflow_ratio"))}


def test_document() -> None:
    """A number stands under another name, is added up wrongly, or nothing is taken for 0 or 0 for nothing."""
    spread = {"count": 10, "avg": 2.0, "p50": 1.25, "p75": 1.875, "p90": 4.0, "p95": 4.0, "p99": 4.0}
    two = {"count": 2, "avg": 0.5, "p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99}
    expected = {
        "requests": 10,
        "errors": 2,
        "error_ratio": 0.2,
        "tokens": {
            "input": 100,
            "output": 30,
            "cached_input": 60,
            "cache_creation_input": 10,
            "reasoning": 5,
            "total": 130,
        },
        "cost_usd": 0.25,
        "unpriced_tokens": 7,
        "duration": {**spread, "overflow_ratio": 0.1},
        "time_to_first_token": _NONE,
        "time_per_output_token": _NONE,
        "mcp": {
            "messages": 8,
            "requests": 2,
            "errors": 3,
            "failed": 2,
            "error_ratio": 0.375,
            "duration": {**two, "overflow_ratio": 0.0},
            "initialization": _NONE,
        },
    }
    assert expected == values.as_document(_TOTALS)


def test_document_of_nothing() -> None:
    """A gateway that is idle has an average, a share or a percentile."""
    document = values.as_document(NOTHING)
    assert (0, 0, None, 0.0) == tuple(document[name] for name in ("requests", "errors", "error_ratio", "cost_usd"))
    assert {0} == set(document["tokens"].values())
    assert _NONE == document["duration"]
    assert (0, None) == (document["mcp"]["messages"], document["mcp"]["error_ratio"])


def test_names() -> None:
    """A series shows another number than the one that was asked for."""
    shown = {
        "requests": 10,
        "mcp_requests": 2,
        "errors": 2,
        "tokens_input": 100,
        "tokens_output": 30,
        "tokens_cached_input": 60,
        "tokens_cache_creation_input": 10,
        "tokens_reasoning": 5,
        "tokens_total": 130,
        "cost_usd": 0.25,
        "unpriced_tokens": 7,
        "mcp_messages": 8,
        "mcp_errors": 3,
        "mcp_failed": 2,
        "mcp_capabilities": 3,
        "duration_avg": 2.0,
        "duration_p50": 1.25,
        "duration_p99": 4.0,
        "duration_overflow_ratio": 0.1,
        "mcp_duration_avg": 0.5,
        "mcp_duration_p95": 0.95,
        "ttft_avg": None,
        "tpot_p75": None,
        "mcp_initialization_overflow_ratio": None,
    }
    assert shown == {name: values.value(name, _TOTALS) for name in shown}
    assert 50 == len(values.NAMES)


def test_sources() -> None:
    """A Prometheus is not asked for what a value is made of."""
    expected = {
        "requests": {Measure.DURATION},
        "mcp_requests": {Measure.MCP_DURATION},
        "errors": {Number.ERRORS},
        "tokens_total": {Number.INPUT, Number.OUTPUT},
        "cost_usd": {Number.COST},
        "duration_p95": {Measure.DURATION},
        "ttft_avg": {Measure.FIRST_TOKEN},
        "mcp_duration_p50": {Measure.MCP_DURATION},
        "mcp_initialization_avg": {Measure.MCP_INITIALIZATION},
    }
    assert expected == {name: values.sources_of([name]) for name in expected}
    assert all(values.sources_of([name]) for name in values.NAMES)
    assert {Measure.DURATION, Number.ERRORS} == values.sources_of(["errors", "requests", "duration_avg"])


def test_busy() -> None:
    """A cell whose only traffic is of one kind is taken for idle."""
    assert not values.is_busy(NOTHING)
    assert not values.is_busy(Totals({Number.COST: 1.0}, {}))
    for totals in (
        Totals({}, {Measure.DURATION: (_TWO,)}),
        Totals({}, {Measure.FIRST_TOKEN: (_TWO,)}),
        Totals({}, {Measure.MCP_DURATION: (_TWO,)}),
        Totals({Number.MCP_MESSAGES: 1}, {}),
        Totals({Number.MCP_CAPABILITIES: 1}, {}),
    ):
        assert values.is_busy(totals)
