"""The configuration: every bad value is refused with its path and what was expected, and the last word wins."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from aigw_receiver import configuration, settings
from aigw_receiver.configuration import SettingsError
from aigw_receiver.core.address import Address
from aigw_receiver.core.limits import Limits
from aigw_receiver.core.sources import Expiry
from aigw_receiver.settings import Settings

_MIB = 1 << 20


def _load(text: str, tmp_path: Path, **environment: str) -> Settings:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    return configuration.load_settings(file, {}, environment)


def test_defaults() -> None:
    """A receiver without configuration does not serve on the ports that the documentation names."""
    loaded = configuration.load_settings(None, {}, {})
    assert Settings() == loaded
    assert ("0.0.0.0:4317",) == tuple(map(str, loaded.listen.otlp_grpc))
    listen = loaded.listen
    assert ("0.0.0.0:4318", "0.0.0.0:8080", "0.0.0.0:8081") == tuple(
        map(str, (listen.otlp_http, listen.http, listen.telemetry))
    )
    assert ((), None, "info") == (loaded.metrics.admit, loaded.data_dir, loaded.log.level)
    assert loaded.prices.file is None
    assert (4 * _MIB, 20 * _MIB, 256 * _MIB) == (
        loaded.limits.grpc_message,
        loaded.limits.http_body,
        loaded.journal.size,
    )
    assert (Limits(), Expiry()) == (loaded.limits_of_streams(), loaded.expiry_of_pods())


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}", "listen:\nlimits:\nmetrics: {}\n"])
def test_empty_file(text: str, tmp_path: Path) -> None:
    """A file in which everything is commented out is refused."""
    assert Settings() == _load(text, tmp_path)


def test_every_key(tmp_path: Path) -> None:
    """A key of the file is read into another, or not at all."""
    text = """
listen:
  otlp_grpc: ["0.0.0.0:4317", "127.0.0.1:11800", "[::1]:4317"]
  otlp_http: "[::]:4318"
  http: "*:80"
  telemetry: ":81"
metrics:
  admit: [http.server.duration, "x.*"]
limits: {streams: 1, streams_per_pod: 2, pods: 3, labels: 4, label_length: 5, name_length: 6,
  label_values: 9, grpc_message: 7KiB, http_body: 8}
expiry: {missed_intervals: 2, default_interval: 1.5s, minimum_interval: 250ms, retention: 2h}
journal: {size: 1 GiB}
prices: {file: /etc/prices.yaml}
page:
  rollup: {retention: 2h, size: 3MiB}
  prometheus: {url: "https://p:9090/x", headers: {a: b}, ca_file: /ca.pem, timeout: 2s}
log: {level: debug}
data_dir: data
"""
    loaded = _load(text, tmp_path)
    assert (Address("0.0.0.0", 4317), Address("127.0.0.1", 11800), Address("::1", 4317)) == loaded.listen.otlp_grpc
    assert "[::1]:4317" == str(loaded.listen.otlp_grpc[2])
    assert (Address("::", 4318), Address("0.0.0.0", 80), Address("0.0.0.0", 81)) == (
        loaded.listen.otlp_http,
        loaded.listen.http,
        loaded.listen.telemetry,
    )
    assert ("http.server.duration", "x.*") == loaded.metrics.admit
    assert (1, 2, 3, 4, 5, 6, 9, 7168, 8) == dataclasses.astuple(loaded.limits)
    assert Limits(1, 2, 3, 4, 5, 6, 9) == loaded.limits_of_streams()
    assert Expiry(2, 1_500_000_000, 250_000_000, 7_200_000_000_000) == loaded.expiry_of_pods()
    assert (1 << 30, "debug", Path("data")) == (loaded.journal.size, loaded.log.level, loaded.data_dir)
    assert Path("/etc/prices.yaml") == loaded.prices.file
    assert settings.Rollup(7_200_000_000_000, 3 * _MIB) == loaded.page.rollup
    assert settings.Prometheus("https://p:9090/x", {"a": "b"}, Path("/ca.pem"), 2_000_000_000) == loaded.page.prometheus


_ADDRESS, _COUNT = "expected HOST:PORT", "expected a whole number of at least 1"
_SIZE, _DURATION = (
    "expected a size such as 4MiB, or a number of bytes",
    "expected a duration such as 500ms, 60s, 5m or 1h",
)
_SECTIONS = "listen, metrics, limits, expiry, journal, prices, access_logs, page, log, data_dir"
_NAMES = "expected a list of metric names, or of prefixes that end in *"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("listen: {http: 8080}", f"listen.http: {_ADDRESS}, got 8080"),
        ("listen: {http: localhost}", f"listen.http: {_ADDRESS}, got 'localhost'"),
        ("listen: {http: 'h:65536'}", f"listen.http: {_ADDRESS}, got 'h:65536'"),
        ("listen: {http: 'h:-1'}", f"listen.http: {_ADDRESS}, got 'h:-1'"),
        ("listen: {http: 'h:http'}", f"listen.http: {_ADDRESS}, got 'h:http'"),
        ("listen: {http: '::1:80'}", f"listen.http: {_ADDRESS}, got '::1:80'"),
        ("listen: {http: 'http://h:80'}", f"listen.http: {_ADDRESS}, got 'http://h:80'"),
        ("listen: {http: }", f"listen.http: {_ADDRESS}, got None"),
        ("listen: {otlp_grpc: []}", "listen.otlp_grpc: expected a list of HOST:PORT, got []"),
        ("listen: {otlp_grpc: 4317}", "listen.otlp_grpc: expected a list of HOST:PORT, got 4317"),
        ("listen: {otlp_grpc: ['h:1', h]}", f"listen.otlp_grpc[1]: {_ADDRESS}, got 'h'"),
        ("listen: {otlp_grpc: 'h:1,x'}", f"listen.otlp_grpc[1]: {_ADDRESS}, got 'x'"),
        ("limits: {streams: 0}", f"limits.streams: {_COUNT}, got 0"),
        ("limits: {streams: -5}", f"limits.streams: {_COUNT}, got -5"),
        ("limits: {streams: 1.5}", f"limits.streams: {_COUNT}, got 1.5"),
        ("limits: {streams: '5'}", f"limits.streams: {_COUNT}, got '5'"),
        ("limits: {streams: true}", f"limits.streams: {_COUNT}, got True"),
        ("limits: {grpc_message: 0}", f"limits.grpc_message: {_SIZE}, got 0"),
        ("limits: {grpc_message: 4MB}", f"limits.grpc_message: {_SIZE}, got '4MB'"),
        ("limits: {grpc_message: true}", f"limits.grpc_message: {_SIZE}, got True"),
        ("limits: {grpc_message: 1.5}", f"limits.grpc_message: {_SIZE}, got 1.5"),
        ("limits: {http_body: -1}", f"limits.http_body: {_SIZE}, got -1"),
        ("limits: {http_body: [1]}", f"limits.http_body: {_SIZE}, got [1]"),
        ("expiry: {retention: 60}", f"expiry.retention: {_DURATION}, got 60"),
        ("expiry: {retention: 0s}", f"expiry.retention: {_DURATION}, got '0s'"),
        ("expiry: {retention: 1d}", f"expiry.retention: {_DURATION}, got '1d'"),
        ("expiry: {retention: -1s}", f"expiry.retention: {_DURATION}, got '-1s'"),
        ("expiry: {missed_intervals: 3s}", f"expiry.missed_intervals: {_COUNT}, got '3s'"),
        ("metrics: {admit: http.*}", f"metrics.admit: {_NAMES}, got 'http.*'"),
        ("metrics: {admit: [1]}", f"metrics.admit: {_NAMES}, got [1]"),
        ("metrics: {admit: ['']}", f"metrics.admit: {_NAMES}, got ['']"),
        ("log: {level: loud}", "log.level: expected debug, info, warning or error, got 'loud'"),
        ("log: {level: [info]}", "log.level: expected debug, info, warning or error, got ['info']"),
        ("data_dir: 5", "data_dir: expected the path of a directory, got 5"),
        ("data_dir: ''", "data_dir: expected the path of a directory, got ''"),
        ("- listen", "the file: expected a mapping, got ['listen']"),
        ("text", "the file: expected a mapping, got 'text'"),
        ("listen: [http]", "listen: expected a mapping, got ['http']"),
        ("listen: 8080", "listen: expected a mapping, got 8080"),
        (
            "listne: {}",
            f"listne: unknown key; expected one of {_SECTIONS}",
        ),
        (
            "listen: {grpc: 'h:1'}",
            "listen.grpc: unknown key; expected one of otlp_grpc, otlp_http, http, telemetry",
        ),
        (
            "access_logs: {rules: {errors: {status: 99}}}",
            "access_logs.rules.errors.status: expected an HTTP status from 100 to 599, got 99",
        ),
        (
            "access_logs: {rules: {sample: {rate: 0.5, per_minute: 5}}}",
            "access_logs.rules.sample: expected either rate or per_minute, got {'rate': 0.5, 'per_minute': 5}",
        ),
        ("1: 2", f"1: unknown key; expected one of {_SECTIONS}"),
    ],
)
def test_bad_values(text: str, message: str, tmp_path: Path) -> None:
    """A mistake in the file is passed over, or the message does not say where it is and what was expected."""
    with pytest.raises(SettingsError) as error:
        _load(text, tmp_path)
    assert f"{tmp_path / 'config.yaml'}: {message}" == str(error.value)


@pytest.mark.parametrize("text", ["a: b: c", "listen: [", "\tlisten:", "a: !!python/object:os.system x", "\x00"])
def test_not_yaml(text: str, tmp_path: Path) -> None:
    """A file that is not YAML ends the start with a stack of lines instead of one."""
    with pytest.raises(SettingsError) as error:
        _load(text, tmp_path)
    assert str(error.value).startswith(f"{tmp_path / 'config.yaml'}: not valid YAML: ")
    assert "\n" not in str(error.value)


def test_not_text(tmp_path: Path) -> None:
    """A file that is not text ends the start with a traceback."""
    file = tmp_path / "config.yaml"
    file.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(SettingsError, match="not valid YAML"):
        configuration.load_settings(file, {}, {})


def test_missing_file_and_directory(tmp_path: Path) -> None:
    """A file that cannot be read ends the start with a traceback, or is passed over."""
    with pytest.raises(SettingsError) as error:
        configuration.load_settings(tmp_path / "no.yaml", {}, {})
    assert f"{tmp_path / 'no.yaml'}: No such file or directory" == str(error.value)
    with pytest.raises(SettingsError) as error:
        configuration.load_settings(tmp_path, {}, {})
    assert f"{tmp_path}: Is a directory" == str(error.value)


_FILE = "listen: {otlp_grpc: ['file:1'], otlp_http: 'file:2', http: 'file:3', telemetry: 'file:4'}\ndata_dir: file\n"
_ENVIRONMENT = {
    "AIGW_RECEIVER_OTLP_GRPC": "environment:1,environment:11",
    "AIGW_RECEIVER_OTLP_HTTP": "environment:2",
    "AIGW_RECEIVER_HTTP": "environment:3",
    "AIGW_RECEIVER_TELEMETRY": "environment:4",
    "AIGW_RECEIVER_DATA_DIR": "environment",
}
_FLAGS: Mapping[str, object] = {
    "listen.otlp_grpc": ["flag:1", "flag:11"],
    "listen.otlp_http": "flag:2",
    "listen.http": "flag:3",
    "listen.telemetry": "flag:4",
    "data_dir": "flag",
}


@pytest.mark.parametrize(
    ("environment", "flags", "winner", "grpc"),
    [
        ({}, {}, "file", ("file:1",)),
        (_ENVIRONMENT, {}, "environment", ("environment:1", "environment:11")),
        ({}, _FLAGS, "flag", ("flag:1", "flag:11")),
        (_ENVIRONMENT, _FLAGS, "flag", ("flag:1", "flag:11")),
    ],
)
def test_last_word_wins(
    environment: Mapping[str, str], flags: Mapping[str, object], winner: str, grpc: tuple[str, ...], tmp_path: Path
) -> None:
    """A flag does not win over the environment, or the environment not over the file."""
    file = tmp_path / "config.yaml"
    file.write_text(_FILE)
    for loaded in (
        configuration.load_settings(file, flags, environment),
        configuration.load_settings(None, flags, {**environment, "AIGW_RECEIVER_CONFIG": str(file)}),
    ):
        listen = loaded.listen
        assert grpc == tuple(map(str, listen.otlp_grpc))
        assert (f"{winner}:2", f"{winner}:3", f"{winner}:4", Path(winner)) == (
            str(listen.otlp_http),
            str(listen.http),
            str(listen.telemetry),
            loaded.data_dir,
        )


@pytest.mark.parametrize("text", ["listen:\n", "", "listen: {}"])
def test_flag_over_an_empty_section(text: str, tmp_path: Path) -> None:
    """A flag does not work where the file has an empty section, as one in which all is commented out."""
    file = tmp_path / "config.yaml"
    file.write_text(text)
    assert "h:1" == str(configuration.load_settings(file, {"listen.http": "h:1"}, {}).listen.http)


def test_flag_over_a_section_that_is_none(tmp_path: Path) -> None:
    """A mistake in the file is hidden, or ends in a traceback, where a flag is given too."""
    file = tmp_path / "config.yaml"
    for text, message in (
        ("listen: 5", "listen: expected a mapping, got 5"),
        ("[]", "the file: expected a mapping, got []"),
    ):
        file.write_text(text)
        with pytest.raises(SettingsError) as error:
            configuration.load_settings(file, {"listen.http": "h:1"}, {})
        assert f"{file}: {message}" == str(error.value)


@pytest.mark.parametrize(
    ("flags", "environment", "message"),
    [
        ({"listen.http": "x"}, {}, f"listen.http: {_ADDRESS}, got 'x'"),
        ({}, {"AIGW_RECEIVER_HTTP": ""}, f"listen.http: {_ADDRESS}, got ''"),
        ({"listen.otlp_grpc": ["h:1", "x"]}, {}, f"listen.otlp_grpc[1]: {_ADDRESS}, got 'x'"),
    ],
)
def test_bad_overrides(flags: Mapping[str, object], environment: Mapping[str, str], message: str) -> None:
    """A mistake in a flag or in the environment is passed over, or not named."""
    with pytest.raises(SettingsError) as error:
        configuration.load_settings(None, flags, environment)
    assert message == str(error.value)


def _defaults(kind: Any) -> dict[str, object]:
    """The defaults of a section and the sections in it, as the documentation shows them."""
    document: dict[str, object] = {}
    for key in dataclasses.fields(kind):
        if "each" in key.metadata:
            continue
        if "read" not in key.metadata:
            document[key.name] = _defaults(key.default_factory)
            continue
        assert key.metadata["text"]
        value = key.metadata["default"]
        if value is not None:
            document[key.name] = list(value) if isinstance(value, tuple) else value
    return document


def test_defaults_as_written() -> None:
    """A default that the documentation shows is not one that the file would take, or a key has no text."""
    written = yaml.safe_load(yaml.safe_dump(_defaults(Settings)))
    assert Settings() == configuration.read_settings(written, {})
    forward = _defaults(settings.Forward) | {"endpoint": "http://loki:4317"}
    read = configuration.read_settings({"access_logs": {"forward": {"loki": forward}}}, {})
    assert {"loki": settings.Forward("http://loki:4317")} == read.access_logs.forward


@pytest.mark.parametrize(
    ("path", "section"),
    [
        ("access_logs.forward.loki", lambda headers: {"access_logs": {"forward": {"loki": headers}}}),
        ("page.prometheus", lambda headers: {"page": {"prometheus": headers}}),
    ],
    ids=["forward", "prometheus"],
)
def test_headers_from_the_environment(
    tmp_path: Path, path: str, section: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    """A secret must stand in the file, or the name of a variable is sent in its place."""
    headers = {"authorization": "${LOKI_AUTH}", "x-scope": "a", "x-cost": "$5", "x-both": "Bearer ${LOKI_AUTH}"}
    file = tmp_path / "config.yaml"
    key = "url" if path.startswith("page") else "endpoint"
    file.write_text(yaml.safe_dump(section({key: "http://a:1", "headers": headers})))
    read: Any = configuration.load_settings(file, {}, {"LOKI_AUTH": "Bearer secret"})
    for name in path.split("."):
        read = read[name] if isinstance(read, dict) else getattr(read, name)
    assert headers | {"authorization": "Bearer secret"} == read.headers
    with pytest.raises(SettingsError) as error:
        configuration.load_settings(file, {}, {})
    expected = f"{file}: {path}.headers.authorization: the environment variable LOKI_AUTH is not set"
    assert expected == str(error.value)
