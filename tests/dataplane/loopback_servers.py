"""What a real Envoy talks to: an upstream that keeps the requests it saw, and an OTLP/gRPC receiver of logs."""

import contextlib
import dataclasses
import http.server
import queue
import threading
from collections.abc import Iterator
from concurrent import futures
from typing import Any, Final

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

PATIENCE: Final = 30.0
_SERVICE: Final = "opentelemetry.proto.collector.logs.v1.LogsService"


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """One request as the upstream saw it: its path, its headers, and the address that it came from."""

    path: str
    headers: dict[str, str]
    peer: str


class _Upstream(http.server.ThreadingHTTPServer):
    """Answers each POST with 200 and two bytes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _UpstreamHandler)
        self.seen: queue.Queue[Seen] = queue.Queue()


class _UpstreamHandler(http.server.BaseHTTPRequestHandler):
    """One connection to the upstream."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Keep the request, answer {}."""
        assert isinstance(self.server, _Upstream)
        self.rfile.read(int(self.headers.get("content-length", 0)))
        host, port = self.client_address[:2]
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.put(Seen(self.path, headers, f"{host}:{port}"))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@contextlib.contextmanager
def serve_upstream() -> Iterator[tuple[int, "queue.Queue[Seen]"]]:
    """An upstream: its port, and the requests that it saw."""
    with _Upstream() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, server.seen
        finally:
            server.shutdown()
            thread.join(PATIENCE)


@contextlib.contextmanager
def serve_logs() -> Iterator[tuple[int, "queue.Queue[bytes]"]]:
    """A receiver of logs: its port, and the bodies of the export requests that it got."""
    bodies: queue.Queue[bytes] = queue.Queue()

    def export(body: bytes, _context: Any) -> bytes:
        """Keep the bytes as they came, and acknowledge them."""
        bodies.put(body)
        answer: bytes = ExportLogsServiceResponse().SerializeToString()
        return answer

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    handlers = {"Export": grpc.unary_unary_rpc_method_handler(export)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port, bodies
    finally:
        server.stop(None).wait(PATIENCE)
