"""How a request ended: the table of flags, details and statuses."""

import pytest

from aigw_receiver.core.access_logs.endings import ending_of
from aigw_receiver.core.access_logs.model import Ending

_FLAGS = {
    Ending.ABORTED: ["DC", "DR", "UF,DC", "DC,UT"],
    Ending.TIMEOUT: ["UT", "SI", "UMSDR", "DT", "UT,URX"],
    Ending.UPSTREAM_ERROR: ["UF", "UC", "UR", "UPE", "DF", "URX", "URX,UF"],
    Ending.GATEWAY_ERROR: ["NR", "NC", "UH", "UO", "RL", "RLSE", "OM", "DO", "UDO", "LH", "NFCF", "LR", "FI", "UH,URX"],
    Ending.CLIENT_ERROR: ["DPE", "IH"],
}


@pytest.mark.parametrize(("flags", "ending"), [(flags, ending) for ending, many in _FLAGS.items() for flags in many])
@pytest.mark.parametrize("status", [None, 200, 404, 503])
def test_flags_decide(flags: str, ending: Ending, status: int | None) -> None:
    """A flag, which is Envoy's own word, is overruled by the status; a client that aborts would look like a success."""
    assert ending == ending_of(status, flags=flags, details="via_upstream", upstream_host="10.0.0.1:443")


@pytest.mark.parametrize("flags", ["", "DI", "RFCF", "UAEX", "NEW"])
@pytest.mark.parametrize(
    ("status", "host", "details", "ending"),
    [
        (200, "10.0.0.1:443", "via_upstream", Ending.OK),
        (302, "", "", Ending.OK),
        (404, "10.0.0.1:443", "via_upstream", Ending.CLIENT_ERROR),
        (429, "10.0.0.1:443", "", Ending.CLIENT_ERROR),
        (500, "10.0.0.1:443", "", Ending.UPSTREAM_ERROR),
        (500, None, "", Ending.UPSTREAM_ERROR),
        (500, "", "", Ending.GATEWAY_ERROR),
        (404, "", "", Ending.GATEWAY_ERROR),
        (404, None, "", Ending.CLIENT_ERROR),
        (404, "", "direct_response", Ending.CLIENT_ERROR),
        (429, "", "", Ending.GATEWAY_ERROR),
        (401, "", "ext_authz_denied", Ending.CLIENT_ERROR),
        (403, "", "ext_authz_error", Ending.GATEWAY_ERROR),
        (408, "10.0.0.1:443", "", Ending.TIMEOUT),
        (504, None, "", Ending.TIMEOUT),
        (499, None, "", Ending.ABORTED),
        (200, "10.0.0.1:443", "downstream_remote_disconnect", Ending.ABORTED),
        (200, "10.0.0.1:443", "http2.remote_reset", Ending.ABORTED),
        (200, "10.0.0.1:443", "upstream_reset_after_response_started{connection_termination}", Ending.UPSTREAM_ERROR),
        (503, "", "no_healthy_upstream", Ending.GATEWAY_ERROR),
        (503, "10.0.0.1:443", "upstream_reset_before_response_started{connection_timeout}", Ending.UPSTREAM_ERROR),
    ],
)
def test_details_and_status(flags: str, status: int, host: str | None, details: str, ending: Ending) -> None:
    """A request that no flag tells of is blamed on the wrong one of client, gateway and provider."""
    assert ending == ending_of(status, flags=flags, details=details, upstream_host=host)


@pytest.mark.parametrize(
    ("failure", "termination", "ending"),
    [("", "", Ending.ABORTED), ("refused", "", Ending.UPSTREAM_ERROR), ("", "rbac", Ending.GATEWAY_ERROR)],
)
def test_without_an_answer(failure: str, termination: str, ending: Ending) -> None:
    """A request that was never answered is taken for a success, or blamed on the client for the provider's failure."""
    assert ending == ending_of(None, failure_reason=failure, termination=termination, upstream_host="")


def test_tool_errors() -> None:
    """A failed tool, where a field tells, counts as a success; or a failed request as a failed tool."""
    assert Ending.TOOL_ERROR == ending_of(200, error_type="tool_error")
    assert Ending.OK == ending_of(200, error_type="timeout")
    assert Ending.UPSTREAM_ERROR == ending_of(500, error_type="tool_error")
