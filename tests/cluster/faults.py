"""What the fault proxy does to requests: faults that befall the nth one, and a hold at the kth write; does no I/O."""

import asyncio
import dataclasses
import threading
from collections.abc import Callable
from typing import Literal

from cluster import requests_seen

Where = Callable[[requests_seen.Request], bool]
When = Literal["before", "after"]


def everything(_: requests_seen.Request) -> bool:
    """Matches any request."""
    return True


def writing(request: requests_seen.Request) -> bool:
    """Matches what changes an object."""
    return request.writes


@dataclasses.dataclass(slots=True)
class Fault:
    """What befalls the matching requests from the nth on, so many times."""

    where: Where
    nth: int
    times: int
    status: int = 0
    retry_after: int | None = None
    delay: float = 0.0
    hang_up: bool = False
    seen: int = 0

    def meets(self, request: requests_seen.Request) -> bool:
        """Count a request, and say whether this one is met."""
        if not self.where(request):
            return False
        self.seen += 1
        return self.nth <= self.seen < self.nth + self.times


class Hold:
    """The kth write, and all later ones, held: until release nobody is answered, and then all are hung up on.

    With `before` the kth write was not done, with `after` it was, but its writer never learns of it.
    """

    def __init__(self, k: int, when: When, where: Where) -> None:
        self.reached = threading.Event()
        """set when the kth write is there (and, with `after`, done): the moment to kill its writer"""
        self.request: requests_seen.Request | None = None
        """the kth write, once it is there"""
        self._k = k
        self._when = when
        self._where = where
        self._seen = 0
        self._released = False
        self._held: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def release(self) -> None:
        """Hang up on all that is held, and hold nothing from now on."""
        self._released = True
        for loop, event in self._held:
            loop.call_soon_threadsafe(event.set)

    async def admits(self, request: requests_seen.Request, done: When) -> bool:
        """Whether a write may go on; where it may not, only after the release."""
        if self._released or not (request.writes and self._where(request)):
            return True
        if done == "before":
            self._seen += 1
            if self._seen == self._k:
                self.request = request
            if self._seen < self._k or (request is self.request and self._when == "after"):
                return True
        elif request is not self.request:
            return True
        event = asyncio.Event()
        self._held.append((asyncio.get_running_loop(), event))
        if request is self.request:
            self.reached.set()
        if not self._released:
            await event.wait()
        return False
