"""What the API says of gateways: is it what they sent, step by step? Over real connections, at chosen times."""

from api_traffic import Call, Pod, Traffic, expected, shortened
from gateway_scene import CHEAP, DEAR, FIRST, LATER, ONE, STEP, THIRD, Scene, two_pods
from otlp_messages import SECOND


async def test_summaries() -> None:
    """A gateway's numbers are others than it sent, or those of another time, provider, model, server or pod."""
    scene = two_pods()
    async with scene.serve() as client:
        listed = await client.get(f"/api/gateways?{scene.window(2, 4)}")
        one = await client.get(f"/api/gateways/default/gateway?{scene.window(2, 4)}", described=ONE)
        other = await client.get(f"/api/gateways/-/other?{scene.window(2, 4)}", described=ONE)
    both = FIRST + LATER
    assert [("", "other"), ("default", "gateway")] == [(row["namespace"], row["name"]) for row in listed["gateways"]]
    assert [expected(THIRD), expected(both)] == [shortened(row["totals"]) for row in listed["gateways"]]
    assert (None, "store", 10) == (listed["hint"], listed["source"], listed["step"])
    began, until = scene.at(1) / SECOND, scene.at(4) / SECOND
    assert (began, until, scene.began / SECOND) == tuple(listed[name] for name in ("from", "to", "since"))
    assert expected(both) == shortened(one["gateway"]["totals"])
    assert expected(THIRD) == shortened(other["gateway"]["totals"])
    assert {
        "a": expected(FIRST),
        "b": expected(LATER),
    } == {row["pod"]: shortened(row["totals"]) for row in one["pods"]}
    house, openai = both.of_calls("provider", "house"), both.of_calls("provider", "openai")
    assert {"house": expected(house), "openai": expected(openai)} == {
        row["provider"]: shortened(row["totals"]) for row in one["providers"]
    }
    assert {("house", "house-model"): expected(house), ("openai", "gpt-4.1"): expected(openai)} == {
        (row["provider"], row["model"]): shortened(row["totals"]) for row in one["models"]
    }
    assert {name: expected(both.of_messages("backend", name)) for name in ("github", "jira")} == {
        row["backend"]: shortened(row["totals"]) for row in one["mcp"]["backends"]
    }
    methods = {(row["backend"], row["method"]): row["totals"]["mcp"]["messages"] for row in one["mcp"]["methods"]}
    assert {("github", "tools/call"): 3, ("jira", "tools/list"): 1} == methods


async def test_percentiles() -> None:
    """A percentile is not where Prometheus would find it, or nobody is told that it lies above the last bound."""
    scene = Scene()
    calls = [*([Call(seconds=0.25)] * 6), *([Call(seconds=0.5)] * 3), Call(seconds=100.0)]
    scene.step(1, (Pod(), Traffic(calls)))
    async with scene.serve() as client:
        (gateway,) = (await client.get("/api/gateways"))["gateways"]
    # Six of ten lie from 0.16 to 0.32, three more up to 0.64, one above 81.92.
    shown = {name: value if value is None else round(value, 9) for name, value in gateway["totals"]["duration"].items()}
    between = {"p50": round(0.16 + 0.16 * 5 / 6, 9), "p75": 0.48, "p90": 0.64, "p95": 81.92, "p99": 81.92}
    assert {"count": 10, "avg": 10.3, **between, "overflow_ratio": 0.1} == shown


async def test_series() -> None:
    """A step has the numbers of another one, or a model those of another model."""
    scene = two_pods()
    asked = (
        "requests,errors,tokens_input,tokens_total,cost_usd,duration_avg,ttft_p50,mcp_messages,mcp_errors,mcp_failed"
    )
    path = "/api/gateways/default/gateway/series"
    query = f"{scene.window(1, 5)}&values={asked}&step=10"
    async with scene.serve() as client:
        whole = await client.get(f"{path}?{query}", described=f"{ONE}/series")
        by_model = await client.get(f"{path}?{query}&view=model&top=1", described=f"{ONE}/series")
        by_pod = await client.get(f"{path}?{query}&view=pod", described=f"{ONE}/series")
        by_method = await client.get(f"{path}?{query}&view=mcp_method", described=f"{ONE}/series")
    steps = [Traffic([CHEAP]), FIRST, Traffic(), LATER, Traffic([DEAR])]
    assert [scene.at(step) / SECOND for step in range(1, 6)] == whole["times"]
    assert (scene.at(0) / SECOND, scene.at(5) / SECOND, 10.0) == tuple(whole[name] for name in ("from", "to", "step"))
    assert ([{}], 0) == ([series["key"] for series in whole["series"]], whole["other"])
    shown = whole["series"][0]["values"]
    assert {
        "requests": [len(step.calls) for step in steps],
        "errors": [expected(step)["errors"] for step in steps],
        "tokens_input": [expected(step)["tokens"]["input"] for step in steps],
        "tokens_total": [expected(step)["tokens"]["total"] for step in steps],
        "cost_usd": [expected(step)["cost_usd"] for step in steps],
        "duration_avg": [expected(step)["duration"][1] for step in steps],
        "ttft_p50": [None, None, None, 0.375, None],
        "mcp_messages": [len(step.messages) for step in steps],
        "mcp_errors": [0, 1, 0, 1, 0],
        "mcp_failed": [0, 1, 0, 0, 0],
    } == shown | {"cost_usd": [round(cost, 12) for cost in shown["cost_usd"]]}
    assert ([{"provider": "openai", "model": "gpt-4.1"}], 1) == (
        [series["key"] for series in by_model["series"]],
        by_model["other"],
    )
    assert [0, 3, 0, 2, 1] == by_model["series"][0]["values"]["requests"]
    pods = {series["key"]["pod"]: series["values"]["requests"] for series in by_pod["series"]}
    assert {"a": [1, 4, 0, 0, 1], "b": [0, 0, 0, 3, 0]} == pods
    methods = {series["key"]["backend"]: series["values"]["mcp_messages"] for series in by_method["series"]}
    assert {"github": [0, 2, 0, 1, 0], "jira": [0, 0, 0, 1, 0]} == methods


async def test_before_the_beginning() -> None:
    """A time of which nothing is known is shown as one in which nothing happened."""
    scene = two_pods()
    path = f"/api/gateways/default/gateway/series?{scene.window(-1, 8)}&step=10"
    async with scene.serve() as client:
        found = await client.get(path, described=f"{ONE}/series")
    assert [None, None, 1, 4, 0, 3, 1, None, None, None] == found["series"][0]["values"]["requests"]


async def test_thinned() -> None:
    """What happened hours ago changes as its readings are thinned out."""
    scene, pod = Scene(2 * 3600), Pod()
    sent = {step: [Call()] * (step % 7 + 1) for step in range(1, 715)}
    for step, calls in sent.items():
        scene.step(step, (pod, Traffic(calls)))
    middle, last = 300, 700
    async with scene.serve() as client:
        early = await client.get(f"/api/gateways?{scene.window(1, middle)}")
        late = await client.get(f"/api/gateways?{scene.window(middle + 1, last)}")
        path = f"/api/gateways/default/gateway/series?{scene.window(1, 710)}&step=10s&values=requests"
        series = await client.get(path, described=f"{ONE}/series")

    def requests(first: int, after: int) -> int:
        return sum(len(sent.get(step, ())) for step in range(first, after))

    # Of hours ago there is one reading at the end of each minute: what a window begins or ends with.
    after_minute = scene.began // STEP % 6
    kept = middle - (after_minute + middle) % 6
    totals = [answer["gateways"][0]["totals"]["requests"] for answer in (early, late)]
    assert [requests(1, kept + 1), requests(kept + 1, last + 1)] == totals
    assert 60.0 == series["step"]
    minutes = [requests(step + 1, step + 7) for step in range(-after_minute, 710, 6)]
    assert minutes[: len(series["times"])] == series["series"][0]["values"]["requests"]
