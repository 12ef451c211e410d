"""The tabs of one gateway, each with the numbers that the clients sent."""

from collections.abc import Sequence

import pytest

from aigw_demo import instruments
from aigw_demo.series import SeriesMap
from web import reading, truth
from web.conftest import Opener
from web.site import Site

GATEWAY = pytest.mark.parametrize(("namespace", "name"), truth.GATEWAYS, ids=lambda each: each)
LLM_FIELDS = {
    *("requests", "errors", "error_ratio", "tokens_input", "tokens_output", "tokens_cached_input", "tokens_reasoning"),
    *("tokens_total", "cost_usd", "unpriced_tokens", "duration_avg", "duration_p95", "ttft_avg", "ttft_p95"),
    *("tpot_avg", "tpot_p95"),
}
CALL_FIELDS = {"mcp_messages", "mcp_errors", "mcp_failed", "mcp_protocol_errors", "mcp_error_ratio"}
MCP_FIELDS = {"mcp_messages", "mcp_errors", "mcp_error_ratio", "mcp_requests", "mcp_duration_avg", "mcp_duration_p95"}
START_FIELDS = {"mcp_initialization_avg", "mcp_initialization_p95"}


def parts(series: SeriesMap, namespace: str, name: str, *labels: str) -> dict[tuple[str, ...], truth.Numbers]:
    """The numbers of each part of a gateway that these labels tell apart."""
    of_gateway = truth.select(series, {"gateway_namespace": namespace, "gateway_name": name})
    return {
        values: truth.totals(of_gateway, namespace, name, **dict(zip(labels, values, strict=True)))
        for values in truth.label_values(of_gateway, *labels)
    }


def compare(wanted: dict[str, truth.Numbers], shown: dict[str, reading.Shown], fields: set[str]) -> None:
    """The rows are these, with these fields and numbers."""
    assert set(wanted) == set(shown)
    for key, numbers in wanted.items():
        assert (key, fields) == (key, fields & set(shown[key]))
        assert (key, []) == (key, reading.differences(numbers, shown[key]))


def sums(rows: Sequence[tuple[float, reading.Shown]]) -> dict[str, float]:
    """What the lines of a chart come to."""
    total: dict[str, float] = {}
    for _, values in rows:
        for line, text in values.items():
            total[line] = total.get(line, 0.0) + (reading.number(text) or 0.0)
    return total


@GATEWAY
def test_overview(recorded: SeriesMap, look: Opener, namespace: str, name: str) -> None:
    """A number at the head of a gateway is wrong, or a chart does not add up to it."""
    wanted = truth.totals(recorded, namespace, name)
    with look() as reader:
        page = reader.open(f"/gateways/{namespace}/{name}/overview")
        shown = reading.tiles(page)
        fields = {
            "requests",
            "errors",
            "tokens_total",
            "cost_usd",
            "duration_p95",
            "ttft_p95",
            "tpot_avg",
            "mcp_messages",
            "mcp_errors",
        }
        assert {*fields, "completeness"} == set(shown)
        assert [] == reading.differences(wanted, shown)
        charts = {
            "requests": {"requests": wanted["requests"], "errors": wanted["errors"]},
            "tokens": {
                "input": wanted["tokens_input"],
                "output": wanted["tokens_output"],
                "cached input": wanted["tokens_cached_input"],
                "reasoning": wanted["tokens_reasoning"],
            },
            "cost": {"cost": wanted["cost_usd"]},
        }
        for chart, lines in charts.items():
            drawn = sums(reading.chart(page, chart))
            assert set(lines) == set(drawn)
            assert [] == [line for line, number in lines.items() if not truth.equal(number, drawn[line])]
        for chart in ("latency", "ttft", "tpot"):
            assert {"p50", "p75", "p90", "p95", "p99", "avg"} == set(sums(reading.chart(page, chart)))
        assert page.locator("figure[data-chart] canvas").count() == len(charts) + 3


@GATEWAY
def test_providers(recorded: SeriesMap, look: Opener, namespace: str, name: str) -> None:
    """A provider's number is wrong."""
    wanted = parts(recorded, namespace, name, "gen_ai_provider_name")
    with look() as reader:
        shown = reading.rows(reader.open(f"/gateways/{namespace}/{name}/providers"), "providers")
    compare({provider: numbers for (provider,), numbers in wanted.items()}, shown, {"provider", *LLM_FIELDS})


@GATEWAY
def test_models(recorded: SeriesMap, look: Opener, namespace: str, name: str) -> None:
    """A model's number is wrong, or tokens are counted for another model."""
    wanted = parts(recorded, namespace, name, "gen_ai_provider_name", "gen_ai_response_model")
    with look() as reader:
        page = reader.open(f"/gateways/{namespace}/{name}/models")
        rows = reading.rows(page, "models")
        compare({"/".join(key): numbers for key, numbers in wanted.items()}, rows, {"model", "provider", *LLM_FIELDS})
        drawn = sums(reading.chart(page, "requests"))
    lines = {" / ".join(key): numbers["requests"] for key, numbers in wanted.items() if numbers["requests"]}
    assert lines == drawn


@GATEWAY
def test_pods(site: Site, recorded: SeriesMap, look: Opener, namespace: str, name: str) -> None:
    """A pod's number is wrong, or a pod that lives is shown as another."""
    wanted = parts(recorded, namespace, name, "gateway_pod")
    fields = {"requests", "errors", "tokens_total", "cost_usd", "duration_p95", "ttft_p95", "mcp_messages"}
    with look() as reader:
        shown = reading.rows(reader.open(f"/gateways/{namespace}/{name}/pods"), "pods")
    compare({pod: numbers for (pod,), numbers in wanted.items()}, shown, {"pod", "last_log", "interval", *fields})
    sources = {each["gateway_pod"]: each for each in site.read("/api/sources")["sources"]}
    for pod, values in shown.items():
        said = sources[pod]["signals"]["metrics"]["interval"]
        assert ("active", sources[pod]["streams"]) == (values["state"], reading.number(values["streams"]))
        assert said == reading.number(values["interval"])


@GATEWAY
def test_mcp(recorded: SeriesMap, look: Opener, namespace: str, name: str) -> None:
    """What an MCP server was asked, or how often that failed, is wrong."""
    with look() as reader:
        page = reader.open(f"/gateways/{namespace}/{name}/mcp")
        tiles = reading.tiles(page)
        backends, methods = reading.rows(page, "backends"), reading.rows(page, "methods")
        capabilities = reading.rows(page, "capabilities")
        drawn = sums(reading.chart(page, "mcp_messages"))
    whole = truth.totals(recorded, namespace, name)
    assert {*MCP_FIELDS, *START_FIELDS} == set(tiles)
    assert [] == reading.differences(whole, tiles)
    lines = {"messages": "mcp_messages", "failed + error": "mcp_errors", "failed": "mcp_failed"}
    assert {line: whole[field] for line, field in lines.items()} == drawn
    by_backend = parts(recorded, namespace, name, "mcp_backend")
    named = {key: row for key, row in backends.items() if key}
    compare(
        {backend: numbers for (backend,), numbers in by_backend.items()}, named, MCP_FIELDS | CALL_FIELDS | START_FIELDS
    )
    calls = {key: value for key, value in recorded.items() if key.family == instruments.MCP_METHOD_COUNT.family}
    by_method = parts(calls, namespace, name, "mcp_method_name", "mcp_backend")
    compare({f"{two} {one}": numbers for (one, two), numbers in by_method.items()}, methods, CALL_FIELDS)
    negotiated = truth.capabilities(recorded, namespace, name)
    assert {" ".join(key): number for key, number in negotiated.items()} == {
        key: reading.number(row["count"]) for key, row in capabilities.items()
    }


@GATEWAY
def test_state_and_the_way_on(recorded: SeriesMap, look: Opener, namespace: str, name: str) -> None:
    """A gateway is shown in a state that it is not in, or a tab cannot be reached, or loses the range."""
    assert recorded
    with look() as reader:
        page = reader.open(f"/gateways/{namespace}/{name}/overview?from=-1h&refresh=off")
        assert "active" == page.locator(f"[data-gateway='{namespace}/{name}'] [data-state]").first.get_attribute(
            "data-state"
        )
        for tab in ("providers", "models", "mcp", "requests", "pods", "overview"):
            page.locator(f"nav.tabs a[data-tab={tab}]").click()
            page.locator(f"section[data-panel={tab}]").wait_for()
            reader.drawn()
            assert f"/gateways/{namespace}/{name}/{tab}?from=-1h&refresh=off" == reader.link
            assert tab == page.locator("nav.tabs a[aria-current=page]").get_attribute("data-tab")
