"""Reads a request body piece by piece, inflates it, and stops at the limit. It does not look at what it says."""

import zlib
from collections.abc import AsyncIterator
from typing import Final

from aigw_receiver.core import status

# zlib.decompressobj: 16 + 15 expects the header and trailer of gzip.
_GZIP: Final = 31
_PIECE: Final = 1 << 16


async def read_body(pieces: AsyncIterator[bytes], *, gzip: bool, limit: int) -> bytes:
    """The whole body, of at most `limit` bytes before and after inflating; raises status.RefusedError beyond that."""
    body = bytearray()
    inflater = Inflater(limit) if gzip else None
    received = 0
    async for piece in pieces:
        received += len(piece)
        if received > limit:
            raise too_large(limit)
        if inflater is None:
            body += piece
        else:
            inflater.feed(piece)
    return bytes(body) if inflater is None else inflater.finish()


def too_large(limit: int) -> status.RefusedError:
    """The refusal of a body over the limit."""
    return status.RefusedError(status.TOO_LARGE, f"the body is larger than {limit} bytes")


class Inflater:
    """Inflates gzip, also of several members (RFC 1952, section 2.2), never beyond a limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._inflated = bytearray()
        self._member = zlib.decompressobj(_GZIP)
        self._begun = False

    def feed(self, data: bytes) -> None:
        """Inflate the next piece of the body."""
        try:
            while data:
                if self._member.eof:
                    self._member = zlib.decompressobj(_GZIP)
                self._begun = True
                self._inflated += self._member.decompress(data, _PIECE)
                if len(self._inflated) > self._limit:
                    raise too_large(self._limit)
                data = self._member.unconsumed_tail or self._member.unused_data
        except zlib.error as error:
            raise status.RefusedError(status.BAD_DATA, f"the body is not valid gzip: {error}") from None

    def finish(self) -> bytes:
        """Everything that was inflated; an empty body is allowed, one that ends early is not."""
        if self._begun and not self._member.eof:
            raise status.RefusedError(status.BAD_DATA, "the body is not valid gzip: it ends early")
        return bytes(self._inflated)
