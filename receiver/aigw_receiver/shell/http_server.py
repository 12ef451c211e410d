"""OTLP/HTTP: carries the body of a request to `Ingest`, and its answer back, in the encoding that it came in."""

import asyncio
import logging
from collections.abc import AsyncIterator
from concurrent import futures
from typing import Final

from aiohttp import web

from aigw_receiver.core import otlp_json, status
from aigw_receiver.core.inflate import too_large
from aigw_receiver.core.status import Encoding
from aigw_receiver.shell.http_body import read_body
from aigw_receiver.shell.ingest import Ingest
from aigw_receiver.shell.metrics import Telemetry

_log: Final = logging.getLogger(__name__)
_TRANSPORT: Final = "http"

# opentelemetry.io/docs/specs/otlp, "OTLP/HTTP Request".
METRICS_PATH: Final = "/v1/metrics"
LOGS_PATH: Final = "/v1/logs"


class Exporter:
    """Answers the requests of one listener."""

    def __init__(self, ingest: Ingest, telemetry: Telemetry, max_body: int) -> None:
        self._ingest = ingest
        self._telemetry = telemetry
        self._max_body = max_body
        self._worker = futures.ThreadPoolExecutor(1, thread_name_prefix="otlp-http")
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def wait_idle(self) -> None:
        """Return once no request is in flight."""
        await self._idle.wait()

    async def answer(self, request: web.Request) -> web.Response:
        """The answer to any request of this listener."""
        self._in_flight += 1
        self._idle.clear()
        try:
            return await self._answer(request)
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    async def _answer(self, request: web.Request) -> web.Response:
        encoding = _answer_encoding(request)
        try:
            self._check(request)
            body = await read_body(_pieces(request), gzip=_content_encoding(request) == "gzip", limit=self._max_body)
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._worker, self._export, request.path, body, encoding)
        except status.RefusedError as error:
            return self._refuse(error.failure, encoding)
        except ConnectionError:
            raise
        except Exception:  # noqa: BLE001 - whatever it is, the sender must get an answer
            _log.exception("an export failed")
            return self._refuse(status.INTERNAL, encoding)

    def _check(self, request: web.Request) -> None:
        """Refuse what the headers alone tell cannot be taken."""
        if request.path not in (METRICS_PATH, LOGS_PATH):
            raise status.RefusedError(status.NOT_SERVED)
        if request.method != "POST":
            raise status.RefusedError(status.WRONG_METHOD)
        if self._ingest.draining:
            raise status.RefusedError(status.UNAVAILABLE)
        if request.content_type not in {encoding.value for encoding in Encoding}:
            raise status.RefusedError(
                status.UNSUPPORTED_MEDIA_TYPE,
                f"content type {request.content_type!r} is not understood, only {_all_encodings()}",
            )
        if _content_encoding(request) not in ("", "identity", "gzip"):
            raise status.RefusedError(
                status.UNSUPPORTED_CODING,
                f"content encoding {_content_encoding(request)!r} is not understood, only gzip and identity",
            )
        if (request.content_length or 0) > self._max_body:
            raise too_large(self._max_body)

    def _export(self, path: str, body: bytes, encoding: Encoding) -> web.Response:
        if path == LOGS_PATH:
            if encoding is Encoding.JSON:
                body = otlp_json.logs_to_protobuf(body)
            answer = status.logs_success_body(self._ingest.export_logs(body, _TRANSPORT), encoding)
        else:
            if encoding is Encoding.JSON:
                body = otlp_json.to_protobuf(body)
            answer = status.success_body(self._ingest.export_metrics(body, _TRANSPORT), encoding)
        return web.Response(body=answer, content_type=encoding.value)

    def _refuse(self, failure: status.Failure, encoding: Encoding) -> web.Response:
        self._telemetry.count_refusal(_TRANSPORT, str(failure.http_status))
        headers = {"Retry-After": str(status.RETRY_SECONDS)} if failure.retry else {}
        headers.update(failure.headers)
        response = web.Response(
            status=failure.http_status,
            body=status.failure_body(failure, encoding),
            content_type=encoding.value,
            headers=headers,
        )
        if failure.http_status == status.TOO_LARGE.http_status:
            # What is left of the body would have to be read to keep the connection.
            response.force_close()
        return response


def build_app(exporter: Exporter) -> web.Application:
    """The application of the OTLP/HTTP listener."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", exporter.answer)
    return app


async def _pieces(request: web.Request) -> AsyncIterator[bytes]:
    async for piece in request.content.iter_any():
        yield piece


def _answer_encoding(request: web.Request) -> Encoding:
    """The request's own encoding; protobuf where that is none of ours."""
    return Encoding.JSON if request.content_type == Encoding.JSON.value else Encoding.PROTOBUF


def _content_encoding(request: web.Request) -> str:
    return request.headers.get("Content-Encoding", "").strip().lower()


def _all_encodings() -> str:
    return " and ".join(encoding.value for encoding in Encoding)
