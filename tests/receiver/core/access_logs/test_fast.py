"""The fast path never tells anything else than the full reading, whatever is sent; and it forgets in time."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from aigw_receiver.core.access_logs import decode, fast, flat, layout, memos, reading, source
from aigw_receiver.core.access_logs.glance import Found, Group, shape_values
from aigw_receiver.core.access_logs.model import AccessLog, Decision, Ending, Kept
from aigw_receiver.core.access_logs.reasons import LogDropReason
from aigw_receiver.core.access_logs.redaction import Redaction

_RESOURCE = {"aigw.gateway.namespace": "default", "aigw.gateway.name": "main"}
_RECORD = {
    "ai_route_type": "llm",
    "bytes_sent": "1e+05",
    "duration": "12",
    "gen_ai.request.model": "m",
    "gen_ai.usage.input_tokens": "7",
    "gen_ai.usage.output_tokens": "3",
    "note": "-",
    "request.path": "/v1/chat?key=secret",
    "response_code": "200",
    "response_flags": "-",
    "x-envoy-origin-path": "-",
    "x-request-id": "r",
}
_FOUND = (
    Found(Decision(("errors", "slow"), 1.0), 1_795_353_374_756_107_000, 0.000_25, 'the "first" entry'),
    Found(Decision(("sample",), 12.5), 5, math.inf),
)
Value = str | int | float | bool
Record = Sequence[tuple[str, Value]]


def _request(records: Sequence[Record], body: Mapping[str, str] | str | None = None) -> bytes:
    request = ExportLogsServiceRequest()
    logs = request.resource_logs.add()
    for key, value in _RESOURCE.items():
        logs.resource.attributes.add(key=key).value.string_value = value
    scope = logs.scope_logs.add()
    for attributes in records:
        record = scope.log_records.add(time_unix_nano=5)
        for key, item in attributes:
            _set(record.attributes.add(key=key).value, item)
        if isinstance(body, str):
            record.body.string_value = body
        elif body is not None:
            for key, text in body.items():
                record.body.kvlist_value.values.add(key=key).value.string_value = text
    return request.SerializeToString()


def _set(value: Any, item: Value) -> None:
    for kind, name in ((bool, "bool_value"), (str, "string_value"), (int, "int_value"), (float, "double_value")):
        if isinstance(item, kind):
            setattr(value, name, item)
            return


def _in_full(body: bytes, redacted: Redaction) -> tuple[list[AccessLog], dict[LogDropReason, int]]:
    logs: list[AccessLog] = []
    rejected: dict[LogDropReason, int] = {}
    for resource, records in decode.read_request(body):
        attributes = decode.read_resource(resource)
        for record in records:
            fields, text = decode.read_record(record)
            log = reading.read(fields, text, decode.time_of(record), attributes, redacted)
            if isinstance(log, AccessLog):
                logs.append(log)
            else:
                rejected[log] = rejected.get(log, 0) + 1
    return logs, rejected


def _check(reader: fast.Reader, body: bytes) -> None:
    """That a reader tells of a request what the full reading does, and sums it up."""
    logs, rejected = _in_full(body, reader.redacted)
    glances, refused = reader.read(body)
    assert rejected == refused
    assert logs == [glance.read() for glance in glances]
    for found in _FOUND:
        timed = [dataclasses.replace(log, time=found.time) for log in logs]
        assert [flat.to_json_line(Kept(log, found.decision, found.cost, found.price_entry)) for log in timed] == [
            glance.line(found) for glance in glances
        ]
    for log, glance in zip(logs, glances, strict=True):
        assert (shape_values(log), log.tokens, log.duration) == (
            shape_values(glance.shape),
            glance.tokens,
            glance.duration,
        )
        assert (log.status, log.ending, log.time) == (glance.status, glance.ending, glance.time)
    assert set(map(shape_values, logs)) == {shape_values(one.shape) for one in reader.drain() if not one.ordinary}


def _check_sums(reader: fast.Reader, body: bytes) -> None:
    """That a reader to which all known records are ordinary counts what the full reading tells of a request."""
    logs, rejected = _in_full(body, reader.redacted)
    glances, refused = reader.read(body)
    assert rejected == refused
    tokens = [log.tokens for log in logs if (log.tokens.input, log.tokens.output) != (None, None)]
    expected = len(logs), len(tokens), sum(one.input or 0 for one in tokens), sum(one.output or 0 for one in tokens)
    counted = [one[1:] for one in reader.drain()]
    for glance in glances:
        given, answered = glance.input, glance.output
        counted.append((1, (given, answered) != (None, None), given or 0, answered or 0))
    assert expected == tuple(map(sum, zip((0, 0, 0, 0), *counted, strict=True)))


def _all_ordinary(group: Group) -> None:
    group.duration_below = group.tokens_below = math.inf


_KEYS = [
    *_RECORD,
    "llm_input_token",
    "ai_service_backend_name",
    "backend_name",
    "mcp.method.name",
    "k8s.pod.name",
    "error.type",
    "authorization",
    "session.id",
    "start_time",
    "token_latency_ttft",
    "url.path",
    "user-agent",
]
_VALUES: st.SearchStrategy[Value] = (
    st.sampled_from(
        ["-", "", "200", "503", "DC", "7", "1e+05", "0.5", "01", "llm", "mcp", "a/b/route/c", "x" * 130, '/a "b"?c']
    )
    | st.text(max_size=6)
    | st.integers(0, 1 << 40)
    | st.floats(allow_nan=False)
    | st.booleans()
)


@st.composite
def _mutated(draw: st.DrawFn) -> list[tuple[str, Value]]:
    """A record in a sender's order, some of whose attributes have been changed, renamed, moved, doubled or left out."""
    record: list[tuple[str, Value]] = list(_RECORD.items())
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(record) - 1))
        match draw(st.sampled_from(["value", "key", "move", "double", "drop"])):
            case "value":
                record[at] = record[at][0], draw(_VALUES)
            case "key":
                record[at] = draw(st.sampled_from(_KEYS)), record[at][1]
            case "move":
                record.append(record.pop(at))
            case "double":
                record.insert(at, (record[at][0], draw(_VALUES)))
            case "drop" if len(record) > 1:
                record.pop(at)
    return record


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(_mutated(), min_size=1, max_size=4), min_size=1, max_size=4),
    st.sampled_from([None, "text", {"gen_ai.response.model": "inner"}]),
    st.sampled_from([Redaction(), Redaction.of(masked=("duration", "gen_ai.request.model"))]),
)
def test_any_mixture_of_records(
    requests: list[list[Record]], body: Mapping[str, str] | str | None, redacted: Redaction
) -> None:
    """A record is taken for one of a format that it does not have: its numbers or its model are another's."""
    reader, counting = fast.Reader(redacted), fast.Reader(redacted, _all_ordinary)
    learned: list[Record] = [list(_RECORD.items())]
    for records in (learned, *requests):
        _check(reader, _request(records, body))
        _check_sums(counting, _request(records, body))


@pytest.mark.parametrize("key", ["ai_service_backend_name", "gen_ai.response.model", "llm_input_token"])
def test_an_attribute_that_begins_to_matter(key: str) -> None:
    """A field that nobody looked at becomes one that matters when the configuration changes, and nobody notices."""
    reader = fast.Reader()
    _check(reader, _request([list(_RECORD.items())] * 3))
    _check(reader, _request([[(key if name == "note" else name, "9") for name in _RECORD]] * 3))


def test_a_key_that_occurs_twice() -> None:
    """The last value of a doubled key is taken for that of all records that have the first one."""
    reader, good = fast.Reader(), list(_RECORD.items())
    _check(reader, _request([good]))
    _check(reader, _request([[*good, ("gen_ai.request.model", "-")], good]))


@pytest.mark.parametrize("values", [("7", "-"), ("-", "7")])
def test_a_route_type_that_only_a_number_tells(values: tuple[str, str]) -> None:
    """A record that does not say what it is for is taken for what another one with other numbers was for."""
    reader = fast.Reader()
    for value in values:
        _check(reader, _request([[("mcp.method.name", "-"), ("gen_ai.usage.input_tokens", value)]]))


def test_ordinary_records_are_only_counted() -> None:
    """An ordinary record becomes a Glance, or one that is none is dropped unseen; or the sums lose one of them."""

    def limit(group: Group) -> None:
        if group.shape.ending is Ending.OK:
            group.duration_below, group.tokens_below, group.durations = 100.0, 1000, []

    reader = fast.Reader(limit=limit)
    reader.read(_request([list(_RECORD.items())]))
    reader.drain()
    changes: list[dict[str, str]] = [
        {},
        {"duration": "100"},
        {"duration": "99", "gen_ai.usage.input_tokens": "997"},
        {"gen_ai.usage.input_tokens": "996"},
        {"duration": "-", "gen_ai.usage.input_tokens": "-"},
        {"gen_ai.usage.input_tokens": "1000", "gen_ai.usage.output_tokens": "-"},
    ]
    glances, _ = reader.read(_request([list({**_RECORD, **change}.items()) for change in changes]))
    assert [(100.0, 10), (99.0, 1000), (12.0, None)] == [(glance.duration, glance.tokens.total) for glance in glances]
    (drained,) = reader.drain()
    assert (3, 3, 7 + 996, 9) == drained[1:]
    assert [] == reader.drain()


def test_shapes_are_one_object_and_memos_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that sends a new model with each request makes the memory grow, or its sums are lost."""
    monkeypatch.setattr(fast, "MAX_SHAPES", 4)
    monkeypatch.setattr(memos, "MAX_NUMBERS", 2)
    reader = fast.Reader()
    for number in range(10):
        record = {**_RECORD, "gen_ai.request.model": f"m{number}", "duration": str(number)}
        first, second = reader.read(_request([list(record.items())] * 2))[0]
        assert first.shape is second.shape
        assert (float(number), f"m{number}") == (first.duration, second.shape.requested_model)
    assert {f"m{number}" for number in range(10)} == {one.shape.requested_model for one in reader.drain()}
    assert len(reader.column("duration")) <= 2


def test_malformed_attributes_cost_their_record_only() -> None:
    """An attribute that is no KeyValue costs the batch, or is taken."""
    good = _request([list(_RECORD.items())])
    request = ExportLogsServiceRequest.FromString(good)
    record = request.resource_logs[0].scope_logs[0].log_records[0].SerializeToString() + b"\x32\x02\x0a\x7f"
    scope = b"\x12" + _varint(len(record)) + record
    logs = b"\x12" + _varint(len(scope)) + scope
    bad = b"\x0a" + _varint(len(logs)) + logs
    glances, rejected = fast.Reader().read(good + bad)
    assert (1, {LogDropReason.MALFORMED_RECORD: 1}) == (len(glances), rejected)


def test_a_broken_attribute_of_a_record_that_is_kept() -> None:
    """An attribute that is no KeyValue, and that a glance did not look at, gets into a line, or costs the batch."""
    reader, record = fast.Reader(), list(_RECORD.items())
    reader.read(_request([record] * 2))
    good = _request([record])
    broken = good.replace(b"\x12\x03\n\x01r", b"\x12\x03\n\x02r")
    assert len(good) == len(broken)
    assert good != broken
    (glance,) = reader.read(good)[0]
    assert isinstance(glance.line(_FOUND[0]), bytes)
    (glance,) = reader.read(broken)[0]
    assert LogDropReason.MALFORMED_RECORD == glance.line(_FOUND[0])


def test_templates_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that sends a new model with each request that is kept makes the memory grow."""
    monkeypatch.setattr(memos, "MAX_TEMPLATES", 3)
    reader = fast.Reader()
    sizes = []
    for number in range(8):
        body = _request([list({**_RECORD, "gen_ai.request.model": f"m{number}"}.items())])
        for _ in range(3):
            _check(reader, body)
        sizes.append(len(reader.templates))
    assert [1, 2, 3, 1, 2, 3, 1, 2] == sizes


def test_malformed_envelope() -> None:
    """A request that is no protobuf is answered as if it had been taken."""
    with pytest.raises(decode.DecodeError):
        fast.Reader().read(b"\x0a\x7f")


def test_shapes_hold_all_that_a_glance_is_asked_for() -> None:
    """A name of AccessLog that a Shape has cannot be asked of a Glance."""
    glance = fast.Reader().read(_request([list(_RECORD.items())]))[0][0]
    for field in dataclasses.fields(glance.shape):
        assert getattr(glance.shape, field.name) == getattr(glance, field.name)


def _varint(value: int) -> bytes:
    return bytes((value & 0x7F | 0x80, value >> 7)) if value > 0x7F else bytes((value,))


def test_known_records_are_not_read_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that are known by heart are read in full all the same, or one by one, which makes each as slow as new."""
    reader = fast.Reader()
    body = _request([list(_RECORD.items())] * 5)
    reader.read(body)
    passes: list[int] = []
    glance = layout.Layout.glance

    def counted(self: Any, records: Sequence[Any], *others: Any) -> list[Any] | None:
        passes.append(len(records))
        return glance(self, records, *others)

    monkeypatch.setattr(layout.Layout, "glance", counted)
    monkeypatch.setattr(source.Source, "_glance_in_full", None)
    assert 5 == len(reader.read(body)[0])
    assert [5] == passes
