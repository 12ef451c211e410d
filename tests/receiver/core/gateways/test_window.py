"""Parameters of the API: what window, which steps, and what is refused by name."""

import pytest

from aigw_receiver.core.access_logs.search import SearchError
from aigw_receiver.core.gateways import window
from aigw_receiver.core.gateways.window import DAY, HOUR, MINUTE, Chart, Window
from aigw_receiver.core.rollup.model import View
from otlp_messages import SECOND

_NOW = 1_700_000_000 * SECOND


@pytest.mark.parametrize(
    ("parameters", "start", "end"),
    [
        ({}, _NOW - 15 * MINUTE, _NOW),
        ({"from": "-6h"}, _NOW - 6 * HOUR, _NOW),
        ({"from": "-7d", "to": "-1d"}, _NOW - 7 * DAY, _NOW - DAY),
        ({"to": "-1h"}, _NOW - HOUR - 15 * MINUTE, _NOW - HOUR),
        ({"from": "1699999000", "to": "1699999000.25"}, _NOW - 1000 * SECOND, _NOW - 1000 * SECOND + SECOND // 4),
        ({"from": "2023-11-14T22:00:00Z"}, _NOW - 800 * SECOND, _NOW),
        ({"to": "1800000000"}, _NOW - 15 * MINUTE, _NOW),
        ({"from": "-366d"}, _NOW - 366 * DAY, _NOW),
    ],
    ids=str,
)
def test_window(parameters: dict[str, str], start: int, end: int) -> None:
    """Another time is looked at than the one that was asked for."""
    assert Window(start, end, _NOW) == window.parse_window(parameters.items(), _NOW)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ([("form", "-1h")], "form: unknown parameter; expected one of from, to"),
        ([("step", "10")], "step: unknown parameter; expected one of from, to"),
        ([("from", "-1h"), ("from", "-2h")], "from: given more than once"),
        ([("from", "")], "from: expected 1 to 500 characters, got ''"),
        ([("from", "-1h"), ("to", "-2h")], "to: expected a time after that of from, got '-2h'"),
        ([("from", "1800000000")], "from: expected a time before now, got '1800000000'"),
        ([("from", "-367d")], "from: expected a time at most 366d before that of to, got '-367d'"),
        (
            [("to", "yesterday")],
            (
                "to: expected a time such as 2026-01-31T12:00:00Z, seconds since 1970, or a time ago such as -1h,"
                " got 'yesterday'"
            ),
        ),
    ],
    ids=str,
)
def test_refused_windows(parameters: list[tuple[str, str]], message: str) -> None:
    """A window that cannot be is answered with numbers, or the error names another parameter."""
    with pytest.raises(SearchError) as error:
        window.parse_window(parameters, _NOW)
    assert message == str(error.value)


def test_chart() -> None:
    """Series are of another view, or have other values, than was asked for."""
    last = Window(_NOW - 15 * MINUTE, _NOW, _NOW)
    assert Chart(last, View.GATEWAY, ("requests", "errors"), None, 10) == window.parse_chart([], _NOW)
    asked = {"view": "model", "values": "ttft_p95,cost_usd,ttft_p95", "step": "5m", "top": "3", "from": "-1h"}
    expected = Chart(Window(_NOW - HOUR, _NOW, _NOW), View.MODEL, ("ttft_p95", "cost_usd"), 5 * MINUTE, 3)
    assert expected == window.parse_chart(asked.items(), _NOW)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("view", "models", "one of gateway, pod, provider, model, mcp_backend, mcp_method, mcp_capability"),
        ("step", "9", "seconds, at least 10, or a time such as 5m"),
        ("step", "5 m", "seconds, at least 10, or a time such as 5m"),
        ("step", "-5m", "seconds, at least 10, or a time such as 5m"),
        ("top", "0", "a number from 1 to 50"),
        ("top", "51", "a number from 1 to 50"),
        ("top", "ten", "a number from 1 to 50"),
    ],
)
def test_refused_charts(name: str, value: str, expected: str) -> None:
    """A parameter that means nothing is passed over, or the error does not say what would do."""
    with pytest.raises(SearchError) as error:
        window.parse_chart([(name, value)], _NOW)
    assert f"{name}: expected {expected}, got {value!r}" == str(error.value)


def test_refused_values() -> None:
    """A value that there is not is answered as if it had no numbers."""
    with pytest.raises(SearchError, match=r"^values: expected a list of requests, .*, got 'latency'$"):
        window.parse_chart([("values", "requests,latency")], _NOW)


def test_too_many_steps() -> None:
    """A request can make the receiver write a million numbers."""
    with pytest.raises(SearchError, match=r"^step: expected one of which at most 1000 lie between from and to"):
        window.parse_chart([("from", "-7d"), ("step", "10m")], _NOW)


@pytest.mark.parametrize(
    ("start", "end", "step", "count"),
    [
        ("-10s", "-0s", 10, 1),
        ("-15m", "-0s", 10, 90),
        ("-30m", "-0s", 10, 180),
        ("-1h", "-0s", 30, 121),
        ("-3h", "-0s", 60, 181),
        ("-2h", "-110m", 60, 11),
        ("-12h", "-0s", 300, 145),
        ("-24h", "-0s", 600, 145),
        ("-13h", "-12h", 600, 7),
        ("-7d", "-0s", 3600, 169),
        ("-30d", "-0s", 21_600, 121),
        ("-180d", "-0s", 86_400, 181),
        ("-366d", "-0s", 604_800, 53),
    ],
)
def test_steps_that_suit(start: str, end: str, step: int, count: int) -> None:
    """A chart has more steps than can be seen, or steps of a time of which nothing so fine is kept."""
    chart = window.parse_chart([("from", start), ("to", end)], _NOW)
    steps = window.cut(chart, from_prometheus=False)
    assert (step * SECOND, count) == (steps.step, len(steps.edges) - 1)
    assert steps.edges[0] <= chart.window.start < steps.edges[1]
    assert steps.edges[-2] < chart.window.end <= steps.edges[-1]
    assert {0} == {edge % steps.step for edge in steps.edges}


@pytest.mark.parametrize(
    ("start", "asked", "from_prometheus", "step"),
    [
        ("-15m", "30", False, 30),
        ("-15m", "30", True, 60),
        ("-15m", "15m", True, 900),
        ("-2h", "10s", False, 60),
        ("-13h", "1m", False, 600),
        ("-15h", "10s", False, 600),
    ],
)
def test_steps_that_were_asked_for(start: str, asked: str, step: int, *, from_prometheus: bool) -> None:
    """Steps are finer than what is known, so that all but a few of them are wrongly empty."""
    chart = window.parse_chart([("from", start), ("step", asked)], _NOW)
    assert step * SECOND == window.cut(chart, from_prometheus=from_prometheus).step
