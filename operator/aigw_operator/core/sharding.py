"""Which shard of a receiver a Gateway sends to: rendezvous hashing, so that every stream has a single writer.

Gateways that share a GatewayConfig or an EnvoyProxy have one endpoint between them, so they go to one shard together.
"""

import hashlib

from aigw_operator.core import record
from aigw_operator.core.model import Gateway, NamespacedName
from aigw_operator.core.snapshot import Snapshot


def shard_of(group: NamespacedName, receiver: NamespacedName, shards: int) -> int:
    """The shard with the highest weight (Thaler and Ravishankar, 1998): one shard more moves only what goes to it."""
    return max(range(shards), key=lambda shard: hashlib.sha256(f"{receiver}|{group}|{shard}".encode()).digest())


def group_of(snapshot: Snapshot, gateway: Gateway) -> NamespacedName:
    """The first by name of all Gateways that must send to the same shard as this one; mostly the Gateway itself."""
    group: set[NamespacedName] = set()
    reached = [gateway]
    while reached:
        member = reached.pop()
        if member.meta.name not in group:
            group.add(member.meta.name)
            reached += _peers(snapshot, member)
    return min(group)


def _peers(snapshot: Snapshot, gateway: Gateway) -> list[Gateway]:
    """The Gateways that refer to the same GatewayConfig or to the same parameters, but for objects that are ours."""
    found: list[Gateway] = []
    if gateway.config:
        config = NamespacedName(gateway.meta.name.namespace, gateway.config)
        if not _made_by_us(snapshot, "GatewayConfig", config):
            found += snapshot.gateways_by_config.get(config, ())
    parameters = gateway.parameters
    if parameters is not None and not _made_by_us(snapshot, parameters.kind, parameters.name):
        alike = snapshot.gateways_by_parameters.get(parameters.name, ())
        found += [peer for peer in alike if peer.parameters and peer.parameters.kind == parameters.kind]
    return found


def _made_by_us(snapshot: Snapshot, kind: str, name: NamespacedName) -> bool:
    live = (snapshot.configs if kind == "GatewayConfig" else snapshot.proxies).get(name)
    return live is not None and record.is_ours(live.meta)
