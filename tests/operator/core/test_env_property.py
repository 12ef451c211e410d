"""What holds for every list that a user may have written, and every way in which they may change what we made of it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import hypothesis
import hypothesis.strategies as st

from aigw_operator.core import env, expansion, resource_attributes
from aigw_operator.core.env import EnvSettings
from aigw_operator.core.model import Raw
from strategies.profile import examples

_ATTRIBUTES: Final = "OTEL_RESOURCE_ATTRIBUTES"
_OURS: Final = "http://default-0.aigw-telemetry.svc.cluster.local:4317"
_NAME, _GATEWAY, _NAMESPACE = expansion.FIELDS.values()
_FIELDS: Final = {_NAME: "pod-1", _GATEWAY: "gw1", _NAMESPACE: "default", "metadata.namespace": "system"}
_EXPECTED: Final = {
    "job_name": "envoy-ai-gateway",
    "service.instance.id": "pod-1",
    "service.layer": "ENVOY_AI_GATEWAY",
    "aigw.service": "gw1",
    "aigw.gateway.namespace": "default",
    "aigw.gateway.name": "gw1",
    "k8s.pod.name": "pod-1",
    "team": "a,b$(A)",
}

_NAMES: Final = st.sampled_from(
    (
        *("A", "B", "POD_NAME", "GATEWAY_NAME", "GATEWAY_NAMESPACE", "AIGW_POD_NAME", "AIGW_GATEWAY_NAME"),
        *("OTEL_SERVICE_NAME", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"),
        *("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"),
        *("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_METRICS_EXPORTER", "OTEL_TRACES_EXPORTER"),
        *("OTEL_METRIC_EXPORT_INTERVAL", "AI_GATEWAY_TRACING_SEMCONV", "OPENINFERENCE_HIDE_INPUTS"),
    )
)
# No text refers to OTEL_RESOURCE_ATTRIBUTES: what we add there shows wherever the user repeats it.
_TEXTS: Final = st.sampled_from(
    (
        *("", "a", "$(A)", "$$(A)", "$(POD_NAME)", "x-$(GATEWAY_NAME)-$(AIGW_POD_NAME)", "$(OTEL_SERVICE_NAME)", "$("),
        *("none", "otlp", "console", "grpc", "http/protobuf", "gen_ai", "true", "false", _OURS, "http://other:4317"),
        *("$(OTEL_EXPORTER_OTLP_ENDPOINT)", "$(OTEL_TRACES_EXPORTER)"),
    )
)
_ATTRIBUTE_TEXTS: Final = st.lists(
    st.sampled_from(
        (
            *(
                "team=b",
                "a=$(A)",
                " x = y ",
                "pod=$(POD_NAME)",
                "aigw.gateway.name=blue",
                "service.name=shop",
                "e=%2C%",
            ),
            *("k8s.pod.name=$(POD_NAME)", "job_name=envoy-ai-gateway", "$(B)", "bad", "", "open=$(x"),
        )
    ),
    max_size=3,
).map(",".join)
_SOURCES: Final = st.sampled_from(
    (
        *({"fieldRef": {"fieldPath": path}} for path in (_NAME, _GATEWAY, "metadata.namespace")),
        {"fieldRef": {"apiVersion": "v1", "fieldPath": _NAME}},
        {"secretKeyRef": {"name": "s", "key": "k"}},
    )
)
_ENTRIES: Final = st.one_of(
    st.builds(lambda name, text: {"name": name, "value": text}, _NAMES, _TEXTS),
    st.builds(lambda name, source: {"valueFrom": source, "name": name}, _NAMES, _SOURCES),
    st.builds(lambda text: {"name": _ATTRIBUTES, "value": text}, _ATTRIBUTE_TEXTS),
    st.just({"name": _ATTRIBUTES}),
    st.builds(expansion.of_pod, _NAMES, st.sampled_from((_NAME, _GATEWAY))),
)
_LISTS: Final = st.lists(_ENTRIES, max_size=7)
_SETTINGS: Final = st.builds(
    EnvSettings,
    endpoint=st.sampled_from((_OURS, "http://default-1:4317")),
    protocol=st.sampled_from(("grpc", "http/protobuf")),
    interval_ms=st.sampled_from((10_000, 5_000)),
    temporality=st.sampled_from(("cumulative", "delta")),
    naming=st.sampled_from(("Gateway", "SkyWalking")),
    traces=st.booleans(),
    attributes=st.sampled_from(((), (("team", "a,b$(A)"),))),
)
# An edit: what is done, where (modulo the list's length), and with which entry.
_EDITS: Final = st.lists(
    st.tuples(st.sampled_from(("drop", "set", "insert", "move", "extend")), st.integers(0, 30), _ENTRIES), max_size=4
)


def _edited(live: Sequence[Raw], edits: Sequence[tuple[str, int, Raw]]) -> list[Raw]:
    result = list(live)
    for what, where, entry in edits:
        at = where % (len(result) + 1)
        if what == "insert":
            result.insert(at, entry)
        elif at == len(result):
            continue
        elif what == "drop":
            del result[at]
        elif what == "move":
            result.insert(0, result.pop(at))
        elif what == "set":
            result[at] = {**entry, "name": result[at]["name"]}
        else:
            result[at] = {"name": result[at]["name"], "value": f"{result[at].get('value', '')},more=yes"}
    return result


def _exactly(entries: Sequence[Raw]) -> str:
    return json.dumps(list(entries))


def _values(entries: Sequence[Raw]) -> dict[str, str]:
    return env.expand(env.gateway_env((), entries), _FIELDS)


def _assert_sound(merged: env.EnvMerge, settings: EnvSettings) -> None:
    """Nothing would be written again; what we wrote resolves and is read as it was meant."""
    noted = json.loads(json.dumps(merged.record))
    again = env.merge_env(merged.env, settings, noted)
    assert (_exactly(merged.env), merged.record, merged.notes) == (_exactly(again.env), again.record, again.notes)
    assert env.check_pod(env.gateway_env((), merged.env), merged.env) is None
    attributes, malformed = resource_attributes.parse(_values(merged.env)[_ATTRIBUTES])
    assert malformed == []
    for pair in merged.record.get("attributes", {}).get("pairs", ()):
        key = pair.partition("=")[0]
        assert _EXPECTED[key] == attributes[key]
    for entry in merged.record.get("entries", ()):
        if "value" in entry:
            assert "$(" not in _values(merged.env)[entry["name"]]


@examples(300)
@hypothesis.given(live=_LISTS, settings=_SETTINGS)
def test_a_list_never_seen_before(live: list[Raw], settings: EnvSettings) -> None:
    """An entry of the user's is lost, moved or changed in what it means, or undo leaves a trace."""
    merged = env.merge_env(live, settings)
    if merged.error:
        assert (tuple(live), {}) == (merged.env, merged.record)
        return
    _assert_sound(merged, settings)
    assert _exactly(live) == _exactly(env.undo_env(merged.env, merged.record))
    before, after = _values(live), _values(merged.env)
    theirs = before.keys() - {_ATTRIBUTES}
    assert {name: before[name] for name in theirs} == {name: after[name] for name in theirs}


@examples(300)
@hypothesis.given(live=_LISTS, first=_SETTINGS, edits=_EDITS, second=_SETTINGS, more=_EDITS)
def test_edits_and_changed_settings(
    live: list[Raw],
    first: EnvSettings,
    edits: list[tuple[str, int, Raw]],
    second: EnvSettings,
    more: list[tuple[str, int, Raw]],
) -> None:
    """What a user does to a list of ours is undone, or something of ours can no longer be told from theirs."""
    record: Mapping[str, Any] = {}
    for settings, then in ((first, edits), (second, more), (first, [])):
        merged = env.merge_env(live, settings, record)
        expected = env.undo_env(live, record)
        assert _exactly(expected) == _exactly(env.undo_env(merged.env, merged.record))
        if merged.error is None:
            _assert_sound(merged, settings)
        live, record = _edited(merged.env, then), json.loads(json.dumps(merged.record))


@examples(100)
@hypothesis.given(live=_LISTS, first=_SETTINGS, second=_SETTINGS)
def test_changed_settings_move_nothing_of_the_user(live: list[Raw], first: EnvSettings, second: EnvSettings) -> None:
    """A changed policy gives another list than the same policy would have given at once: undone and made anew."""
    before = env.merge_env(live, first)
    if before.error is not None:
        return
    changed = env.merge_env(before.env, second, before.record)
    at_once = env.merge_env(live, second)
    assert (at_once.error is None) == (changed.error is None)
    if changed.error is None and at_once.error is None:
        assert _values(at_once.env).items() <= _values(changed.env).items()


_JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("name", "value", "valueFrom", "pairs", "made", "blank", "fieldRef")), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@examples(300)
@hypothesis.given(live=_LISTS, settings=_SETTINGS, entries=_JSON, attributes=_JSON)
def test_a_spoiled_record(live: list[Raw], settings: EnvSettings, entries: Any, attributes: Any) -> None:
    """A note that somebody has edited stops the operator, or makes it take an entry of the user's for ours."""
    record = {"entries": entries, "attributes": attributes}
    merged = env.merge_env(live, settings, record)
    assert _exactly(env.undo_env(live, record)) == _exactly(env.undo_env(merged.env, merged.record))
