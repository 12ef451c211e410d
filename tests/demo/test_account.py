"""The driver's own account: what must be kept, and what it must cost, worked out by hand."""

from decimal import Decimal
from typing import Final

import pytest

from aigw_demo.account import PRICES, Account, Price, Span, Usage, open_account, read_prices
from aigw_demo.mcp_standin import SERVERS
from aigw_demo.traffic import MCP_CALLS, RESEARCH, STOREFRONT

SMALL: Final = Usage(31, 0, 3)


def account_of(model: str, status: int, usage: Usage, seconds: float, **said: bool) -> Account:
    """An account of one request."""
    account = open_account()
    account.add_llm(model, status, usage, seconds, slow=said.get("slow", False), aborted=said.get("aborted", False))
    return account


@pytest.mark.parametrize(
    ("model", "usage", "expected"),
    [
        # 80 x 0.05 + 1,920 x 0.005 + 300 x 0.40 = 4 + 9.6 + 120, by a million
        ("gpt-5-nano", Usage(2000, 1920, 300), "0.0001336"),
        ("gpt-5-nano", Usage(0, 0, 0), "0"),
        # no price for cached tokens: 100 x 0.10 + 1 x 0.30
        ("small", Usage(100, 50, 1), "0.0000103"),
        ("text-embedding-3-small", Usage(50, 0, 0), "0.000001"),
        ("big", Usage(100_000, 0, 3), "0.12503"),
    ],
)
def test_cost(model: str, usage: Usage, expected: str) -> None:
    """The driver's arithmetic, by which the receiver's is judged, would be wrong itself."""
    assert Decimal(expected) == read_prices(PRICES.read_text())[model].cost(usage)


def test_every_model_that_answers_has_a_price() -> None:
    """The driver would end in an error, or the receiver count tokens without a price."""
    failing = {"limited", "missing", "broken"}
    assert {kind.model for kind in (*STOREFRONT, *RESEARCH)} - failing == set(read_prices(PRICES.read_text()))


@pytest.mark.parametrize(
    ("account", "rules"),
    [
        (account_of("small", 200, SMALL, 0.1), []),
        (account_of("small", 404, SMALL, 0.1), ["errors"]),
        (account_of("gpt-5-nano", 200, Usage(9_700, 0, 299), 0.1), []),
        (account_of("gpt-5-nano", 200, Usage(9_700, 0, 300), 0.1), ["tokens"]),
        (account_of("big", 500, Usage(100_000, 0, 3), 0.1), ["errors"]),
        (account_of("slow", 200, SMALL, 2.3, slow=True), ["slow"]),
        (account_of("slow", 200, Usage(9_700, 0, 300), 2.3, slow=True), ["slow", "tokens"]),
        (account_of("longstream", 200, Usage(9_700, 0, 300), 0.4, aborted=True), ["aborted"]),
    ],
    ids=["ordinary", "error", "a token below", "many tokens", "error without tokens", "slow", "two rules", "aborted"],
)
def test_rules(account: Account, rules: list[str]) -> None:
    """A decision that is right would be called wrong, or a wrong one right."""
    assert rules == sorted(rule for rule, span in account.rules.items() if span != Span())
    assert all(Span(1) == account.rules[rule] for rule in rules)
    assert (Span(1), Span(0)) == ((account.kept, account.dropped) if rules else (account.dropped, account.kept))


def test_a_request_that_took_long_by_chance_is_in_doubt() -> None:
    """On a machine that is busy the demo would fail although every decision was right."""
    account = account_of("small", 200, SMALL, 2.5)
    assert (Span(0, 1), Span(0, 1), Span(0, 1)) == (account.rules["slow"], account.kept, account.dropped)
    assert (Decimal(0), Decimal("0.000004")) == (account.kept_cost, account.doubtful_cost)
    assert [False, True, True, False] == [Span(2, 1).holds(number) for number in (1, 2, 3, 4)]
    assert ["2 to 3", "1,000"] == [str(Span(2, 1)), str(Span(1000))]


def test_failed_and_aborted_requests_cost_nothing() -> None:
    """Tokens that nobody counted would be in the driver's sums."""
    account = account_of("small", 500, SMALL, 0.1)
    account.add_llm("longstream", 200, SMALL, 0.4, slow=False, aborted=True)
    assert {} == account.cost
    assert 2 == account.records


def test_session_makes_the_requests_that_the_servers_offer() -> None:
    """The number of MCP records would be wrong where a server announces more than the driver believes."""
    account = open_account()
    account.add_mcp("initialize", 0.1)
    for method, tool in MCP_CALLS:
        account.add_mcp(method, 0.1, refused=tool == "search__refuse")
    lists = [method.removesuffix("/list") for method, _ in MCP_CALLS if method.endswith("/list")]
    listed = sum(name in server.capabilities for server in SERVERS.values() for name in lists)
    single = sum(method in ("tools/call", "notifications/progress") for method, _ in MCP_CALLS)
    assert 2 * len(SERVERS) + listed + single == account.mcp
    assert Span(1) == account.rules["mcp_errors"]
    assert Price(Decimal(1), Decimal(1), Decimal(1)).cost(Usage(1_000_000, 0, 0)) == 1
