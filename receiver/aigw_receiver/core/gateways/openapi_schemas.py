"""The shapes of the API's answers, as JSON Schema 2020-12 in the words of OpenAPI 3.1. It makes no answers.

Objects are open: new fields may be added, and a reader must ignore those that it does not know.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from aigw_receiver.core.access_logs.model import Ending, RouteType
from aigw_receiver.core.gateways import documents, values
from aigw_receiver.core.gateways.state import State

Schema: TypeAlias = dict[str, Any]


def _with(schema: Schema, text: str) -> Schema:
    return {**schema, "description": text} if text else schema


def text(description: str = "", choices: Sequence[str] = ()) -> Schema:
    """A text, of these if any are given."""
    return _with({"type": "string", "enum": list(choices)} if choices else {"type": "string"}, description)


def number(description: str = "") -> Schema:
    """A number that is not negative."""
    return _with({"type": "number", "minimum": 0}, description)


def count(description: str = "") -> Schema:
    """A number of things."""
    return _with({"type": "integer", "minimum": 0}, description)


def ratio(description: str = "") -> Schema:
    """A share, 0 to 1; null where there is nothing that it could be a share of."""
    return _with({"type": ["number", "null"], "minimum": 0, "maximum": 1}, description)


def or_null(schema: Schema) -> Schema:
    """The same, or null."""
    return {**schema, "type": [schema["type"], "null"]}


def flag(description: str = "") -> Schema:
    """True or false."""
    return _with({"type": "boolean"}, description)


def array(items: Schema, description: str = "") -> Schema:
    """A list."""
    return _with({"type": "array", "items": items}, description)


def record(properties: dict[str, Schema], *, optional: Sequence[str] = (), description: str = "") -> Schema:
    """An object with these fields, all but the optional ones always there."""
    required = [name for name in properties if name not in optional]
    return _with({"type": "object", "required": required, "properties": properties}, description)


def ref(name: str) -> Schema:
    """One of SCHEMAS."""
    return {"$ref": f"#/components/schemas/{name}"}


_MOMENT: Final = number("seconds since 1970, of the receiver's clock")
_HEARD: Final = or_null(number("seconds since 1970; null: never, as far as is remembered"))

_HEAD: Final = {
    "now": _MOMENT,
    "from": _MOMENT,
    "to": _MOMENT,
    "since": or_null(number("the oldest moment that the receiver itself can speak of; null: none yet")),
    "latest": or_null(number("up to when its own numbers are; null: none yet")),
    "source": text("who answered: the receiver's own store, or Prometheus", [documents.STORE, documents.PROMETHEUS]),
    "warning": or_null(text("for a person: why a part of the window is missing; null: nothing is wrong")),
}

_STATES: Final = [state.value for state in State]

_DURATION: Final = record(
    {
        "count": count("how many were observed"),
        "avg": or_null(number("seconds")),
        **{name: or_null(number("seconds, interpolated in its bucket")) for name in values.QUANTILES},
        "overflow_ratio": ratio("the share above the last bound: a percentile that lies there is 'at least' that"),
    },
    description="Observed durations. All but the count are null where there were none.",
)

_TOKENS: Final = record(
    {
        "input": count("contains cached_input and cache_creation_input"),
        "output": count("contains reasoning"),
        "cached_input": count(),
        "cache_creation_input": count(),
        "reasoning": count(),
        "total": count("input and output"),
    }
)

_TOTALS: Final = record(
    {
        "requests": count("requests to models"),
        "errors": count("those of them that failed"),
        "error_ratio": ratio(),
        "tokens": _TOKENS,
        "cost_usd": number("USD, of the tokens that have a price"),
        "unpriced_tokens": count("tokens that have none"),
        "duration": ref("Duration"),
        "time_to_first_token": ref("Duration"),
        "time_per_output_token": ref("Duration"),
        "mcp": record(
            {
                "messages": count("MCP messages, by method"),
                "requests": count("MCP requests, by duration"),
                "errors": count("messages with the status failed or error"),
                "failed": count("those of errors whose tool said so; the others are errors of the protocol"),
                "error_ratio": ratio("errors of messages"),
                "duration": ref("Duration"),
                "initialization": ref("Duration"),
            }
        ),
    },
    description="What happened in the window.",
)

_GATEWAY: Final = record(
    {
        "namespace": text('"" where it is unknown'),
        "name": text(),
        "state": text(choices=_STATES),
        "state_reason": text("for a person: what is so, and what to do where something is wrong"),
        "pods": record({"live": count(), "ended": count()}),
        "last_export": _HEARD,
        "last_log": _HEARD,
        "completeness": ratio("of the requests that access logs show, last hour: the share that metrics have counted"),
        "totals": ref("Totals"),
    }
)

_POD: Final = record(
    {
        "pod": text('"" where it is unknown'),
        "state": text(choices=_STATES),
        "last_export": _HEARD,
        "last_log": _HEARD,
        "interval": or_null(number("seconds between two exports, as learned")),
        "streams": count(),
        "totals": ref("Totals"),
    }
)


def _row(*names: str) -> Schema:
    return record({**{name: text() for name in names}, "totals": ref("Totals")})


_DETAIL: Final = record(
    {
        **_HEAD,
        "gateway": ref("Gateway"),
        "providers": array(_row("provider")),
        "models": array(_row("provider", "model")),
        "mcp": record(
            {
                "backends": array(_row("backend")),
                "methods": array(_row("backend", "method")),
                "capabilities": array(
                    record({"backend": text(), "side": text(), "type": text(), "count": count("times negotiated")})
                ),
            }
        ),
        "pods": array(ref("Pod")),
    }
)

_SERIES: Final = record(
    {
        **_HEAD,
        "step": number("seconds"),
        "times": array(_MOMENT, "the end of each step"),
        "series": array(
            record(
                {
                    "key": {"type": "object", "additionalProperties": text(), "description": "by view"},
                    "values": {
                        "type": "object",
                        "propertyNames": {"enum": list(values.NAMES)},
                        "additionalProperties": array(or_null(number())),
                        "description": "one for each time",
                    },
                }
            ),
            "the busiest first",
        ),
        "other": count("series that are left out"),
    }
)

_SOURCES: Final = record(
    {
        "now": _MOMENT,
        "sources": array(
            record(
                {
                    "gateway_namespace": text(),
                    "gateway_name": text(),
                    "gateway_pod": text(),
                    "ended": flag(),
                    "streams": count(),
                    "signals": record(
                        {
                            "metrics": record({"last": _MOMENT, "interval": number("seconds")}),
                            "logs": record({"last": _MOMENT}),
                        },
                        optional=["metrics", "logs"],
                    ),
                }
            )
        ),
    }
)

_SIDE: Final = {name: count() for name in ("answered", "good", "with_tokens", "input_tokens", "output_tokens")}
_CHECKS: Final = ("access_logs", "metrics", "tokens", "access_log_tokens")

_RECONCILIATION: Final = record(
    {
        "now": _MOMENT,
        "since": _MOMENT,
        "window": number("seconds"),
        "models": array(
            record(
                {
                    "gateway_namespace": text(),
                    "gateway_name": text(),
                    "model": text(),
                    "metrics": record(_SIDE),
                    "access_logs": record({**_SIDE, "aborted": count()}),
                    "completeness": record(
                        {name: {"type": "number", "minimum": 0, "maximum": 1} for name in _CHECKS}, optional=_CHECKS
                    ),
                }
            )
        ),
    }
)

_LOG: Final = {
    "type": "object",
    "required": ["time", "ai_route_type", "ending", "rules"],
    "properties": {
        "time": {"type": "string", "format": "date-time"},
        "ai_route_type": text(choices=[kind.value for kind in RouteType]),
        "ending": text(choices=[ending.value for ending in Ending]),
        "rules": text("why it was kept: names of rules, between commas"),
    },
    "additionalProperties": True,
    "description": "A kept access log, as sinks write it; all of its fields are in access-log.schema.json.",
}

SCHEMAS: Final[dict[str, Schema]] = {
    "Error": record({"error": text("for a person; it names the parameter that cannot be used")}),
    "Duration": _DURATION,
    "Totals": _TOTALS,
    "Gateway": _GATEWAY,
    "Pod": _POD,
    "Gateways": record(
        {
            **_HEAD,
            "step": number("seconds between two entries of the receiver's own store"),
            "hint": or_null(text("what to do where there is no gateway")),
            "gateways": array(ref("Gateway"), "by namespace and name"),
        }
    ),
    "GatewayDetail": _DETAIL,
    "Series": _SERIES,
    "Sources": _SOURCES,
    "Reconciliation": _RECONCILIATION,
    "Log": _LOG,
    "Logs": record(
        {
            "logs": array(ref("Log"), "the newest first"),
            "ids": array(text(), "that of each of logs"),
            "newest": text("the newest record that was there: what /api/logs/stream takes as after"),
            "next": or_null(text("the cursor of the next page; null after the last one")),
        }
    ),
    "LogEntry": record({"id": text(), "log": ref("Log")}),
}
