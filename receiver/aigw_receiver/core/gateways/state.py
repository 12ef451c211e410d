"""Whether a gateway and its pods send what they should, and what to do where they do not. It decides, and has no clock.

Moments are nanoseconds since 1970, of the receiver's clock.
"""

import dataclasses
import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from aigw_receiver.core.model import Identity
from aigw_receiver.core.sources import SECOND, Expiry, Source

# An export is missed when it is late by half an interval: a sender under load is late by less.
_LATE: Final = 3, 2

_WHERE: Final = "`aigw-operator doctor` names the broken link"
_ADDRESS: Final = "port 4317 (OTLP/gRPC) or 4318 (OTLP/HTTP) of this receiver"

NO_GATEWAY: Final = (
    "No export yet: no gateway has sent metrics or access logs. In a cluster, apply a TelemetryPolicy that names your"
    f" Gateways; {_WHERE}. Elsewhere, start the gateway with OTEL_EXPORTER_OTLP_ENDPOINT set to {_ADDRESS}."
)
"""what to do where nobody was ever heard"""


class State(enum.StrEnum):
    """What a gateway or a pod does."""

    ACTIVE = "active"
    """it had requests within the window"""
    IDLE = "idle"
    """its exports arrive, but it had none"""
    SILENT = "silent"
    """an export that was due did not come"""
    LOGS_ONLY = "logs_only"
    """its access logs arrive, its metrics never did"""
    ENDED = "ended"
    """it has missed so many exports that it is taken for gone"""


class Heard(NamedTuple):
    """What is known of a pod by its exports. A signal that was not heard is None."""

    pod: str
    ended: bool
    silent: bool
    """whether an export that was due did not come"""
    last_export: int | None
    last_log: int | None
    interval: int | None
    streams: int


@dataclasses.dataclass(frozen=True, slots=True)
class Judgement:
    """A state, and what a person reads about it."""

    state: State
    reason: str


def collect(
    sources: Iterable[Source],
    expiry: Expiry,
    logs: Mapping[Identity, int],
    now: int,
    gateway: tuple[str, str] | None = None,
) -> dict[tuple[str, str], list[Heard]]:
    """The pods that are remembered, in the order of their names, by the namespace and name of their gateway.

    `logs` is when pods last sent an access log. With a `gateway` they are its pods alone.
    """
    if gateway is not None:
        sources = (source for source in sources if (source.identity.namespace, source.identity.name) == gateway)
    pods = {source.identity: _heard(source, expiry, logs.get(source.identity), now) for source in sources}
    for who, last in logs.items():
        if who not in pods and gateway in (None, (who.namespace, who.name)):
            pods[who] = Heard(who.pod, False, False, None, last, None, 0)
    gateways: dict[tuple[str, str], list[Heard]] = {}
    for who, heard in pods.items():
        gateways.setdefault((who.namespace, who.name), []).append(heard)
    for of_gateway in gateways.values():
        of_gateway.sort()
    return gateways


def _heard(source: Source, expiry: Expiry, last_log: int | None, now: int) -> Heard:
    interval = source.interval(expiry)
    late, by = _LATE
    return Heard(
        pod=source.identity.pod,
        ended=source.ended,
        silent=not source.ended and by * (now - source.quiet_since) > late * interval,
        last_export=source.last_seen,
        last_log=last_log,
        interval=interval,
        streams=source.streams,
    )


def state_of_pod(heard: Heard, *, busy: bool) -> State:
    """`busy` is whether it had requests within the window."""
    if heard.ended:
        return State.ENDED
    if heard.last_export is None:
        return State.LOGS_ONLY
    if heard.silent:
        return State.SILENT
    return State.ACTIVE if busy else State.IDLE


def judge(pods: Sequence[Heard], now: int, *, busy: bool) -> Judgement:
    """What a gateway does, by its pods that are remembered; `busy` is whether it had requests within the window."""
    exporting = [pod for pod in pods if pod.last_export is not None]
    live = [pod for pod in exporting if not pod.ended]
    late = [pod for pod in live if pod.silent]
    last_export, last_log = latest(pods)
    if live and len(late) == len(live):
        return Judgement(State.SILENT, _silent(late, now))
    if live:
        state, reason = (State.ACTIVE, _ACTIVE) if busy else (State.IDLE, _IDLE)
        return Judgement(state, reason + _some_late(len(late), len(live)))
    # Access logs of pods that send nothing else: metrics never came, or came of pods that are gone.
    newest = max((pod.last_log for pod in pods if pod.last_export is None and pod.last_log is not None), default=None)
    if newest is not None and (last_export is None or newest > last_export):
        return Judgement(State.LOGS_ONLY, _LOGS_ONLY)
    if last_export is None:
        return Judgement(State.ENDED, _UNHEARD)
    reason = f"All its pods have ended; the last export came {_ago(now - last_export)} ago."
    if last_log is not None and last_log - last_export > _LOGS_AFTER_END:
        reason += f" Access logs came since: its metrics are lost on the way, {_WHERE}."
    return Judgement(State.ENDED, f"{reason} If it should run, look at its pods in the cluster.")


# Logs come at once and metrics with the next export: a pod that ends is last heard by its logs.
_LOGS_AFTER_END: Final = 120 * SECOND

_ACTIVE: Final = "Exports arrive, with requests in this window."
_IDLE: Final = "Exports arrive; no requests in this window."
_LOGS_ONLY: Final = (
    "Access logs arrive, but no metrics. Let OTEL_EXPORTER_OTLP_ENDPOINT of the gateway's extProc name"
    f" {_ADDRESS}; in a cluster the operator does that, and {_WHERE}."
)
_UNHEARD: Final = (
    "No pod of it is remembered: nothing has come since this receiver started, or for longer than `expiry.retention`."
    f" If it should run, {_WHERE}."
)


def _silent(late: Sequence[Heard], now: int) -> str:
    newest = max(late, key=lambda pod: pod.last_export or 0)
    age, interval = now - (newest.last_export or 0), newest.interval or 0
    return (
        f"No export for {_ago(age)}, though one is due each {_ago(interval)}. If {_which(late)}, look whether this"
        f" receiver can be reached from there, and at the log of the gateway's extProc; {_WHERE}."
    )


def _which(pods: Sequence[Heard]) -> str:
    return f"pod {pods[0].pod} still runs" if len(pods) == 1 and pods[0].pod else "its pods still run"


def _some_late(late: int, live: int) -> str:
    if not late:
        return ""
    return f" {late} of {live} pods {'has' if late == 1 else 'have'} missed an export: see the pods."


def _ago(time: int) -> str:
    """A time in the unit that suits it."""
    seconds = max(0, round(time / SECOND))
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def latest(pods: Sequence[Heard]) -> tuple[int | None, int | None]:
    """When the last export and the last access log of any pod came."""
    exports = [pod.last_export for pod in pods if pod.last_export is not None]
    logs = [pod.last_log for pod in pods if pod.last_log is not None]
    return max(exports, default=None), max(logs, default=None)
