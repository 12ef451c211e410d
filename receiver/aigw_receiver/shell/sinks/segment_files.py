"""The files of a queue on disk: lines behind checksums, and a position. It keeps no count of what waits.

segment     lines, each behind its checksum: 8 hexadecimal digits of CRC-32, a space, the line with its line feed
position    up to where lines were settled: number of the segment (8 bytes), offset (8), checksum of both (4)
"""

import os
import struct
import zlib
from pathlib import Path
from typing import Final

HEAD: Final = 9
"""bytes before a line"""

_POSITION: Final = struct.Struct("<QQ")
_CHECKSUM: Final = struct.Struct("<I")


def frame(line: bytes) -> bytes:
    """A line with what stands before it."""
    return b"%08x %b" % (zlib.crc32(line), line)


def unframe(piece: bytes) -> bytes:
    """The line in a piece that was cut off before its line feed; nothing where it does not match its checksum."""
    line = piece[HEAD:] + b"\n"
    return line if piece[:HEAD] == b"%08x " % zlib.crc32(line) else b""


def open_new(path: Path) -> int:
    """A new segment, to be written. Others may not read it: it holds who asked what, and when."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)


def write(file: int, pieces: list[bytes], offset: int) -> tuple[int, int]:
    """Write whole lines at an offset; how many, and their bytes. Raises OSError where the disk takes none.

    Not at the end of the file: what a write that failed has left there is written over.
    """
    written = os.pwrite(file, b"".join(pieces), offset)
    count = size = 0
    for piece in pieces:
        if size + len(piece) > written:
            break
        size += len(piece)
        count += 1
    if size < written:
        os.ftruncate(file, offset + size)
    if not count:
        raise OSError(None, "the disk is full")
    return count, size


def read(path: Path, start: int, end: int, most: int) -> bytes:
    """Whole lines from an offset on, at least one and about `most` bytes. Raises OSError."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.pread(file, min(most, end - start), start)
        if b"\n" in data:
            return data[: data.rfind(b"\n") + 1]
        data = os.pread(file, end - start, start)
        return data[: data.find(b"\n") + 1]
    finally:
        os.close(file)


def mend(path: Path, start: int) -> tuple[int, int, bool]:
    """Take the beginning of a line off the end; where the last line ends, the lines behind an offset, and whether."""
    data = path.read_bytes()
    end = data.rfind(b"\n") + 1
    torn = end < len(data)
    if torn:
        os.truncate(path, end)
    return end, data.count(b"\n", start), torn


def sync_directory(path: Path) -> None:
    """Have the disk keep which files there are."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


class Position:
    """Up to where lines were settled."""

    def __init__(self, path: Path) -> None:
        """Raises OSError where it cannot be opened; a damaged one is at the very beginning."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.number = self.offset = 0
        data = os.pread(self._file, _POSITION.size + _CHECKSUM.size, 0)
        head = data[: _POSITION.size]
        if len(head) == _POSITION.size and data[_POSITION.size :] == _CHECKSUM.pack(zlib.crc32(head)):
            self.number, self.offset = _POSITION.unpack(head)

    def write(self, number: int, offset: int) -> None:
        """Raises OSError."""
        head = _POSITION.pack(number, offset)
        os.pwrite(self._file, head + _CHECKSUM.pack(zlib.crc32(head)), 0)

    def close(self) -> None:
        """Leave the file."""
        os.close(self._file)
