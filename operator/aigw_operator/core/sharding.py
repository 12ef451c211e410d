"""Which shard of a receiver a Gateway sends to: rendezvous hashing, so that every stream has a single writer.

Gateways that share a GatewayConfig or an EnvoyProxy have one endpoint between them, so they go to one shard together.
"""

import hashlib

from aigw_operator.core import record
from aigw_operator.core.model import Gateway, NamespacedName, Snapshot


def shard_of(group: NamespacedName, receiver: NamespacedName, shards: int) -> int:
    """The shard with the highest weight (Thaler and Ravishankar, 1998): one shard more moves only what goes to it."""
    return max(range(shards), key=lambda shard: hashlib.sha256(f"{receiver}|{group}|{shard}".encode()).digest())


def group_of(snapshot: Snapshot, gateway: Gateway) -> NamespacedName:
    """The first by name of all Gateways that must send to the same shard as this one; mostly the Gateway itself."""
    namespace = gateway.meta.name.namespace
    peers = [peer for name, peer in snapshot.gateways.items() if name.namespace == namespace]
    group, shared = {gateway.meta.name}, _shared(snapshot, gateway)
    grown = True
    while grown:
        grown = False
        for peer in peers:
            theirs = _shared(snapshot, peer)
            if peer.meta.name not in group and theirs & shared:
                group.add(peer.meta.name)
                shared |= theirs
                grown = True
    return min(group)


def _shared(snapshot: Snapshot, gateway: Gateway) -> set[tuple[str, str]]:
    """The objects of this namespace, by kind and name, that other Gateways may refer to as well."""
    namespace = gateway.meta.name.namespace
    found: set[tuple[str, str]] = set()
    if gateway.config is not None:
        found.add(("GatewayConfig", gateway.config))
    if gateway.parameters is not None:
        found.add((gateway.parameters.kind, gateway.parameters.name.name))
    return {(kind, name) for kind, name in found if not _made_by_us(snapshot, kind, NamespacedName(namespace, name))}


def _made_by_us(snapshot: Snapshot, kind: str, name: NamespacedName) -> bool:
    live = (snapshot.configs if kind == "GatewayConfig" else snapshot.proxies).get(name)
    return live is not None and record.is_ours(live.meta)
