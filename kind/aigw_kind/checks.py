"""The checks of an installed cluster: each compares a number that the receiver shows with what the ledger says. Pure.

Among them are the sixteen of SkyWalking's end-to-end test of this gateway, which asks whether there is a value; here it
is asked whether it is right. The others are what that test does not cover.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aigw_kind import series
from aigw_kind.ledger import Called, Ledger, Sent

Log = Mapping[str, Any]

DURATION: Final = "gen_ai_server_request_duration_seconds"
FIRST_TOKEN: Final = "gen_ai_server_time_to_first_token_seconds"
PER_TOKEN: Final = "gen_ai_server_time_per_output_token_seconds"
TOKENS: Final = "gen_ai_client_token_usage_sum"
MCP_DURATION: Final = "mcp_request_duration_seconds"
MCP_COUNT: Final = "mcp_method_count_total"
PROVIDER: Final = "openai"
MCP_BACKEND: Final = "everything"
MANY_TOKENS: Final = 10_000
_ERROR: Final = 400
# Messages that the gateway only counts, without a duration.
_UNTIMED: Final = ("notifications/initialized",)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the receiver says of the time since the ledger began."""

    before: Sequence[series.Sample]
    after: Sequence[series.Sample]
    sources: Sequence[Mapping[str, Any]]
    logs: Sequence[Log]


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison."""

    name: str
    expected: str
    got: str
    passed: bool

    def __str__(self) -> str:
        return f"{'pass' if self.passed else 'FAIL'}  {self.name}: expected {self.expected}, got {self.got}"


class _Gateway:
    """One Gateway's numbers on both sides."""

    def __init__(self, name: str, ledger: Ledger, seen: Seen) -> None:
        self.name = name
        namespace, _, gateway = name.partition("/")
        self._labels = {"gateway_namespace": namespace, "gateway_name": gateway}
        self._seen = seen
        self.pods = ledger.pods[name]
        self.sent = ledger.of(name)
        self.called = ledger.calls(name)
        # What a provider answered to the end: the gateway's metrics promise nothing about the rest.
        self.answered = [each for each in self.sent if not each.aborted and each.model != "unreachable"]
        self.logs = [
            log for log in seen.logs if (log.get("gateway_namespace"), log.get("gateway_name")) == (namespace, gateway)
        ]

    def grown(self, name: str, **labels: str | Collection[str]) -> float:
        """By how much a number has grown."""
        wanted = {**self._labels, **labels}
        return series.total(self._seen.after, name, **wanted) - series.total(self._seen.before, name, **wanted)

    def heard(self) -> list[str]:
        """The pods that the receiver has heard metrics of, but for those that have ended, which it remembers."""
        return sorted(
            str(source["gateway_pod"])
            for source in self._seen.sources
            if all(source[key] == value for key, value in self._labels.items())
            and "metrics" in source["signals"]
            and not source["ended"]
        )

    def equal(self, name: str, expected: object, got: object) -> Check:
        """A check of two values that must be equal."""
        return Check(f"{self.name} {name}", _text(expected), _text(got), expected == got)

    def at_most(self, name: str, most: int, got: float) -> Check:
        """A check of a number of which some may be missing, but not all, and of which none may be there twice."""
        return Check(f"{self.name} {name}", f"1 to {most}", _text(got), 0 < got <= most)

    def between(self, name: str, most: float, got: float) -> Check:
        """A check of a time that is measured twice: the gateway sees less of it than the client does."""
        return Check(f"{self.name} {name}", f"0 to {most:.3f} s", f"{got:.3f} s", 0 < got <= most)


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key or '-'} {_text(item)}" for key, item in sorted(value.items())) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def run(ledger: Ledger, seen: Seen, *, outage: bool = False) -> list[Check]:
    """All checks of all Gateways.

    Where the receiver was away meanwhile (`outage`), Envoy has dropped access logs, and a gateway that sends
    differences may have dropped some: of these it is only checked that they are no more than was sent. Cumulative
    metrics are exact all the same.
    """
    found: list[Check] = []
    for name in ledger.pods:
        gateway = _Gateway(name, ledger, seen)
        if outage and name in ledger.delta:
            found += _no_more_metrics(gateway)
        else:
            for checks in (_services, _models, _mcp, _latencies, _pods, _tokens):
                found += checks(gateway)
        found += [_no_more_logs(gateway)] if outage else [*_kept_logs(gateway), *_counted_logs(gateway)]
    return found


def _services(gateway: _Gateway) -> Iterator[Check]:
    yield gateway.equal("is known, with its pods", gateway.pods, gateway.heard())
    count = float(len(gateway.answered))
    yield gateway.equal("requests", count, gateway.grown(f"{DURATION}_count", gen_ai_original_model=_names(gateway)))
    yield gateway.equal("requests by provider", count, _by_model(gateway, gen_ai_provider_name=PROVIDER))
    for kind in ("input", "output"):
        expected = float(sum(getattr(each, kind) for each in gateway.answered))
        yield gateway.equal(f"{kind} tokens", expected, gateway.grown(TOKENS, gen_ai_token_type=kind))


def _names(gateway: _Gateway) -> list[str]:
    return sorted({each.model for each in gateway.answered})


def _by_model(gateway: _Gateway, **labels: str) -> float:
    return gateway.grown(f"{DURATION}_count", gen_ai_original_model=_names(gateway), **labels)


def _models(gateway: _Gateway) -> Iterator[Check]:
    for model, count in sorted(Counter(each.model for each in gateway.answered).items()):
        got = gateway.grown(f"{DURATION}_count", gen_ai_original_model=model)
        yield gateway.equal(f"requests of model {model}", float(count), got)
        failed = sum(each.status >= _ERROR for each in gateway.answered if each.model == model)
        got = gateway.grown(f"{DURATION}_count", gen_ai_original_model=model, error_type="_OTHER")
        yield gateway.equal(f"failed requests of model {model}", float(failed), got)


def _mcp(gateway: _Gateway) -> Iterator[Check]:
    timed = [each for each in gateway.called if each.method not in _UNTIMED]
    yield gateway.equal("MCP requests", float(len(timed)), gateway.grown(f"{MCP_DURATION}_count"))
    for method, count in sorted(Counter(each.method for each in gateway.called).items()):
        yield gateway.equal(f"MCP requests of {method}", float(count), gateway.grown(MCP_COUNT, mcp_method_name=method))
    backend = gateway.grown(f"{MCP_DURATION}_count", mcp_backend=MCP_BACKEND)
    yield gateway.equal(f"MCP requests of backend {MCP_BACKEND}", float(len(timed)), backend)
    failed = float(sum(each.failed for each in gateway.called))
    yield gateway.equal("MCP requests that failed", failed, gateway.grown(MCP_COUNT, status=("failed", "error")))


def _latencies(gateway: _Gateway) -> Iterator[Check]:
    def seconds(of: Sequence[Sent] | Sequence[Called]) -> float:
        return sum(each.seconds for each in of)

    timed = [each for each in gateway.called if each.method not in _UNTIMED]
    yield gateway.between("request seconds", seconds(gateway.sent), gateway.grown(f"{DURATION}_sum"))
    got = gateway.grown(f"{DURATION}_sum", gen_ai_provider_name=PROVIDER)
    yield gateway.between("request seconds by provider", seconds(gateway.sent), got)
    for model in _names(gateway):
        of_model = [each for each in gateway.sent if each.model == model]
        got = gateway.grown(f"{DURATION}_sum", gen_ai_original_model=model)
        yield gateway.between(f"request seconds of model {model}", seconds(of_model), got)
    yield gateway.between("MCP request seconds", seconds(timed), gateway.grown(f"{MCP_DURATION}_sum"))
    for name, family, count in (
        ("requests", DURATION, len(gateway.answered)),
        ("MCP requests", MCP_DURATION, len(timed)),
    ):
        labels = {"gen_ai_original_model": _names(gateway)} if family == DURATION else {}
        got = gateway.grown(f"{family}_bucket", le="+Inf", **labels)
        yield gateway.equal(f"{name} in buckets, for percentiles", float(count), got)
    whole = [each for each in gateway.sent if each.stream and not each.aborted]
    models = sorted({each.model for each in whole})
    for name, family in (("time to first token", FIRST_TOKEN), ("time per output token", PER_TOKEN)):
        got = gateway.grown(f"{family}_count", gen_ai_original_model=models)
        yield gateway.equal(f"{name}, streams", float(len(whole)), got)
        got = gateway.grown(f"{family}_sum", gen_ai_original_model=models)
        yield gateway.between(f"{name}, seconds", seconds(whole), got)


def _pods(gateway: _Gateway) -> Iterator[Check]:
    for pod in gateway.pods:
        count = sum(each.pod == pod for each in gateway.answered)
        labels: dict[str, str | Collection[str]] = {"gateway_pod": pod, "gen_ai_original_model": _names(gateway)}
        yield gateway.equal(f"requests of pod {pod}", float(count), gateway.grown(f"{DURATION}_count", **labels))
        tokens = float(sum(each.output for each in gateway.answered if each.pod == pod))
        got = gateway.grown(TOKENS, gateway_pod=pod, gen_ai_token_type="output")
        yield gateway.equal(f"output tokens of pod {pod}", tokens, got)


def _tokens(gateway: _Gateway) -> Iterator[Check]:
    kinds = {"input": "input", "output": "output", "cached_input": "cached", "reasoning": "reasoning"}
    for kind, attribute in kinds.items():
        expected: dict[str, float] = {}
        for each in gateway.answered:
            expected[each.model] = expected.get(each.model, 0.0) + getattr(each, attribute)
        got = {model: gateway.grown(TOKENS, gen_ai_token_type=kind, gen_ai_original_model=model) for model in expected}
        yield gateway.equal(f"{kind} tokens by model", expected, got)


def _kept_logs(gateway: _Gateway) -> Iterator[Check]:
    def kept(wanted: Callable[[Log], bool]) -> list[Log]:
        return [log for log in gateway.logs if wanted(log)]

    lost = kept(lambda log: log.get("status") == 404 and log.get("requested_model") == "nonexistent-model")
    expected = Counter(each.pod for each in gateway.sent if each.model == "nonexistent-model" and each.status == 404)
    got = Counter(str(log.get("gateway_pod")) for log in lost if log["ai_route_type"] == "llm")
    yield gateway.equal("logs of a model that is not there (404), by pod", dict(expected), dict(got))
    large = kept(lambda log: "tokens" in str(log.get("rules")).split(","))
    totals = Counter(str(total) for each in gateway.answered if (total := each.input + each.output) >= MANY_TOKENS)
    got = Counter(str(log["total_tokens"]) for log in large)
    yield gateway.equal(f"logs of {MANY_TOKENS} tokens and more, by tokens", dict(totals), dict(got))
    for name, ending, model in (
        ("logs of an upstream that cannot be reached", "upstream_error", "unreachable"),
        ("logs of streams that the client left", "aborted", "longstream"),
    ):
        number = sum(each.model == model for each in gateway.sent)
        found = [log for log in gateway.logs if (log["ending"], log.get("requested_model")) == (ending, model)]
        yield gateway.equal(name, number, len(found))
    tools = Counter(each.tool.partition("__")[2] for each in gateway.called if each.tool)
    calls = kept(lambda log: log["ai_route_type"] == "mcp" and log.get("mcp_method") == "tools/call")
    yield gateway.equal(
        "logs of MCP calls, by tool", dict(tools), dict(Counter(str(log.get("mcp_tool")) for log in calls))
    )
    usage = {(each.model, each.input, each.output) for each in gateway.answered if each.status < _ERROR}
    logged = {
        (log.get("requested_model"), log.get("input_tokens", 0), log.get("output_tokens", 0))
        for log in kept(lambda log: log["ai_route_type"] == "llm" and log["ending"] == "ok")
    }
    yield gateway.equal("tokens in logs, by model", sorted(map(str, usage)), sorted(map(str, logged)))


def _no_more_logs(gateway: _Gateway) -> Check:
    got = gateway.grown("aigw_requests_total", ai_route_type="llm")
    return gateway.at_most("access logs counted", len(gateway.sent), got)


def _no_more_metrics(gateway: _Gateway) -> Iterator[Check]:
    yield gateway.at_most("requests", len(gateway.answered), _by_model(gateway))
    for kind in ("input", "output"):
        most = sum(getattr(each, kind) for each in gateway.answered)
        yield gateway.at_most(f"{kind} tokens", most, gateway.grown(TOKENS, gen_ai_token_type=kind))


def _counted_logs(gateway: _Gateway) -> Iterator[Check]:
    got = gateway.grown("aigw_requests_total", ai_route_type="llm")
    yield gateway.equal("access logs counted", float(len(gateway.sent)), got)
    got = gateway.grown("aigw_access_logs_total", ai_route_type="llm", decision="kept")
    yield gateway.equal("access logs kept", float(len(gateway.sent)), got)
    aborted = float(sum(each.aborted for each in gateway.sent))
    yield gateway.equal("aborted requests counted", aborted, gateway.grown("aigw_aborted_requests_total"))
    statuses = Counter(str(each.status) for each in gateway.sent)
    got_statuses = {
        status: gateway.grown("aigw_requests_total", ai_route_type="llm", status_code=status) for status in statuses
    }
    yield gateway.equal("access logs by status", {key: float(value) for key, value in statuses.items()}, got_statuses)
