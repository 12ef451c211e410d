"""Finds watches that are open and say nothing: what a list has shown must sooner or later come by the watch as well.

A connection may look healthy and be dead, so neither its state nor the age of the last event tells: a quiet cluster has
none. Objects that are gone do not count, as after a cut watch there is no event for them.
"""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Final

from aigw_operator.core.model import Kind, NamespacedName, ObjectKey
from aigw_operator.shell.store import Changed

# kopf opens a watch anew that has been silent for 70 s (bookmarks come each minute), and goes on where it stopped.
_PATIENCE: Final = 180.0


@dataclasses.dataclass(frozen=True, slots=True)
class _Missing:
    version: str
    since: float


class Watchdog:
    """What the watches still owe. Times are seconds of any one clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._missing: dict[ObjectKey, _Missing] = {}

    def expect(self, kind: Kind, changes: Iterable[Changed]) -> None:
        """A list has shown these, and no event before it has."""
        for change in changes:
            key = ObjectKey(kind, change.name)
            if not change.version:
                self._missing.pop(key, None)
            elif key not in self._missing:
                self._missing[key] = _Missing(change.version, self._clock())

    def see(self, kind: Kind, name: NamespacedName, version: str) -> None:
        """An event has come."""
        key = ObjectKey(kind, name)
        missing = self._missing.get(key)
        if missing is None:
            return
        comparable = version.isdecimal() and missing.version.isdecimal()
        if not comparable or int(version) >= int(missing.version):
            del self._missing[key]

    def dead(self) -> str:
        """Which watch is dead, "" if none is known to be."""
        limit = self._clock() - _PATIENCE
        late = sorted(key for key, missing in self._missing.items() if missing.since < limit)
        return f"the watch of {late[0].kind.plural} is dead: it has not shown {late[0].name}" if late else ""
