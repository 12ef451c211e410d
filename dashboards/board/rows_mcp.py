"""The row of one gateway about MCP."""

from board import panels
from board import series as of
from board.model import Kind, Panel, Query, Row
from board.promql import Over, Scope

_FAILED = "Messages with status failed (the tool said so) or error (the protocol did)."


def mcp(scope: Scope) -> Row:
    """Requests, messages, sessions and tools of MCP."""
    return Row("MCP", (_servers(scope), *_requests(scope), *_messages(scope), *_sessions(scope), _tools(scope)))


def _servers(scope: Scope) -> Panel:
    over, by = Over.RANGE, "backend"
    queries = (
        Query(scope.total(of.MCP_REQUEST.count, by), "Requests"),
        Query(scope.mean(of.MCP_REQUEST, by, over=over), "Duration", panels.SECONDS),
        Query(scope.quantile("0.95", of.MCP_REQUEST, by, over=over), "Duration p95", panels.SECONDS),
        Query(scope.total(of.MESSAGES, by), "Messages"),
        Query(scope.ratio(of.MESSAGE_ERRORS, of.MESSAGES, by, over=over), "Error ratio", panels.RATIO),
        Query(scope.total(of.MCP_INITIALIZATION.count, by), "Sessions"),
    )
    text = f"What each did in the time range. Errors: {_FAILED}"
    columns = {of.LABELS[by]: panels.HEADINGS[by]}
    return Panel("mcp-servers", "MCP servers", text, "short", queries, Kind.TABLE, 24, columns=columns)


def _requests(scope: Scope) -> tuple[Panel, ...]:
    count, duration, by = of.MCP_REQUEST.count, of.MCP_REQUEST, "backend"
    return (
        panels.rates(scope, "mcp-requests", "MCP requests", count, unit=panels.REQUESTS),
        panels.means(scope, "mcp-duration", "MCP request duration, average", duration),
        panels.percentiles(scope, "mcp-duration-percentiles", "MCP request duration, percentiles", duration),
        panels.rates(scope, "mcp-server-requests", "MCP requests by server", count, by, unit=panels.REQUESTS),
        panels.means(scope, "mcp-server-duration", "MCP request duration by server", duration, by),
        panels.p95(scope, "mcp-server-duration-p95", "MCP request duration by server, p95", duration, by),
    )


def _messages(scope: Scope) -> tuple[Panel, ...]:
    messages, errors, unit = of.MESSAGES, of.MESSAGE_ERRORS, panels.MESSAGES
    return (
        panels.rates(scope, "mcp-methods", "Messages by method", messages, "method", unit=unit),
        panels.rates(scope, "mcp-errors", "Failed messages", errors, text=_FAILED, unit=unit),
        panels.shares(scope, "mcp-error-ratio", "Error ratio of messages", errors, messages, text=_FAILED),
        panels.rates(
            *(scope, "mcp-server-methods", "Messages by server and method", messages, "backend", "method"), unit=unit
        ),
        panels.rates(
            scope, "mcp-server-errors", "Failed messages by server", errors, "backend", text=_FAILED, unit=unit
        ),
        panels.shares(
            *(scope, "mcp-server-error-ratio", "Error ratio by server", errors, messages, "backend"), text=_FAILED
        ),
        panels.rates(
            *(scope, "mcp-failures", "Failed messages by method and status", of.FAILURES, "method", "status"),
            text="failed: the tool said so; error: the protocol did.",
            unit=unit,
        ),
    )


def _sessions(scope: Scope) -> tuple[Panel, ...]:
    begun = of.MCP_INITIALIZATION
    return (
        panels.means(scope, "mcp-initialization", "Initialization of MCP, average", begun),
        panels.percentiles(scope, "mcp-initialization-percentiles", "Initialization of MCP, percentiles", begun),
        panels.means(scope, "mcp-server-initialization", "Initialization of MCP by server", begun, "backend"),
        panels.rates(scope, "mcp-capabilities", "Capabilities negotiated", of.CAPABILITIES, "capability"),
        panels.rates(
            scope, "mcp-capability-sides", "Capabilities by side and type", of.CAPABILITIES, "side", "capability"
        ),
        panels.rates(scope, "mcp-progress", "Notifications of progress", of.PROGRESS),
    )


def _tools(scope: Scope) -> Panel:
    by = ("tool", "upstream", "ending")
    query = Query(scope.total(of.MCP_LOGGED, *by), "Requests")
    text = "MCP requests in the time range, from access logs: all pods and servers, whatever is chosen above."
    headings = ("Tool", "Backend", "Ending")
    columns = {of.LABELS[word]: heading for word, heading in zip(by, headings, strict=True)}
    return Panel("mcp-tools", "Tools", text, "short", (query,), Kind.TABLE, 24, columns=columns)
