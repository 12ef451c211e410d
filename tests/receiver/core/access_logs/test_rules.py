"""What the rules keep and drop: the cases of SWIP-10, what can be set, and that weights add up to what came."""

import dataclasses
import math
import random
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigw_receiver.core import keys
from aigw_receiver.core.access_logs import rule_settings, rules
from aigw_receiver.core.access_logs.model import AccessLog, Ending, RouteType, Tokens
from aigw_receiver.core.access_logs.rule_settings import (
    Aborted,
    Errors,
    McpErrors,
    RuleSettings,
    Sample,
    Slow,
    TokenCount,
    UpstreamFailure,
)
from aigw_receiver.core.access_logs.rules import DROPPED, Rules, Verdict
from aigw_receiver.core.model import Identity
from decisions import decide

NOW: Final = 1_700_000_000_000_000_000
SECOND: Final = 1_000_000_000
_GATEWAY: Final = Identity("default", "gateway", "pod-1")
_LLM: Final = AccessLog(
    _GATEWAY,
    RouteType.LLM,
    NOW,
    Ending.OK,
    status=200,
    duration=1500.0,
    requested_model="gpt-5-nano",
    tokens=Tokens(input=31, output=4, total=35),
)
_MCP: Final = AccessLog(
    _GATEWAY,
    RouteType.MCP,
    NOW,
    Ending.OK,
    status=200,
    duration=15.0,
    mcp_method="tools/call",
    mcp_backend="everything",
)


def _llm(**changes: Any) -> AccessLog:
    return dataclasses.replace(_LLM, **changes)


def _mcp(**changes: Any) -> AccessLog:
    return dataclasses.replace(_MCP, **changes)


def _failed(ending: Ending, **changes: Any) -> AccessLog:
    """An LLM request that failed; those have no tokens."""
    return _llm(ending=ending, tokens=Tokens(), **changes)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        # SWIP-10's, and those of its implementation: status, upstream failure, tokens; else dropped.
        (_llm(), ()),
        (_llm(tokens=Tokens()), ()),
        (_failed(Ending.CLIENT_ERROR, status=400), ("errors",)),
        (_llm(status=399), ()),
        (_failed(Ending.CLIENT_ERROR, status=404), ("errors",)),
        (_failed(Ending.CLIENT_ERROR, status=429), ("errors",)),
        (_failed(Ending.UPSTREAM_ERROR, status=500), ("errors",)),
        (_failed(Ending.UPSTREAM_ERROR, status=None, failure_reason="reset"), ("errors", "upstream_failure")),
        (_llm(failure_reason="connection_timeout"), ("upstream_failure",)),
        (_llm(tokens=Tokens(input=9999, output=0, total=9999)), ()),
        (_llm(tokens=Tokens(input=9996, output=4, total=10000)), ("tokens",)),
        (_llm(tokens=Tokens(input=9996, output=4)), ("tokens",)),
        (_llm(tokens=Tokens(input=100000)), ("tokens",)),
        (_llm(tokens=Tokens(input=100000, output=3, total=34)), ("tokens",)),
        (_llm(tokens=Tokens(total=10000)), ("tokens",)),
        (_mcp(), ()),
        (_mcp(ending=Ending.CLIENT_ERROR, status=400), ("mcp_errors",)),
        (_mcp(ending=Ending.UPSTREAM_ERROR, status=500), ("mcp_errors",)),
        (_mcp(tokens=Tokens(total=100000)), ()),
        # What Envoy says by flags: no route, no connection, no answer in time, a client that went away.
        (_failed(Ending.GATEWAY_ERROR, status=404, response_flags="NR"), ("errors",)),
        (
            _failed(Ending.UPSTREAM_ERROR, status=503, response_flags="UF", failure_reason="delayed_connect_error"),
            ("errors", "upstream_failure"),
        ),
        (_failed(Ending.UPSTREAM_ERROR, status=503, response_flags="UF,URX"), ("errors", "upstream_failure")),
        (_failed(Ending.TIMEOUT, status=504, response_flags="UT"), ("errors", "upstream_failure")),
        (_failed(Ending.ABORTED, status=200, response_flags="DC"), ("aborted",)),
        (_failed(Ending.ABORTED, status=None, response_flags="DC"), ("errors", "aborted")),
        (_mcp(ending=Ending.ABORTED, response_flags="DC"), ("aborted",)),
        # A failure after the status was sent, with the flag and without.
        (_llm(ending=Ending.UPSTREAM_ERROR, response_flags="UC"), ("errors", "upstream_failure")),
        (_llm(ending=Ending.UPSTREAM_ERROR), ("errors", "upstream_failure")),
        (_mcp(ending=Ending.UPSTREAM_ERROR), ("upstream_failure", "mcp_errors")),
        # A flag that tells of no failure: delayed on purpose.
        (_llm(response_flags="DI"), ()),
        (_mcp(ending=Ending.TOOL_ERROR), ("mcp_errors",)),
        (_mcp(ending=Ending.GATEWAY_ERROR, status=None), ("mcp_errors",)),
        # Slow, by route type.
        (_llm(duration=29_999.0), ()),
        (_llm(duration=30_000.0), ("slow",)),
        (_llm(duration=None), ()),
        (_mcp(duration=9_999.0), ()),
        (_mcp(duration=10_000.0), ("slow",)),
        (
            _llm(status=504, ending=Ending.TIMEOUT, duration=60_000.0, tokens=Tokens(total=20_000)),
            ("errors", "upstream_failure", "slow", "tokens"),
        ),
    ],
)
def test_default_rules(request_: AccessLog, expected: tuple[str, ...]) -> None:
    """A record is kept by other rules than SWIP-10 and the documentation say."""
    assert Verdict(expected) == decide(Rules(RuleSettings()), request_, NOW, 0.0)


@pytest.mark.parametrize(
    ("settings", "request_", "expected"),
    [
        (RuleSettings(errors=Errors(enabled=False)), _failed(Ending.UPSTREAM_ERROR, status=500), ()),
        (RuleSettings(errors=Errors(status=500)), _failed(Ending.CLIENT_ERROR, status=404), ()),
        (RuleSettings(errors=Errors(status=500)), _failed(Ending.UPSTREAM_ERROR, status=500), ("errors",)),
        (RuleSettings(errors=Errors(flags=("DI",))), _llm(response_flags="DI"), ("errors",)),
        (
            RuleSettings(errors=Errors(missing_status=False)),
            _failed(Ending.ABORTED, status=None, response_flags="DC"),
            ("aborted",),
        ),
        (RuleSettings(upstream_failure=UpstreamFailure(enabled=False)), _llm(failure_reason="reset"), ()),
        (RuleSettings(slow=Slow(enabled=False)), _llm(duration=90_000.0), ()),
        (RuleSettings(slow=Slow(llm=2 * SECOND)), _llm(duration=2_000.0), ("slow",)),
        (RuleSettings(slow=Slow(mcp=SECOND)), _mcp(duration=1_000.0), ("slow",)),
        (RuleSettings(tokens=TokenCount(enabled=False)), _llm(tokens=Tokens(total=20_000)), ()),
        (RuleSettings(tokens=TokenCount(total=30)), _llm(), ("tokens",)),
        (RuleSettings(mcp_errors=McpErrors(enabled=False)), _mcp(ending=Ending.TOOL_ERROR), ()),
        (RuleSettings(mcp_errors=McpErrors(status=500)), _mcp(ending=Ending.CLIENT_ERROR, status=404), ()),
        (RuleSettings(aborted=Aborted(enabled=False)), _failed(Ending.ABORTED, status=200, response_flags="DC"), ()),
    ],
)
def test_settings(settings: RuleSettings, request_: AccessLog, expected: tuple[str, ...]) -> None:
    """A rule cannot be switched off, or does not follow its parameters."""
    assert Verdict(expected) == decide(Rules(settings), request_, NOW, 0.0)


def test_ordinary_records_are_dropped_by_one_object() -> None:
    """The decision on most records is made anew for each of them."""
    assert DROPPED is decide(Rules(RuleSettings()), _LLM, NOW, 0.0)


def test_adaptive() -> None:
    """A request above the 99th percentile of its model is dropped, or one of another model or gateway is kept."""
    decider = Rules(RuleSettings())
    for number in range(1024):
        assert DROPPED is decide(decider, _llm(duration=1000.0 + number * 37 % 1000), NOW, 0.0)
    assert Verdict(()) == decide(decider, _llm(duration=1989.0), NOW, 0.0)
    assert Verdict(("slow",)) == decide(decider, _llm(duration=2300.0), NOW, 0.0)
    assert Verdict(()) == decide(decider, _llm(duration=2300.0, requested_model="other"), NOW, 0.0)
    assert Verdict(()) == decide(decider, _llm(duration=2300.0, identity=Identity("default", "two", "p")), NOW, 0.0)
    slow_error = _failed(Ending.UPSTREAM_ERROR, status=500, duration=2300.0)
    assert Verdict(("errors", "slow")) == decide(decider, slow_error, NOW, 0.0)


def test_adaptive_learns_the_model_that_answered() -> None:
    """What a fallback took is held against the model that was asked for."""
    decider = Rules(RuleSettings())
    for _ in range(1152):
        decide(decider, _llm(duration=1000.0, answered_model="small"), NOW, 0.0)
    assert Verdict(()) == decide(decider, _llm(duration=9000.0, answered_model="large"), NOW, 0.0)
    assert Verdict(("slow",)) == decide(decider, _llm(duration=9000.0, answered_model="small"), NOW, 0.0)


def test_adaptive_leaves_quick_requests_alone() -> None:
    """A request of some milliseconds is kept as slow, since others of its model are quicker still."""
    decider = Rules(RuleSettings())
    for _ in range(1152):
        decide(decider, _llm(duration=10.0), NOW, 0.0)
    assert Verdict(()) == decide(decider, _llm(duration=999.0), NOW, 0.0)
    assert Verdict(("slow",)) == decide(decider, _llm(duration=1000.0), NOW, 0.0)


def test_failures_are_not_learned() -> None:
    """A provider that fails slowly for an hour makes slow requests ordinary, or quick failures the others slow."""
    decider = Rules(RuleSettings())
    for _ in range(1152):
        decide(decider, _failed(Ending.TIMEOUT, status=504, duration=60_000.0), NOW, 0.0)
    assert 0 == len(decider.learned)


def test_sample_rate() -> None:
    """The sample is not what `random` says, or its weight is not 1/probability."""
    decider = Rules(RuleSettings(sample=Sample(rate=0.25)))
    assert Verdict(("sample",), 4.0) == decide(decider, _LLM, NOW, 0.2499)
    assert DROPPED is decide(decider, _LLM, NOW, 0.25)
    assert Verdict(("errors",)) == decide(decider, _failed(Ending.CLIENT_ERROR, status=404), NOW, 0.9)


def test_sample_of_records_with_harmless_flags() -> None:
    """A record with a flag that concerns no rule is never sampled."""
    decider = Rules(RuleSettings(sample=Sample(rate=1.0)))
    assert Verdict(("sample",)) == decide(decider, _llm(response_flags="DI"), NOW, 0.5)


def test_sample_switched_off() -> None:
    """A sample that is switched off keeps records all the same."""
    decider = Rules(RuleSettings(sample=Sample(enabled=False, rate=1.0)))
    assert DROPPED is decide(decider, _LLM, NOW, 0.0)


def test_sample_per_minute() -> None:
    """The probability of the sample does not follow the traffic of each gateway."""
    decider = Rules(RuleSettings(sample=Sample(per_minute=2)))
    weights = [decide(decider, _LLM, NOW, 0.0).weight for _ in range(4)]
    assert [1.0, 1.0, 1.5, 2.0] == weights
    assert Verdict(("sample",)) == decide(decider, _llm(identity=Identity("default", "two", "")), NOW, 0.99)
    assert Verdict(("sample",), 2.0) == decide(decider, _LLM, NOW + 60 * SECOND, 0.49)
    assert DROPPED is decide(decider, _LLM, NOW + 60 * SECOND, 0.5)


def test_budget() -> None:
    """A budget is not kept, what is dropped for it is not said, or the next one that is kept does not stand for it."""
    decider = Rules(RuleSettings(errors=Errors(budget=2)))
    error = _failed(Ending.CLIENT_ERROR, status=404)
    verdicts = [decide(decider, error, NOW, 0.0) for _ in range(5)]
    over = Verdict((), 1.0, ("errors",))
    assert [Verdict(("errors",)), Verdict(("errors",)), over, over, over] == verdicts
    assert Verdict(("errors",), 4.0) == decide(decider, error, NOW + 30 * SECOND, 0.0)
    assert over == decide(decider, error, NOW + 30 * SECOND, 0.0)
    assert Verdict(("errors",)) == decide(
        decider, dataclasses.replace(error, identity=Identity("a", "b", "")), NOW, 0.0
    )


def test_budget_of_one_rule_among_several() -> None:
    """A record is dropped for the budget of one rule although another keeps it; or that one is not said."""
    decider = Rules(RuleSettings(errors=Errors(budget=1)))
    both = _failed(Ending.TIMEOUT, status=504)
    assert Verdict(("errors", "upstream_failure")) == decide(decider, both, NOW, 0.0)
    assert Verdict(("upstream_failure",), 1.0, ("errors",)) == decide(decider, both, NOW, 0.0)


def test_over_budget_is_not_ordinary() -> None:
    """An error that its rule has no budget for is kept as a sample of ordinary requests."""
    decider = Rules(RuleSettings(errors=Errors(budget=1), sample=Sample(rate=1.0)))
    error = _failed(Ending.CLIENT_ERROR, status=404)
    decide(decider, error, NOW, 0.0)
    assert Verdict((), 1.0, ("errors",)) == decide(decider, error, NOW, 0.0)


def _ordinary_below(decider: Rules, log: AccessLog) -> tuple[float, float]:
    return decider.ordinary_below(log, decider.concerned(log))


_REQUESTS: Final = st.builds(
    _llm,
    ending=st.sampled_from(list(Ending)),
    route_type=st.sampled_from(list(RouteType)),
    status=st.sampled_from([None, 200, 404, 500]),
    response_flags=st.sampled_from(["", "UF", "DC", "DI", "NR", "UF,URX"]),
    failure_reason=st.sampled_from(["", "reset"]),
    duration=st.sampled_from([None, 5.0, 15_000.0, 90_000.0]),
    tokens=st.sampled_from([Tokens(), Tokens(total=5), Tokens(total=10_000)]),
)


@given(_REQUESTS, st.booleans())
def test_ordinary_below(request_: AccessLog, adaptive: bool) -> None:
    """A record is said to be ordinary before it is looked at, and is kept when it is."""
    decider = Rules(RuleSettings(slow=Slow(adaptive=adaptive, observations=128)))
    decider.learn(_LLM, [10_000.0] * 128, NOW, 0.0)
    duration_below, tokens_below = _ordinary_below(decider, request_)
    total = request_.tokens.total or 0
    ordinary = (request_.duration or 0.0) < duration_below and total < tokens_below
    verdict = decide(decider, request_, NOW, 0.5)
    assert ordinary == (verdict is DROPPED)


@pytest.mark.parametrize(
    ("settings", "request_", "expected"),
    [
        (RuleSettings(), _LLM, (30_000.0, 10_000)),
        (RuleSettings(), _MCP, (10_000.0, math.inf)),
        (RuleSettings(slow=Slow(enabled=False), tokens=TokenCount(enabled=False)), _LLM, (math.inf, math.inf)),
        (RuleSettings(), _failed(Ending.CLIENT_ERROR, status=404), (0.0, 0.0)),
        (RuleSettings(errors=Errors(status=500)), _failed(Ending.CLIENT_ERROR, status=404), (30_000.0, 10_000)),
        (RuleSettings(sample=Sample(rate=0.1)), _LLM, (0.0, 0.0)),
        (RuleSettings(sample=Sample(per_minute=1)), _MCP, (0.0, 0.0)),
    ],
)
def test_limits_of_ordinary_records(settings: RuleSettings, request_: AccessLog, expected: tuple[float, float]) -> None:
    """Records that could be dropped unseen are decided on one by one, or the other way round."""
    assert expected == _ordinary_below(Rules(settings), request_)


def test_learned_limit_of_ordinary_records() -> None:
    """What was learned does not lower the limit of what is dropped unseen, or what fails is learned from."""
    decider = Rules(RuleSettings(slow=Slow(observations=128)))
    decider.learn(_failed(Ending.TIMEOUT, status=504), [2000.0] * 128, NOW, 0.0)
    decider.learn(_MCP, [2000.0] * 128, NOW, 0.0)
    assert (30_000.0, 10_000) == _ordinary_below(decider, _LLM)
    decider.learn(_LLM, [2000.0] * 128, NOW, 0.0)
    duration_below, _ = _ordinary_below(decider, _LLM)
    assert 2000.0 < duration_below < 2081.0


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans(), st.booleans()), max_size=200))
def test_weights_of_budgets_add_up(arrivals: list[tuple[int, bool, bool]]) -> None:
    """Records that were dropped for a budget are in no weight, or in several."""
    decider = Rules(RuleSettings(errors=Errors(budget=30), upstream_failure=UpstreamFailure(budget=10)))
    now, came, stood_for, dropped_since = NOW, 0, 0.0, {"errors": 0.0, "upstream_failure": 0.0}
    for tenths, error, failure in arrivals:
        # At most two seconds apart, so that no debt grows older than a minute.
        now += tenths * SECOND // 10
        if error or failure:
            came += 1
            request = _llm(status=500 if error else 200, failure_reason="reset" if failure else "")
            verdict = decide(decider, request, now, 0.0)
            if verdict.kept:
                stood_for += verdict.weight
                dropped_since[verdict.rules[0]] = 0.0
            else:
                dropped_since[verdict.over_budget[0]] += 1
    assert came == stood_for + sum(dropped_since.values())


def test_weights_of_samples_are_unbiased() -> None:
    """The weights of a sample add up to more or less than came, whatever the traffic does."""
    generator = random.Random(5)
    estimates = []
    for _ in range(60):
        decider = Rules(RuleSettings(sample=Sample(per_minute=20)))
        estimate = 0.0
        for minute, count in enumerate((5, 100, 400, 10, 200)):
            for _ in range(count):
                verdict = decide(decider, _LLM, NOW + minute * 60 * SECOND, generator.random())
                estimate += verdict.weight if verdict.kept else 0.0
        estimates.append(estimate)
    assert 715 == pytest.approx(sum(estimates) / len(estimates), rel=0.04)


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (keys.read_switch, False, False),
        (rule_settings.read_status, 500, 500),
        (rule_settings.read_flags, ["UF", "NR"], ("UF", "NR")),
        (keys.read_count, 3, 3),
        (keys.read_optional_count, None, None),
        (keys.read_optional_count, 3, 3),
        (keys.read_rate, 1, 1.0),
        (keys.read_rate, 0.01, 0.01),
        (keys.read_rate, None, None),
    ],
)
def test_values(read: Any, value: object, expected: object) -> None:
    """A good value is refused, or changed."""
    assert expected == read("rules.x", value)


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (keys.read_switch, "yes", "rules.x: expected true or false, got 'yes'"),
        (rule_settings.read_status, 99, "rules.x: expected an HTTP status from 100 to 599, got 99"),
        (rule_settings.read_status, True, "rules.x: expected an HTTP status from 100 to 599, got True"),
        (rule_settings.read_flags, ["uf"], "rules.x: expected a list of response flags such as UF and NR, got ['uf']"),
        (rule_settings.read_flags, "UF", "rules.x: expected a list of response flags such as UF and NR, got 'UF'"),
        (keys.read_count, 0, "rules.x: expected a whole number of at least 1, got 0"),
        (keys.read_optional_count, 0, "rules.x: expected a whole number of at least 1, or null, got 0"),
        (keys.read_rate, 0, "rules.x: expected a number above 0 and up to 1, or null, got 0"),
        (keys.read_rate, 1.5, "rules.x: expected a number above 0 and up to 1, or null, got 1.5"),
        (keys.read_rate, float("nan"), "rules.x: expected a number above 0 and up to 1, or null, got nan"),
    ],
)
def test_bad_values(read: Any, value: object, expected: str) -> None:
    """A bad value is taken, or its message does not name the path."""
    with pytest.raises(ValueError, match=r"rules\.x") as error:
        read("rules.x", value)
    assert expected == str(error.value)


def test_every_rule_has_settings() -> None:
    """A rule has no settings by its name, or the order of the settings is not that of the rules."""
    assert rules.NAMES == tuple(field.name for field in dataclasses.fields(RuleSettings))
