"""Which text format and which compression a reader gets, by its request headers (RFC 9110, section 12.5)."""

from aigw_receiver.core.exposition import OPENMETRICS, TEXT, Format

_OPENMETRICS_VERSIONS = ("1.0.0", "0.0.1")


def choose_format(accept: str) -> Format:
    """The best of our two formats for this Accept header; the Prometheus text format where it says nothing of them.

    Prometheus asks for OpenMetrics 1.0.0 first; what asks for it without a version, or for 0.0.1, gets 1.0.0 too.
    """
    best, best_quality = TEXT, 0.0
    for item in accept.split(","):
        media_type, parameters = _parse(item)
        quality = _quality(parameters)
        if media_type == "application/openmetrics-text":
            if parameters.get("version", "1.0.0") not in _OPENMETRICS_VERSIONS:
                continue
            candidate = OPENMETRICS
        elif media_type in ("text/plain", "text/*", "*/*"):
            candidate = TEXT
        else:
            continue
        if quality > best_quality:
            best, best_quality = candidate, quality
    return best


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether the reader takes gzip."""
    qualities = {name: _quality(parameters) for name, parameters in map(_parse, accept_encoding.split(","))}
    return qualities.get("gzip", qualities.get("*", 0.0)) > 0


def _parse(item: str) -> tuple[str, dict[str, str]]:
    """One element of a list header: its value, and its parameters."""
    value, *parameters = item.split(";")
    pairs = (parameter.partition("=") for parameter in parameters)
    return value.strip().lower(), {name.strip().lower(): text.strip().strip('"') for name, _, text in pairs}


def _quality(parameters: dict[str, str]) -> float:
    try:
        return float(parameters.get("q", "1"))
    except ValueError:
        return 0.0
