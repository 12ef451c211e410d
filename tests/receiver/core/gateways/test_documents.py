"""The answers about gateways: which are listed, what stands in them, and which series are shown."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from aigw_receiver.core.gateways import documents, state, values, window
from aigw_receiver.core.gateways.documents import Scene
from aigw_receiver.core.gateways.state import Heard
from aigw_receiver.core.gateways.window import Steps, Window
from aigw_receiver.core.rollup.model import NOTHING, Cell, Distribution, Measure, Number, Totals, View
from otlp_messages import NOW, SECOND

_WINDOW = Window(NOW - 900 * SECOND, NOW, NOW)
_HEAD = {
    "now": NOW / SECOND,
    "from": NOW / SECOND - 900,
    "to": NOW / SECOND,
    "since": NOW / SECOND - 3600,
    "latest": NOW / SECOND - 4,
    "source": "store",
    "warning": None,
}
_POD = Heard("pod-1", False, False, NOW - 5 * SECOND, NOW - SECOND, 10 * SECOND, 7)


def _scene(pods: Mapping[tuple[str, str], list[Heard]] | None = None) -> Scene:
    return Scene(_WINDOW, NOW - 3600 * SECOND, NOW - 4 * SECOND, documents.STORE, pods or {}, {("ns", "gw"): 0.75})


def _cell(view: View, *key: str, name: str = "gw") -> Cell:
    return Cell(view, "ns", name, key)


def _requests(number: int) -> Totals:
    return Totals({}, {Measure.DURATION: (Distribution((1.0,), (number, 0), number / 2),)})


def test_list() -> None:
    """A gateway is missing or listed though it is long gone, or another's state and numbers stand beside its name."""
    scene = _scene({("ns", "gw"): [_POD, Heard("pod-0", True, False, NOW - 600 * SECOND, None, 10 * SECOND, 3)]})
    gains = {
        _cell(View.GATEWAY): _requests(3),
        _cell(View.GATEWAY, name="a"): _requests(1),
        _cell(View.GATEWAY, name="z"): NOTHING,
    }
    answer = documents.list_gateways(scene, gains, known=3)
    first, second = answer.pop("gateways")
    assert {**_HEAD, "step": 10, "hint": None} == answer
    assert ("a", "ended", {"live": 0, "ended": 0}, None, None) == tuple(
        first[name] for name in ("name", "state", "pods", "last_export", "completeness")
    )
    assert {
        "namespace": "ns",
        "name": "gw",
        "state": "active",
        "state_reason": "Exports arrive, with requests in this window.",
        "pods": {"live": 1, "ended": 1},
        "last_export": NOW / SECOND - 5,
        "last_log": NOW / SECOND - 1,
        "completeness": 0.75,
        "totals": values.as_document(_requests(3)),
    } == second


def test_hints() -> None:
    """Whoever sees an empty list is not told what to do next."""
    assert state.NO_GATEWAY == documents.list_gateways(_scene(), {}, known=0)["hint"]
    assert state.NO_GATEWAY.startswith("No export yet: ")
    beyond = " had requests at another time, and no pod sends any more. Choose a longer time range."
    one = documents.list_gateways(_scene(), {_cell(View.GATEWAY): NOTHING}, known=1)["hint"]
    assert f"Nothing in this window: a gateway{beyond}" == one
    assert f"Nothing in this window: 2 gateways{beyond}" == documents.list_gateways(_scene(), {}, known=2)["hint"]


def test_warning() -> None:
    """Numbers of half a window are shown as those of all of it, and nobody is told why."""
    scene = dataclasses.replace(_scene(), warning="Prometheus at p: refused")
    assert "Prometheus at p: refused" == documents.list_gateways(scene, {}, known=0)["warning"]


def test_streams_that_were_left() -> None:
    """A model whose clients leave all its streams is not listed, or stands before one with requests."""
    left = Totals({}, {Measure.FIRST_TOKEN: (Distribution((1.0,), (5, 0), 2.0),)})
    gains = {_cell(View.MODEL, "p", "left"): left, _cell(View.MODEL, "p", "x"): _requests(1)}
    listed = documents.show_gateway(_scene(), ("ns", "gw"), gains)["models"]
    assert [("left", 0, 5), ("x", 1, 0)] == [
        (row["model"], row["totals"]["requests"], row["totals"]["time_to_first_token"]["count"]) for row in listed
    ]
    assert (["x", "left"], 0) == ([cell.key[-1] for cell in documents.choose(gains, 2)[0]], 0)


def test_gateway() -> None:
    """One gateway's numbers stand under another provider, model, server or pod, or what did nothing is listed."""
    scene = _scene({("ns", "gw"): [_POD]})
    mcp = Totals({Number.MCP_MESSAGES: 4, Number.MCP_ERRORS: 1}, {})
    gains = {
        _cell(View.GATEWAY): _requests(6),
        _cell(View.POD, "pod-0"): _requests(2),
        _cell(View.POD, "pod-1"): _requests(4),
        _cell(View.PROVIDER, "openai"): _requests(6),
        _cell(View.PROVIDER, "idle"): NOTHING,
        _cell(View.MODEL, "openai", "b"): _requests(1),
        _cell(View.MODEL, "openai", "a"): _requests(5),
        _cell(View.MCP_BACKEND, "github"): mcp,
        _cell(View.MCP_METHOD, "github", "tools/call"): mcp,
        _cell(View.MCP_CAPABILITY, "github", "server", "tools"): Totals({Number.MCP_CAPABILITIES: 2}, {}),
    }
    answer = documents.show_gateway(scene, ("ns", "gw"), gains)
    gateway = answer.pop("gateway")
    assert ("gw", "active", 6) == (gateway["name"], gateway["state"], gateway["totals"]["requests"])
    ended = {"state": "ended", "last_export": None, "last_log": None, "interval": None, "streams": 0}
    live = {"state": "active", "last_export": NOW / SECOND - 5, "last_log": NOW / SECOND - 1, "interval": 10.0}
    assert {
        **_HEAD,
        "providers": [{"provider": "openai", "totals": values.as_document(_requests(6))}],
        "models": [
            {"provider": "openai", "model": "a", "totals": values.as_document(_requests(5))},
            {"provider": "openai", "model": "b", "totals": values.as_document(_requests(1))},
        ],
        "mcp": {
            "backends": [{"backend": "github", "totals": values.as_document(mcp)}],
            "methods": [{"backend": "github", "method": "tools/call", "totals": values.as_document(mcp)}],
            "capabilities": [{"backend": "github", "side": "server", "type": "tools", "count": 2}],
        },
        "pods": [
            {"pod": "pod-0", **ended, "totals": values.as_document(_requests(2))},
            {"pod": "pod-1", **live, "streams": 7, "totals": values.as_document(_requests(4))},
        ],
    } == answer


def test_series() -> None:
    """A number stands beside another moment, or nothing is shown for what is not known."""
    chart = window.parse_chart([("view", "model"), ("values", "requests,duration_avg")], NOW)
    steps = Steps(10 * SECOND, (NOW - 30 * SECOND, NOW - 20 * SECOND, NOW - 10 * SECOND, NOW))
    gains = {_cell(View.MODEL, "openai", "a"): [None, NOTHING, _requests(2)]}
    numbers: dict[str, Any] = {"requests": [None, 0, 2], "duration_avg": [None, None, 0.5]}
    assert {
        **_HEAD,
        "from": NOW / SECOND - 30,
        "step": 10.0,
        "times": [NOW / SECOND - 20, NOW / SECOND - 10, NOW / SECOND],
        "series": [{"key": {"provider": "openai", "model": "a"}, "values": numbers}],
        "other": 4,
    } == documents.show_series(_scene(), chart, steps, gains, 4)


def test_chosen() -> None:
    """A busy model is left out for an idle one, or what is left out is not counted."""
    gains = {_cell(View.MODEL, "p", name): _requests(count) for name, count in (("a", 1), ("b", 3), ("c", 1), ("d", 2))}
    gains[_cell(View.MODEL, "p", "idle")] = NOTHING
    models, other = documents.choose(gains, 3)
    assert (["b", "d", "a"], 1) == ([cell.key[-1] for cell in models], other)
    assert ([], 0) == documents.choose({}, 3)


def test_paths() -> None:
    """A gateway whose namespace is unknown cannot be named in a path."""
    assert (("", "gw"), ("ns", "gw")) == (documents.read_gateway("-", "gw"), documents.read_gateway("ns", "gw"))
