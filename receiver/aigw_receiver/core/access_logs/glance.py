"""A record at a glance: what rules and counters need of it, without the rest being read. Values only.

A Glance has the names of an AccessLog for all that it knows, so that whoever decides or counts takes either.
"""

import dataclasses
import operator
from typing import Any, Final, NamedTuple, Protocol

from aigw_receiver.core.access_logs import decode
from aigw_receiver.core.access_logs.model import AccessLog, Ending, RouteType, Tokens
from aigw_receiver.core.access_logs.reasons import LogDropReason
from aigw_receiver.core.model import Identity


class RecordReader(Protocol):
    """Reads a record of one sender in full."""

    def read(self, record: Any) -> AccessLog | LogDropReason:
        """The whole record, redacted, or why it is none."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What records have in common: everything of an AccessLog that repeats, by the names that it has there.

    It is compared as an object, which costs a dictionary nothing: a Reader gives the same one for the same values, and
    another one only after it had to empty its memos. So it is a key for sums, and for all that follows from its values.
    """

    identity: Identity
    route_type: RouteType
    ending: Ending
    status: int | None
    response_flags: str
    response_code_details: str
    requested_model: str
    answered_model: str
    provider: str
    backend: str
    route: str
    mcp_method: str
    mcp_tool: str
    mcp_backend: str
    failure_reason: str
    termination: str


shape_values: Final = operator.attrgetter(*(field.name for field in dataclasses.fields(Shape)))
"""The values of a shape, or the same ones of an AccessLog, as a tuple."""


class Group:
    """The records of one shape: their sums, and up to which numbers they are ordinary.

    An ordinary record is only counted here: no Glance is made of it. Until somebody who knows the rules has said
    otherwise, no record is ordinary.
    """

    __slots__ = (
        "duration_below",
        "durations",
        "ordinary",
        "seen_input",
        "seen_output",
        "shape",
        "sums",
        "tokens_below",
        "without_tokens",
    )

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.duration_below: float = 0.0
        """milliseconds; a record without a duration is below any"""
        self.tokens_below: float = 0
        """total tokens, or what there is of input and output"""
        self.sums: list[int] = [0] * len(SUMS)
        """by the names in SUMS, of all records since `Reader.drain`"""
        self.ordinary = 0
        """how many of these were ordinary"""
        self.without_tokens = 0
        """ordinary ones that have neither a count of input tokens nor one of output tokens"""
        self.seen_input = 0
        self.seen_output = 0
        """tokens of those that became a Glance"""
        self.durations: list[float] | None = None
        """where it is a list, the durations of ordinary records are added to it, for whoever learns from them"""

    def drain(self) -> "Drained":
        """What was summed up since the last call."""
        count, sums = self.ordinary, self.sums
        given, answered = sums[1] - self.seen_input, sums[4] - self.seen_output
        drained = Drained(self.shape, sums, count, count - self.without_tokens, given, answered)
        self.sums = [0] * len(SUMS)
        self.ordinary = self.without_tokens = self.seen_input = self.seen_output = 0
        return drained


SUMS: Final = ("requests", "input", "cached", "creation", "output", "reasoning", "total")
"""What `Group.sums` holds. A count that a record does not have adds nothing."""


class Drained(NamedTuple):
    """The records of one shape since the last look."""

    shape: Shape
    sums: list[int]
    """by the names in SUMS, of all of them"""
    ordinary: int
    """of how many no Glance was made; the rest is about these alone"""
    with_tokens: int
    """how many have a count of input or of output tokens"""
    input: int
    output: int


def _of_shape(name: str) -> property:
    """An attribute of a Glance that its shape has."""
    return property(operator.attrgetter(f"group.shape.{name}"), doc="As in AccessLog.")


class _Numbers(NamedTuple):
    """The tuple that a Glance is."""

    group: Group
    duration: float | None
    input: int | None
    cached: int | None
    creation: int | None
    output: int | None
    reasoning: int | None
    total: int | None
    source: RecordReader
    record: Any


class Glance(_Numbers):
    """One record at a glance. Beside these it has every attribute of AccessLog that a Shape has, and `tokens`."""

    __slots__ = ()

    @property
    def shape(self) -> Shape:
        """What the record has in common with others."""
        return self.group.shape

    @property
    def tokens(self) -> Tokens:
        """The counts as an AccessLog has them; made anew by each call."""
        return Tokens(*self[2:8])

    @property
    def time(self) -> int:
        """When the request began; nanoseconds, 0 where the sender gave no time."""
        return decode.time_of(self.record)

    identity = _of_shape("identity")
    route_type = _of_shape("route_type")
    ending = _of_shape("ending")
    status = _of_shape("status")
    response_flags = _of_shape("response_flags")
    response_code_details = _of_shape("response_code_details")
    requested_model = _of_shape("requested_model")
    answered_model = _of_shape("answered_model")
    provider = _of_shape("provider")
    backend = _of_shape("backend")
    route = _of_shape("route")
    mcp_method = _of_shape("mcp_method")
    mcp_tool = _of_shape("mcp_tool")
    mcp_backend = _of_shape("mcp_backend")
    failure_reason = _of_shape("failure_reason")
    termination = _of_shape("termination")

    def read(self) -> AccessLog | LogDropReason:
        """The whole record, redacted; or why it is none after all: something that was not looked at is broken."""
        return self.source.read(self.record)
