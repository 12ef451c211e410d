"""Each reader gets the format and compression that it asks for."""

import pytest

from aigw_receiver.core import negotiate
from aigw_receiver.core.exposition import OPENMETRICS, TEXT, Format

_PROMETHEUS_2_42 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
_PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
_PROMETHEUS_3_NATIVE = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,"
    "application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=underscores;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
_TEXT_ONLY = "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
_FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
_CHROME = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)


@pytest.mark.parametrize(
    ("accept", "text_format"),
    [
        (_PROMETHEUS_2_42, OPENMETRICS),
        (_PROMETHEUS_3, OPENMETRICS),
        (_PROMETHEUS_3_NATIVE, OPENMETRICS),
        (_TEXT_ONLY, TEXT),
        ("text/plain;version=0.0.4;q=1,*/*;q=0.1", TEXT),  # VictoriaMetrics' agents
        ("*/*", TEXT),  # curl
        (_FIREFOX, TEXT),
        (_CHROME, TEXT),
        ("", TEXT),
        ("application/openmetrics-text", OPENMETRICS),
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", OPENMETRICS),
        ('application/openmetrics-text; version="1.0.0"', OPENMETRICS),
        ("Application/OpenMetrics-Text", OPENMETRICS),
        ("application/openmetrics-text;version=0.0.1", OPENMETRICS),
        ("application/openmetrics-text;version=2.0.0", TEXT),
        ("application/openmetrics-text;q=0.1,text/plain;q=0.9", TEXT),
        ("application/openmetrics-text;q=0,text/plain;q=0.1", TEXT),
        ("application/openmetrics-text;q=0", TEXT),
        ("application/openmetrics-text;q=nonsense,text/plain;q=0.1", TEXT),
        ("application/json", TEXT),
        (";;,,;q=1", TEXT),
    ],
)
def test_format(accept: str, text_format: Format) -> None:
    """A reader gets a format that it cannot read, or the worse of two that it can."""
    assert text_format == negotiate.choose_format(accept)


@pytest.mark.parametrize(
    ("accept_encoding", "accepted"),
    [
        ("gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("deflate, gzip;q=1.0, *;q=0.5", True),
        ("GZIP", True),
        ("*", True),
        ("identity;q=1, *;q=0", False),
        ("gzip;q=0", False),
        ("gzip;q=0, *;q=1", False),
        ("*;q=0, gzip;q=0.1", True),
        ("identity", False),
        ("", False),
        ("br", False),
        ("xgzip", False),
    ],
)
def test_gzip(accept_encoding: str, *, accepted: bool) -> None:
    """A reader gets compressed bytes that it did not ask for, or is sent ten times as many as it needs."""
    assert accepted == negotiate.accepts_gzip(accept_encoding)


def test_content_types() -> None:
    """Prometheus 3 refuses a scrape whose content type it does not know."""
    assert "text/plain; version=0.0.4; charset=utf-8" == TEXT.content_type
    assert "application/openmetrics-text; version=1.0.0; charset=utf-8" == OPENMETRICS.content_type
