"""The AI Gateway's instruments as data: what the clients create, and the family that each becomes in Prometheus.

Written down from the gateway's documentation and its own exposition, on purpose apart from the receiver's naming table:
the truth must not be read from the code that it judges. No behaviour belongs here.
"""

from dataclasses import dataclass
from typing import Final

_TOKENS: Final = tuple(float(4**power) for power in range(14))
_DURATION: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_FIRST_TOKEN: Final = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75,
    1.0, 2.5, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0,
)  # fmt: skip
_OUTPUT_TOKEN: Final = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
_MCP: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Instrument:
    """One instrument; a counter has no bounds."""

    name: str
    unit: str
    family: str
    bounds: tuple[float, ...] = ()


TOKENS: Final = Instrument("gen_ai.client.token.usage", "token", "gen_ai_client_token_usage", _TOKENS)
REQUESTS: Final = Instrument("gen_ai.server.request.duration", "s", "gen_ai_server_request_duration_seconds", _DURATION)
FIRST_TOKEN: Final = Instrument(
    "gen_ai.server.time_to_first_token", "s", "gen_ai_server_time_to_first_token_seconds", _FIRST_TOKEN
)
OUTPUT_TOKEN: Final = Instrument(
    "gen_ai.server.time_per_output_token", "s", "gen_ai_server_time_per_output_token_seconds", _OUTPUT_TOKEN
)
# The gateway gives the MCP instruments no unit, and one of them a wrong one.
MCP_REQUESTS: Final = Instrument("mcp.request.duration", "", "mcp_request_duration_seconds", _MCP)
MCP_INITIALIZATIONS: Final = Instrument(
    "mcp.initialization.duration", "token", "mcp_initialization_duration_seconds", _MCP
)
MCP_METHODS: Final = Instrument("mcp.method.count", "", "mcp_method_count_total")
MCP_PROGRESS: Final = Instrument("mcp.progress.notifications", "", "mcp_progress_notifications_total")

INSTRUMENTS: Final = {
    instrument.name: instrument
    for instrument in (
        TOKENS, REQUESTS, FIRST_TOKEN, OUTPUT_TOKEN, MCP_REQUESTS, MCP_INITIALIZATIONS, MCP_METHODS, MCP_PROGRESS,
    )
}  # fmt: skip
