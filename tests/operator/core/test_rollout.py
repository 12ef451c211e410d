"""Whether Envoy's pods are rolled: once for each environment, only where nobody else does it, and not for nothing."""

import types
from collections.abc import Mapping
from typing import Any

import pytest

import paper_cluster as paper
from aigw_operator.core import expansion, parse, record, rollout
from aigw_operator.core.actions import Patch, Step
from aigw_operator.core.model import DEPLOYMENT, Deployment, Meta, Moment, NamespacedName, ObjectKey, Pod
from aigw_operator.core.snapshot import Snapshot

GW = NamespacedName("default", "gw")
ENVOY = NamespacedName("envoy-gateway-system", "envoy")
GATEWAY = parse.parse_gateway(paper.gateway("gw"))
WANTED = ({"name": "A", "value": "1"}, {"name": "B", "value": "$(A)"})
OLD = ({"name": "A", "value": "0"},)
HASH = expansion.env_hash(WANTED)
BEFORE, NOW = "2026-11-18T12:00:00Z", Moment(1_795_003_210.0, "2026-11-18T12:00:10Z")
ITSELF = {"aigateway.envoyproxy.io/extproc-config-hash": "1"}
RESTARTED = "kubectl.kubernetes.io/restartedAt"


def cluster(
    *envs: tuple[dict[str, Any], ...] | None,
    deleting: bool = False,
    rolling: bool = False,
    template: Mapping[str, str] = types.MappingProxyType({}),
) -> Snapshot:
    """Pods of a Gateway with these environments, and their Deployment."""
    names = [NamespacedName("envoy-gateway-system", f"pod-{number}") for number in range(len(envs))]
    pods = {name: Pod(name, GW, env, deleting=deleting) for name, env in zip(names, envs, strict=True)}
    return Snapshot(
        pods=pods, deployments={ENVOY: Deployment(Meta(ENVOY, resource_version="7"), GW, template, rolling)}
    )


def annotated(step: Step) -> dict[str, Any] | None:
    """What a step sets on the pod template; None where it writes nothing."""
    if not step.actions:
        return None
    (action,) = step.actions
    assert isinstance(action, Patch)
    assert (ObjectKey(DEPLOYMENT, ENVOY), "7") == (action.key, action.body["metadata"]["resourceVersion"])
    found: dict[str, Any] = action.body["spec"]["template"]["metadata"]["annotations"]
    return found


PLANS: dict[str, tuple[Snapshot, str, dict[str, Any] | None, float | None]] = {
    "no Deployment": (Snapshot(), BEFORE, None, None),
    "no pods": (cluster(), BEFORE, None, None),
    "pods that carry it": (cluster(WANTED, WANTED), BEFORE, None, None),
    "pods without an external processor": (cluster(None), BEFORE, None, None),
    "a pod that lacks it": (cluster(WANTED, OLD), BEFORE, {record.ENV_HASH: HASH}, None),
    "a pod that lacks it, on its way out": (cluster(OLD, deleting=True), BEFORE, None, None),
    "rolled for it already": (cluster(OLD, template={record.ENV_HASH: HASH}), BEFORE, None, 10.0),
    "rolled for an earlier one": (
        cluster(OLD, template={record.ENV_HASH: "0"}),
        BEFORE,
        {record.ENV_HASH: HASH},
        None,
    ),
    "a rollout that is on": (cluster(OLD, rolling=True), BEFORE, None, 10.0),
    "AI Gateway rolls, in time": (cluster(OLD, template=ITSELF), BEFORE, None, 5.0),
    "AI Gateway rolls, but has not": (
        cluster(OLD, template=ITSELF),
        "2026-11-18T11:59:10Z",
        {record.ENV_HASH: HASH},
        None,
    ),
    "a pod that another roll would not help": (cluster((WANTED[1], WANTED[0])), BEFORE, None, None),
}


@pytest.mark.parametrize("reason", PLANS)
def test_plan(reason: str) -> None:
    """Pods would never get the environment, or be restarted for nothing, twice, or again and again."""
    snapshot, since, expected, wait = PLANS[reason]
    step = rollout.plan(snapshot, GATEWAY, WANTED, since, NOW)

    assert (expected, wait) == (annotated(step), step.recheck_after)


UNDOS: dict[str, tuple[Snapshot, str, dict[str, Any] | None, float | None]] = {
    "no Deployment": (Snapshot(), BEFORE, None, None),
    "our mark on the template": (
        cluster(OLD, template={record.ENV_HASH: HASH}),
        BEFORE,
        {record.ENV_HASH: None},
        None,
    ),
    "pods that have lost it": (cluster(WANTED), BEFORE, None, None),
    "pods that still have it": (cluster(OLD), BEFORE, {RESTARTED: NOW.text}, None),
    "pods that still have it, but nothing was undone": (cluster(OLD), "", None, None),
    "a rollout that is on": (cluster(OLD, rolling=True), BEFORE, None, 5.0),
    "AI Gateway rolls, in time": (cluster(OLD, template=ITSELF), BEFORE, None, 5.0),
    "restarted since": (cluster(OLD, template={RESTARTED: "2026-11-18T12:00:05Z"}), BEFORE, None, 10.0),
    "restarted before": (
        cluster(OLD, template={RESTARTED: "2026-11-18T11:00:00Z"}),
        BEFORE,
        {RESTARTED: NOW.text},
        None,
    ),
}


@pytest.mark.parametrize("reason", UNDOS)
def test_undo(reason: str) -> None:
    """Pods would keep our environment after an undo, or be restarted again and again."""
    snapshot, since, expected, wait = UNDOS[reason]
    step = rollout.undo(snapshot, GATEWAY, WANTED, since, NOW)

    assert (expected, wait) == (annotated(step), step.recheck_after)
