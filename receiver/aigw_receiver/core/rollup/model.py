"""The words of the rollup: which numbers are kept, about what, and how two readings become what happened in between.

A *cell* is what numbers are about: a gateway, or one pod, provider, model, MCP server or method of it. Its *totals*
only rise; what happened between two moments is their difference. Nothing here reads the store or the clock.
"""

import dataclasses
import enum
from collections.abc import Mapping
from typing import Final, NamedTuple


class View(enum.StrEnum):
    """By what the numbers of a gateway are told apart, as the key of a cell has them by LABELS."""

    GATEWAY = "gateway"
    POD = "pod"
    PROVIDER = "provider"
    MODEL = "model"
    MCP_BACKEND = "mcp_backend"
    MCP_METHOD = "mcp_method"
    MCP_CAPABILITY = "mcp_capability"


LABELS: Final[Mapping[View, tuple[str, ...]]] = {
    View.GATEWAY: (),
    View.POD: ("gateway_pod",),
    View.PROVIDER: ("gen_ai_provider_name",),
    View.MODEL: ("gen_ai_provider_name", "gen_ai_response_model"),
    View.MCP_BACKEND: ("mcp_backend",),
    View.MCP_METHOD: ("mcp_backend", "mcp_method_name"),
    View.MCP_CAPABILITY: ("mcp_backend", "capability_side", "capability_type"),
}
"""by the values of which labels of a series the key of its cell is made"""


class Cell(NamedTuple):
    """What numbers are about."""

    view: View
    namespace: str
    name: str
    key: tuple[str, ...]


class Number(enum.StrEnum):
    """A counter of a cell. Tokens overlap: input contains cached_input and cache_creation_input, output reasoning."""

    ERRORS = "errors"
    """requests whose duration has an error_type"""
    INPUT = "input"
    OUTPUT = "output"
    CACHED_INPUT = "cached_input"
    CACHE_CREATION_INPUT = "cache_creation_input"
    REASONING = "reasoning"
    COST = "cost"
    """USD of the tokens that have a price"""
    UNPRICED = "unpriced"
    """tokens that have none"""
    MCP_MESSAGES = "mcp_messages"
    """mcp_method_count"""
    MCP_ERRORS = "mcp_errors"
    """of these, those with the status failed or error"""
    MCP_FAILED = "mcp_failed"
    """of the errors, those with the status failed: the tool said so"""
    MCP_CAPABILITIES = "mcp_capabilities"

    # That of an enumeration is written in Python, and thousands of totals are made for one chart.
    __hash__ = str.__hash__


TOKENS: Final = (Number.INPUT, Number.OUTPUT, Number.CACHED_INPUT, Number.CACHE_CREATION_INPUT, Number.REASONING)
"""named as the gateway names their types"""


class Measure(enum.StrEnum):
    """A histogram of a cell; its count is that of the requests. Seconds."""

    DURATION = "duration"
    """gen_ai_server_request_duration_seconds"""
    FIRST_TOKEN = "time_to_first_token"
    OUTPUT_TOKEN = "time_per_output_token"
    MCP_DURATION = "mcp_duration"
    """mcp_request_duration_seconds"""
    MCP_INITIALIZATION = "mcp_initialization"

    __hash__ = str.__hash__


NO_BOUNDS: Final[tuple[float, ...]] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Distribution:
    """Observations by bucket: `counts` has one more than `bounds`, for those above the last. Seconds."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float

    @property
    def count(self) -> int:
        """How many observations there are."""
        return sum(self.counts)


@dataclasses.dataclass(frozen=True, slots=True)
class Totals:
    """The running totals of a cell at one moment, or what they gained between two. What is absent is 0.

    A measure has more than one distribution where its streams have different bounds.
    """

    numbers: dict[Number, float]
    measures: dict[Measure, tuple[Distribution, ...]]


NOTHING: Final = Totals({}, {})
