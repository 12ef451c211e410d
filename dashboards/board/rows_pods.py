"""The row of one gateway about its pods."""

from board import panels
from board import series as of
from board.model import Panel, Query, Row
from board.promql import Scope
from board.series import Family


def pods(scope: Scope) -> Row:
    """What each pod does. All other rows show one pod where it is chosen above."""
    by, unit = "pod", panels.REQUESTS
    found = (
        panels.breakdown(scope, "pods", "Pods", "What each did in the time range, also those that have ended.", by),
        _live(scope),
        panels.rates(scope, "pod-requests", "Requests by pod", of.REQUESTS, by, unit=unit),
        panels.shares(
            scope, "pod-error-ratio", "Error ratio by pod", of.ERRORS, of.REQUESTS, by, text="Share of failed requests."
        ),
        panels.means(scope, "pod-duration", "Request duration by pod", of.REQUEST, by),
        panels.p95(scope, "pod-duration-p95", "Request duration by pod, p95", of.REQUEST, by),
        panels.means(scope, "pod-first-token", "Time to first token by pod", of.FIRST_TOKEN, by),
        panels.means(scope, "pod-output-token", "Time per output token by pod", of.OUTPUT_TOKEN, by),
        panels.rates(scope, "pod-tokens", "Tokens by pod and type", of.EACH_TYPE, by, "token_type"),
        panels.rates(scope, "pod-cost", "Cost by pod", of.COST, by, unit=panels.USD),
        panels.rates(scope, "pod-mcp-requests", "MCP requests by pod", of.MCP_REQUEST.count, by, unit=unit),
        panels.means(scope, "pod-mcp-duration", "MCP request duration by pod", of.MCP_REQUEST, by),
        panels.rates(
            scope, "pod-mcp-errors", "Failed MCP messages by pod", of.MESSAGE_ERRORS, by, unit=panels.MESSAGES
        ),
    )
    return Row("Pods", found)


def _live(scope: Scope) -> Panel:
    expr = f"count(target_info{scope.selector(Family.POD)})"
    text = "Pods that send metrics. A pod leaves when it has missed three exports."
    return Panel("pods-live", "Pods", text, "short", (Query(expr, "pods"),))
