"""Questions whose answers are counted from what the driver has sent: quantities, and what can be asked of them."""

import dataclasses
import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from board.series import LABELS
from dashboards import seen as see
from dashboards import traffic
from dashboards.seen import Groups, Seen
from rules import oracle, scenario
from rules.oracle import Numbers

QUANTILES: Final = (0.5, 0.75, 0.9, 0.95, 0.99)


class Kind(enum.Enum):
    """What becomes of a number when rate() adds what may have come since the last scrape."""

    SHARE = "nothing: all parts of it grow alike"
    RATE = "it grows"
    AMOUNT = "it grows, and with the time range too"
    LABELS = "anything: only what it is of is known"


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """Numbers by labels."""

    numbers: Numbers
    kind: Kind = Kind.SHARE


Question = Callable[[Seen], Answer]
Quantity = Callable[..., Groups]


def requests(seen: Seen, *by: str) -> Groups:
    """LLM requests."""
    return seen.llm(see.ones, *by)


def errors(seen: Seen, *by: str) -> Groups:
    """A 1 for each failed LLM request."""
    return seen.llm(oracle.failures, *by)


def durations(seen: Seen, *by: str) -> Groups:
    """How long LLM requests took."""
    return seen.llm(oracle.all_durations, *by)


def first(seen: Seen, *by: str) -> Groups:
    """Times to the first token."""
    return seen.llm(lambda one: one.first_tokens, *by)


def each(seen: Seen, *by: str) -> Groups:
    """Times per output token."""
    return seen.llm(lambda one: one.output_tokens, *by)


def tokens(*kinds: str) -> Quantity:
    """Tokens of some types."""
    return lambda seen, *by: seen.llm(see.tokens(*kinds), *by)


def by_type(seen: Seen, *by: str) -> Groups:
    """Tokens by type."""
    return see.typed(seen, lambda one: one.tokens, *by)


def cost(seen: Seen, *by: str) -> Groups:
    """USD."""
    return seen.llm(see.dollars, *by)


def cost_by_type(seen: Seen, *by: str) -> Groups:
    """USD by type of token."""
    return see.typed(seen, see.cost, *by)


def unpriced(seen: Seen, *by: str) -> Groups:
    """Tokens without a price."""
    return seen.llm(see.unpriced, *by)


def calls(seen: Seen, *by: str) -> Groups:
    """How long MCP requests took."""
    return seen.mcp(see.plainly(lambda one: one.durations), *by)


def begun(seen: Seen, *by: str) -> Groups:
    """How long initializations of MCP took."""
    return seen.mcp(see.plainly(lambda one: one.initializations), *by)


def progress(seen: Seen, *by: str) -> Groups:
    """Notifications of progress."""
    # It has no label of the server, so that choosing one does not matter.
    rows = dataclasses.replace(seen, backend="").mcp(see.plainly(lambda one: [one.progress]), *by)
    return {labels: values for labels, values in rows.items() if any(values)}


def _counted(values: Callable[..., Any]) -> Quantity:
    return lambda seen, *by: seen.mcp(values, *by)


MESSAGES: Final = _counted(see.messages())
MESSAGE_ERRORS: Final = _counted(see.messages("failed", "error"))
FAILURES: Final = _counted(see.failed_only)
CAPABILITIES: Final = _counted(see.capabilities)
INPUT, OUTPUT = tokens("input"), tokens("output")
TOTAL: Final = tokens("input", "output")


def _amounts(groups: Groups) -> Groups:
    return {labels: [float(len(values))] for labels, values in groups.items()}


def rate(quantity: Quantity, *by: str) -> Question:
    """So much in a minute."""
    return lambda seen: Answer(see.per_minute(quantity(seen, *by)), Kind.RATE)


def times(quantity: Quantity, *by: str) -> Question:
    """So many in a minute."""
    return lambda seen: Answer(see.per_minute(_amounts(quantity(seen, *by))), Kind.RATE)


def total(quantity: Quantity, *by: str) -> Question:
    """So much in the time range."""
    return lambda seen: Answer(see.total(quantity(seen, *by)), Kind.AMOUNT)


def number(quantity: Quantity, *by: str) -> Question:
    """So many in the time range."""
    return lambda seen: Answer(see.total(_amounts(quantity(seen, *by))), Kind.AMOUNT)


def ratio(part: Quantity, whole: Quantity, *by: str) -> Question:
    """So much for each."""
    return lambda seen: Answer(see.ratio(part(seen, *by), whole(seen, *by)))


def success(*by: str) -> Question:
    """The share of requests that did not fail."""

    def asked(seen: Seen) -> Answer:
        failed = see.ratio(errors(seen, *by), requests(seen, *by))
        return Answer({labels: 1 - value for labels, value in failed.items()})

    return asked


def mean(quantity: Quantity, *by: str) -> Question:
    """The average."""
    return lambda seen: Answer(oracle.mean(quantity(seen, *by)))


def quantile(share: float, quantity: Quantity, *by: str) -> Question:
    """A percentile."""
    return lambda seen: Answer(see.quantile(quantity(seen, *by), share, BOUNDS[quantity]))


def above(quantity: Quantity, *by: str) -> Question:
    """The share above the last bound."""
    return lambda seen: Answer(oracle.above(quantity(seen, *by), BOUNDS[quantity]))


BOUNDS: Final[Mapping[Quantity, Sequence[float]]] = {
    durations: scenario.REQUEST_BOUNDS,
    first: scenario.FIRST_TOKEN_BOUNDS,
    each: scenario.OUTPUT_TOKEN_BOUNDS,
    calls: scenario.MCP_BOUNDS,
    begun: scenario.MCP_BOUNDS,
}


def percentiles(quantity: Quantity) -> list[Question]:
    """All five, and the share above the last bound."""
    return [*(quantile(share, quantity) for share in QUANTILES), above(quantity)]


def p95(quantity: Quantity, *by: str) -> list[Question]:
    """The 95th percentile, and the share above the last bound."""
    return [quantile(0.95, quantity, *by), above(quantity, *by)]


def logged(words: Callable[[traffic.Log], Mapping[str, str] | None], *by: str) -> Quantity:
    """Access logs."""
    return lambda seen: seen.logs(words, *by)


def request_words(log: traffic.Log) -> Mapping[str, str]:
    """The labels of a request."""
    route = "llm" if log.model else "mcp"
    return {"route": route, "ending": log.ending, "status_code": log.status, "upstream": log.backend}


def tool_words(log: traffic.Log) -> Mapping[str, str] | None:
    """The labels of an MCP request."""
    return {"tool": log.tool, "upstream": log.backend, "ending": log.ending} if log.tool else None


def aborted_words(log: traffic.Log) -> Mapping[str, str] | None:
    """The labels of a request whose client went away."""
    return {"original": log.model} if log.ending == "aborted" else None


NAMES: Final = {"namespace": LABELS["namespace"], "gateway": LABELS["gateway"]}


def fixed(numbers: Mapping[tuple[str, ...], float], *words: str, kind: Kind = Kind.SHARE) -> list[Question]:
    """Numbers that do not depend on what is chosen, by the values of these labels."""
    labelled = {
        tuple(sorted(zip((NAMES.get(word, word) for word in words), values, strict=True))): number
        for values, number in numbers.items()
    }
    return [lambda _: Answer(labelled, kind)]


def each_minute(numbers: Mapping[tuple[str, ...], float], *words: str) -> list[Question]:
    """Numbers of all five minutes, as numbers of one."""
    return fixed({key: count / see.MINUTES for key, count in numbers.items()}, *words, kind=Kind.RATE)
