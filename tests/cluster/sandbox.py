"""Runs a program where its fixed ports and its fixed path for certificates are its own; inside of new namespaces only.

    unshare --mount --net --pid --fork --kill-child python -m cluster.sandbox ROOT CERTS FROM=TO… -- COMMAND…

It sees all of the file system, plus the folder CERTS as /certs, and reaches nothing but what is relayed to it. With
this program, the first of its process namespace, everything in it ends.
"""

import asyncio
import fcntl
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cluster import relay

# linux/sockios.h and linux/if.h
_SIOCSIFFLAGS: Final = 0x8914
_IFF_UP_RUNNING: Final = 0x41


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP_RUNNING))


def _build_root(root: Path, certs: Path) -> None:
    """Everything of / again below `root`, plus /certs, which the real / may not have and must not get."""
    root.mkdir(exist_ok=True)
    _mount("-t", "tmpfs", "none", str(root))
    for entry in sorted(Path("/").iterdir()):
        copy = root / entry.name
        if entry.is_symlink():
            copy.symlink_to(entry.readlink())
        elif entry.is_dir() and entry.name not in ("certs", "lost+found"):
            copy.mkdir()
            _mount("--rbind", str(entry), str(copy))
    (root / "certs").mkdir()
    _mount("--bind", str(certs), str(root / "certs"))


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, timeout=30)


async def main(arguments: Sequence[str]) -> int:
    """The exit status of the command."""
    root, certs, *rest = arguments
    split = rest.index("--")
    _raise_loopback()
    _build_root(Path(root), Path(certs))
    servers = [await relay.serve(pair) for pair in rest[:split]]
    process = await asyncio.create_subprocess_exec("chroot", root, *rest[split + 1 :])
    status = await process.wait()
    for server in servers:
        server.close()
    return status


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
