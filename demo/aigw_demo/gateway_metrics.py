"""What the gateway records of a request, and when: the rules of the AI Gateway's own metrics.

A failed request has error.type and no tokens. Only a stream has a time to first token and a time per output token. A
stream that the client aborted leaves its time to first token and nothing else. It must not speak HTTP.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from aigw_demo.instruments import (
    MCP_CAPABILITIES,
    MCP_INITIALIZATION_DURATION,
    MCP_METHOD_COUNT,
    MCP_PROGRESS,
    MCP_REQUEST_DURATION,
    REQUEST_DURATION,
    TIME_PER_OUTPUT_TOKEN,
    TIME_TO_FIRST_TOKEN,
    TOKEN_USAGE,
)
from aigw_demo.telemetry import PodTelemetry

# What the gateway writes where it does not know better.
UNKNOWN: Final = "unknown"
ERROR_TYPE: Final = "_OTHER"
# The provider is named after the API schema of the backend, not after the backend.
PROVIDER: Final = "openai"

SUCCESS: Final = "success"
FAILED: Final = "failed"
ERROR: Final = "error"

# The error.type of a JSON-RPC error code (https://www.jsonrpc.org/specification#error_object).
JSONRPC_ERROR_TYPES: Final = {
    -32700: "invalid_json_rpc",
    -32600: "invalid_json_rpc",
    -32601: "unsupported_method",
    -32602: "invalid_param",
}
INTERNAL_ERROR: Final = "internal_error"


@dataclass(slots=True)
class GenAIRequest:
    """The measurement of one GenAI request, from its arrival on."""

    telemetry: PodTelemetry
    operation: str
    model: str
    response_model: str = UNKNOWN
    started: float = field(default_factory=time.perf_counter)
    first_token_after: float | None = None

    @property
    def _attributes(self) -> dict[str, str]:
        return {
            "gen_ai.operation.name": self.operation,
            "gen_ai.provider.name": PROVIDER,
            "gen_ai.original.model": self.model,
            "gen_ai.request.model": self.model,
            "gen_ai.response.model": self.response_model,
        }

    def record_first_token(self) -> None:
        """The first piece of a stream has come; later ones say nothing."""
        if self.first_token_after is None:
            self.first_token_after = time.perf_counter() - self.started
            self.telemetry.record(TIME_TO_FIRST_TOKEN, self.first_token_after, self._attributes)

    def record_success(self, tokens: Mapping[str, int]) -> None:
        """The answer is complete: its duration, its tokens by type, and a stream's time per output token."""
        duration = time.perf_counter() - self.started
        attributes = self._attributes
        self.telemetry.record(REQUEST_DURATION, duration, attributes)
        for token_type, count in tokens.items():
            self.telemetry.record(TOKEN_USAGE, count, {**attributes, "gen_ai.token.type": token_type})
        output = tokens.get("output", 0)
        if self.first_token_after is not None and output > 1:
            per_token = (duration - self.first_token_after) / (output - 1)
            self.telemetry.record(TIME_PER_OUTPUT_TOKEN, per_token, attributes)

    def record_failure(self) -> None:
        """The upstream refused or broke: a duration with error.type, and no tokens."""
        duration = time.perf_counter() - self.started
        self.telemetry.record(REQUEST_DURATION, duration, {**self._attributes, "error.type": ERROR_TYPE})


def parse_token_usage(usage: Mapping[str, object] | None) -> dict[str, int]:
    """The tokens by type that an OpenAI usage object tells of; the details come only where the provider sends them."""
    tokens: dict[str, int] = {}
    if usage is None:
        return tokens
    for name, token_type in (("prompt_tokens", "input"), ("completion_tokens", "output")):
        count = usage.get(name)
        if isinstance(count, int):
            tokens[token_type] = count
    prompt = usage.get("prompt_tokens_details")
    if isinstance(prompt, Mapping):
        tokens["cached_input"] = int(prompt.get("cached_tokens", 0))
        tokens["cache_creation_input"] = int(prompt.get("cache_creation_tokens", 0))
    completion = usage.get("completion_tokens_details")
    if isinstance(completion, Mapping):
        tokens["reasoning"] = int(completion.get("reasoning_tokens", 0))
    return tokens


@dataclass(slots=True)
class McpRequest:
    """The measurement of one MCP request, from its arrival on."""

    telemetry: PodTelemetry
    method: str
    started: float = field(default_factory=time.perf_counter)

    def record(self, status: str, backend: str = "", error_type: str = "") -> None:
        """The request was answered, by a backend or by the gateway itself: count and duration."""
        self.record_count(self.method, status, backend)
        attributes = {**_backend(backend), **({"error.type": error_type} if error_type else {})}
        self.telemetry.record(MCP_REQUEST_DURATION, time.perf_counter() - self.started, attributes)

    def record_count(self, method: str, status: str, backend: str) -> None:
        """A method was called, without a duration of its own."""
        attributes = {**_backend(backend), "mcp.method.name": method, "status": status}
        self.telemetry.record(MCP_METHOD_COUNT, 1, attributes)

    def record_initialization(self, backend: str, capabilities: Iterable[str]) -> None:
        """A session with a backend was opened: its two methods, how long both took, and what the backend can do."""
        self.record(SUCCESS, backend)
        self.record_count("notifications/initialized", SUCCESS, backend)
        duration = time.perf_counter() - self.started
        self.telemetry.record(MCP_INITIALIZATION_DURATION, duration, _backend(backend))
        for capability in capabilities:
            self._record_capability(capability, "server", _backend(backend))

    def record_client_capabilities(self, capabilities: Iterable[str]) -> None:
        """The client said what it can do; that concerns no backend."""
        for capability in capabilities:
            self._record_capability(capability, "client", {})

    def record_progress(self) -> None:
        """The client reported progress."""
        self.telemetry.record(MCP_PROGRESS, 1, {})

    def _record_capability(self, capability: str, side: str, backend: Mapping[str, str]) -> None:
        attributes = {**backend, "capability.type": capability, "capability.side": side}
        self.telemetry.record(MCP_CAPABILITIES, 1, attributes)


def _backend(name: str) -> dict[str, str]:
    return {"mcp.backend": name} if name else {}
