"""How a document becomes values: by the keys that a section declares."""

import dataclasses
from typing import ClassVar

import pytest

from aigw_receiver.core import keys
from aigw_receiver.core.keys import SECOND


@dataclasses.dataclass(frozen=True, slots=True)
class _Target:
    endpoint: str = keys.key(keys.read_endpoint, None, "where to", required=True)
    headers: dict[str, str] = keys.key(keys.read_pairs, {}, "headers")


@dataclasses.dataclass(frozen=True, slots=True)
class _Inner:
    EITHER: ClassVar = ("count", "rate")

    count: int | None = keys.key(keys.read_optional_count, None, "so many")
    rate: float | None = keys.key(keys.read_rate, None, "or such a share")


@dataclasses.dataclass(frozen=True, slots=True)
class _Whole:
    time: int = keys.key(keys.read_duration, "5m", "how long")
    names: tuple[str, ...] = keys.key(keys.read_names, ("a", "b"), "which")
    inner: _Inner = dataclasses.field(default_factory=_Inner)
    targets: dict[str, _Target] = keys.named(_Target)


_TARGET = {"endpoint": "http://a:1"}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, _Whole(300 * SECOND, ("a", "b"), _Inner(None, None), {})),
        ({"inner": None, "targets": None}, _Whole()),
        ({"time": "1.5s", "names": []}, _Whole(time=1_500_000_000, names=())),
        ({"inner": {"rate": 1}}, _Whole(inner=_Inner(rate=1.0))),
        ({"inner": {"rate": None, "count": 2}}, _Whole(inner=_Inner(count=2))),
        (
            {"targets": {"a-1": _TARGET, "b": _TARGET | {"headers": {"x": "y"}}}},
            _Whole(targets={"a-1": _Target("http://a:1", {}), "b": _Target("http://a:1", {"x": "y"})}),
        ),
    ],
)
def test_values(document: object, expected: _Whole) -> None:
    """A default is lost, or a value changed on its way."""
    assert expected == keys.read_section(_Whole, "", document)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ([], "the file: expected a mapping, got []"),
        ({"inner": 1}, "inner: expected a mapping, got 1"),
        ({"inner": {"x": 1}}, "inner.x: unknown key; expected one of count, rate"),
        ({"inner": {"count": 0}}, "inner.count: expected a whole number of at least 1, or null, got 0"),
        (
            {"inner": {"count": 1, "rate": 0.5}},
            "inner: expected either count or rate, got {'count': 1, 'rate': 0.5}",
        ),
        ({"targets": {"a": {}}}, "targets.a.endpoint: required"),
        ({"targets": {"a": None}}, "targets.a.endpoint: required"),
        ({"targets": {"A": _TARGET}}, "targets: expected names of lower case letters, digits and dashes, got 'A'"),
        ({"targets": {1: _TARGET}}, "targets: expected names of lower case letters, digits and dashes, got 1"),
        (
            {"targets": {"a": {"endpoint": "a:1"}}},
            "targets.a.endpoint: expected http://HOST:PORT or https://HOST:PORT, got 'a:1'",
        ),
    ],
)
def test_refusals(document: object, expected: str) -> None:
    """A bad value is taken, or its message does not say where it stands and what belongs there."""
    with pytest.raises(ValueError, match=r".") as error:
        keys.read_section(_Whole, "", document)
    assert expected == str(error.value)


def test_defaults_are_not_shared() -> None:
    """What one configuration changes in a mapping is changed in all of them."""
    first, second = _Target("http://a:1"), _Target("http://b:1")
    first.headers["x"] = "y"
    assert {} == second.headers
