"""Threads of a receiver share one arena of the C library's memory."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

# malloc_info(3) writes a `heap` for each arena.
_PROGRAM = """
import ctypes, sys, threading
from aigw_receiver.shell import memory

if sys.argv[1] == "shared":
    memory.share_arena()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
allocated = threading.Barrier(4)

def allocate():
    libc.malloc(ctypes.c_size_t(1000))
    allocated.wait(60)

threads = [threading.Thread(target=allocate) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
file = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has arenas")
@pytest.mark.parametrize(("setting", "is_one"), [("shared", True), ("own", False)], ids=["shared", "own"])
def test_arenas(tmp_path: Path, setting: str, is_one: bool) -> None:
    """Each thread keeps memory of its own, or this test could not tell."""
    info = tmp_path / "info.xml"
    subprocess.run([sys.executable, "-c", _PROGRAM, setting, str(info)], check=True, timeout=60)
    assert is_one == (1 == info.read_text().count("<heap nr="))
