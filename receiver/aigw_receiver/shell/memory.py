"""How the C library keeps memory. It decides nothing, and where the library knows no such setting, nothing happens.

glibc gives each thread an arena of its own, which keeps what the thread has freed. In a Python program only one thread
runs at a time, so that is memory for nothing: some per cent of that of a receiver with many streams.
"""

import ctypes
import sys
from typing import Final

# malloc.h of glibc; "Malloc Tunable Parameters" in its manual.
_M_ARENA_MAX: Final = -8


def share_arena() -> None:
    """Let all threads share one arena; to be called before there are any."""
    if not sys.platform.startswith("linux"):
        return
    try:
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
    except (OSError, AttributeError):
        return
