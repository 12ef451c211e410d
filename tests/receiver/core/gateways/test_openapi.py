"""The description of the API: is it one, and is it the one that is written down? Real answers are held against it
in tests/receiver/shell.
"""

import json
from pathlib import Path

from openapi_spec_validator import OpenAPIV31SpecValidator

from aigw_receiver.core.gateways import openapi, window

_PAGE = Path(__file__).parents[4] / "docs" / "openapi.json"


def test_valid() -> None:
    """A client cannot be made from the description."""
    assert [] == [error.message for error in OpenAPIV31SpecValidator(openapi.DOCUMENT).iter_errors()]


def test_current() -> None:
    """The description in the documentation is an older one: `make docs`."""
    assert openapi.DOCUMENT == json.loads(_PAGE.read_text())


def test_parameters() -> None:
    """A parameter is taken, but not described, or the other way round."""
    one = "/api/gateways/{namespace}/{name}"
    for path, names in (("/api/gateways", window.WINDOW), (one, window.WINDOW), (f"{one}/series", window.SERIES)):
        described = openapi.DOCUMENT["paths"][path]["get"]["parameters"]
        assert {*names} == {parameter["name"] for parameter in described if parameter["in"] == "query"}
