"""A receiver that has heard nothing yet tells what to do next."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

import receiver_program
from web import reading
from web.browser import LOOKS, Readers, find_chromium, find_violations, look_at, screenshot_folder, start_browser
from web.site import CONFIG


@pytest.fixture(scope="module")
def receiver() -> Iterator[receiver_program.Receiver]:
    """A receiver that nobody has sent anything to."""
    find_chromium()
    with receiver_program.start_receiver(config=CONFIG) as running:
        yield running


@pytest.fixture(scope="module")
def readers() -> Iterator[Readers]:
    """A real headless Chromium."""
    with start_browser() as running:
        yield running


@pytest.mark.parametrize("style", LOOKS)
def test_nothing_yet_says_what_to_do(receiver: receiver_program.Receiver, readers: Readers, style: str) -> None:
    """Whoever has just installed it looks at an empty page, and does not know why."""
    with look_at(readers, receiver.http, **LOOKS[style]) as reader:
        page = reader.open("/")
        expect(page.locator("[data-notice=empty]")).to_contain_text("no export yet", ignore_case=True)
        assert [] == list(reading.rows(page, "gateways"))
        page.screenshot(path=screenshot_folder() / f"empty-{style}.png", full_page=True)
        assert [] == find_violations(page)
