"""The row of one gateway about its single requests: what access logs tell, and the way to them."""

from typing import Final

from board import panels
from board import series as of
from board.model import Kind, Link, Panel, Query, Row
from board.promql import Scope
from board.series import Family

_PAGE: Final = "${page:raw}/gateways/${namespace:percentencode}/${gateway:percentencode}/requests"
_TIMES: Final = "from=${__from:date:iso}&to=${__to:date:iso}"
_LOGS: Final = "${page:raw}/api/logs?gateway=${namespace:percentencode}/${gateway:percentencode}"

_TEXT: Final = f"""\
The receiver keeps the requests that matter: those that failed, were slow or large, and a sample of the others.

- [Kept requests of this time range]({_PAGE}?{_TIMES}) on the receiver's page: search, filters, live follow
- [The same as JSON]({_LOGS}&{_TIMES})
- [Failed ones as JSON]({_LOGS}&status=4xx,5xx,none&{_TIMES})

`page` above is the address of the receiver's port 8080, as your browser reaches it. The numbers below are of all
access logs, kept or not, and of all pods, whatever is chosen above.
"""

_OF_LOGS: Final = "From access logs: all pods, whatever is chosen above."


def link(parameter: str, label: str) -> Link:
    """From a line to the requests that it is made of."""
    return Link("Kept requests", f"{_PAGE}?{_TIMES}&{parameter}=${{__field.labels.{label}}}")


def requests(scope: Scope) -> Row:
    """Endings, statuses, backends, rules; and how complete all of it is."""
    unit = panels.REQUESTS
    found = (
        Panel("requests-links", "Single requests", _TEXT, kind=Kind.TEXT, width=24, height=6),
        panels.rates(
            *(scope, "logged-endings", "Requests by ending", of.LOGGED, "route", "ending"),
            text=_OF_LOGS,
            unit=unit,
            links=(link("ending", "ending"),),
        ),
        panels.rates(
            *(scope, "logged-statuses", "Requests by status", of.LOGGED, "status_code"),
            text=_OF_LOGS,
            unit=unit,
            links=(link("status", "status_code"),),
        ),
        panels.rates(
            *(scope, "logged-backends", "Requests by backend", of.LOGGED, "upstream"),
            text=_OF_LOGS,
            unit=unit,
            links=(link("backend", "backend"),),
        ),
        panels.rates(
            *(scope, "aborted", "Requests whose client went away", of.ABORTED, "original"),
            text=f"Nobody has counted their tokens. {_OF_LOGS}",
            unit=unit,
            links=(link("model", "gen_ai_original_model"),),
        ),
        panels.rates(
            *(scope, "decisions", "Access logs by rule and decision", of.DECIDED, "rule", "decision"),
            text=_OF_LOGS,
            links=(link("rule", "rule"),),
        ),
        panels.rates(
            scope, "over-budget", "Access logs lost to a budget", of.LOST, "rule", text="A rule would have kept them."
        ),
        *_completeness(scope),
    )
    return Row("Requests", found)


def _completeness(scope: Scope) -> tuple[Panel, ...]:
    selector = scope.selector(Family.GATEWAY)
    return (
        Panel(
            "completeness",
            "Completeness",
            "Of the last hour's requests, the share that is in the metrics, and in the access logs; the worst model.",
            panels.RATIO,
            (Query(f"min by (check) (aigw_telemetry_completeness_ratio{selector})", "{{check}}"),),
        ),
        Panel(
            "completeness-models",
            "Completeness by model",
            "By the model that was asked for.",
            panels.RATIO,
            (Query(f"min by (model, check) (aigw_telemetry_completeness_ratio{selector})", "{{model}} {{check}}"),),
        ),
        Panel(
            "completeness-requests",
            "Requests of the last hour, by both sides",
            "What a provider has answered, as metrics and as access logs count it.",
            "short",
            (Query(f"sum by (source) (aigw_telemetry_requests{selector})", "{{source}}"),),
        ),
    )
