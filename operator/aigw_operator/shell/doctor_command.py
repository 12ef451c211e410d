"""`aigw-operator doctor`: looks at a cluster once, asks its receivers, and prints each Gateway's chain. No writes.

What a link means is said by core/doctor.py. The receivers are asked through the API server, as a person is seldom
inside of the cluster.
"""

import asyncio
import dataclasses
import time
from collections.abc import Callable
from typing import Final

from aigw_operator.core import doctor
from aigw_operator.core.doctor import Link, State
from aigw_operator.core.model import Moment, NamespacedName, Receiver, Sources
from aigw_operator.core.receiver_config import HTTP_PORT
from aigw_operator.settings import Settings
from aigw_operator.shell import errors, reconciler, sources
from aigw_operator.shell.kube import Cluster
from aigw_operator.shell.resync import Resync
from aigw_operator.shell.store import Store
from aigw_operator.shell.telemetry import Telemetry
from aigw_operator.shell.watchdog import Watchdog

_NOTHING: Final = Link(
    "TelemetryPolicy", State.BROKEN, "no TelemetryPolicy selects a Gateway; write one, as in examples/"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """The text for a person, and whether every link holds."""

    text: str
    whole: bool


async def examine(
    settings: Settings,
    cluster: Cluster,
    *,
    namespace: str = "",
    gateway: str = "",
    clock: Callable[[], Moment] = reconciler.read_clock,
) -> Report:
    """Look at one Gateway, or at all that a policy selects; in all namespaces where none is given.

    Raises `errors.KubeError` where the cluster cannot be asked.
    """
    store = Store()
    resync = Resync(
        store,
        cluster,
        period=settings.resync,
        telemetry=Telemetry(),
        watchdog=Watchdog(time.monotonic),
        namespaces=settings.namespaces,
    )
    await resync.sync()
    snapshot = store.snapshot()
    names = doctor.named(snapshot, namespace, gateway) if gateway else doctor.targets(snapshot, namespace)
    for name in doctor.receivers(snapshot, names):
        store.hear(name, await _ask(cluster, snapshot.receivers[name], clock))
    snapshot, now = store.snapshot(), clock()
    chains = [(str(name), doctor.examine(snapshot, name, settings.installation, now)) for name in names]
    return report(chains)


def report(chains: list[tuple[str, tuple[Link, ...]]]) -> Report:
    """The chains of Gateways as lines, and at the end how many hold."""
    if not chains:
        return Report(_lines([_NOTHING]), whole=False)
    broken = sum(any(link.state is State.BROKEN for link in links) for _, links in chains)
    texts = [f"Gateway {name}\n{_lines(links)}" for name, links in chains]
    count = "1 Gateway" if len(chains) == 1 else f"{len(chains)} Gateways"
    texts.append(f"{count}, {broken} with a broken link\n" if broken else f"{count}, every link holds\n")
    return Report("\n".join(texts), whole=not broken)


def _lines(links: tuple[Link, ...] | list[Link]) -> str:
    return "".join(f"  {link.state.value:<6}  {link.title:<17}  {link.message}\n" for link in links)


async def _ask(cluster: Cluster, receiver: Receiver, clock: Callable[[], Moment]) -> Sources:
    """What all shards of a receiver have heard."""
    shards = (_ask_one(cluster, receiver.meta.name, shard, clock) for shard in range(receiver.shards))
    return sources.join(await asyncio.gather(*shards))


async def _ask_one(cluster: Cluster, receiver: NamespacedName, shard: int, clock: Callable[[], Moment]) -> Sources:
    service = f"{receiver.name}-{shard}"
    path = f"/api/v1/namespaces/{receiver.namespace}/services/{service}:{HTTP_PORT}/proxy/api/sources"
    try:
        return Sources(sources.parse_sources(await cluster.get_path(path), clock().seconds))
    except (errors.KubeError, ValueError) as error:
        return Sources((), f"Service {receiver.namespace}/{service}, asked through the API server: {error}")
