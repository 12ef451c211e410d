"""The flat object: its names, its schema, its text."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import json_schema
from aigw_receiver.core.access_logs import flat, reading
from aigw_receiver.core.access_logs.model import AccessLog, Decision, Ending, Kept, RouteType
from aigw_receiver.core.model import Identity

_SCHEMA: dict[str, Any] = json.loads((Path(__file__).parents[4] / "docs" / "access-log.schema.json").read_text())
_MINIMAL = AccessLog(Identity("", "unknown", ""), RouteType.MCP, 0, Ending.ABORTED)


def test_a_record_with_nothing() -> None:
    """A value that is missing is shown as something, or the object lacks what is always there."""
    assert flat.to_flat(Kept(_MINIMAL, Decision(("aborted", "errors"), 2.5))) == {
        "time": "1970-01-01T00:00:00.000000000Z",
        "ai_route_type": "mcp",
        "gateway_namespace": "",
        "gateway_name": "unknown",
        "gateway_pod": "",
        "ending": "aborted",
        "rules": "aborted,errors",
        "weight": 2.5,
    }


def test_numbers_that_json_does_not_have() -> None:
    """An infinity makes a line that no parser reads."""
    line = flat.to_json_line(Kept(_MINIMAL, Decision(("errors",)), cost=math.inf))
    assert "cost_usd" not in json.loads(line)
    assert line.endswith(b"}\n")


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (1_795_353_374_756_107_000, "2026-11-22T13:16:14.756107000Z"),
        (951_782_400_000_000_001, "2000-02-29T00:00:00.000000001Z"),
        (4_107_542_399_999_999_999, "2100-02-28T23:59:59.999999999Z"),
        (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000000000Z"),
        ((1 << 64) - 1, "2554-07-21T23:34:33.709551615Z"),
    ],
)
def test_times(time: int, text: str) -> None:
    """The time of a request is shown as another day or second."""
    assert text == flat.rfc3339(time)


@given(
    st.dictionaries(
        st.sampled_from(["ai_route_type", "response_code", "duration", "gen_ai.usage.input_tokens", "session.id"])
        | st.text(max_size=8),
        st.text(max_size=12) | st.sampled_from(["llm", "200", "1e+05", "0.5"]),
    ),
    st.text(max_size=20),
)
def test_every_record_is_one_valid_line(attributes: dict[str, str], body: str) -> None:
    """Some record becomes a line that is none, or that the shipped schema refuses."""
    log = reading.read({**attributes, "ai_route_type": "llm"}, body, 7, {"cluster_name": "ns/gw"})
    assert isinstance(log, AccessLog)
    line = flat.to_json_line(Kept(log, Decision(("errors",)), 0.25, "openai/gpt"))
    assert 1 == line.count(b"\n")
    assert [] == json_schema.violations(_SCHEMA, json.loads(line))


def test_the_schema_refuses_what_is_not_documented() -> None:
    """The check above proves nothing, since the schema takes anything."""
    good = flat.to_flat(Kept(_MINIMAL, Decision(("errors",))))
    assert [] == json_schema.violations(_SCHEMA, good)
    for change, fault in (
        ({"unknown": 1}, "unknown: additionalProperties"),
        ({"status": 99}, "status: minimum"),
        ({"status": "200"}, "status: type"),
        ({"ending": "fine"}, "ending: enum"),
        ({"time": "yesterday"}, "time: pattern"),
        ({"attributes.x": 1}, "attributes.x: type"),
        ({"path": ""}, "path: minLength"),
    ):
        assert [fault] == json_schema.violations(_SCHEMA, {**good, **change})
    assert ["rules: required"] == json_schema.violations(_SCHEMA, {k: v for k, v in good.items() if k != "rules"})


def test_every_name_of_the_schema_is_documented() -> None:
    """docs/access-logs.md does not list a name that sinks write."""
    text = (Path(__file__).parents[4] / "docs" / "access-logs.md").read_text()
    assert [] == [name for name in _SCHEMA["properties"] if f"| `{name}` |" not in text]
