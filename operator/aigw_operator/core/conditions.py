"""What is true of one Gateway, as the conditions of its ancestor entry: a status, a reason, and what to do about it.

Nothing here is remembered: each condition is read off the cluster as it is now. A message names no time that would move
while nothing happens, since each change of it is a write.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from aigw_operator.core import env, gateway_config, moments, rollout, wiring
from aigw_operator.core.actions import Step
from aigw_operator.core.effective import Effective
from aigw_operator.core.model import Condition, Gateway, Moment, Pod, Raw, Source
from aigw_operator.core.note import Note
from aigw_operator.core.snapshot import Snapshot

ACCEPTED: Final = "Accepted"
INJECTED: Final = "Injected"
WIRED: Final = "AccessLogsWired"
PRICED: Final = "CostsConfigured"
RECEIVED: Final = "TelemetryReceived"

KEY_CONFLICT: Final = "KeyConflict"
"""The reason of costs.merge_costs, the one note on a GatewayConfig that is not about its environment."""

# How many export intervals may pass before a pod counts as silent: as the receiver itself has it.
_MISSED_INTERVALS: Final = 3

# The shortest silence that counts (seconds), so that a slow poll of the receiver does not make a pod silent.
_SHORTEST_SILENCE: Final = 45.0


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """How far the parts of a Gateway's wiring are, and what the API server refused, if it did."""

    effective: Effective
    config: Step
    access_logs: Step
    failure: str = ""
    before: Mapping[str, Raw] = dataclasses.field(default_factory=dict)
    """the conditions that stand in the policy's status, by type"""


def look(
    snapshot: Snapshot,
    gateway: Gateway,
    decide: Callable[[Gateway], Effective],
    now: Moment,
    *,
    failure: str = "",
    before: Mapping[str, Raw] | None = None,
) -> Progress:
    """How far a Gateway is, by the plans that would carry it on."""
    return Progress(
        decide(gateway),
        gateway_config.plan(snapshot, gateway, decide, now),
        wiring.plan(snapshot, gateway, decide, now),
        failure,
        before or {},
    )


def _condition(kind: str, status: str, note: Note) -> Condition:
    return Condition(kind, status, note.reason, note.message)


def accepted(effective: Effective) -> Condition:
    """Whether the policy holds for this Gateway."""
    return _condition(ACCEPTED, str(effective.accepted), effective.note)


def describe(snapshot: Snapshot, gateway: Gateway, progress: Progress, now: float) -> tuple[Condition, ...]:
    """All conditions of a Gateway, for the policy that governs it."""
    first = accepted(progress.effective)
    if not progress.effective.accepted:
        return (first,)
    return (
        first,
        _injected(snapshot, gateway, progress),
        _wired(gateway, progress),
        _priced(snapshot, progress),
        _received(snapshot, gateway, progress, now),
    )


def _blocked(step: Step, progress: Progress) -> Note | None:
    """Why a part of the wiring is not what it shall be; None where it is."""
    policy = progress.effective.policy
    if policy is not None and policy.preview:
        return Note("Preview", "the policy has mode: Preview; status.preview shows what would be written")
    if progress.failure and (step.actions or step.held):
        return Note("WriteFailed", f"{progress.failure}; it is tried again")
    if step.problem is not None:
        return step.problem
    if step.held:
        return Note("Held", "another Gateway that shares its configuration is held as it is")
    if step.actions:
        return Note("Pending", f"next: {step.actions[0].why}")
    return None


def _injected(snapshot: Snapshot, gateway: Gateway, progress: Progress) -> Condition:
    """Whether the live pods carry exactly the env that the GatewayConfig holds."""
    if blocked := _blocked(progress.config, progress):
        return _condition(INJECTED, "False", blocked)
    config = gateway_config.live_config(snapshot, gateway)
    if config is None:
        return _condition(INJECTED, "False", Note("Pending", "its GatewayConfig is not there yet"))
    pods = rollout.pods_of(snapshot, gateway)
    if not pods:
        return _condition(INJECTED, "Unknown", Note("NoPods", "the Gateway has no Envoy pods yet"))
    with_sidecar = [pod for pod in pods if pod.env is not None]
    if not with_sidecar:
        message = (
            f"none of its {len(pods)} pods has the container ai-gateway-extproc: no AIGatewayRoute or MCPRoute refers "
            "to this Gateway, or AI Gateway's webhook did not see the pods"
        )
        return _condition(INJECTED, "False", Note("NoSidecar", message))
    notes = tuple(note for note in progress.config.notes if note.reason != KEY_CONFLICT)
    return _carried(with_sidecar, gateway_config.env_of(config), notes)


def _carried(pods: Sequence[Pod], config_env: tuple[Raw, ...], notes: tuple[Note, ...]) -> Condition:
    found = [env.check_pod(pod.env or (), config_env) for pod in pods]
    lacking = [note for note in found if note is not None]
    count = f"{len(pods) - len(lacking)} of {len(pods)} live pods carry this environment"
    if not lacking:
        message = "; ".join([count, *(note.message for note in notes)])
        return _condition(INJECTED, "True", Note(notes[0].reason if notes else "Injected", message))
    worst = next((note for note in lacking if note.reason == rollout.GLOBAL_ORDER), None)
    if worst is not None:
        return _condition(INJECTED, "False", Note(worst.reason, f"{count}; {worst.message}"))
    return _condition(INJECTED, "False", Note("RollingOut", f"{count}; the others are to be replaced"))


def _wired(gateway: Gateway, progress: Progress) -> Condition:
    if blocked := _blocked(progress.access_logs, progress):
        return _condition(WIRED, "False", blocked)
    endpoint = progress.effective.access_logs
    if progress.access_logs.recheck_after is not None or gateway.parameters is None or endpoint is None:
        return _condition(WIRED, "False", Note("Pending", "waiting for Envoy Gateway to see what was written"))
    message = f"EnvoyProxy {gateway.parameters.name} sends them to {endpoint.host}:{endpoint.port}"
    return _condition(WIRED, "True", Note("Wired", message))


def _priced(snapshot: Snapshot, progress: Progress) -> Condition:
    if progress.effective.access_logs is None:
        return _condition(
            PRICED, "False", Note("Disabled", "the policy asks for no access logs, which alone need them")
        )
    if snapshot.capabilities.gateway_config and not snapshot.capabilities.global_costs:
        message = (
            "this AI Gateway (before v0.6) has no globalLLMRequestCosts; for tokens in access logs, put "
            "llmRequestCosts into each AIGatewayRoute"
        )
        return _condition(PRICED, "False", Note("Unsupported", message))
    if blocked := _blocked(progress.config, progress):
        return _condition(PRICED, "False", blocked)
    for note in progress.config.notes:
        if note.reason == KEY_CONFLICT:
            return _condition(PRICED, "False", note)
    return _condition(
        PRICED, "True", Note("Configured", "the token keys that access logs need are in the GatewayConfig")
    )


def _received(snapshot: Snapshot, gateway: Gateway, progress: Progress, now: float) -> Condition:
    """Whether the receiver hears the live pods. Until it was asked, what was true stays: our own restart is no news."""
    effective = progress.effective
    if effective.endpoint is None or effective.endpoint.receiver is None:
        message = (
            "the policy's endpoint is not a TelemetryReceiver; whether it receives anything cannot be seen from here"
        )
        return _condition(RECEIVED, "Unknown", Note("ExternalEndpoint", message))
    sources = snapshot.sources.get(effective.endpoint.receiver)
    if sources is None and (known := progress.before.get(RECEIVED)):
        return Condition(RECEIVED, known["status"], known["reason"], known["message"])
    if sources is None or sources.error:
        detail = sources.error if sources else "not asked yet"
        message = f"the sources of TelemetryReceiver {effective.endpoint.receiver} are not known: {detail}"
        return _condition(RECEIVED, "Unknown", Note("ReceiverUnreachable", message))
    pods = {pod.name.name for pod in rollout.pods_of(snapshot, gateway)}
    entries = snapshot.heard_by_gateway.get((effective.endpoint.receiver, gateway.meta.name), ())
    heard = [source for source in entries if source.pod in pods]
    if not pods:
        return _condition(RECEIVED, "Unknown", Note("NoPods", "the Gateway has no Envoy pods yet"))
    return _heard(pods, heard, now)


def _heard(pods: set[str], heard: Sequence[Source], now: float) -> Condition:
    sending = {source.pod for source in heard if source.metrics_at is not None and not _silent(source, now)}
    logging = sum(source.logs_at is not None for source in heard)
    logs = f"access logs from {logging} of {len(pods)}" if logging else "no access logs yet"
    message = f"metrics from {len(sending)} of {len(pods)} pods, {logs}"
    if len(sending) == len(pods):
        return _condition(RECEIVED, "True", Note("Receiving", message))
    latest = max((source.metrics_at for source in heard if source.metrics_at is not None), default=None)
    if sending:
        silent = ", ".join(sorted(pods - sending)[:3])
        return _condition(RECEIVED, "False", Note("SomePodsSilent", f"{message}; silent: {silent}"))
    if latest is not None:
        return _condition(RECEIVED, "False", Note("Silent", f"{message}; last export at {moments.text(latest)}"))
    message += "; see Injected, and whether a NetworkPolicy keeps the pods from the receiver"
    return _condition(RECEIVED, "False", Note("NoExports", message))


def _silent(source: Source, now: float) -> bool:
    allowed = max(_MISSED_INTERVALS * source.interval, _SHORTEST_SILENCE)
    return source.metrics_at is None or now - source.metrics_at > allowed
