"""Why a log record is not an access log of the gateways. Values only."""

import enum


class LogDropReason(enum.StrEnum):
    """Why a record was refused; the word is the `reason` label and stands in the partial success."""

    MALFORMED_RECORD = "malformed_record"
    """an attribute or the body cannot be parsed"""
    NOT_AN_ACCESS_LOG = "not_an_access_log"
    """it has neither a status nor anything of an LLM or MCP request: the log of some program"""
    NOT_OF_AI_GATEWAY = "not_of_ai_gateway"
    """an access log, of a request that is neither an LLM nor an MCP one"""
