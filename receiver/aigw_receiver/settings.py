"""The configuration: its keys, their meaning and their defaults.

Each key is declared once, in the dataclasses below; docs/configuration.md is generated from them. How a file, the
environment and flags become values is in `configuration.py`; this module opens nothing.
"""

import dataclasses
from pathlib import Path
from typing import Final

from aigw_receiver.core import address, keys
from aigw_receiver.core.access_logs.redaction import Redaction
from aigw_receiver.core.access_logs.rule_settings import RuleSettings
from aigw_receiver.core.address import Address
from aigw_receiver.core.keys import key
from aigw_receiver.core.limits import Limits
from aigw_receiver.core.sources import Expiry

_LIMITS: Final = Limits()
_EXPIRY: Final = Expiry()


def _directory(path: str, value: object) -> Path:
    if not isinstance(value, str) or not value:
        keys.fail(path, "the path of a directory", value)
    return Path(value)


def _file(path: str, value: object) -> Path:
    if not isinstance(value, str) or not value:
        keys.fail(path, "the path of a file", value)
    return Path(value)


def _level(path: str, value: object) -> str:
    if value not in ("debug", "info", "warning", "error"):
        keys.fail(path, "debug, info, warning or error", value)
    return str(value)


def _protocol(path: str, value: object) -> str:
    if value not in ("grpc", "http"):
        keys.fail(path, "grpc or http", value)
    return str(value)


def _compression(path: str, value: object) -> str:
    if value not in ("gzip", "none"):
        keys.fail(path, "gzip or none", value)
    return str(value)


@dataclasses.dataclass(frozen=True, slots=True)
class Listen:
    """Where the receiver listens."""

    otlp_grpc: tuple[Address, ...] = key(
        address.read_addresses,
        ("0.0.0.0:4317",),
        "OTLP/gRPC; any number of addresses (add 0.0.0.0:11800 for SkyWalking's senders)",
    )
    otlp_http: Address = key(address.read_address, "0.0.0.0:4318", "OTLP/HTTP, protobuf and JSON")
    http: Address = key(address.read_address, "0.0.0.0:8080", "the page, the JSON API, and `/metrics` of the gateways")
    telemetry: Address = key(
        address.read_address, "0.0.0.0:8081", "the receiver's own `/metrics`, `/livez` and `/readyz`"
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Metrics:
    """Which metrics are taken."""

    admit: tuple[str, ...] = key(
        keys.read_names, (), "metrics to take beside `gen_ai.*` and `mcp.*`: names, or prefixes that end in `*`"
    )


@dataclasses.dataclass(frozen=True, slots=True)
class LimitSettings:
    """How much is held, and how large a request may be."""

    streams: int = key(keys.read_count, _LIMITS.streams, "streams of all gateways; further ones are refused")
    streams_per_pod: int = key(
        keys.read_count, _LIMITS.streams_per_pod, "streams of one gateway pod; further ones are refused"
    )
    pods: int = key(keys.read_count, _LIMITS.pods, "gateway pods; further ones are refused")
    labels: int = key(keys.read_count, _LIMITS.labels, "attributes of one data point; a point with more is refused")
    label_length: int = key(
        keys.read_count, _LIMITS.label_length, "characters of a label value; a longer one becomes `other`"
    )
    name_length: int = key(
        keys.read_count,
        _LIMITS.name_length,
        "characters of the name of a metric, an attribute or a pod; what is longer is refused",
    )
    label_values: int = key(
        keys.read_count,
        _LIMITS.label_values,
        "different values of one label of one gateway; further ones become `other`",
    )
    grpc_message: int = key(keys.read_size, "4MiB", "size of an OTLP/gRPC message, after inflating")
    http_body: int = key(keys.read_size, "20MiB", "size of an OTLP/HTTP body, before and after inflating")


@dataclasses.dataclass(frozen=True, slots=True)
class ExpirySettings:
    """When a gateway pod that is silent has ended, so that its series leave the scrapes."""

    missed_intervals: int = key(keys.read_count, _EXPIRY.missed_intervals, "export intervals that pass in silence")
    default_interval: int = key(keys.read_duration, "60s", "the export interval of a pod that has sent only once")
    minimum_interval: int = key(keys.read_duration, "1s", "no export interval is taken for shorter")
    retention: int = key(
        keys.read_duration, "1h", "how long an ended pod is remembered, so that it continues its series"
    )


@dataclasses.dataclass(frozen=True, slots=True)
class JournalSettings:
    """What is kept in the data directory, so that a restart loses nothing."""

    size: int = key(keys.read_size, "256MiB", "size of the journal at which it is replaced by a snapshot")


@dataclasses.dataclass(frozen=True, slots=True)
class Prices:
    """What tokens cost."""

    file: Path | None = key(
        _file, None, "price book, in our format or SkyWalking's; read again when changed (default: the shipped one)"
    )


@dataclasses.dataclass(frozen=True, slots=True)
class LogFile:
    """The file that kept access logs are written to."""

    path: Path | None = key(_file, None, "kept access logs are appended to this file as lines of JSON, too")
    size: int = key(keys.read_size, "100MiB", "size at which the file becomes `PATH.1`, and a new one is begun")
    keep: int = key(keys.read_count, 5, "older files that are kept")


@dataclasses.dataclass(frozen=True, slots=True)
class Redact:
    """What is taken out of access logs beyond credentials and query strings."""

    drop: tuple[str, ...] = key(keys.read_attributes, (), "attributes that are left out; `body` is the text line")
    mask: tuple[str, ...] = key(keys.read_attributes, (), "attributes whose value becomes `[redacted]`")


@dataclasses.dataclass(frozen=True, slots=True)
class LogStore:
    """The database of kept access logs that `/api/logs` searches, in the data directory or else in memory."""

    enabled: bool = key(keys.read_switch, True, "whether kept access logs can be searched under `/api/logs`")
    retention: int = key(keys.read_duration, "168h", "how long they are kept there")
    size: int = key(keys.read_size, "256MiB", "and how large that may become; the oldest are dropped first")


@dataclasses.dataclass(frozen=True, slots=True)
class Forward:
    """Somebody else who gets the kept access logs, over OTLP."""

    endpoint: str = key(
        keys.read_endpoint,
        None,
        "where kept access logs are sent over OTLP: `http(s)://HOST:PORT`, for HTTP with a path",
        required=True,
    )
    protocol: str = key(_protocol, "grpc", "grpc or http")
    headers: dict[str, str] = key(
        keys.read_pairs, {}, "headers to send; a value `${NAME}` is that of the environment variable"
    )
    ca_file: Path | None = key(_file, None, "certificates to trust for `https://` (default: the system's)")
    timeout: int = key(keys.read_duration, "10s", "how long one request may take")
    compression: str = key(_compression, "gzip", "gzip or none")
    queue: int = key(keys.read_size, "64MiB", "what may wait, in the data directory or else in memory")
    attributes: dict[str, str] = key(keys.read_pairs, {}, "further attributes of the resource")


@dataclasses.dataclass(frozen=True, slots=True)
class AccessLogs:
    """Which access logs are kept, and where they go."""

    stdout: bool = key(
        keys.read_switch, True, "whether kept access logs are written to standard output, as lines of JSON"
    )
    file: LogFile = dataclasses.field(default_factory=LogFile)
    store: LogStore = dataclasses.field(default_factory=LogStore)
    forward: dict[str, Forward] = keys.named(Forward)
    redact: Redact = dataclasses.field(default_factory=Redact)
    rules: RuleSettings = dataclasses.field(default_factory=RuleSettings)

    def redaction(self) -> Redaction:
        """What the core takes out."""
        return Redaction.of(dropped=self.redact.drop, masked=self.redact.mask)


@dataclasses.dataclass(frozen=True, slots=True)
class Rollup:
    """What the page and the API show of the last hours."""

    retention: int = key(keys.read_duration, "168h", "how long it is kept; the older, the coarser")
    size: int = key(
        keys.read_size, "256MiB", "and how large that may become (in memory 2MiB); the oldest is dropped first"
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Prometheus:
    """What the page and the API show of a time before that."""

    url: str | None = key(
        keys.read_endpoint,
        None,
        "a Prometheus that scrapes this receiver, `http(s)://HOST:PORT[/PATH]`, for longer ranges",
    )
    headers: dict[str, str] = key(
        keys.read_pairs, {}, "headers of each request to it; a value `${NAME}` is read from the environment"
    )
    ca_file: Path | None = key(_file, None, "certificates to trust for `https://` (default: the system's)")
    timeout: int = key(keys.read_duration, "10s", "how long one request to it may take")


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """The page on `listen.http`, and the API behind it."""

    rollup: Rollup = dataclasses.field(default_factory=Rollup)
    prometheus: Prometheus = dataclasses.field(default_factory=Prometheus)


@dataclasses.dataclass(frozen=True, slots=True)
class Log:
    """The receiver's own log, on standard error."""

    level: str = key(_level, "info", "debug, info, warning or error")


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
    page: Page = dataclasses.field(default_factory=Page)
    log: Log = dataclasses.field(default_factory=Log)
    data_dir: Path | None = key(
        _directory, None, "where counts are kept over a restart; without it they are kept in memory only"
    )

    def limits_of_streams(self) -> Limits:
        """The bounds that the core keeps."""
        return Limits(**{field.name: getattr(self.limits, field.name) for field in dataclasses.fields(Limits)})

    def expiry_of_pods(self) -> Expiry:
        """The rules of silence that the core keeps."""
        return Expiry(**{field.name: getattr(self.expiry, field.name) for field in dataclasses.fields(Expiry)})
