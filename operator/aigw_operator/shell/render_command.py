"""`aigw-operator render`: manifests from files into one YAML stream of what would be written. It asks no cluster."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

import yaml

from aigw_operator.core import model, rendering
from aigw_operator.core.manifests import Templates
from aigw_operator.core.model import Installation
from aigw_operator.core.rendering import Rendering

STDIN: Final = "-"
"""The name of the file that is standard input."""

# What kubectl reads of a folder.
_SUFFIXES: Final = (".yaml", ".yml", ".json")

# Of the kinds that we look at, those that are in no namespace.
_CLUSTER_WIDE: Final = frozenset(
    (kind.group, kind.kind) for kind in (model.GATEWAY_CLASS, model.NAMESPACE, model.DEFINITION)
)

# Wider than any text, since a folded line is no longer the line that somebody searches for.
_WIDTH: Final = 1 << 20


class ManifestError(Exception):
    """A file cannot be read, or holds something else than manifests; the message names it."""


class _Loader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: what looks like a date is a text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class _Dumper(yaml.SafeDumper):
    """Block style, without anchors: each object can be read alone."""

    def ignore_aliases(self, data: Any) -> bool:
        """What occurs twice is written twice."""
        del data
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def read(names: Iterable[str], stdin: IO[str] = sys.stdin, *, namespace: str) -> list[dict[str, Any]]:
    """The manifests of files, of the files of folders, and of standard input, in their order. Raises ManifestError.

    `namespace` is that of manifests that name none, as it is with kubectl.
    """
    found: list[dict[str, Any]] = []
    for name in names:
        for path in _files(name):
            found += [_placed(manifest, namespace) for manifest in _parse(path, _content(path, stdin))]
    return found


def render(manifests: Sequence[Mapping[str, Any]], installation: Installation, templates: Templates) -> Rendering:
    """What the operator would write. Raises ManifestError."""
    try:
        return rendering.render(manifests, installation, templates, yaml.safe_load)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        # The kinds of others are taken as an API server would have let them pass; their schemas are not here.
        message = f"a manifest has not the form of its kind: {type(error).__name__}: {error}"
        raise ManifestError(message) from error


def dump(objects: Iterable[Mapping[str, Any]]) -> str:
    """Objects as one YAML stream."""
    return "".join(
        "---\n" + yaml.dump(dict(raw), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
        for raw in objects
    )


def _files(name: str) -> Iterator[str]:
    """The files that a name means: those of a folder by name, without its subfolders, as with kubectl."""
    if name == STDIN or not Path(name).is_dir():
        yield name
        return
    files = sorted(path for path in Path(name).iterdir() if path.suffix in _SUFFIXES and path.is_file())
    if not files:
        message = f"{name}: no file that ends with {', '.join(_SUFFIXES)}"
        raise ManifestError(message)
    yield from map(str, files)


def _content(name: str, stdin: IO[str]) -> str:
    try:
        return stdin.read() if name == STDIN else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{name}: {error.strerror if isinstance(error, OSError) else error}"
        raise ManifestError(message) from error


def _parse(name: str, text: str) -> Iterator[dict[str, Any]]:
    try:
        documents = list(yaml.load_all(text, Loader=_Loader))
    except yaml.YAMLError as error:
        message = f"{name}: {error}"
        raise ManifestError(message) from error
    for number, document in enumerate(documents, 1):
        if document is not None:
            yield from _manifests(f"{name}: document {number}", document)


def _manifests(where: str, document: Any) -> Iterator[dict[str, Any]]:
    """The manifest of a document, or those of a List, as `kubectl get -o yaml` writes it."""
    if not isinstance(document, dict) or not all(isinstance(document.get(key), str) for key in ("apiVersion", "kind")):
        message = f"{where}: expected an object with apiVersion and kind"
        raise ManifestError(message)
    if document["kind"].endswith("List") and isinstance(document.get("items"), list):
        for number, item in enumerate(document["items"], 1):
            yield from _manifests(f"{where}, item {number}", item)
        return
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        message = f"{where}: expected metadata.name, a text"
        raise ManifestError(message)
    yield document


def _placed(manifest: dict[str, Any], namespace: str) -> dict[str, Any]:
    group = manifest["apiVersion"].rpartition("/")[0]
    if (group, manifest["kind"]) in _CLUSTER_WIDE or manifest["metadata"].get("namespace"):
        return manifest
    name = manifest["metadata"]["name"]
    return {**manifest, "metadata": {"name": name, "namespace": namespace, **manifest["metadata"]}}
