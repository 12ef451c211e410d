"""EnvoyProxy specs with our settings, and without them again."""

import copy
import dataclasses
import json
import os
from pathlib import Path
from typing import Any, Final

import pytest

from aigw_operator.core import access_log, envoy_proxy, patch
from aigw_operator.core.access_log import STDOUT
from aigw_operator.core.model import Capabilities, NamespacedName, Raw
from aigw_operator.core.note import Note

_GOLDEN: Final = Path(__file__).parent / "golden"
# Set to anything, the golden files are written instead of compared.
_REGENERATE: Final = "REGENERATE_GOLDEN"
LABELS: Final = {"app.kubernetes.io/managed-by": "aigw-telemetry"}


def build(backend: str = "aigw-telemetry-0123456789", *, resource_attributes: bool = True) -> tuple[Raw, Raw]:
    """Our two settings."""
    return access_log.build_settings(
        backend,
        4317,
        capabilities=Capabilities(resource_attributes=resource_attributes),
        service_attributes=(("service.name", "chat"),),
    )


LLM, MCP = SETTINGS = build()
FILE: Final[Raw] = {"sinks": [{"type": "File", "file": {"path": "/var/log/access.log"}}]}
COLLECTOR: Final[Raw] = {
    "sinks": [{"type": "OpenTelemetry", "openTelemetry": {"backendRefs": [{"name": "collector", "port": 4317}]}}]
}


def logging_to(*settings: Raw, **others: Any) -> Raw:
    """A spec with these access-log settings."""
    return {"telemetry": {"accessLog": {"settings": list(settings), **others}}}


def with_defaults(spec: Raw) -> Raw:
    """The spec as the API server of Envoy Gateway's CRD gives it back."""
    filled = {**copy.deepcopy(spec)}
    filled["logging"] = {"level": {"default": "warn"}}
    for setting in filled["telemetry"]["accessLog"]["settings"]:
        for sink in setting["sinks"]:
            if "openTelemetry" in sink:
                sink["openTelemetry"].setdefault("port", 4317)
                for reference in sink["openTelemetry"]["backendRefs"]:
                    reference.update({"group": "", "kind": "Service", "weight": 1} | reference)
    return filled


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """A user's spec, and what becomes of it."""

    reason: str
    live: Raw
    extended: Raw
    record: Raw


CASES: Final = [
    Case(
        "an empty spec logs to stdout by default, which any setting ends",
        {},
        logging_to(STDOUT, LLM, MCP),
        {"created": "telemetry", "stdout": True},
    ),
    Case(
        "all else in the spec is kept",
        {"concurrency": 2, "telemetry": {"metrics": {"prometheus": {"disable": False}}}},
        {
            "concurrency": 2,
            "telemetry": {
                "metrics": {"prometheus": {"disable": False}},
                "accessLog": {"settings": [STDOUT, LLM, MCP]},
            },
        },
        {"created": "accessLog", "stdout": True},
    ),
    Case(
        "an access log that is only not disabled",
        {"telemetry": {"accessLog": {"disable": False}}},
        logging_to(STDOUT, LLM, MCP, disable=False),
        {"created": "settings", "stdout": True},
    ),
    Case(
        "empty maps of the user",
        {"telemetry": {"accessLog": {}}},
        logging_to(STDOUT, LLM, MCP),
        {"created": "settings", "stdout": True},
    ),
    Case(
        "settings of the user stand first, and had no default stdout to lose",
        logging_to(COLLECTOR, FILE),
        logging_to(COLLECTOR, FILE, LLM, MCP),
        {"created": "", "stdout": False},
    ),
    Case(
        "a stdout of the user's own is not ours",
        logging_to(STDOUT),
        logging_to(STDOUT, LLM, MCP),
        {"created": "", "stdout": False},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.reason for case in CASES])
def test_extend_and_undo(case: Case) -> None:
    """Else a user loses a setting or stdout, or finds something left when we are gone."""
    merge = envoy_proxy.extend(case.live, SETTINGS)

    assert envoy_proxy.ProxyMerge(case.extended, case.record) == merge
    assert case.live == envoy_proxy.undo(merge.spec, merge.record)


@pytest.mark.parametrize("case", CASES, ids=[case.reason for case in CASES])
def test_nothing_to_write(case: Case) -> None:
    """Else every reconcile writes, since the API server's defaults are taken for a difference."""
    live = with_defaults(case.extended)

    assert envoy_proxy.ProxyMerge(live, case.record) == envoy_proxy.extend(live, SETTINGS, case.record)
    assert {} == patch.merge_patch(live, envoy_proxy.extend(live, SETTINGS, case.record).spec)


def test_another_backend() -> None:
    """Else a Gateway that was given to another shard goes on sending to the old one, or to both."""
    live = with_defaults(logging_to(FILE, LLM, COLLECTOR, MCP))
    record = {"created": "", "stdout": False}
    llm, mcp = build("aigw-telemetry-9876543210")

    merge = envoy_proxy.extend(live, (llm, mcp), record)

    settings = merge.spec["telemetry"]["accessLog"]["settings"]
    assert patch.covers(settings, [FILE, llm, COLLECTOR, mcp])
    assert [False, True, False, True] == [access_log.is_ours(setting) for setting in settings]
    assert merge == envoy_proxy.extend(merge.spec, (llm, mcp), merge.record)


UPDATES: Final[list[tuple[str, Raw, list[Raw]]]] = [
    ("one of ours is missing", logging_to(FILE, MCP), [FILE, MCP, LLM]),
    ("one of ours stands twice", logging_to(LLM, FILE, LLM, MCP), [LLM, FILE, MCP]),
    ("in the other order", logging_to(MCP, FILE, LLM), [MCP, FILE, LLM]),
    ("a field was removed", logging_to(FILE, {**LLM, "format": {"type": "JSON", "json": {}}}, MCP), [FILE, LLM, MCP]),
    ("a filter was changed", logging_to(FILE, {**LLM, "matches": ["true"]}, MCP), [FILE, LLM, MCP]),
    ("the upgrade to Envoy Gateway 1.7", logging_to(FILE, *build(resource_attributes=False)), [FILE, LLM, MCP]),
]


@pytest.mark.parametrize(("reason", "live", "settings"), UPDATES, ids=[case[0] for case in UPDATES])
def test_update_in_place(reason: str, live: Raw, settings: list[Raw]) -> None:
    """Else a drift is not repaired, or settings of the user change their places."""
    merge = envoy_proxy.extend(live, SETTINGS, {"created": "", "stdout": False})

    assert logging_to(*settings) == merge.spec, reason
    assert logging_to(FILE) == envoy_proxy.undo(merge.spec, merge.record)


def test_what_the_user_added_to_ours_stays() -> None:
    """Else a field or a sink that a user put into our setting is gone after the next change of ours."""
    team = {"type": "JSON", "json": {**LLM["format"]["json"], "team": "%REQ(X-TEAM)%"}}
    file = FILE["sinks"][0]
    (sink,) = LLM["sinks"]
    own = {**sink, "openTelemetry": {**sink["openTelemetry"], "headers": [{"name": "x-tenant", "value": "a"}]}}
    edited = {**LLM, "format": team, "sinks": [file, own]}
    record = {"created": "", "stdout": False}

    live = logging_to(COLLECTOR, edited, MCP)

    assert live == envoy_proxy.extend(live, SETTINGS, record).spec

    (changed,) = build("aigw-telemetry-9876543210")[0]["sinks"]
    target = {"headers": [{"name": "x-tenant", "value": "a"}], **changed["openTelemetry"]}
    merge = envoy_proxy.extend(live, build("aigw-telemetry-9876543210"), record)
    updated = merge.spec["telemetry"]["accessLog"]["settings"][1]
    assert {**edited, "sinks": [file, {**changed, "openTelemetry": target}]} == updated

    assert logging_to(COLLECTOR, {**edited, "sinks": [file]}) == envoy_proxy.undo(merge.spec, merge.record)


def test_a_resource_attribute_that_the_policy_dropped() -> None:
    """Else an attribute that was taken out of a policy is sent for ever."""
    fewer = access_log.build_settings(
        "aigw-telemetry-0123456789",
        4317,
        capabilities=Capabilities(resource_attributes=True),
        service_attributes=(),
    )

    assert logging_to(FILE, *fewer) == envoy_proxy.extend(logging_to(FILE, LLM, MCP), fewer).spec


def test_stdout_that_the_user_removed() -> None:
    """Else the user can never have less than what we added."""
    record = {"created": "telemetry", "stdout": True}
    live = logging_to(LLM, MCP)

    assert envoy_proxy.ProxyMerge(live, record) == envoy_proxy.extend(live, SETTINGS, record)
    assert {} == envoy_proxy.undo(live, record)


def test_the_last_setting_that_the_user_removed() -> None:
    """Else stdout is quiet, where without us it would speak again."""
    record = {"created": "", "stdout": False}

    merge = envoy_proxy.extend(logging_to(LLM, MCP), SETTINGS, record)

    assert envoy_proxy.ProxyMerge(logging_to(STDOUT, LLM, MCP), {"created": "", "stdout": True}) == merge
    assert {"telemetry": {"accessLog": {}}} == envoy_proxy.undo(merge.spec, merge.record)


def test_undo_keeps_what_the_user_did_meanwhile() -> None:
    """Else deleting a policy deletes somebody's work."""
    record = {"created": "telemetry", "stdout": True}
    edited = {**STDOUT, "matches": ["response.code >= 400"]}
    live = {
        "concurrency": 4,
        "telemetry": {"tracing": {"samplingRate": 1}, "accessLog": {"settings": [edited, LLM, COLLECTOR, MCP]}},
    }

    assert {
        "concurrency": 4,
        "telemetry": {"tracing": {"samplingRate": 1}, "accessLog": {"settings": [edited, COLLECTOR]}},
    } == envoy_proxy.undo(live, record)


@pytest.mark.parametrize("live", [{}, logging_to(STDOUT), logging_to(FILE, COLLECTOR), {"telemetry": {}}])
def test_undo_of_nothing(live: Raw) -> None:
    """Else undo writes into objects that we never touched."""
    assert live is envoy_proxy.undo(live, {})


def test_a_lost_record() -> None:
    """Else an annotation that somebody removed leaves us in the object for ever, or takes stdout away."""
    merge = envoy_proxy.extend(logging_to(STDOUT, LLM, MCP), SETTINGS)

    assert envoy_proxy.ProxyMerge(logging_to(STDOUT, LLM, MCP), {"created": "", "stdout": False}) == merge
    assert logging_to(STDOUT) == envoy_proxy.undo(merge.spec, {})


def test_a_record_of_another_time() -> None:
    """Else a note that outlived its settings (the object was written anew by its owner) takes stdout or a key away."""
    merge = envoy_proxy.extend(logging_to(STDOUT), SETTINGS, {"created": "telemetry", "stdout": True})

    assert {"created": "", "stdout": False} == merge.record
    assert logging_to(STDOUT) == envoy_proxy.undo(merge.spec, merge.record)


def test_disabled_by_the_user() -> None:
    """Else we claim logs that never come; or what we wrote stays when the user has switched logging off."""
    for live in (logging_to(disable=True), logging_to(FILE, disable=True)):
        merge = envoy_proxy.extend(live, SETTINGS)

        assert merge.error is not None
        assert ("DisabledByUser", live, {}) == (merge.error.reason, merge.spec, merge.record)

    live = logging_to(STDOUT, LLM, MCP, disable=True)
    merge = envoy_proxy.extend(live, SETTINGS, {"created": "telemetry", "stdout": True})
    assert {"telemetry": {"accessLog": {"disable": True}}} == merge.spec
    assert {} == merge.record


@pytest.mark.parametrize(("count", "reason"), [(48, None), (49, "TooManySettings")])
def test_too_many_settings(count: int, reason: str | None) -> None:
    """Else the API server refuses the object at every reconcile, and no condition says why."""
    live = logging_to(*[FILE] * count)
    merge = envoy_proxy.extend(live, SETTINGS)

    assert reason == (merge.error and merge.error.reason)
    assert (live == merge.spec) == (reason is not None)


TEMPO: Final[Raw] = {"name": "tempo", "namespace": "tracing", "port": 4317}
METRICS: Final[Raw] = {"name": "collector", "port": 4317}
CLASS_SPEC: Final[Raw] = {
    "mergeType": "StrategicMerge",
    "provider": {"type": "Kubernetes", "kubernetes": {"envoyDeployment": {"replicas": 3}}},
    "logging": {"level": {"default": "info"}},
    "telemetry": {
        "accessLog": {"settings": [COLLECTOR, FILE]},
        "tracing": {"provider": {"type": "OpenTelemetry", "backendRefs": [TEMPO]}},
        "metrics": {"sinks": [{"type": "OpenTelemetry", "openTelemetry": {"backendRefs": [METRICS]}}]},
    },
}


def own(class_spec: Raw | None, *, class_namespace: str = "envoy-gateway-system", merge_type: str = "") -> Raw | Note:
    """Our EnvoyProxy for the Gateway prod/chat."""
    return envoy_proxy.build_own(
        NamespacedName("prod", "chat-aigw-telemetry"),
        LABELS,
        SETTINGS,
        class_spec,
        "v1alpha1",
        class_namespace=class_namespace,
        merge_type=merge_type,
    )


@pytest.mark.parametrize(("name", "class_spec"), [("envoy_proxy_own", None), ("envoy_proxy_of_class", CLASS_SPEC)])
def test_own(name: str, class_spec: Raw | None) -> None:
    """Else what a class sets (replicas, log level, its own logs) is lost for a Gateway that we wire."""
    text = json.dumps(own(class_spec), indent=2) + "\n"
    golden = _GOLDEN / f"{name}.json"
    if os.environ.get(_REGENERATE):
        golden.write_text(text)

    assert golden.read_text() == text


def test_references_of_the_class_keep_their_namespace() -> None:
    """Else a Service that the class names is looked for in the Gateway's namespace, and the Gateway is not accepted."""
    built = own(CLASS_SPEC)
    assert not isinstance(built, Note)
    telemetry = built["spec"]["telemetry"]

    (class_log,) = telemetry["accessLog"]["settings"][0]["sinks"][0]["openTelemetry"]["backendRefs"]
    assert "envoy-gateway-system" == class_log["namespace"]
    (metrics,) = telemetry["metrics"]["sinks"][0]["openTelemetry"]["backendRefs"]
    assert "envoy-gateway-system" == metrics["namespace"]
    assert CLASS_SPEC["telemetry"]["tracing"] == telemetry["tracing"]
    assert "namespace" not in telemetry["accessLog"]["settings"][2]["sinks"][0]["openTelemetry"]["backendRefs"][0]


def test_class_in_the_same_namespace() -> None:
    """Else a needless difference is written into what was copied."""
    built = own(CLASS_SPEC, class_namespace="prod")
    assert not isinstance(built, Note)

    assert CLASS_SPEC["telemetry"]["metrics"] == built["spec"]["telemetry"]["metrics"]


def test_merge_type() -> None:
    """Else defaults in Envoy Gateway's own configuration end with our object, or a class's choice is overruled."""
    plain, of_class = own(None, merge_type="JSONMerge"), own({"concurrency": 1}, merge_type="JSONMerge")
    assert not isinstance(plain, Note)
    assert not isinstance(of_class, Note)

    assert "JSONMerge" == plain["spec"]["mergeType"]
    assert "mergeType" not in of_class["spec"]


CERTIFICATE: Final[Raw] = {"backendTLS": {"clientCertificateRef": {"name": "client"}}}
REFUSED: Final[list[tuple[Raw, str, str | None]]] = [
    ({"mergeGateways": True}, "envoy-gateway-system", "UnsupportedMergeGateways"),
    ({"mergeGateways": False}, "envoy-gateway-system", None),
    ({"telemetry": {"accessLog": {"disable": True}}}, "envoy-gateway-system", "DisabledByUser"),
    (CERTIFICATE, "envoy-gateway-system", "UnsupportedClassSecret"),
    (CERTIFICATE, "prod", None),
    (logging_to(*[FILE] * 49), "prod", "TooManySettings"),
]


@pytest.mark.parametrize(("class_spec", "class_namespace", "reason"), REFUSED)
def test_classes_that_cannot_be_carried_over(class_spec: Raw, class_namespace: str, reason: str | None) -> None:
    """Else a Gateway loses its Accepted condition by our wiring."""
    built = own(class_spec, class_namespace=class_namespace)

    assert reason == (built.reason if isinstance(built, Note) else None)
