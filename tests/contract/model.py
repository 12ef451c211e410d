"""The words of the contract: what a case sends, over which transports, and what each must answer.

It knows no receiver and opens no connection: `transports.py` sends, `cases*.py` hold the tables.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

_OTLP_PAGE = "https://opentelemetry.io/docs/specs/otlp/#"
_MODEL_PAGE = "https://opentelemetry.io/docs/specs/otel/metrics/data-model/#"
_RFC_PAGE = "https://www.rfc-editor.org/rfc/rfc"


def otlp(section: str) -> str:
    """Return the address of a section of the OTLP specification."""
    return _OTLP_PAGE + section


def data_model(section: str) -> str:
    """Return the address of a section of the metrics data model."""
    return _MODEL_PAGE + section


def rfc(number: int, section: str) -> str:
    """Return the address of a section of an RFC."""
    return f"{_RFC_PAGE}{number}#section-{section}"


class Transport(Enum):
    """The three ways in which an OTLP request travels."""

    GRPC = "grpc"
    PROTOBUF = "http-protobuf"
    JSON = "http-json"


class Rule(Enum):
    """How binding an expectation is for a receiver that is not ours."""

    MUST = "must"
    SHOULD = "should"
    OURS = "ours"  # the specifications leave the choice to the receiver; this is what ours chose


@dataclass(frozen=True, slots=True)
class Accepted:
    """Full success: `partial_success` is unset."""


@dataclass(frozen=True, slots=True)
class Partial:
    """Success of which `rejected` points were refused; 0 is a warning. The message names all of `words`."""

    rejected: int
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """An error. The name of the gRPC status code, or the HTTP status with a google.rpc.Status as the body."""

    grpc: str
    http: int


Answer = Accepted | Partial | Refused

ALL = (Transport.GRPC, Transport.PROTOBUF, Transport.JSON)
BINARY = (Transport.GRPC, Transport.PROTOBUF)
UNDECODABLE = Refused(grpc="INVALID_ARGUMENT", http=400)


def on(answer: Answer, *transports: Transport) -> Mapping[Transport, Answer]:
    """Return the same answer for each of the transports (all three if none is named)."""
    return dict.fromkeys(transports or ALL, answer)


@dataclass(frozen=True, slots=True)
class Source:
    """Who sends, and when: every run of a case has a gateway of its own, so that no case sees another's series."""

    gateway: str
    now: int
    """Unix nanoseconds; requests end at most here and begin some seconds earlier."""

    @property
    def suffix(self) -> str:
        """Return a word for names of metrics that no other run may share."""
        return self.gateway.replace("-", "_")


@dataclass(frozen=True, slots=True)
class Payload:
    """One request in both encodings. An encoding that cannot express it is empty, and no case sends it."""

    protobuf: bytes
    json: bytes


Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, order=True)
class Sample:
    """One sample of the exposition, without the labels that name the gateway."""

    name: str
    value: float
    labels: Labels = ()


@dataclass(frozen=True, slots=True)
class Case:
    """Requests that are sent one after the other, the answer to the last one, and what is to be seen afterwards.

    The requests before the last one prepare the ground, and must be fully accepted.
    """

    name: str
    reason: str
    rule: Rule
    requests: Callable[[Source], tuple[Payload, ...]]
    answers: Mapping[Transport, Answer]
    samples: tuple[Sample, ...] = ()
    """All samples of the source, exactly, but for `_created`, `target_info`, and buckets where none are listed."""


@dataclass(frozen=True, slots=True)
class HttpCase:
    """One HTTP/1.1 request, byte for byte, and the answer. The body is framed by content-length unless `chunks`."""

    name: str
    reason: str
    status: int
    body: Callable[[Source], bytes]
    rule: Rule = Rule.MUST
    method: str = "POST"
    path: str = "/v1/metrics"
    content_type: str | None = "application/x-protobuf"
    headers: tuple[tuple[str, str], ...] = ()
    chunks: int = 0
    """Size of the chunks of a chunked body; 0 for a body with a content-length."""
    answer_type: str = "application/x-protobuf"
    answer_headers: tuple[tuple[str, str], ...] = ()
    """Headers of the answer, each with a word that its value contains."""
    samples: tuple[Sample, ...] = ()
