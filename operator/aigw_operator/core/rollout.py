"""Whether Envoy's pods must be rolled for their external processor to get its environment, and whether they were.

AI Gateway injects the environment when a pod is created. From v1.1 on it rolls the pods itself when the GatewayConfig's
spec changes; before that nobody does. What is installed shows on the Deployment, so no version is asked for.
"""

from typing import Final

from aigw_operator.core import actions, env, moments, record
from aigw_operator.core.actions import Step
from aigw_operator.core.model import DEPLOYMENT, Deployment, Gateway, Moment, ObjectKey, Pod, Raw
from aigw_operator.core.snapshot import Snapshot

# Set by AI Gateway ≥ v1.1 on the pod template: a hash of all that it injects.
_ROLLS_BY_ITSELF: Final = "aigateway.envoyproxy.io/extproc-config-hash"

# What kubectl rollout restart sets on a pod template.
_RESTARTED_AT: Final = "kubectl.kubernetes.io/restartedAt"

# How long AI Gateway ≥ v1.1 is given to roll the pods (seconds): one Gateway took up to 8.4 s while another rollout was
# on, and with hundreds at once they wait for each other. Too short, and pods are rolled twice.
GRACE: Final = 60.0

# The reason of env.check_pod for a pod that has the environment in an order in which references do not resolve.
GLOBAL_ORDER: Final = "GlobalEnvOrder"


def pods_of(snapshot: Snapshot, gateway: Gateway) -> list[Pod]:
    """The Gateway's live Envoy pods: those that are not on their way out."""
    return sorted(
        (pod for pod in snapshot.pods_by_gateway.get(gateway.meta.name, ()) if not pod.deleting),
        key=lambda pod: pod.name,
    )


def deployment_of(snapshot: Snapshot, gateway: Gateway) -> Deployment | None:
    """The Deployment of the Gateway's Envoy pods."""
    return next(iter(snapshot.deployments_by_gateway.get(gateway.meta.name, ())), None)


def plan(snapshot: Snapshot, gateway: Gateway, config_env: tuple[Raw, ...], since: str, now: Moment) -> Step:
    """Roll the pods, once for each environment, where they lack it and AI Gateway does not roll them itself.

    `since` is when the environment was written. A pod that has it in the wrong order is not helped by another roll.
    """
    deployment = deployment_of(snapshot, gateway)
    if deployment is None or not _lacking(snapshot, gateway, config_env):
        return Step()
    wanted = env.env_hash(config_env)
    if deployment.template_annotations.get(record.ENV_HASH) == wanted or deployment.rolling:
        return Step(recheck_after=10.0)
    if _by_itself(deployment) and moments.age(since, now.seconds) < GRACE:
        return Step(recheck_after=5.0)
    return Step(_annotate(deployment, {record.ENV_HASH: wanted}, why="roll the pods, which lack the environment"))


def undo(snapshot: Snapshot, gateway: Gateway, config_env: tuple[Raw, ...], since: str, now: Moment) -> Step:
    """Roll the pods once more after an undo, where they still carry our environment; take our mark off the template."""
    deployment = deployment_of(snapshot, gateway)
    if deployment is None:
        return Step()
    if record.ENV_HASH in deployment.template_annotations:
        return Step(_annotate(deployment, {record.ENV_HASH: None}, why="roll the pods without our environment"))
    if not since or not lingers(snapshot, gateway, config_env):
        return Step()
    if deployment.rolling or (_by_itself(deployment) and moments.age(since, now.seconds) < GRACE):
        return Step(recheck_after=5.0)
    if deployment.template_annotations.get(_RESTARTED_AT, "") >= since:
        return Step(recheck_after=10.0)
    return Step(
        _annotate(deployment, {_RESTARTED_AT: now.text}, why="roll the pods, which still carry our environment")
    )


def lingers(snapshot: Snapshot, gateway: Gateway, config_env: tuple[Raw, ...]) -> bool:
    """Whether a live pod carries another environment than its GatewayConfig holds."""
    return bool(_lacking(snapshot, gateway, config_env))


def _lacking(snapshot: Snapshot, gateway: Gateway, config_env: tuple[Raw, ...]) -> list[Pod]:
    """The live pods whose environment another roll would put right."""
    return [
        pod
        for pod in pods_of(snapshot, gateway)
        if pod.env is not None
        and (note := env.check_pod(pod.env, config_env)) is not None
        and note.reason != GLOBAL_ORDER
    ]


def _by_itself(deployment: Deployment) -> bool:
    return _ROLLS_BY_ITSELF in deployment.template_annotations


def _annotate(deployment: Deployment, changes: dict[str, str | None], *, why: str) -> tuple[actions.Patch, ...]:
    metadata = {"resourceVersion": deployment.meta.resource_version}
    body = {"metadata": metadata, "spec": {"template": {"metadata": {"annotations": changes}}}}
    return (actions.Patch(ObjectKey(DEPLOYMENT, deployment.meta.name), "apps/v1", body, why),)
