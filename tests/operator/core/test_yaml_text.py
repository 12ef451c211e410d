"""JSON data that is written as YAML is read back by a real YAML parser as the very same data."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aigw_operator.core import yaml_text

_TEXT = st.text(max_size=40)
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXT
_LISTS: st.SearchStrategy[Any] = st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=4), max_leaves=8)
_JSON: st.SearchStrategy[Any] = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4), max_leaves=12
)
_WORDS = st.from_regex(r"[a-z]{2,4}_[a-z0-9]{1,4}", fullmatch=True)
_BLOCKS: st.SearchStrategy[Any] = st.dictionaries(
    _WORDS, _LISTS | st.dictionaries(_WORDS, _LISTS | st.dictionaries(_WORDS, _LISTS, max_size=3), max_size=3)
)


@given(_JSON)
def test_flow(value: Any) -> None:
    """A value of a user is another one in the object that is applied."""
    assert [value, 1] == yaml.safe_load(f"[{yaml_text.flow(value)}, 1]")
    assert {"a": value, "b": 1} == yaml.safe_load(f"a: {yaml_text.flow(value)}\nb: 1\n")


@given(_BLOCKS)
def test_block(value: dict[str, Any]) -> None:
    """The receiver reads another configuration than the one that was checked."""
    assert value == (yaml.safe_load(yaml_text.block(value)) or {})


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-7, "1.0e-07"), (1e16, "1.0e+16"), (1.5e300, "1.5e+300"), ("\x85", '"\\u0085"'), ({"a": [1]}, '{"a": [1]}')],
)
def test_what_json_and_yaml_spell_differently(value: Any, text: str) -> None:
    """A number becomes text, or a character ends a line."""
    assert text == yaml_text.flow(value)


def test_no_json() -> None:
    """What is no JSON is written as if it were."""
    with pytest.raises(TypeError, match="not JSON"):
        yaml_text.flow({1, 2})
