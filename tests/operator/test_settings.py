"""Flags and environment become settings, or a message that says what is wrong."""

import pytest

from aigw_operator import settings
from aigw_operator.core.model import Installation
from aigw_operator.settings import Address, Settings, SettingsError


def test_defaults() -> None:
    """A default is another than the documented one."""
    expected = Settings(
        namespaces=(),
        gateway_controller="gateway.envoyproxy.io/gatewayclass-controller",
        cluster_domain="cluster.local",
        receiver_image="",
        resync=300.0,
        http=Address("0.0.0.0", 8081),
        receiver_address=None,
        kubeconfig="",
        context="",
        log_level="info",
    )
    assert expected == settings.load_settings({}, {})
    assert Installation() == expected.installation


def test_flags_win_over_the_environment() -> None:
    """The environment wins, a variable is not read, or another's variable is."""
    environment = {
        "AIGW_OPERATOR_CLUSTER_DOMAIN": "env.example",
        "AIGW_OPERATOR_RESYNC": "60",
        "AIGW_OPERATOR_NAMESPACES": "a, b,a",
        "AIGW_OPERATOR_RECEIVER_ADDRESS": "[::1]:8080",
        "AIGW_RECEIVER_HTTP": "nonsense",
    }
    loaded = settings.load_settings({"cluster_domain": "flag.example"}, environment)

    assert ("flag.example", 60.0, ("a", "b")) == (loaded.cluster_domain, loaded.resync, loaded.namespaces)
    assert "[::1]:8080" == str(loaded.receiver_address)
    assert Installation(cluster_domain="flag.example") == loaded.installation


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("namespaces", "a,B", "--namespaces: expected names of namespaces, separated by commas, got 'a,B'"),
        ("cluster_domain", "a_b", "--cluster-domain: expected a DNS domain such as cluster.local, got 'a_b'"),
        ("resync", "0.5", "--resync: expected seconds, from 1 to 86400, got '0.5'"),
        ("resync", "5m", "--resync: expected seconds, from 1 to 86400, got '5m'"),
        ("http", "8081", "--http: expected HOST:PORT, got '8081'"),
        ("receiver_address", "host:70000", "--receiver-address: expected HOST:PORT, got 'host:70000'"),
        ("log_level", "loud", "--log-level: expected debug, info, warning or error, got 'loud'"),
    ],
)
def test_what_cannot_be_used(name: str, value: str, expected: str) -> None:
    """A setting that cannot be used is taken, or its message does not name it."""
    with pytest.raises(SettingsError) as caught:
        settings.load_settings({name: value}, {})
    assert expected == str(caught.value)

    with pytest.raises(SettingsError) as caught:
        settings.load_settings({}, {f"AIGW_OPERATOR_{name.upper()}": value})
    assert expected.replace(settings.flag(name), f"AIGW_OPERATOR_{name.upper()}") == str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"), [(":80", Address("0.0.0.0", 80)), ("*:80", Address("0.0.0.0", 80)), ("h:0", Address("h", 0))]
)
def test_addresses(text: str, expected: Address) -> None:
    """A short form of an address is another than documented."""
    assert expected == settings.load_settings({"http": text}, {}).http
