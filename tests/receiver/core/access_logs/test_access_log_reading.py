"""Attributes of a record to the request that it tells of, as tables; and that nothing a sender writes can fail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigw_receiver.core.access_logs import reading
from aigw_receiver.core.access_logs.model import AccessLog, Ending, RouteType, Tokens
from aigw_receiver.core.access_logs.reasons import LogDropReason
from aigw_receiver.core.model import Identity

_PATH = "default/openai/route/aigw-run/rule/0/ref/0"
_NAMES = sorted(
    {
        *("ai_route_type", "response_code", "response_flags", "duration", "gen_ai.request.model", "mcp.method.name"),
        *("gen_ai.usage.input_tokens", "gen_ai.provider.name", "backend_name", "request.path", "k8s.pod.name"),
        *("upstream_host", "authorization", "mcp.session.id", "start_time"),
    }
)
_VALUES = st.text(max_size=20) | st.sampled_from(
    ["-", "", "<nil>", "200", "1e+05", "llm", "mcp", _PATH, "/a?b", "DC,UT"]
)


def _read(**attributes: str) -> AccessLog:
    names = {name.replace("__", "."): value for name, value in attributes.items()}
    log = reading.read({"ai_route_type": "llm", **names}, "", 1, {})
    assert isinstance(log, AccessLog)
    return log


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("31", 31.0),
        ("0", 0.0),
        ("0.25", 0.25),
        ("1e+05", 100_000.0),
        ("1.05e+06", 1_050_000.0),
        ("1E-3", 0.001),
        *(
            (text, None)
            for text in ("", "-", "<nil>", "-1", "+1", " 1", "1_000", "nan", "inf", "1e999", "0x10", "٣", "1" * 41)
        ),
    ],
)
def test_numbers(text: str, expected: float | None) -> None:
    """A number as Envoy prints it is lost, or something that is none is taken for one."""
    assert expected == reading.number(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("2006", 2006), ("1e+05", 100_000), ("1.234567e+06", 1_234_567), ("16777217", 16_777_217)),
        *(("0.5", None), ("9007199254740992", None), ("1e+20", None), ("٣", None), ("9007199254740991", (1 << 53) - 1)),
    ],
)
def test_counts(text: str, expected: int | None) -> None:
    """A count of tokens is not the one that the gateway noted, or one that a float64 does not hold is taken."""
    assert expected == reading.count(text)


@given(st.integers(min_value=0, max_value=(1 << 53) - 1))
def test_every_count_survives_both_ways_of_printing(value: int) -> None:
    """A count that was printed as digits, or in scientific form with all its digits, comes back as another."""
    assert value == reading.count(str(value)) == reading.count(f"{value:.16e}")


@given(st.text(max_size=50))
def test_numbers_never_raise(text: str) -> None:
    """A text that somebody put where a number belongs costs the record."""
    number, count = reading.number(text), reading.count(text)
    assert number is None or number >= 0
    assert count is None or float(count) == number


@given(
    st.dictionaries(st.sampled_from(_NAMES) | st.text(max_size=8), _VALUES),
    st.text(max_size=50),
    st.dictionaries(st.sampled_from(["cluster_name", "node_name", "service.name", "aigw.service"]), _VALUES),
)
def test_reading_never_raises(attributes: dict[str, str], body: str, resource: dict[str, str]) -> None:
    """Attributes of any kind make the reading fail, which would cost a whole batch."""
    log = reading.read(attributes, body, 0, resource)
    assert isinstance(log, AccessLog | LogDropReason)
    if isinstance(log, AccessLog):
        assert not reading.MISSING & set(dict(log.rest).values())


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"ai_route_type": "llm"}, RouteType.LLM),
        ({"ai_route_type": "MCP", "gen_ai.request.model": "m"}, RouteType.MCP),
        ({"ai_route_type": "other", "mcp.method.name": "ping"}, RouteType.MCP),
        ({"gen_ai.request.model": "m", "response_code": "200"}, RouteType.LLM),
        ({"gen_ai.request.model": "m", "mcp.method.name": "-"}, RouteType.LLM),
        ({"gen_ai.request.model": "-", "mcp.method.name": "-"}, RouteType.MCP),
        ({"gen_ai.request.model": "-"}, RouteType.LLM),
        ({"response_code": "200", "ai_route_type": "-"}, LogDropReason.NOT_OF_AI_GATEWAY),
        ({"message": "started"}, LogDropReason.NOT_AN_ACCESS_LOG),
        ({}, LogDropReason.NOT_AN_ACCESS_LOG),
    ],
)
def test_route_type(attributes: dict[str, str], expected: RouteType | LogDropReason) -> None:
    """A record is taken for another kind of request, or the log of some program for an access log."""
    assert expected == reading.route_type_of(attributes)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"gen_ai.provider.name": _PATH}, ("", "default/openai", "aigw-run")),
        ({"gen_ai.provider.name": "openai"}, ("openai", "", "")),
        ({"gen_ai.provider.name": "openai", "backend_name": _PATH}, ("openai", "default/openai", "aigw-run")),
        ({"backend_name": _PATH, "ai_service_backend_name": "ns/other"}, ("", "ns/other", "aigw-run")),
        ({"backend_name": _PATH, "route_name": "named"}, ("", "default/openai", "named")),
        ({"backend_name": "plain"}, ("", "plain", "")),
        ({"gen_ai.system": "anthropic"}, ("anthropic", "", "")),
        ({}, ("", "", "")),
    ],
)
def test_provider_backend_and_route(attributes: dict[str, str], expected: tuple[str, str, str]) -> None:
    """The backend is shown as the provider, or two backends of one provider cannot be told apart."""
    log = reading.read({"ai_route_type": "llm", **attributes}, "", 1, {})
    assert isinstance(log, AccessLog)
    assert expected == (log.provider, log.backend, log.route)


_OURS = {"aigw.gateway.namespace": "team", "aigw.gateway.name": "gw", "aigw.service": "gw"}
_ENVOY = {"cluster_name": "default/main", "node_name": "node-1"}


@pytest.mark.parametrize(
    ("resource", "pod", "expected"),
    [
        ({**_OURS, **_ENVOY}, "pod-1", Identity("team", "gw", "pod-1")),
        (_ENVOY, "-", Identity("default", "main", "node-1")),
        ({**_ENVOY, "service.name": "envoy-ai-gateway"}, "", Identity("default", "main", "node-1")),
        ({**_ENVOY, "aigw.service": "s", "service.instance.id": "i"}, "-", Identity("", "s", "i")),
        ({**_ENVOY, "service.instance.id": "i"}, "pod-1", Identity("default", "main", "pod-1")),
        ({**_ENVOY, "service.instance.id": "%ENVIRONMENT(POD)%"}, "", Identity("default", "main", "node-1")),
        ({"cluster_name": "merged-class", "service.name": "s"}, "$(POD)", Identity("", "s", "")),
        ({}, "", Identity("", "unknown", "")),
    ],
)
def test_identity(resource: dict[str, str], pod: str, expected: Identity) -> None:
    """A record is counted for another gateway or pod than the metrics of the same one are."""
    assert expected == reading.identify(resource, pod)


def test_missing_values() -> None:
    """What Envoy writes for nothing is shown as a value."""
    log = _read(method="-", duration="<nil>", gen_ai__request__model="", response_code="0", x_other="-")
    assert ("", None, "", None, ()) == (log.method, log.duration, log.requested_model, log.status, log.rest)


def test_tokens_of_all_formats() -> None:
    """Cached, creation or reasoning tokens of one of the formats are not found, so that cost is wrong."""
    ours = {
        "gen_ai.usage.input_tokens": "2006",
        "gen_ai.usage.cache_read.input_tokens": "1920",
        "gen_ai.usage.cache_creation.input_tokens": "10",
        "gen_ai.usage.output_tokens": "300",
        "gen_ai.usage.reasoning_tokens": "128",
    }
    plain = {
        "llm_input_token": "2006",
        "llm_cached_input_token": "1920",
        "llm_cache_creation_input_token": "10",
        "llm_output_token": "300",
        "llm_reasoning_token": "128",
        "llm_total_token": "2306",
    }
    for attributes in (ours, plain):
        log = reading.read({"ai_route_type": "llm", **attributes}, "", 1, {})
        assert isinstance(log, AccessLog)
        assert Tokens(2006, 1920, 10, 300, 128, 2306) == log.tokens


def test_the_rest_is_kept_and_nothing_twice() -> None:
    """An attribute that a user added is lost, or one that has a name of ours is stored a second time."""
    log = _read(
        team="a", response_code="200", **{"x-request-id": "r", "x-envoy-origin-path": "/o?x", "request__path": "/p"}
    )
    assert (("team", "a"), ("x-envoy-origin-path", "/o")) == log.rest
    assert ("/p", "r", Ending.OK) == (log.path, log.request_id, log.ending)
