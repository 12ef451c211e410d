"""What AI Gateway and a kubelet make of an environment, rule by rule."""

from typing import Any, Final

import pytest

from aigw_operator.core import expansion, resource_attributes
from aigw_operator.core.model import Raw

_POD: Final = expansion.of_pod("POD_NAME", "metadata.name")
_USE: Final = {"name": "OTEL_RESOURCE_ATTRIBUTES", "value": "k8s.pod.name=$(POD_NAME)"}
_CONFIG: Final = (_POD, _USE, {"name": "OTEL_METRICS_EXPORTER", "value": "otlp"})


def _literal(name: str, value: str) -> Raw:
    return {"name": name, "value": value}


# The rules of Kubernetes' expansion; each was compared with what its own code answers.
@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("plain", "plain"),
        ("$(A)", "a"),
        ("$(A)$(A)-$(B)", "aa-$(A)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$a"),
        ("$$$$(A)", "$$(A)"),
        ("$(NONE)", "$(NONE)"),
        ("$(A", "$(A"),
        ("$(A $(A)", "$(A $(A)"),
        ("$()", "$()"),
        ("$A ${A}", "$A ${A}"),
        ("$$", "$"),
        ("a$", "a$"),
        ("$é$(A)", "$éa"),
        ("$(A\n)", "$(A\n)"),
    ],
)
def test_expansion_of_a_text(text: str, expanded: str) -> None:
    """A preview would show another value than the pod gets, or a sound value would be taken for a broken one."""
    entries = [_literal("A", "a"), _literal("B", "$$(A)"), _literal("TEXT", text)]
    assert expanded == expansion.expand(entries, {})["TEXT"]


def test_references_resolve_from_earlier_entries_only() -> None:
    """An order that exports the text $(POD_NAME) would pass for a good one."""
    assert {"X": "$(A)", "A": "a"} == expansion.expand([_literal("X", "$(A)"), _literal("A", "a")], {})


@pytest.mark.parametrize(
    ("source", "expanded"),
    [
        ({"fieldRef": {"fieldPath": "metadata.name"}}, "pod-1"),
        ({"fieldRef": {"fieldPath": "metadata.labels['none']"}}, ""),
        ({"fieldRef": {"fieldPath": "status.podIP"}}, "<fieldRef status.podIP>"),
        ({"secretKeyRef": {"name": "s", "key": "k", "optional": True}}, "<secretKeyRef s/k>"),
        ({"configMapKeyRef": {"name": "c", "key": "k"}}, "<configMapKeyRef c/k>"),
        ({"resourceFieldRef": {"resource": "limits.cpu", "divisor": "0"}}, "<resourceFieldRef limits.cpu>"),
        ({"fileKeyRef": {"volumeName": "v", "path": "p", "key": "k"}}, "<fileKeyRef v/p/k>"),
    ],
)
def test_values_from_elsewhere(source: Raw, expanded: str) -> None:
    """A value that only the cluster knows would be shown as if it were known, or stop the preview."""
    entries = [{"name": "X", "valueFrom": source}, _literal("Y", "$(X)!")]
    assert {"X": expanded, "Y": f"{expanded}!"} == expansion.expand(entries, {"metadata.name": "pod-1"})


@pytest.mark.parametrize(
    ("flags", "config", "merged"),
    [
        ([], [("A", "1"), ("B", "2")], [("A", "1"), ("B", "2")]),
        ([("A", "0")], [("B", "2"), ("A", "1")], [("A", "1"), ("B", "2")]),
        ([], [("A", "1"), ("B", "2"), ("A", "3")], [("A", "3"), ("B", "2")]),
        ([("A", "1"), ("A", "2")], [("A", "3")], [("A", "1"), ("A", "3")]),
    ],
)
def test_merge_of_the_gateway(flags: list[Any], config: list[Any], merged: list[Any]) -> None:
    """Our view of a pod's list would not be the one that AI Gateway writes."""
    entries = expansion.gateway_env([_literal(*each) for each in flags], [_literal(*each) for each in config])
    assert tuple(_literal(*each) for each in merged) == entries


def test_hash_is_of_the_meaning() -> None:
    """Pods would be restarted for a difference that is none, or not for one that is."""
    defaulted = {"name": "POD_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}
    alike = [
        expansion.env_hash([_POD]),
        expansion.env_hash([defaulted]),
        expansion.env_hash([_literal("POD_NAME", ""), _POD]),
    ]
    assert ["74495d7177f66ebf"] * 3 == alike
    others: list[list[Raw]] = [[], [_USE], [_POD, _USE], [_USE, _POD], [_literal("A", "a")], [_literal("A", "b")]]
    assert len(others) == len({expansion.env_hash(each) for each in others} - set(alike))


_DEFAULTED: Final = {"name": "POD_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}
_EARLIER: Final = {"name": "OTEL_RESOURCE_ATTRIBUTES", "value": "team=a"}


@pytest.mark.parametrize(
    ("pod", "reason", "names"),
    [
        (_CONFIG, None, ()),
        ((_DEFAULTED, *_CONFIG[1:]), None, ()),
        ((_literal("LOG", "debug"), *_CONFIG, _literal("INJECTED", "x")), None, ()),
        ((*_CONFIG, expansion.of_pod("K8S_POD", "metadata.name")), None, ()),
        ((_CONFIG[2], *_CONFIG[:2]), None, ()),
        ((), "EnvMissing", ("POD_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_METRICS_EXPORTER")),
        (_CONFIG[:2], "EnvMissing", ("OTEL_METRICS_EXPORTER",)),
        ((_POD, _EARLIER, _CONFIG[2]), "EnvOutdated", ("OTEL_RESOURCE_ATTRIBUTES",)),
        ((_literal("POD_NAME", "x"), *_CONFIG[1:]), "EnvOutdated", ("POD_NAME",)),
        ((expansion.of_pod("AIGW_POD_NAME", "metadata.name"), *_CONFIG), "EnvOutdated", ("AIGW_POD_NAME",)),
        ((_USE, _POD, _CONFIG[2]), "GlobalEnvOrder", ("OTEL_RESOURCE_ATTRIBUTES", "POD_NAME", "extProc.extraEnvVars")),
    ],
)
def test_what_a_pod_carries(pod: tuple[Raw, ...], reason: str | None, names: tuple[str, ...]) -> None:
    """Injected would be True for pods that export nothing, or False for good ones that somebody else adds to."""
    note = expansion.check_pod(pod, _CONFIG)
    assert reason == (note and note.reason)
    assert note is None or all(name in note.message for name in names)


def test_a_message_stays_short() -> None:
    """A condition would list dozens of variables."""
    note = expansion.check_pod((), [_literal(name, "x") for name in "ABCDE"])
    assert note is not None
    assert "the pod lacks A, B, C and 2 more; it was made before, and has to be restarted" == note.message


def test_references_of_the_user_that_never_resolved_are_no_fault() -> None:
    """A text of the user that looks like a reference would keep Injected from ever being True."""
    config = [_literal("HINT", "$(NONE)"), *_CONFIG]
    assert expansion.check_pod(config, config) is None


# How opentelemetry-go reads the attributes; each was compared with what its own code answers.
@pytest.mark.parametrize(
    ("text", "attributes", "malformed"),
    [
        ("", {}, []),
        ("  ", {}, []),
        ("a=b", {"a": "b"}, []),
        (" a = b , c=d ", {"a": "b", "c": "d"}, []),
        ("a=b=c", {"a": "b=c"}, []),
        ("a=", {"a": ""}, []),
        ("a=1,a=2", {"a": "2"}, []),
        ("a=%2C%20+", {"a": ", +"}, []),
        (" a= 100% , b= %zz%20 ", {"a": " 100% ", "b": " %zz%20"}, []),
        ("a%20b=c", {"a%20b": "c"}, []),
        ("a=b,", {"a": "b"}, [""]),
        ("a,b=c", {"b": "c"}, ["a"]),
        (",", {}, ["", ""]),
    ],
)
def test_attributes_as_the_sdk_reads_them(text: str, attributes: dict[str, str], malformed: list[str]) -> None:
    """A text that stops the data plane would be taken for a good one, or a good one refused."""
    assert (attributes, malformed) == resource_attributes.parse(text)


@pytest.mark.parametrize("value", ["", "plain", "a,b=c d%", "$(POD_NAME)", "Köln €", '"; \\', "%41", "+", "\n"])
def test_encoding_comes_back(value: str) -> None:
    """A policy's attribute would arrive as another value."""
    encoded = resource_attributes.encode(value)
    assert ({"key": value}, []) == resource_attributes.parse(expansion.substitute(f"key={encoded}", {"POD_NAME": "x"}))


@pytest.mark.parametrize("key", ["a b", "a,b", "a=b", "a%b", "$(A)", ""])
def test_keys_that_cannot_be_written(key: str) -> None:
    """A key of a policy would break the text of all attributes, and with it the data plane."""
    extension = resource_attributes.extend([{"name": resource_attributes.NAME}], {key: "x"}, {})
    assert extension.error is not None
    assert "InvalidAttribute" == extension.error.reason
