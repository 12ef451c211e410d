"""What becomes of an object that several Gateways may share: it has one content, so they must agree on it."""

import dataclasses
from collections.abc import Callable, Iterable

from aigw_operator.core.effective import Effective, Verdict
from aigw_operator.core.model import Gateway, NamespacedName


@dataclasses.dataclass(frozen=True, slots=True)
class Consensus:
    """The verdict on a shared object; `against` are the Gateways because of which it is not what this one wants."""

    verdict: Verdict
    against: tuple[NamespacedName, ...] = ()


def agree(
    gateway: Gateway,
    users: Iterable[Gateway],
    decide: Callable[[Gateway], Effective],
    wanted: Callable[[Effective], object],
) -> Consensus:
    """The verdict on an object that `gateway` and other `users` refer to.

    It is written only if all of them are to be wired and want the same in it. While one is to be held, it is held.
    Otherwise what we wrote is undone: a Gateway that no policy selects is never wired along with another one.
    """
    own = decide(gateway)
    others = [(user.meta.name, decide(user)) for user in users if user.meta.name != gateway.meta.name]
    if own.verdict is Verdict.HOLD or any(other.verdict is Verdict.HOLD for _, other in others):
        return Consensus(Verdict.HOLD, tuple(name for name, other in others if other.verdict is Verdict.HOLD))
    if own.verdict is Verdict.REMOVE:
        return Consensus(Verdict.REMOVE)
    against = tuple(
        sorted(name for name, other in others if other.verdict is Verdict.REMOVE or wanted(other) != wanted(own))
    )
    return Consensus(Verdict.REMOVE if against else Verdict.APPLY, against)


def explain(shared: str, against: tuple[NamespacedName, ...], *, own: str) -> str:
    """Why a shared object is not written, and what to do; `own` is what each Gateway could be given instead."""
    names = ", ".join(name.name for name in against)
    return (
        f"{shared} also serves {names}, for which no policy, or another one, speaks; "
        f"let one policy select them all, or give this Gateway {own} of its own"
    )
