"""The summary: equal numbers are called equal, and one wrong digit anywhere fails the run."""

import asyncio
from dataclasses import dataclass
from typing import Final

import pytest

from aigw_demo.instruments import MCP_METHOD_COUNT, REQUEST_DURATION, TIME_TO_FIRST_TOKEN, TOKEN_USAGE
from aigw_demo.ledger import Ledger
from aigw_demo.receiver import Addresses
from aigw_demo.run import print_totals, settle_metrics
from aigw_demo.series import SeriesMap, parse_exposition, sum_counters
from aigw_demo.summary import build_summary
from aigw_demo.traffic import Target
from demo.exposition import render_exposition

POD: Final = {"gateway_namespace": "shop", "gateway_name": "storefront", "gateway_pod": "p-1"}
CHAT: Final = {"gen_ai.operation.name": "chat", "gen_ai.original.model": "gpt-5-nano"}
EQUAL_LINE: Final = "receiver totals equal what the gateways recorded: 6 series, 3 requests, 2306 tokens"


def record_some() -> SeriesMap:
    """What one pod recorded of three requests, one of them failed, and one MCP call."""
    ledger = Ledger(POD)
    ledger.add(REQUEST_DURATION, 0.1, CHAT)
    ledger.add(REQUEST_DURATION, 0.2, CHAT)
    ledger.add(REQUEST_DURATION, 0.005, {**CHAT, "error.type": "_OTHER"})
    ledger.add(TIME_TO_FIRST_TOKEN, 0.001, CHAT)
    ledger.add(TOKEN_USAGE, 2006, {**CHAT, "gen_ai.token.type": "input"})
    ledger.add(TOKEN_USAGE, 300, {**CHAT, "gen_ai.token.type": "output"})
    ledger.add(MCP_METHOD_COUNT, 1, {"mcp.method.name": "ping", "status": "success"})
    return ledger.series()


@dataclass(frozen=True, slots=True)
class Doctored:
    """One change of a right scrape, and what the summary must say of it."""

    reason: str
    old: str
    new: str
    said: str


LABELS: Final = 'gateway_name="storefront",gateway_namespace="shop",gateway_pod="p-1"'
CHAT_LABELS: Final = f'{LABELS},gen_ai_operation_name="chat",gen_ai_original_model="gpt-5-nano"'
INPUT_LABELS: Final = f'{CHAT_LABELS},gen_ai_token_type="input"'
DURATION: Final = "gen_ai_server_request_duration_seconds"
DOCTORED: Final = (
    Doctored(
        "a count",
        f"{DURATION}_count{{{CHAT_LABELS}}} 2",
        f"{DURATION}_count{{{CHAT_LABELS}}} 3",
        "count 2 was recorded, 3 received",
    ),
    Doctored(
        "a bucket",
        f'{DURATION}_bucket{{{CHAT_LABELS},le="0.16"}} 1',
        f'{DURATION}_bucket{{{CHAT_LABELS},le="0.16"}} 2',
        "bucket le=0.16: 1 was recorded, 2 received",
    ),
    Doctored(
        "a bound",
        f'{DURATION}_bucket{{{CHAT_LABELS},le="0.16"}} 1',
        f'{DURATION}_bucket{{{CHAT_LABELS},le="0.17"}} 1',
        "bucket le=0.17: None was recorded, 1 received",
    ),
    Doctored(
        "one token",
        f"gen_ai_client_token_usage_sum{{{INPUT_LABELS}}} 2006.0",
        f"gen_ai_client_token_usage_sum{{{INPUT_LABELS}}} 2007.0",
        "sum 2006.0 was recorded, 2007.0 received",
    ),
    Doctored(
        "a thousandth of a token",
        f"gen_ai_client_token_usage_sum{{{INPUT_LABELS}}} 2006.0",
        f"gen_ai_client_token_usage_sum{{{INPUT_LABELS}}} 2006.0000001",
        "sum 2006.0 was recorded, 2006.0000001 received",
    ),
    Doctored(
        "a microsecond",
        f"{DURATION}_sum{{{CHAT_LABELS}}} 0.30000000000000004",
        f"{DURATION}_sum{{{CHAT_LABELS}}} 0.300001",
        "sum 0.30000000000000004 was recorded, 0.300001 received",
    ),
    Doctored("a counter", 'status="success"} 1.0', 'status="success"} 2.0', "1.0 was recorded, 2.0 received"),
    Doctored("a status", 'status="success"}', 'status="failed"}', "recorded, but not received"),
    Doctored("a pod", 'gateway_pod="p-1"', 'gateway_pod="p-2"', "received, but never recorded"),
    Doctored("a name", DURATION, "gen_ai_server_request_duration", "recorded, but not received"),
    Doctored("a label too many", f"{{{LABELS},mcp", f'{{{LABELS},cluster="x",mcp', "received, but never recorded"),
)


def test_a_right_scrape_is_called_equal() -> None:
    """A summary that fails on right numbers would be useless; the last bit of a duration is no difference."""
    scrape = render_exposition(record_some()).replace("0.30000000000000004", "0.3")
    summary = build_summary(record_some(), parse_exposition(scrape))
    assert summary.lines[-1] == EQUAL_LINE
    assert summary.equal


@pytest.mark.parametrize("case", DOCTORED, ids=lambda case: case.reason)
def test_a_doctored_scrape_fails(case: Doctored) -> None:
    """A number, name or label that differs and is not noticed would make the summary's word worthless."""
    scrape = render_exposition(record_some())
    assert case.old in scrape
    summary = build_summary(record_some(), parse_exposition(scrape.replace(case.old, case.new)))
    assert not summary.equal
    assert any(case.said in line for line in summary.lines)
    assert not any("totals equal" in line for line in summary.lines)


@pytest.mark.parametrize("recorded", [{}, parse_exposition("# TYPE mcp_x_total counter\nmcp_x_total 1\n")])
def test_nothing_recorded_is_no_success(recorded: SeriesMap) -> None:
    """A run whose traffic never arrived would otherwise end with a proof of nothing."""
    summary = build_summary(recorded, recorded)
    assert summary.lines[-1] == "no request was recorded"
    assert not summary.equal


@pytest.mark.parametrize(("old", "new", "equal"), [("", "", True), ("} 2006.0", "} 2005.0", False)])
def test_outcome_is_told(old: str, new: str, equal: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that prints differences and exits 0 would pass in CI."""
    derived = '# TYPE aigw_requests counter\naigw_requests_total{gateway_name="g"} 3\n'
    scrape = render_exposition(record_some()).replace(old, new) + derived

    class Gateways:
        targets: tuple[Target, ...] = ()
        has_access_logs = False

        async def settle(self) -> SeriesMap:
            return record_some()

        def describe_failures(self) -> list[str]:
            return []

    class Scraped(Addresses):
        async def scrape(self) -> str:
            return scrape

    recorded, series = asyncio.run(settle_metrics(Scraped("", "", "", ""), Gateways()))
    assert equal is print_totals(Gateways(), recorded, series)
    assert 3.0 == sum_counters(series, "aigw_requests_total", gateway_name="g")
    assert (EQUAL_LINE in capsys.readouterr().out) is equal


def test_totals_stand_side_by_side() -> None:
    """Without both numbers a reader could not see how large a difference is."""
    scrape = render_exposition(record_some()).replace("} 2006.0", "} 1006.0")
    lines = build_summary(record_some(), parse_exposition(scrape)).lines
    assert next(line.split() for line in lines if line.startswith("tokens in")) == ["tokens", "in", "2,006", "1,006"]
