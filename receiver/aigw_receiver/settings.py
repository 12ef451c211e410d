"""The configuration: its keys, their meaning and defaults, and how a file, the environment and flags become one.

Each key is declared once, in the dataclasses below; docs/configuration.md is generated from them. This module reads
text that it is given and opens nothing but the configuration file.
"""

import dataclasses
import re
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from aigw_receiver.core.access_logs import rule_settings
from aigw_receiver.core.access_logs.redaction import Redaction
from aigw_receiver.core.access_logs.rule_settings import RuleSettings
from aigw_receiver.core.limits import Limits
from aigw_receiver.core.sources import Expiry

# The prefix of the environment variables that override the file: AIGW_RECEIVER_OTLP_GRPC and so on.
ENVIRONMENT_PREFIX: Final = "AIGW_RECEIVER_"


_LIMITS: Final = Limits()
_EXPIRY: Final = Expiry()


class SettingsError(Exception):
    """A setting cannot be used; the message names its path and what was expected there."""


def _fail(path: str, expected: str, value: object) -> typing.NoReturn:
    message = f"{path}: expected {expected}, got {value!r}"
    raise SettingsError(message)


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. An IPv6 host is written in brackets; an empty host or "*" is all addresses."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _address(path: str, value: object) -> Address:
    match = re.fullmatch(r"(?:\[([0-9a-fA-F:.%]+)\]|([^:\[\]]*)):(\d{1,5})", value) if isinstance(value, str) else None
    if match is None or int(match[3]) > 65535:
        _fail(path, "HOST:PORT", value)
    host = match[1] or match[2]
    return Address("0.0.0.0" if host in ("", "*") else host, int(match[3]))


def _addresses(path: str, value: object) -> tuple[Address, ...]:
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list) or not value:
        _fail(path, "a list of HOST:PORT", value)
    return tuple(_address(f"{path}[{index}]", item) for index, item in enumerate(value))


def _count(path: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        _fail(path, "a whole number of at least 1", value)
    return value


_SIZES: Final = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def _size(path: str, value: object) -> int:
    match = re.fullmatch(r"(\d+) ?(|KiB|MiB|GiB)", str(value)) if not isinstance(value, bool) else None
    if match is None or not int(match[1]):
        _fail(path, "a size such as 4MiB, or a number of bytes", value)
    return int(match[1]) * _SIZES[match[2]]


def _duration(path: str, value: object) -> int:
    try:
        return rule_settings.read_duration(path, value)
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _names(path: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        _fail(path, "a list of metric names, or of prefixes that end in *", value)
    return tuple(value)


def _attributes(path: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        _fail(path, "a list of names of attributes", value)
    return tuple(value)


def _directory(path: str, value: object) -> Path:
    if not isinstance(value, str) or not value:
        _fail(path, "the path of a directory", value)
    return Path(value)


def _file(path: str, value: object) -> Path:
    if not isinstance(value, str) or not value:
        _fail(path, "the path of a file", value)
    return Path(value)


def _level(path: str, value: object) -> str:
    if value not in ("debug", "info", "warning", "error"):
        _fail(path, "debug, info, warning or error", value)
    return str(value)


def _key(read: Callable[[str, Any], Any], default: rule_settings.Default, text: str) -> Any:
    """A key of the file: how its value is read, its default as one would write it, and what it means."""
    value = None if default is None else read("", list(default) if isinstance(default, tuple) else default)
    return dataclasses.field(default=value, metadata={"read": read, "default": default, "text": text})


@dataclasses.dataclass(frozen=True, slots=True)
class Listen:
    """Where the receiver listens."""

    otlp_grpc: tuple[Address, ...] = _key(
        _addresses, ("0.0.0.0:4317",), "OTLP/gRPC; any number of addresses (add 0.0.0.0:11800 for SkyWalking's senders)"
    )
    otlp_http: Address = _key(_address, "0.0.0.0:4318", "OTLP/HTTP, protobuf and JSON")
    http: Address = _key(_address, "0.0.0.0:8080", "`/metrics` of the gateways")
    telemetry: Address = _key(_address, "0.0.0.0:8081", "the receiver's own `/metrics`, `/livez` and `/readyz`")


@dataclasses.dataclass(frozen=True, slots=True)
class Metrics:
    """Which metrics are taken."""

    admit: tuple[str, ...] = _key(
        _names, (), "metrics to take beside `gen_ai.*` and `mcp.*`: names, or prefixes that end in `*`"
    )


@dataclasses.dataclass(frozen=True, slots=True)
class LimitSettings:
    """How much is held, and how large a request may be."""

    streams: int = _key(_count, _LIMITS.streams, "streams of all gateways; further ones are refused")
    streams_per_pod: int = _key(_count, _LIMITS.streams_per_pod, "streams of one gateway pod; further ones are refused")
    pods: int = _key(_count, _LIMITS.pods, "gateway pods; further ones are refused")
    labels: int = _key(_count, _LIMITS.labels, "attributes of one data point; a point with more is refused")
    label_length: int = _key(_count, _LIMITS.label_length, "characters of a label value; a longer one becomes `other`")
    name_length: int = _key(
        _count,
        _LIMITS.name_length,
        "characters of the name of a metric, an attribute or a pod; what is longer is refused",
    )
    label_values: int = _key(
        _count, _LIMITS.label_values, "different values of one label of one gateway; further ones become `other`"
    )
    grpc_message: int = _key(_size, "4MiB", "size of an OTLP/gRPC message, after inflating")
    http_body: int = _key(_size, "20MiB", "size of an OTLP/HTTP body, before and after inflating")


@dataclasses.dataclass(frozen=True, slots=True)
class ExpirySettings:
    """When a gateway pod that is silent has ended, so that its series leave the scrapes."""

    missed_intervals: int = _key(_count, _EXPIRY.missed_intervals, "export intervals that pass in silence")
    default_interval: int = _key(_duration, "60s", "the export interval of a pod that has sent only once")
    minimum_interval: int = _key(_duration, "1s", "no export interval is taken for shorter")
    retention: int = _key(_duration, "1h", "how long an ended pod is remembered, so that it continues its series")


@dataclasses.dataclass(frozen=True, slots=True)
class JournalSettings:
    """What is kept in the data directory, so that a restart loses nothing."""

    size: int = _key(_size, "256MiB", "size of the journal at which it is replaced by a snapshot")


@dataclasses.dataclass(frozen=True, slots=True)
class Prices:
    """What tokens cost."""

    file: Path | None = _key(
        _file, None, "price book, in our format or SkyWalking's; read again when changed (default: the shipped one)"
    )


@dataclasses.dataclass(frozen=True, slots=True)
class LogFile:
    """The file that kept access logs are written to."""

    path: Path | None = _key(_file, None, "kept access logs are appended to this file as lines of JSON, too")
    size: int = _key(_size, "100MiB", "size at which the file becomes `PATH.1`, and a new one is begun")
    keep: int = _key(_count, 5, "older files that are kept")


@dataclasses.dataclass(frozen=True, slots=True)
class Redact:
    """What is taken out of access logs beyond credentials and query strings."""

    drop: tuple[str, ...] = _key(_attributes, (), "attributes that are left out; `body` is the text line")
    mask: tuple[str, ...] = _key(_attributes, (), "attributes whose value becomes `[redacted]`")


@dataclasses.dataclass(frozen=True, slots=True)
class AccessLogs:
    """Which access logs are kept, and where they go."""

    stdout: bool = _key(
        rule_settings.read_switch, True, "whether kept access logs are written to standard output, as lines of JSON"
    )
    file: LogFile = dataclasses.field(default_factory=LogFile)
    redact: Redact = dataclasses.field(default_factory=Redact)
    rules: RuleSettings = dataclasses.field(default_factory=RuleSettings)

    def redaction(self) -> Redaction:
        """What the core takes out."""
        return Redaction.of(dropped=self.redact.drop, masked=self.redact.mask)


@dataclasses.dataclass(frozen=True, slots=True)
class Log:
    """The receiver's own log, on standard error."""

    level: str = _key(_level, "info", "debug, info, warning or error")


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration."""

    listen: Listen = dataclasses.field(default_factory=Listen)
    metrics: Metrics = dataclasses.field(default_factory=Metrics)
    limits: LimitSettings = dataclasses.field(default_factory=LimitSettings)
    expiry: ExpirySettings = dataclasses.field(default_factory=ExpirySettings)
    journal: JournalSettings = dataclasses.field(default_factory=JournalSettings)
    prices: Prices = dataclasses.field(default_factory=Prices)
    access_logs: AccessLogs = dataclasses.field(default_factory=AccessLogs)
    log: Log = dataclasses.field(default_factory=Log)
    data_dir: Path | None = _key(
        _directory, None, "where counts are kept over a restart; without it they are kept in memory only"
    )

    def limits_of_streams(self) -> Limits:
        """The bounds that the core keeps."""
        return Limits(**{field.name: getattr(self.limits, field.name) for field in dataclasses.fields(Limits)})

    def expiry_of_pods(self) -> Expiry:
        """The rules of silence that the core keeps."""
        return Expiry(**{field.name: getattr(self.expiry, field.name) for field in dataclasses.fields(Expiry)})


def read_settings(document: object, overrides: Mapping[str, object]) -> Settings:
    """Settings from a parsed YAML document, and from values that override it by path ("listen.http")."""
    merged = document if document is not None else {}
    for path, value in overrides.items():
        *parents, key = path.split(".")
        node: Any = merged if isinstance(merged, dict) else _fail("the file", "a mapping", merged)
        for parent in parents:
            if node.get(parent) is None:
                node[parent] = {}
            node = node[parent] if isinstance(node[parent], dict) else _fail(parent, "a mapping", node[parent])
        node[key] = value
    settings: Settings
    try:
        settings = _section(Settings, "", merged)
        rule_settings.check("access_logs.rules", settings.access_logs.rules)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    return settings


def _section(kind: Any, path: str, document: object) -> Any:
    if not isinstance(document, dict):
        _fail(path or "the file", "a mapping", document)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    values = {}
    for key, value in document.items():
        place = f"{path}.{key}" if path else str(key)
        if key not in fields:
            message = f"{place}: unknown key; expected one of {', '.join(fields)}"
            raise SettingsError(message)
        field = fields[key]
        if "read" in field.metadata:
            values[key] = field.metadata["read"](place, value)
        else:
            values[key] = _section(field.default_factory, place, {} if value is None else value)
    return kind(**values)


def load_settings(file: Path | None, flags: Mapping[str, object], environment: Mapping[str, str]) -> Settings:
    """Settings from a file, if there is one, then the environment, then flags; the last one wins.

    Raises SettingsError with one line that says what is wrong, and where.
    """
    file = file or (Path(environment[name]) if (name := f"{ENVIRONMENT_PREFIX}CONFIG") in environment else None)
    document: object = None
    if file is not None:
        try:
            document = yaml.safe_load(file.read_text())
        except OSError as error:
            message = f"{file}: {error.strerror or error}"
            raise SettingsError(message) from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            message = f"{file}: not valid YAML: {' '.join(str(error).split())}"
            raise SettingsError(message) from None
    overrides = {
        path: environment[name]
        for path in OVERRIDES
        if (name := ENVIRONMENT_PREFIX + path.rpartition(".")[2].upper()) in environment
    }
    try:
        return read_settings(document, overrides | dict(flags))
    except SettingsError as error:
        if file is None:
            raise
        message = f"{file}: {error}"
        raise SettingsError(message) from None


# The keys that a flag and an environment variable override.
OVERRIDES: Final = ("listen.otlp_grpc", "listen.otlp_http", "listen.http", "listen.telemetry", "data_dir")
