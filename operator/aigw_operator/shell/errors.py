"""What may go wrong between us and an API server; everything above this layer sees nothing else.

KubeError
├── ConflictError      409: the object is not the one that was looked at, or exists already
├── NotFoundError      404: no such object, or no such kind
├── GoneError          410: a version or a list that the server no longer remembers
├── ThrottledError     429: too many requests
├── ForbiddenError     401, 403: the credentials or the rules do not allow it
├── InvalidError       400, 422 and other 4xx: the same request will fail again
└── UnavailableError   5xx, or no answer at all
"""

from typing import Final


class KubeError(Exception):
    """A request failed. `status` is the HTTP status, 0 without an answer; `retry_after` is in seconds."""

    def __init__(self, message: str, *, status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class ConflictError(KubeError):
    """The object is not the one that was looked at, or exists already."""


class NotFoundError(KubeError):
    """No such object, or no such kind."""


class GoneError(KubeError):
    """The server no longer remembers what the request continues."""


class ThrottledError(KubeError):
    """Too many requests; wait for `retry_after`."""


class ForbiddenError(KubeError):
    """The credentials or the rules do not allow it."""


class InvalidError(KubeError):
    """The same request will fail again."""


class UnavailableError(KubeError):
    """The server failed, or cannot be reached."""


# https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#http-status-codes
_KINDS: Final[dict[int, type[KubeError]]] = {
    401: ForbiddenError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    429: ThrottledError,
}


def result_of(error: KubeError) -> str:
    """The error as the label of a metric."""
    return type(error).__name__.removesuffix("Error").lower()


def from_status(status: int, message: str, retry_after: str | None) -> KubeError:
    """The error of an answer; `retry_after` is that header, in seconds (Kubernetes sends no dates)."""
    kind = _KINDS.get(status, UnavailableError if status >= 500 else InvalidError)
    seconds = float(retry_after) if retry_after is not None and retry_after.isdecimal() else None
    return kind(f"{status}: {message}", status=status, retry_after=seconds)
