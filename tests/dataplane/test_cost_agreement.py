"""Cost from metrics and cost from access logs, over one run of the demo's traffic: they agree, and with the driver."""

import asyncio
import contextlib
import dataclasses
import json
import time
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from aigw_demo.account import PRICES, Account, open_account
from aigw_demo.kept import KeptLogs
from aigw_demo.receiver import Addresses
from aigw_demo.series import COST, UNPRICED, SeriesMap, parse_exposition, sum_counters
from aigw_demo.standin import start_standins
from aigw_demo.traffic import Traffic
from dataplane import real_envoy
from receiver_program import Receiver, start_receiver

# Enough for some dollars, and for each kind of request to come several times.
_REQUESTS: Final = 150
# Sums of floats; a cent is ten million times as much.
_TOLERANCE: Final = Decimal("1e-9")
_GATEWAYS: Final = ("storefront", "research")


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """What the driver sent, the receiver's series at the end, and every access log."""

    account: Account
    series: SeriesMap
    lines: list[dict[str, Any]]

    def cost_of(self, gateway: str) -> dict[str, Decimal]:
        """What the requests of a gateway cost by its access logs, by model."""
        costs: defaultdict[str, Decimal] = defaultdict(Decimal)
        for line in self.lines:
            if line["gateway_name"] == gateway and "cost_usd" in line:
                costs[line["requested_model"]] += line["cost_usd"]
        return costs


async def _send(receiver: Receiver, kept: KeptLogs) -> tuple[Account, SeriesMap]:
    """Traffic through all gateways, until enough was sent and every access log is in the file."""
    addresses = Addresses(receiver.grpc, receiver.otlp_http, receiver.http, receiver.telemetry)
    account = open_account()
    async with start_standins(addresses) as gateways:
        traffic = Traffic(gateways.targets, account)
        flowing = asyncio.create_task(traffic.run())
        while account.llm < _REQUESTS:
            await asyncio.sleep(0.05)
        traffic.stop()
        await flowing
        deadline = time.monotonic() + real_envoy.PATIENCE
        while kept.count < account.records and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
            kept.read()
        await gateways.settle()
        series = parse_exposition(await addresses.scrape())
    assert [] == gateways.describe_failures()
    return account, series


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run of which every request is kept."""
    real_envoy.find_envoy()
    path: Path = tmp_path_factory.mktemp("kept") / "kept.jsonl"
    logs = {"stdout": False, "file": {"path": str(path)}, "rules": {"sample": {"rate": 1.0}}}
    config = {"access_logs": logs, "prices": {"file": str(PRICES)}}
    with start_receiver(config=config) as receiver, contextlib.closing(KeptLogs(path)) as kept:
        account, series = asyncio.run(_send(receiver, kept))
    return Run(account, series, [json.loads(line, parse_float=Decimal) for line in path.read_text().splitlines()])


def test_every_request_is_kept(run: Run) -> None:
    """A request that is missing would be missing in the sums below as well, or they would agree by chance."""
    assert 0 == run.account.unanswered
    assert {"llm": run.account.llm, "mcp": run.account.mcp} == {
        kind: sum(line["ai_route_type"] == kind for line in run.lines) for kind in ("llm", "mcp")
    }


def test_only_what_has_tokens_has_a_cost(run: Run) -> None:
    """A request that failed or was aborted would be charged, or one that succeeded would be free."""
    endings = {line["ending"] for line in run.lines if line["ai_route_type"] == "llm"}
    assert {"ok", "client_error", "upstream_error", "aborted"} == endings
    assert [] == [
        line for line in run.lines if ("cost_usd" in line) is not (line["ending"] == "ok" and "input_tokens" in line)
    ]
    assert 0 == sum_counters(run.series, UNPRICED)


@pytest.mark.parametrize("gateway", _GATEWAYS)
def test_metrics_and_logs_agree(run: Run, gateway: str) -> None:
    """What a gateway costs by its metrics would not be what its requests cost."""
    logged = sum(run.cost_of(gateway).values(), Decimal(0))
    metered = Decimal(sum_counters(run.series, COST, gateway_name=gateway))
    assert logged > 0
    assert abs(logged - metered) <= _TOLERANCE


def test_metrics_and_logs_agree_with_the_driver(run: Run) -> None:
    """Metrics and logs would be wrong by the same sum, or by two models' that make up for each other."""
    logged: defaultdict[str, Decimal] = defaultdict(Decimal)
    for gateway in _GATEWAYS:
        for model, cost in run.cost_of(gateway).items():
            logged[model] += cost
    metered = {model: Decimal(sum_counters(run.series, COST, gen_ai_request_model=model)) for model in logged}
    assert run.account.cost.keys() == logged.keys()
    assert [] == [model for model, cost in run.account.cost.items() if abs(cost - logged[model]) > _TOLERANCE]
    assert [] == [model for model, cost in run.account.cost.items() if abs(cost - metered[model]) > _TOLERANCE]
    assert sum(run.account.cost.values(), Decimal(0)) > Decimal("0.10")
