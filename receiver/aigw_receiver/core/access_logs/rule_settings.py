"""What can be set of each rule, its default, and how a value is read from a parsed configuration. Values only.

The defaults keep what SWIP-10 keeps and drop the rest: errors, failures of the upstream, slow and aborted requests, and
those of 10,000 tokens and more.
"""

import dataclasses
import re
from typing import Any, ClassVar, Final

from aigw_receiver.core import keys
from aigw_receiver.core.keys import key

# Envoy's response flags that say that the gateway, or its way to the provider, failed. Not among them: what a policy
# refused (RL, RLSE, UAEX: the status tells), what was done on purpose (DI, FI, RFCF), and the client (DC, DR, IH, DPE).
# Source: Envoy's documentation, "Access logging: RESPONSE_FLAGS".
FAILURE_FLAGS: Final = (
    "UF", "UH", "UO", "UC", "UR", "URX", "UT", "UPE", "UMSDR", "UDO", "NR", "NC", "LH", "LR", "DF", "DT", "SI", "DO",
    "OM", "NFCF",
)  # fmt: skip

# Those of them that tell of the provider, or the way to it.
UPSTREAM_FLAGS: Final = ("UF", "UH", "UC", "UR", "URX", "UT", "UPE", "UMSDR", "DF")

# SWIP-10: about three times the median of requests that are not for programming.
_TOKENS: Final = 10_000

# Half of the 60 s after which AI Gateway ends a request to a model unless told otherwise; and the largest bound of its
# histogram of MCP durations.
_SLOW_LLM: Final = "30s"
_SLOW_MCP: Final = "10s"


def read_status(path: str, value: object) -> int:
    """The lowest HTTP status of something."""
    if isinstance(value, bool) or not isinstance(value, int) or not 100 <= value <= 599:
        keys.fail(path, "an HTTP status from 100 to 599", value)
    return value


def read_flags(path: str, value: object) -> tuple[str, ...]:
    """Envoy's response flags, such as UF."""
    flags = list(value) if isinstance(value, (list, tuple)) else None
    if flags is None or not all(isinstance(flag, str) and re.fullmatch("[A-Z]{2,8}", flag) for flag in flags):
        keys.fail(path, "a list of response flags such as UF and NR", value)
    return tuple(flags)


def _switch(what: str) -> Any:
    return key(keys.read_switch, True, what)


def _budget() -> Any:
    return key(keys.read_optional_count, None, "records a minute that the rule keeps of each gateway; null: all")


@dataclasses.dataclass(frozen=True, slots=True)
class Errors:
    """LLM requests that failed: by status, by response flags, or because nothing was answered."""

    enabled: bool = _switch("whether LLM requests that failed are kept")
    status: int = key(read_status, 400, "this status and every higher one")
    flags: tuple[str, ...] = key(read_flags, FAILURE_FLAGS, "response flags of failures")
    missing_status: bool = _switch("whether a request that was not answered at all has failed")
    budget: int | None = _budget()


@dataclasses.dataclass(frozen=True, slots=True)
class UpstreamFailure:
    """Requests that failed on the way to the provider: no connection, a reset, no answer in time."""

    enabled: bool = _switch("whether requests that failed on the way to the provider are kept")
    flags: tuple[str, ...] = key(read_flags, UPSTREAM_FLAGS, "response flags of these failures")
    budget: int | None = _budget()


@dataclasses.dataclass(frozen=True, slots=True)
class Slow:
    """Requests that took long: as long as is said here for their route type, or longer than most of their model."""

    enabled: bool = _switch("whether requests that took long are kept")
    llm: int = key(keys.read_duration, _SLOW_LLM, "LLM requests that took this long")
    mcp: int = key(keys.read_duration, _SLOW_MCP, "MCP requests that took this long")
    adaptive: bool = _switch("whether LLM requests above the learned 99th percentile of their model are slow")
    at_least: int = key(keys.read_duration, "1s", "nothing below this is slow, whatever was learned")
    observations: int = key(keys.read_count, 1000, "requests of a model before what was learned of it is used")
    half_life: int = key(keys.read_duration, "6h", "after this time a request counts half in what is learned")
    models: int = key(keys.read_count, 1000, "models of all gateways that are learned")
    budget: int | None = _budget()


@dataclasses.dataclass(frozen=True, slots=True)
class TokenCount:
    """LLM requests with many tokens, input and output together."""

    enabled: bool = _switch("whether LLM requests with many tokens are kept")
    total: int = key(keys.read_count, _TOKENS, "input and output tokens together: so many and more")
    budget: int | None = _budget()


@dataclasses.dataclass(frozen=True, slots=True)
class McpErrors:
    """MCP requests that failed: as `errors` says it, or because a tool did, where a field tells."""

    enabled: bool = _switch("whether MCP requests that failed are kept")
    status: int = key(read_status, 400, "this status and every higher one")
    flags: tuple[str, ...] = key(read_flags, FAILURE_FLAGS, "response flags of failures")
    missing_status: bool = _switch("whether a request that was not answered at all has failed")
    budget: int | None = _budget()


@dataclasses.dataclass(frozen=True, slots=True)
class Aborted:
    """Requests whose client went away before the answer was complete: nobody counts their tokens."""

    enabled: bool = _switch("whether requests whose client went away are kept")
    budget: int | None = _budget()


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """Ordinary requests, which no other rule is about. Neither `rate` nor `per_minute`: none of them."""

    EITHER: ClassVar = ("rate", "per_minute")

    enabled: bool = _switch("whether ordinary requests are sampled")
    rate: float | None = key(keys.read_rate, None, "the share that is kept, such as 0.01")
    per_minute: int | None = key(keys.read_optional_count, None, "or about so many a minute of each gateway")
    budget: int | None = _budget()


@dataclasses.dataclass(frozen=True, slots=True)
class RuleSettings:
    """All rules, in the order in which they are asked: the first that keeps a record is the one it is counted under."""

    errors: Errors = dataclasses.field(default_factory=Errors)
    upstream_failure: UpstreamFailure = dataclasses.field(default_factory=UpstreamFailure)
    slow: Slow = dataclasses.field(default_factory=Slow)
    tokens: TokenCount = dataclasses.field(default_factory=TokenCount)
    mcp_errors: McpErrors = dataclasses.field(default_factory=McpErrors)
    aborted: Aborted = dataclasses.field(default_factory=Aborted)
    sample: Sample = dataclasses.field(default_factory=Sample)
