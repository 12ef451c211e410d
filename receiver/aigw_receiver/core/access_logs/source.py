"""One sender of records: it reads them in full, and learns the layouts by which the next ones are read at a glance."""

from collections.abc import Sequence
from typing import Any, Final, Protocol

from aigw_receiver.core.access_logs import decode, lines, memos, reading
from aigw_receiver.core.access_logs import layout as layouts
from aigw_receiver.core.access_logs.glance import Found, Glance, Group
from aigw_receiver.core.access_logs.layout import Layout
from aigw_receiver.core.access_logs.model import AccessLog
from aigw_receiver.core.access_logs.reasons import LogDropReason
from aigw_receiver.core.model import Identity

# Formats of one source: it has one for LLM and one for MCP routes, and others while its configuration changes.
MAX_LAYOUTS: Final = 4
# Records that are looked at together, so that they are still at hand for each look.
_AT_ONCE: Final = 64


class Memory(layouts.Memory, Protocol):
    """What all sources have in common."""

    def group_of(self, log: AccessLog) -> Group: ...  # noqa: D102
    def is_learnable(self, keys: list[str]) -> bool: ...  # noqa: D102


class Source:
    """One resource that sends records, with the formats that it has been seen to use."""

    __slots__ = ("_attributes", "_identity", "_layouts", "_memory", "_pod")

    def __init__(self, attributes: dict[str, str], memory: Memory) -> None:
        """From the attributes of the resource."""
        self._attributes = attributes
        self._memory = memory
        self._layouts: list[Layout] = []
        self._pod = ""
        self._identity: Identity | None = None

    def glance(self, records: Sequence[Any], glances: list[Glance], rejected: dict[LogDropReason, int]) -> None:
        """Add records at a glance; those that are none are counted by reason."""
        for start in range(0, len(records), _AT_ONCE):
            some = records[start : start + _AT_ONCE]
            attributes = [record.attributes[:] for record in some]
            sizes = set(map(len, attributes))
            if len(sizes) == 1:
                self._glance(some, attributes, glances, rejected)
            else:
                # Two formats mostly differ in how many attributes they have, and each has a layout for all its records.
                mixed: list[Glance] = []
                for size in sizes:
                    places = [place for place, one in enumerate(attributes) if len(one) == size]
                    chosen = [attributes[place] for place in places]
                    self._glance([some[place] for place in places], chosen, mixed, rejected)
                order = {id(record): place for place, record in enumerate(some)}
                glances += sorted(mixed, key=lambda glance: order[id(glance.record)])

    def _glance(
        self,
        records: Sequence[Any],
        attributes: list[list[bytes]],
        glances: list[Glance],
        rejected: dict[LogDropReason, int],
    ) -> None:
        """Add them all by one layout; else, half by half, as many as possible."""
        left: Sequence[Any] | None = None
        for layout in self._layouts:
            left = layout.glance(records, attributes, glances)
            if left is not None:
                break
        else:
            if len(records) > 1:
                middle = len(records) // 2
                self._glance(records[:middle], attributes[:middle], glances, rejected)
                self._glance(records[middle:], attributes[middle:], glances, rejected)
                return
        for record in records if left is None else left:
            glance = self._glance_in_full(record)
            if isinstance(glance, Glance):
                glances.append(glance)
            else:
                rejected[glance] = rejected.get(glance, 0) + 1

    def read(self, record: Any) -> AccessLog | LogDropReason:
        """A record of this source in full."""
        return self._read(record)[0]

    def line(self, glance: Glance, found: Found) -> bytes | LogDropReason:
        """The line of a record that no layout knew."""
        return lines.in_full(self.read(glance.record), found)

    def _read(self, record: Any) -> tuple[AccessLog | LogDropReason, dict[str, str]]:
        """A record of this source in full, and its attributes; none of a record with fields in its body."""
        raw: list[bytes] = record.attributes[:]
        redacted, known_texts = self._memory.redacted, self._memory.texts
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
            return LogDropReason.MALFORMED_RECORD, {}
        pod = fields.get(reading.POD, "")
        if pod != self._pod or self._identity is None:
            self._pod, self._identity = pod, reading.identify(self._attributes, pod)
        time = decode.time_of(record)
        log = reading.read(fields, body, time, self._attributes, redacted, known=self._identity, clean=clean)
        return log, {} if inner else fields

    def forget(self) -> None:
        """Empty the memo of shapes."""
        for layout in self._layouts:
            layout.forget()

    def _glance_in_full(self, record: Any) -> Glance | LogDropReason:
        log, fields = self._read(record)
        if isinstance(log, LogDropReason):
            return log
        group = self._memory.group_of(log)
        attributes: list[bytes] = record.attributes[:]
        layout = self._layout(list(fields), attributes)
        if layout is not None and _is_certain(fields):
            layout.remember(attributes, group)
        group.seen = True
        tokens = log.tokens
        counts = (tokens.input, tokens.cached, tokens.creation, tokens.output, tokens.reasoning, tokens.total)
        return Glance(group, log.duration, *counts, self, record, attributes)

    def _layout(self, keys: list[str], attributes: list[bytes]) -> Layout | None:
        """The layout with just these keys, learned now if need be; None where there cannot be one."""
        # Of a key that occurs twice, the last value counts.
        if len(keys) != len(attributes):
            return None
        for layout in self._layouts:
            if layout.keys == keys:
                return layout
        if not keys or len(self._layouts) >= MAX_LAYOUTS or not self._memory.is_learnable(keys):
            return None
        # An attribute that does not begin with its key, in the shortest encoding.
        if not all(map(bytes.startswith, attributes, map(memos.prefix, keys))):
            return None
        layout = Layout(keys, self._memory, self)
        self._layouts.append(layout)
        return layout


def _is_certain(fields: dict[str, str]) -> bool:
    """Whether other numbers would not make it one for another route type, where it does not say its own."""
    numbers = [name for aliases in layouts.NUMBERS for name in aliases if name in fields]
    return 1 == len({reading.route_type_of({**fields, **dict.fromkeys(numbers, value)}) for value in ("-", "0")})
