"""The sum: what the tokens of one request cost, in whole units of 1e-12 USD, or why that is not known.

`input` contains the tokens that were read from the cache and those that were written to it, and `output` contains
reasoning (the gateway's own metrics and costs are made like that), so the sum is

    (input - cached - creation) x input + cached x cached + creation x creation
    + (output - reasoning) x output + reasoning x reasoning

at the prices of the tier that the size of the input selects. No rounding takes place.
"""

import dataclasses
from typing import Final

from aigw_receiver.core.access_logs.model import Tokens
from aigw_receiver.core.pricing.book import UNITS_PER_USD, Book, Match, NoMatch, Query, Rates, Reason, TokenKind

CLAMPED_INPUT: Final = "more cached and written tokens than input: no token was charged as plain input"
CLAMPED_REASONING: Final = "more reasoning than output: reasoning was counted up to the output"
NEGATIVE: Final = "a negative count was taken for 0"


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """The tokens of one kind, and what one of them and all of them cost."""

    kind: TokenKind
    tokens: int
    rate: int
    cost: int


@dataclasses.dataclass(frozen=True, slots=True)
class Priced:
    """A cost in 1e-12 USD, and how it came about. `tier` 0 is the base; `counts` are by the order of TokenKind."""

    cost: int
    match: Match
    tier: int
    rates: Rates
    counts: tuple[int, ...]
    notes: tuple[str, ...] = ()

    @property
    def parts(self) -> list[Part]:
        """What the cost is made of, by kinds that have a price."""
        each = zip(TokenKind, self.counts, self.rates.each, strict=True)
        return [Part(kind, count, rate, count * rate) for kind, count, rate in each if rate is not None]


@dataclasses.dataclass(frozen=True, slots=True)
class Unpriced:
    """Why there is no cost. This is never the same as a cost of 0."""

    reason: Reason
    detail: str
    match: Match | None = None


def price(book: Book, query: Query, tokens: Tokens) -> Priced | Unpriced:
    """What a request cost."""
    if tokens.input is None and tokens.output is None:
        return Unpriced(Reason.NO_TOKENS, "neither input nor output tokens are known")
    match = book.find(query)
    if isinstance(match, NoMatch):
        return Unpriced(match.reason, match.detail)
    counts, notes = split(tokens)
    tier, rates = match.entry.tier_for(counts[0] + counts[1] + counts[2])
    total = 0
    for index, count in enumerate(counts):
        if count:
            rate = rates.each[index]
            if rate is None:
                kind = tuple(TokenKind)[index].value
                return Unpriced(Reason.NO_RATE, f"{match.entry.label} has no price for {kind} tokens", match)
            total += count * rate
    return Priced(total, match, tier, rates, counts, notes)


def split(tokens: Tokens) -> tuple[tuple[int, int, int, int, int], tuple[str, ...]]:
    """The counts by kinds that do not overlap, in the order of TokenKind, and what had to be put right in them."""
    every, cached, creation = tokens.input or 0, tokens.cached or 0, tokens.creation or 0
    output, reasoning = tokens.output or 0, tokens.reasoning or 0
    notes: tuple[str, ...] = ()
    if min(every, cached, creation, output, reasoning) < 0:
        notes = (NEGATIVE,)
        every, cached, creation = max(every, 0), max(cached, 0), max(creation, 0)
        output, reasoning = max(output, 0), max(reasoning, 0)
    plain, visible = every - cached - creation, output - reasoning
    if plain < 0:
        plain, notes = 0, (*notes, CLAMPED_INPUT)
    if visible < 0:
        reasoning, visible, notes = output, 0, (*notes, CLAMPED_REASONING)
    return (plain, cached, creation, visible, reasoning), notes


def rate_of(rates: Rates, kind: TokenKind) -> int | None:
    """The price of a token of one kind, in 1e-12 USD; None where the entry has none."""
    return rates.each[_ORDER[kind]]


_ORDER: Final = {kind: index for index, kind in enumerate(TokenKind)}


def usd(cost: int) -> float:
    """A cost in USD as the nearest float, for output only."""
    return cost / UNITS_PER_USD


def usd_text(cost: int) -> str:
    """A cost in USD as exact decimal text, with two decimal places at least."""
    whole, fraction = divmod(abs(cost), UNITS_PER_USD)
    digits = f"{fraction:012}".rstrip("0").ljust(2, "0")
    return f"{'-' if cost < 0 else ''}{whole}.{digits}"
