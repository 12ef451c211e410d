"""Bounds on what senders can make the receiver hold, and how labels are folded where one is reached.

A model name is whatever a client wrote into its request, so without bounds a client could fill the memory of every
Prometheus. What is over a bound is kept under the value `other` where it is a label; values that were known before
stay as they are.
"""

import dataclasses
from typing import Final

from aigw_receiver.core.model import DropReason, FoldReason, Outcome, PointError

OTHER: Final = "other"


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """How much is held at most; every one is configurable."""

    streams: int = 200_000
    """streams of all gateways together"""
    streams_per_pod: int = 20_000
    """streams of one gateway pod; at most half of them may be such as share a series with others (`other`)"""
    pods: int = 5_000
    """gateway pods that are remembered at one time"""
    labels: int = 40
    """attributes of one data point"""
    label_length: int = 256
    """characters of one label value"""
    name_length: int = 256
    """characters of the name of a metric, of an attribute, and of each part of a pod's identity"""
    label_values: int = 5_000
    """different values of one label of one gateway"""


class LabelValues:
    """The values that each label of one gateway has had. A value that is new beyond the bound is folded."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: dict[str, set[str]] = {}

    def fold(self, labels: dict[str, str], limits: Limits, outcome: Outcome, example: str) -> bool:
        """Replace in `labels` what is over a bound; answers whether anything was."""
        if len(labels) > limits.labels:
            raise PointError(DropReason.TOO_MANY_LABELS)
        folded = False
        for name, value in labels.items():
            reason = self._over(name, value, limits)
            if reason is not None:
                labels[name] = OTHER
                outcome.fold(reason, f"{example}: {name}")
                folded = True
        return folded

    def _over(self, name: str, value: str, limits: Limits) -> FoldReason | None:
        if len(value) > limits.label_length:
            return FoldReason.LABEL_VALUE_TOO_LONG
        seen = self._seen.get(name)
        if seen is not None and value in seen:
            return None
        if len(seen if seen is not None else self._seen) >= limits.label_values:
            return FoldReason.TOO_MANY_LABEL_VALUES
        self._seen.setdefault(name, set()).add(value)
        return None

    def state(self) -> dict[str, list[str]]:
        """What a later run needs to fold the same values."""
        return {name: sorted(values) for name, values in self._seen.items()}

    def restore(self, state: dict[str, list[str]]) -> None:
        """Take over the values of an earlier run."""
        self._seen = {name: set(values) for name, values in state.items()}
