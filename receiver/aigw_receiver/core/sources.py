"""The pods that send: when each was heard, how often it sends, and when it has ended. It holds no stream's numbers.

Times are nanoseconds since 1970, of the receiver's clock: only arrivals are compared with each other here.
"""

import collections
import dataclasses
import statistics
from typing import Final

from aigw_receiver.core.model import Identity

SECOND: Final = 1_000_000_000

# Exports that arrive closer together belong to one collection that the sender split up.
_SAME_COLLECTION: Final = SECOND // 20

# How many gaps between exports the interval is learned from: one that is off (a flush at shutdown, an outage) does not
# move the median of five.
_GAPS: Final = 5

# Streams that show up within this time after the first export of a pod came with it.
_FIRST_COLLECTION: Final = SECOND


@dataclasses.dataclass(frozen=True, slots=True)
class Expiry:
    """When a pod that is silent has ended, and how long it is remembered after that. All in nanoseconds."""

    missed_intervals: int = 3
    """export intervals that must pass in silence"""
    default_interval: int = 60 * SECOND
    """the interval of a pod that has sent only once: the OpenTelemetry SDK's default"""
    minimum_interval: int = SECOND
    """no interval is taken for shorter than this"""
    retention: int = 3600 * SECOND
    """how long the streams of an ended pod are kept, so that it continues them when it comes back"""


@dataclasses.dataclass(slots=True)
class Source:
    """One gateway pod, by its identity. `number` is the owner of its rows, `labels` those of its target_info."""

    number: int
    identity: Identity
    labels: dict[str, str]
    first_seen: int
    last_seen: int
    last_change: int
    quiet_since: int
    """the later of the last export and the receiver's own start: silence counts from here"""
    forgotten_at: int = 0
    """when the last pod of this identity was heard before it was forgotten, 0 if there was none"""
    newest_birth: int = 0
    streams: int = 0
    children: int = 0
    """streams that have no series of their own (see `series.Rows`)"""
    ended: bool = False
    gaps: collections.deque[int] = dataclasses.field(default_factory=lambda: collections.deque(maxlen=_GAPS))

    def hear(self, now: int) -> None:
        """An export of this pod arrived, with metrics or without (a heartbeat)."""
        gap = now - self.last_seen
        if gap >= _SAME_COLLECTION and not self.ended:
            self.gaps.append(gap)
        self.last_seen = self.quiet_since = now

    def interval(self, expiry: Expiry) -> int:
        """How often the pod exports, as far as was seen."""
        learned = int(statistics.median(self.gaps)) if self.gaps else expiry.default_interval
        return max(learned, expiry.minimum_interval)

    def is_silent(self, now: int, expiry: Expiry) -> bool:
        """Whether it has missed as many exports as tell that the pod has ended."""
        return now - self.quiet_since > expiry.missed_intervals * self.interval(expiry)

    def in_first_collection(self, now: int) -> bool:
        """Whether what arrives now may still belong to the first export of the pod that we saw."""
        return now - self.first_seen < _FIRST_COLLECTION


def is_new_stream(source: Source, start: int, now: int, *, known_since: int) -> bool:
    """Whether a cumulative stream that we see for the first time began under our eyes.

    One that did is shown from zero; one that is only new to us continues at its value. It began under our eyes if its
    pod was known before, or if it started after we did (`known_since`) and after the pod was last forgotten.
    """
    if not source.in_first_collection(now):
        return True
    return start > max(known_since, source.forgotten_at)
