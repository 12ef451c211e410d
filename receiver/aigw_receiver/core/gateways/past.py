"""What is remembered of a Prometheus: whether it has anything of a time before the rollup, and that it has just failed.

So that not each refresh of each page asks again, or waits again for one that hangs. It asks nothing and has no clock:
`now` is nanoseconds of any clock that only rises.
"""

from typing import Final

from aigw_receiver.core.gateways.window import MINUTE
from aigw_receiver.core.sources import SECOND

_KEPT: Final = MINUTE
_FAILURE_KEPT: Final = 30 * SECOND

# The windows of a page slide with the time; those that begin and end within the same minutes are one.
_SAME: Final = MINUTE

MOST: Final = 64
"""times that are remembered"""


class Past:
    """Answers about times, from one moment to another, in nanoseconds since 1970; and the last failure."""

    def __init__(self) -> None:
        self._answers: dict[tuple[int, int], tuple[int, bool]] = {}
        """when each was given, the oldest first, and what it was"""
        self._failure: tuple[int, str] | None = None

    def recall(self, start: int, end: int, now: int) -> bool | None:
        """Whether there is anything of this time; None where that is not known, or no longer."""
        at, answer = self._answers.get(_key(start, end), (now - _KEPT, False))
        return answer if now - at < _KEPT else None

    def remember(self, start: int, end: int, now: int, *, answer: bool) -> None:
        """Remember whether there is anything of this time."""
        self._failure = None
        self._answers.pop(_key(start, end), None)
        while len(self._answers) >= MOST:
            del self._answers[next(iter(self._answers))]
        self._answers[_key(start, end)] = now, answer

    def fail(self, now: int, message: str) -> None:
        """Remember that it could not be asked."""
        self._failure = now, message

    def failure(self, now: int) -> str | None:
        """Why it could not be asked a moment ago, if so."""
        if self._failure is None or now - self._failure[0] >= _FAILURE_KEPT:
            return None
        return self._failure[1]

    def doubt(self) -> None:
        """Forget what it has: it has failed since."""
        self._answers.clear()


def _key(start: int, end: int) -> tuple[int, int]:
    return start // _SAME, end // _SAME
