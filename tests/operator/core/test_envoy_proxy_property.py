"""Random EnvoyProxies of users: whatever they hold, we come and go without a trace, and we never write twice."""

import copy
from typing import Any, Final

import hypothesis
import hypothesis.strategies as st

from aigw_operator.core import access_log, envoy_proxy, patch
from aigw_operator.core.model import Capabilities, Raw
from strategies.profile import examples

_SINKS: Final = st.sampled_from(
    [
        {"type": "File", "file": {"path": "/dev/stdout"}},
        {"type": "File", "file": {"path": "/var/log/access.log"}},
        {"type": "ALS", "als": {"type": "HTTP", "backendRefs": [{"name": "als", "port": 9000}]}},
        {"type": "OpenTelemetry", "openTelemetry": {"host": "collector.example", "port": 4317}},
        {"type": "OpenTelemetry", "openTelemetry": {"backendRefs": [{"name": "collector", "port": 4317}]}},
    ]
)
_USER_SETTINGS: Final = st.fixed_dictionaries(
    {"sinks": st.lists(_SINKS, min_size=1, max_size=2)},
    optional={
        "type": st.sampled_from(["Route", "Listener"]),
        "matches": st.lists(st.sampled_from(["response.code >= 400", access_log.LLM_MATCH]), max_size=2),
        "format": st.sampled_from([{"type": "Text", "text": "%START_TIME%"}, {"type": "JSON", "json": {"a": "b"}}]),
    },
)
# minItems of the list is 1: without settings there is no key.
_ACCESS_LOGS: Final = st.fixed_dictionaries(
    {},
    optional={"settings": st.lists(_USER_SETTINGS, min_size=1, max_size=4), "disable": st.booleans()},
)
_SPECS: Final = st.fixed_dictionaries(
    {},
    optional={
        "concurrency": st.integers(1, 8),
        "logging": st.just({"level": {"default": "info"}}),
        "telemetry": st.fixed_dictionaries(
            {},
            optional={"accessLog": _ACCESS_LOGS, "tracing": st.just({"samplingRate": 5})},
        ),
    },
)
_SETTINGS: Final = st.builds(
    lambda digest, attributes, newer: access_log.build_settings(
        f"aigw-telemetry-{digest}",
        4317,
        capabilities=Capabilities(resource_attributes=newer),
        service_attributes=attributes,
    ),
    st.sampled_from(["0123456789", "9876543210"]),
    st.sampled_from([(), (("service.name", "chat"),), (("service.name", "chat"), ("team", "a"))]),
    st.booleans(),
)


def settings_of(spec: Raw) -> list[Raw]:
    """The access-log settings of a spec."""
    found: list[Raw] = spec.get("telemetry", {}).get("accessLog", {}).get("settings", [])
    return found


def with_defaults(spec: Raw) -> Raw:
    """The spec as an API server gives it back: with defaults of the CRD filled in."""
    filled = copy.deepcopy(spec)
    for setting in settings_of(filled):
        for sink in setting["sinks"]:
            target = sink.get("openTelemetry")
            if target is not None:
                target.setdefault("port", 4317)
                for reference in target.get("backendRefs", []):
                    reference.update({"group": "", "kind": "Service", "weight": 1} | reference)
    return filled


@examples(150)
@hypothesis.given(_SPECS, _SETTINGS)
def test_undo_restores(spec: Raw, settings: tuple[Raw, Raw]) -> None:
    """Else something of a user is different after we have gone."""
    original = copy.deepcopy(spec)
    merge = envoy_proxy.extend(spec, settings)

    assert original == envoy_proxy.undo(merge.spec, merge.record)
    assert original == spec


@examples(150)
@hypothesis.given(_SPECS, _SETTINGS, _SETTINGS)
def test_undo_restores_after_a_change(spec: Raw, before: tuple[Raw, Raw], after: tuple[Raw, Raw]) -> None:
    """Else what we noted at first is forgotten by a later write."""
    first = envoy_proxy.extend(spec, before)
    second = envoy_proxy.extend(first.spec, after, first.record)

    assert spec == envoy_proxy.undo(second.spec, second.record)
    assert envoy_proxy.extend(spec, after) == second


@examples(150)
@hypothesis.given(_SPECS, _SETTINGS)
def test_extend_is_idempotent(spec: Raw, settings: tuple[Raw, Raw]) -> None:
    """Else every reconcile writes."""
    merge = envoy_proxy.extend(spec, settings)
    live = with_defaults(merge.spec)
    again = envoy_proxy.extend(live, settings, merge.record)

    assert {} == patch.merge_patch(live, again.spec)
    assert merge.record == again.record
    assert merge.error == again.error


@examples(150)
@hypothesis.given(_SPECS, _SETTINGS)
def test_user_settings_stay(spec: Raw, settings: tuple[Raw, Raw]) -> None:
    """Else a setting of a user is moved, changed or lost; or stdout goes quiet where it was on by default."""
    merge = envoy_proxy.extend(spec, settings)
    theirs = settings_of(spec)
    made = settings_of(merge.spec)

    if merge.error:
        assert theirs == made
    else:
        assert [*(theirs or [access_log.STDOUT]), *settings] == made


@examples(150)
@hypothesis.given(_SPECS, _SETTINGS, st.lists(_USER_SETTINGS, max_size=2), st.randoms(use_true_random=False))
def test_what_users_add_meanwhile_stays(spec: Raw, settings: tuple[Raw, Raw], added: list[Raw], rng: Any) -> None:
    """Else undo takes something that came after us."""
    hypothesis.assume(access_log.STDOUT not in added)
    merge = envoy_proxy.extend(spec, settings)
    hypothesis.assume(merge.error is None)
    live: Any = copy.deepcopy(merge.spec)
    changed = settings_of(live)
    for setting in added:
        changed.insert(rng.randrange(len(changed) + 1), setting)
    kept = [setting for setting in changed if not access_log.is_ours(setting)]
    if merge.record["stdout"]:
        kept.remove(access_log.STDOUT)

    again = envoy_proxy.extend(live, settings, merge.record)

    assert live == again.spec
    assert kept == settings_of(envoy_proxy.undo(again.spec, again.record))
