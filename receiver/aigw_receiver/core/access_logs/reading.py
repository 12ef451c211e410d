"""From the attributes of a log record to the request that it tells of. It takes texts, and judges no request.

Three formats are understood, and any mixture of them: the operator's, the one that AI Gateway recommends, and that of
SWIP-10; beside them OpenTelemetry's names for the same things, for other senders. The tables below say which attributes
stand for a value, the best first. `redaction` has been applied to whatever comes out of here.
"""

import math
import re
from collections.abc import Mapping
from typing import Final

from aigw_receiver.core import identity
from aigw_receiver.core.access_logs import endings, redaction
from aigw_receiver.core.access_logs.model import AccessLog, RouteType, Tokens
from aigw_receiver.core.access_logs.reasons import LogDropReason
from aigw_receiver.core.model import EXACT_LIMIT, Identity

# What Envoy writes for a value that it does not have; "<nil>" is AI Gateway's for the id of an MCP notification.
MISSING: Final = frozenset({"", "-", "<nil>"})

ROUTE_TYPE: Final = "ai_route_type"
STATUS: Final = ("response_code", "http.response.status_code", "http.status_code", "status_code")
FLAGS: Final = ("response_flags",)
DETAILS: Final = ("response_code_details",)
TERMINATION: Final = ("connection_termination_details",)
FAILURE: Final = ("upstream_transport_failure_reason",)
UPSTREAM_HOST: Final = ("upstream_host",)
ERROR_TYPE: Final = ("error.type",)
DURATION: Final = ("duration", "duration_ms")
FIRST_TOKEN: Final = ("token_latency_ttft",)
INTER_TOKEN: Final = ("token_latency_itl",)
REQUESTED_MODEL: Final = ("gen_ai.request.model",)
ANSWERED_MODEL: Final = ("gen_ai.response.model",)
# The API schema, or the long path of a backend: AI Gateway's recommended format has that under the first name.
PROVIDER: Final = ("gen_ai.provider.name", "gen_ai.system")
# namespace/name; the long path of the backend; and the path under the provider's name.
BACKEND: Final = ("ai_service_backend_name", "backend_name", *PROVIDER)
ROUTE: Final = ("route_name",)
INPUT: Final = ("gen_ai.usage.input_tokens", "llm_input_token", "gen_ai.usage.prompt_tokens")
CACHED: Final = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cached_input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "llm_cached_input_token",
)
CREATION: Final = (
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "llm_cache_creation_input_token",
)
OUTPUT: Final = ("gen_ai.usage.output_tokens", "llm_output_token", "gen_ai.usage.completion_tokens")
REASONING: Final = (
    "gen_ai.usage.reasoning_tokens",
    "gen_ai.usage.reasoning.output_tokens",
    "llm_reasoning_token",
)
TOTAL: Final = ("gen_ai.usage.total_tokens", "llm_total_token")
MCP_METHOD: Final = ("mcp.method.name",)
MCP_TOOL: Final = ("mcp.tool.name", "gen_ai.tool.name")
MCP_BACKEND: Final = ("mcp.provider.name", "mcp.backend", "mcp.backend.name")
METHOD: Final = ("method", "http.request.method")
PATH: Final = ("request.path", "path", "url.path", "x-envoy-origin-path")
REQUEST_ID: Final = ("x-request-id", "request_id")
SESSION_ID: Final = ("session.id", "gen_ai.conversation.id", "mcp.session.id")
USER_AGENT: Final = ("user-agent", "user_agent", "user_agent.original")
RECEIVED: Final = ("bytes_received",)
SENT: Final = ("bytes_sent",)
POD: Final = "k8s.pod.name"

# Fields by which a record without ai_route_type is known, in this order: no LLM record has one of the first.
_MARKS: Final = (
    (RouteType.MCP, (*MCP_METHOD, "mcp.provider.name", "mcp.backend")),
    (RouteType.LLM, (*REQUESTED_MODEL, *ANSWERED_MODEL, *PROVIDER, *INPUT[:1], *OUTPUT[:1])),
)
_ROUTE_TYPES: Final = {route_type.value: route_type for route_type in RouteType}

# Said of a record by other fields of ours, and so not repeated in `rest`.
UNDERSTOOD: Final = frozenset({ROUTE_TYPE, POD, *BACKEND, "start_time"})

# Longer than any number that a sender has a reason to write; Python's own conversions are quadratic.
_NUMBER_LENGTH: Final = 40
# So many digits are below EXACT_LIMIT.
_PLAIN_DIGITS: Final = 15
_NUMBER: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")

_CLUSTER: Final = "cluster_name"
_NODE: Final = "node_name"
_FALLBACK_NAME: Final = "service.name"


def read(
    attributes: Mapping[str, str],
    body: str,
    time_ns: int,
    resource: Mapping[str, str],
    redacted: redaction.Redaction = redaction.DEFAULT,
    *,
    known: Identity | None = None,
    clean: dict[str, str] | None = None,
) -> AccessLog | LogDropReason:
    """The request that a record tells of, or the reason why it tells of none. Raises nothing.

    `known` is what `identify` says of this resource and pod, and `clean` the attributes of which `clean_value` gives
    something, for a caller that remembers them.
    """
    route_type = route_type_of(attributes)
    if isinstance(route_type, LogDropReason):
        return route_type
    if clean is None:
        values = {name: clean_value(name, value, redacted) for name, value in attributes.items()}
        clean = {name: value for name, value in values.items() if value is not None}
    fields = _Fields(clean)
    status = _status(fields.text(STATUS))
    flags, details = fields.text(FLAGS), fields.text(DETAILS)
    failure, termination = fields.text(FAILURE), fields.text(TERMINATION)
    host = fields.text(UPSTREAM_HOST)
    ending = endings.ending_of(
        status,
        flags=flags,
        details=details,
        failure_reason=failure,
        termination=termination,
        upstream_host=host if UPSTREAM_HOST[0] in attributes else None,
        error_type=fields.peek(ERROR_TYPE[0]),
    )
    provider, backend, route = _backend(fields)
    return AccessLog(
        identity=known or identify(resource, attributes.get(POD, "")),
        route_type=route_type,
        time=time_ns,
        ending=ending,
        method=fields.text(METHOD),
        path=fields.text(PATH),
        status=status,
        response_flags=flags,
        response_code_details=details,
        duration=fields.number(DURATION),
        time_to_first_token=fields.number(FIRST_TOKEN),
        inter_token_latency=fields.number(INTER_TOKEN),
        requested_model=fields.text(REQUESTED_MODEL),
        answered_model=fields.text(ANSWERED_MODEL),
        provider=provider,
        backend=backend,
        route=route,
        tokens=_tokens(fields),
        mcp_method=fields.text(MCP_METHOD),
        mcp_tool=fields.text(MCP_TOOL),
        mcp_backend=fields.text(MCP_BACKEND),
        upstream_host=host,
        failure_reason=failure,
        termination=termination,
        request_id=fields.text(REQUEST_ID),
        session_id=fields.text(SESSION_ID),
        user_agent=fields.text(USER_AGENT),
        bytes_received=fields.count(RECEIVED),
        bytes_sent=fields.count(SENT),
        body=redacted.body(body),
        rest=fields.rest(),
    )


def route_type_of(attributes: Mapping[str, str]) -> RouteType | LogDropReason:
    """What the request was for: as the record says, else by the fields that have a value, else by those it has."""
    said = _ROUTE_TYPES.get(attributes.get(ROUTE_TYPE, "").lower())
    if said is not None:
        return said
    for with_value in (True, False):
        for route_type, names in _MARKS:
            if any(name in attributes and not (with_value and attributes[name] in MISSING) for name in names):
                return route_type
    if any(name in attributes for name in STATUS):
        return LogDropReason.NOT_OF_AI_GATEWAY
    return LogDropReason.NOT_AN_ACCESS_LOG


def identify(resource: Mapping[str, str], pod: str = "") -> Identity:
    """The gateway that a record comes from: by the attributes of its resource, and the pod in the record itself.

    Namespace and name are one pair: who names the gateway also says its namespace. Attributes that were configured for
    it come before Envoy's own cluster_name (namespace/name); that is better than service.name, which SWIP-10 sets to
    the same text for all gateways. service.instance.id is static in an access log, so the record knows its pod better.
    """
    known = {name: value for name, value in resource.items() if value not in MISSING and not _unexpanded(value)}
    said = identity.identify(known)
    namespace, name = said.namespace, said.name
    cluster_namespace, slash, cluster_name = known.get(_CLUSTER, "").partition("/")
    if slash and cluster_name and not any(key in known for key in identity.NAME if key != _FALLBACK_NAME):
        namespace, name = cluster_namespace, cluster_name
    if pod in MISSING or _unexpanded(pod):
        pod = said.pod or known.get(_NODE, "")
    return Identity(namespace, name, known.get(identity.POD[0]) or pod)


def clean_value(name: str, value: str, redacted: redaction.Redaction) -> str | None:
    """The value of an attribute as it may be kept; None where there is none, or none may be kept."""
    return None if value in MISSING else redacted.attribute(name, value)


def number(text: str) -> float | None:
    """A number as Envoy prints it ("31", "0.25", "1e+05"), not negative and finite; None for any other text."""
    if not text or len(text) > _NUMBER_LENGTH or not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def count(text: str) -> int | None:
    """A whole number as Envoy prints it; None for any other text, and where a float64 would not hold it exactly."""
    if len(text) <= _PLAIN_DIGITS and text.isdigit() and text.isascii():
        return int(text)
    value = number(text)
    if value is None or value >= EXACT_LIMIT or not value.is_integer():
        return None
    return int(value)


class _Fields:
    """The attributes of one record that have a value, redacted; it remembers which have been asked for."""

    __slots__ = ("_read", "_values")

    def __init__(self, clean: dict[str, str]) -> None:
        self._values = clean
        self._read: set[str] = set()

    def peek(self, name: str) -> str:
        """The value of an attribute, which stays in `rest`."""
        return self._values.get(name, "")

    def text(self, names: tuple[str, ...]) -> str:
        """The value of the first of these attributes that has one."""
        for name in names:
            value = self._values.get(name)
            if value is not None:
                self._read.add(name)
                return value
        return ""

    def number(self, names: tuple[str, ...]) -> float | None:
        """The value of the first of these attributes that has one, as a number."""
        return number(self.text(names))

    def count(self, names: tuple[str, ...]) -> int | None:
        """The value of the first of these attributes that has one, as a whole number."""
        return count(self.text(names))

    def rest(self) -> tuple[tuple[str, str], ...]:
        """The attributes that nobody asked for, by name."""
        known = self._read | UNDERSTOOD
        return tuple(sorted((name, value) for name, value in self._values.items() if name not in known))


def _status(text: str) -> int | None:
    """An HTTP status; None for Envoy's 0 and whatever is none."""
    value = count(text)
    return value if value is not None and 100 <= value <= 599 else None


def _tokens(fields: _Fields) -> Tokens:
    given, answered = fields.count(INPUT), fields.count(OUTPUT)
    return Tokens(
        input=given,
        cached=fields.count(CACHED),
        creation=fields.count(CREATION),
        output=answered,
        reasoning=fields.count(REASONING),
        total=total_of(fields.count(TOTAL), given, answered),
    )


def total_of(said: int | None, given: int | None, answered: int | None) -> int | None:
    """The total tokens: as the record says, or else input and output where both are there.

    A total that is less than its parts is wrong.
    """
    if said is not None:
        return max(said, (given or 0) + (answered or 0))
    return None if given is None or answered is None else given + answered


def _backend(fields: _Fields) -> tuple[str, str, str]:
    """Provider, backend and route. A path is namespace/backend/route/ROUTE/rule/NUMBER/ref/NUMBER."""
    texts = {name: fields.peek(name) for name in BACKEND}
    provider = next((texts[name] for name in PROVIDER if texts[name] and "/" not in texts[name]), "")
    path = next((texts[name] for name in BACKEND[1:] if "/" in texts[name]), "").split("/")
    backend = texts[BACKEND[0]] or "/".join(path[:2]) or texts[BACKEND[1]]
    named = path[3] if path[2:3] == ["route"] and len(path) > 3 else ""
    return provider, backend, fields.text(ROUTE) or named


def _unexpanded(value: str) -> bool:
    """Whether a value is a variable or command that nobody replaced, as Envoy's zone_name `$(ENVOY_SERVICE_ZONE)`."""
    return value.startswith(("$(", "%"))
