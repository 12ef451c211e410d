"""What the driver sent, and what must come of it: records, decisions and cost, by its own arithmetic.

The other side of the summary's comparison, so it must not look at anything that a gateway or the receiver says. It
knows what it asked for, the status that it was answered, how long that took, and when it hung up.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final

import yaml

PRICES: Final = Path(__file__).parents[1] / "prices.yaml"
MILLION: Final = 1_000_000

# The receiver's rules, as the demo sets them or leaves them.
SLOW_SECONDS: Final = 2.0
SLOW_MCP_SECONDS: Final = 10.0
MANY_TOKENS: Final = 10_000
ERROR_STATUS: Final = 400

RULES: Final = ("aborted", "errors", "mcp_errors", "slow", "tokens")
"""those that the traffic concerns"""

# How many requests to MCP servers each method makes: `everything` has tools, prompts and resources, `search` has tools
# only. A session is opened with each server, in two steps; ping is answered by the gateway itself.
MCP_HOPS: Final = {
    "initialize": 4,
    "notifications/initialized": 0,
    "tools/list": 2,
    "tools/call": 1,
    "prompts/list": 1,
    "resources/list": 1,
    "notifications/progress": 1,
    "ping": 0,
}


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of a request: cached ones are part of the prompt."""

    prompt: int
    cached: int
    completion: int


@dataclass(slots=True)
class Span:
    """A number that is known, or known but for some cases that can go either way."""

    least: int = 0
    doubtful: int = 0

    def holds(self, number: int) -> bool:
        """Whether a number can be this one."""
        return self.least <= number <= self.least + self.doubtful

    def __str__(self) -> str:
        return f"{self.least:,}" + (f" to {self.least + self.doubtful:,}" if self.doubtful else "")


@dataclass(frozen=True, slots=True)
class Price:
    """What a million tokens cost."""

    prompt: Decimal
    cached: Decimal
    completion: Decimal

    def cost(self, usage: Usage) -> Decimal:
        """What a request costs."""
        plain = usage.prompt - usage.cached
        return (plain * self.prompt + usage.cached * self.cached + usage.completion * self.completion) / MILLION


def read_prices(text: str) -> dict[str, Price]:
    """The prices by model, out of the demo's own book; a cached token without a price costs what any other does."""
    prices: dict[str, Price] = {}
    # Numbers stay text on their way to a decimal.
    for entry in yaml.load(text, Loader=yaml.BaseLoader)["entries"]:
        plain = Decimal(entry["input"])
        price = Price(plain, Decimal(entry.get("cached", plain)), Decimal(entry.get("output", 0)))
        prices |= dict.fromkeys(entry["models"], price)
    return prices


@dataclass(slots=True)
class Account:
    """Sums over everything that was sent."""

    prices: dict[str, Price]
    llm: int = 0
    mcp: int = 0
    unanswered: int = 0
    dropped: Span = field(default_factory=Span)
    rules: dict[str, Span] = field(default_factory=lambda: {rule: Span() for rule in RULES})
    cost: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    kept_cost: Decimal = Decimal(0)
    # What requests cost of which it is not known whether they were kept.
    doubtful_cost: Decimal = Decimal(0)

    @property
    def records(self) -> int:
        """How many access logs there must be."""
        return self.llm + self.mcp

    @property
    def kept(self) -> Span:
        """How many of them must have been kept."""
        return Span(self.records - self.dropped.least - self.dropped.doubtful, self.dropped.doubtful)

    def add_llm(self, model: str, status: int, usage: Usage, seconds: float, *, slow: bool, aborted: bool) -> None:
        """Count a request that was answered; `slow` says that the model takes longer than the rule allows.

        Any other request may have taken as long on a machine that is busy: if it did as seen from here, it is not known
        on which side of the limit the gateway saw it.
        """
        self.llm += 1
        complete = status < ERROR_STATUS and not aborted
        cost = self.prices[model].cost(usage) if complete else Decimal(0)
        if complete:
            self.cost[model] += cost
        named = {
            "errors": status >= ERROR_STATUS,
            "tokens": complete and usage.prompt + usage.completion >= MANY_TOKENS,
            "aborted": aborted,
            "slow": slow and complete,
        }
        for rule, concerns in named.items():
            self.rules[rule].least += concerns
        doubtful = seconds >= SLOW_SECONDS and not named["slow"]
        self.rules["slow"].doubtful += doubtful
        if any(named.values()):
            self.kept_cost += cost
        elif doubtful:
            self.dropped.doubtful += 1
            self.doubtful_cost += cost
        else:
            self.dropped.least += 1

    def add_mcp(self, method: str, seconds: float, *, refused: bool = False) -> None:
        """Count what a call makes the gateway send to MCP servers; `refused` says that they answer 400.

        Where the call took longer than the rule allows, each of what was sent may have.
        """
        hops = MCP_HOPS[method]
        self.mcp += hops
        doubtful = hops if seconds >= SLOW_MCP_SECONDS else 0
        self.rules["slow"].doubtful += doubtful
        if refused:
            self.rules["mcp_errors"].least += hops
        else:
            self.dropped.least += hops - doubtful
            self.dropped.doubtful += doubtful

    def add_unanswered(self) -> None:
        """Count a request of which nothing is known: its connection broke."""
        self.unanswered += 1


def open_account() -> Account:
    """An account with the prices of the demo's book."""
    return Account(read_prices(PRICES.read_text()))
