"""What is taken out at the edge: names, query strings, and texts that are credentials."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigw_receiver.core.access_logs import reading
from aigw_receiver.core.access_logs.model import AccessLog
from aigw_receiver.core.access_logs.redaction import DEFAULT, MASK, Redaction


@pytest.mark.parametrize(
    "name",
    [
        *("authorization", "Authorization", "proxy-authorization", "http.request.header.authorization", "cookie"),
        *("set-cookie", "x-api-key", "api_key", "apikey", "x-goog-api-key", "ocp-apim-subscription-key", "password"),
        *("x-amz-security-token", "access_token", "id-token", "client.secret", "x-auth-token", "url.query", "query"),
    ],
)
def test_dropped_by_name(name: str) -> None:
    """A credential gets into a sink because some format logs its header."""
    assert DEFAULT.attribute(name, "value") is None


@pytest.mark.parametrize(
    "name",
    [
        *("gen_ai.usage.input_tokens", "llm_input_token", "token_latency_ttft", "x-request-id", "session.id"),
        *("user-agent", "upstream_cluster", "author", "cookiecutter", "secretary", "response_flags", "basic"),
    ],
)
def test_kept_by_name(name: str) -> None:
    """A field that the receiver needs, or that is harmless, is taken for a credential."""
    assert DEFAULT.attribute(name, "value") == "value"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("request.path", "/v1/chat?api_key=k#f", "/v1/chat"),
        ("x-envoy-origin-path", "/a b?k=v w", "/a b"),
        ("url.full", "https://u:p@host/a?key=k", "https://host/a"),
        ("referer", "https://host/#access_token=k", "https://host/"),
        ("note", "GET /x?key=k HTTP/1.1", "GET /x HTTP/1.1"),
        ("note", "why? because", "why? because"),
        ("note", 'said "/x?key=k" and https://h/y?z', 'said "/x" and https://h/y'),
        ("note", "Bearer abcdef123456", f"Bearer {MASK}"),
        ("note", "auth=basic dXNlcjpwYXNz end", f"auth=basic {MASK} end"),
        ("note", "key sk-abcdefghijklmnop1234", f"key sk-{MASK}"),
        ("user-agent", "basic kit", "basic kit"),
        ("mcp.session.id", "c47a9afd-8203-4127-b48b-2d98f71ad02d", "c47a9afd-8203-41"),
    ],
)
def test_values(name: str, value: str, expected: str) -> None:
    """A query string, the user of a URL, a credential in a text or a whole MCP session gets into a sink."""
    assert expected == DEFAULT.attribute(name, value)


def test_what_the_user_wants_taken_out() -> None:
    """A name of the user's list is not taken out, in whatever case it is written."""
    wanted = Redaction.of(dropped=("X-Tenant",), masked=("user-agent", "BODY"))
    assert wanted.attribute("x-tenant", "a") is None
    assert MASK == wanted.attribute("User-Agent", "curl")
    assert MASK == wanted.body("text")
    assert "" == Redaction.of(dropped=("body",)).body("text")
    log = reading.read({"ai_route_type": "llm", "user-agent": "curl", "x-tenant": "a"}, "text", 1, {}, wanted)
    assert isinstance(log, AccessLog)
    assert (MASK, MASK, ()) == (log.user_agent, log.body, log.rest)


@given(st.text(alphabet="ab/?#=&\"' :@-", max_size=60))
def test_no_query_is_left_in_a_path(value: str) -> None:
    """A path field keeps something of its query string."""
    kept = DEFAULT.attribute("request.path", value)
    assert kept is not None
    assert "?" not in kept
    assert "#" not in kept
