"""What to do next for a Gateway and for what is left over in its namespace; and the undo of everything.

Each plan is a pure function of the snapshot. It names the next writes only, not all of them: when they are done the
snapshot has changed, and a new plan says what comes then. A plan without writes is the end, whoever began it.
"""

import dataclasses
from collections.abc import Callable

from aigw_operator.core import actions, effective, gateway_config, record, rollout, sweep, wiring
from aigw_operator.core.actions import Plan, Step
from aigw_operator.core.effective import Effective, Verdict
from aigw_operator.core.model import Gateway, Installation, Moment, NamespacedName
from aigw_operator.core.snapshot import Snapshot


def plan_gateway(snapshot: Snapshot, name: NamespacedName, installation: Installation, now: Moment) -> Plan:
    """Wire a Gateway, or undo that: its GatewayConfig, its access logs, then its pods."""
    gateway = snapshot.gateways.get(name)
    if gateway is None or gateway.meta.deleting:
        return Plan()
    decide = decider(snapshot, installation)
    config = gateway_config.plan(snapshot, gateway, decide, now)
    if config.actions:
        return Plan(config.actions)
    access_logs = wiring.plan(snapshot, gateway, decide, now)
    if access_logs.actions:
        return Plan(access_logs.actions)
    pods = _rollout(snapshot, gateway, decide(gateway), config, now)
    waits = [step.recheck_after for step in (config, access_logs, pods) if step.recheck_after is not None]
    return Plan(pods.actions, recheck_after=min(waits, default=None))


def plan_namespace(snapshot: Snapshot, namespace: str, installation: Installation, now: Moment) -> Plan:
    """Undo and delete what is ours in a namespace and what no Gateway refers to any more."""
    step = sweep.plan(snapshot, namespace, decider(snapshot, installation), now)
    return Plan(step.actions, recheck_after=step.recheck_after)


def plan_undo(snapshot: Snapshot, installation: Installation, now: Moment) -> Plan:
    """Undo everything that is known, as if there were no policy: the next writes for all Gateways and namespaces."""
    bare = dataclasses.replace(snapshot, policies={})
    plans = [plan_gateway(bare, name, installation, now) for name in sorted(bare.gateways)]
    names = {name.namespace for name in (*bare.gateways, *bare.configs, *bare.proxies, *bare.backends)}
    plans += [plan_namespace(bare, namespace, installation, now) for namespace in sorted(names)]
    removals = tuple(
        actions.removal(key, live, why="it belongs to a receiver of ours")
        for key, live in sorted(bare.children.items())
        if record.is_ours(live.meta) and not live.meta.deleting
    )
    waits = [item.recheck_after for item in plans if item.recheck_after is not None]
    writes = tuple(action for item in plans for action in item.actions)
    # A receiver goes last, so that nothing is cut off while pods still send.
    return Plan(writes or (() if waits else removals), recheck_after=min(waits, default=None))


def decider(snapshot: Snapshot, installation: Installation) -> Callable[[Gateway], Effective]:
    """The effective policy by Gateway, each computed once."""
    known: dict[NamespacedName, Effective] = {}

    def decide(gateway: Gateway) -> Effective:
        name = gateway.meta.name
        if name not in known:
            known[name] = effective.decide(snapshot, gateway, installation)
        return known[name]

    return decide


def _rollout(snapshot: Snapshot, gateway: Gateway, decided: Effective, config: Step, now: Moment) -> Step:
    live = gateway_config.live_config(snapshot, gateway)
    if config.held or (config.problem is not None and decided.verdict is Verdict.APPLY and live is None):
        return Step()
    since = str(record.read(live.meta).get("since", "")) if live is not None else ""
    env = gateway_config.env_of(live) if live is not None else ()
    wired = live is not None and "env" in record.read(live.meta)
    if wired and decided.verdict is Verdict.APPLY and config.problem is None:
        return rollout.plan(snapshot, gateway, env, since, now)
    if wired:
        return Step()
    return rollout.undo(snapshot, gateway, env, since, now)
