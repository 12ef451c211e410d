"""JSON lines in a file that is rotated by size: FILE is the newest, FILE.1 the one before, up to FILE.KEEP."""

import os
from pathlib import Path

import prometheus_client

from aigw_receiver.shell.sinks.base import Sink


class FileSink(Sink):
    """Appends to a file. What was written before a failure stays whole: a part of a line is taken back."""

    def __init__(self, path: Path, records: prometheus_client.Counter, *, size: int, keep: int) -> None:
        """`size` is how large a file becomes before the next is begun; `keep` how many older ones are kept.

        Raises OSError where the file cannot be opened.
        """
        self._path = path
        self._most = size
        self._keep = keep
        self._file = _open(path)
        super().__init__("file", records)

    def write(self, lines: list[bytes]) -> int:
        """Append the lines, in as many files as they need."""
        written = 0
        try:
            while written < len(lines):
                written += self._write_some(lines[written:])
        except OSError:
            if not written:
                raise
        return written

    def _write_some(self, lines: list[bytes]) -> int:
        """Append as many lines as fit into the file, or begin the next one; answers how many were written."""
        size = total = os.fstat(self._file).st_size
        count = 0
        # A line that is larger than a file should become has one by itself.
        while count < len(lines) and (total == 0 or total + len(lines[count]) <= self._most):
            total += len(lines[count])
            count += 1
        if count:
            self._append(b"".join(lines[:count]), size)
        else:
            self._rotate()
        return count

    def _append(self, data: bytes, size: int) -> None:
        """Write all of it, or leave the file as it was and raise OSError."""
        try:
            if os.write(self._file, data) != len(data):
                raise OSError(None, "the disk is full")  # noqa: TRY301
        except OSError:
            os.ftruncate(self._file, size)
            raise

    def _rotate(self) -> None:
        """Begin the next file; the oldest one is overwritten. Nothing is moved before the new one is there."""
        beginning = self._path.with_name(f"{self._path.name}.new")
        file = _open(beginning)
        for number in range(self._keep, 0, -1):
            older = self._path if number == 1 else self._numbered(number - 1)
            if older.exists():
                older.replace(self._numbered(number))
        beginning.replace(self._path)
        os.close(self._file)
        self._file = file

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def _open(path: Path) -> int:
    """Open for appending. Others may not read it: it holds who asked what, and when."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
