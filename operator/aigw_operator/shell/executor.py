"""Performs single actions of a plan, and puts what the server answers into the store. It decides nothing."""

import logging
from collections.abc import Sequence

from aigw_operator.core import parse, record
from aigw_operator.core.actions import Action, Apply, Create, Delete, Patch
from aigw_operator.core.model import ObjectKey, Raw
from aigw_operator.shell import errors
from aigw_operator.shell.kube import Cluster
from aigw_operator.shell.store import Store
from aigw_operator.shell.telemetry import Telemetry

logger = logging.getLogger(__name__)


class Executor:
    """The only writer to the cluster, but for Events."""

    def __init__(self, cluster: Cluster, store: Store, telemetry: Telemetry) -> None:
        self._cluster = cluster
        self._store = store
        self._telemetry = telemetry

    async def execute(self, action: Action) -> None:
        """Perform an action. Raises `errors.KubeError`; what turned out to be stale has been read again by then."""
        verb, result = verb_of(action), "ok"
        try:
            await self._perform(action)
        except errors.KubeError as error:
            result = errors.result_of(error)
            if isinstance(error, errors.ConflictError | errors.NotFoundError):
                await self._refresh(action.key, _api_version(action))
            raise
        finally:
            self._telemetry.writes.labels(action.key.kind.kind, verb, result).inc()
        logger.info("%s %s", verb, action.key, extra={"why": action.why})

    async def _perform(self, action: Action) -> None:
        key = action.key
        match action:
            case Create():
                self._store.upsert(key.kind, await self._cluster.create(key, action.body))
            case Apply():
                await self._apply(action)
            case Patch():
                answer = await self._cluster.merge_patch(
                    key, action.api_version, action.body, subresource=action.subresource
                )
                self._store.upsert(key.kind, answer)
            case Delete():
                await self._delete(action)

    async def _apply(self, action: Apply) -> None:
        """An apply by force takes over an object of somebody else; the store knows only ours, so look first."""
        if not self._store.knows(action.key):
            found = await self._read(action.key, str(action.body["apiVersion"]))
            if any(not record.is_ours(parse.meta(raw)) for raw in found):
                message = f"{action.key} exists already and is not ours; rename it, or the object that needs the name"
                raise errors.InvalidError(message)
        self._store.upsert(action.key.kind, await self._cluster.apply(action.key, action.body))

    async def _delete(self, action: Delete) -> None:
        try:
            await self._cluster.delete(
                action.key, action.api_version, uid=action.uid, resource_version=action.resource_version
            )
        except errors.NotFoundError:
            # Somebody was faster: it is as it shall be.
            logger.debug("%s is gone already", action.key)
        self._store.forget(action.key, action.uid)

    async def _refresh(self, key: ObjectKey, api_version: str) -> None:
        """Read an object again: the watch will tell as well, but maybe after the next try."""
        try:
            found = await self._read(key, api_version)
        except errors.NotFoundError:
            self._store.forget(key, "")
        except errors.KubeError as error:
            logger.warning("%s cannot be read", key, extra={"error": str(error)})
        else:
            for raw in found:
                self._store.upsert(key.kind, raw)
            if not found:
                self._store.forget(key, "")

    async def _read(self, key: ObjectKey, api_version: str) -> Sequence[Raw]:
        """The object, or none: by a list of one, so that the rules need no verb for trouble alone."""
        namespace, name = key.name
        found = await self._cluster.list(key.kind, api_version, namespace=namespace, fields=f"metadata.name={name}")
        return found.items


def verb_of(action: Action) -> str:
    """The verb of an action, as metrics and logs have it."""
    match action:
        case Patch() if action.subresource:
            return f"patch {action.subresource}"
        case _:
            return type(action).__name__.lower()


def _api_version(action: Action) -> str:
    match action:
        case Create() | Apply():
            return str(action.body["apiVersion"])
        case Patch() | Delete():
            return action.api_version
