"""The instruments of the AI Gateway: names, units, descriptions, bucket bounds, and the Prometheus family of each.

One table, compared with the gateway's own exports by the tests. Two units are odd there (mcp.request.duration has none,
mcp.initialization.duration says "token") and stay so here; only the family names are the ones that were put right.
It must not record anything.
"""

from dataclasses import dataclass
from typing import Final

SCOPE: Final = "envoyproxy/ai-gateway"

TOKEN_BOUNDS: Final = tuple(float(4**power) for power in range(14))
DURATION_BOUNDS: Final = tuple(round(0.01 * 2**power, 2) for power in range(14))
FIRST_TOKEN_BOUNDS: Final = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0),
)
PER_TOKEN_BOUNDS: Final = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
MCP_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Instrument:
    """One instrument; without bounds it is a counter, with bounds a histogram."""

    name: str
    unit: str
    description: str
    family: str
    bounds: tuple[float, ...] = ()


TOKEN_USAGE: Final = Instrument(
    "gen_ai.client.token.usage",
    "token",
    "Number of tokens processed.",
    "gen_ai_client_token_usage",
    TOKEN_BOUNDS,
)
REQUEST_DURATION: Final = Instrument(
    "gen_ai.server.request.duration",
    "s",
    "Generative AI server request duration such as time-to-last byte or last output token.",
    "gen_ai_server_request_duration_seconds",
    DURATION_BOUNDS,
)
TIME_TO_FIRST_TOKEN: Final = Instrument(
    "gen_ai.server.time_to_first_token",
    "s",
    "Time to receive first token in streaming responses.",
    "gen_ai_server_time_to_first_token_seconds",
    FIRST_TOKEN_BOUNDS,
)
TIME_PER_OUTPUT_TOKEN: Final = Instrument(
    "gen_ai.server.time_per_output_token",
    "s",
    "Time per output token generated after the first token for successful responses.",
    "gen_ai_server_time_per_output_token_seconds",
    PER_TOKEN_BOUNDS,
)
MCP_REQUEST_DURATION: Final = Instrument(
    "mcp.request.duration",
    "",
    "Duration of MCP requests",
    "mcp_request_duration_seconds",
    MCP_BOUNDS,
)
MCP_INITIALIZATION_DURATION: Final = Instrument(
    "mcp.initialization.duration",
    "token",
    "Duration of MCP initialization",
    "mcp_initialization_duration_seconds",
    MCP_BOUNDS,
)
MCP_METHOD_COUNT: Final = Instrument(
    "mcp.method.count",
    "",
    "Total number of MCP methods invoked",
    "mcp_method_count_total",
)
MCP_CAPABILITIES: Final = Instrument(
    "mcp.capabilities.negotiated",
    "",
    "Total number of MCP capabilities negotiated",
    "mcp_capabilities_negotiated_total",
)
MCP_PROGRESS: Final = Instrument(
    "mcp.progress.notifications",
    "",
    "Total number of MCP progress notifications sent",
    "mcp_progress_notifications_total",
)

INSTRUMENTS: Final = (
    TOKEN_USAGE,
    REQUEST_DURATION,
    TIME_TO_FIRST_TOKEN,
    TIME_PER_OUTPUT_TOKEN,
    MCP_REQUEST_DURATION,
    MCP_METHOD_COUNT,
    MCP_INITIALIZATION_DURATION,
    MCP_CAPABILITIES,
    MCP_PROGRESS,
)
