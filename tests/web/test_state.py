"""What is shown stands in the address; what is old is shown again, or is said to be old."""

from playwright.sync_api import Route, expect

from aigw_demo.series import SeriesMap
from web import reading, truth
from web.conftest import Opener
from web.site import Site

OVERVIEW = "/gateways/shop/storefront/overview"


def test_range_is_that_of_the_numbers(recorded: SeriesMap, look: Opener) -> None:
    """Numbers of another time than the one that was chosen are shown."""
    wanted = truth.totals(recorded, "shop", "storefront")
    with look() as reader:
        page = reader.open(f"{OVERVIEW}?refresh=off")
        before = reader.loads
        page.locator("#range button[data-from='-1h']").click()
        reader.loaded_again(before)
        assert f"{OVERVIEW}?refresh=off&from=-1h" == reader.link
        assert "true" == page.locator("#range button[data-from='-1h']").get_attribute("aria-pressed")
        assert [] == reading.differences(wanted, reading.tiles(page))
        # A day on which nothing was sent.
        page.locator("#range button[data-from=custom]").click()
        page.locator("#custom-from").fill("2026-01-05T00:00")
        page.locator("#custom-to").fill("2026-01-06T00:00")
        before = reader.loads
        page.locator("#custom-range button[type=submit]").click()
        reader.loaded_again(before)
        # The reader is in Berlin, an hour ahead of UTC.
        assert f"{OVERVIEW}?refresh=off&from=2026-01-04T23:00:00Z&to=2026-01-05T23:00:00Z" == reader.link
        shown = reading.tiles(page)
        assert ("0", "0", "") == (shown["requests"], shown["tokens_total"], shown["duration_p95"])
        page.go_back()
        page.locator("[data-tile=requests] [data-value='0']").wait_for(state="detached")
        assert [] == reading.differences(wanted, reading.tiles(page))


def test_a_wrong_range_is_refused_in_words(recorded: SeriesMap, look: Opener) -> None:
    """A range that ends before it begins shows nothing, without a word."""
    assert recorded
    with look() as reader:
        page = reader.open(f"{OVERVIEW}?refresh=off")
        page.locator("#range button[data-from=custom]").click()
        page.locator("#custom-from").fill("2026-01-06T00:00")
        page.locator("#custom-to").fill("2026-01-05T00:00")
        page.locator("#custom-range button[type=submit]").click()
        expect(page.locator("#custom-error")).to_have_text("The first time must be before the second.")
        assert f"{OVERVIEW}?refresh=off" == reader.link


def test_refreshes_by_itself(site: Site, recorded: SeriesMap, look: Opener) -> None:
    """Who leaves the page open looks at old numbers, or a page that should rest asks on and on."""
    assert recorded
    with look(fresh=True) as reader:
        reader.page.clock.install()
        page = reader.open("/")
        heard = "tr[data-gateway='shop/storefront'] [data-field=last_export]"
        old = page.locator(heard).get_attribute("data-value")
        site.wait_for_export("storefront")
        before = reader.loads
        page.clock.fast_forward(10_000)
        reader.loaded_again(before)
        expect(page.locator(heard)).not_to_have_attribute("data-value", str(old))
        page.locator("#refresh").select_option("off")
        assert "/?refresh=off" == reader.link
        reader.drawn()
        asked = len(reader.asked)
        page.clock.fast_forward(600_000)
        assert [] == reader.asked[asked:]


def test_a_refresh_that_fails_is_told(recorded: SeriesMap, look: Opener) -> None:
    """Old numbers look fresh, or a moment's trouble takes away what was shown."""

    def refuse(route: Route) -> None:
        route.fulfill(status=503, json={"error": "too many requests are waiting"})

    assert recorded
    with look(complaints=("503",)) as reader:
        page = reader.open("/?refresh=off")
        rows = reading.rows(page, "gateways")
        page.route("**/api/gateways*", refuse)
        page.locator("#reload").click()
        expect(page.locator("#stale")).to_contain_text("too many requests are waiting")
        assert rows == reading.rows(page, "gateways")
        page.unroute("**/api/gateways*", refuse)
        page.locator("#stale").get_by_role("button", name="Try again").click()
        expect(page.locator("#stale")).to_be_hidden()


def test_refresh_keeps_focus_and_scroll(recorded: SeriesMap, look: Opener) -> None:
    """Who reads or writes is thrown out by every refresh."""
    assert recorded
    with look(size=(900, 400)) as reader:
        page = reader.open("/gateways/shop/storefront/models?refresh=off")
        link = page.locator("table[data-table=models] tbody a").first
        link.focus()
        place = page.evaluate("document.activeElement.textContent")
        page.evaluate("scrollTo(0, 300)")
        top, before = page.evaluate("scrollY"), reader.loads
        # Not by the button, which would take the focus.
        page.evaluate("document.getElementById('reload').dispatchEvent(new Event('click'))")
        reader.loaded_again(before)
        assert (place, top) == (page.evaluate("document.activeElement.textContent"), page.evaluate("scrollY"))
        assert top > 0


def test_colours_are_kept(recorded: SeriesMap, look: Opener) -> None:
    """The choice of light or dark is lost, or that of the system is not followed."""
    assert recorded
    background = "getComputedStyle(document.documentElement).backgroundColor"
    with look(color_scheme="dark", fresh=True) as reader:
        page = reader.open("/?refresh=off")
        dark = page.evaluate(background)
        page.locator("#theme").select_option("light")
        light = page.evaluate(background)
        assert dark != light
        page.reload()
        reader.drawn()
        assert (light, "light") == (page.evaluate(background), page.locator("html").get_attribute("data-theme"))
    with look() as reader:
        assert light == reader.open("/?refresh=off").evaluate(background)


def test_what_is_not_there(recorded: SeriesMap, look: Opener) -> None:
    """An address that was cut off, or a gateway that nobody knows, shows an empty page."""
    assert recorded
    with look(complaints=("404",)) as reader:
        page = reader.open("/gateways/shop/nobody/overview?refresh=off")
        expect(page.locator("[data-notice=error]")).to_contain_text("Not known here")
        page.get_by_role("link", name="All gateways").click()
        page.locator("tr[data-gateway='shop/storefront']").wait_for()
        page.goto(f"{reader.address}/gateways/shop")
        expect(page.locator("[data-notice=empty]")).to_contain_text("There is no such page")
