"""A record at a glance: what rules and counters need of it, without the rest being read. Values only.

A Glance has the names of an AccessLog for all that it knows, so that whoever decides or counts takes either.
"""

import dataclasses
import operator
from collections.abc import Hashable
from typing import Any, Final, NamedTuple, Protocol

from aigw_receiver.core.access_logs import decode
from aigw_receiver.core.access_logs.model import AccessLog, Decision, Ending, RouteType, Tokens
from aigw_receiver.core.access_logs.reasons import LogDropReason
from aigw_receiver.core.model import Identity


class Found(NamedTuple):
    """What was found out about a record that is kept, as `model.Kept` has it, and the time that it is to have."""

    decision: Decision
    time: int
    cost: float | None = None
    price_entry: str = ""


class RecordReader(Protocol):
    """Reads the records of one sender."""

    def read(self, record: Any) -> AccessLog | LogDropReason:
        """The whole record, redacted, or why it is none."""

    def line(self, glance: "Glance", found: Found) -> bytes | LogDropReason:
        """The line of a record of which this has made a Glance, or why it is none."""


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
    """The records of one shape: what is counted of them, and up to which numbers they are ordinary.

    An ordinary record is only counted here: no Glance is made of it. Until somebody who knows the rules has said
    otherwise, no record is ordinary.
    """

    __slots__ = (
        "concerned",
        "duration_below",
        "durations",
        "input",
        "ordinary",
        "output",
        "seen",
        "shape",
        "tokens_below",
        "with_tokens",
    )

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.concerned: tuple[str, ...] = ()
        """the rules that each record of it concerns, as whoever knows the rules has said"""
        self.duration_below: float = 0.0
        """milliseconds; a record without a duration is below any"""
        self.tokens_below: float = 0
        """total tokens, or what there is of input and output"""
        self.seen = False
        """whether a Glance was made of a record since `Reader.drain`"""
        self.ordinary = 0
        """how many records were ordinary since then; the next three are about these alone"""
        self.with_tokens = 0
        """how many have a count of input or of output tokens"""
        self.input = 0
        self.output = 0
        self.durations: list[float] | None = None
        """where it is a list, the durations of ordinary records are added to it, for whoever learns from them"""

    def drain(self) -> "Drained":
        """What was counted since the last call."""
        drained = Drained(self.shape, self.ordinary, self.with_tokens, self.input, self.output)
        self.ordinary = self.with_tokens = self.input = self.output = 0
        self.seen = False
        return drained


class Drained(NamedTuple):
    """The records of one shape since the last look; the numbers are those of the ordinary ones."""

    shape: Shape
    ordinary: int
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
    attributes: list[bytes]
    repeated: Hashable = None
    """stands for all its attributes that repeat, where a layout knew them"""


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

    def line(self, found: Found) -> bytes | LogDropReason:
        """The whole record as `flat.to_json_line` writes it, with this time; or why it is none after all."""
        return self.source.line(self, found)
