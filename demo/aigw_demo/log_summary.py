"""The proof at the end for access logs: decisions and cost against what the driver knows it sent, line by line.

Pure: the driver's account, what was kept, and the receiver's series in, checks out.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from aigw_demo import checks as checks_of
from aigw_demo.account import Account, Span
from aigw_demo.checks import TOLERANCE, Check, check_cost, check_number, render_usd
from aigw_demo.kept import KeptLogs
from aigw_demo.series import COST, COST_MODEL_LABEL, UNPRICED, SeriesMap, sum_counters

RECORDS: Final = "aigw_access_logs_total"
SIDES: Final = ("SENT", "RECEIVED")


def build_checks(account: Account, kept: KeptLogs, series: SeriesMap) -> list[Check]:
    """Every check of a run, in the order in which they are shown."""
    by_type = [("LLM", "llm", account.llm), ("MCP", "mcp", account.mcp)]
    counts = [
        check_number("requests that got no answer", 0, account.unanswered),
        *(
            check_number(f"access logs of {name} requests", number, sum_counters(series, RECORDS, ai_route_type=kind))
            for name, kind, number in by_type
        ),
    ]
    rules = sorted({*account.rules, *kept.rules})
    spans = [
        ("kept", account.kept, sum_counters(series, RECORDS, decision="kept")),
        ("dropped", account.dropped, sum_counters(series, RECORDS, decision="dropped")),
        ("kept records in the file", account.kept, kept.count),
        *((f"kept by {rule}", account.rules.get(rule, Span()), kept.rules[rule]) for rule in rules),
    ]
    decisions = [
        Check(name, str(span), f"{number:,.0f}", passed=span.holds(round(number))) for name, span, number in spans
    ]
    models = sorted(account.cost)
    costs = [
        check_cost(f"cost of {model}", account.cost[model], sum_counters(series, COST, **{COST_MODEL_LABEL: model}))
        for model in models
    ]
    most = account.kept_cost + account.doubtful_cost
    total = sum(account.cost.values(), Decimal(0))
    return [
        *counts,
        *decisions,
        *costs,
        check_cost("cost of all models", total, sum_counters(series, COST)),
        Check(
            "cost of the kept records",
            render_usd(account.kept_cost) + (f" to {render_usd(most)}" if account.doubtful_cost else ""),
            render_usd(kept.cost),
            passed=account.kept_cost - TOLERANCE <= kept.cost <= most + TOLERANCE,
        ),
        check_number("tokens without a price", 0, sum_counters(series, UNPRICED)),
    ]


def render_checks(checks: Sequence[Check]) -> list[str]:
    """A line for each check, and the verdict."""
    passed = "decisions and cost equal what was sent"
    return checks_of.render_checks(checks, SIDES, failed="checks of access logs failed", passed=passed)
