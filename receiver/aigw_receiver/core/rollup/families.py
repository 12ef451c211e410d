"""What the streams of a family count, and for which cells. It reads labels, and no numbers."""

import enum
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from aigw_receiver.core.model import FamilyType
from aigw_receiver.core.naming import FamilyName
from aigw_receiver.core.pricing.cost_series import FAMILY as TOKENS
from aigw_receiver.core.request_usage import DURATIONS
from aigw_receiver.core.rollup.model import LABELS, Cell, Measure, Number, View
from aigw_receiver.core.rollup.model import TOKENS as TOKEN_NUMBERS

Labels = Mapping[str, str]

_TYPE: Final = "gen_ai_token_type"
_METHOD: Final = LABELS[View.MCP_METHOD][-1]


class Code(enum.IntEnum):
    """What a row counts beside the buckets of a measure; it goes into four bits."""

    NOTHING = 0
    """its buckets alone"""
    ERRORS = 1
    INPUT = 2
    OUTPUT = 3
    CACHED_INPUT = 4
    CACHE_CREATION_INPUT = 5
    REASONING = 6
    MCP_MESSAGES = 7
    MCP_ERRORS = 8
    """messages that the protocol refused"""
    MCP_FAILED = 9
    """messages whose tool said that it failed; they are errors, too"""
    MCP_CAPABILITIES = 10


BITS: Final = 4

# The numbers that the value of a row is added to; errors of requests are counted by their observations.
COUNTED: Final[Mapping[Code, tuple[Number, ...]]] = {
    Code.INPUT: (Number.INPUT,),
    Code.OUTPUT: (Number.OUTPUT,),
    Code.CACHED_INPUT: (Number.CACHED_INPUT,),
    Code.CACHE_CREATION_INPUT: (Number.CACHE_CREATION_INPUT,),
    Code.REASONING: (Number.REASONING,),
    Code.MCP_MESSAGES: (Number.MCP_MESSAGES,),
    Code.MCP_ERRORS: (Number.MCP_MESSAGES, Number.MCP_ERRORS),
    Code.MCP_FAILED: (Number.MCP_MESSAGES, Number.MCP_ERRORS, Number.MCP_FAILED),
    Code.MCP_CAPABILITIES: (Number.MCP_CAPABILITIES,),
}

_TOKEN_CODES: Final = {number.value: Code[number.name] for number in TOKEN_NUMBERS}

# By the `status` of mcp_method_count; any other is no error.
_STATUS_CODES: Final = {"failed": Code.MCP_FAILED, "error": Code.MCP_ERRORS}


class Place(NamedTuple):
    """For which cells a row counts, from the gateway to the smallest, each a part of the one before; and what."""

    chain: tuple[Cell, ...]
    code: Code


class Kind(NamedTuple):
    """How the rows of a family are read. Without a measure only their values count."""

    type: FamilyType
    measure: Measure | None
    place: Callable[[Labels], Place | None]

    def reads(self, name: FamilyName) -> bool:
        """Whether a family is of this kind: a sender may give its name to another type."""
        return name.type is self.type


def _chain(labels: Labels, *views: View) -> tuple[Cell, ...]:
    namespace, name = labels.get("gateway_namespace", ""), labels.get("gateway_name", "")
    return (
        Cell(View.GATEWAY, namespace, name, ()),
        *(Cell(view, namespace, name, tuple(labels.get(label, "") for label in LABELS[view])) for view in views),
    )


def _of_model(labels: Labels) -> tuple[Cell, ...]:
    return _chain(labels, View.PROVIDER, View.MODEL)


def _of_method(labels: Labels) -> tuple[Cell, ...]:
    return _chain(labels, View.MCP_BACKEND, *([View.MCP_METHOD] if _METHOD in labels else []))


def _requests(labels: Labels) -> Place:
    return Place(_of_model(labels), Code.ERRORS if labels.get("error_type") else Code.NOTHING)


def _timings(labels: Labels) -> Place:
    return Place(_of_model(labels), Code.NOTHING)


def _tokens(labels: Labels) -> Place | None:
    code = _TOKEN_CODES.get(labels.get(_TYPE, ""))
    return None if code is None else Place(_of_model(labels), code)


def _mcp_timings(labels: Labels) -> Place:
    return Place(_of_method(labels), Code.NOTHING)


def _mcp_messages(labels: Labels) -> Place:
    return Place(_of_method(labels), _STATUS_CODES.get(labels.get("status", ""), Code.MCP_MESSAGES))


def _mcp_capabilities(labels: Labels) -> Place:
    return Place(_chain(labels, View.MCP_BACKEND, View.MCP_CAPABILITY), Code.MCP_CAPABILITIES)


FAMILIES: Final[Mapping[str, Kind]] = {
    DURATIONS: Kind(FamilyType.HISTOGRAM, Measure.DURATION, _requests),
    "gen_ai_server_time_to_first_token_seconds": Kind(FamilyType.HISTOGRAM, Measure.FIRST_TOKEN, _timings),
    "gen_ai_server_time_per_output_token_seconds": Kind(FamilyType.HISTOGRAM, Measure.OUTPUT_TOKEN, _timings),
    TOKENS: Kind(FamilyType.HISTOGRAM, None, _tokens),
    "mcp_request_duration_seconds": Kind(FamilyType.HISTOGRAM, Measure.MCP_DURATION, _mcp_timings),
    "mcp_initialization_duration_seconds": Kind(FamilyType.HISTOGRAM, Measure.MCP_INITIALIZATION, _mcp_timings),
    "mcp_method_count": Kind(FamilyType.COUNTER, None, _mcp_messages),
    "mcp_capabilities_negotiated": Kind(FamilyType.COUNTER, None, _mcp_capabilities),
}
