"""A running receiver whose disk is full acknowledges nothing that it cannot keep."""

import urllib.error
import urllib.request
from pathlib import Path

import otlp_messages as otlp
from otlp_messages import INTERVAL, NOW
from receiver_program import Receiver, start_receiver

_TOTAL = "mcp_method_count_total"
_KEPT = (200, None)


def _post(receiver: Receiver, body: bytes) -> tuple[int, str | None]:
    url, headers = f"{receiver.otlp_http}/v1/metrics", {"Content-Type": "application/x-protobuf"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30) as response:
            return response.status, response.headers["Retry-After"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Retry-After"]


def test_running_receiver_on_a_disk_that_is_full(tmp_path: Path) -> None:
    """A receiver whose disk is full acknowledges what it cannot keep, or ends."""
    bodies = []
    for at in range(40):
        times: otlp.Interval = {"start": NOW + at * INTERVAL, "time": NOW + (at + 1) * INTERVAL}
        bodies.append(otlp.export(otlp.counter(*(otlp.number(1, {"a": number}, **times) for number in range(20)))))
    # The shell's limit is in blocks of 512 bytes: files of at most 20 KiB.
    limited = ("sh", "-c", 'ulimit -f 40; exec "$@"', "sh")
    with start_receiver(data_dir=tmp_path, prefix=limited) as receiver:
        answers = [_post(receiver, body) for body in bodies]
        acknowledged = answers.count(_KEPT)
        assert 5 < acknowledged < 40
        assert [_KEPT] * acknowledged + [(503, "1")] * (40 - acknowledged) == answers
        receiver.kill()
    with start_receiver(data_dir=tmp_path) as receiver:
        shown = otlp.samples(receiver.scrape(), _TOTAL)
        assert {float(acknowledged)} == set(shown.values())
        assert [_KEPT] * (41 - acknowledged) == [_post(receiver, body) for body in bodies[acknowledged - 1 :]]
        assert {40.0} == set(otlp.samples(receiver.scrape(), _TOTAL).values())
