"""Asks a Prometheus over its HTTP API. What is asked, and what the answers mean, is decided in the core."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from typing import Final, TypeVar

import aiohttp
import yarl
from aiohttp import web

from aigw_receiver.core.gateways import prometheus_answers, promql
from aigw_receiver.core.gateways.past import Past
from aigw_receiver.core.gateways.prometheus_answers import AnswerError, Sample
from aigw_receiver.core.gateways.promql import Question
from aigw_receiver.settings import Prometheus

# So that one page of ours does not take all of the queries that a Prometheus answers at a time (20 by default).
_AT_A_TIME: Final = 4

# An answer about 50 cells with 20 buckets in 200 steps has 6 MB.
_MOST_ANSWER: Final = 32 << 20  # bytes

_FAILURES: Final = (AnswerError, aiohttp.ClientError, OSError)

_Question = TypeVar("_Question", bound=Question)


class PrometheusError(Exception):
    """It did not answer, or not with an answer; the message names it and says why."""


class PrometheusQuery:
    """The way to one Prometheus. It is used in the event loop of the application that it follows."""

    def __init__(self, url: str, settings: Prometheus) -> None:
        """`url` is that of the settings. Raises OSError where the certificates cannot be read."""
        self._url = yarl.URL(url.rstrip("/"))
        # Who reads the page has no business with a password that stands in the address.
        self.name: Final = f"Prometheus at {self._url.with_user(None)}"
        self._headers = {"User-Agent": "aigw-telemetry", **settings.headers}
        self._ssl = ssl.create_default_context(cafile=settings.ca_file) if self._url.scheme == "https" else None
        self._timeout = settings.timeout / 1e9
        self._turns = asyncio.Semaphore(_AT_A_TIME)
        self._session: aiohttp.ClientSession | None = None
        self._past = Past()
        self._asking = asyncio.Lock()

    async def follow(self, _: web.Application) -> AsyncIterator[None]:
        """Be open as long as an application is: an entry of its `cleanup_ctx`."""
        connector = aiohttp.TCPConnector(limit=_AT_A_TIME, ssl=True if self._ssl is None else self._ssl)
        # Proxies are those of the environment, as for what is forwarded.
        async with aiohttp.ClientSession(
            connector=connector, headers=self._headers, trust_env=True, cookie_jar=aiohttp.DummyCookieJar()
        ) as self._session:
            yield

    async def has(self, start: int, end: int) -> bool:
        """Whether it has anything of any gateway from `start` to `end`, in nanoseconds since 1970.

        That is remembered for a while, and so is a failure. Raises PrometheusError.
        """
        # Who comes while it is asked waits for that answer.
        async with self._asking:
            if (failure := self._past.failure(time.monotonic_ns())) is not None:
                raise PrometheusError(failure)
            answer = self._past.recall(start, end, time.monotonic_ns())
            if answer is None:
                answer = await self._find_out(start, end)
                self._past.remember(start, end, time.monotonic_ns(), answer=answer)
            return answer

    async def _find_out(self, start: int, end: int) -> bool:
        try:
            ((_, samples),) = await self.ask([promql.presence_question(start, end)])
        except PrometheusError as error:
            self._past.fail(time.monotonic_ns(), str(error))
            raise
        return bool(samples)

    async def ask(self, queries: Sequence[_Question]) -> list[tuple[_Question, Sequence[Sample]]]:
        """The answers, in the order of the queries, all of them within the timeout.

        Raises PrometheusError where one of them fails.
        """
        try:
            async with asyncio.timeout(self._timeout), asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._ask(query)) for query in queries]
        except TimeoutError:
            message = f"no answer within {self._timeout:g} s"
            raise self._failed(message) from None
        except ExceptionGroup as errors:
            if errors.split(_FAILURES)[1] is not None:
                raise
            raise self._failed(_first(errors)) from None
        return [(query, task.result()) for query, task in zip(queries, tasks, strict=True)]

    async def _ask(self, query: Question) -> list[Sample]:
        """Posted, since an expression can be longer than an address may be."""
        assert self._session is not None
        url = self._url.joinpath(*query.path.strip("/").split("/"))
        async with (
            self._turns,
            self._session.post(url, data=query.parameters, allow_redirects=False) as response,
        ):
            # A proxy before it answers in HTML.
            if response.content_type != "application/json":
                message = f"status {response.status}, and no JSON"
                raise AnswerError(message)
            body = await _read(response.content)
        # Megabytes of JSON would hold up exports and scrapes.
        return await asyncio.to_thread(prometheus_answers.parse, body)

    def _failed(self, reason: str) -> PrometheusError:
        self._past.doubt()
        return PrometheusError(f"{self.name}: {reason}")


def _first(errors: ExceptionGroup[Exception]) -> str:
    return str(errors.exceptions[0]) or repr(errors.exceptions[0])


async def _read(content: aiohttp.StreamReader) -> bytes:
    pieces, size = [], 0
    async for piece in content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > _MOST_ANSWER:
            message = f"an answer of more than {_MOST_ANSWER >> 20} MiB; choose a shorter window or a longer step"
            raise AnswerError(message)
    return b"".join(pieces)


def open_query(settings: Prometheus) -> PrometheusQuery | None:
    """The one that is configured, if one is. Raises OSError where its certificates cannot be read."""
    return None if settings.url is None else PrometheusQuery(settings.url, settings)
