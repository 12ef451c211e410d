"""A running receiver turns the captures of the real gateway into the totals that the gateway itself showed."""

import itertools
import urllib.request
from pathlib import Path

import grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from receiver_program import Receiver, start_receiver
from replay import compare_totals, totals_of

_CAPTURES = Path(__file__).parents[2] / "captures"
_POD = "demo-pod-0"
_EXPORT = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"


def _send(receiver: Receiver, transport: str, body: bytes) -> bytes:
    if transport == "grpc":
        with grpc.insecure_channel(receiver.grpc) as channel:
            answer: bytes = channel.unary_unary(_EXPORT)(body, timeout=30)
            return answer
    request = urllib.request.Request(
        f"{receiver.otlp_http}/v1/metrics", data=body, headers={"Content-Type": "application/x-protobuf"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        content: bytes = response.read()
        return content


def test_totals_of_the_gateway() -> None:
    """A count, sum or bucket is lost or added on the way through a running receiver."""
    runs = list(itertools.product(("cumulative", "delta"), ("grpc", "http")))
    with start_receiver() as receiver:
        for number, (temporality, transport) in enumerate(runs):
            for file in sorted(_CAPTURES.glob(f"aigw-{temporality}-metrics-*.pb")):
                # Each run gets a pod of its own; names of one length leave all other bytes as they were.
                body = file.read_bytes().replace(_POD.encode(), _pod(number).encode())
                answer = _send(receiver, transport, body)
                assert not ExportMetricsServiceResponse.FromString(answer).HasField("partial_success")
        text = receiver.scrape()
        assert 0 == receiver.stop()
    for number, (temporality, _) in enumerate(runs):
        truth = totals_of((_CAPTURES / f"aigw-{temporality}-metrics.txt").read_text())
        compare_totals(truth, totals_of(text, _pod(number)), relative=0.0 if temporality == "cumulative" else 1e-12)


def _pod(number: int) -> str:
    return f"{_POD[:-1]}{number}"
