"""Joins network namespaces: `python -m cluster.relay FROM=TO …` passes on every connection to FROM.

FROM and TO are `tcp:PORT` on 127.0.0.1, or `unix:PATH`. Unix sockets are files, so they reach across namespaces.
"""

import asyncio
import contextlib
import pathlib
import sys
from collections.abc import Sequence
from typing import Final

_CHUNK: Final = 65_536


async def serve(pair: str) -> asyncio.Server:
    """Listen on the left side of FROM=TO."""
    source, target = pair.split("=", 1)

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            other_reader, other_writer = await _connect(target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, other_writer), _pump(other_reader, writer))

    kind, _, where = source.partition(":")
    if kind == "tcp":
        return await asyncio.start_server(pass_on, "127.0.0.1", int(where))
    pathlib.Path(where).unlink(missing_ok=True)
    return await asyncio.start_unix_server(pass_on, where)


async def _connect(target: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    kind, _, where = target.partition(":")
    if kind == "tcp":
        return await asyncio.open_connection("127.0.0.1", int(where))
    return await asyncio.open_unix_connection(where)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # Either side may hang up at any time; then the other one is to know.
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    writer.close()


async def main(pairs: Sequence[str]) -> None:
    """Serve until ended."""
    servers = [await serve(pair) for pair in pairs]
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
