"""A kept record as one flat JSON object: the names that every sink, search and dashboard uses. They are stable.

docs/access-log.schema.json describes the object, docs/access-logs.md every name. A value that is missing has no name in
the object. Nothing is nested: what several values would be is one text, so that log stores that index flat fields
(Loki's `json` stage among them) see all of them.
"""

import functools
import json
import math
from collections.abc import Callable
from typing import Final, TypeAlias

from aigw_receiver.core.access_logs.model import Kept

Json: TypeAlias = str | int | float

# What stands before the name of an attribute that has no name of ours.
REST_PREFIX: Final = "attributes."
# Between the rules that kept a record; no name of a rule has one.
RULE_SEPARATOR: Final = ","

# A text as the encoder below writes it, without the way through it.
encode_text: Final[Callable[[str], str]] = json.encoder.encode_basestring
encode: Final = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode
"""A value, or the whole object, as JSON."""

_NANOSECONDS: Final = 1_000_000_000
_DAY: Final = 86_400
# Days of 400 years of the Gregorian calendar, and from the first of March of the year 0 to 1970.
_ERA: Final = 146_097
_EPOCH: Final = 719_468
# RFC 3339 knows no later year.
_LAST_SECOND: Final = 253_402_300_799


def to_flat(kept: Kept) -> dict[str, Json]:
    """The record as a flat object. Durations are milliseconds, the time is RFC 3339 with nanoseconds, cost is USD."""
    flat = {name: value for name, value in values_of(kept).items() if value is not None}
    flat.update((REST_PREFIX + name, value) for name, value in kept.log.rest)
    return flat


def values_of(kept: Kept) -> dict[str, Json | None]:
    """By every name of ours, in their order, the value of a record; None where it is missing."""
    log, tokens = kept.log, kept.log.tokens
    return {
        "time": rfc3339(log.time),
        "ai_route_type": log.route_type.value,
        "gateway_namespace": log.identity.namespace,
        "gateway_name": log.identity.name,
        "gateway_pod": log.identity.pod,
        "ending": log.ending.value,
        "rules": RULE_SEPARATOR.join(kept.decision.rules),
        "weight": finite(kept.decision.weight),
        "cost_usd": finite(kept.cost),
        "price_entry": kept.price_entry or None,
        "method": log.method or None,
        "path": log.path or None,
        "status": log.status,
        "response_flags": log.response_flags or None,
        "response_code_details": log.response_code_details or None,
        "duration_ms": log.duration,
        "time_to_first_token_ms": log.time_to_first_token,
        "inter_token_latency_ms": log.inter_token_latency,
        "requested_model": log.requested_model or None,
        "answered_model": log.answered_model or None,
        "provider": log.provider or None,
        "backend": log.backend or None,
        "route": log.route or None,
        "input_tokens": tokens.input,
        "cached_input_tokens": tokens.cached,
        "cache_creation_input_tokens": tokens.creation,
        "output_tokens": tokens.output,
        "reasoning_tokens": tokens.reasoning,
        "total_tokens": tokens.total,
        "mcp_method": log.mcp_method or None,
        "mcp_tool": log.mcp_tool or None,
        "mcp_backend": log.mcp_backend or None,
        "upstream_host": log.upstream_host or None,
        "upstream_failure_reason": log.failure_reason or None,
        "connection_termination": log.termination or None,
        "request_id": log.request_id or None,
        "session_id": log.session_id or None,
        "user_agent": log.user_agent or None,
        "bytes_received": log.bytes_received,
        "bytes_sent": log.bytes_sent,
        "body": log.body or None,
    }


def to_json_line(kept: Kept) -> bytes:
    """The flat object as one line of JSON in UTF-8, with its line feed."""
    return encode(to_flat(kept)).encode() + b"\n"


def rfc3339(time: int) -> str:
    """A time in nanoseconds since 1970 as UTC text; a time behind the year 9999 is the last second of it.

    The calendar is counted in eras of 400 years that begin in March, so that the leap day is the last of a year.
    """
    seconds, nanoseconds = divmod(time, _NANOSECONDS)
    return f"{_second(min(seconds, _LAST_SECOND))}.{nanoseconds:09}Z"


# Records that are written together come from a few seconds.
@functools.lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    """Date and time so many seconds after the beginning of 1970."""
    days, second = divmod(seconds, _DAY)
    minute = second // 60
    return f"{_date(days)}T{minute // 60:02}:{minute % 60:02}:{second % 60:02}"


@functools.lru_cache(maxsize=8)
def _date(days: int) -> str:
    """The date so many days after the first of January 1970."""
    era, day_of_era = divmod(days + _EPOCH, _ERA)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month_from_march + 2) // 5 + 1
    month = month_from_march + 3 if month_from_march < 10 else month_from_march - 9
    year = era * 400 + year_of_era + (month <= 2)
    return f"{year:04}-{month:02}-{day:02}"


def finite(value: float | None) -> float | None:
    """A number that JSON has: it has no infinity. All others of a record are finite by how they are read."""
    return value if value is not None and math.isfinite(value) else None
