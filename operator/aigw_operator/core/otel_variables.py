"""Which OTEL_* variables a gateway's external processor needs from us, given those that its user has set.

One decision a signal: metrics go to our endpoint unless the user named one; traces stay as they are unless the policy
asks for them. Where the list stands, and in which order, is none of its concern: that is env.py's.

What they do is said by the OpenTelemetry specification (configuration/sdk-environment-variables, protocol/exporter), as
opentelemetry-go's autoexport and AI Gateway's internal/metrics and internal/tracing follow it. An unknown exporter,
protocol or semantic convention makes the external processor end at its start: such a value is never put to use by us.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Final

from aigw_operator.core.note import Note

ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
METRICS_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"
TRACES_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
PROTOCOL: Final = "OTEL_EXPORTER_OTLP_PROTOCOL"
METRICS_PROTOCOL: Final = "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"
TRACES_PROTOCOL: Final = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
METRICS_EXPORTER: Final = "OTEL_METRICS_EXPORTER"
INTERVAL: Final = "OTEL_METRIC_EXPORT_INTERVAL"
TEMPORALITY: Final = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
TRACES_EXPORTER: Final = "OTEL_TRACES_EXPORTER"
SEMCONV: Final = "AI_GATEWAY_TRACING_SEMCONV"
HIDE_INPUTS: Final = "OPENINFERENCE_HIDE_INPUTS"
HIDE_OUTPUTS: Final = "OPENINFERENCE_HIDE_OUTPUTS"
CAPTURE: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
DISABLED: Final = "OTEL_SDK_DISABLED"
PRODUCERS: Final = "OTEL_METRICS_PRODUCERS"
HEADERS: Final = "OTEL_EXPORTER_OTLP_HEADERS"
METRICS_HEADERS: Final = "OTEL_EXPORTER_OTLP_METRICS_HEADERS"
INSECURE: Final = "OTEL_EXPORTER_OTLP_INSECURE"
METRICS_INSECURE: Final = "OTEL_EXPORTER_OTLP_METRICS_INSECURE"

# Settings of signals that are not ours, by the prefix of their names.
_OTHER_SIGNALS: Final = ("OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_LOGS_")

# What OTLP over HTTP has behind an endpoint; only to one for all signals is it added by the SDK.
_PATHS: Final[Mapping[str, str]] = {METRICS_ENDPOINT: "/v1/metrics", TRACES_ENDPOINT: "/v1/traces"}

# The specification's default, which autoexport follows.
_DEFAULT_PROTOCOL: Final = "http/protobuf"
_PROTOCOLS: Final = frozenset({"grpc", "http/protobuf"})
_METRICS_EXPORTERS: Final = frozenset({"", "otlp", "console", "prometheus", "none"})
_PRODUCERS: Final = frozenset({"prometheus", "none"})
_SEMCONVS: Final = frozenset({"", "gen_ai", "openinference"})

# Go's strconv.ParseBool.
_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})

# The order in which they are written.
_ORDER: Final = (
    *(ENDPOINT, METRICS_ENDPOINT, TRACES_ENDPOINT, PROTOCOL, METRICS_PROTOCOL, TRACES_PROTOCOL),
    *(METRICS_EXPORTER, INTERVAL, TEMPORALITY, TRACES_EXPORTER, SEMCONV, HIDE_INPUTS, HIDE_OUTPUTS),
)

User = Mapping[str, str | None]
"""The user's variables as the SDK will read them; None where only a running pod knows the value."""


@dataclasses.dataclass(frozen=True, slots=True)
class EnvSettings:
    """What a policy wants of a Gateway's metrics and traces, with the endpoint that it comes to."""

    endpoint: str
    """http://HOST:PORT"""
    protocol: str
    """grpc or http/protobuf, as the endpoint speaks it"""
    interval_ms: int
    temporality: str
    """cumulative or delta"""
    naming: str
    """Gateway or SkyWalking"""
    traces: bool
    attributes: tuple[tuple[str, str], ...]
    """further resource attributes, not encoded"""


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """Names and values in the order in which they are written, none of them the user's; notes; or an error."""

    variables: dict[str, str]
    notes: tuple[Note, ...] = ()
    error: Note | None = None


def choose(user: User, settings: EnvSettings, kept: frozenset[str]) -> Choice:
    """The variables about exporting that the user's list lacks.

    `kept` are the names that are ours in the list already. They matter where a user turns an endpoint of ours into one
    of their own: what stood beside it goes on standing, above all what keeps prompts out of traces.
    """
    metrics = _metrics(user, settings, kept)
    traces = _traces(user, settings, kept)
    wanted = {name: value for name, value in (metrics | traces).items() if name not in user}
    tracing = settings.traces and bool(traces)
    return Choice(
        {name: wanted[name] for name in _ORDER if name in wanted},
        (*_metrics_notes(user, settings, wanted), *_traces_notes(user, settings, tracing=tracing)),
        next(_errors(user, wanted, tracing=tracing), None),
    )


def _endpoint(user: User, of_signal: str) -> str | None:
    """The name of the user's variable that says where a signal goes; None where they have none."""
    if user.get(of_signal, "") != "":
        return of_signal
    return next((name for name in (ENDPOINT, of_signal) if name in user), None)


def _is_ours(user: User, name: str, settings: EnvSettings) -> bool:
    """Whether the user's endpoint is the very one that we would set."""
    return (user[name] or "").rstrip("/") == _of_signal(settings, _PATHS.get(name, ""))


def _of_signal(settings: EnvSettings, path: str) -> str:
    """An endpoint for one signal: over HTTP it is used as it is, so the signal's path must be in it."""
    return settings.endpoint + (path if settings.protocol == _DEFAULT_PROTOCOL else "")


def _per_signal(user: User, settings: EnvSettings) -> bool:
    """Whether variables for all signals would change what the user has set up for one that is not ours."""
    if any(name.startswith(_OTHER_SIGNALS) or name in (ENDPOINT, METRICS_ENDPOINT) for name in user):
        return True
    exporter = user.get(TRACES_EXPORTER, "none")
    return exporter != "none" and not (settings.traces and exporter in ("", "otlp"))


def _protocol(user: User, settings: EnvSettings, kept: frozenset[str], of_signal: str) -> dict[str, str]:
    """The protocol for an endpoint that the user has set to ours: for all signals only where it is so already."""
    return {PROTOCOL if PROTOCOL in user or PROTOCOL in kept else of_signal: settings.protocol}


def _metrics(user: User, settings: EnvSettings, kept: frozenset[str]) -> dict[str, str]:
    """What makes metrics go to our endpoint; nothing new where the user's goes elsewhere."""
    transport = {METRICS_EXPORTER: "otlp", INTERVAL: str(settings.interval_ms), TEMPORALITY: settings.temporality}
    theirs = _endpoint(user, METRICS_ENDPOINT)
    if theirs is None and _per_signal(user, settings):
        endpoint = _of_signal(settings, _PATHS[METRICS_ENDPOINT])
        return {METRICS_ENDPOINT: endpoint, METRICS_PROTOCOL: settings.protocol, **transport}
    if theirs is None:
        return {ENDPOINT: settings.endpoint, PROTOCOL: settings.protocol, **transport}
    if _is_ours(user, theirs, settings):
        return _protocol(user, settings, kept, METRICS_PROTOCOL) | transport
    standing = {PROTOCOL: settings.protocol, METRICS_PROTOCOL: settings.protocol, **transport}
    return {name: value for name, value in standing.items() if name in kept}


def _traces(user: User, settings: EnvSettings, kept: frozenset[str]) -> dict[str, str]:
    """What switches traces off where nobody asked for them, or makes them go to our endpoint without prompts.

    {} leaves them to the user: they have an exporter of another kind, or an endpoint of their own.
    """
    theirs = _endpoint(user, TRACES_ENDPOINT)
    set_up = theirs is not None and user[theirs] != ""
    governed = TRACES_EXPORTER in kept and user.get(TRACES_ENDPOINT, "") == ""
    if not settings.traces:
        return {TRACES_EXPORTER: "none"} if governed or not set_up else {}
    elsewhere = theirs is not None and not _is_ours(user, theirs, settings)
    if user.get(TRACES_EXPORTER, "") not in ("", "otlp") or (elsewhere and not governed and SEMCONV not in kept):
        return {}
    variables = {TRACES_EXPORTER: "otlp", SEMCONV: "gen_ai", HIDE_INPUTS: "true", HIDE_OUTPUTS: "true"}
    if theirs is None and _per_signal(user, settings):
        return {
            TRACES_ENDPOINT: _of_signal(settings, _PATHS[TRACES_ENDPOINT]),
            TRACES_PROTOCOL: settings.protocol,
            **variables,
        }
    if theirs is not None and not elsewhere:
        return _protocol(user, settings, kept, TRACES_PROTOCOL) | variables
    return variables | ({TRACES_PROTOCOL: settings.protocol} if TRACES_PROTOCOL in kept and elsewhere else {})


def _errors(user: User, wanted: Mapping[str, str], *, tracing: bool) -> Iterator[Note]:
    """Values that did no harm as long as nothing was exported, and would stop the external processor from now on."""
    if user.get(DISABLED) == "true":
        return
    exporter = user.get(METRICS_EXPORTER, "")
    if {ENDPOINT, METRICS_ENDPOINT} & wanted.keys():
        if exporter is not None and exporter not in _METRICS_EXPORTERS:
            yield _unsupported(METRICS_EXPORTER, exporter, _METRICS_EXPORTERS)
        if exporter in ("", "otlp", None):
            yield from _unsupported_protocol(user, wanted, METRICS_PROTOCOL)
            for producer in (user.get(PRODUCERS) or "none").split(","):
                if producer.strip() not in _PRODUCERS:
                    yield _unsupported(PRODUCERS, producer, _PRODUCERS)
    if tracing:
        yield from _unsupported_protocol(user, wanted, TRACES_PROTOCOL)
        convention = user.get(SEMCONV) or ""
        if convention not in _SEMCONVS:
            yield _unsupported(SEMCONV, convention, _SEMCONVS)


def _spoken(user: User, wanted: Mapping[str, str], of_signal: str) -> tuple[str, str | None]:
    """The variable that decides a signal's protocol, and its value."""
    values = {**wanted, **user}
    for name in (of_signal, PROTOCOL):
        if values.get(name, "") != "":
            return name, values[name]
    return PROTOCOL, _DEFAULT_PROTOCOL


def _unsupported_protocol(user: User, wanted: Mapping[str, str], of_signal: str) -> Iterator[Note]:
    name, protocol = _spoken(user, wanted, of_signal)
    if protocol is not None and protocol not in _PROTOCOLS:
        yield _unsupported(name, protocol, _PROTOCOLS)


def _unsupported(name: str, value: str, supported: frozenset[str]) -> Note:
    choices = ", ".join(sorted(supported - {""}))
    message = (
        f"{name} is {value!r}, which would stop the gateway's external processor once an endpoint is set, so nothing "
        f"was written; use one of {choices}, or take it out"
    )
    return Note("UnsupportedValue", message)


def _metrics_notes(user: User, settings: EnvSettings, wanted: Mapping[str, str]) -> Iterator[Note]:
    if user.get(DISABLED) == "true":
        yield Note("SdkDisabled", f"{DISABLED} is true, so nothing is exported; take it out of the GatewayConfig")
    exporter = user.get(METRICS_EXPORTER, "")
    if exporter in ("none", "prometheus", "console"):
        message = f"{METRICS_EXPORTER} is {exporter}, so no metrics are pushed; take it out of the GatewayConfig"
        yield Note("UserExporter", message)
    theirs = _endpoint(user, METRICS_ENDPOINT)
    if theirs is not None and not _is_ours(user, theirs, settings):
        message = (
            f"{theirs} of the GatewayConfig is not the endpoint of the policy, {settings.endpoint}, and stays; "
            "metrics arrive only if they are forwarded from there; take it out to have them sent directly"
        )
        yield Note("UserEndpoint", message)
        return
    name, protocol = _spoken(user, wanted, METRICS_PROTOCOL)
    if protocol not in (None, settings.protocol):
        message = f"{name} is {protocol}, but {settings.endpoint} speaks {settings.protocol}; take it out, or change it"
        yield Note("UserProtocol", message)
    for name in (METRICS_INSECURE, INSECURE):
        if (user.get(name) or "true").lower() != "true":
            message = f"{name} is {user[name]}, which asks for TLS, but {settings.endpoint} is plain text; take it out"
            yield Note("UserTls", message)
            break
    if user.get(HEADERS, "") != "" and user.get(METRICS_HEADERS, "") == "":
        message = (
            f"{HEADERS} is sent to {settings.endpoint} as well, in plain text; if it holds a secret of another "
            "backend, name it for that signal only, as OTEL_EXPORTER_OTLP_TRACES_HEADERS"
        )
        yield Note("UserHeaders", message)


def _traces_notes(user: User, settings: EnvSettings, *, tracing: bool) -> Iterator[Note]:
    if not settings.traces:
        return
    theirs = _endpoint(user, TRACES_ENDPOINT)
    if user.get(TRACES_EXPORTER, "") not in ("", "otlp"):
        message = (
            f"{TRACES_EXPORTER} of the GatewayConfig stays, so no traces are sent; take it out for those of the policy"
        )
        yield Note("UserTraces", message)
    elif theirs is not None and not _is_ours(user, theirs, settings):
        message = f"traces go where {theirs} of the GatewayConfig says; take it out to have them sent by the policy"
        yield Note("UserTraces", message)
    if not tracing:
        return
    if user.get(SEMCONV, "gen_ai") != "gen_ai":
        message = (
            f"{SEMCONV} of the GatewayConfig stays; take it out for spans that follow gen_ai, whatever the gateway"
        )
        yield Note("UserSemconv", message)
    shown = [name for name in (HIDE_INPUTS, HIDE_OUTPUTS) if user.get(name, "true") not in _TRUE]
    shown += [name for name in (CAPTURE,) if user.get(name, "false") in _TRUE]
    if shown:
        message = (
            f"by {' and '.join(shown)} of the GatewayConfig traces may hold prompts; take out what is not meant so"
        )
        yield Note("UserContent", message)
