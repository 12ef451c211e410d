"""A queue of lines on disk, which outlives the program. It knows nothing of what the lines say.

    DIRECTORY/segment-N     lines, in the order in which they came
    DIRECTORY/position      up to where they were settled

Lines are appended to the newest segment, which is a sixteenth of the bound; a segment whose lines are all settled is
removed. The bound is of the lines that wait: on disk there can be one segment more. When the queue is full the oldest
segment is dropped, so that one loss makes room for a while.

What outlives what: a line that was appended was handed to the operating system, and outlives the process, however that
ends. The disk is told to keep it (fsync) when a segment is complete, when `sync` is called, and when the queue is
closed: a machine that fails may lose what was appended since. Positions are never synced: after such a failure lines
are sent once more, and none is left out.

After a crash the last line of a segment may be torn. It is counted and dropped, as is any line that does not match its
checksum; nothing is ever appended to a segment of an earlier run. The directory belongs to one process alone, which the
lock of the data directory that it lies in sees to.
"""

import contextlib
import dataclasses
import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from aigw_receiver.shell.sinks import segment_files
from aigw_receiver.shell.sinks.backlog import Appended, Backlog, Batch

_log: Final = logging.getLogger(__name__)

# Parts of the bound: what is lost at once when the queue is full, and how much there can be on disk beyond the bound.
_SEGMENTS: Final = 16
_PREFIX: Final = "segment-"


@dataclasses.dataclass(slots=True)
class _Segment:
    """One file: between the two offsets are lines that wait, so many."""

    number: int
    start: int = 0
    end: int = 0
    records: int = 0


class DiskQueue(Backlog):
    """The queue of one target."""

    durable = True

    def __init__(self, directory: Path, bound: int) -> None:
        """Continues what an earlier run has left. Raises OSError where the directory cannot be used."""
        self._directory = directory
        self._bound = bound
        self._segment_size = bound // _SEGMENTS
        self._lock = threading.Lock()
        self._segments: list[_Segment] = []
        self._active = -1
        """descriptor of the newest segment, where it is of this run"""
        self._is_synced = True
        self._sending: tuple[_Segment, int, int] | None = None
        """the segment that a batch was taken of, up to which offset, and how many lines"""
        self._is_said = False
        self.size = self.records = 0
        self.torn = 0
        """segments of an earlier run that ended within a line"""
        self.dropped = 0
        """lines of an earlier run that a smaller bound has no place for"""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._position = segment_files.Position(directory / "position")
        names = (path.name.removeprefix(_PREFIX) for path in directory.glob(f"{_PREFIX}*"))
        numbers = sorted(int(name) for name in names if name.isdecimal())
        # A position of before must never be taken for one in a new segment.
        self._next_number = max([self._position.number, *numbers]) + 1
        for number in numbers:
            self._continue(number)
        while self.size > self._bound:
            self.dropped += self._drop_oldest()

    def _continue(self, number: int) -> None:
        """Have the lines of an earlier run wait, or remove their file."""
        path, done = self._path(number), self._position
        start = done.offset if number == done.number else 0
        end, records, is_torn = segment_files.mend(path, start)
        if number < done.number or not records:
            path.unlink()
        else:
            self._segments.append(_Segment(number, start, end, records))
            self._count(end - start, records)
        self.torn += is_torn

    def append(self, lines: Sequence[bytes]) -> Appended:
        """Take in lines, in as many segments as they need. What the disk has no place for is not taken."""
        taken = dropped = 0
        with self._lock:
            while taken < len(lines):
                if segment_files.HEAD + len(lines[taken]) > self._bound:
                    taken += 1
                    dropped += 1
                    continue
                try:
                    pieces = self._next_pieces(lines, taken)
                    size = sum(map(len, pieces))
                    while self.size + size > self._bound and (lost := self._drop_oldest()):
                        dropped += lost
                    if self.size + size > self._bound:
                        # All that waits is being sent.
                        taken += len(pieces)
                        dropped += len(pieces)
                    else:
                        taken += self._write(pieces)
                except OSError as error:
                    return Appended(taken, dropped, error.strerror or str(error))
        return Appended(taken, dropped)

    def _next_pieces(self, lines: Sequence[bytes], first: int) -> list[bytes]:
        """As many lines as fit into the newest segment; a line that is larger than a segment has one by itself."""
        filled = self._segments[-1].end if self._active >= 0 else 0
        if filled and filled + segment_files.HEAD + len(lines[first]) > self._segment_size:
            self._finish()
            filled = 0
        pieces: list[bytes] = []
        for line in lines[first:]:
            filled += segment_files.HEAD + len(line)
            if pieces and filled > self._segment_size:
                break
            pieces.append(segment_files.frame(line))
        return pieces

    def _write(self, pieces: list[bytes]) -> int:
        """Append to the newest segment; answers how many lines. Raises OSError where the disk takes none."""
        if self._active < 0:
            self._active = segment_files.open_new(self._path(self._next_number))
            self._segments.append(_Segment(self._next_number))
            self._next_number += 1
        segment = self._segments[-1]
        count, size = segment_files.write(self._active, pieces, segment.end)
        segment.end += size
        segment.records += count
        self._is_synced = False
        self._count(size, count)
        return count

    def _finish(self) -> None:
        """Append nothing more to the newest segment, and remove it where nothing in it waits."""
        self._sync()
        os.close(self._active)
        self._active = -1
        if not self._segments[-1].records:
            self._remove(self._segments[-1])

    def _is_active(self, segment: _Segment) -> bool:
        return self._active >= 0 and segment is self._segments[-1]

    def _drop_oldest(self) -> int:
        """Drop the oldest segment, but for what is being sent of it; answers how many lines that were."""
        for segment in self._segments:
            kept_until, kept = segment.start, 0
            if self._sending is not None and self._sending[0] is segment:
                _, kept_until, kept = self._sending
            lost = segment.records - kept
            if lost:
                if self._is_active(segment):
                    self._finish()
                self._count(kept_until - segment.end, -lost)
                segment.end, segment.records = kept_until, kept
                if kept:
                    os.truncate(self._path(segment.number), kept_until)
                else:
                    self._remove(segment)
                return lost
        return 0

    def take(self, most: int) -> Batch | None:
        """The oldest lines of the oldest segment. What cannot be read is damaged, never an error."""
        with self._lock:
            segment = next((segment for segment in self._segments if segment.records), None)
            if segment is None:
                return None
            try:
                data = segment_files.read(self._path(segment.number), segment.start, segment.end, most)
            except OSError as error:
                _log.error("a segment of a queue cannot be read", extra={"error": str(error)})
                data = b""
            if not data and self._is_active(segment):
                # Nothing more is lost in a file that is not what it was.
                os.close(self._active)
                self._active, self._is_synced = -1, True
            found = [segment_files.unframe(piece) for piece in data.split(b"\n")[:-1]]
            lines = [line for line in found if line]
            end = segment.start + len(data) if data else segment.end
            # A damaged line may have more or fewer line feeds than one.
            count = segment.records if end == segment.end else min(len(found), segment.records)
            self._sending = segment, end, count
            return Batch(lines, max(0, count - len(lines)))

    def settle(self) -> None:
        """Go on behind the batch that was taken; a segment that is done with is removed."""
        with self._lock:
            if self._sending is None:
                return
            segment, end, count = self._sending
            self._sending = None
            if count == segment.records:
                end = segment.end
            self._count(segment.start - end, -count)
            segment.start = end
            segment.records -= count
            self._note(segment.number, end)
            if not segment.records and not self._is_active(segment):
                self._remove(segment)

    def _note(self, number: int, offset: int) -> None:
        try:
            self._position.write(number, offset)
        except OSError as error:
            self._say(error)

    def _say(self, error: OSError) -> None:
        """Say once that the directory is not what it should be."""
        if not self._is_said:
            _log.error("what was sent cannot be noted; a restart sends it again", extra={"error": str(error)})
        self._is_said = True

    def restore(self) -> None:
        """The batch that was taken waits again."""
        with self._lock:
            self._sending = None

    def _remove(self, segment: _Segment) -> None:
        self._segments.remove(segment)
        try:
            self._path(segment.number).unlink(missing_ok=True)
        except OSError as error:
            self._say(error)

    def sync(self) -> None:
        """Have the disk keep what was appended; where it cannot, the next segment's end tells."""
        with self._lock, contextlib.suppress(OSError):
            self._sync()

    def _sync(self) -> None:
        if not self._is_synced:
            os.fsync(self._active)
            segment_files.sync_directory(self._directory)
            self._is_synced = True

    def close(self) -> None:
        """Sync and close all; a queue that is empty leaves no segment."""
        with self._lock:
            if self._active >= 0:
                self._finish()
            self._position.close()
            self._sending = None

    def _count(self, size: int, records: int) -> None:
        self.size += size
        self.records += records

    def _path(self, number: int) -> Path:
        return self._directory / f"{_PREFIX}{number}"
