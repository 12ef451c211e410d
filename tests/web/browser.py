"""A real headless Chromium, one per module, and looks at the page that note what must not happen.

What must not happen: a request to another host than the receiver's listener, an error or a warning on the console, and
an error in a script. It knows nothing of what the page shows.
"""

import contextlib
import dataclasses
import functools
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

TREE: Final = Path(__file__).parents[2]
AXE: Final = TREE / ".cache" / "page" / "node_modules" / "axe-core" / "axe.min.js"
COMMAND: Final = "apt-get install --no-install-recommends chromium fonts-dejavu-core"
# Nothing that a browser does by itself; and where it looks for a host all the same, there is none.
_FLAGS: Final = (
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)
WIDE: Final = (1280, 900)
NARROW: Final = (360, 740)
_PATIENCE_MS: Final = 30_000
# Names of what a reader may have: a theme and a width.
LOOKS: Final[Mapping[str, Mapping[str, Any]]] = {
    "light": {"color_scheme": "light", "size": WIDE},
    "dark": {"color_scheme": "dark", "size": WIDE},
    "narrow": {"color_scheme": "light", "size": NARROW},
}


def find_chromium() -> str:
    """The program on the PATH. Without one the test is skipped; in CI it fails."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found:
        return found
    reason = f"no chromium here: {COMMAND}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextlib.contextmanager
def start_browser() -> Iterator["Readers"]:
    """A browser of its own; Playwright's loop ends with it, since tests of coroutines may follow in this process."""
    program = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_FLAGS))
        try:
            yield Readers(browser)
        finally:
            browser.close()


class Readers:
    """The profiles of one browser. Those who look alike share one, so that the page's files are fetched once."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._known: dict[tuple[tuple[int, int], Any], BrowserContext] = {}

    @contextlib.contextmanager
    def profile(self, size: tuple[int, int], color_scheme: Any, *, fresh: bool) -> Iterator[BrowserContext]:
        """The one of these looks, or a fresh one for whoever changes what a profile keeps: its storage, its clock."""
        if fresh:
            with contextlib.closing(self._start(size, color_scheme)) as context:
                yield context
            return
        key = (size, color_scheme)
        if key not in self._known:
            self._known[key] = self._start(*key)
        yield self._known[key]

    def _start(self, size: tuple[int, int], color_scheme: Any) -> BrowserContext:
        context = self._browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=color_scheme,
            locale="en-US",
            timezone_id="Europe/Berlin",
            reduced_motion="reduce",
        )
        context.set_default_timeout(_PATIENCE_MS)
        return context


# Without slots: Playwright sets attributes on the object whose methods it calls.
@dataclasses.dataclass
class Look:
    """One reader: the page in a tab, and what went wrong so far."""

    page: Page
    address: str
    complaints: list[str] = dataclasses.field(default_factory=list)
    outside: list[str] = dataclasses.field(default_factory=list)
    asked: list[str] = dataclasses.field(default_factory=list)

    def open(self, path: str) -> Page:
        """Go to a path of the receiver, and wait until the page has drawn what it loaded."""
        self.page.goto(self.address + path)
        self.drawn()
        return self.page

    def drawn(self) -> None:
        """Wait until something was loaded, and nothing is on its way any more."""
        self.page.locator("body[data-loaded] #main:not([aria-busy])").wait_for()

    @property
    def link(self) -> str:
        """The path and the query that stand in the address bar; Playwright's own `url` may lag behind."""
        return str(self.page.evaluate("location.pathname + location.search"))

    @property
    def loads(self) -> int:
        """How many loads have ended."""
        return int(self.page.evaluate("document.body.dataset.loaded ?? 0"))

    def loaded_again(self, before: int) -> None:
        """Wait until another load has ended since there were so many."""
        self.page.wait_for_function("before => Number(document.body.dataset.loaded ?? 0) > before", arg=before)
        self.drawn()

    def watch(self) -> None:
        """Note what must not happen."""
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error in a script: {error}"))
        # Not by a route, which would take the browser's cache away. No other host is found (see _FLAGS).
        self.page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning", "assert"}:
            self.complaints.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def _request(self, request: Request) -> None:
        self.asked.append(request.url.removeprefix(self.address))
        if not request.url.startswith((self.address + "/", "data:", "blob:", "about:")):
            self.outside.append(request.url)


@contextlib.contextmanager
def look_at(
    readers: Readers,
    address: str,
    *,
    size: tuple[int, int] = WIDE,
    color_scheme: Any = "light",
    fresh: bool = False,
    complaints: Sequence[str] = (),
) -> Iterator[Look]:
    """A reader of the page at an address; at the end nothing must have gone wrong.

    `complaints` are words of those that the test itself brings about. `fresh` is as of `Readers.profile`.
    """
    with (
        readers.profile(size, color_scheme, fresh=fresh) as context,
        contextlib.closing(context.new_page()) as page,
    ):
        look = Look(page, address)
        look.watch()
        yield look
        page.evaluate("0")  # what was said meanwhile is in
        unexpected = [said for said in look.complaints if not any(words in said for words in complaints)]
        assert ([], []) == (unexpected, look.outside)


@functools.cache
def _axe() -> str:
    return AXE.read_text()


def find_violations(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """What axe has against the page as it stands: rule, what it means, and where; by these of its rules, or by all."""
    if not AXE.is_file():
        reason = "no axe here: make .cache/page/installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    page.evaluate(_axe())
    options = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
    found = page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{each['id']}: {each['help']}: {' | '.join(str(node['target']) for node in each['nodes'][:5])}"
        for each in found["violations"]
    ]


def screenshot_folder() -> Path:
    """Where pictures go: AIGW_TELEMETRY_SCREENSHOTS, or .cache/screenshots."""
    folder = Path(os.environ.get("AIGW_TELEMETRY_SCREENSHOTS") or TREE / ".cache" / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
