"""Any order of plans, stale snapshots and users' edits ends in the same state, and no reference dangles on the way."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import paper_cluster as paper
from aigw_operator.core.gateway_plan import plan_gateway, plan_namespace
from aigw_operator.core.model import GATEWAY, GATEWAY_CONFIG, POLICY, NamespacedName, ObjectKey

NAMES = ("a", "b", "c")
ANNOTATION = "aigateway.envoyproxy.io/gateway-config"


def _proxy_reference(name: str) -> dict[str, Any]:
    return {"infrastructure": {"parametersRef": {"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": name}}}


def _gateway(name: str, shape: str) -> dict[str, Any]:
    match shape:
        case "bare":
            return paper.gateway(name)
        case "config":
            return paper.gateway(name, metadata={"annotations": {ANNOTATION: "mine"}})
        case "proxy":
            return paper.gateway(name, spec=_proxy_reference("mine"))
        case _:
            both = paper.gateway(name, metadata={"annotations": {ANNOTATION: "mine"}}, spec=_proxy_reference("mine"))
            return {**both, "metadata": {**both["metadata"], "labels": {"team": name}}}


SHAPES = st.sampled_from(("bare", "config", "proxy", "both"))
WORLDS = st.fixed_dictionaries(dict.fromkeys(NAMES, SHAPES))


def _build(world: dict[str, str]) -> paper.PaperCluster:
    cluster = paper.PaperCluster()
    env = [{"name": "OTEL_RESOURCE_ATTRIBUTES", "value": "team=x"}, {"name": "LEVEL", "value": "1"}]
    cluster.put(
        paper.gateway_class(),
        paper.receiver(),
        paper.config("mine", extProc={"kubernetes": {"env": env}}),
        paper.proxy("mine", telemetry={"accessLog": {"settings": [{"sinks": [{"type": "File"}]}]}}),
        *(_gateway(name, shape) for name, shape in world.items()),
    )
    return cluster


def _view(cluster: paper.PaperCluster) -> dict[ObjectKey, Any]:
    return {key: paper.users_view(raw) for key, raw in cluster.objects.items() if key.kind != POLICY}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(WORLDS, st.randoms(use_true_random=False), st.integers(0, 3))
def test_any_order_converges_and_undoes(world: dict[str, str], random: Any, delay: int) -> None:
    """Two keys that are reconciled at once would fight, leave a reference dangling, or leave something behind."""
    cluster = _build(world)
    before = _view(cluster)
    cluster.put(paper.policy())
    snapshots = [cluster.snapshot()]
    for _ in range(random.randrange(40)):
        snapshot = snapshots[max(0, len(snapshots) - 1 - random.randrange(delay + 1))]
        name = NamespacedName("default", random.choice(NAMES))
        plan = (
            plan_gateway(snapshot, name, cluster.installation, cluster.now)
            if random.random() < 0.8
            else plan_namespace(snapshot, "default", cluster.installation, cluster.now)
        )
        for action in plan.actions[: random.randrange(1, 3)]:
            try:
                cluster.perform(action)
            except paper.ConflictError:
                break
        snapshots.append(cluster.snapshot())
        cluster.clock += random.choice((0, 0, 1, 3))
    cluster.settle(order=lambda plans: random.sample(plans, len(plans)))
    applied = _view(cluster)
    straight = _build(world)
    straight.put(paper.policy())
    straight.settle()
    assert _timeless(straight) == _timeless(cluster)
    assert applied != before

    cluster.remove(ObjectKey(POLICY, NamespacedName("default", "all")))
    cluster.settle(order=lambda plans: random.sample(plans, len(plans)))
    assert before == _view(cluster)


def _timeless(cluster: paper.PaperCluster) -> dict[ObjectKey, Any]:
    """The specs, and the references that Gateways bear in annotations: no times."""
    return {
        key: (raw.get("spec"), raw["metadata"].get("annotations", {}).get(ANNOTATION))
        for key, raw in cluster.objects.items()
        if key.kind != POLICY
    }


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(WORLDS, st.sampled_from(NAMES), st.booleans(), st.randoms(use_true_random=False))
def test_users_edits_meanwhile_are_kept(world: dict[str, str], gone: str, relabel: bool, random: Any) -> None:
    """An edit of a user's between wiring and undo would be lost, or the undo stop at it."""
    cluster = _build(world)
    cluster.put(paper.policy())
    cluster.settle(order=lambda plans: random.sample(plans, len(plans)))
    config = ObjectKey(GATEWAY_CONFIG, NamespacedName("default", "mine"))
    env = cluster.objects[config]["spec"]["extProc"]["kubernetes"]["env"]
    added = {"name": "ADDED", "value": "by a user"}
    position = random.randrange(len(env) + 1)
    cluster.edit(config, {"spec": {"extProc": {"kubernetes": {"env": [*env[:position], added, *env[position:]]}}}})
    gateway = ObjectKey(GATEWAY, NamespacedName("default", gone))
    if relabel:
        cluster.edit(gateway, {"metadata": {"labels": {"edited": "yes"}}})
    else:
        cluster.remove(gateway)
    cluster.settle(order=lambda plans: random.sample(plans, len(plans)))
    cluster.remove(ObjectKey(POLICY, NamespacedName("default", "all")))
    cluster.settle(order=lambda plans: random.sample(plans, len(plans)))

    names = [entry["name"] for entry in cluster.objects[config]["spec"]["extProc"]["kubernetes"]["env"]]
    assert ["ADDED", "LEVEL", "OTEL_RESOURCE_ATTRIBUTES"] == sorted(names)
    assert ["OTEL_RESOURCE_ATTRIBUTES", "LEVEL"] == [name for name in names if name != "ADDED"]
    assert not [key for key in cluster.objects if "aigw-telemetry" in key.name.name]
