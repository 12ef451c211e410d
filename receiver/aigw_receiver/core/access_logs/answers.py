"""What a target's answer to an export of logs means, and how long to wait before it is tried again. It sends nothing.

Source: the OTLP specification, "OTLP/gRPC Response", "OTLP/HTTP Response", and the throttling of both.
"""

import calendar
import dataclasses
import re
from typing import Final, TypeAlias

from google.protobuf import message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2

_NANOSECONDS: Final = 1_000_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class Delivered:
    """The target has taken a request but for so many records, which may not be sent again."""

    rejected: int = 0
    message: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Delayed:
    """The request is to be sent again, not before `after` seconds where the target says so."""

    reason: str
    after: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Refused:
    """The request may not be sent again."""

    reason: str


Verdict: TypeAlias = Delivered | Delayed | Refused

# The table of the specification; RESOURCE_EXHAUSTED belongs to it only where the server says when to come back.
_RETRYABLE_CODES: Final = frozenset(
    {
        code_pb2.CANCELLED,
        code_pb2.DEADLINE_EXCEEDED,
        code_pb2.ABORTED,
        code_pb2.OUT_OF_RANGE,
        code_pb2.UNAVAILABLE,
        code_pb2.DATA_LOSS,
    }
)
_RETRYABLE_STATUSES: Final = frozenset({429, 502, 503, 504})

# What a target says of itself is quoted up to here.
_QUOTED: Final = 200  # characters


def read_response(body: bytes) -> Verdict:
    """The verdict of an ExportLogsServiceResponse; one that cannot be parsed is taken for a plain success."""
    try:
        partial = logs_service_pb2.ExportLogsServiceResponse.FromString(body).partial_success
    except message.DecodeError:
        return Delivered()
    return Delivered(max(0, partial.rejected_log_records), partial.error_message[:_QUOTED])


def read_grpc_failure(code: int, text: str, details: bytes = b"") -> Verdict:
    """The verdict of a gRPC status that is not OK; `details` is `grpc-status-details-bin`, a google.rpc.Status."""
    name = code_pb2.Code.Name(code) if code in code_pb2.Code.values() else str(code)
    reason = f"{name}: {text[:_QUOTED]}"
    after = _retry_delay(details)
    if code in _RETRYABLE_CODES or (code == code_pb2.RESOURCE_EXHAUSTED and after is not None):
        return Delayed(reason, after)
    return Refused(reason)


def _retry_delay(details: bytes) -> float | None:
    """The seconds of the google.rpc.RetryInfo in a status."""
    info = error_details_pb2.RetryInfo()
    try:
        for detail in status_pb2.Status.FromString(details).details:
            if detail.Unpack(info):
                return float(info.retry_delay.seconds + info.retry_delay.nanos / _NANOSECONDS)
    except message.DecodeError:
        pass
    return None


def read_http_answer(status: int, retry_after: str, body: bytes, now: float) -> Verdict:
    """The verdict of an HTTP answer; `body` is that of a success in protobuf, or else empty; `now` is in seconds."""
    if 200 <= status < 300:
        return read_response(body)
    reason = f"HTTP status {status}"
    return Delayed(reason, _retry_after(retry_after, now)) if status in _RETRYABLE_STATUSES else Refused(reason)


_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# RFC 9110: the preferred form of a date; the obsolete ones are taken for no advice.
_HTTP_DATE: Final = re.compile(rf"\w{{3}}, (\d\d) ({'|'.join(_MONTHS)}) (\d{{4}}) (\d\d):(\d\d):(\d\d) GMT", re.ASCII)


def _retry_after(text: str, now: float) -> float | None:
    """The seconds of a header Retry-After, which holds seconds or a date."""
    if re.fullmatch(r"\d{1,9}", text.strip(), re.ASCII):
        return float(text)
    match = _HTTP_DATE.fullmatch(text.strip())
    if match is None:
        return None
    day, month, year, *clock = match.groups()
    date = (int(year), _MONTHS.index(month) + 1, int(day), *map(int, clock), 0, 0, 0)
    return max(0.0, calendar.timegm(date) - now)


@dataclasses.dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before a request is sent again: twice as long each time, in seconds."""

    first: float = 1.0
    most: float = 30.0
    most_asked: float = 300.0
    """what a target may ask for; no answer stops a sink for longer"""

    def wait(self, attempt: int, random: float, after: float | None) -> float:
        """The wait after `attempt` earlier failures in a row; `random` in [0, 1) spreads it over its upper half."""
        # A power that is large enough for any bound, and small enough for a float.
        own = min(self.most, self.first * 2.0 ** min(attempt, 30)) * (0.5 + random / 2)
        return own if after is None else max(own, min(after, self.most_asked))
