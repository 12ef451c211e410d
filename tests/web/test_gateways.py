"""The gateways at a glance, with the numbers that the clients sent."""

from collections import Counter

from playwright.sync_api import Page

from aigw_demo.fleet import PODS
from aigw_demo.series import SeriesMap
from web import reading, truth
from web.conftest import Opener
from web.site import Site

COLUMNS = {"gateway", "state", "last_export", "pods"} | {
    *("requests", "errors", "error_ratio", "tokens_total", "cost_usd", "duration_p95", "ttft_p95")
}


def test_each_gateway_shows_what_was_sent(recorded: SeriesMap, look: Opener) -> None:
    """A number of the list is wrong, or belongs to another gateway."""
    with look() as reader:
        shown = reading.rows(reader.open("/"), "gateways")
    assert {"data/research", "shop/storefront"} == set(shown)
    for namespace, name in truth.GATEWAYS:
        row = shown[f"{namespace}/{name}"]
        assert set(row) == COLUMNS
        assert [] == reading.differences(truth.totals(recorded, namespace, name), row)
        live = sum((pod.namespace, pod.gateway) == (namespace, name) for pod in PODS)
        assert ("active", str(live)) == (row["state"], row["pods"])


def test_all_columns_fit_a_laptop(recorded: SeriesMap, look: Opener) -> None:
    """The last columns of the list are cut off, or one of the numbers at the head stands in a row of its own."""
    assert recorded
    with look() as reader:
        page = reader.open("/")
        hidden = page.locator(".scroller").evaluate("each => each.scrollWidth - each.clientWidth")
        paths = ("/", "/gateways/shop/storefront/overview", "/gateways/shop/storefront/mcp")
        heads = [tile_rows(reader.open(path)) for path in paths]
    assert (0, [[5], [5, 5], [8]]) == (hidden, heads)


def tile_rows(page: Page) -> list[int]:
    """How many tiles stand in each row."""
    tops = page.locator("[data-tile]:visible").evaluate_all("tiles => tiles.map(each => each.offsetTop)")
    return list(Counter(tops).values())


def test_tiles_are_the_sums(recorded: SeriesMap, look: Opener) -> None:
    """The numbers at the head are not those of all gateways."""
    with look() as reader:
        shown = reading.tiles(reader.open("/"))
    parts = [truth.totals(recorded, *each) for each in truth.GATEWAYS]
    fields = ("requests", "errors", "tokens_total", "cost_usd")
    wanted: truth.Numbers = {field: sum(part[field] or 0 for part in parts) for field in fields}
    assert {"gateways", *fields} == set(shown)
    assert [] == reading.differences({**wanted, "gateways": len(parts)}, shown)


def test_last_export_is_the_receivers(site: Site, recorded: SeriesMap, look: Opener) -> None:
    """A gateway that went silent looks fresh."""
    assert recorded
    with look() as reader:
        page = reader.open("/")
        before = site.last_export("storefront")
        reader.page.locator("#reload").click()
        page.wait_for_function(
            "([row, time]) => Number(document.querySelector(`tr[data-gateway='${row}'] [data-field=last_export]`)"
            ".dataset.value) >= time",
            arg=["shop/storefront", before],
        )


def test_sorted_by_a_column_and_back(recorded: SeriesMap, look: Opener) -> None:
    """The order is not that of the column, or a link to it shows another one."""
    requests = {f"{one}/{two}": truth.totals(recorded, one, two)["requests"] or 0 for one, two in truth.GATEWAYS}
    largest = sorted(requests, key=lambda each: -requests[each])
    with look() as reader:
        page = reader.open("/")
        page.locator("th[data-column=requests] button").click()
        assert largest == list(reading.rows(page, "gateways"))
        assert "descending" == page.locator("th[data-column=requests]").get_attribute("aria-sort")
        page.locator("th[data-column=requests] button").click()
        assert largest[::-1] == list(reading.rows(page, "gateways"))
        address = reader.link
    with look() as other:
        assert largest[::-1] == list(reading.rows(other.open(address), "gateways"))


def test_filter_by_text(recorded: SeriesMap, look: Opener) -> None:
    """Gateways cannot be found by their name, or a link to those that were found shows all."""
    assert recorded
    with look() as reader:
        page = reader.open("/")
        page.locator("#filter").fill("SHOP")
        assert ["shop/storefront"] == list(reading.rows(page, "gateways"))
        page.locator("#filter").fill("nothing like this")
        assert [] == list(reading.rows(page, "gateways"))
        assert page.get_by_text("No gateway has this in its name.").is_visible()
        page.locator("#filter").fill("shop")
        address = reader.link
    with look() as other:
        assert ["shop/storefront"] == list(reading.rows(other.open(address), "gateways"))


def test_gateway_opens(recorded: SeriesMap, look: Opener) -> None:
    """A gateway of the list leads nowhere, or elsewhere, or the way back loses the range."""
    assert recorded
    with look() as reader:
        page = reader.open("/?from=-1h")
        page.locator("tr[data-gateway='data/research'] a").click()
        page.wait_for_url("**/gateways/data/research/overview?from=-1h")
        reader.drawn()
        page.go_back()
        page.wait_for_url("**/?from=-1h")
        page.locator("tr[data-gateway='data/research']").wait_for()
