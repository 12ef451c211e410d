"""Who sees badly, has no mouse, or a small screen can use every tab; and a picture of each is taken to be looked at."""

import pytest
from playwright.sync_api import Page, expect

from aigw_demo.series import SeriesMap
from web.browser import LOOKS, find_violations, screenshot_folder
from web.conftest import Opener

GATEWAY = "/gateways/shop/storefront"
TABS = ("overview", "providers", "models", "mcp", "requests", "pods")
PAGES = {"gateways": "/", **{tab: f"{GATEWAY}/{tab}" for tab in TABS}}
# All rules once; and those on what another theme, or another width, changes.
RULES = {
    "light": (),
    "dark": ("color-contrast",),
    "narrow": ("color-contrast", "scrollable-region-focusable", "target-size"),
}
# Far more than any page of the tests has to offer.
_MOST_STEPS = 120


def sticks_out(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.mark.parametrize("style", LOOKS)
def test_every_tab_for_everybody(recorded: SeriesMap, look: Opener, style: str) -> None:
    """A reader with a screen reader, weak eyes or a telephone cannot use a tab."""
    assert recorded
    found: dict[str, list[str]] = {}
    wide: dict[str, int] = {}
    with look(**LOOKS[style]) as reader:
        for name, path in PAGES.items():
            page = reader.open(f"{path}?refresh=off")
            page.screenshot(path=screenshot_folder() / f"{name}-{style}.png", full_page=True)
            found[name], wide[name] = find_violations(page, RULES[style]), sticks_out(page)
    assert set(PAGES) == set(found)
    bad = {name: violations for name, violations in found.items() if violations}
    assert ({}, {}) == (bad, {name: pixels for name, pixels in wide.items() if pixels})


@pytest.mark.parametrize("style", LOOKS)
def test_drawer_for_everybody(recorded: SeriesMap, look: Opener, style: str) -> None:
    """The details of a request are for those with a mouse and a large screen only."""
    assert recorded
    with look(**LOOKS[style]) as reader:
        page = reader.open(f"{GATEWAY}/requests?refresh=off")
        page.locator("table[data-table=requests] tbody a").first.click()
        page.locator("dialog#record[open] .record-field").first.wait_for()
        page.screenshot(path=screenshot_folder() / f"record-{style}.png")
        assert ([], 0) == (find_violations(page, RULES[style]), sticks_out(page))


def step_to(page: Page, selector: str) -> None:
    """Press the tabulator until the focus is there, and can be seen."""
    for _ in range(_MOST_STEPS):
        page.keyboard.press("Tab")
        if page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
            seen = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert (selector, "none") != (selector, seen)
            return
    pytest.fail(f"{selector} cannot be reached by the keyboard")


def test_keyboard_only(recorded: SeriesMap, look: Opener) -> None:
    """A part of the page needs a mouse, or the focus is lost on the way."""
    assert recorded
    with look() as reader:
        page = reader.open("/?refresh=off")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.matches('a.skip')")
        page.keyboard.press("Enter")
        assert "main" == page.evaluate("document.activeElement.id")
        step_to(page, "th[data-column=requests] button")
        page.keyboard.press("Enter")
        expect(page.locator("th[data-column=requests]")).to_have_attribute("aria-sort", "descending")
        step_to(page, "tr[data-gateway='shop/storefront'] a")
        page.keyboard.press("Enter")
        page.locator("section[data-panel=overview] figure").first.wait_for()
        reader.drawn()
        step_to(page, "nav.tabs a[data-tab=requests]")
        page.keyboard.press("Enter")
        page.locator("table[data-table=requests] tbody tr").first.wait_for()
        reader.drawn()
        step_to(page, "table[data-table=requests] tbody a")
        page.keyboard.press("Enter")
        page.locator("dialog#record[open] .record-field").first.wait_for()
        page.keyboard.press("Escape")
        expect(page.locator("#record")).not_to_be_visible()
        assert page.evaluate("document.activeElement.matches('table[data-table=requests] tbody a')")
