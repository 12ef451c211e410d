"""The access-log settings and their tables of fields."""

import json
import os
from pathlib import Path
from typing import Final

import pytest

from aigw_operator.core import access_log
from aigw_operator.core.model import Capabilities, Raw

_GOLDEN: Final = Path(__file__).parent / "golden" / "access_log_settings.json"
# Set to anything, the golden file is written instead of compared.
_REGENERATE: Final = "REGENERATE_GOLDEN"
BACKEND = "aigw-telemetry-0123456789"
ATTRIBUTES = (("service.name", "chat"), ("aigw.gateway.name", "chat"), ("aigw.gateway.namespace", "prod"))


def build(*, resource_attributes: bool = True) -> tuple[Raw, Raw]:
    """The settings for one Gateway."""
    return access_log.build_settings(
        BACKEND,
        4317,
        capabilities=Capabilities(resource_attributes=resource_attributes),
        service_attributes=ATTRIBUTES,
    )


def test_settings() -> None:
    """Else a change of what every Envoy logs goes unnoticed."""
    text = json.dumps(build(), indent=2) + "\n"
    if os.environ.get(_REGENERATE):
        _GOLDEN.write_text(text)

    assert _GOLDEN.read_text() == text


def test_settings_before_envoy_gateway_1_7() -> None:
    """Else the API server drops the attributes, or refuses the object."""
    expected = {"aigw.gateway.name": "chat", "aigw.gateway.namespace": "prod", "service.name": "chat"}
    for setting in build(resource_attributes=False):
        sink = setting["sinks"][0]["openTelemetry"]

        assert expected == sink["resources"]
        assert "resourceAttributes" not in sink


def test_no_attributes() -> None:
    """Else an empty map is written, which the API server drops: a difference that never ends."""
    settings = access_log.build_settings(BACKEND, 4317, capabilities=Capabilities(), service_attributes=())

    assert all(list(setting["sinks"][0]["openTelemetry"]) == ["backendRefs"] for setting in settings)


FORBIDDEN = ["REQ(:PATH", "X-ENVOY-ORIGINAL-PATH", "(WQ", "AUTHORIZATION", "COOKIE", "API-KEY", "REFERER", "REFERRER"]


@pytest.mark.parametrize("word", FORBIDDEN)
def test_no_credentials(word: str) -> None:
    """Else a query string or a credential header leaves the gateway with every record."""
    formats = [
        *access_log.LLM_FIELDS.values(),
        *access_log.MCP_FIELDS.values(),
        *access_log.COMMON_FIELDS.values(),
    ]

    assert not [text for text in formats if word in text.upper()]


def test_no_name_twice() -> None:
    """Else a field of one kind of route silently takes the place of a common one."""
    assert not access_log.COMMON_FIELDS.keys() & (access_log.LLM_FIELDS.keys() | access_log.MCP_FIELDS.keys())


@pytest.mark.parametrize(
    ("setting", "ours"),
    [
        (access_log.STDOUT, False),
        ({"sinks": [{"type": "OpenTelemetry", "openTelemetry": {"host": "aigw-telemetry-0123456789"}}]}, False),
        ({"sinks": [{"openTelemetry": {"backendRefs": [{"kind": "Service", "name": BACKEND}]}}]}, False),
        ({"sinks": [{"openTelemetry": {"backendRefs": [{"kind": "Backend", "name": "collector"}]}}]}, False),
        ({"sinks": [{"als": {"backendRefs": [{"kind": "Backend", "name": BACKEND}]}}]}, False),
        ({"sinks": [{"openTelemetry": {"backendRefs": [{"kind": "Backend", "name": BACKEND}]}}]}, True),
        (build()[0], True),
        (build()[1], True),
        ({}, False),
    ],
)
def test_what_is_ours(setting: Raw, ours: bool) -> None:
    """Else undo takes a setting of the user away, or leaves one of ours that refers to a Backend that is gone."""
    assert ours == access_log.is_ours(setting)
