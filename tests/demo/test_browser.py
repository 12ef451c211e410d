"""Opening the page in a browser: where, and by which one."""

import os
import webbrowser
from pathlib import Path
from typing import Any

import pytest

from aigw_demo.browser import has_browser, open_page, wants_browser

AT_A_TERMINAL: dict[str, Any] = {"environment": {}, "asked": True, "terminal": True, "seconds": None}


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({}, True),
        ({"environment": {"CI": ""}}, True),
        ({"environment": {"CI": "true"}}, False),
        ({"asked": False}, False),
        ({"terminal": False}, False),
        ({"seconds": 30.0}, False),
    ],
    ids=["a terminal", "CI is empty", "CI", "OPEN=no", "a pipe", "SECONDS"],
)
def test_when(change: dict[str, Any], wanted: bool) -> None:
    """A browser comes up in CI or in a script, or not where somebody tries the demo."""
    given = AT_A_TERMINAL | change
    assert wanted is wants_browser(given.pop("environment"), **given)


@pytest.mark.parametrize(
    ("found", "environment", "there"),
    [
        (webbrowser.BackgroundBrowser("firefox"), {}, True),
        (webbrowser.GenericBrowser("lynx"), {}, False),
        (webbrowser.GenericBrowser("helper %s"), {"BROWSER": "helper"}, True),
        (None, {"BROWSER": "gone"}, False),
    ],
    ids=["a window", "a terminal's browser", "the user's own", "none"],
)
def test_which(
    found: webbrowser.BaseBrowser | None, environment: dict[str, str], there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser for the terminal takes the table's place, or a machine without any ends the demo."""

    def get() -> webbrowser.BaseBrowser:
        if found is None:
            raise webbrowser.Error
        return found

    monkeypatch.setattr(webbrowser, "get", get)
    assert there is has_browser(environment)


def test_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """The browser gets another address, or what it writes comes into the table."""
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" | tee {tmp_path}/opened\necho trouble >&2\n')
    program.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(program))
    monkeypatch.setenv("PATH", os.defpath)
    open_page("http://127.0.0.1:8080/").join()
    assert "http://127.0.0.1:8080/\n" == (tmp_path / "opened").read_text()
    assert ("", "") == tuple(capfd.readouterr())
