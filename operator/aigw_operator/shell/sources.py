"""Asks each receiver which pods it has heard (`GET /api/sources` of every shard). What that means is the core's."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import aiohttp

from aigw_operator.core import manifests, model
from aigw_operator.core.model import Installation, NamespacedName, ObjectKey, Receiver, Source, Sources
from aigw_operator.core.receiver_config import HTTP_PORT
from aigw_operator.settings import Address
from aigw_operator.shell import reconciler
from aigw_operator.shell.reconciler import Enqueue
from aigw_operator.shell.store import Store

logger = logging.getLogger(__name__)

PERIOD: Final = 15.0
"""Seconds between two polls: two exports at most are missing in what a status says, at the default interval."""

_TIMEOUT: Final = 5.0
# Shards that are asked at the same time, over all receivers.
_PARALLEL: Final = 16


# GET /api/sources: {"now": s, "sources": [{"gateway_namespace", "gateway_name", "gateway_pod", "ended", "streams",
#   "signals": {"metrics": {"last": s, "interval": s}, "logs": {"last": s}}}]}
def parse_sources(answer: Any, now: float) -> tuple[Source, ...]:
    """The pods of an answer that have not ended. Raises ValueError for anything else than the shape above.

    `now` is ours, in seconds since 1970: times are shifted to our clock, which may not be the receiver's.
    """
    try:
        shift = now - float(answer["now"])
        return tuple(_source(entry, shift) for entry in answer["sources"] if not entry.get("ended"))
    except (AttributeError, KeyError, TypeError) as error:
        message = f"not a list of sources: {error}"
        raise ValueError(message) from error


def _source(entry: dict[str, Any], shift: float) -> Source:
    signals = entry["signals"]
    times = {name: float(signals[name]["last"]) + shift for name in ("metrics", "logs") if name in signals}
    interval = signals.get("metrics", {}).get("interval", 60.0)
    return Source(
        NamespacedName(entry["gateway_namespace"], entry["gateway_name"]),
        entry["gateway_pod"],
        times.get("metrics"),
        times.get("logs"),
        float(interval),
    )


def join(answers: Sequence[Sources]) -> Sources:
    """What all shards of a receiver have said."""
    entries = tuple(entry for answer in answers for entry in answer.entries)
    return Sources(entries, "; ".join(answer.error for answer in answers if answer.error))


class SourcesPoll:
    """Polls all receivers, and has the policies looked at that send to them."""

    def __init__(
        self,
        store: Store,
        *,
        installation: Installation,
        address: Address | None,
        enqueue: Enqueue,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._installation = installation
        self._address = address
        self._enqueue = enqueue
        self._clock = clock
        self._slots = asyncio.Semaphore(_PARALLEL)

    async def run(self) -> None:
        """Poll for ever."""
        # Not by a proxy of the environment: these are addresses inside of the cluster.
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT)) as session:
            while True:
                await self.poll(session)
                await asyncio.sleep(PERIOD)

    async def poll(self, session: aiohttp.ClientSession) -> None:
        """Ask every receiver once."""
        snapshot = self._store.snapshot()
        receivers = tuple(snapshot.receivers.values())
        answers = await asyncio.gather(*(self._ask(session, receiver) for receiver in receivers))
        for receiver, answer in zip(receivers, answers, strict=True):
            self._store.hear(receiver.meta.name, answer)
        polled = {receiver.meta.name for receiver in receivers}
        policies = (name for name, policy in snapshot.policies.items() if policy.receiver in polled)
        reconciler.enqueue_all(self._enqueue, (ObjectKey(model.POLICY, name) for name in policies))

    async def _ask(self, session: aiohttp.ClientSession, receiver: Receiver) -> Sources:
        return join(await asyncio.gather(*(self._ask_one(session, address) for address in self._addresses(receiver))))

    def _addresses(self, receiver: Receiver) -> Iterator[str]:
        if self._address is not None:
            yield str(self._address)
            return
        for shard in range(receiver.shards):
            yield f"{manifests.shard_endpoint(receiver.meta.name, shard, self._installation)}:{HTTP_PORT}"

    async def _ask_one(self, session: aiohttp.ClientSession, address: str) -> Sources:
        """What one shard says. The error has no detail that changes from poll to poll: it ends up in a status."""
        try:
            async with self._slots, session.get(f"http://{address}/api/sources") as response:
                if response.status != 200:
                    return Sources((), f"{address} answered {response.status}")
                return Sources(parse_sources(await response.json(content_type=None), self._clock()))
        except TimeoutError:
            return Sources((), f"{address} did not answer within {_TIMEOUT:g} s")
        except (aiohttp.ClientError, OSError) as error:
            logger.debug("a receiver cannot be asked", extra={"address": address, "error": str(error)})
            return Sources((), f"{address} cannot be reached")
        except ValueError as error:
            logger.warning("a receiver's answer cannot be read", extra={"address": address, "error": str(error)})
            return Sources((), f"{address} answered something else than a list of sources")
