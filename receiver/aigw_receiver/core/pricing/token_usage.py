"""The gateways' token counts, read out of the store: what changed since they were last read. It changes nothing there.

A stream's number and place are looked at as arrays, so that a store of many streams that rest costs little.
"""

import dataclasses
from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from aigw_receiver.core.series import Family, Rows

# The family of the metric gen_ai.client.token.usage, whose sums are the tokens.
FAMILY: Final = "gen_ai_client_token_usage"

_NOBODY: Final = -1


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """One token stream, as its series shows it: `value` is the cumulative sum of tokens."""

    labels: str
    """as `naming.render_labels` writes them"""
    owner: int
    """the number of its pod in the store"""
    value: float
    birth: int
    created: int
    """nanoseconds since 1970"""


@dataclasses.dataclass(slots=True)
class _Seen:
    """What the rows held when they were last read."""

    rows: Rows
    values: npt.NDArray[np.float64]
    owners: npt.NDArray[np.int32]


class TokenUsage:
    """Reads the family again and again."""

    def __init__(self) -> None:
        self._seen: dict[int, _Seen] = {}

    def read(self, family: Family | None) -> tuple[list[Reading], set[int]]:
        """The series that are new or changed since the last call, and the pods that have been forgotten since."""
        layouts = [] if family is None else list(family.layouts.values())
        before = {owner for seen in self._seen.values() for owner in np.unique(seen.owners).tolist()}
        self._seen = {id(rows): self._seen.get(id(rows)) or _unseen(rows) for rows in layouts}
        changed = [reading for seen in self._seen.values() for reading in _changes(seen)]
        now = {owner for seen in self._seen.values() for owner in np.unique(seen.owners).tolist()}
        return changed, before - now - {_NOBODY}


def _unseen(rows: Rows) -> _Seen:
    return _Seen(rows, np.zeros(0, np.float64), np.zeros(0, np.int32))


def _changes(seen: _Seen) -> Iterator[Reading]:
    """The rows that differ from what was seen, which is brought up to date."""
    rows = seen.rows
    values = rows.values[: rows.size].copy()
    if rows.base_values is not None:
        values += rows.base_values[: rows.size]
    owners = rows.owner[: rows.size].copy()
    differs = np.ones(rows.size, np.bool_)
    known = min(len(seen.values), rows.size)
    differs[:known] = (values[:known] != seen.values[:known]) | (owners[:known] != seen.owners[:known])
    seen.values, seen.owners = values, owners
    for row in np.flatnonzero(differs).tolist():
        labels = rows.labels[row]
        if labels is not None:
            yield Reading(labels, int(owners[row]), float(values[row]), int(rows.birth[row]), int(rows.created[row]))
