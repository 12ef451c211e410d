"""Reads a request body piece by piece, inflates it, and stops at the limit. It does not look at what it says."""

from collections.abc import AsyncIterator

from aigw_receiver.core.inflate import Inflater, too_large


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
