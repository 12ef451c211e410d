"""What is asked of kept access logs: parameters, times, cursors, and what matches."""

import dataclasses
import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigw_receiver.core.access_logs import flat, search, search_parameters
from aigw_receiver.core.access_logs.model import Ending
from aigw_receiver.core.access_logs.search import Cursor, Fields, Position, Search, SearchError

_NOW = 1_795_353_374_756_107_000
_SECOND = 1_000_000_000

_FLAT: dict[str, Any] = {
    "time": "2026-11-22T13:16:14.756107000Z",
    "ai_route_type": "llm",
    "gateway_namespace": "default",
    "gateway_name": "gateway",
    "gateway_pod": "pod-1",
    "ending": "client_error",
    "rules": "errors,slow",
    "weight": 1,
    "path": "/v1/Chat",
    "status": 429,
    "response_code_details": "via_upstream",
    "requested_model": "gpt-4.1",
    "answered_model": "gpt-4.1-2025-04-14",
    "provider": "OpenAI",
    "backend": "default/openai",
    "mcp_tool": "search",
    "upstream_failure_reason": "reset",
    "connection_termination": "idle",
    "request_id": "id-1",
    "session_id": "id-2",
    "body": "Straße",
    "user_agent": "not searched",
}
_FIELDS = Fields(
    time=_NOW,
    gateway_namespace="default",
    gateway_name="gateway",
    gateway_pod="pod-1",
    route_type="llm",
    status=429,
    ending="client_error",
    rules=",errors,slow,",
    requested_model="gpt-4.1",
    answered_model="gpt-4.1-2025-04-14",
    provider="OpenAI",
    backend="default/openai",
    tool="search",
    text=b"/v1/chat\0via_upstream\0reset\0idle\0id-1\0id-2\0strasse",
)


def _parse(*parameters: tuple[str, str]) -> Search:
    return search_parameters.parse_search(parameters, _NOW)


def _fault(*parameters: tuple[str, str]) -> str:
    with pytest.raises(SearchError) as caught:
        _parse(*parameters)
    return str(caught.value)


def test_nothing_asked() -> None:
    """A search without parameters asks for something."""
    assert Search(now=_NOW, limit=100) == _parse()


def test_everything_asked() -> None:
    """A parameter is taken for another one, or is not taken at all."""
    expected = Search(
        now=_NOW,
        gateways=(("default", "gateway"), ("", "unknown")),
        pods=("pod-1",),
        models=("gpt-4.1", "o3"),
        providers=("OpenAI",),
        backends=("default/openai",),
        route_types=("llm",),
        endings=("aborted", "timeout"),
        rules=("slow",),
        tools=("search",),
        statuses=((404, 404), (400, 499), (500, 503), (0, 0)),
        since=_NOW - 5400 * _SECOND,
        until=_NOW,
        text=b"strasse",
        limit=1000,
    )
    assert expected == _parse(
        *(("gateway", "default/gateway"), ("gateway", "/unknown"), ("pod", "pod-1"), ("model", "gpt-4.1")),
        *(("model", "o3"), ("provider", "OpenAI"), ("backend", "default/openai"), ("route_type", "llm")),
        *(("ending", "aborted"), ("ending", "timeout"), ("rule", "slow"), ("tool", "search")),
        *(("status", "404,4xx"), ("status", "500-503,none"), ("from", "-90m")),
        *(("to", "2026-11-22T13:16:14.756107Z"), ("text", "STRAßE"), ("limit", "1000")),
    )


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ([("gateway", "gateway")], "gateway: expected NAMESPACE/NAME, got 'gateway'"),
        ([("gateway", "a/b/c")], "gateway: expected NAMESPACE/NAME, got 'a/b/c'"),
        ([("gateway", "a/")], "gateway: expected NAMESPACE/NAME, got 'a/'"),
        ([("pod", "")], "pod: expected 1 to 500 characters, got ''"),
        ([("model", "x" * 501)], f"model: expected 1 to 500 characters, got '{'x' * 80}…'"),
        ([("model", "x")] * 21, "model: given more than 20 times"),
        ([("limit", "1")] * 2, "limit: given more than once"),
        ([("route_type", "http")], "route_type: expected one of llm, mcp, got 'http'"),
        (
            [("ending", "fine")],
            f"ending: expected one of {', '.join(ending.value for ending in Ending)}, got 'fine'",
        ),
        ([("rule", "a,b")], "rule: expected the name of one rule, got 'a,b'"),
        *(
            ([("status", text)], f"status: expected a list of 404, 4xx, 500-503 or none, got {text!r}")
            for text in ("600", "99", "6xx", "4XX", "503-500", "404,", "٤٠٤", "-1", "404 ")
        ),
        ([("status", ",".join(["404"] * 21))], f"status: expected at most 20 in a list, got '{'404,' * 20}…'"),
        *(
            (
                [("from", text)],
                (
                    "from: expected a time such as 2026-01-31T12:00:00Z, seconds since 1970, or a time ago such as "
                    f"-1h, got {text!r}"
                ),
            )
            for text in (
                "yesterday",
                "1h",
                "-1w",
                "-",
                "-1795353374",
                "1e9",
                ".5",
                "2026-02-29T00:00:00Z",
                "2026-11-22",
            )
        ),
        ([("from", "-1h"), ("to", "-1h")], "to: expected a time after that of from, got '-1h'"),
        ([("text", "x" * 201)], f"text: expected at most 200 characters, none of them NUL, got '{'x' * 80}…'"),
        ([("text", "a\0b")], "text: expected at most 200 characters, none of them NUL, got 'a\\x00b'"),
        *(
            ([("limit", text)], f"limit: expected a number from 1 to 1000, got {text!r}")
            for text in ("0", "1001", "-1", "1.0", "ten", "99999")
        ),
        *(
            ([("cursor", text)], f"cursor: expected what the page before says under next, got {text!r}")
            for text in (
                *("x", "2.1.1.1.01234567-1", "1.1.1.1", "1.1.1.1.1", "1.9223372036854775808.1.1.01234567-1"),
                *("1.1.-1.1.01234567-1", "1.1.1.1.01234567-9223372036854775808"),
            )
        ),
    ],
)
def test_what_cannot_be_used(parameters: list[tuple[str, str]], message: str) -> None:
    """A wrong parameter is taken for a right one, or the answer does not say which it was."""
    assert message == _fault(*parameters)


def test_unknown_parameters() -> None:
    """A misspelt filter is ignored, and everything is found; or a follower asks for pages."""
    known = "gateway, pod, model, provider, backend, route_type, status, ending, rule, tool, from, to, text"
    assert f"modle: unknown parameter; expected one of {known}, limit, cursor" == _fault(("modle", "x"))
    with pytest.raises(SearchError, match=f"^limit: unknown parameter; expected one of {known}, after$"):
        search_parameters.parse_search([("limit", "1")], _NOW, search_parameters.FOLLOWED)
    with pytest.raises(SearchError, match=r"^limit: unknown parameter; expected none$"):
        search_parameters.parse_search([("limit", "1")], _NOW, ())


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00.5z", 500_000_000),
        ("1970-01-01 02:00:00+02:00", 0),
        ("1970-01-01T02:00:00 02:00", 0),
        ("1969-12-31T22:30:00-01:30", 0),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("2000-02-29T00:00:00Z", 951_782_400 * _SECOND),
        ("2016-12-31T23:59:60Z", 1_483_228_800 * _SECOND),
        ("0000-01-01T00:00:00Z", -62_167_219_200 * _SECOND),
        ("9999-12-31T23:59:59Z", 253_402_300_799 * _SECOND),
        *(
            (text, None)
            for text in (
                *("", "2026-11-22T24:00:00Z", "2026-11-22T00:60:00Z", "2026-11-22T00:00:61Z", "2026-13-01T00:00:00Z"),
                *("2026-00-10T00:00:00Z", "2026-11-00T00:00:00Z", "2026-11-31T00:00:00Z", "1900-02-29T00:00:00Z"),
                *("2026-11-22T00:00:00", "2026-11-22T00:00:00+24:00", "2026-11-22T00:00:00.1234567890Z"),
                *("2026-11-22T00:00:00Z\n", "\uff12026-11-22T00:00:00Z"),
            )
        ),
    ],
)
def test_times(text: str, time: int | None) -> None:
    """A time means another moment, or a text that is no time means one."""
    assert time == search.parse_time(text)


@given(st.integers(0, (1 << 64) - 1))
def test_times_of_records(time: int) -> None:
    """A record is found at another time than it says."""
    assert time == search.parse_time(flat.rfc3339(time))


@given(st.datetimes(timezones=st.just(dt.UTC)))
def test_days_of_all_years(moment: dt.datetime) -> None:
    """Some day of the calendar is counted wrongly."""
    since = moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    text = moment.isoformat(timespec="microseconds")
    assert since // dt.timedelta(microseconds=1) * 1000 == search.parse_time(text)


def test_times_that_no_record_has() -> None:
    """A time that a store cannot hold ends a search with an error, or hides records at the edge."""
    far = _parse(("from", "2500-01-01T00:00:00Z"), ("to", "9999-01-01T00:00:00Z"))
    assert (search.MOST, None) == (far.since, far.until)
    early = _parse(("from", "0001-01-01T00:00:00Z"), ("to", "1700-01-01T00:00:00Z"))
    assert (search.LEAST, -8_520_336_000 * _SECOND) == (early.since, early.until)
    latest = search.fields_of({**_FLAT, "time": "2554-07-21T23:34:33.709551615Z"})
    assert search.MOST == latest.time
    assert search.matches(far, latest)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("1795353374", _NOW // _SECOND * _SECOND),
        ("1795353374.756107", _NOW),
        ("0", 0),
        ("0.000000001", 1),
        ("999999999999", search.MOST),
    ],
)
def test_seconds_since_1970(text: str, time: int) -> None:
    """A moment that an answer of the API names cannot be asked for, or is rounded."""
    assert time == search_parameters.read_time("from", text, _NOW)


_POSITIONS = st.builds(Position, st.from_regex(r"[0-9a-f]{8}", fullmatch=True), st.integers(0, search.MOST))


@given(st.builds(Cursor, *(st.integers(least, search.MOST) for least in (search.LEAST, 0, 0)), _POSITIONS))
def test_cursor(cursor: Cursor) -> None:
    """The next page begins elsewhere."""
    assert cursor == search.decode_cursor(search.encode_cursor(cursor))


def test_relative_times_of_later_pages() -> None:
    """Records at the edge fall out of a search while it is paged through."""
    cursor = Cursor(_NOW - _SECOND, 7, _NOW, Position("0123abcd", 9))
    later = search_parameters.parse_search(
        [("from", "-1h"), ("cursor", search.encode_cursor(cursor))], _NOW + 60 * _SECOND
    )
    assert Search(now=_NOW, since=_NOW - 3600 * _SECOND, cursor=cursor) == later


def test_position() -> None:
    """A follower continues elsewhere, or with what is no position."""
    assert Position("0123abcd", 17) == search.decode_position("id", search.encode_position(Position("0123abcd", 17)))
    followed = search_parameters.parse_search([("after", "0123abcd-17")], _NOW, search_parameters.FOLLOWED)
    assert Position("0123abcd", 17) == followed.after
    for text in ("17", "0123abcd-", "0123abcd-9223372036854775808", "0123ABCD-1", "0123abcd--1"):
        with pytest.raises(SearchError) as caught:
            search.decode_position("after", text)
        assert f"after: expected the id of a record, got {text!r}" == str(caught.value)


@pytest.mark.parametrize(
    ("after", "begin", "skipped"),
    [
        (Position("0123abcd", 0), Position("0123abcd", 7), 7),
        (Position("0123abcd", 6), Position("0123abcd", 7), 1),
        (Position("0123abcd", 7), Position("0123abcd", 7), 0),
        (Position("0123abcd", 10), Position("0123abcd", 10), 0),
        (Position("0123abcd", 11), Position("0123abcd", 11), 0),
        (Position("76543210", 0), Position("76543210", 0), 0),
    ],
)
def test_catching_up(after: Position, begin: Position, skipped: int) -> None:
    """Who comes from far behind is sent all of it, is told a wrong number, or misses what he could have had."""
    assert (begin, skipped) == search.catch_up(after, Position("0123abcd", 10), 3)


def test_fields() -> None:
    """A field of the record is searched under another name, or not at all."""
    assert _FIELDS == search.fields_of(_FLAT)


def test_fields_of_a_record_with_nothing() -> None:
    """What is missing, or is of another type, is taken for something."""
    empty = dict.fromkeys((field.name for field in dataclasses.fields(Fields)), "")
    expected = Fields(**{**empty, "time": 0, "status": 0, "rules": ",,", "text": b""})  # type: ignore[arg-type]
    assert expected == search.fields_of({"time": "1970-01-01T00:00:00Z", "status": "200", "path": 7})
    for record in ({}, {"time": 7}, {"time": "yesterday"}):
        with pytest.raises(ValueError, match=r"^a record without a time$"):
            search.fields_of(record)


def test_half_a_character() -> None:
    """A text that UTF-8 cannot hold makes a record, or its whole batch, fail."""
    fields = search.fields_of({**_FLAT, "gateway_pod": "\ud800é", "path": "/\udfff"})
    assert ("?é", b"/?\0via") == (fields.gateway_pod, fields.text[:6])


def test_long_text() -> None:
    """One huge record makes every search for text slow."""
    fields = search.fields_of({**_FLAT, "path": "é" * 10_000})
    assert "é".encode() * 8192 == fields.text


@pytest.mark.parametrize(
    ("name", "found", "missed"),
    [
        ("gateway", ["default/gateway"], ["default/other", "other/gateway"]),
        ("pod", ["pod-1"], ["pod-", "POD-1"]),
        ("model", ["gpt-4.1", "gpt-4.1-2025-04-14"], ["gpt-4", "gpt-4.1-mini"]),
        ("provider", ["OpenAI"], ["openai"]),
        ("backend", ["default/openai"], ["openai"]),
        ("route_type", ["llm"], ["mcp"]),
        ("status", ["429", "4xx", "400-429", "429-599", "200,429"], ["404", "5xx", "430-499", "none"]),
        ("ending", ["client_error"], ["ok"]),
        ("rule", ["errors", "slow"], ["error", "rrors", "low"]),
        ("tool", ["search"], ["sear"]),
        ("from", ["2026-11-22T13:16:14.756107Z", "-1h"], ["2026-11-22T13:16:14.756107001Z"]),
        ("to", ["2026-11-22T13:16:14.756107001Z"], ["2026-11-22T13:16:14.756107Z", "-1h"]),
        ("text", ["chat", "VIA_", "reset", "idle", "id-1", "id-2", "STRASSE", "t"], ["searched", "chatvia", "%", "_v"]),
    ],
)
def test_matches(name: str, found: list[str], missed: list[str]) -> None:
    """A filter lets through what it should not, or holds back what is asked for."""
    is_found = {value: search.matches(_parse((name, value)), _FIELDS) for value in (*found, *missed)}
    assert {**dict.fromkeys(found, True), **dict.fromkeys(missed, False)} == is_found


def test_all_filters_must_match_and_any_value_of_one() -> None:
    """Two filters find more than one of them, or two values of one less."""
    assert search.matches(_parse(("pod", "pod-1"), ("pod", "pod-2"), ("rule", "slow")), _FIELDS)
    assert not search.matches(_parse(("pod", "pod-1"), ("rule", "sample")), _FIELDS)
    unanswered = dataclasses.replace(_FIELDS, status=0)
    assert search.matches(_parse(("status", "5xx,none")), unanswered)
    assert not search.matches(_parse(("status", "1xx,200-599")), unanswered)
