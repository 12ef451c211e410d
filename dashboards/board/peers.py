"""The panels that others have for the same gateway, each with the panels that show it here."""

from collections.abc import Mapping, Sequence
from typing import Final

Rows = Sequence[tuple[str, Sequence[str]]]

_LIST: Final[Rows] = (("list of services: CPM, latency, input and output token rate", ("gateways",)),)

_OVERVIEW: Final[Rows] = (
    ("Request CPM", ("requests",)),
    ("Request Latency Avg", ("duration",)),
    ("Request Latency Percentile", ("duration-percentiles",)),
    ("Input Token Rate", ("input-tokens",)),
    ("Output Token Rate", ("output-tokens",)),
    ("TTFT Avg", ("first-token",)),
    ("TTFT Percentile", ("first-token-percentiles",)),
    ("TPOT Avg", ("output-token",)),
    ("TPOT Percentile", ("output-token-percentiles",)),
)

_PARTS: Final[Rows] = (
    ("Request CPM by Provider", ("provider-requests",)),
    ("Token Rate by Provider", ("provider-tokens",)),
    ("Latency Avg by Provider", ("provider-duration",)),
    ("Request CPM by Model", ("model-requests",)),
    ("Token Rate by Model", ("model-tokens",)),
    ("Latency Avg by Model", ("model-duration",)),
    ("TTFT Avg by Model", ("model-first-token",)),
    ("TPOT Avg by Model", ("model-output-token",)),
)

_MCP: Final[Rows] = (
    ("MCP Request CPM", ("mcp-requests",)),
    ("MCP Request Latency Avg", ("mcp-duration",)),
    ("MCP Request Latency Percentile", ("mcp-duration-percentiles",)),
    ("MCP Error CPM", ("mcp-errors", "mcp-failures")),
    ("MCP Method CPM", ("mcp-methods",)),
    ("MCP Initialization Latency Avg", ("mcp-initialization",)),
    ("MCP Request CPM by Backend", ("mcp-server-requests",)),
    ("MCP Latency Avg by Backend", ("mcp-server-duration",)),
    ("MCP Error CPM by Backend", ("mcp-server-errors",)),
    ("MCP Initialization Latency Percentile", ("mcp-initialization-percentiles",)),
    ("MCP Capabilities Negotiated", ("mcp-capabilities",)),
    ("MCP Method CPM by Backend", ("mcp-server-methods",)),
    ("MCP Initialization Latency Avg by Backend", ("mcp-server-initialization",)),
)

_REST: Final[Rows] = (
    ("Log", ("requests-links",)),
    ("Instances: CPM, latency, input and output token rate of each", ("pods",)),
)

TABLES: Final[Mapping[str, Rows]] = {
    "SkyWalking, AI Gateway": (*_LIST, *_OVERVIEW, *_PARTS, *_MCP, *_REST),
    "SkyWalking, Virtual GenAI": (
        ("list of providers: response time, SLA, CPM", ("providers",)),
        ("list of models", ("models",)),
        ("Total Estimated Cost", ("cost-total", "providers", "models")),
        ("Output Tokens, Input Tokens (cards)", ("providers", "models")),
        ("Service SLA", ("provider-success", "model-success")),
        ("Response Time", ("provider-duration", "model-duration")),
        ("Calls Per Minute", ("provider-requests", "model-requests")),
        ("Average Estimated Cost", ("provider-cost-each", "model-cost-each")),
        ("Latency Percentile", ("provider-duration-p95", "model-duration-p95")),
        ("Average Output Tokens", ("provider-output-each", "model-output-each")),
        ("Average Input Tokens", ("provider-input-each", "model-input-each")),
        ("Average TTFT", ("model-first-token",)),
        ("TTFT Percentile", ("model-first-token-p95",)),
        ("all percentiles of one provider or model", ("duration-percentiles", "first-token-percentiles")),
    ),
    "AI Gateway's example dashboard": (
        ("Total Requests", ("requests-total",)),
        ("Total Tokens (input and output)", ("tokens-total",)),
        ("P95 TTFT", ("first-token-p95-total",)),
        ("P95 Request Duration", ("duration-p95-total",)),
        ("Token Usage by Type", ("token-types",)),
        ("Request Duration Percentiles", ("duration-percentiles",)),
        ("TTFT vs TPOT", ("first-beside-each",)),
        ("Requests by Original Model vs Response Model", ("model-answers",)),
        ("Request Throughput", ("requests",)),
        ("Token Consumption Rate by type", ("token-types",)),
        ("Error Rate", ("error-ratio",)),
        ("Success Rate by Model", ("model-success",)),
    ),
}
