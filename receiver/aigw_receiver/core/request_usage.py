"""The gateways' requests and tokens by model, read out of the store for `reconciliation`. It changes nothing there.

Of gen_ai_server_request_duration_seconds the count is the requests that a provider answered, good ones where there is
no error_type; of gen_ai_client_token_usage the sum is input or output tokens, and the count of the type input is the
requests with tokens. The model is gen_ai_original_model, which is what access logs call the requested one.

All rows are looked at as arrays, and the labels of a row once, so that a store of many streams that rest costs little.
"""

import dataclasses
import enum
from typing import Final

import numpy as np
import numpy.typing as npt

from aigw_receiver.core.pricing import labels
from aigw_receiver.core.pricing.cost_series import FAMILY as TOKENS
from aigw_receiver.core.reconciliation import UNKNOWN, Counts, Gateway, Heard, Key, Usage
from aigw_receiver.core.series import Rows
from aigw_receiver.core.store import Store

DURATIONS: Final = "gen_ai_server_request_duration_seconds"


class _Kind(enum.IntEnum):
    """What a row counts."""

    NOTHING = 0
    GOOD = 1
    FAILED = 2
    INPUT = 3
    OUTPUT = 4


_TOKEN_KINDS: Final = {"input": _Kind.INPUT, "output": _Kind.OUTPUT}

_NOWHERE: Final = -1

# Looks after which the first export of a pod is over: it can come in parts, on both sides of a look.
_LOOKS: Final = 2

# Models beyond those that rows may need, before the ones that nobody needs are forgotten.
_SPARE: Final = 1024

_Numbers = npt.NDArray[np.float64]


@dataclasses.dataclass(slots=True)
class _Seen:
    """What the rows of one layout held when they were last read, and what they count."""

    rows: Rows
    owners: npt.NDArray[np.int32]
    places: npt.NDArray[np.int32]
    """by row, the number of its gateway and model"""
    kinds: npt.NDArray[np.int8]
    observations: _Numbers
    sums: _Numbers

    def resize(self) -> None:
        """Make room for rows that are new."""
        more = self.rows.size - len(self.owners)
        if more:
            self.owners = np.concatenate((self.owners, np.full(more, _NOWHERE, np.int32)))
            self.places = np.concatenate((self.places, np.full(more, _NOWHERE, np.int32)))
            self.kinds = np.concatenate((self.kinds, np.zeros(more, np.int8)))
            self.observations = np.concatenate((self.observations, np.zeros(more)))
            self.sums = np.concatenate((self.sums, np.zeros(more)))


class RequestUsage:
    """Reads the store again and again; each time, what was gained since."""

    def __init__(self) -> None:
        self._seen: dict[int, _Seen] = {}
        self._keys: list[Key] = []
        self._numbers: dict[Key, int] = {}
        self._began: int | None = None
        self._looks: dict[int, int] = {}
        """by the number of a pod, how often it was looked at since it was first heard after we began"""

    def read(self, store: Store, now: int) -> Usage:
        """What was gained since the last call; the first one answers nothing gained, and takes note of what there is.

        What a pod brings in its first export to us is of a time before ours, and in no increase, unless its stream
        began after us.
        """
        is_first = self._began is None
        if self._began is None:
            self._began = now
        settled = np.array([pod for pod, looks in self._looks.items() if looks >= _LOOKS], np.int32)
        heard = self._look_at_pods(store, self._began)
        increases: dict[Key, Counts] = {}
        joined: set[Gateway] = set()
        seen = self._seen
        self._seen = {}
        for name in (DURATIONS, TOKENS):
            family = store.families.get(name)
            for rows in [] if family is None else family.layouts.values():
                one = self._seen[id(rows)] = seen.get(id(rows)) or _unseen(rows)
                self._read_rows(one, name, settled, increases, joined)
        self._forget_keys()
        return Usage({}, frozenset(), heard) if is_first else Usage(increases, frozenset(joined), heard)

    def _look_at_pods(self, store: Store, began: int) -> dict[Gateway, Heard]:
        """When the live pods of each gateway were heard."""
        heard: dict[Gateway, Heard] = {}
        looks: dict[int, int] = {}
        for source in store.sources.values():
            last = source.last_seen
            if last > began:
                looks[source.number] = self._looks.get(source.number, 0) + 1
            if not source.ended:
                gateway = (source.identity.namespace, source.identity.name)
                before = heard.get(gateway)
                heard[gateway] = Heard(last, last) if before is None else _both(before, last)
        self._looks = looks
        return heard

    def _read_rows(
        self,
        seen: _Seen,
        family: str,
        settled: npt.NDArray[np.int32],
        increases: dict[Key, Counts],
        joined: set[Gateway],
    ) -> None:
        """Add what the rows of one layout have gained, and bring up to date what was seen of them."""
        rows = seen.rows
        seen.resize()
        owners = rows.owner[: rows.size]
        is_new = owners != seen.owners
        observations, sums = _shown(rows)
        if is_new.any():
            seen.observations[is_new] = seen.sums[is_new] = 0.0
            found = [self._place(family, rows.labels[row]) for row in np.flatnonzero(is_new).tolist()]
            seen.kinds[is_new], seen.places[is_new] = zip(*found, strict=True)
            seen.owners = owners.copy()
        changed = (observations != seen.observations) | (sums != seen.sums)
        at = np.flatnonzero(changed & (seen.kinds != _Kind.NOTHING))
        if len(at):
            is_ours = np.isin(owners[at], settled) | (rows.created[at] >= np.uint64(self._began or 0))
            is_ours &= ~is_new[at] | (rows.birth[at] > 0)
            joined |= {self._keys[place][:2] for place in np.unique(seen.places[at[~is_ours]]).tolist()}
            at = at[is_ours]
            risen = observations[at] - seen.observations[at], sums[at] - seen.sums[at]
            self._add(seen.kinds[at], seen.places[at], *risen, increases)
        seen.observations, seen.sums = observations, sums

    def _add(
        self,
        kinds: npt.NDArray[np.int8],
        places: npt.NDArray[np.int32],
        observations: _Numbers,
        sums: _Numbers,
        increases: dict[Key, Counts],
    ) -> None:
        """Add up what rows have gained, by gateway and model."""
        for kind in np.unique(kinds).tolist():
            some = kinds == kind
            found, inverse = np.unique(places[some], return_inverse=True)
            counted = np.bincount(inverse, observations[some]).tolist()
            summed = np.bincount(inverse, sums[some]).tolist()
            for place, count, total in zip(found.tolist(), counted, summed, strict=True):
                key = self._keys[place]
                increases[key] = increases.get(key, Counts()).plus(_counts(kind, round(count), round(total)))

    def _place(self, family: str, text: str | None) -> tuple[int, int]:
        """What the row of a stream counts, and for whom; a row without labels adds to that of another."""
        if text is None:
            return _Kind.NOTHING, _NOWHERE
        found = labels.parse(text)
        if family == DURATIONS:
            kind = _Kind.FAILED if found.get("error_type") else _Kind.GOOD
        else:
            kind = _TOKEN_KINDS.get(found.get("gen_ai_token_type", ""), _Kind.NOTHING)
        if kind == _Kind.NOTHING:
            return _Kind.NOTHING, _NOWHERE
        model = found.get("gen_ai_original_model") or UNKNOWN
        return kind, self._number((found.get("gateway_namespace", ""), found.get("gateway_name", ""), model))

    def _number(self, key: Key) -> int:
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._keys)
            self._keys.append(key)
        return number

    def _forget_keys(self) -> None:
        """Forget the gateways and models of rows that are gone, once they may be many."""
        if len(self._keys) <= _SPARE + sum(len(seen.rows.index) for seen in self._seen.values()):
            return
        keys, self._keys, self._numbers = self._keys, [], {}
        for seen in self._seen.values():
            used = np.unique(seen.places)
            for place in used[used != _NOWHERE].tolist():
                self._number(keys[place])
            numbers = [self._numbers.get(key, _NOWHERE) for key in keys]
            seen.places = np.array([*numbers, _NOWHERE], np.int32)[seen.places]


def _unseen(rows: Rows) -> _Seen:
    nothing = np.zeros(0)
    return _Seen(rows, np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.int8), nothing, nothing)


def _both(heard: Heard, last: int) -> Heard:
    return Heard(min(heard.first, last), max(heard.last, last))


def _shown(rows: Rows) -> tuple[_Numbers, _Numbers]:
    """How many observations each row shows, and their sum."""
    counts, sums = _row_sums(rows.counts[: rows.size]), rows.values[: rows.size].copy()
    if rows.base_counts is not None and rows.base_values is not None:
        counts += _row_sums(rows.base_counts[: rows.size])
        sums += rows.base_values[: rows.size]
    return counts, sums


def _row_sums(counts: npt.NDArray[np.uint64]) -> _Numbers:
    # Three times as fast as `sum`, for rows as short as these.
    added: npt.NDArray[np.uint64] = np.einsum("ij->i", counts)
    return added.astype(np.float64)


def _counts(kind: int, observations: int, total: int) -> Counts:
    match kind:
        case _Kind.GOOD:
            return Counts(answered=observations, good=observations)
        case _Kind.FAILED:
            return Counts(answered=observations)
        case _Kind.INPUT:
            return Counts(with_tokens=observations, input=total)
        case _:
            return Counts(output=total)
