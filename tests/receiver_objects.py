"""Builds the objects of a TelemetryReceiver from the templates in the package. It asserts nothing."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from aigw_operator.core import manifests
from aigw_operator.core.manifests import Templates
from aigw_operator.core.model import Capabilities, Installation, Meta, NamespacedName, Raw, Receiver

INSTALLATION = Installation(receiver_image="registry.example/aigw-receiver:1")
WITH_MONITOR = Capabilities(service_monitor="v1")

_TEMPLATES = Path(manifests.__file__).parents[1] / "templates" / "receiver"


def templates() -> Templates:
    """The templates as the operator reads them."""
    return Templates({path.name: path.read_text() for path in _TEMPLATES.glob("*.yaml.j2")})


def receiver(spec: Mapping[str, Any], *, name: str = "r", uid: str = "", shards: int | None = None) -> Receiver:
    """A TelemetryReceiver of this spec in the namespace n."""
    meta = Meta(NamespacedName("n", name), uid=uid)
    return Receiver(meta, {"spec": spec}, shards=spec.get("shards", 1) if shards is None else shards)


def receiver_of_file(path: Path) -> Receiver:
    """The TelemetryReceiver in a file."""
    raw = yaml.safe_load(path.read_text())
    metadata = raw["metadata"]
    meta = Meta(NamespacedName(metadata["namespace"], metadata["name"]), uid=metadata.get("uid", ""))
    return Receiver(meta, raw, shards=raw["spec"].get("shards", 1))


def build(which: Receiver, capabilities: Capabilities = WITH_MONITOR) -> tuple[Raw, ...]:
    """The objects of a TelemetryReceiver, in the order of application."""
    return manifests.build_receiver(which, templates(), INSTALLATION, capabilities, load=yaml.safe_load)


def one(objects: Iterable[Raw], kind: str) -> Any:
    """The only object of a kind."""
    (found,) = (item for item in objects if item["kind"] == kind)
    return found
