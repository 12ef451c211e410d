"""Raw senders: what a case says goes over the wire as it is, valid or not, and the answer comes back as it was.

They must not repair, retry or negotiate anything: the OTLP client libraries do, which is why none is used here.
"""

import gzip
import json
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPMessage, HTTPResponse
from typing import Any, Self
from urllib.parse import urlsplit

import grpc
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

METRICS_METHOD = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
PROTOBUF = "application/x-protobuf"
JSON = "application/json"
METRICS_PATH = "/v1/metrics"
STATUS_TRAILER = "grpc-status-details-bin"

TIMEOUT = 10.0  # seconds; loopback answers in milliseconds


@dataclass(frozen=True, slots=True)
class Observed:
    """An answer in the terms of the table. `code` is the gRPC code's name or the HTTP status.

    `rejected` is None where `partial_success` is unset (or says nothing), and where the request failed.
    """

    code: str
    rejected: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class GrpcReply:
    """What one unary call ended with."""

    code: str
    message: str
    body: bytes
    details: bytes

    def observed(self) -> Observed:
        """Return the answer in the terms of the table."""
        if self.code != "OK":
            return Observed(self.code, message=self.message)
        return _success("OK", ExportMetricsServiceResponse.FromString(self.body))

    def retry_delay(self) -> float | None:
        """Return the seconds of the RetryInfo, or None where there is none."""
        for detail in status_pb2.Status.FromString(self.details).details:
            info = error_details_pb2.RetryInfo()
            if detail.Unpack(info):
                return float(info.retry_delay.seconds + info.retry_delay.nanos / 1e9)
        return None


@contextmanager
def grpc_channel(target: str) -> Iterator[grpc.Channel]:
    """Open a channel of its own connection, which sends messages of any size and retries nothing."""
    options = [
        ("grpc.max_send_message_length", -1),
        ("grpc.enable_retries", 0),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    with grpc.insecure_channel(target, options=options) as channel:
        yield channel


def grpc_call(
    channel: grpc.Channel,
    body: bytes | Iterator[bytes],
    method: str = METRICS_METHOD,
    compression: grpc.Compression = grpc.Compression.NoCompression,
) -> grpc.Future:
    """Start one unary call with these bytes as its message, which an iterator may give later."""
    if isinstance(body, bytes):
        return channel.unary_unary(method).future(body, timeout=TIMEOUT, compression=compression)
    # On the wire a client stream of one message is a unary call: the headers go first, the message when it is there.
    return channel.stream_unary(method).future(body, timeout=TIMEOUT, compression=compression)


def grpc_reply(call: grpc.Future) -> GrpcReply:
    """Wait for the end of a call."""
    try:
        body = call.result()
    except grpc.RpcError:
        body = b""
    trailers = dict(call.trailing_metadata() or ())
    return GrpcReply(call.code().name, call.details() or "", body, trailers.get(STATUS_TRAILER, b""))


def grpc_export(
    target: str,
    body: bytes,
    method: str = METRICS_METHOD,
    compression: grpc.Compression = grpc.Compression.NoCompression,
) -> GrpcReply:
    """Send one message over a connection of its own."""
    with grpc_channel(target) as channel:
        return grpc_reply(grpc_call(channel, body, method, compression))


@dataclass(frozen=True, slots=True)
class HttpReply:
    """Status, headers and inflated body of one answer."""

    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def content_type(self) -> str:
        """Return the media type of the body, without parameters."""
        return self.headers.get_content_type() if "content-type" in self.headers else ""

    def observed(self) -> Observed:
        """Return the answer in the terms of the table."""
        if self.status != 200:
            return Observed(str(self.status), message=self.problem().message)
        response = ExportMetricsServiceResponse()
        if self.content_type == JSON:
            json_format.ParseDict(self.document(), response)
        else:
            response.ParseFromString(self.body)
        return _success("200", response)

    def document(self) -> dict[str, Any]:
        """Return the JSON object of the body."""
        tree = json.loads(self.body)
        if not isinstance(tree, dict):
            raise TypeError(self.body)
        return tree

    def problem(self) -> status_pb2.Status:
        """Return the google.rpc.Status of the body, in the encoding that the answer names."""
        if self.content_type == JSON:
            return json_format.ParseDict(self.document(), status_pb2.Status())
        return status_pb2.Status.FromString(self.body)


class HttpConnection:
    """One HTTP/1.1 connection on which every byte of the requests is chosen by the caller."""

    def __init__(self, base: str) -> None:
        address = urlsplit(base)
        self.host = f"{address.hostname}:{address.port}"
        self.socket = socket.create_connection((address.hostname, address.port), timeout=TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send_head(self, method: str, path: str, headers: Mapping[str, str]) -> None:
        """Send the request line and the headers."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}", *(f"{key}: {headers[key]}" for key in headers)]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())

    def send_body(self, body: bytes) -> None:
        """Send bytes of a body that a content-length frames."""
        self.socket.sendall(body)

    def send_chunk(self, chunk: bytes) -> None:
        """Send one chunk; an empty one ends the body."""
        self.socket.sendall(b"%x\r\n%b\r\n" % (len(chunk), chunk))

    def export(self, body: bytes, content_type: str) -> HttpReply:
        """Send one plain export and read its answer."""
        self.send_head("POST", METRICS_PATH, {"Content-Type": content_type, "Content-Length": str(len(body))})
        self.send_body(body)
        return self.read_reply()

    def read_interim(self) -> int:
        """Read an interim answer such as 100 Continue, and nothing behind it; return its status."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self.socket.recv(1)
            if not byte:
                raise ConnectionResetError(head)
            head += byte
        return int(head.split(maxsplit=2)[1])

    def read_reply(self, method: str = "POST") -> HttpReply:
        """Read the final answer."""
        with HTTPResponse(self.socket, method=method) as response:
            response.begin()
            body = response.read()
            if response.headers.get("content-encoding", "").lower() == "gzip":
                body = gzip.decompress(body)
            return HttpReply(response.status, response.headers, body)


def http_export(base: str, body: bytes, content_type: str) -> HttpReply:
    """Send one plain export over a connection of its own."""
    with HttpConnection(base) as connection:
        return connection.export(body, content_type)


def in_chunks(body: bytes, size: int) -> Iterable[bytes]:
    """Return the body in pieces of `size` bytes."""
    return (body[at : at + size] for at in range(0, len(body), size))


def _success(code: str, response: ExportMetricsServiceResponse) -> Observed:
    partial = response.partial_success
    if not partial.rejected_data_points and not partial.error_message:
        return Observed(code)  # metrics_service.proto: an empty partial_success is equivalent to none
    return Observed(code, partial.rejected_data_points, partial.error_message)
