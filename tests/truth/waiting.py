"""Waiting for events with a generous bound, and reading over HTTP without a proxy."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Final

DEADLINE_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.1
_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url: str, headers: dict[str, str] | None = None) -> str:
    """Body of a GET that must succeed."""
    with _OPENER.open(urllib.request.Request(url, headers=headers or {}), timeout=DEADLINE_SECONDS) as response:
        body: bytes = response.read()
    return body.decode()


def post(url: str, body: bytes, content_type: str) -> None:
    """Send a body that must be accepted."""
    request = urllib.request.Request(url, body, {"Content-Type": content_type})
    with _OPENER.open(request, timeout=DEADLINE_SECONDS) as response:
        response.read()


def answers(url: str) -> bool:
    """Whether a GET succeeds right now."""
    try:
        get(url)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
    return True


def wait_until(condition: Callable[[], bool], what: str, why: Callable[[], str] = str) -> None:
    """Return once the condition holds; fail with `what` and a reason when it does not within the deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE_SECONDS:.0f} s: {what} {why()}"
        time.sleep(_POLL_SECONDS)
