"""The OpenTelemetry data model as plainly as it can be written: a dictionary of everything that ever came.

It is right and slow. It has no clock of its own, no limits, and holds every interval and run for ever.
"""

import collections

from strategies.exposed import Key, histogram_samples, number_samples
from strategies.official import Reading

_FAMILIES = {
    "gen_ai.client.token.usage": "gen_ai_client_token_usage",
    "mcp.method.count": "mcp_method_count_total",
    "mcp.load": "mcp_load",
    "mcp.sessions": "mcp_sessions",
}


class _Stream:
    """One stream: what each point added, and what is needed to tell the next one."""

    def __init__(self) -> None:
        self.intervals: set[tuple[int, int]] = set()
        self.runs: dict[int, Reading] = {}
        self.newest = 0

    def add(self, point: Reading) -> Reading | None:
        """What is new in a point that only rises, as a point of that size."""
        if point.metric[3] == 1:
            if (point.start, point.time) in self.intervals:
                return None
            self.intervals.add((point.start, point.time))
            return point
        last = self.runs.get(point.start)
        if last is not None and point.time <= last.time:
            return None
        self.runs[point.start] = point
        if last is None or _fell(last, point):
            return point
        counts = tuple(new - old for new, old in zip(point.counts, last.counts, strict=True))
        return point._replace(counts=counts, value=point.value - last.value)


def _fell(last: Reading, point: Reading) -> bool:
    if point.counts:
        return any(new < old for new, old in zip(point.counts, last.counts, strict=True))
    return point.value < last.value


class Reference:
    """All series of one pod."""

    def __init__(self, identity: dict[str, str]) -> None:
        self.identity = identity
        self.streams: dict[tuple[object, ...], _Stream] = {}
        self.series: dict[tuple[str, tuple[tuple[str, str], ...]], collections.Counter[object]] = {}
        self.bounds: dict[tuple[str, tuple[tuple[str, str], ...]], tuple[float, ...]] = {}
        self.gauges: dict[tuple[str, tuple[tuple[str, str], ...]], Reading] = {}
        self.rejected = 0
        self.accepted = 0

    def observe(self, point: Reading) -> None:
        """Count one point."""
        if not point.is_sound:
            self.rejected += 1
            return
        self.accepted += 1
        series = point.metric[1], point.labels
        stream = self.streams.setdefault((point.metric, point.attributes), _Stream())
        if point.metric[2] == "gauge" or (point.metric[2] == "sum" and not point.metric[4] and point.metric[3] == 2):
            if point.time >= stream.newest:
                stream.newest = point.time
                self.gauges[series] = point
            return
        self.bounds.setdefault(series, point.bounds)
        new = stream.add(point)
        totals = self.series.setdefault(series, collections.Counter())
        if new is not None:
            totals["value"] += new.value  # type: ignore[assignment]
            for index, count in enumerate(new.counts):
                totals[index] += count

    def expected(self) -> dict[Key, float]:
        """All samples."""
        samples: dict[Key, float] = {}
        for (name, labels), totals in self.series.items():
            shown, family, bounds = dict(labels) | self.identity, _FAMILIES[name], self.bounds[name, labels]
            if name == "gen_ai.client.token.usage":
                counts = [totals[index] for index in range(len(bounds) + 1)]
                samples |= histogram_samples(family, shown, counts, bounds, float(totals["value"]))
            else:
                samples |= number_samples(family, shown, float(totals["value"]))
        for (name, labels), point in self.gauges.items():
            samples |= number_samples(_FAMILIES[name], dict(labels) | self.identity, point.value)
        return samples
