"""One key at a time: snapshot, plan, its writes in order, and again until nothing is left to write. No decisions.

Between two calls it remembers nothing but what the API server refused last, for the policies' status.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Final

import yaml

from aigw_operator.core import model, moments
from aigw_operator.core.actions import Plan
from aigw_operator.core.manifests import Templates
from aigw_operator.core.model import Installation, Moment, ObjectKey
from aigw_operator.core.snapshot import Snapshot
from aigw_operator.shell import errors, events
from aigw_operator.shell.executor import Executor
from aigw_operator.shell.kube import Cluster
from aigw_operator.shell.planning import Affected, Planner
from aigw_operator.shell.store import Store
from aigw_operator.shell.telemetry import Telemetry

logger = logging.getLogger(__name__)

# So that 300 Gateways that change at once become a few writes of their policy's status, and not 300.
_POLICY_DELAY: Final = 1.0

# A plan is the next writes, so plan follows plan; a Gateway takes five or six. One that never ends is a defect, and
# shall not keep the API server busy.
_ROUNDS: Final = 12
_SECOND_LOOK: Final = 5.0

Enqueue = Callable[[ObjectKey, float], None]
"""Puts a key into the queue, due after so many seconds."""


def read_clock() -> Moment:
    """This instant."""
    seconds = time.time()
    return Moment(seconds, moments.text(seconds))


def enqueue_all(enqueue: Enqueue, keys: Iterable[ObjectKey]) -> None:
    """Put keys into the queue; policies a moment later, so that many changes become one write."""
    for key in sorted(keys):
        enqueue(key, _POLICY_DELAY if key.kind == model.POLICY else 0.0)


class Reconciler:
    """Reconciles keys of Gateways, Namespaces, TelemetryReceivers and TelemetryPolicies."""

    def __init__(
        self,
        store: Store,
        cluster: Cluster,
        *,
        planner: Planner,
        affected: Affected,
        installation: Installation,
        templates: Templates,
        telemetry: Telemetry,
        enqueue: Enqueue,
        instance: str,
        clock: Callable[[], Moment] = read_clock,
    ) -> None:
        self._store = store
        self._cluster = cluster
        self._executor = Executor(cluster, store, telemetry)
        self._planner = planner
        self._affected = affected
        self._installation = installation
        self._templates = templates
        self._telemetry = telemetry
        self._enqueue = enqueue
        self._instance = instance
        self._clock = clock
        self._failures: dict[ObjectKey, str] = {}

    async def reconcile(self, key: ObjectKey) -> None:
        """Bring one key to where it shall be. Raises what the queue must retry."""
        began, result = time.perf_counter(), "defect"
        try:
            await self._reconcile(key)
            result = "ok"
        except errors.KubeError as error:
            result = errors.result_of(error)
            # A conflict is no news for people: somebody else wrote first, and the next try will do.
            if not isinstance(error, errors.ConflictError):
                self._failures[key] = str(error)
                self._enqueue_policies(key)
            raise
        finally:
            self._telemetry.reconcile_seconds.labels(key.kind.kind).observe(time.perf_counter() - began)
            self._telemetry.reconciles.labels(key.kind.kind, result).inc()

    async def _reconcile(self, key: ObjectKey) -> None:
        for _ in range(_ROUNDS):
            # A plan without writes waits for nothing: hundreds, after a resync, would keep probes and watches out.
            await asyncio.sleep(0)
            now = self._clock()
            plan = self._plan(key, self._store.snapshot(), now)
            for action in plan.actions:
                await self._executor.execute(action)
                # The watch will show us nothing new then, but others may look at the object. A policy's status, the
                # only thing of a policy that we write, is looked at by nobody.
                if action.key.kind != model.POLICY:
                    enqueue_all(self._enqueue, self._affected.affected(self._store.snapshot(), action.key) - {key})
            for event in plan.events:
                await events.post(self._cluster, event, self._instance, now)
            if not plan.actions:
                break
        else:
            logger.warning("%s needs more than %d plans", key, _ROUNDS)
            self._enqueue(key, _SECOND_LOOK)
        if plan.recheck_after is not None:
            self._enqueue(key, plan.recheck_after)
        self._failures.pop(key, None)
        self._enqueue_policies(key)

    def _plan(self, key: ObjectKey, snapshot: Snapshot, now: Moment) -> Plan:
        if key.kind == model.GATEWAY:
            return self._planner.plan_gateway(snapshot, key.name, self._installation, now)
        if key.kind == model.RECEIVER:
            return self._planner.plan_receiver(
                snapshot,
                key.name,
                self._installation,
                self._failures,
                now,
                templates=self._templates,
                load=yaml.safe_load,
            )
        if key.kind == model.POLICY:
            return self._planner.plan_policy(snapshot, key.name, self._installation, self._failures, now)
        if key.kind == model.NAMESPACE:
            return self._planner.plan_namespace(snapshot, key.name.name, self._installation, now)
        message = f"{key} is no key of the queue"
        raise ValueError(message)

    def _enqueue_policies(self, key: ObjectKey) -> None:
        """Have the status of those policies looked at that tell of a Gateway."""
        if key.kind == model.GATEWAY:
            keys = self._affected.affected(self._store.snapshot(), key)
            enqueue_all(self._enqueue, (other for other in keys if other.kind == model.POLICY))
