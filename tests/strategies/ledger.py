"""What a receiver must show after the requests that reached it: counted from what the senders recorded, not from rules.

A delta interval counts once, however often it came. Of a cumulative run counts what it had recorded at the newest
request that came. A run of a stream that is known, and that began before the receiver listened, counts only from the
first request of it that came.
"""

import dataclasses
from collections.abc import Iterable

from strategies.exposed import Key, histogram_samples, number_samples
from strategies.senders import BOUNDS, CUMULATIVE, EXPONENTIAL, GAUGE, HISTOGRAM, POWERS, Entry, State, Stream


@dataclasses.dataclass(slots=True)
class _Run:
    baseline: State
    newest: Entry


class Ledger:
    """Everything that was delivered."""

    def __init__(self, known_since: int) -> None:
        self.known_since = known_since
        self.hidden: set[Stream] = set()
        self.deltas: dict[Stream, dict[tuple[int, int, int], State]] = {}
        self.runs: dict[Stream, dict[int, _Run]] = {}
        self.gauges: dict[Stream, Entry] = {}

    def deliver(self, entries: Iterable[Entry]) -> None:
        """Write down one request that reached the receiver."""
        for entry in entries:
            if entry.no_value:
                self.hidden.add(entry.stream)
                continue
            self.hidden.discard(entry.stream)
            if entry.stream.temporality == CUMULATIVE and entry.stream.is_counted:
                self._deliver_cumulative(entry)
            elif entry.stream.temporality == CUMULATIVE or entry.stream.kind == GAUGE:
                newest = self.gauges.get(entry.stream)
                if newest is None or entry.time >= newest.time:
                    self.gauges[entry.stream] = entry
            else:
                intervals = self.deltas.setdefault(entry.stream, {})
                intervals[entry.run, entry.start, entry.time] = entry.state

    def _deliver_cumulative(self, entry: Entry) -> None:
        runs = self.runs.setdefault(entry.stream, {})
        run = runs.get(entry.run)
        if run is None:
            is_reset = any(other.newest.start == entry.start for other in runs.values())
            is_baseline = bool(runs) and entry.start <= self.known_since and not is_reset
            runs[entry.run] = _Run(entry.state if is_baseline else State(), entry)
        elif entry.time > run.newest.time:
            run.newest = entry

    @property
    def streams(self) -> list[Stream]:
        """All streams that were ever delivered with a value."""
        return [*self.deltas, *self.runs, *self.gauges]

    def state(self, stream: Stream) -> State:
        """What the series of a stream must show."""
        total = State()
        for interval in self.deltas.get(stream, {}).values():
            total = total.plus(interval)
        for run in self.runs.get(stream, {}).values():
            total = total.plus(run.newest.state.minus(run.baseline))
        if stream in self.gauges:
            total = self.gauges[stream].state
        return total

    def expected(self) -> dict[Key, float]:
        """All samples that must be shown now; streams that differ in temporality only are one series."""
        series: dict[tuple[str, str, str], tuple[Stream, State]] = {}
        for stream in self.streams:
            if stream not in self.hidden:
                key = stream.pod, stream.kind, stream.model
                _, before = series.get(key, (stream, State()))
                series[key] = stream, before.plus(self.state(stream))
        samples: dict[Key, float] = {}
        for stream, state in series.values():
            samples |= samples_of(stream, state)
        return samples


def samples_of(stream: Stream, state: State) -> dict[Key, float]:
    """The samples of a series."""
    if stream.kind in (HISTOGRAM, EXPONENTIAL):
        bounds = BOUNDS if stream.kind == HISTOGRAM else POWERS
        return histogram_samples(stream.family, stream.labels, state.counts(bounds), bounds, state.total)
    value = state.last if stream.kind == GAUGE else state.total
    return number_samples(stream.family, stream.labels, value)


def is_counter(key: Key) -> bool:
    """Whether a sample must never fall."""
    return key[0].endswith(("_total", "_bucket", "_count", "_sum"))
