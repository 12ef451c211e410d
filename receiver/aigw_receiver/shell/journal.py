"""Keeps what was taken in over a restart: a snapshot of the store, and a journal of everything since.

    DIRECTORY/snapshot-N.npz    the store before the first record of journal N
    DIRECTORY/journal-N.bin     records: kind (1 byte), time (8), length of the body (4), checksum of all else (4), body

A record is written before the export is acknowledged, and handed to the operating system, so that it outlives the
process but not a machine that fails (no fsync for each export; a snapshot is synced). A record that was cut off by a
crash was never acknowledged, and ends the replay. A file that cannot be read is set aside, and said, never fatal.
It decides nothing: a replay takes the same way through the core as the export did.
"""

import io
import json
import logging
import os
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from aigw_receiver.core import snapshot, wire
from aigw_receiver.core.access_logs.counters import Counters, counters_beside
from aigw_receiver.core.pricing.cost_series import FAMILY, CostSeries, Mark
from aigw_receiver.core.scrapers import Scraper
from aigw_receiver.core.store import Store
from aigw_receiver.shell.metrics import Telemetry

_log: Final = logging.getLogger(__name__)

_HEAD: Final = struct.Struct("<BQI")
_CHECKSUM: Final = struct.Struct("<I")
_EXPORT, _SCRAPE, _OPENING, _COSTS, _LOGS = 1, 2, 3, 4, 5
_DOCUMENT: Final = "document"
_COSTS_STATE: Final = "costs"
_LOGS_STATE: Final = "access_logs"


class Journal:
    """The data directory of one receiver."""

    def __init__(self, directory: Path, telemetry: Telemetry, *, max_size: int) -> None:
        self._directory = directory
        self._telemetry = telemetry
        self._max_size = max_size
        self.costs = CostSeries()
        """the counters of cost, kept and restored beside the store"""
        self.log_counters: Counters
        """the counters made from access logs, beside the store that `restore` answers"""
        self._number = 0
        self._size = 0
        self._file = -1
        self._lock = -1
        self._writer: threading.Thread | None = None

    def restore(self, new_store: Callable[[], Store], now: int) -> Store:
        """The store as an earlier run left it, or a new one; begins a new journal.

        Raises OSError where the directory cannot be used.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        store = new_store()
        self.log_counters = counters_beside(store)
        for number in reversed(self._numbers("snapshot-*.npz")):
            loaded = self._load(new_store(), self._path("snapshot", number, "npz"), now)
            if loaded is not None:
                store, self._number = loaded, number
                break
        replayed = 0
        for number in self._numbers("journal-*.bin"):
            if number >= self._number:
                replayed += self._replay(store, self._path("journal", number, "bin"))
                self._number = number
        for source in store.sources.values():
            source.quiet_since = now
        if store.census.streams or replayed:
            _log.info("state restored", extra={"streams": store.census.streams, "records": replayed})
        self._begin_journal()
        self._write_snapshot(self._number, *self._state(store))
        return store

    def _state(self, store: Store) -> tuple[dict[str, Any], dict[str, Any]]:
        """The document and the arrays of a snapshot."""
        document, arrays = snapshot.dump(store)
        costs, arrays_of_costs = self.costs.state()
        more = {_COSTS_STATE: costs, _LOGS_STATE: self.log_counters.dump()}
        return document | more, arrays | arrays_of_costs

    def _take_lock(self) -> None:
        """Two receivers on one directory would each undo what the other keeps. The lock ends with the process."""
        self._lock = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.lockf(self._lock, os.F_TLOCK, 0)
        except OSError:
            message = "another receiver uses this directory"
            raise OSError(None, message) from None

    def append_export(self, body: bytes, now: int, store: Store) -> None:
        """Keep one export; when the journal has grown too large, a new one is begun and a snapshot written."""
        self._append(_EXPORT, body, now)
        self._shorten(store, now)

    def append_logs(self, changes: list[list[Any]], now: int, store: Store) -> bool:
        """Keep what has changed in the counters of access logs; answers whether that was possible."""
        kept = self._append_quietly(_LOGS, json.dumps(changes).encode(), now)
        if kept:
            self._shorten(store, now)
        return kept

    def _shorten(self, store: Store, now: int) -> None:
        if self._size > self._max_size and not (self._writer and self._writer.is_alive()):
            # Should the snapshot fail, the old journal must have all that the counters say.
            changes = self.log_counters.changes(now)
            if changes:
                self._append_quietly(_LOGS, json.dumps(changes).encode(), now)
            self._begin_journal()
            state = self._state(store)
            self._writer = threading.Thread(target=self._write_snapshot, args=(self._number, *state), name="snapshot")
            self._writer.start()

    def append_opening(self, opened: int, now: int) -> None:
        """Keep up to which birth streams are shown at their value, before they are: no 0 may follow a value."""
        self._append_quietly(_OPENING, json.dumps(opened).encode(), now)

    def append_scrape(self, scraper: Scraper, mark: int, newest: int, now: int) -> None:
        """Keep what a scraper was shown."""
        self._append_quietly(_SCRAPE, json.dumps([scraper.number, scraper.name, mark, newest]).encode(), now)

    def append_costs(self, mark: Mark, now: int) -> bool:
        """Keep that tokens were priced, and how, before it is shown; answers whether that was possible."""
        return self._append_quietly(_COSTS, json.dumps(mark).encode(), now)

    def _append_quietly(self, kind: int, body: bytes, now: int) -> bool:
        """Keep a record without which a scrape is served all the same; a failure is only said."""
        try:
            self._append(kind, body, now)
        except OSError as error:
            _log.error("the journal cannot be written", extra={"error": str(error)})
            return False
        return True

    def _append(self, kind: int, body: bytes, now: int) -> None:
        head = _HEAD.pack(kind, now, len(body))
        parts = (head, _CHECKSUM.pack(zlib.crc32(body, zlib.crc32(head))), body)
        size = sum(map(len, parts))
        try:
            if os.writev(self._file, parts) != size:
                raise OSError(None, "the disk is full")  # noqa: TRY301
        except OSError:
            os.ftruncate(self._file, self._size)
            os.lseek(self._file, self._size, os.SEEK_SET)
            raise
        self._size += size
        self._telemetry.journal_bytes.set(self._size)

    def _begin_journal(self) -> None:
        """The next journal. What comes before it is kept until a snapshot says the same."""
        file = _open_private(self._path("journal", self._number + 1, "bin"))
        if self._file >= 0:
            os.close(self._file)
        self._number, self._file, self._size = self._number + 1, file, 0

    def _write_snapshot(self, number: int, document: dict[str, Any], arrays: dict[str, Any]) -> None:
        """Write the state before journal `number`, then remove what is older. A failure loses nothing: all is kept."""
        temporary = self._path("snapshot", number, "tmp")
        try:
            with os.fdopen(_open_private(temporary), "wb") as file:
                text = np.frombuffer(json.dumps(document).encode(), np.uint8)
                np.savez(file, allow_pickle=False, **{_DOCUMENT: text}, **arrays)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path("snapshot", number, "npz"))
            for kind, suffix in (("snapshot", "npz"), ("journal", "bin")):
                for old in self._numbers(f"{kind}-*.{suffix}"):
                    if old < number:
                        self._path(kind, old, suffix).unlink(missing_ok=True)
        except OSError as error:
            self._telemetry.snapshots.labels("failure").inc()
            _log.error("no snapshot could be written; the journals are kept", extra={"error": str(error)})
            return
        self._telemetry.snapshots.labels("success").inc()

    def close(self, store: Store) -> None:
        """Leave a snapshot, so that the next start has nothing to replay."""
        if self._writer is not None:
            self._writer.join()
        self._begin_journal()
        self._write_snapshot(self._number, *self._state(store))
        os.close(self._file)
        os.close(self._lock)

    def _load(self, store: Store, path: Path, now: int) -> Store | None:
        """The empty store, filled; None where the file is damaged."""
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                arrays: dict[str, Any] = {name: file[name] for name in file.files}
            document, costs = json.loads(arrays.pop(_DOCUMENT).tobytes()), CostSeries()
            snapshot.load(store, document, arrays, now)
            if _COSTS_STATE in document:
                costs.restore(document[_COSTS_STATE], arrays, store.families.get(FAMILY))
            log_counters = counters_beside(store)
            if _LOGS_STATE in document:
                log_counters.restore(document[_LOGS_STATE], now)
        except Exception as error:  # noqa: BLE001 - a damaged file can fail in any way
            self._set_aside(path, error)
            return None
        self.costs, self.log_counters = costs, log_counters
        return store

    def _replay(self, store: Store, path: Path) -> int:
        """Take in the records of one journal again; answers how many."""
        count = 0
        for kind, time, body in _records(path.read_bytes()):
            if kind == _EXPORT:
                try:
                    store.export(body, time)
                except wire.DecodeError as error:
                    self._set_aside(path, error)
                    return count
            elif kind == _OPENING:
                store.scrapers.open_up_to(json.loads(body))
            elif kind == _SCRAPE:
                number, name, mark, newest = json.loads(body)
                store.scrapers.repeat(number, name, mark, newest, time)
            elif kind == _LOGS:
                self.log_counters.replay(json.loads(body), time)
            elif kind == _COSTS:
                try:
                    self.costs.replay(json.loads(body), store.families.get(FAMILY), store.scrapers.opened, time)
                except ValueError as error:
                    self._set_aside(path, error)
                    return count
            count += 1
        return count

    def _set_aside(self, path: Path, error: Exception) -> None:
        aside = path.with_suffix(path.suffix + ".damaged")
        path.replace(aside)
        _log.error(
            "a file in the data directory is damaged; it is set aside", extra={"file": str(aside), "error": repr(error)}
        )

    def _path(self, kind: str, number: int, suffix: str) -> Path:
        return self._directory / f"{kind}-{number}.{suffix}"

    def _numbers(self, pattern: str) -> list[int]:
        numbers = (path.stem.partition("-")[2] for path in self._directory.glob(pattern))
        return sorted(int(number) for number in numbers if number.isdecimal())


def _open_private(path: Path) -> int:
    """A new file that nobody else may read: what is kept holds the names of models and pods."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)


def _records(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The records of a journal, up to the first that is not whole."""
    position = 0
    start = _HEAD.size + _CHECKSUM.size
    while position + start <= len(data):
        head = data[position : position + _HEAD.size]
        (checksum,) = _CHECKSUM.unpack_from(data, position + _HEAD.size)
        kind, time, length = _HEAD.unpack(head)
        body = data[position + start : position + start + length]
        if checksum != zlib.crc32(body, zlib.crc32(head)):
            _log.warning("the journal ends within a record", extra={"position": position})
            return
        yield kind, time, body
        position += start + length
