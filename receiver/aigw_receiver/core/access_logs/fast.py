"""The fast path: what rules and counters need of a record, from bytes that are known by heart. It decides nothing.

Most records are dropped, so most are never read in full. A sender writes all its records by one format: the same
attributes in the same order. From the first record its *layout* is learned; after that a record costs a few look-ups:

- What repeats (gateway, models, backend, status, flags, …) is one tuple of raw attributes, and the memo knows the
  `Shape` that the full reading made of the first record with this tuple. A hit proves the keys and the values.
- The numbers are looked up attribute by attribute; a hit proves the key, and what is new is parsed and checked.
- Every other attribute must still have the key that it had, so that none can have become one that matters.

Anything else is a surprise, and the record is read in full. One thing is taken on trust: that an attribute that begins
with its key does not give another key behind its value, which no encoder writes.

The memos are bounded: one that is full is emptied, and fills again with what is still being sent.
"""

import operator
from collections.abc import Callable, Sequence
from typing import Any, Final

from aigw_receiver.core.access_logs import decode, memos, reading, redaction
from aigw_receiver.core.access_logs.glance import Drained, Glance, Group, Shape, shape_values
from aigw_receiver.core.access_logs.model import AccessLog
from aigw_receiver.core.access_logs.reasons import LogDropReason
from aigw_receiver.core.model import Identity

# Attributes that a Shape is made of: all names that reading has for its fields.
_SHAPING: Final = frozenset(
    {
        *(reading.ROUTE_TYPE, reading.POD),
        *reading.STATUS,
        *reading.FLAGS,
        *reading.DETAILS,
        *reading.TERMINATION,
        *reading.FAILURE,
        *reading.UPSTREAM_HOST,
        *reading.ERROR_TYPE,
        *reading.REQUESTED_MODEL,
        *reading.ANSWERED_MODEL,
        *reading.BACKEND,
        *reading.ROUTE,
        *reading.MCP_METHOD,
        *reading.MCP_TOOL,
        *reading.MCP_BACKEND,
    }
)
# Nothing is made of these, but they repeat: to be part of the tuple is cheaper than to have their key checked.
_REPEATING: Final = frozenset(
    {"k8s.namespace.name", "method", "upstream_cluster", "downstream_local_address", "http.request.method"}
)
# The numbers of a Glance, in its order: the duration, and the counts of tokens.
_NUMBERS: Final = (
    reading.DURATION,
    reading.INPUT,
    reading.CACHED,
    reading.CREATION,
    reading.OUTPUT,
    reading.REASONING,
    reading.TOTAL,
)

# Bounds of the memos. A gateway has some dozens of models, a handful of backends, statuses and flags.
MAX_SHAPES: Final = 16_384
MAX_SOURCES: Final = 4096
# Formats of one source: it has one for LLM and one for MCP routes, and others while its configuration changes.
MAX_LAYOUTS: Final = 4
# The longest tuple of attributes that a memo keeps; a client can send models of any length.
MAX_MEMORABLE: Final = 4096


class _Layout:
    """The attributes of one format, by position, and the shapes that records of it have had."""

    __slots__ = ("columns", "groups", "keys", "other_keys", "pick", "pick_others", "positions")

    def __init__(self, keys: list[str], column: Callable[[str], memos.Numbers]) -> None:
        self.keys = keys
        names = [_present(keys, aliases) for aliases in _NUMBERS]
        self.columns = tuple(column(name) if name else None for name in names)
        self.positions = tuple(keys.index(name) if name else 0 for name in names)
        shaping = [i for i, key in enumerate(keys) if key in _SHAPING or key in _REPEATING]
        others = [i for i, key in enumerate(keys) if i not in shaping and key not in names]
        self.pick = _picker(shaping)
        self.pick_others = _picker(others)
        self.other_keys = [memos.prefix(keys[i]) + bytes((decode.FIELD_2,)) for i in others]
        self.groups: dict[tuple[bytes, ...], Group] = {}

    def glance(  # noqa: C901 - a call for each record, or for each number of one, would cost a third more
        self, records: Sequence[Any], start: int, source: "Source", glances: list[Glance]
    ) -> int:
        """Add the records from `start` on, at a glance, up to the first surprise: its position."""
        size, get, pick, pick_others, other_keys = (
            len(self.keys),
            self.groups.get,
            self.pick,
            self.pick_others,
            self.other_keys,
        )
        c0, c1, c2, c3, c4, c5, c6 = self.columns
        p0, p1, p2, p3, p4, p5, p6 = self.positions
        startswith = bytes.startswith
        position = start
        for position in range(start, len(records)):
            record = records[position]
            attributes = record.attributes[:]
            if len(attributes) != size or ((body := record.body) and body[0] != decode.FIELD_1):
                return position
            group = get(pick(attributes))
            if group is None or False in map(startswith, pick_others(attributes), other_keys):
                return position
            try:
                duration = c0[attributes[p0]] if c0 is not None else None
                given = c1[attributes[p1]] if c1 is not None else None
                cached = c2[attributes[p2]] if c2 is not None else None
                creation = c3[attributes[p3]] if c3 is not None else None
                answered = c4[attributes[p4]] if c4 is not None else None
                reasoning = c5[attributes[p5]] if c5 is not None else None
                total = c6[attributes[p6]] if c6 is not None else None
            except memos.SurpriseError:
                return position
            both = (given or 0) + (answered or 0)
            if total is None:
                if given is not None and answered is not None:
                    total = both
            elif total < both:
                total = both
            sums = group.sums
            sums[0] += 1
            if given:
                sums[1] += given
            if cached:
                sums[2] += cached
            if creation:
                sums[3] += creation
            if answered:
                sums[4] += answered
            if reasoning:
                sums[5] += reasoning
            if total:
                sums[6] += total
            weighed = both if total is None else total
            if (duration or 0.0) < group.duration_below and weighed < group.tokens_below:
                group.ordinary += 1
                if given is None and answered is None:
                    group.without_tokens += 1
                if group.durations is not None and duration is not None:
                    group.durations.append(duration)
                continue
            group.seen_input += given or 0
            group.seen_output += answered or 0
            counts = (given, cached, creation, answered, reasoning, total)
            glances.append(Glance(group, duration, *counts, source, record))
        return len(records)


class Source:
    """One resource that sends records, with the formats that it has been seen to use."""

    __slots__ = ("_identity", "_layouts", "_pod", "_reader", "attributes")

    def __init__(self, attributes: dict[str, str], reader: "Reader") -> None:
        self.attributes = attributes
        self._reader = reader
        self._layouts: list[_Layout] = []
        self._pod = ""
        self._identity: Identity | None = None

    def glance(self, records: Sequence[Any], glances: list[Glance], rejected: dict[LogDropReason, int]) -> None:
        """Add records at a glance; those that are none are counted by reason."""
        position = 0
        while position < len(records):
            begin = position
            for layout in self._layouts:
                position = layout.glance(records, position, self, glances)
                if position == len(records):
                    return
            if position > begin:
                continue
            # None of the layouts knows the next record.
            glance = self._glance_in_full(records[position])
            if isinstance(glance, Glance):
                glances.append(glance)
            else:
                rejected[glance] = rejected.get(glance, 0) + 1
            position += 1

    def read(self, record: Any) -> AccessLog | LogDropReason:
        """A record of this source in full."""
        return self._read(record)[0]

    def _read(self, record: Any) -> tuple[AccessLog | LogDropReason, list[str]]:
        """A record of this source in full, and its keys; of a record with fields in its body they are left out."""
        raw: list[bytes] = record.attributes[:]
        redacted, known_texts = self._reader.redacted, self._reader.texts
        fields, clean = {}, {}
        try:
            body, inner = decode.read_body(record)
            for key, value in inner.items():
                fields[key] = value
                if (kept := reading.clean_value(key, value, redacted)) is not None:
                    clean[key] = kept
            for attribute in raw:
                key, fields[key], kept = known_texts[attribute]
                if kept is not None:
                    clean[key] = kept
                else:
                    clean.pop(key, None)
        except decode.DecodeError:
            return LogDropReason.MALFORMED_RECORD, []
        pod = fields.get(reading.POD, "")
        if pod != self._pod or self._identity is None:
            self._pod, self._identity = pod, reading.identify(self.attributes, pod)
        time = decode.time_of(record)
        log = reading.read(fields, body, time, self.attributes, redacted, known=self._identity, clean=clean)
        return log, [] if inner else list(fields)

    def forget(self) -> None:
        """Empty the memo of shapes."""
        for layout in self._layouts:
            layout.groups.clear()

    def _glance_in_full(self, record: Any) -> Glance | LogDropReason:
        log, keys = self._read(record)
        if isinstance(log, LogDropReason):
            return log
        group = self._reader.group_of(log)
        attributes: list[bytes] = record.attributes[:]
        layout = self._layout(keys, attributes)
        if layout is not None:
            raw = layout.pick(attributes)
            if sum(map(len, raw)) <= MAX_MEMORABLE:
                layout.groups[raw] = group
        tokens = log.tokens
        counts = (tokens.input, tokens.cached, tokens.creation, tokens.output, tokens.reasoning, tokens.total)
        for position, value in enumerate((1, *counts)):
            group.sums[position] += value or 0
        group.seen_input += tokens.input or 0
        group.seen_output += tokens.output or 0
        return Glance(group, log.duration, *counts, self, record)

    def _layout(self, keys: list[str], attributes: list[bytes]) -> _Layout | None:
        """The layout with just these keys, learned now if need be; None where there cannot be one."""
        for layout in self._layouts:
            if layout.keys == keys:
                return layout
        if not keys or len(self._layouts) >= MAX_LAYOUTS or not self._reader.is_learnable(keys):
            return None
        # A key that occurs twice, or an attribute that does not begin with its key, in the shortest encoding.
        if len(keys) != len(attributes) or not all(map(bytes.startswith, attributes, map(memos.prefix, keys))):
            return None
        layout = _Layout(keys, self._reader.column)
        self._layouts.append(layout)
        return layout


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
        """What was summed up since the last call, by shape."""
        drained, self._left = self._left, []
        drained += [group.drain() for group in self._groups.values() if group.sums[0]]
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
        for aliases in _NUMBERS:
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


def _present(keys: list[str], names: tuple[str, ...]) -> str:
    """The one of these names that is a key; "" where none is."""
    return next((name for name in names if name in keys), "")


def _picker(positions: list[int]) -> Callable[[list[bytes]], tuple[bytes, ...]]:
    """What takes the attributes at these positions."""
    if len(positions) > 1:
        return operator.itemgetter(*positions)
    return lambda attributes: tuple(attributes[position] for position in positions)
