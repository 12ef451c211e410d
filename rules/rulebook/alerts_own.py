"""Alerts about the receivers and the operator themselves.

There is none about certificates: neither of the two has one of its own.
"""

from collections.abc import Iterator
from typing import Final

from rulebook.model import Alert, Group

_POD: Final = "{{ $labels.namespace }}/{{ $labels.pod }}"
_RECEIVER: Final = f"Receiver {_POD}"
_BYTES: Final = "{{ $value | humanize1024 }}B"


def _receivers() -> Iterator[Alert]:
    yield Alert(
        name="AigwReceiverDown",
        expr=(
            "count by (namespace, pod) (max_over_time(aigw_receiver_streams[1h]))\n"
            "unless count by (namespace, pod) (aigw_receiver_streams)"
        ),
        severity="critical",
        summary=f"{_RECEIVER} is gone",
        description="It was scraped within the last hour and is no more; its gateways' numbers stand still.",
        wait="5m",
    )
    yield Alert(
        name="AigwReceiverQueueFull",
        expr="max by (namespace, pod, sink) (aigw_receiver_sink_queue_size_bytes) > @{queueBytes}",
        severity="warning",
        summary=f"The queue of receiver {_POD} to {{{{ $labels.sink }}}} is nearly full",
        description=f"{_BYTES} of access logs wait; when the queue is full, the oldest are lost.",
        wait="10m",
    )
    yield Alert(
        name="AigwReceiverJournalLarge",
        expr="max by (namespace, pod) (aigw_receiver_journal_size_bytes) > @{journalBytes}",
        severity="warning",
        summary=f"The journal of receiver {_POD} grows beyond its size",
        description=f"It has {_BYTES}: no snapshot has taken its place.",
        wait="10m",
    )
    yield Alert(
        name="AigwReceiverSnapshotsFail",
        expr='sum by (namespace, pod) (increase(aigw_receiver_snapshots_total{result="failure"}[1h])) > 0',
        severity="warning",
        summary=f"{_RECEIVER} cannot write its snapshot",
        description="The journals are kept and grow until one can be written; the receiver's log says why it cannot.",
        wait="0m",
    )
    yield Alert(
        name="AigwReceiverDiskFull",
        # The claim of pod R-0 is data-R-0.
        expr=(
            "max by (namespace, persistentvolumeclaim) (\n"
            "  kubelet_volume_stats_available_bytes / kubelet_volume_stats_capacity_bytes\n"
            ") < @{diskFree}\n"
            "and on (namespace, persistentvolumeclaim) label_replace(\n"
            '  aigw_receiver_streams, "persistentvolumeclaim", "data-$1", "pod", "(.+)"\n'
            ")"
        ),
        severity="warning",
        summary="The volume {{ $labels.namespace }}/{{ $labels.persistentvolumeclaim }} of a receiver is nearly full",
        description="{{ $value | humanizePercentage }} of it is free.",
        wait="10m",
    )
    yield Alert(
        name="AigwReceiverStoreSetAside",
        # Counted while it starts, so that its first scrape has it already: no rate would see it.
        expr=(
            "max by (namespace, pod) (aigw_receiver_store_set_aside_total) > 0\n"
            "unless max by (namespace, pod) (aigw_receiver_store_set_aside_total offset 1d) > 0"
        ),
        severity="warning",
        summary=f"{_RECEIVER} could not read its database of access logs",
        description="It has set the file aside and begun a new one: what was kept before is not found any more.",
        wait="0m",
    )
    yield Alert(
        name="AigwPriceBookRefused",
        expr="min by (namespace, pod) (aigw_receiver_price_book_current) == 0",
        severity="warning",
        summary=f"{_RECEIVER} prices tokens by an old price book",
        description="The file of the price book was refused; the receiver's log says why.",
        wait="5m",
    )


def _operator() -> Iterator[Alert]:
    yield Alert(
        name="AigwOperatorDown",
        expr=(
            "count(max_over_time(aigw_operator_last_resync_timestamp_seconds[1h]))\n"
            "unless count(aigw_operator_last_resync_timestamp_seconds)"
        ),
        severity="warning",
        summary="The operator of aigw-telemetry is gone",
        description="It was scraped within the last hour and is no more. What is wired goes on; nothing new is wired.",
        wait="10m",
    )
    yield Alert(
        name="AigwOperatorStale",
        expr="time() - max by (namespace, pod) (aigw_operator_last_resync_timestamp_seconds) > 1800",
        severity="warning",
        summary="The operator of aigw-telemetry has not listed the cluster for half an hour",
        description="What is wired goes on, but nothing new is wired. See the log of pod {{ $labels.pod }}.",
        wait="5m",
    )
    yield Alert(
        name="AigwOperatorWritesFail",
        expr='sum by (kind, result) (rate(aigw_operator_api_writes_total{result!="ok"}[10m])) > 0',
        severity="warning",
        summary="The API server refuses what the operator of aigw-telemetry writes to {{ $labels.kind }}",
        description="The answer is {{ $labels.result }}; the condition WriteFailed of the policies has the words.",
        wait="15m",
    )
    yield Alert(
        name="AigwOperatorBacklog",
        expr="max by (namespace, pod) (aigw_operator_queue_depth) > @{backlog}",
        severity="warning",
        summary="The operator of aigw-telemetry does not keep up",
        description='{{ $value | printf "%.0f" }} keys wait for it.',
        wait="15m",
    )


def groups() -> tuple[Group, ...]:
    """All of them."""
    return (Group("aigw-alerts-receivers", tuple(_receivers())), Group("aigw-alerts-operator", tuple(_operator())))
