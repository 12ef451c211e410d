"""Differences of JSON documents: what an API server must be told, and whether it must be told anything at all."""

import decimal
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aigw_operator.core.model import Raw

# A quantity: apimachinery, pkg/api/resource. An API server answers with another spelling of the same number.
_QUANTITY: Final = re.compile(r"([+-]?[0-9.]+)(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|[eE][+-]?[0-9]+)?")
_SUFFIXES: Final[Mapping[str, decimal.Decimal]] = {
    **{name: decimal.Decimal(1024) ** power for power, name in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
    **{
        name: decimal.Decimal(1000) ** power
        for power, name in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), -3)
    },
}


def merge_patch(live: Raw, desired: Raw) -> dict[str, Any]:
    """The smallest JSON merge patch (RFC 7386) that turns `live` into `desired`; {} where they are equal.

    Lists are replaced whole, as the RFC has it. A None in `desired` cannot be expressed, and Kubernetes has none.
    """
    patch: dict[str, Any] = {key: None for key in live if key not in desired}
    for key, value in desired.items():
        if key not in live:
            patch[key] = value
        elif isinstance(value, Mapping) and isinstance(live[key], Mapping):
            if inner := merge_patch(live[key], value):
                patch[key] = inner
            elif not value and live[key]:
                patch[key] = dict.fromkeys(live[key])
        elif live[key] != value:
            patch[key] = value
    return patch


def apply_merge_patch(live: Raw, patch: Raw) -> dict[str, Any]:
    """What an API server makes of `live` by a merge patch: RFC 7386, section 2."""
    result = dict(live)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            below = result.get(key)
            result[key] = apply_merge_patch(below if isinstance(below, Mapping) else {}, value)
        else:
            result[key] = value
    return result


def covers(live: Any, desired: Any) -> bool:
    """Whether `live` says all that `desired` says. What the API server added by itself (defaults) is no difference.

    A list must have the same length, and each item must cover its counterpart. Two texts that are the same quantity
    ("1024Mi", "1Gi") are no difference either.
    """
    # Mostly they are equal, and a comparison of whole documents costs nothing beside a walk through them.
    if live == desired:
        return True
    if isinstance(desired, Mapping):
        return isinstance(live, Mapping) and all(key in live and covers(live[key], desired[key]) for key in desired)
    if isinstance(desired, Sequence) and not isinstance(desired, str):
        if not isinstance(live, Sequence) or isinstance(live, str) or len(live) != len(desired):
            return False
        return all(covers(mine, wanted) for mine, wanted in zip(live, desired, strict=True))
    return _same_quantity(live, desired)


def _same_quantity(live: Any, desired: Any) -> bool:
    first, second = quantity(live), quantity(desired)
    return first is not None and first == second


def quantity(text: Any) -> decimal.Decimal | None:
    """The number that a Kubernetes quantity such as 1Gi, 500m or 1e3 is; None where it is none."""
    match = _QUANTITY.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    number, suffix = match[1], match[2] or ""
    try:
        if suffix[:1] in ("e", "E") and suffix[1:]:
            return decimal.Decimal(number + suffix)
        return decimal.Decimal(number) * _SUFFIXES[suffix]
    except decimal.InvalidOperation:
        return None
