"""What a gateway does with the environment that it is given: where its telemetry goes, and whether it starts at all.

The gateway is played by a few lines that follow AI Gateway's internal/metrics and internal/tracing, opentelemetry-go's
autoexport and its exporters' own reading of the variables.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import hypothesis
import hypothesis.strategies as st

from aigw_operator.core import env, expansion, resource_attributes
from aigw_operator.core.env import EnvSettings
from aigw_operator.core.model import Raw
from strategies.profile import examples

_OURS: Final = "http://default-0.aigw-telemetry.svc.cluster.local:4317"
_PREFIX: Final = "OTEL_EXPORTER_OTLP_"
_TRUE: Final = ("1", "t", "T", "true", "TRUE", "True")

_NAMES: Final = st.sampled_from(
    (
        *(f"{_PREFIX}{signal}ENDPOINT" for signal in ("", "METRICS_", "TRACES_", "LOGS_")),
        *(f"{_PREFIX}{signal}PROTOCOL" for signal in ("", "METRICS_", "TRACES_")),
        *("OTEL_METRICS_EXPORTER", "OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED", "OTEL_METRICS_PRODUCERS"),
        *("OTEL_METRIC_EXPORT_INTERVAL", f"{_PREFIX}METRICS_TEMPORALITY_PREFERENCE", "AI_GATEWAY_TRACING_SEMCONV"),
        *("OPENINFERENCE_HIDE_INPUTS", "OPENINFERENCE_HIDE_OUTPUTS", "OTEL_RESOURCE_ATTRIBUTES", "A"),
    )
)
_VALUES: Final = st.sampled_from(
    (
        *("", "none", "otlp", "console", "prometheus", "grpc", "http/protobuf", "gen_ai", "openinference", "true"),
        *(_OURS, "http://other:4318", "delta", "a=b", "nonsense", "$(A)"),
    )
)
_LISTS: Final = st.lists(st.builds(lambda name, text: {"name": name, "value": text}, _NAMES, _VALUES), max_size=5)
_SETTINGS: Final = st.builds(
    EnvSettings,
    endpoint=st.just(_OURS),
    protocol=st.sampled_from(("grpc", "http/protobuf")),
    interval_ms=st.just(10_000),
    temporality=st.just("cumulative"),
    naming=st.just("Gateway"),
    traces=st.booleans(),
    attributes=st.just(()),
)


class _Stream(NamedTuple):
    """Where one signal goes, and how; for traces whether prompts are in them, by the gateway's version."""

    target: str
    protocol: str
    prompts: tuple[bool, bool] = (False, False)


class _Gateway(NamedTuple):
    starts: bool
    metrics: _Stream | None
    traces: _Stream | None


def _started(entries: list[Raw] | tuple[Raw, ...]) -> _Gateway:
    """A gateway that was given these entries."""
    values = expansion.expand(expansion.gateway_env((), entries), {})
    if values.get("OTEL_SDK_DISABLED") == "true":
        return _Gateway(starts=True, metrics=None, traces=None)
    exporter = values.get("OTEL_METRICS_EXPORTER", "")
    has_endpoint = any(values.get(f"{_PREFIX}{signal}ENDPOINT") for signal in ("", "METRICS_"))
    exports = exporter not in ("none", "prometheus", "console") and has_endpoint
    starts = not exports or exporter in ("", "otlp")
    metrics = _stream(values, "METRICS") if exports else None
    if exports and values.get("OTEL_METRICS_PRODUCERS"):
        starts &= values["OTEL_METRICS_PRODUCERS"] in ("prometheus", "none")
    exporter = values.get("OTEL_TRACES_EXPORTER", "")
    has_endpoint = any(values.get(f"{_PREFIX}{signal}ENDPOINT") for signal in ("", "TRACES_"))
    traced = exporter != "none" and (exporter != "" or has_endpoint)
    starts &= not traced or exporter in ("", "otlp", "console")
    starts &= not traced or values.get("AI_GATEWAY_TRACING_SEMCONV", "") in ("", "gen_ai", "openinference")
    traces = _stream(values, "TRACES") if traced and exporter != "console" else None
    starts &= all(each is None or each.protocol in ("grpc", "http/protobuf") for each in (metrics, traces))
    if metrics or traces:
        starts &= not resource_attributes.parse(values.get("OTEL_RESOURCE_ATTRIBUTES", ""))[1]
    return _Gateway(starts, metrics, traces)


def _stream(values: Mapping[str, str], signal: str) -> _Stream:
    protocol = values.get(f"{_PREFIX}{signal}_PROTOCOL") or values.get(f"{_PREFIX}PROTOCOL") or "http/protobuf"
    target = values.get(f"{_PREFIX}{signal}_ENDPOINT", "")
    if not target:
        generic = values.get(f"{_PREFIX}ENDPOINT") or "http://localhost"
        target = generic + (f"/v1/{signal.lower()}" if protocol == "http/protobuf" else "")
    if signal == "METRICS":
        return _Stream(target, protocol)
    shown = not all(values.get(f"OPENINFERENCE_HIDE_{part}") in _TRUE for part in ("INPUTS", "OUTPUTS"))
    return _Stream(target, protocol, (shown, shown and values.get("AI_GATEWAY_TRACING_SEMCONV", "") != "gen_ai"))


def _names(entries: list[Raw]) -> set[str]:
    return {entry["name"] for entry in entries}


@examples(250)
@hypothesis.given(live=_LISTS, settings=_SETTINGS)
def test_it_goes_on_starting(live: list[Raw], settings: EnvSettings) -> None:
    """A variable of ours makes a value count that stops the gateway: an outage of the data plane."""
    merged = env.merge_env(live, settings)
    assert _started(merged.env).starts or not _started(live).starts


@examples(250)
@hypothesis.given(live=_LISTS, settings=_SETTINGS)
def test_metrics_go_to_the_policy_or_where_they_went(live: list[Raw], settings: EnvSettings) -> None:
    """Metrics are sent to nobody, to the wrong path, or away from where the user wants them."""
    merged = env.merge_env(live, settings)
    before, after = _started(live).metrics, _started(merged.env).metrics
    users = _names(live)
    named = {f"{_PREFIX}ENDPOINT", f"{_PREFIX}METRICS_ENDPOINT"} & users
    values = expansion.expand(expansion.gateway_env((), live), {})
    if named and before is not None:
        assert after is not None
        assert before.target.removesuffix("/v1/metrics") == after.target.removesuffix("/v1/metrics")
        assert before == after or _OURS in before.target
        return
    exports = values.get("OTEL_SDK_DISABLED") != "true" and values.get("OTEL_METRICS_EXPORTER", "") in ("", "otlp")
    if merged.error is None and not named and exports:
        assert after is not None
        spoken = values.get(f"{_PREFIX}METRICS_PROTOCOL") or values.get(f"{_PREFIX}PROTOCOL") or settings.protocol
        right = settings.endpoint + ("/v1/metrics" if settings.protocol == "http/protobuf" else "")
        assert spoken == after.protocol or f"{_PREFIX}PROTOCOL" in users
        assert after.target == right or after.protocol != settings.protocol


@examples(250)
@hypothesis.given(live=_LISTS, settings=_SETTINGS, before=_SETTINGS)
def test_traces_are_switched_on_by_nobody_but_the_policy(
    live: list[Raw], settings: EnvSettings, before: EnvSettings
) -> None:
    """Prompts are sent to somebody whom nobody has told the gateway to send them to."""
    earlier = env.merge_env(live, before)
    merged = env.merge_env(earlier.env, settings, earlier.record)
    without, traces = _started(live).traces, _started(merged.env).traces
    if merged.error is None and not settings.traces:
        assert without == traces
    if traces is not None and without is None:
        assert settings.traces
        assert {"OPENINFERENCE_HIDE_INPUTS", "OPENINFERENCE_HIDE_OUTPUTS"} & _names(live) or traces.prompts == (
            False,
            False,
        )
        assert traces.target.startswith(_OURS)
    if traces is not None and without is not None and not without.target.startswith((_OURS, "http://localhost")):
        assert without == traces


@examples(150)
@hypothesis.given(live=_LISTS, traces=st.booleans())
def test_an_endpoint_that_is_edited_gets_no_prompts(live: list[Raw], traces: bool) -> None:
    """A user points our endpoint elsewhere, and with it goes what kept the prompts out of traces."""
    settings = EnvSettings(_OURS, "grpc", 10_000, "cumulative", "Gateway", traces, ())
    merged = env.merge_env(live, settings)
    ours = {entry["name"] for entry in merged.record.get("entries", ())}
    edited = [
        {**entry, "value": "http://other:4317"} if entry["name"] in ours and "ENDPOINT" in entry["name"] else entry
        for entry in merged.env
    ]
    again = env.merge_env(edited, settings, merged.record)
    before, after = _started(merged.env).traces, _started(again.env).traces
    assert after is None or (before is not None and before.prompts == after.prompts)
