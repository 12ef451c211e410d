"""The proof at the end for the page: what its API says of each gateway against what the gateways recorded.

Pure but for the asking: `build_checks` gets an answer of `GET /api/gateways` and series, and makes checks of them.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import aiohttp

from aigw_demo import checks
from aigw_demo.checks import Check, check_cost, check_number
from aigw_demo.instruments import MCP_METHOD_COUNT, MCP_REQUEST_DURATION, REQUEST_DURATION, TIME_TO_FIRST_TOKEN
from aigw_demo.receiver import POLL_SECONDS, Addresses
from aigw_demo.rollup import count_failures, format_gateway, select_histograms, sum_tokens
from aigw_demo.series import HistogramValue, SeriesMap

SIDES: Final = ("RECORDED", "ON THE PAGE")
# What the page shows is brought up to date every ten seconds; a machine that is busy takes longer.
PAGE_SECONDS: Final = 30.0
TOKEN_TYPES: Final = {
    "tokens in": "input",
    "cached tokens": "cached_input",
    "tokens out": "output",
    "reasoning tokens": "reasoning",
}
FAILURES: Final = ("failed", "error")

Json = Mapping[str, Any]


async def settle_page(addresses: Addresses, recorded: SeriesMap, cost: Decimal | None) -> list[Check]:
    """The checks, once all pass or patience is at its end; none where this receiver has no such API.

    `cost` is what all requests cost, if that is known. Raises aiohttp.ClientError, TimeoutError.
    """
    deadline = asyncio.get_running_loop().time() + PAGE_SECONDS
    async with aiohttp.ClientSession(addresses.http) as session:
        while (document := await fetch_gateways(session)) is not None:
            found = build_checks(document, recorded, cost)
            if all(check.passed for check in found) or asyncio.get_running_loop().time() > deadline:
                return found
            await asyncio.sleep(POLL_SECONDS)
    return []


async def fetch_gateways(session: aiohttp.ClientSession) -> Json | None:
    """What the API says of the whole run; None where it is not there."""
    async with session.get("/api/gateways") as response:
        if response.status == 404:
            return None
        response.raise_for_status()
        since = (await response.json())["since"]
    # From before the first export, and not from before what the receiver itself remembers: that would be Prometheus'.
    window = {"from": f"{since + 0.001:.3f}"} if since else {}
    async with session.get("/api/gateways", params=window) as response:
        response.raise_for_status()
        document: Json = await response.json()
        return document


def build_checks(document: Json, recorded: SeriesMap, cost: Decimal | None) -> list[Check]:
    """Every number of each gateway, and of all of them what they cost; a gateway that is missing has 0 of all."""
    totals = {f"{each['namespace']}/{each['name']}": each["totals"] for each in document["gateways"]}
    truths = build_truths(recorded)
    found = [
        check_number(
            f"{gateway} {name}", truths[name].get(gateway, 0), read(totals[gateway]) if gateway in totals else 0
        )
        for gateway in sorted({*totals, *(gateway for truth in truths.values() for gateway in truth)})
        for name, read in READERS.items()
    ]
    if cost is not None:
        found.append(check_cost("cost of all gateways", cost, sum(each["cost_usd"] for each in totals.values())))
    return found


def build_truths(recorded: SeriesMap) -> dict[str, dict[str, int]]:
    """What was recorded, by the names of READERS and by gateway."""
    calls = [
        (format_gateway(key), key.label("status") in FAILURES, int(value))
        for key, value in recorded.items()
        if key.family == MCP_METHOD_COUNT.family and not isinstance(value, HistogramValue)
    ]
    return {
        "requests": _count(recorded, REQUEST_DURATION.family),
        "failed requests": _sum([(gateway, number) for (gateway, _), number in count_failures(recorded).items()]),
        "streams": _count(recorded, TIME_TO_FIRST_TOKEN.family),
        **{
            name: _sum([(gateway, number) for (gateway, _), number in sum_tokens(recorded, kind).items()])
            for name, kind in TOKEN_TYPES.items()
        },
        "MCP messages": _sum([(gateway, number) for gateway, _, number in calls]),
        "failed MCP messages": _sum([(gateway, number) for gateway, failed, number in calls if failed]),
        "MCP requests": _count(recorded, MCP_REQUEST_DURATION.family),
    }


def _count(recorded: SeriesMap, family: str) -> dict[str, int]:
    return _sum([(format_gateway(key), value.count) for key, value in select_histograms(recorded, family)])


def _sum(numbers: Sequence[tuple[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for name, number in numbers:
        sums[name] = sums.get(name, 0) + number
    return sums


def _tokens(kind: str) -> Callable[[Json], float]:
    return lambda totals: float(totals["tokens"][kind])


READERS: Final[Mapping[str, Callable[[Json], float]]] = {
    "requests": lambda totals: totals["requests"],
    "failed requests": lambda totals: totals["errors"],
    "streams": lambda totals: totals["time_to_first_token"]["count"],
    **{name: _tokens(kind) for name, kind in TOKEN_TYPES.items()},
    "MCP messages": lambda totals: totals["mcp"]["messages"],
    "failed MCP messages": lambda totals: totals["mcp"]["errors"],
    "MCP requests": lambda totals: totals["mcp"]["requests"],
}
"""where each number stands in the totals of a gateway"""


def render_checks(found: Sequence[Check]) -> list[str]:
    """A line for each check, and the verdict."""
    passed = "the page shows what the gateways recorded"
    return checks.render_checks(found, SIDES, failed="checks of the page failed", passed=passed)
