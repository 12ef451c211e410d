"""Inflates the body of a request as it comes, and stops at the limit. It does not look at what it says."""

import zlib
from typing import Final

from aigw_receiver.core import status

# zlib.decompressobj: 16 + 15 expects the header and trailer of gzip.
_GZIP: Final = 31

# Members of one body. Senders write one, or one for each piece that they compress; each costs us as much as some
# kilobytes, so a body of empty ones would be the dearest of all.
_MAX_MEMBERS: Final = 4096


def too_large(limit: int) -> status.RefusedError:
    """The refusal of a body over the limit."""
    return status.RefusedError(status.TOO_LARGE, f"the body is larger than {limit} bytes")


class Inflater:
    """Inflates gzip, also of several members (RFC 1952, section 2.2), never beyond a limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._pieces: list[bytes] = []
        self._member = zlib.decompressobj(_GZIP)
        self._begun = False
        self._members = 1

    def feed(self, data: bytes) -> None:
        """Inflate the next piece of the body."""
        try:
            while data:
                if self._member.eof:
                    self._member = zlib.decompressobj(_GZIP)
                    self._members += 1
                    if self._members > _MAX_MEMBERS:
                        raise status.RefusedError(status.BAD_DATA, f"the body has over {_MAX_MEMBERS} gzip members")
                self._begun = True
                # One byte more than is allowed tells that there is more.
                inflated = self._member.decompress(data, self._limit - self._size + 1)
                self._size += len(inflated)
                if self._size > self._limit:
                    raise too_large(self._limit)
                if inflated:
                    self._pieces.append(inflated)
                data = self._member.unconsumed_tail or self._member.unused_data
        except zlib.error as error:
            raise status.RefusedError(status.BAD_DATA, f"the body is not valid gzip: {error}") from None

    def finish(self) -> bytes:
        """Everything that was inflated; an empty body is allowed, one that ends early is not."""
        if self._begun and not self._member.eof:
            raise status.RefusedError(status.BAD_DATA, "the body is not valid gzip: it ends early")
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
