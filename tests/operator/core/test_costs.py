"""The token counts of a GatewayConfig: what is added, what stays the user's, and the way back."""

from typing import Final

import hypothesis
import hypothesis.strategies as st
import pytest

from aigw_operator.core import costs
from aigw_operator.core.model import Raw
from strategies.profile import examples

_ALL: Final = (
    {"metadataKey": "llm_input_token", "type": "InputToken"},
    {"metadataKey": "llm_cached_input_token", "type": "CachedInputToken"},
    {"metadataKey": "llm_cache_creation_input_token", "type": "CacheCreationInputToken"},
    {"metadataKey": "llm_output_token", "type": "OutputToken"},
    {"metadataKey": "llm_total_token", "type": "TotalToken"},
    {"metadataKey": "llm_reasoning_token", "type": "ReasoningToken"},
)
_CEL: Final = {"metadataKey": "llm_total_token", "type": "CEL", "cel": "input_tokens + output_tokens"}
_OTHER: Final = {"metadataKey": "billing", "type": "TotalToken"}


@pytest.mark.parametrize(
    ("live", "added", "conflicts"),
    [
        ((), _ALL, ()),
        ((_OTHER,), _ALL, ()),
        ((_ALL[3], _OTHER, _ALL[0]), (_ALL[1], _ALL[2], _ALL[4], _ALL[5]), ()),
        ((_CEL,), (*_ALL[:4], _ALL[5]), ("llm_total_token",)),
        (
            ({"metadataKey": "llm_input_token", "type": "OutputToken"}, _CEL),
            _ALL[1:4] + _ALL[5:],
            ("llm_input_token, llm_total_token",),
        ),
        (_ALL, (), ()),
    ],
)
def test_what_is_missing_is_added(live: tuple[Raw, ...], added: tuple[Raw, ...], conflicts: tuple[str, ...]) -> None:
    """Access logs would lack a count, or a cost of the user would be lost."""
    merged = costs.merge_costs(live)
    assert (*live, *added) == merged.costs
    assert ({"entries": list(added)} if added else {}) == merged.record
    assert (("KeyConflict",) if conflicts else ()) == tuple(note.reason for note in merged.notes)
    assert all(any(keys in note.message for note in merged.notes) for keys in conflicts)


def test_what_the_user_changes_of_ours_is_theirs() -> None:
    """An edit of the user's would be reverted, or removed at the end."""
    merged = costs.merge_costs(())
    edited = (
        _CEL,
        *(cost for cost in merged.costs if cost["metadataKey"] not in ("llm_total_token", "llm_input_token")),
    )
    again = costs.merge_costs(edited, merged.record)
    assert (*edited, _ALL[0]) == again.costs
    assert ("KeyConflict",) == tuple(note.reason for note in again.notes)
    assert (_CEL,) == costs.undo_costs(again.costs, again.record)


_COSTS: Final = st.lists(
    st.sampled_from((*_ALL, _CEL, _OTHER, {"metadataKey": "llm_output_token", "type": "InputToken"})),
    unique_by=lambda cost: cost["metadataKey"],
    max_size=6,
)


@examples(200)
@hypothesis.given(live=_COSTS, edited=_COSTS)
def test_merge_and_undo(live: list[Raw], edited: list[Raw]) -> None:
    """A second look at the same list would write again, or undo would leave another list than the user's."""
    merged = costs.merge_costs(live)
    assert merged == costs.merge_costs(merged.costs, merged.record)
    assert tuple(live) == costs.undo_costs(merged.costs, merged.record)
    users = costs.undo_costs(edited, merged.record)
    again = costs.merge_costs(edited, merged.record)
    assert users == costs.undo_costs(again.costs, again.record)


@pytest.mark.parametrize("record", [{}, {"entries": None}, {"entries": ["x", 1, None, {}]}, {"entries": "x"}])
def test_a_spoiled_record_claims_nothing(record: Raw) -> None:
    """A note that somebody has edited would stop the operator, or take a cost of the user's for ours."""
    assert _ALL == costs.undo_costs(_ALL, record)


def test_keys_by_type() -> None:
    """Access logs would read keys that nobody fills."""
    assert {cost["type"]: cost["metadataKey"] for cost in _ALL} == costs.TOKEN_KEYS
