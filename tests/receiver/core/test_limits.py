"""A flood of new label values, long values or streams is bounded, and harms nothing that was known before."""

import pytest

import otlp_messages as otlp
from aigw_receiver.core import exposition
from aigw_receiver.core.limits import LabelValues, Limits
from aigw_receiver.core.model import DropReason, FoldReason, Outcome, PointError
from aigw_receiver.core.store import Store
from otlp_messages import CUMULATIVE, INTERVAL, NOW

_MODEL = "gen_ai.request.model"


def _shown(store: Store, *names: str) -> dict[str, float]:
    return otlp.samples(b"".join(exposition.render(store, exposition.TEXT, None)).decode(), *names)


def test_known_models_stay_unharmed_by_a_flood() -> None:
    """A client that invents model names takes known models out of the metrics, or adds to their counts."""
    store = Store(NOW, limits=Limits(label_values=3))
    known = [otlp.number(at, {_MODEL: f"known-{at}"}) for at in (1, 2, 3)]
    store.export(otlp.export(otlp.counter(*known)), NOW)
    later: otlp.Interval = {"start": NOW, "time": NOW + INTERVAL}
    flood = [otlp.number(10, {_MODEL: f"flood-{at}"}, **later) for at in range(100)]
    again = [otlp.number(at, {_MODEL: f"known-{at}"}, **later) for at in (1, 2, 3)]
    outcome = store.export(otlp.export(otlp.counter(*flood, *again)), NOW + INTERVAL)
    assert ({}, {FoldReason.TOO_MANY_LABEL_VALUES: 100}, 103) == (outcome.rejected, outcome.folded, outcome.accepted)
    expected = {f'mcp_method_count_total{{gen_ai_request_model="known-{at}"}}': 2.0 * at for at in (1, 2, 3)}
    expected['mcp_method_count_total{gen_ai_request_model="other"}'] = 1000.0
    assert expected == _shown(store, "mcp_method_count_total")


@pytest.mark.parametrize("temporality", [otlp.DELTA, CUMULATIVE])
def test_other_has_the_exact_sum_of_what_was_folded(temporality: otlp.Temporality) -> None:
    """Folded streams overwrite each other under `other`, or are counted twice when they come again."""
    store = Store(NOW - INTERVAL, limits=Limits(label_values=1))
    cumulative = temporality is CUMULATIVE
    for interval in range(4):
        start = NOW if cumulative else NOW + interval * INTERVAL
        time = NOW + (interval + 1) * INTERVAL
        points = [
            otlp.buckets((interval + 1, at, 0), at * 0.5, {_MODEL: f"m{at}"}, start=start, time=time)
            for at in range(20)
        ]
        body = otlp.export(otlp.histogram(*points, temporality=temporality))
        for copy in range(2):
            outcome = store.export(body, time + copy)
            assert ({}, 20, 20 * copy) == (outcome.rejected, outcome.accepted, outcome.duplicates)
    # 19 of 20 models are folded; their first bucket has 1, 2, 3, 4 in the four intervals, their second its number.
    one, first, second, total = (4, 19 * 4, 190, 95.0) if cumulative else (10, 19 * 10, 190 * 4, 95.0 * 4)
    name, model, other = "gen_ai_client_token_usage", 'gen_ai_request_model="m0"', 'gen_ai_request_model="other"'
    assert {
        **{f'{name}_bucket{{{model},le="{le}"}}': float(one) for le in ("1", "4", "+Inf")},
        f"{name}_sum{{{model}}}": 0.0,
        f'{name}_bucket{{{other},le="1"}}': float(first),
        **{f'{name}_bucket{{{other},le="{le}"}}': float(first + second) for le in ("4", "+Inf")},
        f"{name}_sum{{{other}}}": total,
    } == _shown(store, f"{name}_bucket", f"{name}_sum")


def test_limit_is_for_each_gateway_and_label() -> None:
    """The models of one gateway use up the room of another, or one label that of another label."""
    store = Store(NOW, limits=Limits(label_values=2))
    for gateway in ("one", "two"):
        points = [otlp.number(1, {"a": f"{gateway}{at}", "b": f"{gateway}{at}"}) for at in range(2)]
        outcome = store.export(otlp.export(otlp.counter(*points), resource=otlp.pod("p", gateway)), NOW)
        assert {} == outcome.folded
    point = otlp.number(1, {"a": "new", "b": "one0"})
    outcome = store.export(otlp.export(otlp.counter(point), resource=otlp.pod("q", "one")), NOW)
    assert {FoldReason.TOO_MANY_LABEL_VALUES: 1} == outcome.folded
    assert {"too_many_label_values": "mcp.method.count: a"} == outcome.examples


def test_too_long_values() -> None:
    """A label value of any length is kept, or two long values become two series."""
    store = Store(NOW, limits=Limits(label_length=5))
    values = ("12345", "ÄÖÜßé", "123456", "x" * 100_000)
    points = [otlp.number(at + 1, {_MODEL: value}) for at, value in enumerate(values)]
    outcome = store.export(otlp.export(otlp.counter(*points)), NOW)
    assert ({}, {FoldReason.LABEL_VALUE_TOO_LONG: 2}) == (outcome.rejected, outcome.folded)
    assert {
        'mcp_method_count_total{gen_ai_request_model="12345"}': 1.0,
        'mcp_method_count_total{gen_ai_request_model="ÄÖÜßé"}': 2.0,
        'mcp_method_count_total{gen_ai_request_model="other"}': 7.0,
    } == _shown(store, "mcp_method_count_total")


def test_a_model_that_is_called_other() -> None:
    """A real value `other` and what was folded into it take counts from each other."""
    store = Store(NOW, limits=Limits(label_length=5))
    for at in range(3):
        points = [
            otlp.number(value, {_MODEL: model}, start=NOW + at * INTERVAL, time=NOW + (at + 1) * INTERVAL)
            for value, model in ((1, "other"), (10, "too long"), (100, "longer still"))
        ]
        store.export(otlp.export(otlp.counter(*points)), NOW)
    assert {'mcp_method_count_total{gen_ai_request_model="other"}': 333.0} == _shown(store, "mcp_method_count_total")


@pytest.mark.parametrize(
    ("limits", "sent", "streams"),
    [(Limits(streams_per_pod=5), 8, (5, 5)), (Limits(streams=7), 5, (5, 2)), (Limits(streams=3), 8, (3, 0))],
)
def test_stream_limit(limits: Limits, sent: int, streams: tuple[int, int]) -> None:
    """One pod makes the receiver hold streams without bound, or streams over the limit harm those that are held."""
    store = Store(NOW, limits=limits)
    for pod, held in zip(("one", "two"), streams, strict=True):
        body = otlp.export(otlp.counter(*(otlp.number(1, {"n": at}) for at in range(sent))), resource=otlp.pod(pod))
        outcome = store.export(body, NOW)
        refused = {DropReason.STREAM_LIMIT: sent - held} if sent > held else {}
        assert (refused, held) == (outcome.rejected, outcome.accepted)
        again = store.export(body, NOW)
        assert (refused, held, held) == (again.rejected, again.accepted, again.duplicates)
    assert sum(streams) == store.census.streams
    text = b"".join(exposition.render(store, exposition.TEXT, None)).decode()
    assert sum(streams) == len(otlp.samples(text, "mcp_method_count_total", with_identity=True))


def test_too_many_labels() -> None:
    """A data point with any number of labels is taken, or one that has as many as are allowed is refused."""
    store = Store(NOW, limits=Limits(labels=3))
    fits, over = ({f"k{at}": "v" for at in range(number)} for number in (3, 4))
    outcome = store.export(otlp.export(otlp.counter(otlp.number(1, fits), otlp.number(2, over))), NOW)
    assert ({DropReason.TOO_MANY_LABELS: 1}, 1) == (outcome.rejected, outcome.accepted)
    assert {"too_many_labels": "mcp.method.count"} == outcome.examples


def test_too_many_pods() -> None:
    """Any number of resources is remembered, or a known pod is refused because there are too many others."""
    store = Store(NOW, limits=Limits(pods=2))
    body = {
        name: otlp.export(otlp.counter(otlp.number(1)), resource=otlp.pod(name)) for name in ("one", "two", "three")
    }
    assert {} == store.export(body["one"], NOW).rejected
    assert {} == store.export(body["two"], NOW).rejected
    assert {DropReason.RESOURCE_LIMIT: 1} == store.export(body["three"], NOW).rejected
    assert 1 == store.export(body["one"], NOW).duplicates


def test_label_names_are_bounded_too() -> None:
    """A sender that invents label names fills the memory."""
    values = LabelValues()
    outcome = Outcome()
    for at in range(50):
        values.fold({f"k{at}": "v"}, Limits(label_values=10), outcome, "metric")
    assert {FoldReason.TOO_MANY_LABEL_VALUES: 40} == outcome.folded
    assert 10 == len(values.state())


def test_state_of_label_values() -> None:
    """After a restart values that were known are folded, or new ones are not."""
    first, second, limits = LabelValues(), LabelValues(), Limits(label_values=2)
    for value in ("x", "y"):
        first.fold({"a": value}, limits, Outcome(), "metric")
    second.restore(first.state())
    for value, shown in (("x", "x"), ("z", "other")):
        labels = {"a": value}
        assert (value != shown) == second.fold(labels, limits, Outcome(), "metric")
        assert {"a": shown} == labels


def test_too_many_labels_name_their_reason() -> None:
    """The refusal of a point with too many labels has another reason."""
    with pytest.raises(PointError) as error:
        LabelValues().fold({"a": "", "b": ""}, Limits(labels=1), Outcome(), "metric")
    assert DropReason.TOO_MANY_LABELS is error.value.reason
