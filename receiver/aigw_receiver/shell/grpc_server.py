"""OTLP/gRPC: carries the bytes of a request to `Ingest`, and its answer back. It parses neither.

The handler is generic and has no (de)serialisers, so that the message stays the bytes it came as. grpcio inflates
compressed messages, and ends that where the limit is reached.
"""

import logging
import os
from concurrent import futures
from typing import Any, Final

# grpcio prints its own account of a port in use to standard error; ours is the one that is to be read.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc

from aigw_receiver.core import status
from aigw_receiver.core.status import Encoding
from aigw_receiver.settings import Address
from aigw_receiver.shell.ingest import Ingest
from aigw_receiver.shell.metrics import Telemetry

_log: Final = logging.getLogger(__name__)
_TRANSPORT: Final = "grpc"

# opentelemetry/proto/collector/metrics/v1/metrics_service.proto
_EXPORT: Final = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"

# The store is entered by one at a time, but a call holds its thread from its headers on: as many senders as there are
# threads could stop all others by sending no message. A thread that waits costs no processor time.
_WORKERS: Final = 64

# A peer that is gone is noticed after half a minute, in milliseconds; its calls give their threads back then.
_KEEPALIVE_TIME: Final = 20_000
_KEEPALIVE_TIMEOUT: Final = 10_000

# grpc/status: the trailer for google.rpc.Status.
_DETAILS: Final = "grpc-status-details-bin"


class ListenError(Exception):
    """An address cannot be listened on."""


class _Handler(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self, ingest: Ingest, telemetry: Telemetry) -> None:
        self._ingest = ingest
        self._telemetry = telemetry
        self._export_handler = grpc.unary_unary_rpc_method_handler(self._export)

    def service(self, handler_call_details: Any) -> Any:
        """The handler of a method; without one, grpcio answers UNIMPLEMENTED."""
        return self._export_handler if handler_call_details.method == _EXPORT else None

    def _export(self, body: bytes, context: Any) -> bytes:
        try:
            outcome = self._ingest.export_metrics(body, _TRANSPORT)
        except status.RefusedError as error:
            return self._refuse(error.failure, context)
        except Exception:  # noqa: BLE001 - whatever it is, the sender must get an answer
            _log.exception("an export failed")
            return self._refuse(status.INTERNAL, context)
        if not outcome.rejected and not outcome.folded:
            return b""
        return status.success_body(outcome, Encoding.PROTOBUF)

    def _refuse(self, failure: status.Failure, context: Any) -> bytes:
        code = next(code for code in grpc.StatusCode if code.value[0] == failure.code)
        self._telemetry.count_refusal(_TRANSPORT, code.name.lower())
        context.set_trailing_metadata(((_DETAILS, status.failure_body(failure, Encoding.PROTOBUF)),))
        context.set_code(code)
        context.set_details(failure.message)
        return b""


class GrpcServer:
    """The gRPC listeners; one server serves them all."""

    def __init__(self, ingest: Ingest, telemetry: Telemetry, *, max_message: int) -> None:
        self._server = grpc.server(
            futures.ThreadPoolExecutor(_WORKERS, thread_name_prefix="otlp-grpc"),
            handlers=(_Handler(ingest, telemetry),),
            options=(
                ("grpc.max_receive_message_length", max_message),
                # Two programs on one port would share its requests, and each would have half of the counts.
                ("grpc.so_reuseport", 0),
                ("grpc.keepalive_time_ms", _KEEPALIVE_TIME),
                ("grpc.keepalive_timeout_ms", _KEEPALIVE_TIMEOUT),
            ),
        )

    def listen(self, address: Address) -> int:
        """Open a port; answers its number. Raises ListenError where that is not possible."""
        try:
            port: int = self._server.add_insecure_port(str(address))
        except RuntimeError:
            port = 0
        if not port:
            message = f"cannot listen on {address}: it is in use, or is no address of this machine"
            raise ListenError(message)
        return port

    def start(self) -> None:
        """Begin to serve."""
        self._server.start()

    def stop(self, grace: float) -> Any:
        """Refuse what is new with UNAVAILABLE, let what is in flight end; answers an event that tells of that."""
        return self._server.stop(grace)
