"""The env of a GatewayConfig, case by case: what stood there, what we make of it, and what a kubelet makes of that."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from aigw_operator.core import env
from aigw_operator.core.env import EnvSettings

# A case: why, live (the list before), settings (what differs from the usual ones), global (AI Gateway's
# --extProcExtraEnvVars); edits (what the user does to the list that we wrote) and then (the settings after that);
# out, which is what the test asserts.
_CASES: Final = Path(__file__).parent / "env_cases"
# Set to anything, what comes out is written into the cases instead of compared.
_REGENERATE: Final = "REGENERATE_GOLDEN"

_LABEL: Final = "metadata.labels['gateway.envoyproxy.io/owning-gateway-{}']"
_FIELDS: Final = {
    "metadata.name": "envoy-default-gw1-5d8f-x7k2p",
    "metadata.namespace": "envoy-gateway-system",
    _LABEL.format("name"): "gw1",
    _LABEL.format("namespace"): "default",
}
_USUAL: Final[Mapping[str, Any]] = {
    "endpoint": "http://default-0.aigw-telemetry.svc.cluster.local:4317",
    "protocol": "grpc",
    "interval_ms": 10_000,
    "temporality": "cumulative",
    "naming": "Gateway",
    "traces": False,
    "attributes": {},
}


def _settings(differing: Mapping[str, Any]) -> EnvSettings:
    fields = {**_USUAL, **differing}
    return EnvSettings(**{**fields, "attributes": tuple(fields["attributes"].items())})


def _edited(live: Sequence[Mapping[str, Any]], edits: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The list after a user's edits: names dropped, values set in place, entries put first and last, all reversed."""
    kept = [entry for entry in live if entry["name"] not in edits.get("drop", ())]
    changed = [
        {**entry, "value": edits["set"][entry["name"]]} if entry["name"] in edits.get("set", {}) else entry
        for entry in kept
    ]
    result = [*edits.get("first", ()), *changed, *edits.get("last", ())]
    return result[::-1] if edits.get("reverse") else result


def _outcome(case: Mapping[str, Any]) -> dict[str, Any]:
    settings = _settings(case.get("settings", {}))
    before = list(case["live"])
    merged = env.merge_env(before, settings)
    if "edits" in case or "then" in case:
        before = _edited(merged.env, case.get("edits", {}))
        settings = _settings({**case.get("settings", {}), **case.get("then", {})})
        merged = env.merge_env(before, settings, merged.record)
    pod = env.gateway_env(case.get("global", ()), merged.env)
    problem = env.check_pod(pod, merged.env)
    again = env.merge_env(merged.env, settings, merged.record)
    assert (merged.env, merged.record) == (again.env, again.record)
    out = {
        "env": [dict(entry) for entry in merged.env],
        "expanded": env.expand(pod, _FIELDS),
        "record": merged.record,
        "notes": {note.reason: note.message for note in merged.notes},
        "error": merged.error and {merged.error.reason: merged.error.message},
        "pod": problem and {problem.reason: problem.message},
        "undone": [dict(entry) for entry in env.undo_env(merged.env, merged.record)],
    }
    return dict(json.loads(json.dumps({name: part for name, part in out.items() if part})))


@pytest.mark.parametrize("path", sorted(_CASES.glob("*.yaml")), ids=lambda path: path.stem)
def test_case(path: Path) -> None:
    """What a Gateway's pods are given has changed, what a user wrote is lost, or undo leaves something behind."""
    case = yaml.safe_load(path.read_text())
    out = _outcome(case)
    if os.environ.get(_REGENERATE):
        path.write_text(yaml.safe_dump({**case, "out": out}, sort_keys=False, width=118, allow_unicode=True))
        case = yaml.safe_load(path.read_text())
    assert case["out"] == out
    if "edits" not in case:
        assert case["live"] == out.get("undone", [])
