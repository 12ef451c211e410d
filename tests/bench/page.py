"""Whether the page draws a fleet without freezing: 200 gateways with 2,000 pods, each gateway with 100 models.

The fleet of `api.py`, its API and the page in one process, and a real headless Chromium. What counts is the longest
task of the browser's main thread: as long as one runs, nobody can scroll or type. Shorter ones than 50 ms the browser
does not tell.
"""

import asyncio
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, async_playwright

from aigw_receiver.shell import gateway_api, page
from aigw_receiver.shell.reconcile import Reconcile
from bench import api, report

NAME: Final = "page"
# From here on people feel that something hangs.
BAR: Final = 200.0
"""milliseconds"""

_PATHS: Final = {
    f"list of {api.GATEWAYS} gateways": ("/", "tr[data-gateway]", api.GATEWAYS),
    f"{api.PODS * api.MODELS} models and their charts": (
        "/gateways/default/gateway-0/models",
        "table[data-table=models] tbody tr",
        api.PODS * api.MODELS,
    ),
    "overview and its charts": ("/gateways/default/gateway-0/overview", "figure[data-chart] canvas", 6),
}
_OBSERVE: Final = """
    globalThis.longTasks = [];
    new PerformanceObserver((list) => longTasks.push(...list.getEntries().map((each) => each.duration)))
        .observe({type: "longtask", buffered: true});
"""
# Tasks are told in a later turn than the one that they took.
_TAKE: Final = "() => new Promise((done) => setTimeout(() => done(longTasks.splice(0)), 100))"


async def _loaded(shown: Page, before: int) -> list[float]:
    """Wait until one more load has ended; the long tasks since the last time."""
    await shown.wait_for_function("before => Number(document.body?.dataset.loaded ?? 0) > before", arg=before)
    tasks: list[float] = await shown.evaluate(_TAKE)
    return tasks


async def _draw(browser: Browser, address: str, selector: str, wanted: int) -> tuple[float, float, list[str]]:
    """The longest task of the first draw and of a refresh, in milliseconds, and what was wrong."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    try:
        await context.add_init_script(_OBSERVE)
        shown = await context.new_page()
        await shown.goto(f"{address}?refresh=off")
        first = await _loaded(shown, 0)
        await shown.locator("#reload").click()
        again = await _loaded(shown, 1)
        found = await shown.locator(selector).count()
        wrong = [] if found == wanted else [f"page: {found} of {wanted} {selector} at {address}"]
        return max(first, default=0.0), max(again, default=0.0), wrong
    finally:
        await context.close()


def _row(name: str, tasks: Sequence[float]) -> report.Row:
    median = statistics.median(tasks)
    text = f"{median:.0f} ms ({min(tasks):.0f}-{max(tasks):.0f})" if max(tasks) else "none of 50 ms"
    return report.Row(f"page: longest task, {name}", text, bar=f"<= {BAR:g} ms", met=median <= BAR)


async def _measure(fleet: api.Fleet, rounds: int) -> tuple[list[report.Row], list[str]]:
    app = web.Application()
    gateway_api.add_routes(app, fleet.ingest, Reconcile(fleet.ingest), fleet.store)
    page.add_routes(app)
    rows, wrong = [], list[str]()
    async with TestServer(app) as server, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--disable-gpu"])
        for name, (path, selector, wanted) in _PATHS.items():
            drawn = [await _draw(browser, str(server.make_url(path)), selector, wanted) for _ in range(rounds)]
            rows += [
                _row(name, [first for first, _, _ in drawn]),
                _row(f"{name}, refresh", [each for _, each, _ in drawn]),
            ]
            wrong += [complaint for _, _, complaints in drawn for complaint in complaints]
        await browser.close()
    return rows, wrong


def measure(rounds: int) -> tuple[list[report.Row], list[str]]:
    """The rows of the table, and what was wrong."""
    if shutil.which("chromium") is None:
        return [], ["page: no chromium here: apt-get install --no-install-recommends chromium fonts-dejavu-core"]
    with tempfile.TemporaryDirectory() as folder:
        fleet = api.Fleet(Path(folder))
        try:
            return asyncio.run(_measure(fleet, rounds))
        finally:
            fleet.store.close()
