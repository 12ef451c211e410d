"""The summary of the page: equal numbers pass, and one that differs, or a gateway too many, fails the run."""

import copy
from decimal import Decimal
from typing import Any, Final

import pytest
from aiohttp import web

from aigw_demo.checks import Check
from aigw_demo.page_summary import build_checks, render_checks, settle_page
from aigw_demo.receiver import Addresses
from aigw_demo.run import print_page
from aigw_demo.series import SeriesMap, parse_exposition
from aigw_demo.standin import serve

RECORDED: Final = """\
# TYPE gen_ai_server_request_duration_seconds histogram
gen_ai_server_request_duration_seconds_bucket{gateway_namespace="shop",gateway_name="a",gateway_pod="1",le="+Inf"} 5
gen_ai_server_request_duration_seconds_count{gateway_namespace="shop",gateway_name="a",gateway_pod="1"} 5
gen_ai_server_request_duration_seconds_sum{gateway_namespace="shop",gateway_name="a",gateway_pod="1"} 1
gen_ai_server_request_duration_seconds_count{gateway_namespace="shop",gateway_name="a",gateway_pod="2"} 2
gen_ai_server_request_duration_seconds_count{gateway_namespace="shop",gateway_name="a",error_type="_OTHER"} 3
# TYPE gen_ai_server_time_to_first_token_seconds histogram
gen_ai_server_time_to_first_token_seconds_count{gateway_namespace="shop",gateway_name="a"} 4
# TYPE gen_ai_client_token_usage histogram
gen_ai_client_token_usage_sum{gateway_namespace="shop",gateway_name="a",gen_ai_token_type="input"} 100
gen_ai_client_token_usage_sum{gateway_namespace="shop",gateway_name="a",gen_ai_token_type="cached_input"} 64
gen_ai_client_token_usage_sum{gateway_namespace="shop",gateway_name="a",gen_ai_token_type="output"} 50
gen_ai_client_token_usage_sum{gateway_namespace="shop",gateway_name="a",gen_ai_token_type="reasoning"} 20
# TYPE mcp_method_count counter
mcp_method_count_total{gateway_namespace="shop",gateway_name="a",status="success"} 6
mcp_method_count_total{gateway_namespace="shop",gateway_name="a",status="failed"} 2
mcp_method_count_total{gateway_namespace="shop",gateway_name="a",status="error"} 1
# TYPE mcp_request_duration_seconds histogram
mcp_request_duration_seconds_count{gateway_namespace="shop",gateway_name="a"} 8
"""
TOTALS: Final[dict[str, Any]] = {
    "requests": 10,
    "errors": 3,
    "tokens": {"input": 100, "output": 50, "cached_input": 64, "reasoning": 20, "total": 150},
    "cost_usd": 0.5,
    "time_to_first_token": {"count": 4},
    "mcp": {"messages": 9, "requests": 8, "errors": 3},
}
COST: Final = Decimal("0.5")


def describe(**changes: Any) -> dict[str, Any]:
    """An answer of the API with one gateway, whose totals are changed: `tokens_input=1` is that of its tokens."""
    totals = copy.deepcopy(TOTALS)
    for path, value in changes.items():
        parent, _, child = path.partition("__")
        if child:
            totals[parent][child] = value
        else:
            totals[parent] = value
    return {"since": 1.5, "gateways": [{"namespace": "shop", "name": "a", "totals": totals}]}


def recorded() -> SeriesMap:
    """What the gateways say."""
    return parse_exposition(RECORDED)


def failed(checks: list[Check]) -> list[str]:
    """The names of those that did not pass."""
    return [check.name for check in checks if not check.passed]


def test_right_numbers_pass() -> None:
    """A summary that fails on right numbers would be useless."""
    checks = build_checks(describe(), recorded(), COST)
    assert [] == failed(checks)
    assert "the page shows what the gateways recorded: 11 checks" == render_checks(checks)[-1]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"requests": 11}, "shop/a requests"),
        ({"errors": 2}, "shop/a failed requests"),
        ({"time_to_first_token__count": 3}, "shop/a streams"),
        ({"tokens__input": 101}, "shop/a tokens in"),
        ({"tokens__cached_input": 0}, "shop/a cached tokens"),
        ({"tokens__output": 49}, "shop/a tokens out"),
        ({"tokens__reasoning": 21}, "shop/a reasoning tokens"),
        ({"mcp__messages": 8}, "shop/a MCP messages"),
        ({"mcp__errors": 2}, "shop/a failed MCP messages"),
        ({"mcp__requests": 9}, "shop/a MCP requests"),
        ({"cost_usd": 0.51}, "cost of all gateways"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_one_wrong_number_fails(changes: dict[str, Any], name: str) -> None:
    """A number of the page that differs and is not noticed would make the summary's word worthless."""
    checks = build_checks(describe(**changes), recorded(), COST)
    assert [name] == failed(checks)
    assert "1 of 11 checks of the page failed" == render_checks(checks)[-1]


def test_gateways_that_only_one_side_has() -> None:
    """A gateway that is missing on the page, or that nobody knows, is passed over."""
    none = {"since": 1.5, "gateways": []}
    assert 10 == len(failed(build_checks(none, recorded(), None)))
    assert 10 == len(failed(build_checks(describe(), {}, None)))


async def test_asking() -> None:
    """The answer is of another span than the run, is taken before the last numbers are there, or never comes."""
    asked: list[dict[str, str]] = []

    async def gateways(request: web.Request) -> web.Response:
        asked.append(dict(request.query))
        return web.json_response(describe(**({"requests": 9} if len(asked) < 4 else {})))

    app = web.Application()
    app.router.add_get("/api/gateways", gateways)
    async with serve(app) as address:
        checks = await settle_page(Addresses("", "", address, ""), recorded(), COST)
    assert ([], 11) == (failed(checks), len(checks))
    assert [{}, {"from": "1.501"}] * 2 == asked


async def test_no_such_api() -> None:
    """A receiver without the page's API fails a run."""
    async with serve(web.Application()) as address:
        assert [] == await settle_page(Addresses("", "", address, ""), recorded(), COST)


async def test_an_api_that_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """A page that cannot be read ends the demo in a traceback, or passes for a right one."""

    async def fail(_: web.Request) -> web.Response:
        raise web.HTTPBadGateway

    app = web.Application()
    app.router.add_get("/api/gateways", fail)
    async with serve(app) as address:
        assert not await print_page(Addresses("", "", address, ""), recorded(), COST)
    assert "the page's API does not answer: 502" == capsys.readouterr().out.strip()[:35]
