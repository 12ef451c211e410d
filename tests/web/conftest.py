"""What tests of the page share: the receiver with its traffic, once, and a browser for each module."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from aigw_demo.series import SeriesMap
from dataplane import real_envoy
from web.browser import Look, Readers, find_chromium, look_at, start_browser
from web.site import Site, start_site

Opener = Callable[..., AbstractContextManager[Look]]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A receiver that has had its traffic."""
    find_chromium()
    real_envoy.find_envoy()
    with start_site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture(scope="module")
def recorded(site: Site) -> SeriesMap:
    """What the gateways recorded, once the receiver shows all of it."""
    return site.settle()


@pytest.fixture(scope="module")
def readers(site: Site) -> Iterator[Readers]:  # noqa: ARG001  # its loop must not run when the site is started
    """A real headless Chromium."""
    with start_browser() as running:
        yield running


@pytest.fixture
def look(readers: Readers, site: Site) -> Opener:
    """Opens the page of that receiver for one reader, as `with look(color_scheme="dark") as reader`."""

    def opened(**options: Any) -> AbstractContextManager[Look]:
        return look_at(readers, site.address, **options)

    return opened
