"""The lines of JSON of kept records whose format is known, without the records being read in full.

A line is what `flat.to_json_line` writes of the same record, to the byte. What follows from the attributes that repeat
is ready text, made once from a full reading; only what differs from record to record is read and encoded, after it was
redacted like everything else. It decides nothing, and a record that is not what its layout says gets no line here.
"""

import dataclasses
import functools
from typing import Final

from aigw_receiver.core.access_logs import flat, reading
from aigw_receiver.core.access_logs.glance import Found, Glance
from aigw_receiver.core.access_logs.model import AccessLog, Decision, Kept
from aigw_receiver.core.access_logs.reasons import LogDropReason

# Names of the flat object whose values are not known from what repeats; all others are.
VARIABLE: Final = frozenset(
    {
        *("time", "rules", "weight", "cost_usd", "price_entry", "path"),
        *("duration_ms", "time_to_first_token_ms", "inter_token_latency_ms"),
        *("input_tokens", "cached_input_tokens", "cache_creation_input_tokens"),
        *("output_tokens", "reasoning_tokens", "total_tokens"),
        *("request_id", "session_id", "user_agent", "bytes_received", "bytes_sent", "body"),
    }
)


# What a column can stand for: names of attributes, the best first, in the order in which `Template.line` takes them.
_ALIASES: Final = (
    reading.PATH,
    reading.FIRST_TOKEN,
    reading.INTER_TOKEN,
    reading.REQUEST_ID,
    reading.SESSION_ID,
    reading.USER_AGENT,
    reading.RECEIVED,
    reading.SENT,
)

# Which values are missing varies little among records that repeat the rest; each such format takes a KB or two.
_FORMATS: Final = 4


class Columns:
    """What differs in the records of a layout: the attributes that are neither numbers of a Glance nor repeat."""

    __slots__ = ("_several", "_single", "names", "rest")

    def __init__(self, names: list[str]) -> None:
        self.names = names
        found = [tuple(names.index(name) for name in aliases if name in names) for aliases in _ALIASES]
        self._single = [(slot, positions[0]) for slot, positions in enumerate(found) if len(positions) == 1]
        self._several = [(slot, positions) for slot, positions in enumerate(found) if len(positions) > 1]
        self.rest = {name: index for index, name in enumerate(names) if name not in reading.UNDERSTOOD}
        """by name, the columns that are told of as they are; of two names for one value, that is the second"""

    def take(self, values: list[str | None]) -> list[str]:
        """The values by the order of _ALIASES, "" where one is missing; they are taken out."""
        taken = [""] * len(_ALIASES)
        for slot, position in self._single:
            taken[slot] = values[position] or ""
            values[position] = None
        for slot, positions in self._several:
            for position in positions:
                value = values[position]
                if value is not None:
                    taken[slot] = value
                    values[position] = None
                    break
        return taken


class Template:
    """The text of all records that have the same attributes but for those that differ."""

    __slots__ = ("_columns", "_formats", "_members", "_rest")

    def __init__(self, columns: Columns, log: AccessLog) -> None:
        """From a record that was read in full; `columns` are those of its layout."""
        self._columns = columns
        self._rest = tuple(index for _, index in sorted(columns.rest.items()))
        self._members = _members(columns, log)
        self._formats: dict[tuple[bool, ...], str] = {}

    def line(self, glance: Glance, values: list[str | None], body: str, found: Found) -> bytes:
        """The line of a record with these values in its columns, None where one is missing; they are used up."""
        encode = flat.encode_text
        path, first, inter, request, session, agent, received, sent = self._columns.take(values)
        # By the order of `_members`, which is that of `flat.values_of` and then of the rest.
        texts = [
            f'"{flat.rfc3339(found.time)}"',
            _rules(found.decision.rules),
            _number(flat.finite(found.decision.weight)),
            _number(flat.finite(found.cost)),
            encode(found.price_entry) if found.price_entry else None,
            encode(path) if path else None,
            _number(glance.duration),
            _number(reading.number(first)) if first else None,
            _number(reading.number(inter)) if inter else None,
            *[None if count is None else repr(count) for count in glance[2:8]],
            encode(request) if request else None,
            encode(session) if session else None,
            encode(agent) if agent else None,
            _number(reading.count(received)) if received else None,
            _number(reading.count(sent)) if sent else None,
            encode(body) if body else None,
        ]
        for index in self._rest:
            value = values[index]
            texts.append(None if value is None else encode(value))
        # A text is never empty: it has its quotes. So what is false is missing.
        shown = tuple(map(bool, texts))
        known = self._formats.get(shown) or self._format(shown)
        return (known % tuple(filter(None, texts))).encode()

    def _format(self, shown: tuple[bool, ...]) -> str:
        """The whole line, with a hole for each value that is there."""
        if len(self._formats) >= _FORMATS:
            self._formats.clear()
        there = iter(shown)
        pieces = [
            text.replace("%", "%%") + "%s" * is_head for text, is_head in self._members if not is_head or next(there)
        ]
        # The first one begins the object.
        known = self._formats[shown] = "{" + "".join(pieces)[1:] + "}\n"
        return known


def _members(columns: Columns, log: AccessLog) -> tuple[tuple[str, bool], ...]:
    """The members of a line in their order: (what stands before a value that differs, True) or (ready text, False)."""
    members = []
    for name, value in flat.values_of(Kept(log, Decision(()))).items():
        if name in VARIABLE:
            members.append((_head(name), True))
        elif value is not None:
            members.append((_member(name, value), False))
    ready = dict(log.rest)
    for name in sorted({*ready, *columns.rest}):
        full, differs = flat.REST_PREFIX + name, name in columns.rest
        members.append((_head(full) if differs else _member(full, ready[name]), differs))
    return tuple(members)


@functools.lru_cache(maxsize=256)
def _rules(rules: tuple[str, ...]) -> str:
    """The rules that kept a record, as they are written."""
    return flat.encode(flat.RULE_SEPARATOR.join(rules))


def in_full(log: AccessLog | LogDropReason, found: Found) -> bytes | LogDropReason:
    """The line of a record that was read in full, where it is one."""
    if isinstance(log, LogDropReason):
        return log
    timed = dataclasses.replace(log, time=found.time)
    return flat.to_json_line(Kept(timed, found.decision, found.cost, found.price_entry))


def _head(name: str) -> str:
    return f",{flat.encode(name)}:"


def _member(name: str, value: flat.Json) -> str:
    return _head(name) + flat.encode(value)


def _number(value: float | None) -> str | None:
    """A number as JSON has it, finite as all of them are here."""
    return None if value is None else repr(value)
