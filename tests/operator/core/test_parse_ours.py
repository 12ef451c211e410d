"""TelemetryPolicy and TelemetryReceiver: every field arrives, and nothing that is odd raises (faults: test_crds)."""

import copy
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

import refused_specs
from aigw_operator.core import parse, parse_ours
from aigw_operator.core.model import NamespacedName, Policy, Receiver, Selector

_META: Final = {"name": "p", "namespace": "ns", "generation": 4}


def _policy(**spec: Any) -> dict[str, Any]:
    return {"kind": "TelemetryPolicy", "metadata": _META, "spec": spec}


def _receiver(**spec: Any) -> dict[str, Any]:
    return {"kind": "TelemetryReceiver", "metadata": _META, "spec": spec}


def test_policy_in_full() -> None:
    """A field of a policy is read into another, or not at all."""
    raw = _policy(
        targetRefs=[{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "a"}, {"name": "b"}],
        targetSelectors=[
            {
                "matchLabels": {"y": "2", "x": "1"},
                "matchExpressions": [
                    {"key": "k", "operator": "In", "values": ["v", "w"]},
                    {"key": "l", "operator": "Exists"},
                ],
            },
            {},
        ],
        endpoint={"url": "http://[2001:db8::1]:4318", "protocol": "http/protobuf"},
        mode="Preview",
        naming="SkyWalking",
        metrics={"interval": "1m30s", "temporality": "delta"},
        accessLogs={"enabled": False},
        traces={"enabled": True},
        resourceAttributes={"z": "", "a": "ü = , %"},
    )
    expected = Policy(
        meta=parse.meta(raw),
        raw=raw,
        target_names=("a", "b"),
        target_selectors=(
            Selector((("x", "1"), ("y", "2")), (("k", "In", ("v", "w")), ("l", "Exists", ()))),
            Selector(),
        ),
        endpoint="http://[2001:db8::1]:4318",
        protocol="http/protobuf",
        interval_ms=90_000,
        temporality="delta",
        naming="SkyWalking",
        access_logs=False,
        traces=True,
        attributes=(("a", "ü = , %"), ("z", "")),
        preview=True,
    )
    assert expected == parse_ours.parse_policy(raw)


@pytest.mark.parametrize(
    ("reference", "receiver"),
    [
        ({"name": "r"}, NamespacedName("ns", "r")),
        ({"name": "r", "namespace": None}, NamespacedName("ns", "r")),
        ({"name": "r", "namespace": "other"}, NamespacedName("other", "r")),
    ],
)
def test_policy_with_little(reference: Any, receiver: NamespacedName) -> None:
    """A policy of four lines gets other defaults, or looks for its receiver in another namespace."""
    raw = _policy(targetSelectors=[{}], receiverRef=reference)
    expected = Policy(parse.meta(raw), raw, target_selectors=(Selector(),), receiver=receiver)
    assert expected == parse_ours.parse_policy(raw)


@pytest.mark.parametrize(
    "url",
    [
        "http://oap.skywalking:11800",
        "http://a:1",
        "http://10.0.0.1:65535",
        "http://[::1]:4317",
        f"http://{'a' * 253}:1",
    ],
)
def test_endpoints(url: str) -> None:
    """An address that can be used is refused."""
    raw = _policy(targetRefs=[{"name": "a"}], endpoint={"url": url})
    policy = parse_ours.parse_policy(raw)
    assert ((), url, None, "grpc") == (policy.errors, policy.endpoint, policy.receiver, policy.protocol)


@pytest.mark.parametrize(("text", "interval_ms"), [("1s", 1000), ("1h", 3_600_000), ("60m", 3_600_000)])
def test_longest_and_shortest_interval(text: str, interval_ms: int) -> None:
    """The bounds themselves are refused."""
    policy = parse_ours.parse_policy(_policy(**refused_specs.POLICY, metrics={"interval": text}))
    assert ((), interval_ms) == (policy.errors, policy.interval_ms)


def test_all_faults_at_once() -> None:
    """A user mends one fault only to be told of the next."""
    raw = _policy(mode="a", naming="b", metrics={"interval": "c"}, color="d")
    assert [
        "spec.color",
        "spec",
        "spec",
        "spec.metrics.interval",
        "spec.naming",
        "spec.mode",
    ] == [error.partition(":")[0] for error in parse_ours.parse_policy(raw).errors]


def test_receiver_in_full() -> None:
    """A field that decides who may use a receiver, or which shard a Gateway gets, is lost."""
    raw = _receiver(
        shards=3,
        allowedNamespaces={"from": "Selector", "selector": {"matchLabels": {"a": "b"}}},
        configuration={"limits": {"streams": 5}},
    )
    selector = Selector((("a", "b"),))
    expected = Receiver(parse.meta(raw), raw, shards=3, allowed_from="Selector", allowed_selector=selector)
    assert expected == parse_ours.parse_receiver(raw)


@pytest.mark.parametrize("spec", [{}, {"spec": {}}, {"spec": None}])
def test_receiver_with_nothing(spec: Any) -> None:
    """A receiver without a spec, which has a good default for everything, is refused."""
    raw = {"metadata": _META, **spec}
    assert Receiver(parse.meta(raw), raw) == parse_ours.parse_receiver(raw)


def test_configuration_is_read_as_the_receiver_does() -> None:
    """A configuration that the receiver refuses at its start is rolled out to all shards."""
    errors = parse_ours.parse_receiver(_receiver(configuration={"limits": {"streams": 0}, "colour": 1})).errors
    assert ["spec.configuration.limits.streams", "spec.configuration.colour"] == [
        error.partition(":")[0] for error in errors
    ]


_GOOD: Final = (
    _policy(**refused_specs.POLICY),
    *(refused_specs.build(case) for case in refused_specs.CASES),
)
_ODD: Final[st.SearchStrategy[Any]] = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3) | st.just([])
)


@given(raw=st.sampled_from(_GOOD), odd=_ODD, data=st.data())
def test_odd_input(raw: Any, odd: Any, data: st.DataObject) -> None:
    """An object that no API server would give raises."""
    raw = copy.deepcopy(raw)
    node = raw
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        if data.draw(st.booleans()) or not isinstance(node[key], (dict, list)):
            node[key] = odd
            break
        node = node[key]
    for parser in (parse_ours.parse_policy, parse_ours.parse_receiver):
        assert all(isinstance(error, str) for error in parser(raw).errors)
