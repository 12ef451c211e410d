"""OTLP/gRPC listeners: their sockets, timers and connections. What the bytes mean is decided in the core.

Exports run in the event loop: one takes less than the hand-over to a thread and back would.
"""

import asyncio
import errno
import logging
from typing import Final

from google.rpc import code_pb2

from aigw_receiver.core import grpc_protocol, status
from aigw_receiver.core.address import Address
from aigw_receiver.core.grpc_protocol import Call, NoCall, NotGrpcError
from aigw_receiver.core.http2.requests import Head
from aigw_receiver.core.http2.sending import Answer
from aigw_receiver.core.status import Encoding
from aigw_receiver.shell.grpc_connection import GrpcConnection
from aigw_receiver.shell.ingest import Ingest
from aigw_receiver.shell.metrics import Telemetry
from aigw_receiver.shell.start_error import StartError

_log: Final = logging.getLogger(__name__)
_TRANSPORT: Final = "grpc"

# opentelemetry/proto/collector/metrics/v1/metrics_service.proto
_EXPORT: Final = b"/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
# opentelemetry/proto/collector/logs/v1/logs_service.proto
_EXPORT_LOGS: Final = b"/opentelemetry.proto.collector.logs.v1.LogsService/Export"

_EMPTY: Final = grpc_protocol.success(b"")

# What create_server says of an address that is taken, or is another machine's.
_NOT_OURS: Final = (errno.EADDRINUSE, errno.EADDRNOTAVAIL)


class _Exporter:
    """Answers calls; it knows nothing of connections."""

    def __init__(self, ingest: Ingest, telemetry: Telemetry, max_message: int) -> None:
        self._ingest = ingest
        self._telemetry = telemetry
        self._max_message = max_message

    def begin(self, head: Head) -> Call | NoCall | Answer:
        """A call, or the answer to what is none that we take."""
        try:
            call = Call(head, self._max_message)
        except NotGrpcError as error:
            return NoCall(error)
        except status.RefusedError as error:
            return self.refuse(error)
        if call.path not in (_EXPORT, _EXPORT_LOGS):
            return self.refuse(status.RefusedError(status.NOT_SERVED))
        if self._ingest.draining:
            return self.refuse(status.RefusedError(status.UNAVAILABLE))
        return call

    def export(self, call: Call | NoCall) -> Answer:
        """The answer to a call that is complete."""
        try:
            if isinstance(call, Call) and call.path == _EXPORT_LOGS:
                return self._export_logs(call)
            outcome = self._ingest.export_metrics(call.message(), _TRANSPORT)
        except NotGrpcError as error:
            return error.answer
        except status.RefusedError as error:
            return self.refuse(error)
        except Exception:  # noqa: BLE001 - whatever it is, the sender must get an answer
            _log.exception("an export failed")
            return self.refuse(status.RefusedError(status.INTERNAL))
        if not outcome.rejected and not outcome.folded:
            return _EMPTY
        return grpc_protocol.success(status.success_body(outcome, Encoding.PROTOBUF))

    def _export_logs(self, call: Call) -> Answer:
        rejected = self._ingest.export_logs(call.message(), _TRANSPORT)
        return grpc_protocol.success(status.logs_success_body(rejected, Encoding.PROTOBUF)) if rejected else _EMPTY

    def refuse(self, error: status.RefusedError) -> Answer:
        """The answer to a call that is refused."""
        self._telemetry.count_refusal(_TRANSPORT, code_pb2.Code.Name(error.failure.code).lower())
        return grpc_protocol.refusal(error.failure)


class GrpcServer:
    """The gRPC listeners; one server serves them all."""

    def __init__(self, ingest: Ingest, telemetry: Telemetry, *, max_message: int) -> None:
        self._exporter = _Exporter(ingest, telemetry, max_message)
        self._listeners: list[asyncio.Server] = []
        self._connections: set[GrpcConnection] = set()
        self._idle = asyncio.Event()

    async def listen(self, address: Address) -> int:
        """Open a port; answers its number. Raises StartError where that is not possible."""
        loop = asyncio.get_running_loop()
        try:
            # Without reuse_port: two programs on one port would share its requests, and each have half of the counts.
            listener = await loop.create_server(self._connect, address.host, address.port, start_serving=False)
            self._listeners.append(listener)
            # From here on the port is taken: a bound socket that does not listen yet would not keep another one away.
            await listener.start_serving()
        except OSError as error:
            reason = "it is in use, or is no address of this machine"
            # From 3.13 on asyncio gives no number where no address of a name can be bound.
            if error.errno is not None and error.errno not in _NOT_OURS:
                reason = error.strerror or str(error)
            message = f"cannot listen on {address}: {reason}"
            raise StartError(message) from None
        port: int = listener.sockets[0].getsockname()[1]
        return port

    def _connect(self) -> GrpcConnection:
        connection = GrpcConnection(self._exporter, self._closed)
        self._connections.add(connection)
        return connection

    def _closed(self, connection: GrpcConnection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._idle.set()

    async def stop(self, grace: float) -> None:
        """Take nothing new, and return when what is in flight has ended, or the grace is over."""
        for listener in self._listeners:
            listener.close()
        self._idle.clear()
        for connection in list(self._connections):
            connection.drain()
        if self._connections:
            try:
                await asyncio.wait_for(self._idle.wait(), grace)
            except TimeoutError:
                _log.warning("gRPC calls were cut off", extra={"connections": len(self._connections)})
        for connection in list(self._connections):
            connection.abort()
