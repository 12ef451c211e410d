"""What is asked of kept access logs: a `Search`, a record's `Fields`, and whether one matches the other.

It knows neither SQL nor HTTP: a store has the fields as columns and must find what `matches` finds. How the parameters
of a request become a Search is in `search_parameters.py`.
"""

import dataclasses
import re
import typing
from collections.abc import Mapping
from typing import Final

from aigw_receiver.core.access_logs import flat

DEFAULT_LIMIT: Final = 100

# How much of a record's texts is searched, so that no record makes a search slow.
_SEARCHED: Final = 16 << 10  # bytes

# Of texts that are searched. Not in a path or an id, and refused in what is searched for.
SEPARATOR: Final = "\0"
_TEXTS: Final = (
    "path", "response_code_details", "upstream_failure_reason", "connection_termination", "request_id", "session_id",
    "body",
)  # fmt: skip

# Of a time in nanoseconds, so that a store needs 64 bits for it: the years 1677 to 2262.
LEAST: Final = -(1 << 63)
MOST: Final = (1 << 63) - 1

_SECOND: Final = 1_000_000_000

# RFC 3339, section 5.6. An offset's "+" that was not escaped in a URL arrives as a space.
_TIME: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([-+ ])(\d\d):(\d\d))", re.ASCII
)
_CURSOR: Final = re.compile(r"1\.(-?\d{1,19})\.(\d{1,19})\.(\d{1,19})\.([0-9a-f]{8}-\d{1,19})", re.ASCII)
_POSITION: Final = re.compile(r"([0-9a-f]{8})-(\d{1,19})", re.ASCII)


class SearchError(ValueError):
    """A parameter cannot be used; the message names it and says what was expected."""


@dataclasses.dataclass(frozen=True, slots=True)
class Position:
    """A record of a store; `tag` is the store's, so that ids of another are not mistaken. 0 is before the first one."""

    tag: str
    id: int


@dataclasses.dataclass(frozen=True, slots=True)
class Cursor:
    """The record behind which the next page begins, and what all pages share: a moment and a state of the store."""

    time: int
    id: int
    now: int
    """what relative times are relative to"""
    newest: Position
    """the last record that the pages may show; who follows gets those after it"""


@dataclasses.dataclass(frozen=True, slots=True)
class Search:
    """What is asked. A tuple that is empty asks for nothing; of several values any will do. Times in nanoseconds."""

    now: int
    """what relative times are relative to"""
    gateways: tuple[tuple[str, str], ...] = ()
    """namespace and name"""
    pods: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    """as requested, or as answered"""
    providers: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    route_types: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    statuses: tuple[tuple[int, int], ...] = ()
    """the lowest and the highest; (0, 0) is a request that was not answered"""
    since: int | None = None
    """at or after"""
    until: int | None = None
    """before"""
    text: bytes = b""
    """in UTF-8, folded"""
    limit: int = DEFAULT_LIMIT
    cursor: Cursor | None = None
    after: Position | None = None
    """behind which somebody follows"""


@dataclasses.dataclass(frozen=True, slots=True)
class Fields:
    """What can be searched of a record. A text that is missing is empty."""

    time: int
    gateway_namespace: str
    gateway_name: str
    gateway_pod: str
    route_type: str
    status: int
    """0 where no answer was sent"""
    ending: str
    rules: str
    """each between two commas"""
    requested_model: str
    answered_model: str
    provider: str
    backend: str
    tool: str
    text: bytes
    """in UTF-8, folded"""


def fields_of(record: Mapping[str, object]) -> Fields:
    """What can be searched of a flat object. Raises ValueError where it has no time."""
    time = parse_time(_text(record, "time"))
    if time is None:
        message = "a record without a time"
        raise ValueError(message)
    status = record.get("status")
    separator = flat.RULE_SEPARATOR
    return Fields(
        time=max(LEAST, min(time, MOST)),
        gateway_namespace=_text(record, "gateway_namespace"),
        gateway_name=_text(record, "gateway_name"),
        gateway_pod=_text(record, "gateway_pod"),
        route_type=_text(record, "ai_route_type"),
        status=status if isinstance(status, int) and 100 <= status <= 599 else 0,
        ending=_text(record, "ending"),
        rules=f"{separator}{_text(record, 'rules')}{separator}",
        requested_model=_text(record, "requested_model"),
        answered_model=_text(record, "answered_model"),
        provider=_text(record, "provider"),
        backend=_text(record, "backend"),
        tool=_text(record, "mcp_tool"),
        text=fold(SEPARATOR.join(text for name in _TEXTS if (text := _text(record, name))))[:_SEARCHED],
    )


def matches(search: Search, fields: Fields) -> bool:
    """Whether a record is what is asked for; its place among others (limit, cursor) aside."""
    return (
        (not search.gateways or (fields.gateway_namespace, fields.gateway_name) in search.gateways)
        and (not search.pods or fields.gateway_pod in search.pods)
        and (not search.models or fields.requested_model in search.models or fields.answered_model in search.models)
        and (not search.providers or fields.provider in search.providers)
        and (not search.backends or fields.backend in search.backends)
        and (not search.route_types or fields.route_type in search.route_types)
        and (not search.statuses or any(low <= fields.status <= high for low, high in search.statuses))
        and (not search.endings or fields.ending in search.endings)
        and (not search.rules or any(rule_key(rule) in fields.rules for rule in search.rules))
        and (not search.tools or fields.tool in search.tools)
        and (search.since is None or search.since <= fields.time)
        and (search.until is None or fields.time < search.until)
        and search.text in fields.text
    )


def rule_key(rule: str) -> str:
    """How the name of a rule stands in `Fields.rules`."""
    return f"{flat.RULE_SEPARATOR}{rule}{flat.RULE_SEPARATOR}"


def parse_time(text: str) -> int | None:
    """A time of RFC 3339 as nanoseconds since 1970, of any year from 0 to 9999; None where it is none."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.group(1, 2, 3, 4, 5, 6))
    days = _days(year, month, day)
    offset_hour, offset_minute = int(match[9] or 0), int(match[10] or 0)
    # A leap second is the first one of the next minute.
    if days is None or hour > 23 or minute > 59 or second > 60 or offset_hour > 23 or offset_minute > 59:
        return None
    offset = (offset_hour * 60 + offset_minute) * (-60 if match[8] == "-" else 60)
    seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset
    return seconds * _SECOND + int((match[7] or "").ljust(9, "0"))


def encode_cursor(cursor: Cursor) -> str:
    """A cursor as text; to be given back as it is."""
    return f"1.{cursor.time}.{cursor.id}.{cursor.now}.{encode_position(cursor.newest)}"


def decode_cursor(text: str) -> Cursor:
    """The cursor that somebody gives back. Raises SearchError where it is none."""
    match = _CURSOR.fullmatch(text)
    numbers = [int(number) for number in match.group(1, 2, 3)] if match else []
    newest = _read_position(match[4]) if match else None
    if newest is None or not all(LEAST <= number <= MOST for number in numbers):
        fail("cursor", "what the page before says under next", text)
    time, number, now = numbers
    return Cursor(time, number, now, newest)


def encode_position(position: Position) -> str:
    """A position as text: the id of a record."""
    return f"{position.tag}-{position.id}"


def decode_position(name: str, text: str) -> Position:
    """The record that somebody names under this name. Raises SearchError where the text is no id."""
    position = _read_position(text)
    if position is None:
        fail(name, "the id of a record", text)
    return position


def _read_position(text: str) -> Position | None:
    match = _POSITION.fullmatch(text)
    return Position(match[1], int(match[2])) if match is not None and int(match[2]) <= MOST else None


def catch_up(after: Position, newest: Position, most: int) -> tuple[Position, int]:
    """Where somebody who comes with a position goes on, so that at most so many records are looked at for him.

    The number is how many records, of any kind, he is not told of.
    """
    skipped = newest.id - after.id - most
    if after.tag != newest.tag or skipped <= 0:
        return after, 0
    return Position(after.tag, after.id + skipped), skipped


def fail(name: str, expected: str, value: str) -> typing.NoReturn:
    """Refuse the value of a parameter."""
    message = f"{shorten(name)}: expected {expected}, got {shorten(value)!r}"
    raise SearchError(message)


def shorten(text: str) -> str:
    """As much of a text as belongs into a message."""
    return text if len(text) <= 80 else f"{text[:80]}…"


def _text(record: Mapping[str, object], name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str):
        return ""
    # JSON can hold half of a character, which UTF-8 cannot.
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def fold(text: str) -> bytes:
    """A text in UTF-8, without the difference of upper and lower case."""
    return text.casefold().encode("utf-8", "replace")


def _days(year: int, month: int, day: int) -> int | None:
    """Days since 1970 of a date, counted as `flat.rfc3339` does it; None where there is no such day."""
    from_march = year - (month <= 2)
    year_of_era = from_march % 400
    day_of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    days = from_march // 400 * 146_097 + day_of_era - 719_468
    exists = flat.rfc3339(days * 86_400 * _SECOND).startswith(f"{year:04}-{month:02}-{day:02}T")
    return days if exists else None
