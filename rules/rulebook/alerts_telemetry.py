"""Alerts about telemetry that is lost on its way from the gateways through the receivers to where it is kept."""

from collections.abc import Iterator
from typing import Final

from rulebook import meters
from rulebook.alerts_traffic import within
from rulebook.model import IDENTITY, Alert, Group, Record

_AT: Final = "{{ $labels.gateway_namespace }}/{{ $labels.gateway_name }}"
_POD: Final = "Receiver {{ $labels.namespace }}/{{ $labels.pod }}"
_BY: Final = ", ".join(IDENTITY)
_RATIO: Final = "aigw_telemetry_completeness_ratio"
_COMPLETENESS: Final = "gateway:aigw_telemetry_completeness:ratio"


def _completeness() -> Record:
    """By gateway and check, each model by its requests: one lost request of a rare model is no loss of all."""
    # What the side that knows more has counted; a side that is not there has no series.
    weight = f"on ({_BY}, model) group_left max by ({_BY}, model) (aigw_telemetry_requests)"
    by_model = f'{_RATIO}{{check=~"access_logs|metrics"}}'
    return Record(
        _COMPLETENESS,
        f"sum by ({_BY}, check) ({by_model} * {weight})\n  / (sum by ({_BY}, check) ({by_model} ^ 0 * {weight}) > 0)",
    )


def _gateways() -> Iterator[Alert]:
    count = meters.name(f"{meters.REQUEST}_count", meters.PER_MINUTE, False)
    yield Alert(
        name="AigwTelemetryIncomplete",
        expr=f"{_COMPLETENESS} < @{{completeness}} and {_COMPLETENESS} > 0",
        severity="warning",
        summary=f"Telemetry of gateway {_AT} is lost on its way",
        description="Of the last hour's requests {{ $value | humanizePercentage }} are in the {{ $labels.check }}.",
        wait="15m",
    )
    yield Alert(
        name="AigwAccessLogsMissing",
        expr=f'{_COMPLETENESS}{{check="access_logs"}} == 0',
        severity="warning",
        summary=f"No access log of gateway {_AT} arrives",
        description="Its metrics show requests of the last hour, but none of them is in the access logs.",
        wait="15m",
    )
    yield Alert(
        name="AigwGatewaySilent",
        expr=f'{_COMPLETENESS}{{check="metrics"}} == 0',
        severity="critical",
        summary=f"Gateway {_AT} has traffic, but sends no metrics",
        description="Its access logs show requests of the last hour, but none of them is in the metrics.",
        wait="10m",
    )
    yield Alert(
        name="AigwGatewayLost",
        # Where no receiver is there, that is the news.
        expr=(f"{within(count, '1h')} >= @{{minRequests}}\nunless {count}\nand on () count(aigw_receiver_streams) > 0"),
        severity="warning",
        summary=f"Gateway {_AT} was there, and sends nothing any more",
        description='It had {{ $value | printf "%.0f" }} requests in the last hour; now no pod of it sends metrics.',
        wait="10m",
    )


def _receivers() -> Iterator[Alert]:
    yield Alert(
        name="AigwReceiverRefusesPoints",
        expr="sum by (namespace, pod, reason) (rate(aigw_receiver_points_rejected_total[10m])) > 0",
        severity="warning",
        summary=f"{_POD} refuses data points",
        description="The reason is {{ $labels.reason }}, so the series of some Gateways are not whole.",
        wait="15m",
    )
    yield Alert(
        name="AigwReceiverRefusesRecords",
        expr="sum by (namespace, pod, reason) (rate(aigw_receiver_log_records_rejected_total[10m])) > 0",
        severity="warning",
        summary=f"{_POD} refuses log records",
        description="The reason is {{ $labels.reason }}.",
        wait="15m",
    )
    yield Alert(
        name="AigwReceiverRefusesRequests",
        # What is not served, such as traces, is refused by design.
        expr=(
            "sum by (namespace, pod, transport, result) "
            '(rate(aigw_receiver_requests_total{result!~"success|partial|unimplemented|404|405"}[10m])) > 0'
        ),
        severity="warning",
        summary=f"{_POD} refuses whole exports",
        description="They come over {{ $labels.transport }} and are answered with {{ $labels.result }}.",
        wait="15m",
    )
    yield Alert(
        name="AigwReceiverLosesAccessLogs",
        expr=(
            'sum by (namespace, pod, sink, result) (rate(aigw_receiver_sink_records_total{result!="written"}[10m])) > 0'
        ),
        severity="warning",
        summary=f"{_POD} loses access logs that it has kept",
        description="The sink {{ $labels.sink }} says {{ $labels.result }}.",
        wait="5m",
    )


def groups() -> tuple[Group, ...]:
    """All of them."""
    return (Group("aigw-alerts-telemetry", (_completeness(), *_gateways(), *_receivers())),)
