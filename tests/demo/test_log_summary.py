"""The summary of decisions and cost: equal numbers pass, and one that differs fails the run."""

from decimal import Decimal
from pathlib import Path
from typing import Final

import pytest

from aigw_demo.account import Account, Usage, open_account
from aigw_demo.checks import Check
from aigw_demo.kept import KeptLogs
from aigw_demo.log_summary import build_checks, render_checks
from aigw_demo.series import SeriesMap, parse_exposition

SCRAPE: Final = """\
# TYPE aigw_access_logs_total counter
aigw_access_logs_total{ai_route_type="llm",decision="kept",rule="errors"} 1
aigw_access_logs_total{ai_route_type="llm",decision="kept",rule="tokens"} 1
aigw_access_logs_total{ai_route_type="llm",decision="dropped",rule="none"} 1
aigw_access_logs_total{ai_route_type="mcp",decision="dropped",rule="none"} 4
# TYPE gen_ai_estimated_cost_usd_total counter
gen_ai_estimated_cost_usd_total{gen_ai_request_model="big",gen_ai_token_type="input"} 0.125
gen_ai_estimated_cost_usd_total{gen_ai_request_model="big",gen_ai_token_type="output"} 0.00003
gen_ai_estimated_cost_usd_total{gen_ai_request_model="small",gen_ai_token_type="input"} 0.0000031
gen_ai_estimated_cost_usd_total{gen_ai_request_model="small",gen_ai_token_type="output"} 0.0000009
# TYPE gen_ai_unpriced_tokens_total counter
gen_ai_unpriced_tokens_total{gen_ai_request_model="big"} 0
"""
LINES: Final = '{"rules": "errors"}\n{"rules": "tokens", "cost_usd": 0.12503}\n'


def send_some() -> Account:
    """Three requests and an MCP session."""
    account = open_account()
    account.add_llm("small", 200, Usage(31, 0, 3), 0.1, slow=False, aborted=False)
    account.add_llm("small", 404, Usage(31, 0, 3), 0.1, slow=False, aborted=False)
    account.add_llm("big", 200, Usage(100_000, 0, 3), 0.1, slow=False, aborted=False)
    account.add_mcp("initialize", 0.1)
    return account


def check_all(
    tmp_path: Path, *, scrape: str = SCRAPE, lines: str = LINES, account: Account | None = None
) -> list[Check]:
    """The checks of a run with this scrape and these kept records."""
    path = tmp_path / "kept.jsonl"
    path.write_text(lines)
    kept = KeptLogs(path)
    kept.read()
    kept.close()
    series: SeriesMap = parse_exposition(scrape)
    return build_checks(account or send_some(), kept, series)


def test_right_numbers_pass(tmp_path: Path) -> None:
    """A summary that fails on right numbers would be useless."""
    checks = check_all(tmp_path)
    assert [] == [check for check in checks if not check.passed]
    assert "decisions and cost equal what was sent: 16 checks" == render_checks(checks)[-1]


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        ({"scrape": SCRAPE.replace('rule="none"} 4', 'rule="none"} 5')}, ["access logs of MCP requests", "dropped"]),
        (
            {"scrape": SCRAPE.replace('decision="kept",rule="errors"', 'decision="dropped",rule="errors"')},
            ["kept", "dropped"],
        ),
        ({"scrape": SCRAPE.replace("0.125", "0.12500001")}, ["cost of big", "cost of all models"]),
        (
            {"scrape": SCRAPE.replace('small",gen_ai_token_type="output"', 'big",gen_ai_token_type="reasoning"')},
            ["cost of big", "cost of small"],
        ),
        ({"scrape": SCRAPE.replace('big"} 0', 'big"} 1')}, ["tokens without a price"]),
        ({"lines": LINES.replace("tokens", "slow")}, ["kept by slow", "kept by tokens"]),
        ({"lines": LINES.replace("errors", "errors,sample")}, ["kept by sample"]),
        ({"lines": LINES + '{"rules": "errors"}\n'}, ["kept records in the file", "kept by errors"]),
        ({"lines": LINES.replace("0.12503", "0.12504")}, ["cost of the kept records"]),
    ],
    ids=["a record", "a decision", "a sum", "a model", "a price", "a rule", "a rule too many", "a line", "a cost"],
)
def test_one_wrong_number_fails(tmp_path: Path, change: dict[str, str], failed: list[str]) -> None:
    """A number that differs and is not noticed would make the summary's word worthless."""
    checks = check_all(tmp_path, **change)  # type: ignore[arg-type]
    assert failed == [check.name for check in checks if not check.passed]
    assert f"{len(failed)} of {len(checks)} checks of access logs failed" == render_checks(checks)[-1]


def test_a_request_without_an_answer_fails(tmp_path: Path) -> None:
    """Nobody would notice that the gateways broke connections."""
    account = send_some()
    account.add_unanswered()
    checks = check_all(tmp_path, account=account)
    assert ["requests that got no answer"] == [check.name for check in checks if not check.passed]


def test_what_is_in_doubt_passes_either_way(tmp_path: Path) -> None:
    """On a machine that is busy the demo would fail although every decision was right."""
    account = send_some()
    account.add_llm("small", 200, Usage(31, 0, 3), 2.5, slow=False, aborted=False)
    cost = SCRAPE.replace("0.0000031", "0.0000062").replace("0.0000009", "0.0000018")
    dropped = cost.replace('rule="none"} 1', 'rule="none"} 2')
    kept = cost.replace('rule="tokens"} 1', 'rule="tokens"} 2')
    line = '{"rules": "slow", "cost_usd": 0.000004}\n'
    assert all(check.passed for check in check_all(tmp_path, scrape=dropped, account=account))
    assert all(check.passed for check in check_all(tmp_path, scrape=kept, lines=LINES + line, account=account))
    assert Decimal("0.000004") == account.doubtful_cost


def test_both_numbers_stand_side_by_side(tmp_path: Path) -> None:
    """Without both numbers a reader could not see how large a difference is."""
    lines = render_checks(check_all(tmp_path, lines=LINES.replace("0.12503", "0.12504")))
    assert [
        "pass  cost of big                  0.125030 USD  0.125030 USD",
        "FAIL  cost of the kept records     0.125030 USD  0.125040 USD",
    ] == [line for line in lines if "cost of big" in line or "kept records   " in line]
