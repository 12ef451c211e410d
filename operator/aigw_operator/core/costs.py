"""GatewayConfig's `globalLLMRequestCosts`: the token counts that access logs need, added and taken out again.

AI Gateway puts into the dynamic metadata of a request, from where access logs read them, only counts that some cost
asks for. Since v0.6 costs can be given for a whole Gateway. Nothing here says which field of a log shows which count.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aigw_operator.core.model import Raw
from aigw_operator.core.note import Note

# spec.globalLLMRequestCosts: a list-map by metadataKey (api/v1beta1 LLMRequestCost):
#   {metadataKey, type: InputToken | CachedInputToken | … | CEL, cel: expression, with type CEL only}

TOKEN_KEYS: Final[Mapping[str, str]] = {
    "InputToken": "llm_input_token",
    "CachedInputToken": "llm_cached_input_token",
    "CacheCreationInputToken": "llm_cache_creation_input_token",
    "OutputToken": "llm_output_token",
    "TotalToken": "llm_total_token",
    "ReasoningToken": "llm_reasoning_token",
}
"""The key in the dynamic metadata by type of count; the keys are those of AI Gateway's own access-log example."""


@dataclasses.dataclass(frozen=True, slots=True)
class CostMerge:
    """The list as it shall be, and the note on what is ours in it ({}: nothing)."""

    costs: tuple[Raw, ...]
    record: Raw
    notes: tuple[Note, ...] = ()


def merge_costs(live: Sequence[Raw], record: Raw | None = None) -> CostMerge:
    """The list with every token count in it; `record` is the note that stands on the object, if any."""
    ours = _ours(live, record or {})
    users = {cost["metadataKey"]: cost for cost in live if cost["metadataKey"] not in ours}
    present = {cost["metadataKey"] for cost in live}
    added = [{"metadataKey": key, "type": kind} for kind, key in TOKEN_KEYS.items() if key not in present]
    costs = (*live, *added)
    entries = [dict(cost) for cost in costs if cost["metadataKey"] not in users]
    differing = [key for kind, key in TOKEN_KEYS.items() if key in users and users[key].get("type") != kind]
    return CostMerge(costs, {"entries": entries} if entries else {}, _conflict(differing))


def undo_costs(live: Sequence[Raw], record: Raw) -> tuple[Raw, ...]:
    """The list without what is still exactly ours."""
    ours = _ours(live, record)
    return tuple(cost for cost in live if cost["metadataKey"] not in ours)


def _ours(live: Sequence[Raw], record: Raw) -> set[str]:
    """The keys whose entries are as we noted them; a note that somebody has spoiled claims nothing."""
    noted: Any = record.get("entries")
    entries = [dict(entry) for entry in noted if isinstance(entry, Mapping)] if isinstance(noted, list | tuple) else []
    return {cost["metadataKey"] for cost in live if dict(cost) in entries}


def _conflict(keys: Sequence[str]) -> tuple[Note, ...]:
    if not keys:
        return ()
    message = (
        f"globalLLMRequestCosts of the GatewayConfig counts something else as {', '.join(keys)}, which stays; "
        "access logs show that in place of tokens: give it another metadataKey"
    )
    return (Note("KeyConflict", message),)
