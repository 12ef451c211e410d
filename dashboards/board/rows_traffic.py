"""The rows of one gateway about LLM traffic: Overview, Providers, Models, Cost."""

from board import panels
from board import series as of
from board.model import Kind, Panel, Query, Row
from board.promql import Over, Scope
from board.series import Counter

_BY_OPERATION = "operation"
_CONTAINS = "Input contains cached tokens, and output those of reasoning."


def overview(scope: Scope) -> Row:
    """The gateway as a whole."""
    found = (
        *_numbers(scope),
        panels.rates(scope, "requests", "Requests", of.REQUESTS, unit=panels.REQUESTS),
        panels.shares(scope, "error-ratio", "Error ratio", of.ERRORS, of.REQUESTS, text="Share of failed requests."),
        panels.rates(scope, "operations", "Requests by operation", of.REQUESTS, _BY_OPERATION, unit=panels.REQUESTS),
        panels.means(scope, "duration", "Request duration, average", of.REQUEST),
        panels.percentiles(scope, "duration-percentiles", "Request duration, percentiles", of.REQUEST),
        _first_beside_each(scope),
        panels.rates(scope, "input-tokens", "Input tokens", of.INPUT, text=_CONTAINS),
        panels.rates(scope, "output-tokens", "Output tokens", of.OUTPUT, text=_CONTAINS),
        panels.rates(
            scope, "token-types", "Tokens by type", of.EACH_TYPE, "token_type", text=f"{_CONTAINS} Never add up all."
        ),
        panels.means(
            scope, "first-token", "Time to first token, average", of.FIRST_TOKEN, text="Streaming requests only."
        ),
        panels.percentiles(scope, "first-token-percentiles", "Time to first token, percentiles", of.FIRST_TOKEN),
        panels.rates(scope, "total-tokens", "Tokens, input and output", of.TOKENS, text=_CONTAINS),
        panels.means(
            scope, "output-token", "Time per output token, average", of.OUTPUT_TOKEN, text="Streaming requests only."
        ),
        panels.percentiles(scope, "output-token-percentiles", "Time per output token, percentiles", of.OUTPUT_TOKEN),
        panels.rates(scope, "cost", "Estimated cost", of.COST, unit=panels.USD),
    )
    return Row("Overview", found, closed=False)


def _numbers(scope: Scope) -> tuple[Panel, ...]:
    over = Over.RANGE
    return (
        panels.number("requests-total", "Requests", "Each attempt at a provider counts.", scope.total(of.REQUESTS)),
        panels.number("errors-total", "Failed", "Requests that failed.", scope.total(of.ERRORS)),
        panels.number("tokens-total", "Tokens", "Input and output.", scope.total(of.TOKENS)),
        panels.number("cost-total", "Cost", "Of what has a price.", scope.total(of.COST), panels.USD),
        panels.number(
            "duration-p95-total",
            "Duration, p95",
            "95th percentile.",
            scope.quantile("0.95", of.REQUEST, over=over),
            panels.SECONDS,
        ),
        panels.number(
            "first-token-p95-total",
            "First token, p95",
            "95th percentile.",
            scope.quantile("0.95", of.FIRST_TOKEN, over=over),
            panels.SECONDS,
        ),
        panels.number(
            "cached-share-total",
            "Cached input",
            "Share of input tokens that came from a cache.",
            scope.ratio(of.CACHED, of.INPUT, over=over),
            panels.RATIO,
        ),
        panels.number(
            "unpriced-total",
            "Unpriced tokens",
            "Tokens of models that the price book does not know; their cost is not 0, but unknown.",
            scope.total(of.UNPRICED),
        ),
    )


def _first_beside_each(scope: Scope) -> Panel:
    return Panel(
        "first-beside-each",
        "Time to first token beside time per output token",
        "Medians, interpolated; the second at the right axis.",
        panels.SECONDS,
        (
            Query(scope.quantile("0.5", of.FIRST_TOKEN), "first token"),
            Query(scope.quantile("0.5", of.OUTPUT_TOKEN), "each output token", panels.SECONDS),
        ),
    )


def providers(scope: Scope) -> Row:
    """By provider, as the gateway names them: by the schema of its API."""
    return Row("Providers", (_table(scope, "provider"), *_by(scope, "provider", "provider")))


def models(scope: Scope) -> Row:
    """By model, as it has answered."""
    found = (
        _table(scope, "model"),
        *_by(scope, "model", "model"),
        panels.means(scope, "model-first-token", "Time to first token by model", of.FIRST_TOKEN, "model"),
        panels.means(scope, "model-output-token", "Time per output token by model", of.OUTPUT_TOKEN, "model"),
        panels.p95(scope, "model-first-token-p95", "Time to first token by model, p95", of.FIRST_TOKEN, "model"),
        _original_models(scope),
    )
    return Row("Models", found)


def _table(scope: Scope, word: str) -> Panel:
    heading = panels.HEADINGS[word]
    return panels.breakdown(scope, f"{word}s", f"{heading}s", "What each did in the time range.", word)


def _by(scope: Scope, slug: str, word: str) -> tuple[Panel, ...]:
    """What is asked of providers and of models alike."""
    tokens = (word, "token_type")
    return (
        panels.rates(scope, f"{slug}-requests", f"Requests by {word}", of.REQUESTS, word, unit=panels.REQUESTS),
        panels.success(scope, f"{slug}-success", f"Success ratio by {word}", of.ERRORS, of.REQUESTS, word),
        panels.rates(scope, f"{slug}-errors", f"Failed requests by {word}", of.ERRORS, word, unit=panels.REQUESTS),
        panels.means(scope, f"{slug}-duration", f"Request duration by {word}", of.REQUEST, word),
        panels.p95(scope, f"{slug}-duration-p95", f"Request duration by {word}, p95", of.REQUEST, word),
        panels.rates(scope, f"{slug}-tokens", f"Tokens by {word} and type", of.EACH_TYPE, *tokens, text=_CONTAINS),
        _for_each(scope, f"{slug}-input-each", f"Input tokens for each request by {word}", of.INPUT, word),
        _for_each(scope, f"{slug}-output-each", f"Output tokens for each request by {word}", of.OUTPUT, word),
        _for_each(scope, f"{slug}-cost-each", f"Cost of each request by {word}", of.COST, word, unit=panels.USD),
    )


def _for_each(scope: Scope, slug: str, title: str, part: Counter, *by: str, unit: str = "short") -> Panel:
    return panels.shares(scope, slug, title, part, of.REQUESTS, *by, text="Average of all requests.", unit=unit)


def _original_models(scope: Scope) -> Panel:
    by = ("original", "model", "provider")
    return Panel(
        "model-answers",
        "Models asked for, and models that have answered",
        "Requests in the time range: a route can send a request to another model than the client has asked for.",
        "short",
        (Query(scope.total(of.REQUESTS, *by), "Requests"),),
        Kind.TABLE,
        24,
        columns={
            of.LABELS[word]: heading for word, heading in zip(by, ("Asked for", "Answered", "Provider"), strict=True)
        },
    )


def cost(scope: Scope) -> Row:
    """What it costs, and what has no price."""
    unit = panels.USD
    unpriced = "Tokens of models that the price book does not know."
    found = (
        panels.rates(scope, "cost-by-model", "Cost by model", of.COST, "model", unit=unit, stacked=True),
        panels.rates(scope, "cost-by-provider", "Cost by provider", of.COST, "provider", unit=unit, stacked=True),
        panels.rates(scope, "cost-by-type", "Cost by type of token", of.COST, "token_type", unit=unit, stacked=True),
        _for_each(scope, "cost-each", "Cost of each request", of.COST, unit=unit),
        panels.shares(scope, "cached-share", "Cached input", of.CACHED, of.INPUT, text="Share of input tokens."),
        panels.shares(scope, "reasoning-share", "Reasoning", of.REASONING, of.OUTPUT, text="Share of output tokens."),
        panels.rates(scope, "unpriced", "Unpriced tokens by model", of.UNPRICED, "model", text=unpriced),
        panels.shares(scope, "unpriced-share", "Unpriced share of tokens", of.UNPRICED, of.TOKENS, text=unpriced),
        panels.shares(
            scope,
            "cached-share-by-model",
            "Cached input by model",
            of.CACHED,
            of.INPUT,
            "model",
            text="Share of input.",
        ),
    )
    return Row("Cost", found)
