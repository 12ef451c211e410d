"""OTLP/HTTP in protobuf to one target, by aiohttp, in an event loop of the thread that sends. The core reads answers.

aiohttp and not http.client, since it bounds a request as a whole: a target that sends its answer byte by byte would
hold up the latter for as long as it likes.
"""

import asyncio
import contextlib
import gzip
import ssl
import time
import urllib.parse
from typing import Final

import aiohttp

from aigw_receiver.core.access_logs import answers
from aigw_receiver.core.access_logs.answers import Delayed, Verdict
from aigw_receiver.settings import Forward

_PATH: Final = "/v1/logs"
_PROTOBUF: Final = "application/x-protobuf"

# A partial success is a number and a sentence.
_ANSWER: Final = 64 << 10  # bytes


class HttpTransport:
    """A connection that is kept between requests."""

    def __init__(self, settings: Forward) -> None:
        """An endpoint without a path has that of the specification.

        Raises OSError where the certificates cannot be read.
        """
        url = urllib.parse.urlsplit(settings.endpoint)
        self._url = url._replace(path=url.path if url.path.strip("/") else _PATH).geturl()
        self._compresses = settings.compression == "gzip"
        self._headers = {"User-Agent": "aigw-telemetry", **settings.headers, "Content-Type": _PROTOBUF}
        if self._compresses:
            self._headers["Content-Encoding"] = "gzip"
        self._timeout = aiohttp.ClientTimeout(total=settings.timeout / 1e9)
        self._ssl = ssl.create_default_context(cafile=settings.ca_file) if url.scheme == "https" else None
        self._runner = asyncio.Runner()
        self._session: aiohttp.ClientSession | None = None
        self._sending: asyncio.Task[Verdict] | None = None
        self._aborted = False

    def send(self, body: bytes) -> Verdict:
        """Send one request."""
        if self._aborted:
            return Delayed("the receiver ends")
        try:
            return self._runner.run(self._post(gzip.compress(body, 6) if self._compresses else body))
        except TimeoutError:
            return Delayed("no answer in time")
        except (aiohttp.ClientError, OSError) as error:
            return Delayed(str(error) or repr(error))
        except asyncio.CancelledError:
            return Delayed("the receiver ends")

    async def _post(self, body: bytes) -> Verdict:
        self._sending = asyncio.current_task()
        try:
            session = self._session or self._open()
            async with session.post(self._url, data=body, headers=self._headers, allow_redirects=False) as response:
                answer = b""
                if response.ok and response.content_type == _PROTOBUF:
                    answer = await _read(response.content)
                retry_after = response.headers.get("Retry-After", "")
                return answers.read_http_answer(response.status, retry_after, answer, time.time())
        finally:
            self._sending = None

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=1, ssl=True if self._ssl is None else self._ssl)
        # Proxies are those of the environment, as with gRPC.
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=self._timeout, trust_env=True, cookie_jar=aiohttp.DummyCookieJar()
        )
        return self._session

    def abort(self) -> None:
        """Cancel what is being sent."""
        self._aborted = True
        task = self._sending
        if task is not None:
            # The loop may have ended since.
            with contextlib.suppress(RuntimeError):
                task.get_loop().call_soon_threadsafe(task.cancel)

    def close(self) -> None:
        """Close the connection and the loop."""
        if self._session is not None:
            self._runner.run(self._session.close())
        self._runner.close()


async def _read(content: aiohttp.StreamReader) -> bytes:
    """The answer; nothing where it is too large for one."""
    answer = await content.read(_ANSWER)
    while answer and len(answer) < _ANSWER:
        more = await content.read(_ANSWER)
        if not more:
            return answer
        answer += more
    return b""
