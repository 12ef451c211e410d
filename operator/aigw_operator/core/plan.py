"""The plans: what to do next, by what the queue's key names. The doors of the core; nothing is decided here."""

from aigw_operator.core.gateway_plan import plan_gateway, plan_namespace, plan_undo
from aigw_operator.core.policy_plan import plan_policy
from aigw_operator.core.receiver_plan import plan_receiver

__all__ = ["plan_gateway", "plan_namespace", "plan_policy", "plan_receiver", "plan_undo"]
