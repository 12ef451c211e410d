"""The series that panels are about, in both spellings: the receiver's own, and the recording rules'."""

import dataclasses
import enum
from typing import Final

from rulebook import meters
from rulebook.model import Record


class Family(enum.Enum):
    """Which labels, and so which variables, a series has beside those of its gateway."""

    LLM = ("pod", "provider", "model")
    MCP = ("pod", "backend")
    POD = ("pod",)
    GATEWAY = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Counter:
    """Something that only rises."""

    plain: str
    recorded: str = ""
    """its metric in the names of the rules; empty: no rule is about it"""
    family: Family = Family.LLM
    matchers: tuple[str, ...] = ()
    """of both spellings"""
    plain_matchers: tuple[str, ...] = ()
    """of the plain one only: the name of the recorded one says so"""
    dimensions: tuple[str, ...] = ()
    """which its matchers or buckets need"""
    whole: "Counter | None" = None
    """of what it is a part that may have no series yet, so that it is 0 there"""


@dataclasses.dataclass(frozen=True, slots=True)
class Histogram:
    """A histogram of durations."""

    name: str
    family: Family = Family.LLM

    @property
    def count(self) -> Counter:
        """How many there were."""
        return self._part("count")

    @property
    def sum(self) -> Counter:
        """How long they took together."""
        return self._part("sum")

    @property
    def buckets(self) -> Counter:
        """How many took up to `le`."""
        return self._part("bucket", "le")

    def _part(self, part: str, *dimensions: str) -> Counter:
        name = f"{self.name}_{part}"
        return Counter(name, name, self.family, dimensions=dimensions)


REQUEST: Final = Histogram(meters.REQUEST)
FIRST_TOKEN: Final = Histogram(meters.FIRST_TOKEN)
OUTPUT_TOKEN: Final = Histogram(meters.OUTPUT_TOKEN)
MCP_REQUEST: Final = Histogram(meters.MCP_REQUEST, Family.MCP)
MCP_INITIALIZATION: Final = Histogram(meters.MCP_INITIALIZATION, Family.MCP)

REQUESTS: Final = REQUEST.count
ERRORS: Final = Counter(REQUESTS.plain, meters.ERRORS, plain_matchers=('error_type!=""',), whole=REQUESTS)

EACH_TYPE: Final = Counter(meters.TOKENS, meters.TOKENS, dimensions=("token_type",))
TOKENS: Final = dataclasses.replace(EACH_TYPE, matchers=('gen_ai_token_type=~"input|output"',))
INPUT: Final = dataclasses.replace(EACH_TYPE, matchers=('gen_ai_token_type="input"',))
OUTPUT: Final = dataclasses.replace(EACH_TYPE, matchers=('gen_ai_token_type="output"',))
CACHED: Final = dataclasses.replace(EACH_TYPE, matchers=('gen_ai_token_type="cached_input"',), whole=INPUT)
REASONING: Final = dataclasses.replace(EACH_TYPE, matchers=('gen_ai_token_type="reasoning"',), whole=OUTPUT)
COST: Final = Counter(f"{meters.COST}_total", meters.COST)
UNPRICED: Final = Counter("gen_ai_unpriced_tokens_total", whole=TOKENS)

MESSAGES: Final = Counter(f"{meters.METHODS}_total", meters.METHODS, Family.MCP)
MESSAGE_ERRORS: Final = Counter(
    MESSAGES.plain, meters.METHOD_ERRORS, Family.MCP, plain_matchers=('status=~"failed|error"',), whole=MESSAGES
)
FAILURES: Final = Counter(MESSAGES.plain, "", Family.MCP, matchers=('status=~"failed|error"',))
CAPABILITIES: Final = Counter(f"{meters.CAPABILITIES}_total", meters.CAPABILITIES, Family.MCP)
PROGRESS: Final = Counter(f"{meters.PROGRESS}_total", meters.PROGRESS, Family.POD)

LOGGED: Final = Counter("aigw_requests_total", family=Family.GATEWAY)
ABORTED: Final = Counter("aigw_aborted_requests_total", family=Family.GATEWAY)
DECIDED: Final = Counter("aigw_access_logs_total", family=Family.GATEWAY)
LOST: Final = dataclasses.replace(DECIDED, matchers=('decision="over_budget"',))
MCP_LOGGED: Final = Counter("aigw_mcp_requests_total", family=Family.GATEWAY)

RECORDED: Final = frozenset(rule.name for group in meters.groups() for rule in group.rules if isinstance(rule, Record))
"""The names of everything that rules/meters.yaml records."""

LABELS: Final = {
    "namespace": "gateway_namespace",
    "gateway": "gateway_name",
    "pod": meters.POD,
    **meters.DIMENSIONS,
    "operation": "gen_ai_operation_name",
    "original": "gen_ai_original_model",
    "status": "status",
    "side": "capability_side",
    "ending": "ending",
    "status_code": "status_code",
    "route": "ai_route_type",
    "rule": "rule",
    "decision": "decision",
    "upstream": "backend",
    "tool": "mcp_tool_name",
}
"""Labels by the words that panels use for them."""
