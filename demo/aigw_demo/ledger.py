"""The ledger of one pod: what it recorded, counted in plain Python beside the OpenTelemetry SDK.

It is the truth that the summary compares with, so it must not share code with the SDK or with the receiver.
"""

import math
from bisect import bisect_left
from collections.abc import Mapping
from itertools import accumulate

from aigw_demo.instruments import Instrument
from aigw_demo.series import HistogramValue, SeriesKey, SeriesMap, build_key, build_label_name


class _Observations:
    """The observations of one histogram series."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        """Count one observation in the bucket whose upper bound is the first that is not below it."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def value(self) -> HistogramValue:
        """The histogram of everything that was added."""
        buckets = tuple(zip((*self._bounds, math.inf), accumulate(self._counts), strict=True))
        return HistogramValue(sum(self._counts), self._sum, buckets)


class Ledger:
    """Counters and histograms of one pod, by family and attributes."""

    def __init__(self, identity: Mapping[str, str]) -> None:
        self._identity = dict(identity)
        self._counters: dict[SeriesKey, float] = {}
        self._histograms: dict[SeriesKey, _Observations] = {}

    def add(self, instrument: Instrument, value: float, attributes: Mapping[str, str]) -> None:
        """Record one value of an instrument."""
        labels = {build_label_name(name): text for name, text in attributes.items()}
        key = build_key(instrument.family, {**labels, **self._identity})
        if instrument.bounds:
            self._histograms.setdefault(key, _Observations(instrument.bounds)).add(value)
        else:
            self._counters[key] = self._counters.get(key, 0.0) + value

    def series(self) -> SeriesMap:
        """Everything that was recorded so far."""
        return {**self._counters, **{key: observations.value() for key, observations in self._histograms.items()}}
