"""Everything that the operator has seen of the cluster, parsed, by kind. It asks nobody and decides nothing.

Three writers meet here, and the newest must win whatever the order in which they come:

* Our own writes: the server's answer is put in at once, so that the next plan sees what the last one did.
* Watch events. An event may be older than our write, as the stream is behind: one whose resourceVersion is lower than
  what we have is dropped. (resourceVersions of one kind are decimal and rise: Kubernetes documents that as of 1.35, and
  it was true of etcd before.) An object that is gone leaves its uid behind for a while, and a late event or answer
  that bears it does not bring it back: uids are never used twice.
* Lists, which replace a kind. resourceVersions are not compared here, as after a restored backup they fall, and a
  repair that can refuse to repair would be none. What was put in since the list began is newer than the list: it stays.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Generic, NamedTuple, TypeVar

from aigw_operator.core import capabilities, model, parse, parse_ours
from aigw_operator.core.model import Capabilities, Kind, NamespacedName, ObjectKey, Raw, Sources
from aigw_operator.core.snapshot import Snapshot
from aigw_operator.shell import kinds

Parsed = TypeVar("Parsed")


class _Entry(NamedTuple):
    uid: str
    version: str
    sequence: int
    parsed: Any


class Changed(NamedTuple):
    """What a list brought that was not known: the object, and its resourceVersion; "" for one that is gone."""

    name: NamespacedName
    version: str


@dataclasses.dataclass(slots=True)
class _Table(Generic[Parsed]):
    """The objects of one kind."""

    parse: Callable[[Raw], Parsed | None]
    """None for an object that is of no interest"""
    entries: dict[NamespacedName, _Entry] = dataclasses.field(default_factory=dict)
    gone: dict[NamespacedName, tuple[str, int]] = dataclasses.field(default_factory=dict)
    """uid and sequence of what was deleted since the last list"""
    copied: Mapping[NamespacedName, Parsed] | None = None
    """what the last snapshot was given, until something changes"""

    def values(self) -> Mapping[NamespacedName, Parsed]:
        """The objects by name, as a copy that does not change any more."""
        if self.copied is None:
            self.copied = {name: entry.parsed for name, entry in self.entries.items()}
        return self.copied


def name_of(raw: Raw) -> NamespacedName:
    """Namespace and name of a raw object."""
    metadata = raw["metadata"]
    return NamespacedName(metadata.get("namespace") or "", metadata["name"])


def _uid(raw: Raw) -> str:
    return str(raw["metadata"].get("uid") or "")


def _version(raw: Raw) -> str:
    return str(raw["metadata"].get("resourceVersion") or "")


def _is_older(version: str, than: str) -> bool:
    """Whether a resourceVersion is older than another; what is no number cannot be compared, and counts as newer."""
    return version.isdecimal() and than.isdecimal() and int(version) < int(than)


def _slim(raw: Raw) -> Raw:
    """Without managedFields, which nothing reads and which are as large as the rest."""
    if "managedFields" not in raw["metadata"]:
        return raw
    return {**raw, "metadata": {key: value for key, value in raw["metadata"].items() if key != "managedFields"}}


def _labels(raw: Raw) -> Mapping[str, str]:
    return parse.parse_namespace(raw)[1]


_PARSERS: Final[Mapping[Kind, Callable[[Raw], Any]]] = {
    model.NAMESPACE: _labels,
    model.GATEWAY_CLASS: parse.parse_gateway_class,
    model.GATEWAY: parse.parse_gateway,
    model.GATEWAY_CONFIG: parse.parse_document,
    model.ENVOY_PROXY: parse.parse_document,
    model.BACKEND: parse.parse_document,
    model.RECEIVER: parse_ours.parse_receiver,
    model.POLICY: parse_ours.parse_policy,
    model.DEPLOYMENT: parse.parse_deployment,
    model.POD: parse.parse_pod,
    **dict.fromkeys(kinds.CHILDREN, parse.parse_document),
}


class Store:
    """The objects by kind, what the receivers have heard, and what the installed versions can do."""

    def __init__(self) -> None:
        self._tables = {kind: _Table(parser) for kind, parser in _PARSERS.items()}
        self._sequence = 0
        self._definitions: dict[str, Raw] = {}
        self._sources: Mapping[NamespacedName, Sources] = {}
        self.capabilities = Capabilities()
        self._taken = Snapshot()
        self._stale = True

    def mark(self) -> int:
        """The point in time to give to `replace`: taken before the list is asked for."""
        return self._sequence

    def upsert(self, kind: Kind, raw: Raw) -> bool:
        """Put in an object that a watch or an answer to a write has shown; whether that was news."""
        table, name = self._tables[kind], name_of(raw)
        if (gone := table.gone.get(name)) is not None and gone[0] == _uid(raw):
            return False
        known = table.entries.get(name)
        if known is not None and (known.version == _version(raw) != "" or _is_older(_version(raw), known.version)):
            return False
        return self._put(table, name, raw)

    def remove(self, kind: Kind, raw: Raw) -> bool:
        """Take out an object that is gone; whether that was news. A successor of the same name stays."""
        table, name = self._tables[kind], name_of(raw)
        known = table.entries.get(name)
        if known is not None and known.uid != _uid(raw) and not _is_older(known.version, _version(raw)):
            return False
        self._sequence += 1
        table.gone[name] = (_uid(raw), self._sequence)
        return self._drop(table, name)

    def forget(self, key: ObjectKey, uid: str) -> None:
        """Take out an object that we have deleted ourselves, or that a GET has not found."""
        table = self._tables[key.kind]
        self._sequence += 1
        if uid:
            table.gone[key.name] = (uid, self._sequence)
        known = table.entries.get(key.name)
        if known is not None and (not uid or known.uid == uid):
            self._drop(table, key.name)

    def replace(self, kind: Kind, raws: Iterable[Raw], mark: int) -> list[Changed]:
        """Make a kind what a list says that was asked for after `mark`; what was not known before."""
        table = self._tables[kind]
        recent = {name: uid for name, (uid, sequence) in table.gone.items() if sequence > mark}
        table.gone = {name: gone for name, gone in table.gone.items() if gone[1] > mark}
        changed: list[Changed] = []
        listed: set[NamespacedName] = set()
        for raw in raws:
            name = name_of(raw)
            listed.add(name)
            known = table.entries.get(name)
            if recent.get(name) == _uid(raw) or (known is not None and known.sequence > mark):
                continue
            if (known is None or known.version != _version(raw) or not known.version) and self._put(table, name, raw):
                changed.append(Changed(name, _version(raw)))
        for name in [name for name, entry in table.entries.items() if name not in listed and entry.sequence <= mark]:
            self._drop(table, name)
            changed.append(Changed(name, ""))
        return changed

    def knows(self, key: ObjectKey) -> bool:
        """Whether there is such an object, as far as was seen."""
        return key.name in self._tables[key.kind].entries

    def define(self, name: str, raw: Raw | None) -> bool:
        """Put in a CustomResourceDefinition, or None where there is none; whether the capabilities changed."""
        if name not in capabilities.DEFINITIONS:
            return False
        known = self._definitions.get(name)
        if raw is None:
            self._definitions.pop(name, None)
        elif known is None or not _is_older(_version(raw), _version(known)):
            self._definitions[name] = {**raw, "spec": _without_descriptions(raw.get("spec") or {})}
        before = self.capabilities
        self._stale = True
        self.capabilities = capabilities.read_capabilities(tuple(self._definitions.values()))
        return before != self.capabilities

    def hear(self, receiver: NamespacedName, sources: Sources) -> None:
        """Put in what the shards of a receiver have answered."""
        self._stale = True
        self._sources = {**self._sources, receiver: sources}

    def snapshot(self) -> Snapshot:
        """Everything as it is now; what is put in later does not change it. The same one until something is."""
        if self._stale:
            self._taken = self._take().with_indexes_of(self._taken)
            self._stale = False
        return self._taken

    def _take(self) -> Snapshot:
        children = {
            ObjectKey(kind, name): document
            for kind in kinds.CHILDREN
            for name, document in self._tables[kind].values().items()
        }
        receivers = self._tables[model.RECEIVER].values()
        sources = self._sources
        if not sources.keys() <= receivers.keys():
            sources = {name: heard for name, heard in sources.items() if name in receivers}
        return Snapshot(
            capabilities=self.capabilities,
            gateways=self._tables[model.GATEWAY].values(),
            classes={name.name: value for name, value in self._tables[model.GATEWAY_CLASS].values().items()},
            configs=self._tables[model.GATEWAY_CONFIG].values(),
            proxies=self._tables[model.ENVOY_PROXY].values(),
            backends=self._tables[model.BACKEND].values(),
            policies=self._tables[model.POLICY].values(),
            receivers=receivers,
            namespaces={name.name: labels for name, labels in self._tables[model.NAMESPACE].values().items()},
            pods=self._tables[model.POD].values(),
            deployments=self._tables[model.DEPLOYMENT].values(),
            children=children,
            sources=sources,
        )

    def _put(self, table: _Table[Any], name: NamespacedName, raw: Raw) -> bool:
        parsed = table.parse(_slim(raw))
        if parsed is None:
            return self._drop(table, name)
        self._sequence += 1
        table.entries[name] = _Entry(_uid(raw), _version(raw), self._sequence, parsed)
        table.copied, self._stale = None, True
        return True

    def _drop(self, table: _Table[Any], name: NamespacedName) -> bool:
        table.copied, self._stale = None, True
        return table.entries.pop(name, None) is not None


def _without_descriptions(schema: Any) -> Any:
    """A schema without its texts, which are most of it and which nothing reads."""
    if isinstance(schema, Mapping):
        return {
            key: _without_descriptions(value)
            for key, value in schema.items()
            if not (key == "description" and isinstance(value, str))
        }
    if isinstance(schema, list):
        return [_without_descriptions(item) for item in schema]
    return schema
