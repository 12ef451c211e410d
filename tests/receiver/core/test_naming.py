"""OTLP names become the gateway's own Prometheus names where there are such, and the specification's elsewhere."""

import pytest

from aigw_receiver.core import naming
from aigw_receiver.core.model import AttributeValue, FamilyType, Identity
from aigw_receiver.core.naming import FamilyName

_HISTOGRAM, _COUNTER, _GAUGE = FamilyType.HISTOGRAM, FamilyType.COUNTER, FamilyType.GAUGE


@pytest.mark.parametrize(
    ("name", "unit", "family_type", "expected", "expected_unit"),
    [
        ("gen_ai.client.token.usage", "token", _HISTOGRAM, "gen_ai_client_token_usage", ""),
        ("gen_ai.server.request.duration", "s", _HISTOGRAM, "gen_ai_server_request_duration_seconds", "seconds"),
        ("gen_ai.server.time_to_first_token", "s", _HISTOGRAM, "gen_ai_server_time_to_first_token_seconds", "seconds"),
        (
            "gen_ai.server.time_per_output_token",
            "s",
            _HISTOGRAM,
            "gen_ai_server_time_per_output_token_seconds",
            "seconds",
        ),
        ("mcp.request.duration", "", _HISTOGRAM, "mcp_request_duration_seconds", "seconds"),
        ("mcp.request.duration", "s", _HISTOGRAM, "mcp_request_duration_seconds", "seconds"),
        ("mcp.initialization.duration", "token", _HISTOGRAM, "mcp_initialization_duration_seconds", "seconds"),
        ("mcp.method.count", "", _COUNTER, "mcp_method_count", ""),
        ("mcp.capabilities.negotiated", "", _COUNTER, "mcp_capabilities_negotiated", ""),
        ("mcp.progress.notifications", "", _COUNTER, "mcp_progress_notifications", ""),
    ],
)
def test_names_of_the_gateway(name: str, unit: str, family_type: FamilyType, expected: str, expected_unit: str) -> None:
    """A dashboard made for the gateway's own `/metrics` finds a metric no longer."""
    family = naming.family_name(name, unit, "whatever the sender says", family_type)
    assert (expected, family_type, expected_unit) == (family.name, family.type, family.unit)
    assert family.help not in ("", "whatever the sender says")


@pytest.mark.parametrize(
    ("name", "unit", "family_type", "expected", "expected_unit"),
    [
        ("gen_ai.client.operation.duration", "s", _HISTOGRAM, "gen_ai_client_operation_duration_seconds", "seconds"),
        ("http.server.duration", "ms", _HISTOGRAM, "http_server_duration_milliseconds", "milliseconds"),
        ("x.duration_seconds", "s", _HISTOGRAM, "x_duration_seconds", "seconds"),
        ("x.size", "By", _GAUGE, "x_size_bytes", "bytes"),
        ("x.rate", "By/s", _GAUGE, "x_rate_bytes_per_second", "bytes_per_second"),
        ("x.rate_bytes_per_second", "By/s", _GAUGE, "x_rate_bytes_per_second", "bytes_per_second"),
        ("x.rate", "{packet}/s", _GAUGE, "x_rate_per_second", "per_second"),
        ("x.speed", "m/h", _GAUGE, "x_speed_meters_per_hour", "meters_per_hour"),
        ("x.requests", "{request}", _COUNTER, "x_requests", ""),
        ("x.requests", "1", _COUNTER, "x_requests", ""),
        ("x.requests_total", "", _COUNTER, "x_requests", ""),
        ("x.requests.total", "1", _COUNTER, "x_requests", ""),
        ("x.share", "1", _GAUGE, "x_share_ratio", "ratio"),
        ("x.share_ratio", "1", _GAUGE, "x_share_ratio", "ratio"),
        ("x.share", "%", _GAUGE, "x_share_percent", "percent"),
        ("x.thing", "furlong", _GAUGE, "x_thing_furlong", "furlong"),
        ("x-y z", "", _GAUGE, "x_y_z", ""),
        ("x..y", "", _GAUGE, "x_y", ""),
        ("x:y", "", _GAUGE, "x:y", ""),
        ("1st.thing", "", _GAUGE, "_1st_thing", ""),
        ("größe", "", _GAUGE, "gr_e", ""),
        ("...", "", _GAUGE, "_", ""),
        ("", "", _GAUGE, "_", ""),
        # A name of the gateway with another type is not the gateway's.
        ("mcp.method.count", "", _GAUGE, "mcp_method_count", ""),
        ("gen_ai.client.token.usage", "{token}", _COUNTER, "gen_ai_client_token_usage", ""),
    ],
)
def test_other_names(name: str, unit: str, family_type: FamilyType, expected: str, expected_unit: str) -> None:
    """A metric that is not in the catalog is not named as the specification's compatibility page says."""
    assert FamilyName(expected, family_type, expected_unit, "Text") == naming.family_name(
        name, unit, "Text", family_type
    )


def test_help_without_description() -> None:
    """A metric without a description has an empty help text."""
    assert "x.y" == naming.family_name("x.y", "", "", _GAUGE).help


@pytest.mark.parametrize(
    ("name", "extra", "admitted"),
    [
        ("gen_ai.client.token.usage", (), True),
        ("mcp.method.count", (), True),
        ("gen_ai", (), False),
        ("gen_aix.y", (), False),
        ("http.server.duration", (), False),
        ("http.server.duration", ("http.server.duration",), True),
        ("http.server.duration.x", ("http.server.duration",), False),
        ("http.server.duration", ("http.server.*",), True),
        ("http.server", ("http.server.*",), False),
        ("anything", ("*",), True),
        ("", (), False),
    ],
)
def test_admitted_metrics(name: str, extra: tuple[str, ...], *, admitted: bool) -> None:
    """A metric is taken though nobody asked for it, or refused though somebody did."""
    assert admitted == naming.is_admitted(name, extra)


@pytest.mark.parametrize(
    ("key", "label"),
    [
        ("gen_ai.request.model", "gen_ai_request_model"),
        ("a-b c", "a_b_c"),
        ("A.9", "A_9"),
        ("9a", "key_9a"),
        ("", "key_"),
        ("ä", "_"),
        ("le", "exported_le"),
        ("quantile", "exported_quantile"),
        ("gateway_pod", "exported_gateway_pod"),
        ("gateway.pod", "exported_gateway_pod"),
        ("gateway_namespace", "exported_gateway_namespace"),
        ("gateway_name", "exported_gateway_name"),
        ("__name__", "exported___name__"),
        ("..x", "exported___x"),
        ("_x", "_x"),
    ],
)
def test_label_names(key: str, label: str) -> None:
    """An attribute becomes a label that Prometheus refuses, or that hides one of ours."""
    assert label == naming.label_name(key)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("text", "text"),
        ("", ""),
        (None, ""),
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (-(2**63), "-9223372036854775808"),
        (0.5, "0.5"),
        (b"\x00\xff", "AP8="),
        (["a", 1, True, None, b"\x01"], '["a",1,true,null,"AQ=="]'),
        ({"b": [1.5], "a": {"ü": "x"}}, '{"a":{"ü":"x"},"b":[1.5]}'),
        ([], "[]"),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
    ],
)
def test_label_values(value: AttributeValue, text: str) -> None:
    """An attribute's value is not written as OpenTelemetry's rule for text protocols says."""
    assert text == naming.label_value(value)


def test_attributes_that_share_a_label() -> None:
    """Of two attributes that fall onto one label one is lost, or their order depends on the sender."""
    assert {"a_b": "1;2;3"} == naming.labels_of([("a_b", "3"), ("a-b", "1"), ("a.b", 2)])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("a", "a"),
        ("ü🦜", "ü🦜"),
        ("a\0b", "a\ufffdb"),
        ("a\udcffc", "a\ufffdc"),
        ("\udce4\udcbcx", "\ufffdx"),
    ],
    ids=ascii,
)
def test_clean(text: str, shown: str) -> None:
    """A byte that is no UTF-8, or NUL, gets into an exposition, which then cannot be read."""
    assert shown == naming.clean(text) == naming.label_value(text)


def test_identity_labels() -> None:
    """The three labels that every series carries are missing or exchanged."""
    expected = {"gateway_namespace": "ns", "gateway_name": "gw", "gateway_pod": "pod"}
    assert expected == naming.identity_labels(Identity("ns", "gw", "pod"))


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ({}, ""),
        ({"b": "2", "a": "1"}, 'a="1",b="2"'),
        ({"z": "1", "a": "2"}, 'a="2"\0z="1"'),
        ({"a": '\\ " \n'}, 'a="\\\\ \\" \\n"'),
        ({"ld": "1", "lf": "2", "l": "3"}, 'l="3",ld="1"\0lf="2"'),
        ({"Z": "1", "_": "2"}, 'Z="1",_="2"'),
    ],
)
def test_render_labels(labels: dict[str, str], text: str) -> None:
    """Labels are not sorted, not escaped, or on the wrong side of `le`."""
    assert text == naming.render_labels(labels)
