"""What tests of several parts of the operator need around them."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture
def log_of_the_tests() -> Iterator[None]:
    """Give the log back to the tests: what runs in their process may configure it as the program's own."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("aigw_operator").setLevel(logging.NOTSET)
