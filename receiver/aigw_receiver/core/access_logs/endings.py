"""How a request ended: by Envoy's response flags first, then its response code details, then the status.

The tables below are the only place that says so. A flag is Envoy's own word for what happened, and the only trace of
a client that went away after the status had been sent. Details say the same where a format has no flags; Envoy does
not promise their words, so what is unknown there says nothing. AI Gateway's recommended format has neither: then the
status and the presence of an upstream host must do.

Sources: Envoy's documentation, "Access logging: RESPONSE_FLAGS" and "Response Code Details", 1.36 to 1.40; what each
flag looks like was seen on real gateways for -, NR, UF, UT and DC.
"""

from typing import Final

from aigw_receiver.core.access_logs.model import Ending

# By flag, the most telling first: where a record has several, the first of them here decides.
_FLAGS: Final[dict[str, Ending]] = {
    # The client closed its connection, or reset its stream: whatever else happened, nobody waits for it.
    "DC": Ending.ABORTED,
    "DR": Ending.ABORTED,
    # A limit of time ran out: of the route, between two bytes of a stream, of a stream, of a connection.
    "UT": Ending.TIMEOUT,
    "SI": Ending.TIMEOUT,
    "UMSDR": Ending.TIMEOUT,
    "DT": Ending.TIMEOUT,
    # The provider could not be reached (its name, its connection), closed or reset it, or broke the protocol.
    "UF": Ending.UPSTREAM_ERROR,
    "UC": Ending.UPSTREAM_ERROR,
    "UR": Ending.UPSTREAM_ERROR,
    "UPE": Ending.UPSTREAM_ERROR,
    "DF": Ending.UPSTREAM_ERROR,
    # No provider was asked: no route, cluster or healthy host, a limit or circuit breaker of the gateway, its overload.
    "NR": Ending.GATEWAY_ERROR,
    "NC": Ending.GATEWAY_ERROR,
    "UH": Ending.GATEWAY_ERROR,
    "UO": Ending.GATEWAY_ERROR,
    "RL": Ending.GATEWAY_ERROR,
    "RLSE": Ending.GATEWAY_ERROR,
    "OM": Ending.GATEWAY_ERROR,
    "DO": Ending.GATEWAY_ERROR,
    "UDO": Ending.GATEWAY_ERROR,
    "LH": Ending.GATEWAY_ERROR,
    "NFCF": Ending.GATEWAY_ERROR,
    # The gateway reset the stream itself, or failed it on purpose.
    "LR": Ending.GATEWAY_ERROR,
    "FI": Ending.GATEWAY_ERROR,
    # The request itself was not acceptable: broken HTTP, a header that Envoy does not take.
    "DPE": Ending.CLIENT_ERROR,
    "IH": Ending.CLIENT_ERROR,
    # Every retry failed as well; comes with the reason of the last one, which stands above.
    "URX": Ending.UPSTREAM_ERROR,
    # Not here, since they do not say how it ended: DI (delayed on purpose), RFCF (answered from a cache), and UAEX
    # (external authorization said no, or could not be asked: the status tells).
}

# By the first words of the details.
_DETAILS: Final[dict[str, Ending]] = {
    "downstream_remote_disconnect": Ending.ABORTED,
    "downstream_remote_reset": Ending.ABORTED,
    "http2.remote_reset": Ending.ABORTED,
    "http3.remote_reset": Ending.ABORTED,
    "downstream_local_disconnect": Ending.GATEWAY_ERROR,
    "upstream_response_timeout": Ending.TIMEOUT,
    "upstream_per_try_timeout": Ending.TIMEOUT,
    "upstream_per_try_idle_timeout": Ending.TIMEOUT,
    "upstream_max_stream_duration_reached": Ending.TIMEOUT,
    "response_timeout": Ending.TIMEOUT,
    "stream_idle_timeout": Ending.TIMEOUT,
    "request_overall_timeout": Ending.TIMEOUT,
    "request_header_timeout": Ending.TIMEOUT,
    "max_duration_timeout": Ending.TIMEOUT,
    "duration_timeout": Ending.TIMEOUT,
    "upstream_reset_before_response_started": Ending.UPSTREAM_ERROR,
    "upstream_reset_after_response_started": Ending.UPSTREAM_ERROR,
    "early_upstream_reset": Ending.UPSTREAM_ERROR,
    "late_upstream_reset": Ending.UPSTREAM_ERROR,
    "route_not_found": Ending.GATEWAY_ERROR,
    "cluster_not_found": Ending.GATEWAY_ERROR,
    "no_healthy_upstream": Ending.GATEWAY_ERROR,
    "maintenance_mode": Ending.GATEWAY_ERROR,
    "overload": Ending.GATEWAY_ERROR,
    "request_rate_limited": Ending.GATEWAY_ERROR,
    "local_rate_limited": Ending.GATEWAY_ERROR,
    "rate_limiter_error": Ending.GATEWAY_ERROR,
    "ext_authz_error": Ending.GATEWAY_ERROR,
    "ext_proc_error": Ending.GATEWAY_ERROR,
    "fault_filter_abort": Ending.GATEWAY_ERROR,
    "filter_chain_not_found": Ending.GATEWAY_ERROR,
}

DIRECT_RESPONSE: Final = "direct_response"
"""A route that answers by itself, as AI Gateway's does for a model that no route knows."""

# OpenTelemetry's semantic conventions for MCP: what error.type says where the result of a tool has isError.
_TOOL_ERROR: Final = "tool_error"

_CLIENT_CLOSED_REQUEST: Final = 499
_TIMEOUTS: Final = frozenset({408, 504})
# Answers of the gateway's own that are no mistake of the caller: no route, and its rate limit.
_GATEWAYS_OWN: Final = frozenset({404, 429})


def ending_of(
    status: int | None,
    *,
    flags: str = "",
    details: str = "",
    failure_reason: str = "",
    termination: str = "",
    upstream_host: str | None = None,
    error_type: str = "",
) -> Ending:
    """How a request ended; `status` is None where no answer was sent.

    `upstream_host` is "" where Envoy had none, and None where the format does not tell.
    """
    ending = _by_flags(flags) or _by_details(details)
    if ending is not None:
        return ending
    if status is None:
        return _unanswered(failure_reason, termination)
    if status < 400:
        return Ending.TOOL_ERROR if error_type == _TOOL_ERROR else Ending.OK
    return _by_status(status, upstream=upstream_host != "", direct=details.startswith(DIRECT_RESPONSE))


def _by_flags(flags: str) -> Ending | None:
    """The ending that the flags tell, as text like "UF,URX"."""
    if not flags:
        return None
    said = {flag.strip() for flag in flags.split(",")}
    return next((ending for flag, ending in _FLAGS.items() if flag in said), None)


def _by_details(details: str) -> Ending | None:
    """The ending that the details tell; more words follow the first ones in braces, or after a dot or colon."""
    return _DETAILS.get(details) or _DETAILS.get(details.partition("{")[0].partition("|")[0].partition(":")[0])


def _unanswered(failure_reason: str, termination: str) -> Ending:
    """Nothing was answered: the provider was not reached, the gateway closed the connection, or the client left.

    The last is what Envoy's documentation says of status 0.
    """
    if failure_reason:
        return Ending.UPSTREAM_ERROR
    return Ending.GATEWAY_ERROR if termination else Ending.ABORTED


def _by_status(status: int, *, upstream: bool, direct: bool) -> Ending:
    """The ending of a request that was answered with 4xx or 5xx, where nothing else tells."""
    if status in _TIMEOUTS:
        return Ending.TIMEOUT
    if status == _CLIENT_CLOSED_REQUEST:
        return Ending.ABORTED
    if status >= 500:
        return Ending.UPSTREAM_ERROR if upstream else Ending.GATEWAY_ERROR
    gateways_own = status in _GATEWAYS_OWN and not upstream and not direct
    return Ending.GATEWAY_ERROR if gateways_own else Ending.CLIENT_ERROR
