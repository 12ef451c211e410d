"""The 99th percentile of the durations of each model, learned from what passes. It decides nothing of a request.

A model's durations are counted in buckets whose bounds grow by a fixed ratio (as DDSketch has them), so the error is
bounded relative to the value, whatever the distribution; a method that moves a few markers (P²) has no bound, and is
led astray by durations that come in several groups. Older counts fade. A model costs 4 KB, and an observation one step.
"""

import array
import collections
import math
from collections.abc import Hashable, Sequence
from typing import Final

# Each bucket's upper bound is this much above its lower one, so the percentile is at most 4 % too high.
RATIO: Final = 1.04
# The first bucket holds all below a millisecond, which Envoy writes as 0 or 1; the last one all above an hour.
_LONGEST: Final = 3_600_000.0
LAST: Final = math.ceil(math.log(_LONGEST) / math.log(RATIO))
_PER_E: Final = 1 / math.log(RATIO)

QUANTILE: Final = 0.99

# Observations between two looks at the whole of a model: a look takes as long as about a hundred observations.
_BETWEEN: Final = 128

# Counts fade in steps of about one in a hundred: each costs as much as a look.
_FADINGS: Final = 64

# Of a model that is known this many times as well as it must be, one of as many is learned from, and counts for all.
_THINNED: Final = 8

# Room for the rounding of RATIO**i: what lies in the bucket of the percentile must not be above it.
_ROUNDING: Final = 1 + 1e-9


def bucket(duration: float) -> int:
    """The number of the bucket of a duration in milliseconds; bucket i holds RATIO**i up to RATIO**(i+1)."""
    if duration < 1:
        return 0
    return min(int(math.log(duration) * _PER_E), LAST)


class _Model:
    __slots__ = ("counts", "fade_from", "left", "limit", "share", "total")

    def __init__(self, now: int) -> None:
        self.counts = array.array("d", bytes(8 * (LAST + 1)))
        self.total = 0.0
        self.limit = math.inf
        self.share = 1.0
        self.left = _BETWEEN
        self.fade_from = now


class Learned:
    """What was learned of each model. Models beyond the bound push out those that were not seen for longest."""

    __slots__ = ("_fade_after", "_half_life", "_models", "_most", "_observations")

    def __init__(self, *, observations: int, half_life: int, models: int) -> None:
        """`observations` before a model is judged, `half_life` in nanoseconds, and how many `models` at most."""
        self._observations = observations
        self._half_life = half_life
        self._fade_after = half_life // _FADINGS
        self._most = models
        self._models: collections.OrderedDict[Hashable, _Model] = collections.OrderedDict()

    def exceeds(self, key: Hashable, duration: float, now: int, random: float) -> bool:
        """Whether a duration in milliseconds is above the percentile of its model; after that it is learned from.

        False as long as too little is known. What lies in the same bucket as the percentile is not above it, so that
        a model whose requests all take the same time has no slow ones. `random`, from [0, 1), chooses what is learned
        from where more comes than is needed.
        """
        model = self._models.get(key)
        if model is None:
            model = self._meet(key, now)
        if random < model.share:
            exceeds = duration > model.limit
            self._learn(key, model, duration, now)
            return exceeds
        return duration > model.limit

    def learn(self, key: Hashable, durations: Sequence[float], now: int, random: float) -> None:
        """Learn from durations that were judged otherwise, as `exceeds` does."""
        if not durations:
            return
        model = self._models.get(key) or self._meet(key, now)
        step = round(1 / model.share)
        for duration in durations[int(random * step) :: step]:
            self._learn(key, model, duration, now)

    def is_above(self, key: Hashable, duration: float) -> bool:
        """The same of a duration that is not to be learned from, since its request failed."""
        model = self._models.get(key)
        return model is not None and duration > model.limit

    def percentile(self, key: Hashable) -> float | None:
        """The percentile that is used, in milliseconds: never too low, at most 4 % too high. None if there is none."""
        model = self._models.get(key)
        return None if model is None or model.limit == math.inf else model.limit

    def __len__(self) -> int:
        return len(self._models)

    def _meet(self, key: Hashable, now: int) -> _Model:
        model = self._models[key] = _Model(now)
        if len(self._models) > self._most:
            self._models.popitem(last=False)
        return model

    def _learn(self, key: Hashable, model: _Model, duration: float, now: int) -> None:
        self._models.move_to_end(key)
        if now - model.fade_from > self._fade_after:
            self._fade(model, now)
        weight = 1 / model.share
        model.counts[bucket(duration)] += weight
        model.total += weight
        model.left -= 1
        if not model.left:
            self._look(model)

    def _fade(self, model: _Model, now: int) -> None:
        """Let what was counted so far count less."""
        factor = 0.5 ** ((now - model.fade_from) / self._half_life)
        model.counts = array.array("d", [count * factor for count in model.counts])
        model.total *= factor
        model.fade_from = now

    def _look(self, model: _Model) -> None:
        """Find a model's percentile, and choose how much is learned from."""
        model.left = _BETWEEN
        model.share = 1.0 if model.total < _THINNED * self._observations else 1 / _THINNED
        model.limit = math.inf
        if model.total >= self._observations:
            highest = _percentile_bucket(model)
            if highest < LAST:
                model.limit = RATIO ** (highest + 1) * _ROUNDING


def _percentile_bucket(model: _Model) -> int:
    """The lowest bucket with no more than the share 1 - QUANTILE of all above it."""
    above = (1 - QUANTILE) * model.total
    for index in range(LAST, 0, -1):
        above -= model.counts[index]
        if above < 0:
            return index
    return 0
