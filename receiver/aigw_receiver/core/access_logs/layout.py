"""One format of one sender: where its attributes lie, and what records of it are known to have in common.

It proves of a record that it has this format, and takes from it what a Glance holds; of one that is kept it makes the
line by a `lines.Template`. It learns nothing by itself, and whatever it cannot prove is left to the full reading.
"""

import functools
import operator
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol

from aigw_receiver.core.access_logs import decode, lines, memos, reading, redaction
from aigw_receiver.core.access_logs.glance import Found, Glance, Group
from aigw_receiver.core.access_logs.model import AccessLog
from aigw_receiver.core.access_logs.reasons import LogDropReason

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
# The numbers that say whether a record is ordinary: the duration, and these counts of tokens.
_WEIGHED: Final = (reading.DURATION, reading.INPUT, reading.OUTPUT, reading.TOTAL)
# The other numbers of a Glance.
_UNWEIGHED: Final = (reading.CACHED, reading.CREATION, reading.REASONING)
NUMBERS: Final = (*_WEIGHED, *_UNWEIGHED)
"""Names of all numbers of a Glance."""

# Attributes whose values come again and again, but in more kinds than could be told apart like what repeats.
_FREQUENT: Final = frozenset({*reading.PATH, *reading.USER_AGENT})

# The value comes behind the key.
_FIELD_2: Final = bytes((decode.FIELD_2,))

# Records of one request up to which what proves their keys is kept: some kilobytes for each number and key.
_FEW: Final = 128

# The longest attributes, taken together, that are remembered; a client can send models of any length.
MAX_MEMORABLE: Final = 4096


class Memory(Protocol):
    """What all senders have in common."""

    @property
    def redacted(self) -> redaction.Redaction: ...  # noqa: D102
    @property
    def texts(self) -> memos.Texts: ...  # noqa: D102
    @property
    def templates(self) -> memos.Templates: ...  # noqa: D102
    def column(self, name: str) -> memos.Numbers: ...  # noqa: D102


class Sender(Protocol):
    """Reads its records in full."""

    def read(self, record: Any) -> AccessLog | LogDropReason: ...  # noqa: D102


class Layout:
    """The attributes of one format, by position, and the groups of the records that it has had."""

    __slots__ = (
        "_columns",
        "_constant",
        "_era",
        "_groups",
        "_known",
        "_memory",
        "_pick",
        "_pick_others",
        "_prefixes",
        "_read",
        "_sender",
        "_shaping",
        "_unweighed",
        "_varying",
        "_weighed",
        "keys",
    )

    def __init__(self, keys: list[str], memory: Memory, sender: Sender) -> None:
        self.keys = keys
        self._memory = memory
        self._sender = sender
        self._shaping = [i for i, key in enumerate(keys) if key in _SHAPING or key in _REPEATING]
        self._pick = _picker(self._shaping)
        self._groups: dict[tuple[bytes, ...], Group] = {}
        """by all attributes that repeat"""
        self._constant: dict[int, bytes] = {}
        """those of them that are the same in all groups, by position"""
        self._varying: list[int] = []
        """the positions of the others"""
        self._known: dict[tuple[bytes, ...], Group] = {}
        """the same groups, by the others alone"""
        self._era = object()
        """another one whenever others are constant: with it, those that vary stand for all that repeat"""
        self._weighed = [_number(keys, names, memory) for names in _WEIGHED]
        self._unweighed = [_number(keys, names, memory) for names in _UNWEIGHED]
        numbers = [number[0] for number in (*self._weighed, *self._unweighed) if number]
        others = [i for i in range(len(keys)) if i not in self._shaping and i not in numbers]
        self._pick_others = _picker(others)
        self._columns = lines.Columns([keys[i] for i in others])
        clean = memory.redacted.cleaner
        self._read = [(keys[i], len(memos.prefix(keys[i])), keys[i] in _FREQUENT, clean(keys[i])) for i in others]
        # Of a number that is not looked up, the key is proved as that of the others is.
        unread = [number[0] for number in self._unweighed if number]
        self._prefixes = [(i, memos.prefix(keys[i]) + _FIELD_2) for i in sorted((*others, *unread))]

    def remember(self, attributes: list[bytes], group: Group) -> None:
        """Know the group of all records that repeat what these attributes say."""
        raw = self._pick(attributes)
        if sum(map(len, raw)) > MAX_MEMORABLE:
            return
        if not self._groups:
            self._constant, self._varying, self._era = dict(zip(self._shaping, raw, strict=True)), [], object()
        self._groups[raw] = group
        changed = [position for position, value in self._constant.items() if attributes[position] != value]
        if changed:
            self._varying += changed
            self._era = object()
            self._constant = {i: value for i, value in self._constant.items() if i not in changed}
            at = [self._shaping.index(position) for position in self._varying]
            self._known = {tuple(known[i] for i in at): one for known, one in self._groups.items()}
        else:
            self._known[tuple(attributes[position] for position in self._varying)] = group

    def forget(self) -> None:
        """Know no group any longer."""
        self._groups.clear()
        self._known.clear()

    def glance(
        self, records: Sequence[Any], attributes: Sequence[list[bytes]], glances: list[Glance]
    ) -> list[Any] | None:
        """Count all these records, or add them at a glance; None, and nothing is done, where one is a surprise.

        `attributes` are those of the records. Answers the records, mostly none, that are to be read in full after all.
        What is done for all records at once costs a fraction of what it would cost one by one.
        """
        size, count = len(self.keys), len(records)
        bodies = [record.body for record in records]
        if list(map(len, attributes)).count(size) != count or (any(bodies) and any(map(_is_no_text, bodies))):
            return None
        columns = list(zip(*attributes, strict=True))
        for position, value in self._constant.items():
            if columns[position].count(value) != count:
                return None
        varying = [columns[position] for position in self._varying]
        repeated = list(zip(*varying, strict=True)) if varying else [()] * count
        groups = list(map(self._known.get, repeated))
        if None in groups:
            return None
        for position, prefix in self._prefixes:
            join, joined = _proof(prefix, count) if count <= _FEW else _make_proof(prefix, count)
            if join(*columns[position]) != joined:
                return None
        missing = (None,) * count
        try:
            duration, given, answered, total = [
                list(map(number[1].__getitem__, columns[number[0]])) if number else missing for number in self._weighed
            ]
        except memos.SurpriseError:
            return None
        weighed = zip(groups, duration, given, answered, total, repeated, records, attributes, strict=True)
        return self._count(weighed, glances)

    def _count(self, weighed: Iterable[Any], glances: list[Glance]) -> list[Any]:
        """Count records of which these values are known, or add them; answers those whose other numbers are broken."""
        left = []
        for group, duration, given, answered, total, repeated, record, attributes in weighed:
            tokens = given + answered if given is not None and answered is not None else given or answered or 0
            weight = total if total is not None and total > tokens else tokens
            if weight < group.tokens_below and (duration or 0.0) < group.duration_below:
                group.ordinary += 1
                if tokens or given is not None or answered is not None:
                    group.with_tokens += 1
                    group.input += given or 0
                    group.output += answered or 0
                if group.durations is not None and duration is not None:
                    group.durations.append(duration)
                continue
            try:
                cached, creation, reasoning = (
                    number[1][attributes[number[0]]] if number else None for number in self._unweighed
                )
            except memos.SurpriseError:
                left.append(record)
                continue
            group.seen = True
            counts = (given, cached, creation, answered, reasoning, reading.total_of(total, given, answered))
            glances.append(Glance(group, duration, *counts, self, record, attributes, (self._era, repeated)))
        return left

    def read(self, record: Any) -> AccessLog | LogDropReason:
        """A record of the sender in full."""
        return self._sender.read(record)

    def line(self, glance: Glance, found: Found) -> bytes | LogDropReason:
        """The line of a record that this layout has made a Glance of; or why it is no record after all."""
        record = glance.record
        template = self._memory.templates.get(glance.repeated)
        if template is None:
            return self._first_line(glance, found)
        try:
            values = self._values(glance.attributes)
            body, inner = decode.read_body(record) if record.body else ("", None)
        except decode.DecodeError:
            return LogDropReason.MALFORMED_RECORD
        if values is None or inner:
            return lines.in_full(self.read(record), found)
        return template.line(glance, values, self._memory.redacted.body(body), found)

    def _values(self, attributes: list[bytes]) -> list[str | None] | None:
        """The values of the columns as they may be kept; None if an attribute has another key after all."""
        missing, heads = reading.MISSING, decode.TEXT_HEADS
        texts = self._memory.texts
        values: list[str | None] = []
        for (name, end, is_frequent, clean), raw in zip(self._read, self._pick_others(attributes), strict=True):
            size = len(raw) - end - 2
            if is_frequent:
                key, _, kept = texts[raw]
            elif size < decode.ONE_BYTE and raw[end : end + 4] == heads[size]:
                key, value = name, raw[end + 4 :].decode("utf-8", "replace")
                kept = None if value in missing else clean(value)
            else:
                key, _, kept = texts[raw]
            if key != name:
                return None
            values.append(kept)
        return values

    def _first_line(self, glance: Glance, found: Found) -> bytes | LogDropReason:
        """The same, where nothing is prepared; the next record with the same attributes will find it prepared."""
        log = self.read(glance.record)
        if isinstance(log, AccessLog):
            self._memory.templates.remember(glance.repeated, lines.Template(self._columns, log))
        return lines.in_full(log, found)


def _number(keys: list[str], names: tuple[str, ...], memory: Memory) -> tuple[int, memos.Numbers] | None:
    """Where a number with one of these names lies, and the numbers that it has had; None where there is none."""
    name = next((name for name in names if name in keys), None)
    return None if name is None else (keys.index(name), memory.column(name))


def _make_proof(prefix: bytes, count: int) -> tuple[Callable[..., bytes], bytes]:
    """What joins the beginnings of so many texts, each as long as the prefix, and what is to come of it."""
    return struct.Struct(f"{len(prefix)}s" * count).pack, prefix * count


_proof: Final = functools.lru_cache(maxsize=1024)(_make_proof)


def _is_no_text(body: bytes) -> bool:
    """Whether a record has a body that may hold fields."""
    return bool(body) and body[0] != decode.FIELD_1


def _picker(positions: list[int]) -> Callable[[list[bytes]], tuple[bytes, ...]]:
    """What takes the attributes at these positions."""
    if len(positions) > 1:
        return operator.itemgetter(*positions)
    return lambda attributes: tuple(attributes[position] for position in positions)
