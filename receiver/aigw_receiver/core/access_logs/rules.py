"""Which requests are kept: named rules, each of which can be switched off, set, and given a budget a minute.

A request is asked for by every rule. Those that it concerns keep it as far as their budgets allow; one that concerns
no rule is *ordinary*, and may be sampled. What each rule says is set in `rule_settings`; nothing is counted here (see
`counters`). Time and randomness are arguments.

Weights. A kept request stands for `weight` requests: itself, those of which it is a sample, and those that were dropped
shortly before for the budget of the rule that it is counted under. So for each rule the weights of what was kept add
up to what came: exactly for budgets, on average for samples.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Final, Protocol

from aigw_receiver.core.access_logs.adaptive import Learned
from aigw_receiver.core.access_logs.budgets import Budget, Rate
from aigw_receiver.core.access_logs.model import Common, Decision, Ending, RouteType
from aigw_receiver.core.access_logs.rule_settings import Errors, McpErrors, RuleSettings
from aigw_receiver.core.model import Identity

ERRORS: Final = "errors"
UPSTREAM_FAILURE: Final = "upstream_failure"
SLOW: Final = "slow"
TOKENS: Final = "tokens"
MCP_ERRORS: Final = "mcp_errors"
ABORTED: Final = "aborted"
SAMPLE: Final = "sample"

NAMES: Final = (ERRORS, UPSTREAM_FAILURE, SLOW, TOKENS, MCP_ERRORS, ABORTED, SAMPLE)
"""In the order in which they are asked."""

# Bound once: the fast path looks at them for each record.
_OK: Final = Ending.OK
_MCP: Final = RouteType.MCP

_FAILURES: Final = frozenset({Ending.UPSTREAM_ERROR, Ending.GATEWAY_ERROR, Ending.TIMEOUT})

_NEVER: Final = float("inf")
_MILLISECOND: Final = 1_000_000


class Ended(Common, Protocol):
    """What the rules read of a record beside its numbers; many records have it in common."""

    @property
    def failure_reason(self) -> str: ...  # noqa: D102
    @property
    def answered_model(self) -> str: ...  # noqa: D102


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict(Decision):
    """A decision, and the rules that would have kept the record if their budgets had not been used up."""

    over_budget: tuple[str, ...] = ()


DROPPED: Final = Verdict(())
"""The decision on most records: ordinary, and not sampled."""


class Rules:
    """Decides on one record after the other; it remembers budgets, and what it learned of durations."""

    __slots__ = (
        "_adaptive",
        "_at_least",
        "_budgets",
        "_rate",
        "_sampled",
        "_samples",
        "_settings",
        "_slow_llm",
        "_slow_mcp",
        "_tokens",
        "learned",
    )

    def __init__(self, settings: RuleSettings) -> None:
        self._settings = settings
        slow, sample = settings.slow, settings.sample
        self._slow_llm = slow.llm / _MILLISECOND if slow.enabled else _NEVER
        self._slow_mcp = slow.mcp / _MILLISECOND if slow.enabled else _NEVER
        self._adaptive = slow.enabled and slow.adaptive
        self._at_least = slow.at_least / _MILLISECOND
        self._tokens = settings.tokens.total if settings.tokens.enabled else _NEVER
        self._sampled = sample.rate if sample.enabled else None
        self._rate = Rate(sample.per_minute) if sample.enabled and sample.per_minute is not None else None
        self._samples = self._sampled is not None or self._rate is not None
        self._budgets = {
            name: Budget(rule.budget) for name in NAMES if (rule := getattr(settings, name)).budget is not None
        }
        self.learned = Learned(observations=slow.observations, half_life=slow.half_life, models=slow.models)

    def concerned(self, ended: Ended) -> tuple[str, ...]:
        """The rules that a record concerns by how it ended: the same ones for all that have this in common."""
        flags = ended.response_flags.split(",") if ended.response_flags else []
        ending, status, settings = ended.ending, ended.status, self._settings
        names = []
        if ended.route_type is _MCP:
            rule = settings.mcp_errors
            if rule.enabled and (ending is Ending.TOOL_ERROR or _failed(rule, ending, status, flags)):
                names.append(MCP_ERRORS)
        elif settings.errors.enabled and _failed(settings.errors, ending, status, flags):
            names.append(ERRORS)
        upstream = settings.upstream_failure
        if upstream.enabled and (
            ended.failure_reason
            or ending is Ending.TIMEOUT
            or any(flag in upstream.flags for flag in flags)
            # An answer of 5xx is the provider's own; this is a failure before it, or in the middle of it.
            or (ending is Ending.UPSTREAM_ERROR and (status is None or status < 400))
        ):
            names.append(UPSTREAM_FAILURE)
        if settings.aborted.enabled and ending is Ending.ABORTED:
            names.append(ABORTED)
        return _in_order(tuple(names))

    def decide(
        self, ended: Ended, concerned: tuple[str, ...], duration: float | None, weight: int, now: int, random: float
    ) -> Verdict:
        """What becomes of a record that arrives at `now` (nanoseconds since 1970); `random` is from [0, 1).

        `concerned` is what the method of that name answers, `duration` is in milliseconds, and `weight` is `weight_of`
        its tokens. The same `random` always gives the same answer: what is sampled with probability p is kept where
        random < p.
        """
        identity, named = ended.identity, concerned
        if ended.route_type is _MCP:
            slow = duration is not None and duration >= self._slow_mcp
        else:
            slow = duration is not None and self._is_slow(ended, duration, now, random)
            if weight >= self._tokens:
                named = _in_order((*named, TOKENS))
        if slow:
            named = _in_order((*named, SLOW))
        if named:
            return self._spend(identity, named, 1.0, now)
        return self._sample(identity, now, random) if self._samples else DROPPED

    def ordinary_below(self, ended: Ended, concerned: tuple[str, ...]) -> tuple[float, float]:
        """Below which duration (milliseconds) and total tokens such records are all DROPPED: (0, 0) if never.

        So they need not be decided on one by one. What was learned raises the answer, or lowers it: ask again from
        time to time. While ordinary records are sampled, none is dropped unseen. Total tokens are the larger of what a
        record says, and of input and output together.
        """
        if concerned or self._samples:
            return 0.0, 0.0
        if ended.route_type is _MCP:
            return self._slow_mcp, _NEVER
        if not self._adaptive:
            return self._slow_llm, self._tokens
        learned = self.learned.percentile(_learned_by(ended)) or _NEVER
        return min(self._slow_llm, max(self._at_least, learned)), self._tokens

    def learn(self, ended: Ended, durations: Sequence[float], now: int, random: float) -> None:
        """Learn from such records that were not decided on one by one, as `decide` does from the others."""
        if self._adaptive and ended.route_type is not _MCP and ended.ending is _OK:
            self.learned.learn(_learned_by(ended), durations, now, random)

    def _is_slow(self, ended: Ended, duration: float, now: int, random: float) -> bool:
        """Whether an LLM request took long; the durations of good ones are learned."""
        above = False
        if self._adaptive:
            key, good = _learned_by(ended), ended.ending is _OK
            above = self.learned.exceeds(key, duration, now, random) if good else self.learned.is_above(key, duration)
        return duration >= self._slow_llm or (above and duration >= self._at_least)

    def _spend(self, identity: Identity, matched: tuple[str, ...], weight: float, now: int) -> Verdict:
        """Keep a record that stands for `weight` as far as the budgets of its rules allow."""
        budgets = self._budgets
        if not budgets:
            return _kept_by(matched) if weight == 1.0 else Verdict(matched, weight)
        gateway = (identity.namespace, identity.name)
        kept = tuple(name for name in matched if name not in budgets or budgets[name].spend(gateway, now))
        over = tuple(name for name in matched if name not in kept)
        # A record is counted under one rule, the first; so what is dropped is owed to one, and paid by one.
        if not kept:
            budgets[matched[0]].owe(gateway, weight, now)
        elif kept[0] in budgets:
            weight += budgets[kept[0]].pay(gateway, now)
        return Verdict(kept, weight, over)

    def _sample(self, identity: Identity, now: int, random: float) -> Verdict:
        """Keep an ordinary record by chance."""
        if self._rate is not None:
            probability = self._rate.probability((identity.namespace, identity.name), now)
        else:
            probability = self._sampled or 0.0
        if random >= probability:
            return DROPPED
        return self._spend(identity, (SAMPLE,), 1 / probability, now)


def weight_of(total: int | None, given: int | None, answered: int | None) -> int:
    """By how many tokens a record is judged. A total below its parts is wrong; SWIP-10 knows only the parts."""
    return max(total or 0, (given or 0) + (answered or 0))


@functools.lru_cache(maxsize=256)
def _in_order(named: tuple[str, ...]) -> tuple[str, ...]:
    """These rules in the order of all."""
    return tuple(name for name in NAMES if name in named)


@functools.lru_cache(maxsize=256)
def _kept_by(rules: tuple[str, ...]) -> Verdict:
    """The decision on records that stand for themselves alone."""
    return Verdict(rules)


def _learned_by(ended: Ended) -> tuple[str, str, str]:
    """Under what durations are learned: a model at a gateway."""
    identity = ended.identity
    return (identity.namespace, identity.name, ended.answered_model or ended.requested_model)


def _failed(rule: Errors | McpErrors, ending: Ending, status: int | None, flags: list[str]) -> bool:
    """Whether a request failed, as `errors` and `mcp_errors` mean it."""
    if any(flag in rule.flags for flag in flags):
        return True
    if status is None:
        return rule.missing_status
    # A failure after a good status was sent, such as a reset in the middle of a stream.
    return status >= rule.status or (status < 400 and ending in _FAILURES)
