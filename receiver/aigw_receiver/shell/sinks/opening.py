"""Opens the sinks that the configuration names. What each of them does stands in its own module."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from aigw_receiver.settings import AccessLogs
from aigw_receiver.shell.metrics import Telemetry
from aigw_receiver.shell.sinks import forward
from aigw_receiver.shell.sinks.base import Sink
from aigw_receiver.shell.sinks.file import FileSink
from aigw_receiver.shell.sinks.stdout import StdoutSink
from aigw_receiver.shell.sinks.store import StoreSink
from aigw_receiver.shell.start_error import StartError

_Sink = TypeVar("_Sink", bound=Sink)


@dataclasses.dataclass(frozen=True, slots=True)
class Sinks:
    """Where kept access logs go."""

    every: tuple[Sink, ...]
    store: StoreSink | None
    """the one of them that can be searched"""


def open_sinks(settings: AccessLogs, data_dir: Path | None, own: Telemetry) -> Sinks:
    """The sinks, each with its thread; the data directory must be ours already.

    Raises StartError where a file, a directory or certificates cannot be used.
    """
    store = _open_store(settings, data_dir, own)
    sinks: list[Sink] = [store] if store is not None else []
    if settings.stdout:
        sinks.append(StdoutSink(own.sink_records))
    file = settings.file
    path = file.path
    if path is not None:
        sinks.append(
            _open(
                lambda: FileSink(path, own.sink_records, size=file.size, keep=file.keep),
                f"cannot write access logs to {path}",
            )
        )
    sinks.extend([_open_forward(name, settings, data_dir, own) for name in settings.forward])
    return Sinks(tuple(sinks), store)


def _open_store(settings: AccessLogs, data_dir: Path | None, own: Telemetry) -> StoreSink | None:
    store = settings.store
    if not store.enabled:
        return None
    return _open(
        lambda: StoreSink(data_dir, own.sink_records, own.store_set_aside, retention=store.retention, size=store.size),
        "cannot open the store of access logs",
    )


def _open_forward(name: str, settings: AccessLogs, data_dir: Path | None, own: Telemetry) -> Sink:
    sink = _open(
        lambda: forward.open_sink(name, settings.forward[name], own.sink_records, data_dir),
        f"cannot forward access logs to {name}",
    )
    own.watch_queue(f"forward:{name}", lambda: float(sink.queued_bytes))
    return sink


def _open(opening: Callable[[], _Sink], what: str) -> _Sink:
    try:
        return opening()
    except OSError as error:
        message = f"{what}: {error.strerror or error}"
        raise StartError(message) from None
