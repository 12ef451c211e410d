"""Scrapes of stores that change, of streams that are new, and of real senders' bytes."""

import os
from pathlib import Path

import pytest

import otlp_messages as otlp
from aigw_receiver.core import exposition
from aigw_receiver.core.exposition import OPENMETRICS, TEXT, Format
from aigw_receiver.core.store import Store
from otlp_messages import NOW

_CAPTURES = Path(__file__).parents[2] / "captures"
_GOLDEN = Path(__file__).parent / "golden"
# Set to anything, the golden files are written instead of compared.
_REGENERATE = "REGENERATE_GOLDEN"


def _rendered(store: Store, text_format: Format, mark: int | None = None) -> bytes:
    return b"".join(exposition.render(store, text_format, mark))


def test_births_above_the_mark_are_zero() -> None:
    """A new stream is shown at its value to a scraper that has never seen it, or a gauge is shown at 0."""
    store = Store(NOW, admit=("x",))
    first, second = {"a": "1"}, {"a": "2"}
    store.export(
        otlp.export(otlp.histogram(otlp.buckets((1, 2, 3), 7.5, first)), otlp.counter(otlp.number(5, first))), NOW
    )
    mark = store.census.newest
    body = otlp.export(
        otlp.histogram(otlp.buckets((1, 0, 0), 0.5, second)),
        otlp.counter(otlp.number(7, second)),
        otlp.gauge(otlp.number(-9.5), name="x"),
    )
    store.export(body, NOW)
    names = ("gen_ai_client_token_usage_count", "gen_ai_client_token_usage_sum", "mcp_method_count_total", "x")
    expected = {
        'gen_ai_client_token_usage_count{a="1"}': 6.0,
        'gen_ai_client_token_usage_sum{a="1"}': 7.5,
        'gen_ai_client_token_usage_count{a="2"}': 0.0,
        'gen_ai_client_token_usage_sum{a="2"}': 0.0,
        'mcp_method_count_total{a="1"}': 5.0,
        'mcp_method_count_total{a="2"}': 0.0,
        "x": -9.5,
    }
    assert expected == otlp.samples(_rendered(store, TEXT, mark).decode(), *names)
    values = {'gen_ai_client_token_usage_count{a="2"}': 1.0, 'gen_ai_client_token_usage_sum{a="2"}': 0.5}
    values['mcp_method_count_total{a="2"}'] = 7.0
    assert expected | values == otlp.samples(_rendered(store, TEXT, store.census.newest).decode(), *names)
    assert expected | values == otlp.samples(_rendered(store, TEXT, None).decode(), *names)


def test_store_goes_on_between_pieces() -> None:
    """An export or a pod's end between two pieces of a scrape breaks the scrape."""
    store = Store(NOW)
    points = [otlp.buckets((1, 0, 0), 1.0, {"at": str(at)}) for at in range(200)]
    store.export(otlp.export(otlp.histogram(*points)), NOW)
    pieces = exposition.render(store, TEXT, None)
    text = [next(pieces), next(pieces)]
    more = [otlp.buckets((1, 0, 0), 1.0, {"at": f"new {at}"}) for at in range(200)]
    store.export(otlp.export(otlp.histogram(*more), resource=otlp.pod("other")), NOW)
    text += pieces
    shown = otlp.samples(b"".join(text).decode(), "gen_ai_client_token_usage_count")
    assert {f'gen_ai_client_token_usage_count{{at="{at}"}}' for at in range(200)} <= shown.keys()


@pytest.mark.parametrize("text_format", [TEXT, OPENMETRICS], ids=["text", "openmetrics"])
@pytest.mark.parametrize(
    "sender", ["aigw-cumulative", "aigw-delta", "sdk-grpc-cumulative", "sdk-grpc-delta", "sdk-http-delta"]
)
def test_golden_of_captures(sender: str, text_format: Format) -> None:
    """What a real sender's bytes look like in a scrape has changed without anyone meaning to."""
    store = Store(NOW)
    for file in sorted(_CAPTURES.glob(f"{sender}-metrics-*.pb")):
        store.export(file.read_bytes(), NOW)
    golden = _GOLDEN / f"{sender}-{'openmetrics' if text_format.openmetrics else 'text'}.txt"
    rendered = _rendered(store, text_format)
    if os.environ.get(_REGENERATE):
        golden.write_bytes(rendered)
    assert golden.read_bytes() == rendered
