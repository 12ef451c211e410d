"""Rows and percentiles out of series, and the table that is drawn of them."""

import io
import math
from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest

from aigw_demo.instruments import MCP_METHOD_COUNT, REQUEST_DURATION, TIME_TO_FIRST_TOKEN, TOKEN_USAGE
from aigw_demo.kept import KeptLogs
from aigw_demo.ledger import Ledger
from aigw_demo.receiver import Addresses
from aigw_demo.rollup import (
    McpRow,
    ModelRow,
    Percentile,
    build_mcp_rows,
    build_model_rows,
    interpolate_percentile,
)
from aigw_demo.series import COST, HistogramValue, SeriesMap, build_key
from aigw_demo.table import LiveTable, format_percentile, render_kept, render_mcp, render_models

RECEIVER: Final = Addresses("127.0.0.1:4317", "http://127.0.0.1:4318", "http://127.0.0.1:1", "http://127.0.0.1:2")
BOUNDS: Final = (1.0, 2.0, 4.0, math.inf)


@pytest.mark.parametrize(
    ("cumulative", "expected"),
    [
        ((0, 0, 0, 0), None),
        ((100, 100, 100, 100), Percentile(0.95)),
        ((0, 100, 100, 100), Percentile(1.95)),
        ((90, 100, 100, 100), Percentile(1.5)),
        ((0, 0, 20, 20), Percentile(3.9)),
        ((0, 0, 94, 100), Percentile(4.0, beyond=True)),
        ((0, 0, 95, 100), Percentile(4.0)),
        ((0, 0, 0, 1), Percentile(4.0, beyond=True)),
    ],
)
def test_percentile(cumulative: tuple[int, ...], expected: Percentile | None) -> None:
    """A percentile that is wrong, or that hides that it lies in the last bucket, would mislead."""
    buckets = tuple(zip(BOUNDS, cumulative, strict=True))
    actual = interpolate_percentile(HistogramValue(cumulative[-1], 0.0, buckets), 0.95)
    if expected is None or actual is None:
        assert expected is actual
    else:
        assert expected.beyond == actual.beyond
        assert actual.value == pytest.approx(expected.value)


@pytest.mark.parametrize(
    ("percentile", "text"),
    [
        (None, "-"),
        (Percentile(0.0123), "12 ms"),
        (Percentile(1.5), "1.50 s"),
        (Percentile(81.92, beyond=True), ">81.92 s"),
    ],
)
def test_percentile_is_written(percentile: Percentile | None, text: str) -> None:
    """A latency without its unit, or without the mark of the last bucket, could be read wrongly."""
    assert text == format_percentile(percentile)


def record_two_pods() -> SeriesMap:
    """One gateway with two pods: a success on each, a failure on one, an aborted stream, and MCP calls."""
    series: SeriesMap = {}
    model = {"gen_ai.original.model": "m"}
    for pod in ("p-1", "p-2"):
        ledger = Ledger({"gateway_namespace": "ns", "gateway_name": "gw", "gateway_pod": pod})
        ledger.add(REQUEST_DURATION, 0.015, model)
        ledger.add(TOKEN_USAGE, 100, {**model, "gen_ai.token.type": "input"})
        ledger.add(TOKEN_USAGE, 90, {**model, "gen_ai.token.type": "cached_input"})
        ledger.add(TOKEN_USAGE, 7, {**model, "gen_ai.token.type": "output"})
        ledger.add(MCP_METHOD_COUNT, 2, {"mcp.method.name": "tools/call", "mcp.backend": "b", "status": "failed"})
        ledger.add(MCP_METHOD_COUNT, 1, {"mcp.method.name": "ping", "status": "success"})
        series |= ledger.series()
        for kind, cost in (("input", 0.25), ("output", 0.125)):
            labels = {"gen_ai_request_model": "m", "gen_ai_token_type": kind, "gateway_pod": pod}
            series[build_key(COST, {"gateway_namespace": "ns", "gateway_name": "gw", **labels})] = cost
    ledger = Ledger({"gateway_namespace": "ns", "gateway_name": "gw", "gateway_pod": "p-3"})
    ledger.add(REQUEST_DURATION, 0.015, {**model, "error.type": "_OTHER"})
    ledger.add(TIME_TO_FIRST_TOKEN, 100, {"gen_ai.original.model": "aborted"})
    return series | ledger.series()


def test_model_rows_merge_pods_and_keep_aborted_streams() -> None:
    """A row a pod, failures that do not count as requests, or a model that vanishes would make the table wrong."""
    assert [
        ModelRow("ns/gw", "aborted", 0, 0, 0, 0, None, None, Percentile(60.0, beyond=True)),
        ModelRow("ns/gw", "m", 3, 1, 200, 14, 0.75, Percentile(0.0195), None),
    ] == build_model_rows(record_two_pods())


def test_mcp_rows_tell_failed_from_error() -> None:
    """A tool's failure that is counted as a protocol error would send the reader to the wrong place."""
    assert [McpRow("", "ping", 2, 0, 0), McpRow("b", "tools/call", 0, 4, 0)] == build_mcp_rows(record_two_pods())


def test_table_is_aligned() -> None:
    """Numbers that do not stand under each other can not be compared by eye."""
    assert render_models(build_model_rows(record_two_pods())) == [
        "GATEWAY  MODEL    REQUESTS  ERRORS  TOKENS IN  TOKENS OUT     COST    P95  TTFT P95",
        "ns/gw    aborted         0       0          0           0        -      -  >60.00 s",
        "ns/gw    m               3       1        200          14  $0.7500  20 ms         -",
    ]
    assert render_mcp(build_mcp_rows(record_two_pods())) == [
        "MCP BACKEND  METHOD      SUCCESS  FAILED  ERROR",
        "-            ping              2       0      0",
        "b            tools/call        0       4      0",
    ]


def test_kept_requests_say_why_and_what_they_cost() -> None:
    """A kept request without its reason or its cost would not tell why it matters."""
    common = {"time": "2026-11-22T21:25:18.123456789Z", "gateway_namespace": "ns", "gateway_name": "gw"}
    llm = {"requested_model": "big", "rules": "slow,tokens", "status": 200, "total_tokens": 100_003}
    lines = [
        {**common, **llm, "cost_usd": Decimal("0.12503"), "duration_ms": 2000.4},
        {**common, "mcp_method": "tools/call", "mcp_tool": "find", "rules": "mcp_errors", "duration_ms": 61},
    ]
    assert render_kept(lines, 7) == [
        "KEPT AT   GATEWAY  MODEL OR TOOL  KEPT BY      STATUS   TOKENS     COST     TOOK",
        "21:25:18  ns/gw    big            slow,tokens     200  100,003  $0.1250  2000 ms",
        "21:25:18  ns/gw    find           mcp_errors        -        -        -    61 ms",
        "and 5 before",
    ]


class Terminal(io.StringIO):
    """A terminal of a given size, in memory."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def test_terminal_is_drawn_over_and_cut_to_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines beyond the window would scroll it, and the table would no longer stay in place."""
    monkeypatch.setenv("COLUMNS", "10")
    monkeypatch.setenv("LINES", "3")
    terminal = Terminal()
    table = LiveTable(RECEIVER, KeptLogs(Path()), output=terminal)
    table.draw(["a line that is too long", "second", "third", "fourth"])
    assert terminal.getvalue() == "\x1b[Ha line th\x1b[K\nsecond\x1b[K\n\x1b[J"


def test_without_a_terminal_tables_follow_each_other() -> None:
    """Escape codes in a log file are noise."""
    output = io.StringIO()
    table = LiveTable(RECEIVER, KeptLogs(Path()), output=output)
    table.draw(["one", "two"])
    table.draw(["three"])
    assert output.getvalue() == "one\ntwo\n\nthree\n\n"
