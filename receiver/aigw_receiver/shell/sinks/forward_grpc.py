"""OTLP/gRPC to one target, by grpcio. What a status means is the core's."""

import ssl
import threading
import urllib.parse
from pathlib import Path
from typing import Any, Final

import grpc

from aigw_receiver.core.access_logs import answers
from aigw_receiver.core.access_logs.answers import Delayed, Verdict
from aigw_receiver.settings import Forward

_EXPORT: Final = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
_STATUS_DETAILS: Final = "grpc-status-details-bin"

# After these the connection is made anew, with addresses that are asked for again: a target may have moved, or its
# machine may be gone without a word.
_BROKEN: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})

_OPTIONS: Final = (
    # Retries and their waits are the sink's alone; channels of this process share nothing that would make them wait.
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.primary_user_agent", "aigw-telemetry"),
)


class GrpcTransport:
    """A channel that is made when it is needed."""

    def __init__(self, settings: Forward) -> None:
        """Raises OSError where the certificates cannot be read."""
        url = urllib.parse.urlsplit(settings.endpoint)
        self._target = url.netloc
        self._is_secure = url.scheme == "https"
        self._ca_file = settings.ca_file
        self._timeout = settings.timeout / 1e9
        self._metadata = [(name.lower(), value) for name, value in settings.headers.items()]
        gzip = settings.compression == "gzip"
        self._compression = grpc.Compression.Gzip if gzip else grpc.Compression.NoCompression
        self._lock = threading.Lock()
        self._aborted = False
        self._channel: Any = self._open()

    def _open(self) -> Any:
        if not self._is_secure:
            return grpc.insecure_channel(self._target, options=_OPTIONS)
        # Without a file grpcio would trust certificates of its own, and not the system's.
        path = self._ca_file or ssl.get_default_verify_paths().cafile
        roots = Path(path).read_bytes() if path else None
        return grpc.secure_channel(self._target, grpc.ssl_channel_credentials(roots), options=_OPTIONS)

    def send(self, body: bytes) -> Verdict:
        """Send one request."""
        with self._lock:
            if self._aborted:
                return Delayed("the receiver ends")
            if self._channel is None:
                self._channel = self._open()
            export = self._channel.unary_unary(_EXPORT)
        try:
            answer: bytes = export(body, timeout=self._timeout, metadata=self._metadata, compression=self._compression)
        except grpc.RpcError as error:
            if error.code() in _BROKEN:
                self.close()
            trailers = dict(error.trailing_metadata() or ())
            code: int = error.code().value[0]
            return answers.read_grpc_failure(code, error.details() or "", trailers.get(_STATUS_DETAILS, b""))
        return answers.read_response(answer)

    def abort(self) -> None:
        """Closing a channel ends what is being sent on it."""
        self._aborted = True
        self.close()

    def close(self) -> None:
        """Close the channel; the next request makes another one."""
        with self._lock:
            channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()
