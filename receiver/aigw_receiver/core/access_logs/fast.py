"""The fast path: what rules and counters need of a record, from bytes that are known by heart. It decides nothing.

Most records are dropped, so most are never read in full. A sender writes all its records by one format: the same
attributes in the same order. From the first record its `Layout` is learned; after that the records of a request are
looked at together, attribute by attribute, which costs a fraction of what each would cost by itself:

- What repeats (gateway, models, backend, status, flags, …) is known by its bytes, and the memo knows the `Shape` that
  the full reading made of the first record with these. A hit proves the keys and the values.
- The numbers by which a record is ordinary are looked up by their bytes; a hit proves the key, and what is new is
  parsed and checked.
- Every other attribute must still have the key that it had, so that none can have become one that matters. In an
  ordinary record nothing else of it is read.

Where that does not hold for all, it is tried with half as many; what one record has by itself is a surprise, and it is
read in full. One thing is taken on trust: that an attribute that begins with its key does not give another key behind
its value, which no encoder writes.

The memos are bounded: one that is full is emptied, and fills again with what is still being sent.
"""

from collections.abc import Callable
from typing import Final

from aigw_receiver.core.access_logs import decode, layout, memos, redaction
from aigw_receiver.core.access_logs.glance import Drained, Glance, Group, Shape, shape_values
from aigw_receiver.core.access_logs.model import AccessLog
from aigw_receiver.core.access_logs.reasons import LogDropReason
from aigw_receiver.core.access_logs.source import Source

# Bounds of the memos. A gateway has some dozens of models, a handful of backends, statuses and flags.
MAX_SHAPES: Final = 16_384
MAX_SOURCES: Final = 4096


class Reader:
    """Reads requests at a glance, and remembers what makes that fast. One thread at a time.

    `limit` is given each new group, to say which of its records are ordinary.
    """

    def __init__(
        self, redacted: redaction.Redaction = redaction.DEFAULT, limit: Callable[[Group], None] = lambda _: None
    ) -> None:
        self.redacted = redacted
        self._limit = limit
        self.texts = memos.Texts(redacted)
        self.templates = memos.Templates()
        self._sources: dict[bytes, Source] = {}
        self._columns: dict[str, memos.Numbers] = {}
        self._groups: dict[tuple[object, ...], Group] = {}
        self._left: list[Drained] = []
        self._held = 0

    def read(self, body: bytes) -> tuple[list[Glance], dict[LogDropReason, int]]:
        """The records of an ExportLogsServiceRequest that are not ordinary, and how many were refused, by reason.

        Raises `wire.DecodeError` where the request cannot be parsed.
        """
        glances: list[Glance] = []
        rejected: dict[LogDropReason, int] = {}
        for resource, records in decode.read_request(body):
            source = self._source(resource)
            if source is not None:
                source.glance(records, glances, rejected)
            elif records:
                reason = LogDropReason.MALFORMED_RECORD
                rejected[reason] = rejected.get(reason, 0) + len(records)
        return glances, rejected

    def drain(self) -> list[Drained]:
        """What was counted since the last call, by shape; shapes of which no record was ordinary have counts of 0."""
        drained, self._left = self._left, []
        drained += [group.drain() for group in self._groups.values() if group.ordinary or group.seen]
        return drained

    def groups(self) -> list[Group]:
        """All groups that are known, for whoever learned something new of what is ordinary."""
        return list(self._groups.values())

    def group_of(self, log: AccessLog) -> Group:
        """The one group for a record's values; empties the memos where they are full."""
        self._held += 1
        if self._held > MAX_SHAPES:
            self._held = 1
            self._left = self.drain()
            self._groups.clear()
            for source in self._sources.values():
                source.forget()
        values = shape_values(log)
        group = self._groups.get(values)
        if group is None:
            group = self._groups[values] = Group(Shape(*values))
            self._limit(group)
        return group

    def column(self, name: str) -> memos.Numbers:
        """The numbers that an attribute of this name has had, from any source."""
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = memos.Numbers(name)
        return column

    def is_learnable(self, keys: list[str]) -> bool:
        """Whether a glance can tell what the full reading tells, of a format with these keys."""
        for aliases in layout.NUMBERS:
            present = [name for name in aliases if name in keys]
            # Of two names for one number, the full reading takes the first that has a value.
            if len(present) > 1 or any(self.redacted.attribute(name, "1") != "1" for name in present):
                return False
        return all(0 < len(key.encode()) < decode.ONE_BYTE for key in keys)

    def _source(self, resource: bytes) -> Source | None:
        source = self._sources.get(resource)
        if source is None:
            try:
                attributes = decode.read_resource(resource)
            except decode.DecodeError:
                return None
            if len(self._sources) >= MAX_SOURCES:
                self._sources.clear()
                self._held = 0
            source = self._sources[resource] = Source(attributes, self)
        return source
