"""What a client recorded, counted by the client itself, and the Prometheus samples that must come of it.

Knows neither the OpenTelemetry SDK nor the receiver: plain integers, so that equality is exact.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from truth.instruments import INSTRUMENTS, Instrument

Labels: TypeAlias = frozenset[tuple[str, str]]
Series: TypeAlias = tuple[str, Labels]


class Ledger:
    """Integers by instrument and attributes: the buckets and the sum of a histogram, the total of a counter."""

    def __init__(self) -> None:
        self._buckets: dict[Series, list[int]] = {}
        self._sums: dict[Series, int] = {}

    def record(self, instrument: Instrument, attributes: Mapping[str, str], measurement: int) -> None:
        """Count one measurement: in a histogram, into the first bucket whose upper bound holds it."""
        key = (instrument.name, frozenset(attributes.items()))
        self._sums[key] = self._sums.get(key, 0) + measurement
        if instrument.bounds:
            buckets = self._buckets.setdefault(key, [0] * (len(instrument.bounds) + 1))
            buckets[bisect_left(instrument.bounds, measurement)] += 1

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add the rows of another ledger: what the same pod recorded in another life."""
        for row in rows:
            key = (row["name"], frozenset(row["attributes"].items()))
            self._sums[key] = self._sums.get(key, 0) + row["sum"]
            if row["buckets"]:
                known = self._buckets.get(key, [0] * len(row["buckets"]))
                self._buckets[key] = [a + b for a, b in zip(known, row["buckets"], strict=True)]

    def series(self) -> list[Series]:
        """The instruments and attributes that something was recorded for."""
        return list(self._sums)

    def rows(self) -> list[dict[str, Any]]:
        """Everything as JSON objects."""
        return [
            {
                "name": name,
                "attributes": dict(attributes),
                "sum": total,
                "buckets": self._buckets.get((name, attributes), []),
            }
            for (name, attributes), total in self._sums.items()
        ]

    def samples(self, identity: Mapping[str, str]) -> dict[Series, int]:
        """The samples that Prometheus must hold for a pod with these identity labels."""
        samples: dict[Series, int] = {}
        for (name, attributes), total in self._sums.items():
            family = INSTRUMENTS[name].family
            labels = frozenset((key.replace(".", "_"), value) for key, value in attributes) | frozenset(
                identity.items()
            )
            samples |= _samples(
                family, labels, total, INSTRUMENTS[name].bounds, self._buckets.get((name, attributes), [])
            )
        return samples


def _samples(
    family: str, labels: Labels, total: int, bounds: tuple[float, ...], buckets: list[int]
) -> dict[Series, int]:
    if not bounds:
        return {(family, labels): total}
    samples = {(f"{family}_sum", labels): total, (f"{family}_count", labels): sum(buckets)}
    cumulative = 0
    for bound, count in zip((*bounds, float("inf")), buckets, strict=True):
        cumulative += count
        samples[f"{family}_bucket", labels | {("le", str(bound))}] = cumulative
    return samples
