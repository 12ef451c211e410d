"""A TCP relay that loses answers: it passes on what clients send, and now and then hangs up instead of answering.

To a client this looks like a network that fails at the worst moment: the export was received, and must be sent again.
"""

import contextlib
import itertools
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from truth.ports import address

_CHUNK: Final = 65_536


def _connect(host_port: str) -> socket.socket:
    host, port = host_port.rsplit(":", 1)
    return socket.create_connection((host, int(port)))


def _pump(source: socket.socket, target: socket.socket) -> None:
    # Either side may be gone already: then there is nobody left to tell.
    with contextlib.suppress(OSError):
        while chunk := source.recv(_CHUNK):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)


class LossyRelay(socketserver.ThreadingTCPServer):
    """Every `nth` piece of an answer ends its connection; so a client that tries again soon succeeds."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, target: str, nth: int) -> None:
        self.address = address()
        self.target = target
        self.lost = 0
        self._nth = nth
        self._answers = itertools.count(1)
        host, port = self.address.rsplit(":", 1)
        super().__init__((host, int(port)), _Connection)

    def loses_next(self) -> bool:
        """Whether the piece that came just now is to be lost."""
        loses = next(self._answers) % self._nth == 0
        self.lost += loses
        return loses


class _Connection(socketserver.BaseRequestHandler):
    server: LossyRelay

    def handle(self) -> None:
        with contextlib.suppress(OSError), _connect(self.server.target) as upstream:
            threading.Thread(target=_pump, args=(self.request, upstream), daemon=True).start()
            while (chunk := upstream.recv(_CHUNK)) and not self.server.loses_next():
                self.request.sendall(chunk)


@contextmanager
def running_relay(target: str, nth: int) -> Iterator[LossyRelay]:
    """Run a relay in front of a server's address."""
    with LossyRelay(target, nth) as relay:
        threading.Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        try:
            yield relay
        finally:
            relay.shutdown()
