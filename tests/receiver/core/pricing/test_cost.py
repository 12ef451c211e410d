"""What requests cost: a table worked by hand, in both formats, and the laws that every sum keeps.

A price of P USD per million tokens is P x 1,000,000 units of 1e-12 USD a token; the table's costs are in USD.
"""

import dataclasses
from typing import Any, Final

import hypothesis
import hypothesis.strategies as st
import pytest

from aigw_receiver.core.access_logs.model import Tokens
from aigw_receiver.core.pricing import cost, formats, reading
from aigw_receiver.core.pricing.book import Book, Query, Reason, TokenKind
from aigw_receiver.core.pricing.cost import Priced, Unpriced
from strategies.profile import examples

_OURS: Final[dict[str, Any]] = {
    "date": "2026-11-22",
    "entries": [
        {"models": ["gpt-4.1"], "input": 2.0, "cached": 0.5, "output": 8.0},
        {"models": ["gpt-4.1-mini"], "input": "0.40", "cached": "0.10", "output": "1.60"},
        {"models": ["gpt-4o"], "input": 2.5, "cached": 1.25, "output": 10},
        {"models": ["gpt-4o-2024-05-13"], "input": 5, "output": 15},
        {"models": ["gpt-4o"], "provider": "azure.openai", "input": 2.75, "cached": 1.375, "output": 11},
        {"models": ["gpt-4o"], "backend": "prod/*", "input": 2, "output": 9},
        {"models": ["claude-sonnet-4-5"], "input": 3, "cached": 0.3, "creation": 3.75, "output": 15,
         "tiers": [{"above": 200_000, "input": 6, "cached": 0.6, "creation": 7.5, "output": 22.5}]},
        {"models": ["eu.anthropic.claude-sonnet-4-5"], "input": 3.3, "cached": 0.33, "creation": 4.125, "output": 16.5},
        {"models": ["claude-3-haiku"], "input": 0.25, "cached": 0.03, "creation": 0.3, "output": 1.25},
        {"models": ["gemini-2.5-pro"], "input": 1.25, "cached": 0.125, "output": 10,
         "tiers": [{"above": 200_000, "input": 2.5, "cached": 0.25, "output": 15}]},
        {"models": ["thinker"], "input": 1, "output": 2, "reasoning": 3.5},
        {"models": ["steps"], "input": 1, "output": 1,
         "tiers": [{"above": 10, "input": 2, "output": 2}, {"above": 20, "input": 4, "output": 4}]},
        {"models": ["luna"], "from": "2026-07-09", "to": "2026-07-29", "input": 1, "output": 6},
        {"models": ["luna"], "from": "2026-07-30", "input": 0.2, "output": 1.2},
        {"models": ["text-embedding-3-small"], "input": 0.02},
        {"models": ["amazon.nova-micro"], "input": 0.035, "cached": 0.00875, "output": 0.14},
        {"models": ["free-of-charge"], "input": 0, "output": 0},
        {"patterns": ["acme-*-chat", "acme-v?"], "input": 7, "output": 7},
    ],
}  # fmt: skip

# Written for this test in the format of SkyWalking's gen-ai-config.yml.
_SKYWALKING: Final[dict[str, Any]] = {
    "last-updated": "2026-03-23",
    "providers": [
        {
            "provider": "openai",
            "prefix-match": ["gpt"],
            "models": [
                {"name": "gpt-4.1", "input-estimated-cost-per-m": 2.0, "output-estimated-cost-per-m": 8.0},
                {"name": "gpt-4.1-mini-2025-04-14", "input-estimated-cost-per-m": 0.4,
                 "output-estimated-cost-per-m": 1.6},
                {"name": "gpt-only-in", "input-estimated-cost-per-m": 1.0},
            ],
        },
        {
            "provider": "anthropic",
            "prefix-match": ["claude"],
            "models": [
                {"name": "claude-4.5-sonnet", "aliases": ["claude-sonnet-4-5"], "input-estimated-cost-per-m": 3.0,
                 "output-estimated-cost-per-m": 15.0},
            ],
        },
        {"provider": "minimax", "models": [
            {"name": "minimax-m2.5", "input-estimated-cost-per-m": 0.3, "output-estimated-cost-per-m": 1.2}]},
        {"provider": "bytedance", "prefix-match": ["doubao"]},
        {"provider": "ollama", "prefix-match": None, "models": None},
    ],
}  # fmt: skip

_BOOKS: Final = {"ours": formats.read_book(_OURS, "ours"), "skywalking": formats.read_book(_SKYWALKING, "skywalking")}
_BEDROCK: Final = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
_DAY: Final = "2026-11-22"
_MILLION: Final = 1_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class _Case:
    """A request, and its cost in USD as text, or the reason why it has none."""

    answered: str
    tokens: Tokens
    expected: str | Reason
    book: str = "ours"
    requested: str = ""
    provider: str = ""
    backend: str = ""
    day: str = _DAY


_CASES: Final = [
    # plain
    _Case("gpt-4.1", Tokens(1000, output=500), "0.006"),
    _Case("gpt-4.1", Tokens(_MILLION, output=_MILLION), "10.00"),
    _Case("gpt-4.1", Tokens(1, output=0), "0.000002"),
    _Case("gpt-4.1", Tokens(0, output=0), "0.00"),
    _Case("gpt-4.1-mini", Tokens(1000, output=500), "0.0012"),
    _Case("GPT-4.1-Mini", Tokens(1000, output=500), "0.0012"),
    _Case("free-of-charge", Tokens(1000, output=500), "0.00"),
    # cached, and written to the cache
    _Case("gpt-4.1", Tokens(2006, cached=1920, output=300), "0.003532"),
    _Case("claude-sonnet-4-5", Tokens(100_000, cached=90_000), "0.057"),
    _Case("claude-sonnet-4-5", Tokens(10_000, creation=8_000, output=100), "0.0375"),
    _Case("claude-sonnet-4-5", Tokens(10_000, cached=5_000, creation=4_000, output=1_000), "0.0345"),
    _Case("claude-3-haiku", Tokens(1_000, cached=400, creation=100, output=200), "0.000417"),
    _Case("gpt-4o-2024-05-13", Tokens(1_000, cached=500, output=0), "0.005"),
    _Case("gpt-4.1", Tokens(1_000, creation=500, output=0), "0.002"),
    _Case("amazon.nova-micro-v1:0", Tokens(4, cached=4), "0.000000035"),
    # more cached than input: nothing is charged as plain input
    _Case("gpt-4.1", Tokens(100, cached=150, output=0), "0.000075"),
    _Case("gpt-4.1", Tokens(-5, cached=-3, output=10), "0.00008"),
    # reasoning is inside output
    _Case("gpt-4.1", Tokens(0, output=300, reasoning=128), "0.0024"),
    _Case("thinker", Tokens(1_000, output=1_000, reasoning=400), "0.0036"),
    _Case("thinker", Tokens(0, output=100, reasoning=500), "0.00035"),
    # tiers are of the whole request, by all of its input
    _Case("claude-sonnet-4-5", Tokens(200_000, output=1_000), "0.615"),
    _Case("claude-sonnet-4-5", Tokens(200_001, output=1_000), "1.222506"),
    _Case("claude-sonnet-4-5", Tokens(300_000, cached=250_000, creation=20_000, output=2_000), "0.525"),
    _Case("gemini-2.5-pro", Tokens(250_000, cached=200_000, output=1_000), "0.19"),
    _Case("steps", Tokens(10, output=1), "0.000011"),
    _Case("steps", Tokens(15, output=1), "0.000032"),
    _Case("steps", Tokens(21, output=1), "0.000088"),
    _Case("steps", Tokens(5, cached=15, output=0), "0.00003"),
    # dates, by the day of the request
    _Case("luna", Tokens(_MILLION, output=0), "1.00", day="2026-07-29"),
    _Case("luna", Tokens(_MILLION, output=0), "0.20", day="2026-07-30"),
    _Case("luna", Tokens(_MILLION, output=0), Reason.NOT_IN_FORCE, day="2026-07-08"),
    # names
    _Case("gpt-4o-2024-08-06", Tokens(1000, output=0), "0.0025"),
    _Case("gpt-4o-2024-05-13", Tokens(1000, output=0), "0.005"),
    _Case(_BEDROCK, Tokens(1000, output=1000), "0.018"),
    _Case("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", Tokens(1000, output=1000), "0.0198"),
    _Case("anthropic.claude-3-haiku-20240307-v1:0", Tokens(1000, output=1000), "0.0015"),
    _Case("publishers/anthropic/models/claude-sonnet-4-5@20250929", Tokens(1000, output=1000), "0.018"),
    _Case("acme-large-chat", Tokens(1000, output=1000), "0.014"),
    _Case("acme-v2", Tokens(1000, output=0), "0.007"),
    _Case("acme-v22", Tokens(1000, output=0), Reason.UNKNOWN_MODEL),
    _Case("gpt-4.1-nano", Tokens(1000, output=0), Reason.UNKNOWN_MODEL),
    _Case("my-llama", Tokens(1000, output=0), Reason.UNKNOWN_MODEL),
    _Case("", Tokens(1000, output=0), Reason.NO_MODEL),
    _Case("gpt-4.1" + " " * 249, Tokens(1000, output=0), "0.002"),
    _Case("gpt-4.1" + " " * 250, Tokens(1000, output=0), Reason.UNKNOWN_MODEL),
    # the answered model first, the requested one second
    _Case("gpt-4.1-mini", Tokens(1000, output=0), "0.0004", requested="gpt-4.1"),
    _Case("unknown", Tokens(1000, output=0), "0.002", requested="gpt-4.1"),
    _Case("my-deployment", Tokens(1000, output=0), "0.002", requested="gpt-4.1"),
    _Case("gpt-4o-2024-05-13", Tokens(1000, output=0), "0.005", requested="my-deployment"),
    _Case(
        "claude-sonnet-4-5-20250929", Tokens(1000, output=0), "0.0033",
        requested="eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
    ),
    # conditions
    _Case("gpt-4o", Tokens(1000, output=0), "0.00275", provider="azure.openai"),
    _Case("gpt-4o", Tokens(1000, output=0), "0.002", provider="azure.openai", backend="prod/openai"),
    _Case("gpt-4o", Tokens(1000, output=0), "0.0025", provider="openai", backend="test/openai"),
    # no price for what was used
    _Case("text-embedding-3-small", Tokens(9), "0.00000018"),
    _Case("text-embedding-3-small", Tokens(9, output=1), Reason.NO_RATE),
    _Case("gpt-4.1", Tokens(), Reason.NO_TOKENS),
    _Case("gpt-4.1", Tokens(total=1000), Reason.NO_TOKENS),
    # SkyWalking's format
    _Case("gpt-4.1", Tokens(1000, output=500), "0.006", "skywalking"),
    _Case("claude-sonnet-4-5", Tokens(100_000, cached=90_000), "0.30", "skywalking"),
    _Case(_BEDROCK, Tokens(1000, output=1000), "0.018", "skywalking"),
    _Case("MiniMax-M2.5", Tokens(1000, output=1000), "0.0015", "skywalking"),
    _Case("gpt-4.1-mini-2025-04-14", Tokens(1000, output=0), "0.0004", "skywalking"),
    _Case("gpt-4.1-mini", Tokens(1000, output=0), Reason.UNKNOWN_MODEL, "skywalking"),
    _Case("gpt-only-in", Tokens(1000, output=0), "0.001", "skywalking"),
    _Case("gpt-only-in", Tokens(1000, output=1), Reason.NO_RATE, "skywalking"),
    _Case("doubao-pro", Tokens(1000, output=0), Reason.UNKNOWN_MODEL, "skywalking"),
]  # fmt: skip


def _query(case: _Case) -> Query:
    return Query(case.answered, case.requested, case.provider, case.backend, reading.date("day", case.day)[1])


@pytest.mark.parametrize("case", _CASES, ids=str)
def test_costs(case: _Case) -> None:
    """A request would be charged with a wrong sum, or for free where its price is not known."""
    result = cost.price(_BOOKS[case.book], _query(case), case.tokens)
    assert case.expected == (cost.usd_text(result.cost) if isinstance(result, Priced) else result.reason)


@pytest.mark.parametrize(
    ("answered", "requested", "expected"),
    [
        ("gpt-4.1", "", "answered model, exact name"),
        ("", "gpt-4.1", "requested model, exact name"),
        ("gpt-4o-2024-08-06", "", "answered model, exact name 'gpt-4o' without date"),
        ("acme-x-chat", "", "answered model, pattern 'acme-*-chat'"),
        (
            "claude-sonnet-4-5@20250929",
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "answered model, exact name 'claude-sonnet-4-5' without Vertex version, date",
        ),
        (
            "claude-sonnet-4-5-20250929",
            "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "requested model, exact name 'eu.anthropic.claude-sonnet-4-5' without Bedrock version, date",
        ),
    ],
)
def test_how_it_was_found(answered: str, requested: str, expected: str) -> None:
    """Nobody could tell why a request has the price that it has."""
    result = cost.price(_BOOKS["ours"], Query(answered, requested), Tokens(1))
    assert isinstance(result, Priced)
    assert expected == result.match.how


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (Tokens(10, cached=11), (cost.CLAMPED_INPUT,)),
        (Tokens(10, cached=5, creation=6), (cost.CLAMPED_INPUT,)),
        (Tokens(10, output=1, reasoning=2), (cost.CLAMPED_REASONING,)),
        (Tokens(-1, output=1), (cost.NEGATIVE,)),
        (Tokens(10, cached=5, creation=5, output=2, reasoning=2), ()),
    ],
)
def test_notes(tokens: Tokens, expected: tuple[str, ...]) -> None:
    """Counts that contradict each other would be put right in silence."""
    result = cost.price(_BOOKS["ours"], Query("gpt-4.1", ""), tokens)
    assert isinstance(result, Priced)
    assert expected == result.notes


def test_parts_add_up() -> None:
    """The parts of a sum, which the command shows, would not be what the sum is made of."""
    result = cost.price(
        _BOOKS["ours"], Query("claude-sonnet-4-5", ""), Tokens(100, cached=40, creation=30, output=20, reasoning=5)
    )
    assert isinstance(result, Priced)
    expected = [
        (TokenKind.INPUT, 30, 3_000_000),
        (TokenKind.CACHED, 40, 300_000),
        (TokenKind.CREATION, 30, 3_750_000),
        (TokenKind.OUTPUT, 15, 15_000_000),
        (TokenKind.REASONING, 5, 15_000_000),
    ]
    assert expected == [(part.kind, part.tokens, part.rate) for part in result.parts]
    assert result.cost == sum(part.cost for part in result.parts)


@pytest.mark.parametrize(
    ("units", "expected"),
    [(0, "0.00"), (1, "0.000000000001"), (10**12, "1.00"), (1_500_000_000_000, "1.50"), (-(10**11), "-0.10")],
)
def test_text_of_money(units: int, expected: str) -> None:
    """A digit of a sum would be lost in its text."""
    assert expected == cost.usd_text(units)
    assert float(expected) == cost.usd(units)


def test_provider_of_a_prefix() -> None:
    """`prefix-match` would not tell the provider, or give a model the price of another one."""
    book = _BOOKS["skywalking"]
    assert ["openai", "anthropic", "bytedance", ""] == [
        book.provider_of(model) for model in ("gpt-4.1-mini", "Claude-9", "doubao-pro", "llama")
    ]


_COUNT = st.integers(0, 10_000)
_TOKENS = st.builds(
    lambda plain, cached, creation, visible, reasoning: Tokens(
        plain + cached + creation, cached, creation, visible + reasoning, reasoning
    ),
    _COUNT, _COUNT, _COUNT, _COUNT, _COUNT,
)  # fmt: skip


def _added(one: Tokens, other: Tokens) -> Tokens:
    pairs = (
        (getattr(one, name), getattr(other, name)) for name in ("input", "cached", "creation", "output", "reasoning")
    )
    return Tokens(*(left + right for left, right in pairs))


@examples(200)
@hypothesis.given(one=_TOKENS, other=_TOKENS, model=st.sampled_from(("claude-sonnet-4-5", "thinker", "gpt-4.1")))
def test_costs_add_up(one: Tokens, other: Tokens, model: str) -> None:
    """Within a tier, two requests would cost something else than one with the tokens of both."""
    book, query = _BOOKS["ours"], Query(model, "")
    results = [cost.price(book, query, tokens) for tokens in (one, other, _added(one, other))]
    first, second, both = (result.cost for result in results if isinstance(result, Priced))
    assert both == first + second


_ANY = st.none() | st.integers(-10, 10**7)


@examples(300)
@hypothesis.given(
    tokens=st.builds(Tokens, _ANY, _ANY, _ANY, _ANY, _ANY),
    model=st.sampled_from([entry.models[0] for entry in _BOOKS["ours"].entries if entry.models] + ["nobody's"]),
)
def test_never_negative_and_never_free_by_mistake(tokens: Tokens, model: str) -> None:
    """A cost would be below 0, or 0 for tokens whose price is not known."""
    book: Book = _BOOKS["ours"]
    result = cost.price(book, Query(model, "", time=reading.date("", _DAY)[1]), tokens)
    if isinstance(result, Unpriced):
        assert model == "nobody's" or (tokens.input, tokens.output) == (None, None) or result.reason is Reason.NO_RATE
        return
    assert result.cost >= 0
    used = any(cost.split(tokens)[0])
    assert (result.cost == 0) == (not used or model == "free-of-charge")
