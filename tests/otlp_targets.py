"""Real OTLP servers on loopback that take logs, go away, come back, and answer as they are told."""

import collections
import concurrent.futures
import contextlib
import gzip
import http.server
import ssl
import threading
from collections.abc import Mapping
from typing import Any, Final

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.common.v1 import common_pb2

from cluster.pki import Pair

EXPORT: Final = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
PATIENCE: Final = 30.0


class Target:
    """What a server was sent. An answer that was put into `answers` is given once, before all others are successes."""

    def __init__(self) -> None:
        self.answers: collections.deque[Any] = collections.deque()
        self.requests: list[logs_service_pb2.ExportLogsServiceRequest] = []
        """those that were answered with success"""
        self._names: list[str] = []
        self.tries = 0
        self.headers: list[dict[str, str]] = []
        self._changed = threading.Condition()
        self.port = 0

    def note(self, body: bytes, headers: Mapping[str, str]) -> Any:
        """Keep a request; answers what to say, None for a plain success."""
        with self._changed:
            self.tries += 1
            self.headers.append(dict(headers))
            answer = self.answers.popleft() if self.answers else None
            if answer is None or isinstance(answer, logs_service_pb2.ExportLogsServiceResponse):
                request = logs_service_pb2.ExportLogsServiceRequest.FromString(body)
                self.requests.append(request)
                self._names += _names(request)
            self._changed.notify_all()
            return answer

    def records(self) -> list[str]:
        """The `request_id` of every record, in their order."""
        with self._changed:
            return [*self._names]

    def await_records(self, count: int) -> list[str]:
        """Wait until so many have arrived."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._names) >= count, PATIENCE)
        return self.records()

    def await_tries(self, count: int) -> None:
        """Wait for so many requests."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.tries >= count, PATIENCE)


class GrpcTarget(Target):
    """OTLP/gRPC. An answer is a response, a status code, such a code with the bytes of its details, or a function."""

    def __init__(self, credentials: grpc.ServerCredentials | None = None) -> None:
        super().__init__()
        self._credentials = credentials
        self._server: Any = None

    def start(self) -> None:
        """Serve, at the port of before if there was one."""
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        handler = grpc.unary_unary_rpc_method_handler(self._export)
        service, method = EXPORT[1:].split("/")
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
        address = f"127.0.0.1:{self.port}"
        if self._credentials is None:
            self.port = self._server.add_insecure_port(address)
        else:
            self.port = self._server.add_secure_port(address, self._credentials)
        self._server.start()

    def stop(self) -> None:
        """Serve no longer; what is being answered is answered."""
        self._server.stop(PATIENCE).wait()

    def _export(self, body: bytes, context: Any) -> bytes:
        answer = self.note(body, {key: str(value) for key, value in context.invocation_metadata()})
        if isinstance(answer, grpc.StatusCode):
            context.abort(answer, "as told")
        if isinstance(answer, tuple):
            code, details = answer
            context.set_trailing_metadata((("grpc-status-details-bin", details),))
            context.abort(code, "as told")
        if callable(answer):
            answer()
        response = answer if isinstance(answer, logs_service_pb2.ExportLogsServiceResponse) else None
        return b"" if response is None else response.SerializeToString()


class HttpTarget(Target):
    """OTLP/HTTP. An answer is a response, a status with headers, or a function."""

    def __init__(self, pair: Pair | None = None) -> None:
        super().__init__()
        self._pair = pair
        self.paths: list[str] = []
        self._server: http.server.ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Serve, at the port of before if there was one."""
        target = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """One connection; it is not kept, so that no thread outlives the server."""

            def do_POST(self) -> None:
                """Take one export."""
                target.answer(self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = False
        if self._pair is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._pair.certificate, self._pair.key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        """Serve no longer; what is being answered is answered."""
        assert self._server is not None
        assert self._thread is not None
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        body = request.rfile.read(int(request.headers["Content-Length"]))
        if request.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        self.paths.append(request.path)
        answer = self.note(body, {key.lower(): value for key, value in request.headers.items()})
        status, headers, content = 200, {"Content-Type": "application/x-protobuf"}, b""
        if isinstance(answer, tuple):
            status, headers = answer
        elif callable(answer):
            answer()
        elif answer is not None:
            content = answer.SerializeToString()
        # A client may not have waited.
        with contextlib.suppress(ConnectionError):
            request.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                request.send_header(name, value)
            request.end_headers()
            request.wfile.write(content)
            request.wfile.flush()


def _names(request: logs_service_pb2.ExportLogsServiceRequest) -> list[str]:
    return [
        attribute.value.string_value
        for resource in request.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
        for attribute in record.attributes
        if attribute.key == "request_id"
    ]


def values(attributes: Any) -> dict[str, str | int | float]:
    """Attributes by name; of a name that is there twice, it fails."""
    found: dict[str, str | int | float] = {}
    for attribute in attributes:
        assert attribute.key not in found
        found[attribute.key] = _value(attribute.value)
    return found


def _value(value: common_pb2.AnyValue) -> Any:
    return getattr(value, str(value.WhichOneof("value")))
