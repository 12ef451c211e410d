"""From OTLP names to Prometheus names, labels and help texts. It knows no values and keeps no state.

The metrics of the gateway stand in a catalog, with the names, units and help texts of its own `/metrics`, so that
dashboards made for that work unchanged. Everything else follows the OpenTelemetry specification's "Prometheus and
OpenMetrics Compatibility" (specification/compatibility/prometheus_and_openmetrics.md).
"""

import base64
import dataclasses
import functools
import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Final

from aigw_receiver.core.model import AttributeValue, FamilyType, Identity

# Which metrics are taken without being asked for: those of the GenAI and MCP instrumentation of the gateway.
ADMITTED_PREFIXES: Final = ("gen_ai.", "mcp.")

# The three labels that every series carries; no scrape configuration rewrites these names.
IDENTITY_LABELS: Final = ("gateway_namespace", "gateway_name", "gateway_pod")

# The families that are made here, and from no metric of that name.
TARGET: Final = "target"
COST: Final = "gen_ai_estimated_cost_usd"
UNPRICED: Final = "gen_ai_unpriced_tokens"
FROM_ACCESS_LOGS: Final = ("aigw_access_logs", "aigw_requests", "aigw_aborted_requests", "aigw_mcp_requests")
FROM_BOTH: Final = ("aigw_telemetry_completeness_ratio", "aigw_telemetry_requests", "aigw_telemetry_tokens")

# Their names and their samples': no metric of a sender may have one of these.
_COUNTERS: Final = (COST, UNPRICED, *FROM_ACCESS_LOGS, *FROM_BOTH)
OUR_FAMILIES: Final = frozenset(
    {TARGET, "target_info", *(name + suffix for name in _COUNTERS for suffix in ("", "_total", "_created"))}
)

_RESERVED_LABELS: Final = frozenset({*IDENTITY_LABELS, "le", "quantile"})
_INVALID_NAME: Final = re.compile(r"[^a-zA-Z0-9_:]+")
_INVALID_LABEL: Final = re.compile(r"[^a-zA-Z0-9_]")


@dataclasses.dataclass(frozen=True, slots=True)
class FamilyName:
    """How one OTLP metric is called in Prometheus. `name` is without the suffixes of samples (`_total`, `_bucket`)."""

    name: str
    type: FamilyType
    unit: str
    help: str


def _seconds(name: str, text: str) -> FamilyName:
    return FamilyName(name, FamilyType.HISTOGRAM, "seconds", text)


def _counter(name: str, text: str) -> FamilyName:
    return FamilyName(name, FamilyType.COUNTER, "", text)


# Names, units and help texts: the gateway's own /metrics (v1.1). Two units are put right: both MCP durations are
# seconds, but upstream gives the one no unit and the other the unit "token".
_CATALOG: Final[Mapping[str, FamilyName]] = {
    "gen_ai.client.token.usage": FamilyName(
        "gen_ai_client_token_usage", FamilyType.HISTOGRAM, "", "Number of tokens processed."
    ),
    "gen_ai.server.request.duration": _seconds(
        "gen_ai_server_request_duration_seconds",
        "Generative AI server request duration such as time-to-last byte or last output token.",
    ),
    "gen_ai.server.time_to_first_token": _seconds(
        "gen_ai_server_time_to_first_token_seconds", "Time to receive first token in streaming responses."
    ),
    "gen_ai.server.time_per_output_token": _seconds(
        "gen_ai_server_time_per_output_token_seconds",
        "Time per output token generated after the first token for successful responses.",
    ),
    "mcp.request.duration": _seconds("mcp_request_duration_seconds", "Duration of MCP requests"),
    "mcp.initialization.duration": _seconds("mcp_initialization_duration_seconds", "Duration of MCP initialization"),
    "mcp.method.count": _counter("mcp_method_count", "Total number of MCP methods invoked"),
    "mcp.capabilities.negotiated": _counter(
        "mcp_capabilities_negotiated", "Total number of MCP capabilities negotiated"
    ),
    "mcp.progress.notifications": _counter(
        "mcp_progress_notifications", "Total number of MCP progress notifications sent"
    ),
}

# UCUM units and their words in Prometheus, from the compatibility page's references; "1" is handled apart.
_UNITS: Final[Mapping[str, str]] = {
    "d": "days", "h": "hours", "min": "minutes", "s": "seconds", "ms": "milliseconds", "us": "microseconds",
    "ns": "nanoseconds", "By": "bytes", "KiBy": "kibibytes", "MiBy": "mebibytes", "GiBy": "gibibytes",
    "TiBy": "tibibytes", "KBy": "kilobytes", "MBy": "megabytes", "GBy": "gigabytes", "TBy": "terabytes",
    "m": "meters", "V": "volts", "A": "amperes", "J": "joules", "W": "watts", "g": "grams", "Cel": "celsius",
    "Hz": "hertz", "%": "percent",
}  # fmt: skip
_PER: Final[Mapping[str, str]] = {"s": "second", "m": "minute", "min": "minute", "h": "hour", "d": "day"}


def is_admitted(name: str, extra: Iterable[str]) -> bool:
    """Whether a metric is taken: it is the gateway's, or `extra` names it (a name, or a prefix that ends in "*")."""
    if name.startswith(ADMITTED_PREFIXES):
        return True
    return any(name.startswith(entry[:-1]) if entry.endswith("*") else name == entry for entry in extra)


def family_name(name: str, unit: str, description: str, family_type: FamilyType) -> FamilyName:
    """The Prometheus name of an OTLP metric: the gateway's own where it is known, else by the specification's rules."""
    known = _CATALOG.get(name)
    if known is not None and known.type is family_type:
        return known
    base = _INVALID_NAME.sub("_", name).strip("_") or "_"
    if base[0].isdigit():
        base = f"_{base}"
    if family_type is FamilyType.COUNTER:
        base = base.removesuffix("_total")
    suffix = _unit_suffix(unit, family_type)
    if suffix and f"_{suffix}_" not in f"_{base}_":
        base = f"{base}_{suffix}"
    return FamilyName(base, family_type, suffix if base.endswith(f"_{suffix}") else "", description or name)


def _unit_suffix(unit: str, family_type: FamilyType) -> str:
    """The words of a UCUM unit; annotations in braces say nothing, "1" is a ratio only of a gauge."""
    unit = re.sub(r"\{[^}]*\}", "", unit).strip()
    if unit == "1":
        return "ratio" if family_type is FamilyType.GAUGE else ""
    main, _, per = unit.partition("/")
    words = [_UNITS.get(main, main), f"per_{_PER.get(per, per)}" if per else ""]
    return _INVALID_NAME.sub("_", "_".join(word for word in words if word)).strip("_")


@functools.lru_cache(maxsize=4096)
def label_name(key: str) -> str:
    """The label of an attribute: every character that Prometheus has no place for becomes an underscore.

    A name that is ours, or Prometheus' own (`le`, `__…`), is set apart by `exported_`, as Prometheus itself does.
    """
    label = _INVALID_LABEL.sub("_", clean(key))
    if not label or label[0].isdigit():
        label = f"key_{label}"
    if label in _RESERVED_LABELS or label.startswith("__"):
        label = f"exported_{label}"
    return label


def clean(text: str) -> str:
    """A text as it can be shown: bytes that were no UTF-8, and NUL, which no format can show, become U+FFFD."""
    if not text.isascii():
        text = text.encode(errors="surrogateescape").decode(errors="replace")
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def label_value(value: AttributeValue) -> str:
    """The text of an attribute's value: strings as they are, everything else as OpenTelemetry's non-OTLP rule says.

    Source: specification/common/README.md, "AnyValue representation for non-OTLP protocols".
    """
    match value:
        case str():
            return clean(value)
        case None:
            return ""
        case bytes():
            return base64.b64encode(value).decode()
        case bool() | list() | dict():
            return clean(json.dumps(_jsonable(value), separators=(",", ":"), ensure_ascii=False, sort_keys=True))
        case float() if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case float() if value.is_integer() and abs(value) < 1e16:
            return f"{value:.1f}"
        case _:
            return str(value)


def _jsonable(value: AttributeValue) -> object:
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case list():
            return [_jsonable(item) for item in value]
        case dict():
            return {key: _jsonable(item) for key, item in value.items()}
        case _:
            return value


def labels_of(attributes: Iterable[tuple[str, AttributeValue]]) -> dict[str, str]:
    """The labels of a stream. Attributes that fall onto one label share it, joined by ";" in order of their keys."""
    labels: dict[str, str] = {}
    for key, value in sorted(attributes, key=lambda item: item[0]):
        label, text = label_name(key), label_value(value)
        labels[label] = f"{labels[label]};{text}" if label in labels else text
    return labels


def identity_labels(identity: Identity) -> dict[str, str]:
    """The three labels that every series of this gateway pod carries."""
    return dict(zip(IDENTITY_LABELS, (identity.namespace, identity.name, identity.pod), strict=True))


def escape(value: str) -> str:
    """A label value as both text formats write it between quotes."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def render_labels(labels: Mapping[str, str]) -> str:
    """Labels as text, sorted by name as prometheus-client sorts them, without braces.

    A NUL stands where the label `le` of a histogram belongs; `clean` leaves none in a value.
    """
    texts = [(name, f'{name}="{escape(value)}"') for name, value in sorted(labels.items())]
    before = ",".join([text for name, text in texts if name < "le"])
    after = ",".join([text for name, text in texts if name >= "le"])
    return f"{before}\0{after}" if after else before
