"""TCP ports of the loopback for servers that must come back on the same one."""

import itertools
import os
import socket
from collections.abc import Iterator
from typing import Final

# Below the range that the kernel gives to outgoing connections: a client that retries while its server is down could
# otherwise be given the server's port and connect to itself.
_FIRST: Final = 20_000
_LAST: Final = 30_000
_OFFERED: Final[Iterator[int]] = itertools.cycle(range(_FIRST + os.getpid() * 97 % 9_000, _LAST))


def free_port() -> int:
    """Give a port that nobody listens on, and that was not given before."""
    for port in _OFFERED:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError


def address() -> str:
    """Give a free port as 127.0.0.1:PORT."""
    return f"127.0.0.1:{free_port()}"
