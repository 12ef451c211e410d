"""What the streams of tokens cost, one row of numbers each, beside the rows of the store that hold the streams.

A row here has the number of its stream's row there (`series.Rows`). Rows of one *group* count the kinds of tokens of
the same requests: their labels differ in nothing but the kind. This module finds rows and groups and keeps numbers; the
prices, and what is priced, are decided in `cost_series`.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aigw_receiver.core.pricing import labels
from aigw_receiver.core.pricing.book import TokenKind
from aigw_receiver.core.series import Rows

_TYPE: Final = "gen_ai_token_type"
_PROVIDER: Final = "gen_ai_provider_name"
_REQUESTED: Final = "gen_ai_request_model"
_ANSWERED: Final = "gen_ai_response_model"

KINDS: Final = len(TokenKind)
_KINDS: Final = {kind.value: number for number, kind in enumerate(TokenKind)}

# More cannot be told apart by the floats that they come as.
MOST_TOKENS: Final = float(1 << 53)

_NOBODY: Final = -1

# The model that answered, the model that was asked for, and the provider.
Model = tuple[str, str, str]

# Kept over a restart; all else is found again by the labels.
_KEPT: Final = ("owner", "shown", "total", "done", "usd", "units", "unpriced", "priced_since", "unpriced_since")
_DTYPES: Final[dict[str, Any]] = {name: np.dtype(np.int64) for name in _KEPT} | {
    "owner": np.dtype(np.int32),
    "shown": np.dtype(np.float64),
    "group": np.dtype(np.int32),
}
_NUMBERS_OF_OTHERS: Final = ("owner", "group")


class CostRows:
    """The rows of one layout.

    `shown` is the value of the stream when it was last read, `total` the tokens that it has counted under our eyes,
    `done` those of its kind, without what other kinds are part of, that have been dealt with. Cost is `usd` and `units`
    of 1e-12 USD, fewer than one USD has. A series began at `priced_since` or `unpriced_since`, nanoseconds since
    1970; 0: there is none.
    """

    __slots__ = (
        "_numbers",
        "done",
        "group",
        "hashes",
        "members",
        "model_of_group",
        "models",
        "owner",
        "priced_since",
        "rows",
        "shown",
        "size",
        "total",
        "units",
        "unpriced",
        "unpriced_since",
        "usd",
    )

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.size = 0
        self.owner: npt.NDArray[np.int32] = np.zeros(0, np.int32)
        self.shown: npt.NDArray[np.float64] = np.zeros(0, np.float64)
        self.group: npt.NDArray[np.int32] = np.zeros(0, np.int32)
        self.total: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self.done: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self.usd: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self.units: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self.unpriced: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self.priced_since: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self.unpriced_since: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self.members: npt.NDArray[np.int32] = np.zeros((0, KINDS), np.int32)
        """by group and kind, the row; -1 where there is none"""
        self.hashes: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        """by group, the hash of the labels that its rows share"""
        self.model_of_group: npt.NDArray[np.int32] = np.zeros(0, np.int32)
        self.models: list[Model] = []
        self._numbers: dict[Model, int] = {}

    def meet(self) -> npt.NDArray[np.intp]:
        """Find what is new since the last call, and give up what is gone; answers the new rows that count tokens."""
        self._grow()
        owner = self.rows.owner[: self.size]
        changed = np.flatnonzero(owner != self.owner[: self.size])
        if not len(changed):
            return changed
        self._forget(changed)
        self.owner[changed] = owner[changed]
        return self._join(changed[owner[changed] != _NOBODY])

    def _grow(self) -> None:
        """As many rows as there are streams; the store has grown by half where it had to, and so do we."""
        capacity = len(self.rows.owner)
        if capacity > len(self.owner):
            for name, dtype in _DTYPES.items():
                new = np.full(capacity, _NOBODY if name in _NUMBERS_OF_OTHERS else 0, dtype)
                new[: self.size] = getattr(self, name)[: self.size]
                setattr(self, name, new)
        self.size = self.rows.size

    def _forget(self, at: npt.NDArray[np.intp]) -> None:
        groups = np.unique(self.group[at])
        groups = groups[groups != _NOBODY]
        members = self.members[groups]
        members[np.isin(members, at)] = _NOBODY
        self.members[groups] = members
        for name in _DTYPES:
            getattr(self, name)[at] = _NOBODY if name in _NUMBERS_OF_OTHERS else 0

    def _join(self, at: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        """Put new rows into their groups; answers those that count tokens.

        Groups are told apart by 64 bits of the hash of their labels, which nobody can foresee: it differs from run to
        run. One that has no rows left is used again.
        """
        found: list[tuple[int, int, int, str]] = []
        for row in at.tolist():
            text = self.rows.labels[row]
            if text is not None:
                kind, others = labels.split(text, _TYPE)
                if kind in _KINDS:
                    found.append((row, _KINDS[kind], hash(others), text))
        if not found:
            return at[:0]
        hashes = np.array([entry[2] for entry in found], np.int64)
        for (row, number, _, text), group in zip(found, self._groups_of(hashes), strict=True):
            self.group[row] = group
            self.members[group, number] = row
            if self.model_of_group[group] == _NOBODY:
                self.model_of_group[group] = self._model(text)
        return np.array([entry[0] for entry in found], np.intp)

    def _groups_of(self, hashes: npt.NDArray[np.int64]) -> list[int]:
        """The numbers of the groups with these hashes; new ones where there are none."""
        free = np.flatnonzero((self.members == _NOBODY).all(axis=1))
        self.hashes[free], self.model_of_group[free] = 0, _NOBODY
        order = np.argsort(self.hashes, kind="stable")
        known = self.hashes[order]
        wanted, place = np.unique(hashes, return_inverse=True)
        at = np.searchsorted(known, wanted)
        has = np.zeros(len(wanted), np.bool_)
        inside = at < len(known)
        has[inside] = known[at[inside]] == wanted[inside]
        numbers = np.zeros(len(wanted), np.intp)
        numbers[has] = order[at[has]]
        numbers[~has] = self._new_groups(wanted[~has], free)
        return [int(number) for number in numbers[place]]

    def _new_groups(self, hashes: npt.NDArray[np.int64], free: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        more = max(len(hashes) - len(free), 0)
        first = len(self.hashes)
        if more:
            self.members = np.concatenate((self.members, np.full((more, KINDS), _NOBODY, np.int32)))
            self.hashes = np.concatenate((self.hashes, np.zeros(more, np.int64)))
            self.model_of_group = np.concatenate((self.model_of_group, np.full(more, _NOBODY, np.int32)))
        numbers = np.concatenate((free, np.arange(first, first + more)))[: len(hashes)]
        self.hashes[numbers] = hashes
        return numbers

    def _model(self, text: str) -> int:
        answered, requested, provider = (labels.value(text, name) for name in (_ANSWERED, _REQUESTED, _PROVIDER))
        model = (answered, requested, provider)
        number = self._numbers.setdefault(model, len(self.models))
        if number == len(self.models):
            self.models.append(model)
        return number

    def arrays(self) -> dict[str, Any]:
        """What is kept over a restart, cut to size."""
        return {name: getattr(self, name)[: self.size].copy() for name in _KEPT}

    def restore(self, arrays: dict[str, Any]) -> None:
        """Take over what `arrays` of an earlier run gave, beside the same rows of the store."""
        self._grow()
        for name in _KEPT:
            getattr(self, name)[: len(arrays[name])] = arrays[name]
        self._join(np.flatnonzero(self.owner[: self.size] != _NOBODY))
