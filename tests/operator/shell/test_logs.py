"""The operator's log: one JSON object a line, and no more of it than asked for."""

import json
import logging

import pytest

from aigw_operator.shell import logs


@pytest.mark.usefixtures("log_of_the_tests")
def test_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """A line is no JSON, a field is lost, a library talks at INFO, or a level is ignored."""
    logs.configure("info")
    ours, theirs = logging.getLogger("aigw_operator.shell.x"), logging.getLogger("kopf.objects")
    ours.debug("too quiet")
    theirs.info("Handler succeeded")
    ours.info("%s is done", "it", extra={"why": "because"})
    try:
        raise KeyError("spec")  # noqa: EM101, TRY301
    except KeyError:
        theirs.exception("broken")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    times = [line.pop("time") for line in lines]

    assert {"level": "info", "logger": "shell.x", "message": "it is done", "why": "because"} == lines[0]
    assert "KeyError: 'spec'" == lines[1].pop("exception").splitlines()[-1]
    assert {"level": "error", "logger": "kopf.objects", "message": "broken"} == lines[1]
    assert [len("2026-01-01T00:00:00.000Z")] * 2 == [len(time) for time in times]
