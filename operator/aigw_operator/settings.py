"""The operator's settings: flags and environment become one value. It reads nothing but what it is given."""

import dataclasses
import re
import typing
from collections.abc import Callable, Mapping
from typing import Any, Final

from aigw_operator.core.model import Installation

# The prefix of the environment variables: AIGW_OPERATOR_CLUSTER_DOMAIN and so on.
ENVIRONMENT_PREFIX: Final = "AIGW_OPERATOR_"

_INSTALLATION: Final = Installation()

# RFC 1123, as Kubernetes checks names of namespaces and parts of a domain.
_LABEL: Final = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"


class SettingsError(Exception):
    """A setting cannot be used; the message names it and what was expected."""


def _fail(name: str, expected: str, value: str) -> typing.NoReturn:
    message = f"{name}: expected {expected}, got {value!r}"
    raise SettingsError(message)


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """A host and a port. An IPv6 host is written in brackets; an empty host or "*" is all addresses."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _address(name: str, value: str) -> Address:
    match = re.fullmatch(r"(?:\[([0-9a-fA-F:.%]+)\]|([^:\[\]]*)):(\d{1,5})", value)
    if match is None or int(match[3]) > 65535:
        _fail(name, "HOST:PORT", value)
    host = match[1] or match[2]
    return Address("0.0.0.0" if host in ("", "*") else host, int(match[3]))


def _optional_address(name: str, value: str) -> Address | None:
    return _address(name, value) if value else None


def _namespaces(name: str, value: str) -> tuple[str, ...]:
    names = [part.strip() for part in value.split(",")] if value.strip() else []
    if not all(re.fullmatch(_LABEL, part) for part in names):
        _fail(name, "names of namespaces, separated by commas", value)
    return tuple(dict.fromkeys(names))


def _domain(name: str, value: str) -> str:
    if not re.fullmatch(rf"{_LABEL}(?:\.{_LABEL})*", value):
        _fail(name, "a DNS domain such as cluster.local", value)
    return value


def _seconds(name: str, value: str) -> float:
    # More than a day would be no repair any more; less than a second would be nothing else.
    if not re.fullmatch(r"\d{1,5}(?:\.\d+)?", value) or not 1 <= float(value) <= 86400:
        _fail(name, "seconds, from 1 to 86400", value)
    return float(value)


def _level(name: str, value: str) -> str:
    if value not in ("debug", "info", "warning", "error"):
        _fail(name, "debug, info, warning or error", value)
    return value


def _text(_: str, value: str) -> str:
    return value


def _key(read: Callable[[str, str], Any], default: str, text: str, metavar: str = "") -> Any:
    """A setting: how its text is read, its default as one would write it, and what it means."""
    metadata = {"read": read, "default": default, "text": text, "metavar": metavar}
    return dataclasses.field(default=read("", default), metadata=metadata)


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """All settings. Times are seconds."""

    namespaces: tuple[str, ...] = _key(
        _namespaces,
        "",
        "serve these namespaces only (default: all); the one where Envoy Gateway runs its pods must be among them",
        "A,B",
    )
    gateway_controller: str = _key(
        _text,
        _INSTALLATION.gateway_controller,
        "the controllerName of the GatewayClasses that Envoy Gateway serves",
        "NAME",
    )
    cluster_domain: str = _key(_domain, _INSTALLATION.cluster_domain, "the DNS domain of the cluster", "DOMAIN")
    receiver_image: str = _key(_text, "", "the image of receivers that name none", "IMAGE")
    resync: float = _key(_seconds, "300", "seconds between two lists of everything", "SECONDS")
    http: Address = _key(_address, "0.0.0.0:8081", "where to serve /metrics, /livez and /readyz", "HOST:PORT")
    receiver_address: Address | None = _key(
        _optional_address,
        "",
        "ask this address for the list of sources, and not each shard's DNS name: for an operator outside of the "
        "cluster",
        "HOST:PORT",
    )
    kubeconfig: str = _key(_text, "", "the kubeconfig (default: the pod's own ServiceAccount, else as kubectl)", "FILE")
    context: str = _key(_text, "", "the context of the kubeconfig", "NAME")
    log_level: str = _key(_level, "info", "debug, info, warning or error", "LEVEL")

    @property
    def installation(self) -> Installation:
        """What of it the core needs to know."""
        return Installation(self.gateway_controller, self.cluster_domain, self.receiver_image)


KEYS: Final[Mapping[str, dataclasses.Field[Any]]] = {field.name: field for field in dataclasses.fields(Settings)}
"""The settings by name; a flag is the name with dashes, a variable the name in capitals behind the prefix."""


def flag(name: str) -> str:
    """The flag of a setting."""
    return "--" + name.replace("_", "-")


def load_settings(flags: Mapping[str, str], environment: Mapping[str, str]) -> Settings:
    """Flags (by name of the setting) win over the environment, and it wins over the defaults. Raises SettingsError."""
    values: dict[str, Any] = {}
    for name, field in KEYS.items():
        variable = ENVIRONMENT_PREFIX + name.upper()
        if name in flags:
            values[name] = field.metadata["read"](flag(name), flags[name])
        elif variable in environment:
            values[name] = field.metadata["read"](variable, environment[variable])
    return Settings(**values)
