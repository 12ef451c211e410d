"""Opens the page in a browser, where somebody sits in front of one. It decides nothing about what is served."""

import subprocess
import sys
import threading
import webbrowser
from collections.abc import Mapping


def wants_browser(environment: Mapping[str, str], *, asked: bool, terminal: bool, seconds: float | None) -> bool:
    """Whether to open a browser: not in CI, not for a run that ends by itself, not where nobody looks.

    `asked` is whether the user leaves it to us, `terminal` whether the output is one.
    """
    return asked and terminal and seconds is None and not environment.get("CI")


def has_browser(environment: Mapping[str, str]) -> bool:
    """Whether there is one with a window of its own, or the one that $BROWSER names.

    A browser for the terminal would take the table's place; `webbrowser` knows those as plain commands.
    """
    try:
        found = webbrowser.get()
    except webbrowser.Error:
        return False
    return bool(environment.get("BROWSER")) or type(found) is not webbrowser.GenericBrowser


def open_page(url: str) -> threading.Thread:
    """Open it, by a program of its own: what a browser writes must not come into the table, nor may it keep us.

    The thread ends with that program, which may be the browser itself, and is left alone when the demo ends.
    """
    command = [sys.executable, "-m", "webbrowser", url]
    quiet = subprocess.DEVNULL

    def wait() -> None:
        subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True, check=False)

    thread = threading.Thread(target=wait, name="browser", daemon=True)
    thread.start()
    return thread
