"""What the reconciliation found, as text and as JSON."""

from typing import Final

import otlp_messages as otlp
from aigw_receiver.core import completeness, naming
from aigw_receiver.core.exposition import OPENMETRICS, TEXT
from aigw_receiver.core.reconciliation import Comparison, Counts
from aigw_receiver.core.sources import SECOND
from aigw_receiver.core.store import Store
from otlp_messages import NOW

_METRICS: Final = Counts(answered=4, good=3, with_tokens=3, input=300, output=30)
_LOGS: Final = Counts(answered=3, good=2, aborted=1, with_tokens=2, input=200, output=20)
_ONE: Final = Comparison(("default", "gateway"), 'a"b', _METRICS, _LOGS, 0.75, None, 1.0, None)

_TEXT: Final = """\
# HELP aigw_telemetry_completeness_ratio Share of what is known to have been that one signal has, over the last hour.
# TYPE aigw_telemetry_completeness_ratio gauge
aigw_telemetry_completeness_ratio{check="access_logs",GATEWAY} 0.75
aigw_telemetry_completeness_ratio{check="tokens",GATEWAY} 1.0
# HELP aigw_telemetry_requests Requests that a provider answered, as metrics and as access logs count them, \
over the last hour.
# TYPE aigw_telemetry_requests gauge
aigw_telemetry_requests{GATEWAY,source="metrics"} 4.0
aigw_telemetry_requests{GATEWAY,source="access_logs"} 3.0
# HELP aigw_telemetry_tokens Tokens of requests, as metrics and as access logs count them, over the last hour.
# TYPE aigw_telemetry_tokens gauge
aigw_telemetry_tokens{GATEWAY_OF_TOKENS,gen_ai_token_type="input",model="a\\"b",source="metrics"} 300.0
aigw_telemetry_tokens{GATEWAY_OF_TOKENS,gen_ai_token_type="output",model="a\\"b",source="metrics"} 30.0
aigw_telemetry_tokens{GATEWAY_OF_TOKENS,gen_ai_token_type="input",model="a\\"b",source="access_logs"} 200.0
aigw_telemetry_tokens{GATEWAY_OF_TOKENS,gen_ai_token_type="output",model="a\\"b",source="access_logs"} 20.0
"""
_GATEWAY: Final = 'gateway_name="gateway",gateway_namespace="default"'


def test_text() -> None:
    """Ratios and both sides are not shown by gateway and model, or a ratio without a value is."""
    expected = _TEXT.replace("GATEWAY_OF_TOKENS", _GATEWAY).replace("GATEWAY", f'{_GATEWAY},model="a\\"b"')
    assert expected == b"".join(completeness.render([_ONE], TEXT)).decode()
    assert expected == b"".join(completeness.render([_ONE], OPENMETRICS)).decode()


def test_nothing_to_show() -> None:
    """Families without a series are shown."""
    assert [] == list(completeness.render([], TEXT))


def test_document() -> None:
    """The answer of the API does not have both sides and what follows from them."""
    assert {
        "now": 1_700_000_000.5,
        "since": 1_700_000_000.0,
        "window": 3600.0,
        "models": [
            {
                "gateway_namespace": "default",
                "gateway_name": "gateway",
                "model": 'a"b',
                "metrics": {"answered": 4, "good": 3, "with_tokens": 3, "input_tokens": 300, "output_tokens": 30},
                "access_logs": {
                    "answered": 3,
                    "good": 2,
                    "aborted": 1,
                    "with_tokens": 2,
                    "input_tokens": 200,
                    "output_tokens": 20,
                },
                "completeness": {"access_logs": 0.75, "tokens": 1.0},
            }
        ],
    } == completeness.as_document([_ONE], since=NOW, window=3600 * SECOND, now=NOW + SECOND // 2)


def test_names_of_ours_are_refused() -> None:
    """A metric of a sender is shown under the name of a family of ours, twice in one exposition."""
    shown = {line.split()[2] for line in _TEXT.splitlines() if line.startswith("# TYPE")}
    assert set(naming.FROM_BOTH) == shown
    store = Store(NOW - 60 * SECOND, admit=("aigw*",))
    for name in naming.FROM_BOTH:
        outcome = store.export(otlp.export(otlp.gauge(otlp.number(1), name=name)), NOW)
        assert ["type_conflict"] == [reason.value for reason in outcome.rejected]


def test_measured_by_gateway() -> None:
    """One lost request of a rare model weighs as much as the loss of all."""

    def model(name: str, answered: tuple[int, int], logs: float | None, measured: float | None) -> Comparison:
        counts = Counts(answered=answered[0]), Counts(answered=answered[1])
        return Comparison(("ns", name), "m", *counts, logs, measured, None, None)

    models = [
        model("a", (99, 99), None, 1.0),
        model("a", (0, 1), 1.0, 0.0),
        model("b", (5, 0), 0.0, None),
    ]
    assert {("ns", "a"): 0.99} == completeness.measured_by_gateway(models)
