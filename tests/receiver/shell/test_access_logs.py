"""Access logs through the whole program: what real senders sent is counted to the last one, and kept by the rules."""

import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2

import json_schema
from aigw_receiver.core.access_logs import decode, flat, reading, rules
from aigw_receiver.core.access_logs.model import AccessLog, Kept
from aigw_receiver.core.access_logs.reasons import LogDropReason
from aigw_receiver.core.access_logs.rule_settings import RuleSettings
from decisions import decide
from receiver_program import Receiver, start_receiver

_METHOD = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
_FILES = sorted((Path(__file__).parents[2] / "captures").glob("*-logs-*.pb"))
_SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "access-log.schema.json").read_text())
# What is found out beside the record itself.
_FOUND = ("cost_usd", "price_entry")
_FAMILIES = ("aigw_access_logs_total", "aigw_requests_total", "aigw_aborted_requests_total", "aigw_mcp_requests_total")
_BODY = next(file for file in _FILES if file.stem == "envoy-llm-logs-001").read_bytes()
_COUNT = sum(len(records) for _, records in decode.read_request(_BODY))


def _logs() -> Iterator[AccessLog]:
    for file in _FILES:
        for resource, records in decode.read_request(file.read_bytes()):
            attributes = decode.read_resource(resource)
            for record in records:
                fields, body = decode.read_record(record)
                log = reading.read(fields, body, decode.time_of(record), attributes)
                assert isinstance(log, AccessLog)
                yield log


def _expected() -> tuple[list[dict[str, Any]], int]:
    """The lines that are kept of all captures, in the order in which they are sent; and how many records there are."""
    decider, lines, count = rules.Rules(RuleSettings()), [], 0
    for log in _logs():
        count += 1
        verdict = decide(decider, log, 1, 0.5)
        if verdict.kept:
            lines.append(dict(flat.to_flat(Kept(log, verdict))))
    return lines, count


def _send_grpc(receiver: Receiver, bodies: list[bytes]) -> list[bytes]:
    with grpc.insecure_channel(receiver.grpc) as channel:
        call = channel.unary_unary(_METHOD)
        return [call(body, timeout=30) for body in bodies]


def _send_http(receiver: Receiver, body: bytes, content_type: str = "application/x-protobuf") -> bytes:
    request = urllib.request.Request(f"{receiver.otlp_http}/v1/logs", body, {"Content-Type": content_type})
    with urllib.request.urlopen(request, timeout=30) as response:
        answer: bytes = response.read()
    return answer


def _samples(text: str, name: str) -> dict[str, float]:
    pattern = rf"^{name}\{{(.*)\}} (\S+)$"
    return {labels: float(value) for labels, value in re.findall(pattern, text, re.MULTILINE)}


def _total(text: str) -> float:
    return sum(_samples(text, "aigw_access_logs_total").values())


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def _without(line: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name not in _FOUND}


def _config(path: Path) -> dict[str, Any]:
    return {"access_logs": {"file": {"path": str(path)}}}


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_captures(transport: str, tmp_path: Path) -> None:
    """A record of a real sender is refused, lost, counted twice, or kept otherwise than the rules say."""
    bodies = [file.read_bytes() for file in _FILES]
    kept, count = _expected()
    file = tmp_path / "kept.jsonl"
    with start_receiver(config=_config(file)) as receiver:
        answers = _send_grpc(receiver, bodies) if transport == "grpc" else [_send_http(receiver, b) for b in bodies]
        assert [b""] * len(bodies) == answers
        text = receiver.scrape()
        sources = json.loads(urllib.request.urlopen(f"{receiver.http}/api/sources", timeout=30).read())["sources"]
        own = receiver.own_metrics()
        assert 0 == receiver.stop()
        printed = [json.loads(line) for line in receiver.log.read_bytes().splitlines() if b'"ai_route_type"' in line]
    lines = _lines(file)
    assert kept == [_without(line) for line in lines]
    assert lines == printed
    assert all([] == json_schema.violations(_SCHEMA, line) for line in lines)
    decisions = _samples(text, "aigw_access_logs_total")
    assert count == sum(decisions.values()) == sum(_samples(text, "aigw_requests_total").values())
    assert len(kept) == sum(value for labels, value in decisions.items() if 'decision="kept"' in labels)
    assert {'result="accepted"': count, 'result="rejected"': 0} == _samples(own, "aigw_receiver_log_records_total")
    assert sorted({log.identity.pod for log in _logs()}) == sorted({source["gateway_pod"] for source in sources})
    assert all(["logs"] == list(source["signals"]) for source in sources)


def test_cost_on_the_record(tmp_path: Path) -> None:
    """A kept record has no cost, or another one than the price book says."""
    config = _config(tmp_path / "kept.jsonl")
    config["access_logs"]["rules"] = {"tokens": {"total": 2306}}
    with start_receiver(config=config) as receiver:
        _send_grpc(receiver, [next(file for file in _FILES if file.stem == "aigw-delta-logs-001").read_bytes()])
        assert 0 == receiver.stop()
    # 2006 x 0.05 + 300 x 0.40 USD per million
    nano = [line for line in _lines(tmp_path / "kept.jsonl") if line["requested_model"] == "gpt-5-nano"]
    assert {0.0002203} == {line["cost_usd"] for line in nano}
    assert all("(gpt-5-nano)" in line["price_entry"] for line in nano)


def test_json_is_understood_alike() -> None:
    """A record in OTLP/JSON is counted otherwise than the same one in protobuf."""
    request = logs_service_pb2.ExportLogsServiceRequest.FromString(_BODY)
    request.resource_logs[0].scope_logs[0].log_records[0].trace_id = bytes(range(16))
    body = json_format.MessageToDict(request)
    body["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["traceId"] = "000102030405060708090a0b0c0d0e0f"
    with start_receiver() as receiver:
        answer = _send_http(receiver, json.dumps(body).encode(), "application/json")
        from_json = receiver.scrape()
    with start_receiver() as receiver:
        _send_http(receiver, _BODY)
        from_protobuf = receiver.scrape()
    assert b"{}" == answer
    assert 0 < _total(from_json)
    for name in _FAMILIES:
        assert _samples(from_protobuf, name) == _samples(from_json, name)


def test_refusals() -> None:
    """A sender is not told that records were refused, or a request that is none is taken."""
    request = logs_service_pb2.ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    records.add().body.string_value = "the log of a program"
    good = records.add()
    good.attributes.add(key="ai_route_type").value.string_value = "llm"
    good.attributes.add(key="response_code").value.string_value = "200"
    body = request.SerializeToString()
    with start_receiver() as receiver:
        for answer in (*_send_grpc(receiver, [body]), _send_http(receiver, body)):
            partial = logs_service_pb2.ExportLogsServiceResponse.FromString(answer).partial_success
            assert (1, "not_an_access_log: 1") == (partial.rejected_log_records, partial.error_message)
        with pytest.raises(urllib.error.HTTPError) as refused:
            _send_http(receiver, b"\xff")
        with pytest.raises(grpc.RpcError) as failed:
            _send_grpc(receiver, [b"\xff"])
        assert 2 == _total(receiver.scrape())
        own = receiver.own_metrics()
    refused.value.close()
    assert 400 == refused.value.code
    assert grpc.StatusCode.INVALID_ARGUMENT is failed.value.code()
    assert {'result="accepted"': 2, 'result="rejected"': 2} == _samples(own, "aigw_receiver_log_records_total")
    rejected = dict.fromkeys([f'reason="{reason}"' for reason in LogDropReason], 0) | {'reason="not_an_access_log"': 2}
    assert rejected == _samples(own, "aigw_receiver_log_records_rejected_total")


def test_zero_first_for_scrapers() -> None:
    """The first increments of a counter are lost to a scraper, which is shown it at its value at once."""
    with start_receiver() as receiver:
        receiver.scrape(scraper="a")
        _send_grpc(receiver, [_BODY])
        first = receiver.scrape(scraper="a", openmetrics=True)
        _send_grpc(receiver, [_BODY])
        second = receiver.scrape(scraper="a", openmetrics=True)
    assert set(_samples(first, "aigw_access_logs_total").values()) == {0.0}
    assert 2 * _COUNT == _total(second)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_restart(end: str, tmp_path: Path) -> None:
    """What a scraper was shown is lost, doubled or shown at 0 again after a restart."""
    with start_receiver(data_dir=tmp_path) as receiver:
        receiver.scrape(scraper="a")
        _send_grpc(receiver, [_BODY])
        receiver.scrape(scraper="a")
        shown = receiver.scrape(scraper="a")
        if end == "stop":
            # What no scrape has seen yet is kept as well.
            _send_grpc(receiver, [_BODY])
            assert 0 == receiver.stop()
        else:
            receiver.kill()
        ports = receiver.ports
    with start_receiver(data_dir=tmp_path, ports=ports) as receiver:
        after = receiver.scrape(scraper="a")
        _send_grpc(receiver, [_BODY])
        last = receiver.scrape(scraper="a")
    before = 2 * _COUNT if end == "stop" else _COUNT
    assert _COUNT == _total(shown)
    assert before == _total(after)
    assert before + _COUNT == _total(last)


def test_a_stalled_sink(tmp_path: Path) -> None:
    """Somebody who does not read what is kept holds up the gateways, the scrapes, or the end of the program."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    bodies = [next(file for file in _FILES if file.stem == "envoy-num-logs-001").read_bytes()] * 100
    config = _config(fifo)
    config["access_logs"]["stdout"] = False
    with start_receiver(config=config) as receiver:
        _send_grpc(receiver, bodies)
        count = len(bodies) * sum(len(records) for _, records in decode.read_request(bodies[0]))
        assert count == _total(receiver.scrape())
        assert 0 == receiver.stop()
        said = [line for line in receiver.log.read_text().splitlines() if "a sink did not take what was left" in line]
    os.close(reader)
    assert ["file"] == [json.loads(line)["sink"] for line in said]
