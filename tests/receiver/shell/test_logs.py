"""The receiver's own log is one JSON object a line, and quiet."""

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from aigw_receiver.shell import logs

pytestmark = pytest.mark.usefixtures("log_of_the_tests")


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    captured = capsys.readouterr()
    assert "" == captured.out
    return [json.loads(line) for line in captured.err.splitlines()]


def test_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A line of the log cannot be read by a machine, or loses what was given with it."""
    logs.configure("info")
    extra = {"file": Path("a"), "count": 3, "list": ["x"], "text": 'ü"\n'}
    logging.getLogger("aigw_receiver.shell.server").info("say %s", "it\ntwice", extra=extra)
    (line,) = _lines(capsys)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert {
        "level": "info",
        "logger": "shell.server",
        "message": "say it\ntwice",
        "file": "a",
        "count": 3,
        "list": ["x"],
        "text": 'ü"\n',
    } == line


def test_times_are_utc(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of a line is that of the machine's place, with a Z behind it."""
    logs.configure("info")
    record = logging.makeLogRecord({"name": "aigw_receiver", "levelno": 20, "levelname": "INFO", "msg": "x"})
    record.created, record.msecs = 1_700_000_000.25, 250.0
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    logging.getLogger("aigw_receiver").handle(record)
    assert ["2023-11-14T22:13:20.250Z"] == [line["time"] for line in _lines(capsys)]


def test_exception(capsys: pytest.CaptureFixture[str]) -> None:
    """An exception is spread over several lines, or lost."""
    logs.configure("info")
    try:
        raise ValueError("wrong")  # noqa: EM101, TRY301
    except ValueError:
        logging.getLogger("aigw_receiver").exception("an export failed")
    (line,) = _lines(capsys)
    assert ("error", "an export failed") == (line["level"], line["message"])
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith("ValueError: wrong")


@pytest.mark.parametrize(
    ("level", "own", "libraries"),
    [
        ("debug", ["debug", "info", "warning", "error"], ["warning", "error"]),
        ("info", ["info", "warning", "error"], ["warning", "error"]),
        ("warning", ["warning", "error"], ["warning", "error"]),
        ("error", ["error"], ["warning", "error"]),
    ],
)
def test_levels(level: str, own: list[str], libraries: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The configured level has no effect, or libraries fill the log."""
    logs.configure(level)
    for name, expected in (("aigw_receiver.core.x", own), ("aiohttp.server", libraries), ("asyncio", libraries)):
        for each in ("debug", "info", "warning", "error"):
            getattr(logging.getLogger(name), each)("x")
        assert expected == [line["level"] for line in _lines(capsys)]
