"""One request as Envoy's access log tells it, understood; and what was decided of it. Values only.

A value that Envoy did not have ("-", "" or "<nil>") is None here, or "" for a text.
"""

import dataclasses
import enum
from typing import NamedTuple, Protocol

from aigw_receiver.core.model import Identity


class RouteType(enum.Enum):
    """What a request was for; the value is that of the field ai_route_type."""

    LLM = "llm"
    MCP = "mcp"


class Ending(enum.Enum):
    """How a request ended."""

    OK = "ok"
    CLIENT_ERROR = "client_error"
    """the caller's mistake, as the gateway or the provider saw it: 4xx with an upstream, or of the gateway's own"""
    UPSTREAM_ERROR = "upstream_error"
    """the provider failed: 5xx from it, a reset, a refused connection"""
    GATEWAY_ERROR = "gateway_error"
    """the gateway failed by itself: no route, no healthy upstream, rate limited by it, overload"""
    TIMEOUT = "timeout"
    ABORTED = "aborted"
    """the client went away before the answer was complete; the status that was sent may say 200"""
    TOOL_ERROR = "tool_error"
    """an MCP tool failed, where a field tells"""


class Tokens(NamedTuple):
    """Token counts. `input` contains `cached` and `creation`, `output` contains `reasoning`."""

    input: int | None = None
    cached: int | None = None
    creation: int | None = None
    output: int | None = None
    reasoning: int | None = None
    total: int | None = None
    """as the record says, but never less than input + output; these where it says nothing and both are there"""


class Common(Protocol):
    """What rules and counters alike read of a record: of an `AccessLog`, or of what many records have in common."""

    @property
    def identity(self) -> Identity: ...  # noqa: D102
    @property
    def route_type(self) -> RouteType: ...  # noqa: D102
    @property
    def ending(self) -> Ending: ...  # noqa: D102
    @property
    def status(self) -> int | None: ...  # noqa: D102
    @property
    def response_flags(self) -> str: ...  # noqa: D102
    @property
    def requested_model(self) -> str: ...  # noqa: D102


@dataclasses.dataclass(frozen=True, slots=True)
class AccessLog:
    """One request. Times and durations: nanoseconds since 1970, and milliseconds."""

    identity: Identity
    route_type: RouteType
    time: int
    ending: Ending
    method: str = ""
    path: str = ""
    """without its query string"""
    status: int | None = None
    """None where no answer was sent: Envoy writes 0"""
    response_flags: str = ""
    response_code_details: str = ""
    duration: float | None = None
    time_to_first_token: float | None = None
    inter_token_latency: float | None = None
    requested_model: str = ""
    answered_model: str = ""
    provider: str = ""
    """the API schema, where a field tells it; never the backend"""
    backend: str = ""
    """namespace/name"""
    route: str = ""
    tokens: Tokens = Tokens()
    mcp_method: str = ""
    mcp_tool: str = ""
    mcp_backend: str = ""
    upstream_host: str = ""
    failure_reason: str = ""
    """upstream_transport_failure_reason"""
    termination: str = ""
    """connection_termination_details"""
    request_id: str = ""
    session_id: str = ""
    user_agent: str = ""
    bytes_received: int | None = None
    bytes_sent: int | None = None
    body: str = ""
    """the text line, where the sender was configured to write one"""
    rest: tuple[tuple[str, str], ...] = ()
    """every other attribute, by name, redacted as all of them are"""


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """What was decided of a record: the rules that kept it (none: it is dropped), and for how many it stands."""

    rules: tuple[str, ...]
    weight: float = 1.0
    """1/probability of having been kept"""

    @property
    def kept(self) -> bool:
        """Whether the record goes to the sinks."""
        return bool(self.rules)


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """A record that goes to the sinks, with what we found out about it. `cost` is in USD, None where it is unknown."""

    log: AccessLog
    decision: Decision
    cost: float | None = None
    price_entry: str = ""
    """the entry of the price book that matched"""
