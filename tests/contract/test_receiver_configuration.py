"""The two programs agree on the receiver's configuration: what the operator accepts and writes, the receiver takes.

The receiver's own loader is the judge. Neither package imports the other; only this test knows both.
"""

import dataclasses
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from aigw_operator.core import receiver_config, receiver_schema
from aigw_receiver import configuration, main
from aigw_receiver.configuration import SettingsError
from aigw_receiver.core.address import Address
from aigw_receiver.settings import Forward, Settings
from receiver_objects import build, receiver

_ROOT = Path(__file__).parents[2]
_OWNED = ("listen", "data_dir")

# For each reader of settings.py: values that it takes, and values that it refuses.
_VALUES: Mapping[str, tuple[tuple[Any, ...], tuple[Any, ...]]] = {
    "address": (
        ("0.0.0.0:8080", "[::]:1", ":80", "*:80", "host:65535"),
        ("80", "host", "host:", "a:b:1", "[::1]", 80, None, [], "host:123456", "host:1\n"),
    ),
    "addresses": (
        (["0.0.0.0:4317"], ["a:1", "[::]:2"]),
        ([], [80], ["a"], None, 4317, {}, ["a:1", "b"]),
    ),
    "count": ((1, 1000000), (0, -1, True, 1.0, 1.5, "1", None, [], {})),
    "size": (
        (1, 4096, "1", "4096", "4MiB", "4 MiB", "1GiB", "20KiB", "010"),
        (0, "0", "0MiB", -1, 1.5, True, "4MB", "4mib", "4  MiB", "MiB", "", "4MiB\n", None, [], {}, "1.5MiB"),
    ),
    "duration": (
        ("500ms", "60s", "5m", "1h", "1.5h", "0.5s", "01s"),
        (0, 60, "60", "0s", "0.0s", "1d", "-1s", "1h30m", ".5s", "5.s", "", " 1s", "1s\n", None, True, [], {}),
    ),
    "names": (([], ["a"], ["a.*", "b"], ["a\nb"]), ("a", [""], [1], [None], None, {}, 1)),
    "attributes": (([], ["a"], ["user-agent", "body"]), ("a", [""], [1], [None], None, {}, 1)),
    "switch": ((True, False), ("true", 1, 0, None, "", [], {})),
    "status": ((100, 400, 599), (99, 600, "400", 400.0, True, None, [], {})),
    "flags": (([], ["UF"], ["UF", "UMSDR"]), ("UF", ["uf"], ["U"], [""], [1], [None], None, {}, 1, ["UF\n"])),
    "optional_count": ((None, 1, 1000000), (0, -1, True, 1.0, "1", [], {})),
    "rate": ((None, 1, 0.01, 1.0), (0, 0.0, 1.5, -1, True, "0.1", [], {}, float("nan"))),
    "pairs": (({}, {"a": ""}, {"authorization": "${TOKEN}"}), (None, [], "a", 1, {"": "a"}, {"a": 1}, {1: "a"})),
    "endpoint": (
        ("http://loki:4317", "https://loki:443", "http://[::1]:80/otlp/v1/logs"),
        (
            *(
                "loki:4317",
                "https://loki",
                "https://loki:otlp",
                "http://",
                "ftp://loki:1",
                "http://a b:1",
                "http:///path",
            ),
            *("", 1, None, [], {}),
        ),
    ),
    "protocol": (("grpc", "http"), ("", "http/protobuf", 1, None, [], {})),
    "compression": (("gzip", "none"), ("", "zstd", 1, None, [], {})),
    "directory": (("/var/lib", "x", " "), ("", 1, None, [], {}, True)),
    "file": (("/etc/prices/prices.yaml", "x", " "), ("", 1, None, [], {}, True)),
    "level": (("debug", "info", "warning", "error"), ("", "INFO", "trace", 1, None, [], {}, True)),
}


def _keys(kind: Any = Settings, path: str = "") -> Iterator[tuple[str, str]]:
    """Each key of the receiver's configuration by its path, and the name of its reader."""
    for field in dataclasses.fields(kind):
        place = f"{path}.{field.name}" if path else field.name
        if "read" in field.metadata:
            yield place, field.metadata["read"].__name__.lstrip("_").removeprefix("read_")
        elif "each" in field.metadata:
            yield from _keys(field.metadata["each"], f"{place}.a-name")
        else:
            yield from _keys(field.default_factory, place)


def _document(path: str, value: Any) -> Any:
    """A document that has this value at a path, and beside it what a section cannot be without."""
    for key in reversed(path.split(".")):
        value = {key: value}
        if path.startswith("access_logs.forward.") and key in {each.name for each in dataclasses.fields(Forward)}:
            value = {"endpoint": "http://loki:4317"} | value
    return value


def _objects(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """The objects of a receiver by kind."""
    return {item["kind"]: item for item in build(receiver(spec))}


def _written(spec: Mapping[str, Any]) -> str:
    """The configuration file that a receiver's pods find."""
    assert () == receiver_config.errors(spec.get("configuration", {}), "spec.configuration")
    return str(_objects(spec)["ConfigMap"]["data"]["config.yaml"])


def _judge(document: Any) -> str:
    """What the receiver's own loader has against a configuration, "" if nothing."""
    try:
        configuration.read_settings(document, {})
    except SettingsError as error:
        return str(error)
    return ""


def test_schema_is_current() -> None:
    """A key of the receiver is new or gone, and the operator does not know."""
    program = _ROOT / "docs" / "generate" / "receiver_schema.py"
    checked = subprocess.run([sys.executable, program, "--check"], capture_output=True, text=True, check=False)
    assert (0, "") == (checked.returncode, checked.stderr)


def test_every_reader_has_values() -> None:
    """A kind of value is new, and nobody compares how the two read it."""
    assert {reader for _, reader in _keys()} <= set(_VALUES)
    assert set(_VALUES) == set(receiver_schema.SCHEMA["$defs"])


@pytest.mark.parametrize(("path", "reader"), [key for key in _keys() if not key[0].startswith(_OWNED)])
def test_values_of_a_key(path: str, reader: str) -> None:
    """The operator lets a value pass at which the receiver ends its start, or refuses one that would do."""
    good, bad = _VALUES[reader]
    for value in good:
        document = _document(path, value)
        assert ("", ()) == (_judge(document), receiver_config.errors(document, "spec.configuration"))
    for value in bad:
        document = _document(path, value)
        refusal = _judge(document)
        assert refusal.startswith(f"{path}: expected ")
        assert (f"spec.configuration.{refusal}",) == receiver_config.errors(document, "spec.configuration")


@pytest.mark.parametrize(("path", "reader"), [key for key in _keys() if key[0].startswith(_OWNED)])
def test_keys_of_the_operator(path: str, reader: str) -> None:
    """A user moves a listener away from its Service, or the data from its volume."""
    for value in _VALUES[reader][0]:
        (error,) = receiver_config.errors(_document(path, value), "spec.configuration")
        assert error.startswith(f"spec.configuration.{path.partition('.')[0]}: the operator owns it; ")


@pytest.mark.parametrize(
    "document",
    [
        {"limit": {}},
        {"limits": {"stream": 1}},
        {"limits": {"": 1}},
        {"limits": []},
        {"limits": "streams"},
        {"metrics": {"admit": {"a": 1}}},
        {"log": {"level": {}}},
        {"access_logs": {"forward": []}},
        {"access_logs": {"forward": {"Loki": {"endpoint": "http://loki:4317"}}}},
        {"access_logs": {"forward": {"loki-2": {"endpoint": "http://loki:4317"}}}},
        {"access_logs": {"forward": {"loki\n": {"endpoint": "http://loki:4317"}}}},
        {"access_logs": {"forward": {"loki": {"protocol": "grpc"}}}},
        {"access_logs": {"forward": {"loki": None}}},
        {"access_logs": {"forward": {"loki": {"endpoint": "http://loki:4317", "port": 1}}}},
        {"access_logs": {"forward": None}},
        {"access_logs": {"rules": {"sample": {"rate": 0.5, "per_minute": 5}}}},
        {"access_logs": {"rules": {"sample": {"rate": 0.5, "per_minute": None}}}},
        {"access_logs": {"rules": {"sample": {"rate": None, "per_minute": None}}}},
        {"limits": None},
        {"limits": {}},
        {},
    ],
)
def test_sections(document: Mapping[str, Any]) -> None:
    """An unknown key, or something that is no section, is refused by one of the two only, or in other words."""
    refusal = _judge(document)
    assert ((f"spec.configuration.{refusal}",) if refusal else ()) == receiver_config.errors(
        document, "spec.configuration"
    )


def test_what_is_written_by_default() -> None:
    """A receiver of which nothing is said listens elsewhere, or has other limits, than one that is run by hand."""
    assert Settings() == configuration.read_settings(yaml.safe_load(_written({})), {})


@pytest.mark.parametrize(("path", "reader"), [key for key in _keys() if not key[0].startswith(_OWNED)])
def test_what_is_written_for_a_key(path: str, reader: str) -> None:
    """A value of the user arrives at the receiver as another one, or not at all, or it moves another key."""
    for value in _VALUES[reader][0]:
        text = _written({"configuration": _document(path, value)})
        assert configuration.read_settings(_document(path, value), {}) == configuration.read_settings(
            yaml.safe_load(text), {}
        )


def test_further_ports() -> None:
    """A port that the Services have is one on which the receiver does not listen."""
    read = configuration.read_settings(yaml.safe_load(_written({"extraOtlpGrpcPorts": [11800, 14317]})), {})
    assert tuple(Address("0.0.0.0", port) for port in (4317, 11800, 14317)) == read.listen.otlp_grpc


def test_ports_and_probes() -> None:
    """The pod names ports, or probes paths, that the receiver does not serve."""
    spec = {"extraOtlpGrpcPorts": [11800]}
    listen = configuration.read_settings(yaml.safe_load(_written(spec)), {}).listen
    pod = _objects(spec)["StatefulSet"]["spec"]["template"]
    container = pod["spec"]["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    expected = {
        "otlp-grpc": listen.otlp_grpc[0].port,
        "otlp-11800": listen.otlp_grpc[1].port,
        "otlp-http": listen.otlp_http.port,
        "http": listen.http.port,
        "telemetry": listen.telemetry.port,
    }
    assert expected == ports
    probes = [container[name]["httpGet"] for name in ("startupProbe", "readinessProbe", "livenessProbe")]
    assert [("telemetry", "/readyz"), ("telemetry", "/readyz"), ("telemetry", "/livez")] == [
        (probe["port"], probe["path"]) for probe in probes
    ]
    assert str(listen.http.port) == pod["metadata"]["annotations"]["prometheus.io/port"]


@pytest.mark.parametrize("storage", [{}, {"size": "1Gi"}])
def test_command_line(storage: Mapping[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """The pods are started by words that the program does not know, or with files that are not mounted."""
    stateful_set = _objects({"storage": storage})["StatefulSet"]["spec"]
    container = stateful_set["template"]["spec"]["containers"][0]
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert ["aigw-receiver"] == container["command"]
    assert ["serve", "--config", "/etc/aigw-receiver/config.yaml", "--data-dir", "/var/lib/aigw-receiver"] == (
        container["args"]
    )
    assert {"/etc/aigw-receiver": "config", "/var/lib/aigw-receiver": "data"} == mounts
    volumes = [*stateful_set["template"]["spec"]["volumes"], *stateful_set.get("volumeClaimTemplates", [])]
    assert ["config", "data"] == [volume.get("name") or volume["metadata"]["name"] for volume in volumes]

    # It gets as far as the file, which is not there: the words before it were understood.
    missing = [argument.replace("/etc/", "/nowhere/") for argument in container["args"]]
    assert 2 == main.main(missing)
    expected = "aigw-receiver: /nowhere/aigw-receiver/config.yaml: No such file or directory\n"
    assert expected == capsys.readouterr().err


def test_variables_that_would_be_read() -> None:
    """The pods have variables of the receiver's prefix, of Services or our own, that win over the file."""
    pod = _objects({})["StatefulSet"]["spec"]["template"]["spec"]
    assert (False, False) == (pod["enableServiceLinks"], "env" in pod["containers"][0])
