"""The answers of the API about gateways, as plain data for JSON: the list, one gateway, and its series.

Names and meanings are an interface: docs/api.md, and the schema in `openapi`. What the numbers are is decided in
`values`, what a gateway does in `state`. Moments are nanoseconds since 1970; in answers, seconds.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from aigw_receiver.core.gateways import state, values
from aigw_receiver.core.gateways.state import Heard
from aigw_receiver.core.gateways.window import Chart, Steps, Window
from aigw_receiver.core.rollup.model import NOTHING, Cell, Number, Totals, View
from aigw_receiver.core.rollup.thinning import FINEST
from aigw_receiver.core.sources import SECOND

Gateway: TypeAlias = tuple[str, str]
"""namespace and name"""
Gains: TypeAlias = Mapping[Cell, Totals]
"""what cells gained within a window"""

STORE: Final = "store"
PROMETHEUS: Final = "prometheus"

UNKNOWN_NAMESPACE: Final = "-"
"""how a namespace that is not known is written in a path"""

_KEYS: Final[Mapping[View, tuple[str, ...]]] = {
    View.GATEWAY: (),
    View.POD: ("pod",),
    View.PROVIDER: ("provider",),
    View.MODEL: ("provider", "model"),
    View.MCP_BACKEND: ("backend",),
    View.MCP_METHOD: ("backend", "method"),
    View.MCP_CAPABILITY: ("backend", "side", "type"),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Scene:
    """What answers are made of, beside the numbers."""

    window: Window
    since: int
    """the oldest moment that the rollup can speak of; 0: none"""
    latest: int
    """when it was last written; 0: never"""
    source: str
    """STORE or PROMETHEUS"""
    pods: Mapping[Gateway, Sequence[Heard]]
    """those that are remembered"""
    completeness: Mapping[Gateway, float]
    """of the requests of the last hour that are in access logs, the share that metrics have counted"""
    warning: str | None = None
    """why nobody answers for the time before `since`, where somebody should"""

    def head(self) -> dict[str, Any]:
        """What all answers begin with."""
        return {
            "now": self.window.now / SECOND,
            "from": self.window.start / SECOND,
            "to": self.window.end / SECOND,
            "since": _seconds(self.since or None),
            "latest": _seconds(self.latest or None),
            "source": self.source,
            "warning": self.warning,
        }


def read_gateway(namespace: str, name: str) -> Gateway:
    """The gateway that a path names."""
    return "" if namespace == UNKNOWN_NAMESPACE else namespace, name


def list_gateways(scene: Scene, gains: Gains, known: int) -> dict[str, Any]:
    """`GET /api/gateways`: those of which a pod is remembered, or which did something in the window.

    `gains` are those of the view of gateways; `known` is of how many gateways the rollup has ever heard.
    """
    busy = {cell[1:3]: totals for cell, totals in gains.items() if values.is_busy(totals)}
    listed = sorted({*scene.pods, *busy})
    return {
        **scene.head(),
        "step": FINEST // SECOND,
        "hint": None if listed else _hint(known),
        "gateways": [_gateway(scene, gateway, busy.get(gateway, NOTHING)) for gateway in listed],
    }


def _hint(known: int) -> str:
    if not known:
        return state.NO_GATEWAY
    return (
        f"Nothing in this window: {'a gateway' if known == 1 else f'{known} gateways'} had requests at another time,"
        " and no pod sends any more. Choose a longer time range."
    )


def _gateway(scene: Scene, gateway: Gateway, totals: Totals) -> dict[str, Any]:
    """GATEWAY of the API."""
    pods = scene.pods.get(gateway, ())
    judgement = state.judge(pods, scene.window.now, busy=values.is_busy(totals))
    last_export, last_log = state.latest(pods)
    ended = sum(pod.ended for pod in pods)
    return {
        "namespace": gateway[0],
        "name": gateway[1],
        "state": judgement.state.value,
        "state_reason": judgement.reason,
        "pods": {"live": len(pods) - ended, "ended": ended},
        "last_export": _seconds(last_export),
        "last_log": _seconds(last_log),
        "completeness": scene.completeness.get(gateway),
        "totals": values.as_document(totals),
    }


def show_gateway(scene: Scene, gateway: Gateway, gains: Gains) -> dict[str, Any]:
    """`GET /api/gateways/{namespace}/{name}`; `gains` are those of all views of this gateway."""
    views: dict[View, dict[tuple[str, ...], Totals]] = {view: {} for view in View}
    for cell, totals in sorted(gains.items()):
        if values.is_busy(totals) or cell.view is View.GATEWAY:
            views[cell.view][cell.key] = totals
    return {
        **scene.head(),
        "gateway": _gateway(scene, gateway, views[View.GATEWAY].get((), NOTHING)),
        "providers": _rows(View.PROVIDER, views),
        "models": _rows(View.MODEL, views),
        "mcp": {
            "backends": _rows(View.MCP_BACKEND, views),
            "methods": _rows(View.MCP_METHOD, views),
            "capabilities": [
                {**name_key(View.MCP_CAPABILITY, key), "count": values.whole(totals, Number.MCP_CAPABILITIES)}
                for key, totals in views[View.MCP_CAPABILITY].items()
            ],
        },
        "pods": _pods(scene.pods.get(gateway, ()), views[View.POD]),
    }


def _rows(view: View, views: Mapping[View, Mapping[tuple[str, ...], Totals]]) -> list[dict[str, Any]]:
    return [{**name_key(view, key), "totals": values.as_document(totals)} for key, totals in views[view].items()]


def _pods(pods: Sequence[Heard], gains: Mapping[tuple[str, ...], Totals]) -> list[dict[str, Any]]:
    """Those that are remembered, and those that were there in the window."""
    heard = {pod.pod: pod for pod in pods}
    for (name,) in gains:
        heard.setdefault(name, Heard(name, True, False, None, None, None, 0))
    return [_pod(heard[name], gains.get((name,), NOTHING)) for name in sorted(heard)]


def _pod(pod: Heard, totals: Totals) -> dict[str, Any]:
    return {
        "pod": pod.pod,
        "state": state.state_of_pod(pod, busy=values.is_busy(totals)).value,
        "last_export": _seconds(pod.last_export),
        "last_log": _seconds(pod.last_log),
        "interval": _seconds(pod.interval),
        "streams": pod.streams,
        "totals": values.as_document(totals),
    }


def name_key(view: View, key: tuple[str, ...]) -> dict[str, str]:
    """What tells cells of a view apart, by name."""
    return dict(zip(_KEYS[view], key, strict=True))


def show_series(
    scene: Scene, chart: Chart, steps: Steps, gains: Mapping[Cell, Sequence[Totals | None]], other: int
) -> dict[str, Any]:
    """`GET …/series`: by cell what it gained in each step, None where that is not known; `other` are left out."""
    return {
        **scene.head(),
        "from": steps.edges[0] / SECOND,
        "to": steps.edges[-1] / SECOND,
        "step": steps.step / SECOND,
        "times": [edge / SECOND for edge in steps.edges[1:]],
        "series": [
            {
                "key": name_key(chart.view, cell.key),
                "values": {
                    name: [None if totals is None else values.value(name, totals) for totals in gained]
                    for name in chart.values
                },
            }
            for cell, gained in gains.items()
        ],
        "other": other,
    }


def choose(gains: Gains, top: int) -> tuple[list[Cell], int]:
    """The busiest cells of those that did anything, and how many others there are."""
    busy = [cell for cell, totals in gains.items() if values.is_busy(totals)]
    busy.sort(key=lambda cell: (-values.messages(gains[cell]), cell))
    return busy[:top], max(0, len(busy) - top)


def _seconds(time: int | None) -> float | None:
    return None if time is None else time / SECOND
