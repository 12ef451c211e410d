"""What all answers of the JSON API have in common: their headers, and how they say what went wrong."""

from collections.abc import Mapping
from typing import Final

from aiohttp import web

# What was true a moment ago answers no question about now.
HEADERS: Final = {"Cache-Control": "no-store"}


def error(status: int, message: str, retry: str = "", headers: Mapping[str, str] = HEADERS) -> web.Response:
    """An answer that says what is wrong; with `retry`, in how many seconds it may be right."""
    return web.json_response(
        {"error": message}, status=status, headers={**headers, "Retry-After": retry} if retry else headers
    )
