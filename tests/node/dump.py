"""The whole of a cluster as one value, to compare before and after: all objects, less what Kubernetes changes."""

import re
from collections.abc import Iterator
from typing import Any, Final

from node import cluster_node

# What controllers make of other objects, or note in passing; pods are compared by what they run, see _pods.
_LEFT_OUT: Final = frozenset(
    {
        "componentstatuses",
        "events",
        "events.events.k8s.io",
        "endpoints",
        "endpointslices.discovery.k8s.io",
        "leases.coordination.k8s.io",
        "controllerrevisions.apps",
        "replicasets.apps",
        "pods",
        "pods.metrics.k8s.io",
        "nodes",
        "ipaddresses.networking.k8s.io",
    }
)
_BOOKKEEPING: Final = (
    *("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"),
    *("deletionTimestamp", "deletionGracePeriodSeconds"),
)
# The number of a Deployment's revision, which only ever rises; and what AI Gateway marks its own rollouts by.
_ANNOTATIONS: Final = ("deployment.kubernetes.io/revision", "aigateway.envoyproxy.io/uuid")

Dump = dict[str, Any]


def take(node: cluster_node.Node) -> Dump:
    """Every object by kind, namespace and name, without status."""
    kinds = node.kubectl("api-resources", "--verbs=list", "--output=name").split()
    wanted = sorted(set(kinds) - _LEFT_OUT)
    found: Dump = {}
    for item in node.get(",".join(wanted), "--all-namespaces")["items"]:
        metadata = item["metadata"]
        found["/".join((item["kind"], metadata.get("namespace", ""), metadata["name"]))] = _clean(item)
    return found | dict(_pods(node))


def _clean(item: dict[str, Any]) -> Any:
    metadata = {key: value for key, value in item["metadata"].items() if key not in _BOOKKEEPING}
    rest = {key: value for key, value in item.items() if key not in ("status", "metadata")}
    if item["kind"] == "PersistentVolume":
        # Who used it once stays noted in a volume that is retained, as it would be with any other user.
        rest["spec"] = {key: value for key, value in rest["spec"].items() if key != "claimRef"}
        metadata.pop("annotations", None)
        metadata.pop("finalizers", None)
    return _without_annotations({"metadata": metadata, **rest})


def _without_annotations(value: Any) -> Any:
    """A value without those annotations, wherever they are; and no annotations is as good as an empty set of them."""
    if isinstance(value, dict):
        kept = {key: _without_annotations(item) for key, item in value.items() if key not in _ANNOTATIONS}
        return {key: item for key, item in kept.items() if key != "annotations" or item}
    return [_without_annotations(item) for item in value] if isinstance(value, list) else value


def _pods(node: cluster_node.Node) -> Iterator[tuple[str, Any]]:
    """What runs: the containers of the pods of each owner, with their images and env, by the owner's name."""
    found: dict[str, list[Any]] = {}
    for pod in node.get("pods", "--all-namespaces")["items"]:
        metadata = pod["metadata"]
        if "deletionTimestamp" in metadata:
            continue
        owner = "".join(each["name"] for each in metadata.get("ownerReferences", ()))
        owner = re.sub(f"-{metadata.get('labels', {}).get('pod-template-hash', '$')}$", "", owner)
        containers = [*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]]
        runs = [[each["name"], each["image"], each.get("env", [])] for each in containers]
        found.setdefault(f"Pods/{metadata['namespace']}/{owner}", []).append(runs)
    yield from found.items()


def differences(before: Dump, after: Dump) -> list[str]:
    """What is gone, what has come, and what is not as it was."""
    lines = []
    for key in sorted(before.keys() | after.keys()):
        if key not in after:
            lines.append(f"gone: {key}")
        elif key not in before:
            lines.append(f"has come: {key}")
        elif before[key] != after[key]:
            lines += [f"changed: {key}: {line}" for line in _paths(before[key], after[key], "")]
    return lines


def _paths(before: Any, after: Any, path: str) -> list[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        keys = sorted(before.keys() | after.keys())
        return [line for key in keys for line in _paths(before.get(key), after.get(key), f"{path}.{key}")]
    return [] if before == after else [f"{path}: {before!r} -> {after!r}"]
