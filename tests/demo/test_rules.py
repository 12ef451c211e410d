"""The receiver's own rules, as the demo sets them, against the driver's account, which knows only what it sent."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from aigw_demo.account import Account, Span, Usage, open_account
from aigw_demo.receiver import build_configuration
from aigw_receiver import configuration
from aigw_receiver.core.access_logs.model import AccessLog, Ending, RouteType, Tokens
from aigw_receiver.core.access_logs.rules import Rules, Verdict
from aigw_receiver.core.model import Identity
from decisions import decide

GATEWAY: Final = Identity("shop", "storefront", "pod-1")
START: Final = 1_700_000_000_000_000_000
SECOND: Final = 1_000_000_000
SMALL: Final = Usage(31, 0, 3)

# Milliseconds of one model: more requests than a short run has, and enough to learn from. In one of some hundred a
# machine that is busy takes more than a second.
BUSY: Final = ([20.0] * 300 + [1500.0]) * 10


def decide_all(requests: Sequence[AccessLog]) -> list[Verdict]:
    """What becomes of these, ten of them each second."""
    rules = Rules(configuration.read_settings(build_configuration(Path("kept.jsonl"), ""), {}).access_logs.rules)
    return [decide(rules, request, START + place * SECOND // 10, 0.5) for place, request in enumerate(requests)]


def build_llm(milliseconds: float) -> AccessLog:
    """The record of an LLM request that went well."""
    tokens = Tokens(input=SMALL.prompt, output=SMALL.completion)
    return AccessLog(
        *(GATEWAY, RouteType.LLM, START, Ending.OK),
        status=200,
        duration=milliseconds,
        requested_model="small",
        tokens=tokens,
    )


def build_mcp(milliseconds: float) -> AccessLog:
    """The record of a request to an MCP server that went well."""
    return AccessLog(
        *(GATEWAY, RouteType.MCP, START, Ending.OK), status=200, duration=milliseconds, mcp_method="tools/call"
    )


def account_llm(durations: Sequence[float]) -> Account:
    """The driver's account of LLM requests that took so many milliseconds."""
    account = open_account()
    for milliseconds in durations:
        account.add_llm("small", 200, SMALL, milliseconds / 1000, slow=False, aborted=False)
    return account


def account_mcp(milliseconds: float) -> Account:
    """The driver's account of one call of a tool."""
    account = open_account()
    account.add_mcp("tools/call", milliseconds / 1000)
    return account


def test_long_run_on_a_busy_machine_keeps_what_the_account_says() -> None:
    """A run of some minutes would end with failed checks: the receiver had learned what is slow for a model."""
    kept = sum(verdict.kept for verdict in decide_all([build_llm(milliseconds) for milliseconds in BUSY]))
    account = account_llm(BUSY)
    assert (Span(0), Span(3010), 0) == (account.kept, account.dropped, kept)


@pytest.mark.parametrize(
    ("verdict", "account", "rules"),
    [
        (decide_all([build_llm(1999.0)]), account_llm([1999.0]), ()),
        (decide_all([build_llm(2000.0)]), account_llm([2000.0]), ("slow",)),
        (decide_all([build_mcp(9999.0)]), account_mcp(9999.0), ()),
        (decide_all([build_mcp(10_000.0)]), account_mcp(10_000.0), ("slow",)),
    ],
    ids=["LLM below", "LLM slow", "MCP below", "MCP slow"],
)
def test_limits_are_the_receivers(verdict: list[Verdict], account: Account, rules: tuple[str, ...]) -> None:
    """On a machine that is busy a request on the other side of a limit would be called a wrong decision."""
    assert [rules] == [each.rules for each in verdict]
    assert (Span(0, len(rules)), Span(0, len(rules))) == (account.rules["slow"], account.kept)
