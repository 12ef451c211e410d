"""Families of counters, and their series: births, values, and what a journal and a snapshot hold of them.

A new series takes its birth from the same numbers as the streams of the gateways' own metrics (see `core/scrapers`), so
every scraper is shown it at 0 first. It knows no records, and gives labels no meaning.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeAlias

from aigw_receiver.core import naming

Key: TypeAlias = tuple[str, ...]


@dataclasses.dataclass(slots=True, eq=False)
class Series:
    """One series. Births up to a mark are shown at their value, see `core/scrapers`."""

    family: "Family"
    labels: Key
    text: str
    birth: int
    created: int
    """nanoseconds since 1970"""
    value: int = 0


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Family:
    """A counter of Prometheus; its name is without `_total`."""

    name: str
    help: str
    labels: Key
    series: dict[Key, Series] = dataclasses.field(default_factory=dict)


class Registry:
    """All series of some families."""

    def __init__(self, families: Iterable[Family], bear: Callable[[int], int]) -> None:
        """`bear` announces a new series at a time (nanoseconds since 1970), and answers the number of its birth."""
        self.families: Final = tuple(sorted(families, key=lambda family: family.name))
        self.born = False
        """whether a series began since the last `take_changes`"""
        self._bear = bear
        self._changed: dict[int, Series] = {}

    def __iter__(self) -> Iterator[Series]:
        return (series for family in self.families for series in family.series.values())

    def series(self, family: Family, labels: dict[str, str], now: int) -> Series:
        """The series of a family that has these labels; a new one is born."""
        key = tuple(labels[name] for name in family.labels)
        series = family.series.get(key)
        if series is None:
            series = family.series[key] = Series(family, key, _text(family, key), self._bear(now), now)
            self._changed[id(series)] = series
            self.born = True
        return series

    def add(self, series: Series, count: int) -> None:
        """Raise the value of a series."""
        series.value += count
        self._changed[id(series)] = series

    def take_changes(self) -> list[list[Any]]:
        """The series that changed since this was last called, as JSON can hold them."""
        self.born = False
        changed = [as_row(series) for series in self._changed.values()]
        self._changed.clear()
        return changed

    def take(self, row: list[Any], now: int | None) -> Series | None:
        """Set a series to what an earlier run says of it; twice is as good as once.

        With `now`, its birth is announced, as when it began; else the births of that run are known already. Answers
        None for a row of a family that this version does not have.
        """
        name, labels, birth, created, value = row
        family = next((family for family in self.families if family.name == name), None)
        if family is None or len(labels) != len(family.labels):
            return None
        key = tuple(labels)
        series = family.series.get(key)
        if series is None:
            series = family.series[key] = Series(family, key, _text(family, key), birth, created)
            if now is not None:
                series.birth = self._bear(now)
        series.value = max(series.value, value)
        return series


def as_row(series: Series) -> list[Any]:
    """A series as JSON can hold it: [family, labels, birth, created, value]."""
    return [series.family.name, list(series.labels), series.birth, series.created, series.value]


def _text(family: Family, key: Key) -> str:
    return naming.render_labels(dict(zip(family.labels, key, strict=True))).replace("\0", ",")
