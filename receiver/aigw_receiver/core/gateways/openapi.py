"""The description of the API on `listen.http`, as OpenAPI 3.1; `make docs` writes it to docs/openapi.json."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from aigw_receiver.core.access_logs import search, search_parameters
from aigw_receiver.core.access_logs.model import Ending, RouteType
from aigw_receiver.core.gateways import openapi_schemas, values, window
from aigw_receiver.core.gateways.openapi_schemas import Schema
from aigw_receiver.core.rollup.model import View

_JSON: Final = "application/json"

_ERRORS: Final = {
    400: "a parameter is unknown or cannot be used; the text names it",
    404: "there is nothing of this name",
    502: "the configured Prometheus did not answer; the text says why",
    503: "too much at a time, or what is kept cannot be read; Retry-After says when to come again",
}

_TIME: Final = (
    "RFC 3339 (`2026-01-31T12:00:00Z`), seconds since 1970 (`1769860800.5`), or a time ago (`-90s`, `-15m`, `-6h`,"
    " `-7d`)"
)


def _parameter(name: str, description: str, schema: Schema | None = None, *, place: str = "query") -> dict[str, Any]:
    return {
        "name": name,
        "in": place,
        "required": place == "path",
        "description": description,
        "schema": schema or {"type": "string"},
    }


def _repeated(name: str, description: str, choices: Sequence[str] = ()) -> dict[str, Any]:
    schema = openapi_schemas.array(openapi_schemas.text(choices=choices)) | {"maxItems": 20}
    return _parameter(name, f"{description}; any of several", schema) | {"style": "form", "explode": True}


_WINDOW: Final = [
    _parameter("from", f"The beginning: {_TIME}.", {"type": "string", "default": "-15m"}),
    _parameter("to", f"The end, not beyond now: {_TIME}. Now, if nothing is said."),
]

_GATEWAY: Final = [
    _parameter("namespace", "`-` where it is unknown.", place="path"),
    _parameter("name", "The gateway's name.", place="path"),
]

_SERIES: Final = [
    _parameter(
        "view",
        "By what series are told apart.",
        {"type": "string", "enum": [view.value for view in View], "default": View.GATEWAY.value},
    ),
    _parameter(
        "values",
        "Which numbers, with commas between. Counts are those of the step, not rates.",
        openapi_schemas.array(openapi_schemas.text(choices=values.NAMES)) | {"default": list(values.DEFAULT)},
    )
    | {"style": "form", "explode": False},
    *_WINDOW,
    _parameter(
        "step",
        "Seconds, or a time such as `5m`, at least 10 s; by default one that makes at most 200 steps. It is lengthened"
        " to what is known of the oldest moment.",
    ),
    _parameter(
        "top",
        "How many series at most; the busiest are chosen.",
        {"type": "integer", "minimum": 1, "maximum": window.MOST_TOP, "default": window.DEFAULT_TOP},
    ),
]

_FILTERS: Final = [
    _repeated("gateway", "`NAMESPACE/NAME`, `/NAME` where the namespace is unknown"),
    _repeated("pod", "a pod of a gateway"),
    _repeated("model", "the model that was asked for, or that answered"),
    _repeated("provider", "the provider"),
    _repeated("backend", "the backend, `NAMESPACE/NAME`"),
    _repeated("route_type", "what kind of route", [kind.value for kind in RouteType]),
    _repeated("status", "the HTTP status: `404`, `4xx`, `500-503`, `none`, or a list of these"),
    _repeated("ending", "how the request ended", [ending.value for ending in Ending]),
    _repeated("rule", "a rule that kept it"),
    _repeated("tool", "the MCP tool"),
    _parameter("from", f"Began at or after: {_TIME}."),
    _parameter("to", f"Began before: {_TIME}."),
    _parameter(
        "text", "Anywhere in the texts of a record, in upper or lower case.", {"type": "string", "maxLength": 200}
    ),
]

_PAGE: Final = [
    _parameter(
        "limit",
        "How many at most.",
        {
            "type": "integer",
            "minimum": 1,
            "maximum": search_parameters.MOST_LIMIT,
            "default": search.DEFAULT_LIMIT,
        },
    ),
    _parameter("cursor", "What the page before says under `next`."),
]


def _operation(
    name: str,
    summary: str,
    answer: str,
    errors: Iterable[int] = (),
    parameters: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """A path that answers JSON of this schema."""
    content = {_JSON: {"schema": openapi_schemas.ref(answer) if answer else {"type": "object"}}}
    return _get(name, summary, {"description": summary, "content": content}, errors, parameters)


def _get(
    name: str,
    summary: str,
    answer: dict[str, Any],
    errors: Iterable[int],
    parameters: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    refused = {
        str(code): {"description": _ERRORS[code], "content": {_JSON: {"schema": openapi_schemas.ref("Error")}}}
        for code in errors
    }
    asked = {"parameters": list(parameters)} if parameters else {}
    return {"get": {"operationId": name, "summary": summary, **asked, "responses": {"200": answer, **refused}}}


_EVENTS: Final = {
    "description": "Server-sent events: one for each record, whose data is a Log; `lost` tells what is missing.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}

DOCUMENT: Final[dict[str, Any]] = {
    "openapi": "3.1.0",
    "info": {
        "title": "aigw-receiver",
        "version": "1",
        "description": (
            "What a receiver of aigw-telemetry knows of its gateways. It only reads. Times are seconds since 1970,"
            " durations seconds, money USD. New fields may be added: ignore those that you do not know."
        ),
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    },
    "paths": {
        "/api/gateways": _operation(
            "listGateways", "All gateways, and what each did in a window", "Gateways", (400, 502, 503), _WINDOW
        ),
        "/api/gateways/{namespace}/{name}": _operation(
            "getGateway",
            "One gateway by provider, model, MCP server and pod",
            "GatewayDetail",
            (400, 404, 502, 503),
            [*_GATEWAY, *_WINDOW],
        ),
        "/api/gateways/{namespace}/{name}/series": _operation(
            "getSeries",
            "What one gateway did, step by step",
            "Series",
            (400, 404, 502, 503),
            [*_GATEWAY, *_SERIES],
        ),
        "/api/logs": _operation(
            "searchLogs", "Kept access logs, the newest first", "Logs", (400, 404, 503), [*_FILTERS, *_PAGE]
        ),
        "/api/logs/stream": _get(
            "followLogs",
            "Kept access logs, live",
            _EVENTS,
            (400, 404, 503),
            [
                *_FILTERS,
                _parameter("after", "Behind which record to begin: an id, or `newest` of /api/logs."),
                _parameter("Last-Event-ID", "The same, as browsers say it.", place="header"),
            ],
        ),
        "/api/logs/{id}": _operation(
            "getLog",
            "One kept access log",
            "LogEntry",
            (400, 404, 503),
            [_parameter("id", "One of `ids` of /api/logs, or the id of an event.", place="path")],
        ),
        "/api/sources": _operation("listSources", "The pods that were heard", "Sources"),
        "/api/reconciliation": _operation(
            "getReconciliation", "Metrics beside access logs, by gateway and model", "Reconciliation"
        ),
        "/api/openapi.json": _operation("getDescription", "This description", "", (400,)),
    },
    "components": {"schemas": openapi_schemas.SCHEMAS},
}
