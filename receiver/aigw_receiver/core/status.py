"""The one table of what an OTLP request can come to, and the bytes of each answer. It opens no connection.

Source: the OTLP specification, opentelemetry.io/docs/specs/otlp: "OTLP/gRPC Response" and "OTLP/HTTP Response"
(full success, partial success, failures, throttling); google/rpc/{code,status,error_details}.proto.
"""

import dataclasses
import enum
from collections.abc import Mapping
from typing import Final

from google.protobuf import duration_pb2, json_format, message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2

from aigw_receiver.core.access_logs.reasons import LogDropReason
from aigw_receiver.core.model import Outcome

# How long a sender is asked to wait. The OpenTelemetry SDKs give up at once when their own minute would be exceeded,
# so a long delay would lose data instead of saving it.
RETRY_SECONDS: Final = 1

# How many reasons the message of a partial success names.
_MAX_REASONS: Final = 16


class Encoding(enum.Enum):
    """The encodings of OTLP/HTTP, by their media type; an answer has that of its request."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """A request that is refused as a whole. `code` is a google.rpc.Code, the status of gRPC."""

    code: int
    http_status: int
    message: str
    retry: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    """what HTTP says beside the status"""


class RefusedError(Exception):
    """Raised where a request is refused as a whole."""

    def __init__(self, failure: Failure, message: str = "") -> None:
        super().__init__(message or failure.message)
        self.failure = dataclasses.replace(failure, message=message) if message else failure


# "Failures" and "Failures on … Response": bad data is not to be retried.
BAD_DATA: Final = Failure(code_pb2.INVALID_ARGUMENT, 400, "the request cannot be decoded")
# A signal, or a path, that is not served.
NOT_SERVED: Final = Failure(code_pb2.UNIMPLEMENTED, 404, "this signal is not served here")
WRONG_METHOD: Final = Failure(
    code_pb2.UNIMPLEMENTED, 405, "OTLP/HTTP requests are sent with POST", headers=(("Allow", "POST"),)
)
# Without RetryInfo, RESOURCE_EXHAUSTED is not to be retried.
TOO_LARGE: Final = Failure(code_pb2.RESOURCE_EXHAUSTED, 413, "the request is too large")
UNSUPPORTED_MEDIA_TYPE: Final = Failure(code_pb2.INVALID_ARGUMENT, 415, "this encoding is not understood")
# RFC 9110, section 15.5.16: the answer to an unknown content coding names those that are known.
UNSUPPORTED_CODING: Final = Failure(
    code_pb2.INVALID_ARGUMENT, 415, "this content coding is not understood", headers=(("Accept-Encoding", "gzip"),)
)
# "OTLP/gRPC Throttling" and "OTLP/HTTP Throttling": UNAVAILABLE with RetryInfo, 503 with Retry-After.
UNAVAILABLE: Final = Failure(code_pb2.UNAVAILABLE, 503, "the receiver is shutting down", retry=True)
# A defect of ours: the sender may try again, another receiver may do better.
INTERNAL: Final = Failure(code_pb2.UNAVAILABLE, 503, "the receiver failed; its log says why", retry=True)


def success_body(outcome: Outcome, encoding: Encoding) -> bytes:
    """The ExportMetricsServiceResponse for what was taken in.

    `partial_success` is set where points were refused, or where none were but a warning is due (a label was folded).
    Duplicates are no refusal: what they say was counted before.
    """
    response = metrics_service_pb2.ExportMetricsServiceResponse()
    if outcome.rejected or outcome.folded:
        response.partial_success.rejected_data_points = outcome.rejected_points
        response.partial_success.error_message = partial_success_message(outcome)
    return _encode(response, encoding)


def partial_success_message(outcome: Outcome) -> str:
    """Every reason with its number and an example."""
    reasons = [*outcome.rejected.items(), *outcome.folded.items()][:_MAX_REASONS]
    parts = [f"{reason.value}: {count} ({outcome.examples[reason.value][:200]})" for reason, count in reasons]
    return "; ".join(parts)


def logs_success_body(rejected: Mapping[LogDropReason, int], encoding: Encoding) -> bytes:
    """The ExportLogsServiceResponse for what was taken in; `partial_success` is set where records were refused."""
    response = logs_service_pb2.ExportLogsServiceResponse()
    if rejected:
        response.partial_success.rejected_log_records = sum(rejected.values())
        response.partial_success.error_message = "; ".join(f"{why.value}: {n}" for why, n in sorted(rejected.items()))
    return _encode(response, encoding)


def failure_body(failure: Failure, encoding: Encoding) -> bytes:
    """The google.rpc.Status of a refused request: RetryInfo where it may be sent again, BadRequest where it is bad."""
    status = status_pb2.Status(code=failure.code, message=failure.message)
    if failure.retry:
        delay = duration_pb2.Duration(seconds=RETRY_SECONDS)
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    elif failure.http_status == BAD_DATA.http_status:
        violation = error_details_pb2.BadRequest.FieldViolation(description=failure.message)
        status.details.add().Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    return _encode(status, encoding)


def _encode(answer: message.Message, encoding: Encoding) -> bytes:
    if encoding is Encoding.JSON:
        return json_format.MessageToJson(answer, indent=None).encode()
    return answer.SerializeToString()
