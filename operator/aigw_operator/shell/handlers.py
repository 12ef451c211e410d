"""kopf's part: it watches. A handler updates the store and puts keys into the queue; it never writes to the cluster.

Only `on.event` is used: it puts no annotations and no finalizers on anybody's objects. An event of what is known
already (our own write, kopf's own first list) concerns nobody.
"""

import itertools
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import kopf

from aigw_operator.core import model
from aigw_operator.core.model import Kind, ObjectKey, Raw
from aigw_operator.shell import kinds, reconciler
from aigw_operator.shell.planning import Affected
from aigw_operator.shell.reconciler import Enqueue
from aigw_operator.shell.store import Store, name_of
from aigw_operator.shell.telemetry import Telemetry
from aigw_operator.shell.watchdog import Watchdog

# A watch ends at the server after this, so that it moves between API servers; a little more for ourselves.
_WATCH_SECONDS: Final = 300


class Intake:
    """Where everything that is seen comes in."""

    def __init__(
        self,
        store: Store,
        *,
        affected: Affected,
        enqueue: Enqueue,
        telemetry: Telemetry,
        watchdog: Watchdog,
        relisted: Callable[[], None],
    ) -> None:
        self._store = store
        self._affected = affected
        self._enqueue = enqueue
        self._telemetry = telemetry
        self._watchdog = watchdog
        self._relisted = relisted

    def observe(self, kind: Kind, event_type: str | None, raw: Raw) -> None:
        """A watch event: ADDED, MODIFIED, DELETED, or None for what kopf lists when it begins a watch."""
        if event_type is None:
            self._relisted()
        self._telemetry.events.labels(kind.kind).inc()
        if kind == model.DEFINITION:
            self._define(event_type, raw)
            return
        key = ObjectKey(kind, name_of(raw))
        self._watchdog.see(kind, key.name, str(raw["metadata"].get("resourceVersion") or ""))
        before = self._store.snapshot()
        deleted = event_type == "DELETED"
        if self._store.remove(kind, raw) if deleted else self._store.upsert(kind, raw):
            # Both: a policy that lets go of a Gateway concerns it as much as one that selects it.
            keys = self._affected.affected(before, key) | self._affected.affected(self._store.snapshot(), key)
            reconciler.enqueue_all(self._enqueue, keys)

    def enqueue_everything(self) -> None:
        """Have a look at all that there is."""
        reconciler.enqueue_all(self._enqueue, self._affected.everything(self._store.snapshot()))

    def _define(self, event_type: str | None, raw: Raw) -> None:
        if self._store.define(name_of(raw).name, None if event_type == "DELETED" else raw):
            # The objects of a new kind come by the watch that kopf opens now.
            self.enqueue_everything()


def build_registry(
    intake: Intake,
    *,
    login: Callable[[], Awaitable[kopf.ConnectionInfo]],
    start: Callable[[], Awaitable[None]],
    stop: Callable[[], Awaitable[None]],
) -> kopf.OperatorRegistry:
    """All handlers, in a registry of their own. `start` runs before the first watch, `stop` after the last."""
    registry = kopf.OperatorRegistry()

    async def on_login(**_: Any) -> kopf.ConnectionInfo:
        return await login()

    async def on_startup(**_: Any) -> None:
        await start()

    async def on_cleanup(**_: Any) -> None:
        await stop()

    kopf.on.login(id="login", backoff=1.0, registry=registry)(on_login)
    kopf.on.startup(id="start", errors=kopf.ErrorsMode.PERMANENT, registry=registry)(on_startup)
    kopf.on.cleanup(id="stop", errors=kopf.ErrorsMode.PERMANENT, registry=registry)(on_cleanup)
    for kind in (model.DEFINITION, *(scope.kind for scope in kinds.WATCHED)):
        kopf.on.event(group=kind.group, plural=kind.plural, id=kind.plural, registry=registry)(_handler(intake, kind))
    return registry


def _handler(intake: Intake, kind: Kind) -> Callable[..., Awaitable[None]]:
    async def on_event(*, event: Any, **_: Any) -> None:
        intake.observe(kind, event["type"], event["object"])

    return on_event


class _Backoffs:
    """Seconds between tries of a watch, without end: an API server that is away for an hour is no reason to restart."""

    def __iter__(self) -> Iterator[float]:
        return itertools.chain((1, 1, 2, 3, 5, 8, 13, 21), itertools.repeat(30))


def build_settings() -> kopf.OperatorSettings:
    """How kopf shall behave. Its persistence is left alone: nothing that we use of it writes."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    # Peering pauses operators, and is no election; one replica with the strategy Recreate needs neither.
    settings.peering.standalone = True
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 10
    settings.networking.error_backoffs = _Backoffs()
    settings.networking.trust_env = True
    settings.watching.server_timeout = _WATCH_SECONDS
    settings.watching.client_timeout = _WATCH_SECONDS + 10
    settings.watching.connect_timeout = 10
    settings.watching.chunk_size = 500
    for scope in kinds.WATCHED:
        if scope.labels:
            selector = kopf_selector(scope.kind)
            settings.watching.label_selectors[selector] = scope.labels
    return settings


def kopf_selector(kind: Kind) -> Callable[[Any], bool]:
    """kopf's selector of a kind, whatever its version."""

    def matches(resource: Any) -> bool:
        return bool(resource.group == kind.group and resource.plural == kind.plural)

    return matches
