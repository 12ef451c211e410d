"""How a receiver's storage is laid out, and when its StatefulSet must be made anew."""

from collections.abc import Mapping
from typing import Any

import pytest

from aigw_operator.core import manifests
from aigw_operator.core.model import Installation, NamespacedName
from receiver_objects import build, one, receiver


@pytest.mark.parametrize(
    ("configuration", "limit"),
    [
        ({}, "2304Mi"),
        ({"access_logs": {"store": {"enabled": False}}}, "2Gi"),
        ({"access_logs": {"store": {"size": "1GiB"}}}, "3Gi"),
        ({"access_logs": {"store": None, "forward": {"a": {}, "b": {"queue": "192MiB"}}}}, "2560Mi"),
        ({"journal": {"size": "1GiB"}}, "5376Mi"),
        ({"journal": {"size": 1}}, "1281Mi"),
        ({"journal": {"size": "1 MiB"}}, "1284Mi"),
        ({"journal": {"size": "512GiB"}, "access_logs": {"store": {"enabled": False}}}, "2049Gi"),
        ({"journal": {"size": "a lot"}, "access_logs": {"store": "yes", "forward": None}}, "2304Mi"),
    ],
)
def test_room_for_the_data(configuration: Mapping[str, Any], limit: str) -> None:
    """The node evicts a pod whose data grow as large as they may, or the limit has a spelling that changes."""
    volumes = one(build(receiver({"configuration": configuration})), "StatefulSet")["spec"]["template"]["spec"][
        "volumes"
    ]
    assert {"name": "data", "emptyDir": {"sizeLimit": limit}} == volumes[1]


def test_storage_class_of_the_cluster() -> None:
    """A claim names a class that nobody asked for, or loses the empty one, which means something else than none."""
    for storage in ({"size": "1Gi"}, {"size": "1Gi", "storageClassName": ""}):
        claim = one(build(receiver({"storage": storage})), "StatefulSet")["spec"]["volumeClaimTemplates"][0]
        assert storage.get("storageClassName") == claim["spec"].get("storageClassName")


@pytest.mark.parametrize(
    ("live", "desired", "replaced"),
    [
        (None, None, False),
        (None, {"size": "1Gi"}, True),
        ({"size": "1Gi"}, None, True),
        ({"size": "1Gi"}, {"size": "2Gi"}, True),
        ({"size": "1Gi"}, {"size": "1G"}, True),
        ({"size": "1Gi"}, {"size": "1024Mi"}, False),
        ({"size": "1500k"}, {"size": 1500000}, False),
        ({"size": "1Ki"}, {"size": "1.024k"}, False),
        ({"size": "1.5E"}, {"size": "15e17"}, False),
        ({"size": "1Gi"}, {"size": "1Gi", "storageClassName": "a"}, True),
        ({"size": "1Gi", "storageClassName": "a"}, {"size": "1Gi", "storageClassName": "a"}, False),
    ],
)
def test_replacement(live: Mapping[str, Any] | None, desired: Mapping[str, Any] | None, *, replaced: bool) -> None:
    """A change that the API server refuses is tried for ever, or a receiver is deleted again and again for nothing."""
    for spec in ({}, {"shards": 3, "image": "other", "extraOtlpGrpcPorts": [11800]}):
        was, wanted = build(receiver({"storage": live})), build(receiver({**spec, "storage": desired}))
        assert replaced == manifests.must_be_replaced(one(was, "StatefulSet"), one(wanted, "StatefulSet"))
        assert not manifests.must_be_replaced(one(was, "ConfigMap"), one(wanted, "ConfigMap"))


@pytest.mark.parametrize(("shard", "domain"), [(0, "cluster.local"), (63, "example.org")])
def test_shard_endpoint(shard: int, domain: str) -> None:
    """Gateways are told a name that no Service has."""
    installation = Installation(cluster_domain=domain)
    expected = f"fleet-{shard}.monitoring.svc.{domain}"
    assert expected == manifests.shard_endpoint(NamespacedName("monitoring", "fleet"), shard, installation)
