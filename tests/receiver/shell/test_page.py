"""The page's files over a real connection: what is answered where, and with which headers."""

import asyncio
import gzip
import http.client
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from aigw_receiver.shell import page

_FILES = Path(page.__file__).parents[1] / "page"


@pytest_asyncio.fixture
async def base() -> AsyncIterator[str]:
    """The address of a listener that has the page and nothing else."""
    app = web.Application()
    page.add_routes(app)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def _get(url: str, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
    """Status, headers, and the body as it came."""
    async with (
        aiohttp.ClientSession(auto_decompress=False, headers={"Accept-Encoding": "identity"}) as session,
        session.get(url, headers=headers) as response,
    ):
        return response.status, response.headers, await response.read()


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/gateways/default/gateway",
        "/gateways/default/gateway/overview",
        "/gateways/-/gateway/requests?record=5819d16b-41",
        "/gateways/a%2Fb/c/pods",
        "/gateways/nothing/of/this/is/a/page",
    ],
)
async def test_every_path_of_the_page_is_the_page(base: str, path: str) -> None:
    """A link to a tab, or a reload of it, would not find the page."""
    status, headers, body = await _get(base + path)
    assert 200 == status
    assert "text/html; charset=utf-8" == headers["Content-Type"]
    assert (_FILES / "index.html").read_bytes() == body


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("main.js", "text/javascript; charset=utf-8"),
        ("theme.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
        ("vendor/uPlot.esm.js", "text/javascript; charset=utf-8"),
    ],
)
async def test_assets(base: str, path: str, content_type: str) -> None:
    """A browser that may not guess would refuse a module or a style sheet."""
    status, headers, body = await _get(f"{base}/assets/{path}")
    assert (200, content_type) == (status, headers["Content-Type"])
    assert (_FILES / path).read_bytes() == body


@pytest.mark.parametrize("path", ["/", "/gateways/default/gateway/pods", "/assets/main.js"])
async def test_headers(base: str, path: str) -> None:
    """The page could load from elsewhere, be framed, be guessed at, or tell others its addresses."""
    _, headers, _ = await _get(base + path)
    expected = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": (
            "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; "
            "require-trusted-types-for 'script'; trusted-types 'none'"
        ),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
    }
    assert expected == {name: headers.get(name) for name in expected}


@pytest.mark.parametrize(
    "path",
    [
        "/assets/",
        "/assets/nothing.js",
        "/assets/../shell/page.py",
        "/assets/%2e%2e/prices.yaml",
        "/assets/..%2fprices.yaml",
        "/assets/%2fetc%2fpasswd",
        "/assets//etc/passwd",
        "/assets/vendor",
        "/assets/vendor/LICENSE",
        "/assets/main.js/",
        "/assets/main.js%00",
        "/index.html",
    ],
)
async def test_nothing_else_is_answered(base: str, path: str) -> None:
    """Somebody could read files that are not of the page."""
    address = base.removeprefix("http://")

    def ask() -> int:
        # This client sends a path as it stands.
        connection = http.client.HTTPConnection(address, timeout=30)
        try:
            connection.putrequest("GET", path, skip_accept_encoding=True)
            connection.endheaders()
            return connection.getresponse().status
        finally:
            connection.close()

    assert 404 == await asyncio.to_thread(ask)


async def test_what_has_not_changed_is_not_sent_again(base: str) -> None:
    """Every visit would load every file anew, or a new version would not be seen."""
    _, first, _ = await _get(f"{base}/assets/main.js")
    tag = first["ETag"]
    status, headers, body = await _get(f"{base}/assets/main.js", **{"If-None-Match": f'W/"other", {tag}'})
    assert (304, b"", tag) == (status, body, headers["ETag"])
    status, headers, _ = await _get(f"{base}/assets/dom.js", **{"If-None-Match": tag})
    assert 200 == status
    assert tag != headers["ETag"]


async def test_files_are_compressed_where_that_is_wanted(base: str) -> None:
    """The page would be slow through a tunnel, or unreadable for who does not take gzip."""
    _, plain, body = await _get(f"{base}/assets/main.js")
    assert "Content-Encoding" not in plain
    _, headers, compressed = await _get(f"{base}/assets/main.js", **{"Accept-Encoding": "gzip, br"})
    assert "gzip" == headers["Content-Encoding"]
    assert body == gzip.decompress(compressed)
    _, headers, _ = await _get(f"{base}/assets/main.js", **{"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in headers


def test_whatever_the_page_names_is_there() -> None:
    """A renamed file would leave the page without a style or a module."""
    named = set(re.findall(r'/assets/([^"]+)"', (_FILES / "index.html").read_text()))
    for module in _FILES.glob("*.js"):
        named |= set(re.findall(r'(?:from |import\()"\./([^"]+)"', module.read_text()))
    assert set() == {name for name in named if not (_FILES / name).is_file()}


def test_text_is_never_parsed_as_html() -> None:
    """A request with markup in its path could run a script in the page of who looks at it."""
    unsafe = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|eval\("
    )
    assert [] == [module.name for module in sorted(_FILES.glob("*.js")) if unsafe.search(module.read_text())]


def test_the_page_knows_no_outside_address() -> None:
    """The page would load something from elsewhere, which the policy refuses, or tell somebody that it was opened."""
    address = re.compile(r"https?://(?!www\.w3\.org/2000/svg)")
    files = [file for file in sorted(_FILES.iterdir()) if file.is_file()]
    assert [] == [file.name for file in files if address.search(file.read_text())]
