"""How the parameters of a request become a search. What cannot be used raises SearchError, whose message names it."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from aigw_receiver.core.access_logs import flat, search
from aigw_receiver.core.access_logs.model import Ending, RouteType
from aigw_receiver.core.access_logs.search import Search, SearchError

MOST_LIMIT: Final = 1000

# Values of one parameter; each may be given more than once, and any of them will do.
_MOST_VALUES: Final = 20
_LONGEST_VALUE: Final = 500  # characters
_LONGEST_TEXT: Final = 200  # characters

_SECOND: Final = 1_000_000_000
_UNITS: Final = {"ms": _SECOND // 1000, "s": _SECOND, "m": 60 * _SECOND, "h": 3600 * _SECOND, "d": 86_400 * _SECOND}

_AGO: Final = re.compile(r"-(\d{1,9})(ms|s|m|h|d)", re.ASCII)
_EPOCH: Final = re.compile(r"(\d{1,12})(?:\.(\d{1,9}))?", re.ASCII)
_STATUS: Final = re.compile(r"([1-5])xx|([1-5]\d\d)(?:-([1-5]\d\d))?", re.ASCII)
_LIMIT: Final = re.compile(r"\d{1,4}", re.ASCII)

# Parameters that may be given more than once, and all others. Those of a page mean nothing to whoever follows, nor does
# his place to whoever searches.
_REPEATED: Final = (
    "gateway", "pod", "model", "provider", "backend", "route_type", "status", "ending", "rule", "tool",
)  # fmt: skip
_FILTERS: Final = (*_REPEATED, "from", "to", "text")
PARAMETERS: Final = (*_FILTERS, "limit", "cursor")
FOLLOWED: Final = (*_FILTERS, "after")


def parse_search(parameters: Iterable[tuple[str, str]], now: int, names: tuple[str, ...] = PARAMETERS) -> Search:
    """A search from the parameters of a request; `names` are those that it may have.

    Raises SearchError for one that is unknown, given twice or without a value, and for one that cannot be read.
    """
    given = collect(parameters, names)

    def once(name: str) -> str:
        return given.get(name, ("",))[0]

    cursor = search.decode_cursor(once("cursor")) if "cursor" in given else None
    now = now if cursor is None else cursor.now
    since = read_time("from", once("from"), now) if "from" in given else None
    until = read_time("to", once("to"), now) if "to" in given else None
    if since is not None and until is not None and since >= until:
        search.fail("to", "a time after that of from", once("to"))
    return Search(
        now=now,
        gateways=tuple(_read_gateway(value) for value in given.get("gateway", ())),
        pods=given.get("pod", ()),
        models=given.get("model", ()),
        providers=given.get("provider", ()),
        backends=given.get("backend", ()),
        route_types=_read_choices("route_type", given, [kind.value for kind in RouteType]),
        endings=_read_choices("ending", given, [ending.value for ending in Ending]),
        rules=tuple(_read_rule(value) for value in given.get("rule", ())),
        tools=given.get("tool", ()),
        statuses=tuple(part for value in given.get("status", ()) for part in _read_status(value)),
        since=since,
        # Times that no record can have; the highest one stands for all that are higher.
        until=None if until is not None and until > search.MOST else until,
        text=_read_text(once("text")) if "text" in given else b"",
        limit=_read_limit(once("limit")) if "limit" in given else search.DEFAULT_LIMIT,
        cursor=cursor,
        after=search.decode_position("after", once("after")) if "after" in given else None,
    )


def collect(parameters: Iterable[tuple[str, str]], names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The values of each parameter, all of which have one of these names. Raises SearchError."""
    given: dict[str, tuple[str, ...]] = {}
    for name, value in parameters:
        if name not in names:
            expected = f"one of {', '.join(names)}" if names else "none"
            message = f"{search.shorten(name)}: unknown parameter; expected {expected}"
            raise SearchError(message)
        if not 1 <= len(value) <= _LONGEST_VALUE:
            search.fail(name, f"1 to {_LONGEST_VALUE} characters", value)
        given[name] = (*given.get(name, ()), value)
        most = _MOST_VALUES if name in _REPEATED else 1
        if len(given[name]) > most:
            message = f"{name}: given more than {'once' if most == 1 else f'{most} times'}"
            raise SearchError(message)
    return given


def _read_gateway(value: str) -> tuple[str, str]:
    namespace, slash, name = value.partition("/")
    if not slash or not name or "/" in name:
        search.fail("gateway", "NAMESPACE/NAME", value)
    return namespace, name


def _read_choices(name: str, given: Mapping[str, tuple[str, ...]], choices: list[str]) -> tuple[str, ...]:
    values = given.get(name, ())
    for value in values:
        if value not in choices:
            search.fail(name, f"one of {', '.join(choices)}", value)
    return values


def _read_rule(value: str) -> str:
    if flat.RULE_SEPARATOR in value:
        search.fail("rule", "the name of one rule", value)
    return value


def _read_status(value: str) -> list[tuple[int, int]]:
    """Ranges from a list such as "404,5xx,200-299,none"."""
    ranges = []
    for part in value.split(","):
        match = _STATUS.fullmatch(part)
        if part == "none":
            ranges.append((0, 0))
        elif match is None or (match[3] and match[3] < match[2]):
            search.fail("status", "a list of 404, 4xx, 500-503 or none", value)
        elif match[1]:
            ranges.append((int(match[1]) * 100, int(match[1]) * 100 + 99))
        else:
            ranges.append((int(match[2]), int(match[3] or match[2])))
    if len(ranges) > _MOST_VALUES:
        search.fail("status", f"at most {_MOST_VALUES} in a list", value)
    return ranges


def read_time(name: str, value: str, now: int) -> int:
    """A moment in nanoseconds: a time of RFC 3339, seconds since 1970, or a time ago. Raises SearchError.

    What is outside of what a store holds is moved to its edge, but for one time more at the end.
    """
    if ago := _AGO.fullmatch(value):
        time: int | None = now - int(ago[1]) * _UNITS[ago[2]]
    elif epoch := _EPOCH.fullmatch(value):
        time = int(epoch[1]) * _SECOND + int((epoch[2] or "").ljust(9, "0"))
    else:
        time = search.parse_time(value)
    if time is None:
        expected = "a time such as 2026-01-31T12:00:00Z, seconds since 1970, or a time ago such as -1h"
        search.fail(name, expected, value)
    return max(search.LEAST, min(time, search.MOST + (name == "to")))


def _read_text(value: str) -> bytes:
    if len(value) > _LONGEST_TEXT or search.SEPARATOR in value:
        search.fail("text", f"at most {_LONGEST_TEXT} characters, none of them NUL", value)
    return search.fold(value)


def _read_limit(value: str) -> int:
    if not _LIMIT.fullmatch(value) or not 1 <= int(value) <= MOST_LIMIT:
        search.fail("limit", f"a number from 1 to {MOST_LIMIT}", value)
    return int(value)
