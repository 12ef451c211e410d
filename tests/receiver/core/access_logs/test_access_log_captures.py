"""What is understood of every record that real senders sent, as a table that was checked by hand."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aigw_receiver.core.access_logs import decode, fast, flat, reading
from aigw_receiver.core.access_logs.glance import Found, shape_values
from aigw_receiver.core.access_logs.model import AccessLog, Decision, Kept

_CAPTURES = Path(__file__).parents[3] / "captures"
_FILES = sorted(_CAPTURES.glob("*-logs-*.pb"))
_GOLDEN = Path(__file__).parent / "golden" / "captures.jsonl"
_SCHEMA = Path(__file__).parents[4] / "docs" / "access-log.schema.json"

# What is the same in every record of a file, or differs from each to the next, says nothing about being understood.
_LEFT_OUT = ("weight", "rules", "request_id", "user_agent", "method", "body", "bytes_received", "bytes_sent")


def _logs(file: Path) -> Iterator[AccessLog]:
    for resource, records in decode.read_request(file.read_bytes()):
        attributes = decode.read_resource(resource)
        for record in records:
            fields, body = decode.read_record(record)
            log = reading.read(fields, body, decode.time_of(record), attributes)
            assert isinstance(log, AccessLog)
            yield log


def _flat(log: AccessLog) -> dict[str, Any]:
    return dict(flat.to_flat(Kept(log, Decision(("errors",)))))


def _line(file: Path, log: AccessLog) -> str:
    told = {
        name: value
        for name, value in _flat(log).items()
        if name not in _LEFT_OUT and not name.startswith(flat.REST_PREFIX)
    }
    return json.dumps({"file": file.stem, **told}, ensure_ascii=False)


def test_all_captures_are_there() -> None:
    """A capture of access logs is missing, so the table below proves less than it seems to."""
    assert 31 == len(_FILES)


def test_golden_table() -> None:
    """A record of a real sender is understood otherwise than a person who knew the traffic understood it."""
    lines = [_line(file, log) for file in _FILES for log in _logs(file)]
    assert _GOLDEN.read_text().splitlines() == lines


def test_traffic_of_a_run() -> None:
    """The requests of a run, as the README of the captures tells them, are not those that the logs are read as."""
    runs = {
        run: [log for file in _FILES if file.name.startswith(run) for log in _logs(file)]
        for run in ("aigw-c", "aigw-d")
    }
    expected = sorted(
        [("gpt-5-nano", 200, 2006, 300)] * 5
        + [("small", 200, 31, 3), ("big", 200, 100_000, 3), ("slow", 200, 2006, 300), ("longstream", 200, -1, -1)]
        + [("missing", 404, -1, -1), ("limited", 429, -1, -1), ("broken", 500, -1, -1)]
        + [("text-embedding-3-small", 200, 9, 0)]
    )
    # The gateway answers a ping by itself: it makes no request to a backend.
    methods = ["initialize", "notifications/initialized", "prompts/list", "resources/list", "tools/list"]
    for logs in runs.values():
        models = [
            (log.requested_model, log.status, *(-1 if n is None else n for n in (log.tokens.input, log.tokens.output)))
            for log in logs
            if log.requested_model
        ]
        assert expected == sorted(models)
        assert sorted([*methods, *["tools/call"] * 4]) == sorted(log.mcp_method for log in logs if log.mcp_method)


def test_no_query_string_is_left() -> None:
    """The API key in the path of capture 004 gets into a sink, by the path, another attribute or the body."""
    for file in _FILES:
        for log in _logs(file):
            assert "topsecret" not in repr(log)
            assert "topsecret" not in flat.to_json_line(Kept(log, Decision(("errors",)))).decode()


@pytest.mark.parametrize("times", [1, 2, 3])
def test_glances_tell_what_the_full_reading_tells(times: int) -> None:
    """A record read at a glance, for the first time or by heart, differs from the same record read in full."""
    reader = fast.Reader()
    for _ in range(times):
        for file in _FILES:
            glances, rejected = reader.read(file.read_bytes())
            logs = list(_logs(file))
            assert {} == rejected
            assert logs == [glance.read() for glance in glances]
            decision = Decision(("errors", "slow"), 2.5)
            assert [flat.to_json_line(Kept(log, decision, 0.5, "an entry")) for log in logs] == [
                glance.line(Found(decision, glance.time, 0.5, "an entry")) for glance in glances
            ]
            assert [(shape_values(log), log.tokens, log.duration, log.time) for log in logs] == [
                (shape_values(glance.shape), glance.tokens, glance.duration, glance.time) for glance in glances
            ]
