"""What an installation may set otherwise in the alerts: names, defaults, and what they mean."""

from typing import Final

from rulebook.model import Parameter

# The bounds of the gateway's histograms: an objective between two of them cannot be told.
_FIRST_TOKEN_BOUNDS: Final = (0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 15, 20, 30, 45, 60)
_DURATION_BOUNDS: Final = (0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)

PARAMETERS: Final = (
    Parameter(
        "runbookBase", "", "What comes before docs/runbooks/ in runbook_url, with its slash: an address of this tree"
    ),
    Parameter("errorBudget", 0.01, "Share of requests to a provider that may fail"),
    Parameter("minRequests", 50, "Requests in the longer window below which no objective is judged"),
    Parameter(
        "firstTokenSeconds", 5, "A first token that comes later is late; a bound of the histogram", _FIRST_TOKEN_BOUNDS
    ),
    Parameter("firstTokenBudget", 0.05, "Share of streams whose first token may be late"),
    Parameter(
        "durationSeconds", 40.96, "A request that takes longer is slow; a bound of the histogram", _DURATION_BOUNDS
    ),
    Parameter("durationBudget", 0.05, "Share of requests that may be slow"),
    Parameter("mcpFailureRatio", 0.2, "Share of messages to an MCP server that may fail in an hour"),
    Parameter("mcpMinMessages", 20, "Messages in an hour below which no MCP server is judged"),
    Parameter("velocityFactor", 2, "How many times the busiest hour of the last seven days an hour may be"),
    Parameter("tokenVelocityFloor", 100000, "Tokens per minute, over an hour, that are never too many"),
    Parameter("costVelocityFloor", 5, "USD per hour that are never too many"),
    Parameter("tokenBudget", 0, "Tokens of a gateway in 24 hours; 0: no budget"),
    Parameter("costBudget", 0, "USD of a gateway in 24 hours; 0: no budget"),
    Parameter("budgetWarning", 0.8, "Share of a budget at which there is a warning"),
    Parameter("completeness", 0.95, "Share of telemetry that must have come in over the last hour"),
    Parameter("queueBytes", 52428800, "Bytes that may wait for a target of access logs"),
    Parameter(
        "journalBytes",
        402653184,
        "Bytes that the journal may have; half as much again as its size in the configuration",
    ),
    Parameter("diskFree", 0.1, "Share of a receiver's volume that must be free"),
    Parameter("backlog", 200, "Keys that may wait for the operator"),
)
