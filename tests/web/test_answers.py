"""What the page makes of answers that real traffic seldom brings: many gateways, a warning, a step not known yet."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from aigw_demo.series import SeriesMap
from web import reading
from web.conftest import Opener

OVERVIEW = "/gateways/shop/storefront/overview"
MANY = 200
WARNING = "Prometheus could not be asked: these are the receiver's own numbers."
# The rightmost point of a chart in the colour of its first line, of the width of the plot: axes and grid are grey.
_ENDS_AT = """name => {
    const figure = document.querySelector(`figure[data-chart=${name}]`);
    const canvas = figure.querySelector("canvas");
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    let last = 0;
    for (let at = 0; at < data.length; at += 4) {
        const [red, green, blue, alpha] = data.subarray(at, at + 4);
        if (alpha > 128 && blue - Math.max(red, green) > 60) last = Math.max(last, (at / 4) % width);
    }
    const plot = figure.querySelector(".u-over").getBoundingClientRect();
    const frame = canvas.getBoundingClientRect();
    return (frame.left + (last * frame.width) / width - plot.left) / plot.width;
}"""


@contextmanager
def changed(page: Page, path: str, change: Callable[[Any], None]) -> Iterator[None]:
    """The receiver's own answers at a path, changed on their way."""

    def answer(route: Route) -> None:
        response = route.fetch()
        body = response.json()
        change(body)
        route.fulfill(response=response, json=body)

    page.route(path, answer)
    try:
        yield
    finally:
        page.unroute(path, answer)


def multiply(answer: Any) -> None:
    """As many gateways, each with other numbers, and not in their order."""
    first = answer["gateways"][0]
    answer["gateways"] = [
        {**first, "name": f"gateway-{number:03}", "totals": {**first["totals"], "requests": number * 7 % MANY}}
        for number in range(MANY)
    ]


def test_many_gateways_are_all_drawn_in_order(recorded: SeriesMap, look: Opener) -> None:
    """Of a large fleet some gateways are missing, or they stand in the order of two columns at once."""
    assert recorded
    by_name = [f"data/gateway-{number:03}" for number in range(MANY)]
    by_requests = sorted(by_name, key=lambda key: -(int(key[-3:]) * 7 % MANY))
    with look() as reader, changed(reader.page, "**/api/gateways?*", multiply):
        page = reader.open("/?refresh=off")
        assert by_name == list(reading.rows(page, "gateways"))
        # The second drawing begins while the first goes on.
        page.evaluate(
            "['requests', 'errors', 'gateway', 'requests', 'requests', 'requests'].forEach(each => "
            "document.querySelector(`th[data-column=${each}] button`).click())"
        )
        page.locator("table[data-table=gateways] tbody tr:last-child[data-gateway='data/gateway-000']").wait_for()
        assert by_requests == list(reading.rows(page, "gateways"))
        link = page.locator(f"tr[data-gateway='{by_requests[150]}'] a")
        link.focus()
        before = reader.loads
        page.evaluate("document.getElementById('reload').dispatchEvent(new Event('click'))")
        reader.loaded_again(before)
        assert by_requests[150] == page.evaluate("document.activeElement.closest('tr')?.dataset.row")


@pytest.mark.parametrize(
    ("path", "asked"),
    [("/", "**/api/gateways?*"), (OVERVIEW, "**/api/gateways/shop/storefront?*"), (OVERVIEW, "**/series?*")],
    ids=["gateways", "gateway", "series"],
)
def test_a_warning_is_told_until_it_is_over(recorded: SeriesMap, look: Opener, path: str, asked: str) -> None:
    """Who asks for a long range takes what is left of it for the whole."""
    assert recorded
    with look() as reader:
        with changed(reader.page, asked, lambda body: body.update(warning=WARNING)):
            page = reader.open(f"{path}?refresh=off")
            expect(page.locator("#warning[role=status]")).to_contain_text(WARNING)
        page.locator("#warning").get_by_role("button", name="Try again").click()
        expect(page.locator("#warning")).to_be_empty()


def test_a_line_ends_with_the_last_known_step(recorded: SeriesMap, look: Opener) -> None:
    """A step that is not known yet is drawn as one without cost."""
    assert recorded
    seen: list[float] = []

    def forget(answer: Any) -> None:
        known = len(answer["times"]) - 30
        answer["series"][0]["values"]["cost_usd"] = [1.0] * known + [None] * 30
        seen.append((answer["times"][known - 1] - answer["from"]) / (answer["to"] - answer["from"]))

    with look() as reader, changed(reader.page, "**/series?*", forget):
        page = reader.open(f"{OVERVIEW}?refresh=off")
        assert seen == [pytest.approx(page.evaluate(_ENDS_AT, "cost"), abs=0.01)]
        values = [row["cost"] for _, row in reading.chart(page, "cost")]
        assert ["1"] * (len(values) - 30) + [""] * 30 == values
