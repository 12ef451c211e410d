"""What each query of each panel must answer, by the slug of the panel, in the order of its queries."""

from collections.abc import Iterator, Mapping
from typing import Final

from dashboards import seen as see
from dashboards import traffic
from dashboards.questions import (
    CAPABILITIES,
    FAILURES,
    INPUT,
    MESSAGE_ERRORS,
    MESSAGES,
    OUTPUT,
    TOTAL,
    Answer,
    Kind,
    Question,
    aborted_words,
    begun,
    by_type,
    calls,
    cost,
    cost_by_type,
    durations,
    each,
    each_minute,
    errors,
    first,
    fixed,
    logged,
    mean,
    number,
    p95,
    percentiles,
    progress,
    quantile,
    rate,
    ratio,
    request_words,
    requests,
    success,
    times,
    tokens,
    tool_words,
    total,
    unpriced,
)


def breakdown(*by: str) -> list[Question]:
    """The table of LLM traffic."""
    return [
        *(total(requests, *by), ratio(errors, requests, *by), mean(durations, *by)),
        *(quantile(0.95, durations, *by), quantile(0.95, first, *by)),
        *(total(INPUT, *by), total(OUTPUT, *by), total(cost, *by)),
    ]


def of_word(slug: str, word: str) -> Iterator[tuple[str, list[Question]]]:
    """The panels that providers and models have alike."""
    yield f"{word}s", breakdown(word)
    yield f"{slug}-requests", [rate(requests, word)]
    yield f"{slug}-success", [success(word)]
    yield f"{slug}-errors", [rate(errors, word)]
    yield f"{slug}-duration", [mean(durations, word)]
    yield f"{slug}-duration-p95", p95(durations, word)
    yield f"{slug}-tokens", [rate(by_type, word)]
    yield f"{slug}-input-each", [ratio(INPUT, requests, word)]
    yield f"{slug}-output-each", [ratio(OUTPUT, requests, word)]
    yield f"{slug}-cost-each", [ratio(cost, requests, word)]


TRAFFIC: Final[Mapping[str, list[Question]]] = {
    "requests-total": [total(requests)],
    "errors-total": [total(errors)],
    "tokens-total": [total(TOTAL)],
    "cost-total": [total(cost)],
    "duration-p95-total": [quantile(0.95, durations)],
    "first-token-p95-total": [quantile(0.95, first)],
    "cached-share-total": [ratio(tokens("cached_input"), INPUT)],
    "unpriced-total": [total(unpriced)],
    "requests": [rate(requests)],
    "error-ratio": [ratio(errors, requests)],
    "operations": [rate(requests, "operation")],
    "duration": [mean(durations)],
    "duration-percentiles": percentiles(durations),
    "first-beside-each": [quantile(0.5, first), quantile(0.5, each)],
    "input-tokens": [rate(INPUT)],
    "output-tokens": [rate(OUTPUT)],
    "token-types": [rate(by_type)],
    "first-token": [mean(first)],
    "first-token-percentiles": percentiles(first),
    "total-tokens": [rate(TOTAL)],
    "output-token": [mean(each)],
    "output-token-percentiles": percentiles(each),
    "cost": [rate(cost)],
    **dict(of_word("provider", "provider")),
    **dict(of_word("model", "model")),
    "model-first-token": [mean(first, "model")],
    "model-output-token": [mean(each, "model")],
    "model-first-token-p95": p95(first, "model"),
    "model-answers": [total(requests, "original", "model", "provider")],
    "cost-by-model": [rate(cost, "model")],
    "cost-by-provider": [rate(cost, "provider")],
    "cost-by-type": [rate(cost_by_type)],
    "cost-each": [ratio(cost, requests)],
    "cached-share": [ratio(tokens("cached_input"), INPUT)],
    "reasoning-share": [ratio(tokens("reasoning"), OUTPUT)],
    "unpriced": [rate(unpriced, "model")],
    "unpriced-share": [ratio(unpriced, TOTAL)],
    "cached-share-by-model": [ratio(tokens("cached_input"), INPUT, "model")],
}

MCP: Final[Mapping[str, list[Question]]] = {
    "mcp-servers": [
        *(number(calls, "backend"), mean(calls, "backend"), quantile(0.95, calls, "backend")),
        *(total(MESSAGES, "backend"), ratio(MESSAGE_ERRORS, MESSAGES, "backend"), number(begun, "backend")),
    ],
    "mcp-requests": [times(calls)],
    "mcp-duration": [mean(calls)],
    "mcp-duration-percentiles": percentiles(calls),
    "mcp-server-requests": [times(calls, "backend")],
    "mcp-server-duration": [mean(calls, "backend")],
    "mcp-server-duration-p95": p95(calls, "backend"),
    "mcp-methods": [rate(MESSAGES, "method")],
    "mcp-errors": [rate(MESSAGE_ERRORS)],
    "mcp-error-ratio": [ratio(MESSAGE_ERRORS, MESSAGES)],
    "mcp-server-methods": [rate(MESSAGES, "backend", "method")],
    "mcp-server-errors": [rate(MESSAGE_ERRORS, "backend")],
    "mcp-server-error-ratio": [ratio(MESSAGE_ERRORS, MESSAGES, "backend")],
    "mcp-failures": [rate(FAILURES, "method", "status")],
    "mcp-initialization": [mean(begun)],
    "mcp-initialization-percentiles": percentiles(begun),
    "mcp-server-initialization": [mean(begun, "backend")],
    "mcp-capabilities": [rate(CAPABILITIES, "capability")],
    "mcp-capability-sides": [rate(CAPABILITIES, "side", "capability")],
    "mcp-progress": [rate(progress)],
}

PODS: Final[Mapping[str, list[Question]]] = {
    "pods": breakdown("pod"),
    "pods-live": [lambda seen: Answer(see.pods(seen))],
    "pod-requests": [rate(requests, "pod")],
    "pod-error-ratio": [ratio(errors, requests, "pod")],
    "pod-duration": [mean(durations, "pod")],
    "pod-duration-p95": p95(durations, "pod"),
    "pod-first-token": [mean(first, "pod")],
    "pod-output-token": [mean(each, "pod")],
    "pod-tokens": [rate(by_type, "pod")],
    "pod-cost": [rate(cost, "pod")],
    "pod-mcp-requests": [times(calls, "pod")],
    "pod-mcp-duration": [mean(calls, "pod")],
    "pod-mcp-errors": [rate(MESSAGE_ERRORS, "pod")],
}

LOGS: Final[Mapping[str, list[Question]]] = {
    "mcp-tools": [total(logged(tool_words, "tool", "upstream", "ending"))],
    "logged-endings": [rate(logged(request_words, "route", "ending"))],
    "logged-statuses": [rate(logged(request_words, "status_code"))],
    "logged-backends": [rate(logged(request_words, "upstream"))],
    "aborted": [rate(logged(aborted_words, "original"))],
}


# Of "smart": 21 of 41 requests are in the logs; of 33 that succeeded all have tokens, of 2 that were aborted none.
_SMART: Final = {"access_logs": 21 / 41, "metrics": 1.0, "tokens": 33 / 35, "access_log_tokens": 1.0}

LOGS_OF_PROD: Final[Mapping[str, list[Question]]] = {
    "decisions": each_minute(
        {
            ("none", "dropped"): 41,
            ("errors", "kept"): 3,
            ("aborted", "kept"): 2,
            ("mcp_errors", "kept"): 1,
            ("mcp_errors", "over_budget"): 1,
        },
        *("rule", "decision"),
    ),
    "over-budget": each_minute({("mcp_errors",): 1}, "rule"),
    "completeness": fixed({(check,): share for check, share in _SMART.items()}, "check"),
    "completeness-models": fixed(
        {
            (model, check): share if model == "smart" else 1.0
            for model in ("smart", "small")
            for check, share in _SMART.items()
        },
        *("model", "check"),
    ),
    "completeness-requests": fixed({("metrics",): 55, ("access_logs",): 35}, "source"),
}

_BY: Final = ("namespace", "gateway")

GATEWAYS: Final[Mapping[str, list[Question]]] = {
    "all-gateways": fixed({(): 4}),
    "all-requests": [total(requests)],
    "all-error-ratio": [ratio(errors, requests)],
    "all-tokens": [total(TOTAL)],
    "all-cost": [total(cost)],
    "all-unpriced": [total(unpriced)],
    "all-messages": [total(MESSAGES)],
    "all-mcp-error-ratio": [ratio(MESSAGE_ERRORS, MESSAGES)],
    "gateways": [
        *breakdown(*_BY),
        total(MESSAGES, *_BY),
        *fixed({("prod", "chat"): 21 / 41, ("dev", "chat"): 1.0, ("prod", "blind"): 0.0}, *_BY),
        *fixed(
            {
                ("prod", "chat"): 3,
                ("dev", "chat"): 3,
                ("prod", "quiet"): 2,
                ("prod", "blind"): 1,
                ("prod", "ended"): 0,
            },
            *_BY,
        ),
    ],
    "gateway-requests": [rate(requests, *_BY)],
    "gateway-error-ratio": [ratio(errors, requests, *_BY)],
    "gateway-duration": [mean(durations, *_BY)],
    "gateway-duration-p95": p95(durations, *_BY),
    "gateway-first-token-p95": p95(first, *_BY),
    "gateway-input-tokens": [rate(INPUT, *_BY)],
    "gateway-output-tokens": [rate(OUTPUT, *_BY)],
    "gateway-cost": [rate(cost, *_BY)],
    "gateway-messages": [rate(MESSAGES, *_BY)],
    "gateway-mcp-error-ratio": [ratio(MESSAGE_ERRORS, MESSAGES, *_BY)],
    "gateway-completeness": fixed({("prod", "chat"): 21 / 41, ("dev", "chat"): 1.0, ("prod", "blind"): 0.0}, *_BY),
    "gateway-pods": fixed({("prod", "chat"): 3, ("dev", "chat"): 1, ("prod", "quiet"): 1}, *_BY),
}

_RECEIVER: Final = "receiver"
_REASON: Final = ("instance", "reason")
_OF_SINKS: Final[Mapping[tuple[str, ...], float]] = {
    (_RECEIVER, sink, result): 0 for sink in ("store", "stdout") for result in ("failed", "queue_full")
}

RECEIVERS: Final[Mapping[str, list[Question]]] = {
    # How often the pods export until everything is settled is not known before.
    "receiver-points": fixed({(_RECEIVER,): 0}, "instance", kind=Kind.LABELS),
    "receiver-points-refused": each_minute({(_RECEIVER, "metric_not_admitted"): 2 * traffic.REFUSED}, *_REASON),
    # Two, but of a result that was never there before there is no 0.
    "receiver-exports-refused": each_minute({(_RECEIVER, "http", "400"): 1}, "instance", "transport", "result"),
    "receiver-records": each_minute({(_RECEIVER,): traffic.records()}, "instance"),
    "receiver-records-refused": each_minute({(_RECEIVER, "not_an_access_log"): 2 * traffic.REFUSED}, *_REASON),
    "receiver-records-lost": each_minute(_OF_SINKS, "instance", "sink", "result"),
    "receiver-streams": fixed({(_RECEIVER,): traffic.streams()}, "instance"),
    "receiver-pods-heard": fixed({(_RECEIVER, "live"): 5, (_RECEIVER, "ended"): 1}, "instance", "state"),
    "receiver-journal": fixed({(_RECEIVER,): 0}, "instance"),
    "receiver-price-book": fixed({(_RECEIVER,): 1}, "instance"),
}

ANSWERS: Final = {**GATEWAYS, **RECEIVERS, **TRAFFIC, **MCP, **PODS, **LOGS, **LOGS_OF_PROD}
