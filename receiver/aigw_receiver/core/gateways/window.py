"""What a request asks for: a window of time, its steps, and the parameters of each path. It has no clock.

Moments are nanoseconds since 1970. What cannot be used raises SearchError, whose message names the parameter.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Final

from aigw_receiver.core.access_logs import search, search_parameters
from aigw_receiver.core.access_logs.search import SearchError
from aigw_receiver.core.gateways import values
from aigw_receiver.core.rollup import thinning
from aigw_receiver.core.rollup.model import View
from aigw_receiver.core.rollup.thinning import FINEST
from aigw_receiver.core.sources import SECOND

MINUTE: Final = 60 * SECOND
HOUR: Final = 3600 * SECOND
DAY: Final = 86_400 * SECOND

# What a chart shows at most, and what may be asked for at most.
_CHART_STEPS: Final = 200
_MOST_STEPS: Final = 1000
_STEPS: Final = (
    *(10 * SECOND, 30 * SECOND, MINUTE, 5 * MINUTE, 10 * MINUTE, HOUR, 6 * HOUR),
    *(DAY, 7 * DAY),
)

# A Prometheus that scrapes less often than each minute has gaps in steps of one.
_FINEST_OF_PROMETHEUS: Final = MINUTE

_DEFAULT_WINDOW: Final = 15 * MINUTE
_LONGEST: Final = 366 * DAY

_STEP: Final = re.compile(r"(\d{1,8})(s|m|h|d|)", re.ASCII)
_UNITS: Final = {"": SECOND, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_TOP: Final = re.compile(r"\d{1,3}", re.ASCII)

DEFAULT_TOP: Final = 10
MOST_TOP: Final = 50

WINDOW: Final = ("from", "to")
"""parameters of what is asked about a window"""
SERIES: Final = ("view", "values", *WINDOW, "step", "top")


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """From one moment to another; `now` is when it was asked for, and no window reaches beyond."""

    start: int
    end: int
    now: int


@dataclasses.dataclass(frozen=True, slots=True)
class Chart:
    """What series are asked for."""

    window: Window
    view: View
    values: tuple[str, ...]
    step: int | None
    """nanoseconds; None: one that suits the window"""
    top: int


@dataclasses.dataclass(frozen=True, slots=True)
class Steps:
    """A window cut at multiples of a step: `edges` has one moment more than there are steps."""

    step: int
    edges: tuple[int, ...]


def parse_window(parameters: Iterable[tuple[str, str]], now: int) -> Window:
    """A window from the parameters of a request: the last 15 minutes if nothing is said."""
    return _read_window(_once(parameters, WINDOW), now)


def parse_chart(parameters: Iterable[tuple[str, str]], now: int) -> Chart:
    """What series a request asks for."""
    given = _once(parameters, SERIES)
    window = _read_window(given, now)
    return Chart(
        window=window,
        view=_read_view(given["view"]) if "view" in given else View.GATEWAY,
        values=_read_values(given["values"]) if "values" in given else values.DEFAULT,
        step=_read_step(given["step"], window) if "step" in given else None,
        top=_read_top(given["top"]) if "top" in given else DEFAULT_TOP,
    )


def parse_nothing(parameters: Iterable[tuple[str, str]]) -> None:
    """Refuse any parameter."""
    for name, _ in parameters:
        message = f"{search.shorten(name)}: unknown parameter; none is expected"
        raise SearchError(message)


def _once(parameters: Iterable[tuple[str, str]], names: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, (value,) in search_parameters.collect(parameters, names).items()}


def cut(chart: Chart, *, from_prometheus: bool) -> Steps:
    """The steps of a chart. The first one begins at or before the window, the last one ends at or after it.

    A step is never finer than what is known of the oldest moment, whatever was asked for.
    """
    window = chart.window
    finest = _FINEST_OF_PROMETHEUS if from_prometheus else _finest_kept(window)
    step = chart.step or _suiting(window)
    step = max(step, finest)
    return Steps(step, _edges(window, step))


def _finest_kept(window: Window) -> int:
    """How far apart the oldest rows of the rollup are in a window."""
    age = window.now - window.start
    # Of finer steps all would be empty but for one. The window is asked for a moment after it was chosen, and its first
    # step begins before it.
    return max((step for kept, step in thinning.AGES if age > kept + MINUTE), default=FINEST)


def _suiting(window: Window) -> int:
    return next(step for step in _STEPS if len(_edges(window, step)) - 1 <= _CHART_STEPS)


def _edges(window: Window, step: int) -> tuple[int, ...]:
    first = window.start // step
    last = max(-(-window.end // step), first + 1)
    return tuple(at * step for at in range(first, last + 1))


def _read_window(given: Mapping[str, str], now: int) -> Window:
    end = min(search_parameters.read_time("to", given["to"], now), now) if "to" in given else now
    start = search_parameters.read_time("from", given["from"], now) if "from" in given else end - _DEFAULT_WINDOW
    if start >= end:
        # Where both lie ahead, it is the beginning that cannot be.
        name, expected = ("from", "a time before now") if start >= now else ("to", "a time after that of from")
        search.fail(name, expected, given.get(name, ""))
    if end - start > _LONGEST:
        search.fail("from", f"a time at most {_LONGEST // DAY}d before that of to", given.get("from", ""))
    return Window(start, end, now)


def _read_view(value: str) -> View:
    if value not in {view.value for view in View}:
        search.fail("view", f"one of {', '.join(View)}", value)
    return View(value)


def _read_values(value: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(value.split(",")))
    for name in names:
        if name not in values.NAMES:
            search.fail("values", f"a list of {', '.join(values.NAMES)}", name)
    return names


def _read_step(value: str, window: Window) -> int:
    match = _STEP.fullmatch(value)
    step = int(match[1]) * _UNITS[match[2]] if match else 0
    if step < FINEST:
        search.fail("step", f"seconds, at least {FINEST // SECOND}, or a time such as 5m", value)
    if len(_edges(window, max(step, _finest_kept(window)))) - 1 > _MOST_STEPS:
        search.fail("step", f"one of which at most {_MOST_STEPS} lie between from and to", value)
    return step


def _read_top(value: str) -> int:
    if not _TOP.fullmatch(value) or not 1 <= int(value) <= MOST_TOP:
        search.fail("top", f"a number from 1 to {MOST_TOP}", value)
    return int(value)
