"""What AI Gateway puts into an Envoy pod, as pure functions of its settings and a GatewayConfig; does no I/O.

A part of the stand-in of ai_gateway.py, written from what the releases do.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from cluster.gateway_config_crd import Release

CONTAINER: Final = "ai-gateway-extproc"
IMAGE: Final = "docker.io/envoyproxy/ai-gateway-extproc"
HASH_ANNOTATION: Final = "aigateway.envoyproxy.io/extproc-config-hash"
UUID_ANNOTATION: Final = "aigateway.envoyproxy.io/uuid"
CONFIG_ANNOTATION: Final = "aigateway.envoyproxy.io/gateway-config"
_ADMIN_PORT: Final = 1064
_SOCKET_VOLUME: Final = "ai-gateway-extproc-uds"
_SOCKET_FOLDER: Final = "/etc/ai-gateway-extproc-uds"
_CONFIG_VOLUME: Final = "ai-gateway-filter-config"

Object = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """The controller's own flags."""

    release: Release = "v1.1"
    global_env: str = ""
    """--extProcExtraEnvVars: K=V;K=V, literal values only"""
    log_level: str = "info"
    native_sidecar: bool = True
    """what it does on Kubernetes 1.33 and newer; else extproc is an ordinary container"""

    @property
    def image(self) -> str:
        """The image that a GatewayConfig may override."""
        return f"{IMAGE}:{self.release}.0"

    @property
    def rolls_on_change(self) -> bool:
        """Whether it notes a hash of the settings in the pod template: from v1.1 on."""
        return self.release == "v1.1"


def parse_global_env(text: str) -> list[dict[str, str]]:
    """The entries of --extProcExtraEnvVars; ValueError for a pair without "=" or without a name."""
    entries = []
    for pair in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            message = f"not KEY=VALUE: {pair!r}"
            raise ValueError(message)
        entries.append({"name": name.strip(), "value": value})
    return entries


def merge_env(global_env: Iterable[Object], config_env: Iterable[Object]) -> list[Object]:
    """The container's env: global entries, then the GatewayConfig's.

    A name that the GatewayConfig has again, of a global entry or of its own, is replaced where it first stood.
    """
    # The global list stays as it is, with its duplicates.
    entries = list(global_env)
    place = {entry["name"]: index for index, entry in enumerate(entries)}
    for entry in config_env:
        if entry["name"] in place:
            entries[place[entry["name"]]] = entry
        else:
            place[entry["name"]] = len(entries)
            entries.append(entry)
    return entries


def container_options(config: Object | None) -> Object:
    """`spec.extProc.kubernetes` of a GatewayConfig, {} where it has none."""
    options: Object = ((config or {}).get("spec", {}).get("extProc") or {}).get("kubernetes") or {}
    return options


def image(settings: Settings, config: Object | None) -> str:
    """The image of extproc: the GatewayConfig's, or its repository with the controller's tag, or the controller's."""
    options = container_options(config)
    if "image" in options:
        return str(options["image"])
    repository = options.get("imageRepository")
    return f"{repository}:{settings.image.rpartition(':')[2]}" if repository else settings.image


def config_hash(settings: Settings, config: Object | None) -> str:
    """The hash that v1.1 notes: of all flags, and of the whole of the GatewayConfig's extProc."""
    inputs = {
        "image": image(settings, config),
        "settings": dataclasses.asdict(settings),
        "extProc": (config or {}).get("spec", {}).get("extProc"),
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def build_container(settings: Settings, config: Object | None) -> dict[str, Any]:
    """The container of extproc."""
    options = container_options(config)
    container = {
        "name": CONTAINER,
        "image": image(settings, config),
        "ports": [{"name": "aigw-admin", "containerPort": _ADMIN_PORT, "protocol": "TCP"}],
        "args": ["-logLevel", settings.log_level, "-adminPort", str(_ADMIN_PORT)],
        "env": merge_env(parse_global_env(settings.global_env), options.get("env", ())),
        "volumeMounts": [
            {"name": _SOCKET_VOLUME, "mountPath": _SOCKET_FOLDER},
            {"name": _CONFIG_VOLUME, "mountPath": "/etc/filter-config", "readOnly": True},
            *options.get("volumeMounts", ()),
        ],
        "resources": options.get("resources", {}),
        **({"securityContext": options["securityContext"]} if "securityContext" in options else {}),
    }
    return {**container, "restartPolicy": "Always"} if settings.native_sidecar else container


def build_patch(pod: Object, settings: Settings, config: Object | None, secret: str) -> list[dict[str, Any]]:
    """The JSON patch (RFC 6902) that puts extproc into a pod."""
    spec = pod["spec"]
    place = "initContainers" if settings.native_sidecar else "containers"
    additions: list[tuple[str, Sequence[Object]]] = [
        (
            "volumes",
            [{"name": _SOCKET_VOLUME, "emptyDir": {}}, {"name": _CONFIG_VOLUME, "secret": {"secretName": secret}}],
        ),
        (place, [build_container(settings, config)]),
    ]
    return [
        {"op": "add", "path": f"/spec/{field}", "value": [*(spec.get(field) or ()), *items]}
        for field, items in additions
    ]


def find_container(pod: Object) -> Object | None:
    """The container of extproc in a pod, wherever it is; None where there is none."""
    both = [*(pod["spec"].get("initContainers") or ()), *(pod["spec"].get("containers") or ())]
    return next((each for each in both if each["name"] == CONTAINER), None)


def has_sidecar(pod: Object, settings: Settings, config: Object | None) -> bool:
    """Whether the controller takes a pod's extproc for its own: by image and log level.

    Before v1.1 it compared with the controller's image only, so that an image in a GatewayConfig was never right.
    """
    found = find_container(pod)
    wanted = image(settings, config) if settings.rolls_on_change else settings.image
    if found is None or found["image"] != wanted:
        return False
    arguments = list(found.get("args") or ())
    return arguments[arguments.index("-logLevel") + 1] == settings.log_level if "-logLevel" in arguments else True
