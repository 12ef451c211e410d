"""Label selectors, as Kubernetes evaluates them (its API conventions, "label selectors"). It knows no object."""

from collections.abc import Mapping

from aigw_operator.core.model import Selector


def matches(selector: Selector, labels: Mapping[str, str]) -> bool:
    """Whether an object with these labels is selected; an empty selector selects everything."""
    return all(labels.get(name) == value for name, value in selector.match_labels) and all(
        _holds(operator, labels.get(key), values) for key, operator, values in selector.match_expressions
    )


def _holds(operator: str, value: str | None, values: tuple[str, ...]) -> bool:
    match operator:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case _:
            return False
