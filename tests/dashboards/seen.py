"""What happened, as one sees it who has chosen gateways, pods, providers, models and servers. It knows no PromQL."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from board.series import LABELS
from dashboards import traffic
from rules import oracle, scenario
from rules.scenario import Llm, Mcp

Labels = tuple[tuple[str, str], ...]
Groups = dict[Labels, list[float]]

MINUTES: Final = 5
"""Over how many minutes a rate is taken; everything has happened within these."""


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """What is chosen; an empty one is all."""

    namespace: str = ""
    pod: str = ""
    provider: str = ""
    model: str = ""
    backend: str = ""

    def llm(self, values: Callable[[Llm], Sequence[float] | None], *by: str) -> Groups:
        """Numbers of LLM requests by words; None: there is no series of it."""
        found: Groups = {}
        for one in scenario.LLM:
            words = {"provider": one.provider, "model": one.model, "original": traffic.ASKED[one.model]}
            if self._sees(one.namespace, one.pod, words) and (numbers := values(one)) is not None:
                found.setdefault(_labels(one, words, by), []).extend(_lived(one, numbers))
        return found

    def mcp(self, values: Callable[[Mcp], Mapping[Sequence[str], Sequence[float]]], *by: str) -> Groups:
        """Numbers of MCP by words; a row gives its own words as (key, value, …)."""
        found: Groups = {}
        for one in scenario.MCP:
            for more, numbers in values(one).items():
                words = {"backend": one.backend, **dict(zip(more[::2], more[1::2], strict=True))}
                if self._sees(one.namespace, one.pod, words):
                    found.setdefault(_labels(one, words, by), []).extend(_lived(one, numbers))
        return found

    def logs(self, values: Callable[[traffic.Log], Mapping[str, str] | None], *by: str) -> Groups:
        """Access logs by words; None: it is not counted."""
        found: Groups = {}
        for log in traffic.LOGS:
            if self.namespace in ("", log.namespace) and (words := values(log)) is not None:
                found.setdefault(tuple(sorted((LABELS[key], words[key]) for key in by)), []).append(log.count)
        return found

    def _sees(self, namespace: str, pod: str, words: Mapping[str, str]) -> bool:
        chosen = {"provider": self.provider, "model": self.model, "backend": self.backend}
        return (
            self.namespace in ("", namespace)
            and self.pod in ("", pod)
            and all(words.get(key, value) == value for key, value in chosen.items() if value)
        )


def _labels(one: Llm | Mcp, words: Mapping[str, str], by: Sequence[str]) -> Labels:
    known = {"namespace": one.namespace, "gateway": "chat", "pod": one.pod, "operation": "chat", **words}
    return tuple(sorted((LABELS[key], known[key]) for key in by))


def _lived(one: Llm | Mcp, numbers: Sequence[float]) -> list[float]:
    return list(numbers) * traffic.LIVES.get((one.namespace, one.pod), 1)


def ones(one: Llm) -> Sequence[float]:
    """A 1 for each request."""
    return [1.0] * len(oracle.all_durations(one))


def tokens(*kinds: str) -> Callable[[Llm], Sequence[float]]:
    """Tokens of some kinds."""
    return lambda one: [float(sum(one.tokens.get(kind, 0) for kind in kinds))]


def cost(one: Llm) -> Mapping[str, float] | None:
    """USD by type of token; types do not overlap."""
    prices = traffic.PRICES.get(one.model)
    if prices is None:
        return None
    cached, creation, reasoning = (one.tokens.get(kind, 0) for kind in _CONTAINED)
    found = {
        "input": (one.tokens["input"] - cached - creation) * prices["input"],
        "cached_input": cached * prices["cached"],
        "cache_creation_input": creation * prices.get("creation", 0.0),
        "output": (one.tokens["output"] - reasoning) * prices["output"],
        "reasoning": reasoning * prices["output"],
    }
    return {kind: usd / 1e6 for kind, usd in found.items() if kind in one.tokens}


_CONTAINED: Final = ("cached_input", "cache_creation_input", "reasoning")


def dollars(one: Llm) -> Sequence[float] | None:
    """USD of all types."""
    by_type = cost(one)
    return None if by_type is None else list(by_type.values())


def unpriced(one: Llm) -> Sequence[float]:
    """Tokens without a price; 0 where all have one."""
    return tokens("input", "output")(one) if one.model not in traffic.PRICES else [0.0]


def typed(seen: Seen, of: Callable[[Llm], Mapping[str, float] | None], *by: str) -> Groups:
    """Numbers by type of token, beside other words."""
    found: Groups = {}
    for kind in ("input", "output", "cached_input", "cache_creation_input", "reasoning"):

        def values(one: Llm, kind: str = kind) -> Sequence[float] | None:
            numbers = of(one)
            return None if numbers is None or kind not in numbers else [numbers[kind]]

        for labels, numbers in seen.llm(values, *by).items():
            found[tuple(sorted((*labels, (LABELS["token_type"], kind))))] = numbers
    return found


def messages(*statuses: str) -> Callable[[Mcp], Mapping[Sequence[str], Sequence[float]]]:
    """A 1 for each message with one of these statuses, a 0 for each other one; without statuses a 1 for each."""

    def values(one: Mcp) -> Mapping[Sequence[str], Sequence[float]]:
        return {
            ("method", method, "status", status): [float(not statuses or status in statuses)] * count
            for (method, status), count in one.methods.items()
        }

    return values


def failed_only(one: Mcp) -> Mapping[Sequence[str], Sequence[float]]:
    """A 1 for each message that failed; the others are not there."""
    return {
        ("method", method, "status", status): [1.0] * count
        for (method, status), count in one.methods.items()
        if status != "success"
    }


def capabilities(one: Mcp) -> Mapping[Sequence[str], Sequence[float]]:
    """A 1 for each capability."""
    return {("capability", kind, "side", "server"): [1.0] * count for kind, count in one.capabilities.items()}


def plainly(values: Callable[[Mcp], Sequence[float]]) -> Callable[[Mcp], Mapping[Sequence[str], Sequence[float]]]:
    """Numbers of MCP without words of their own."""
    return lambda one: {(): values(one)}


def total(groups: Groups) -> oracle.Numbers:
    """How much there was."""
    return {labels: math.fsum(values) for labels, values in groups.items()}


def per_minute(groups: Groups) -> oracle.Numbers:
    """How much there was in a minute."""
    return {labels: value / MINUTES for labels, value in total(groups).items()}


def ratio(part: Groups, whole: Groups) -> oracle.Numbers:
    """How much of a part there was for each of the whole."""
    amounts, wholes = total(part), total(whole)
    return {labels: amounts[labels] / value for labels, value in wholes.items() if value and labels in amounts}


def quantile(groups: Groups, share: float, bounds: Sequence[float]) -> oracle.Numbers:
    """A percentile of each group."""
    return {labels: oracle.percentile(values, share, bounds) for labels, values in groups.items() if values}


def pods(seen: Seen, *by: str) -> oracle.Numbers:
    """Pods that send."""
    found: dict[Labels, float] = {}
    for namespace, pod in _pods():
        if seen.namespace in ("", namespace) and seen.pod in ("", pod):
            words = {"namespace": namespace, "gateway": "chat"}
            labels = tuple(sorted((LABELS[key], words[key]) for key in by))
            found[labels] = found.get(labels, 0.0) + 1
    return found


def _pods() -> Iterator[tuple[str, str]]:
    yield from traffic.PODS
