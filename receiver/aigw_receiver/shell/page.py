"""The page: its files out of the package, held in memory, and the headers that keep it to itself.

It knows no number of any gateway: the page asks the API. Only names that the package has are answered, so that no path
leads anywhere else.
"""

import dataclasses
import gzip
import hashlib
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

from aiohttp import web

from aigw_receiver.core import negotiate

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

_INDEX: Final = "index.html"

# Nothing comes from elsewhere, nothing is written into the page as HTML by a script, and nobody shows it in a frame.
_POLICY: Final = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)

HEADERS: Final = {
    # A later version is seen at once; what has not changed is not sent again.
    "Cache-Control": "no-cache",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Addresses of the page say what somebody has searched for.
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
}
"""Of every answer that is a file of the page."""


@dataclasses.dataclass(frozen=True, slots=True)
class _File:
    """A file of the page, ready to be sent."""

    content_type: str
    body: bytes
    compressed: bytes
    etag: str


def add_routes(app: web.Application) -> None:
    """Add the page's paths to the application of a listener: `/`, those below `/gateways`, and `/assets`."""
    files = {name: _load(entry) for name, entry in _find(resources.files("aigw_receiver") / "page", "")}

    async def index(request: web.Request) -> web.Response:
        return _answer(request, files[_INDEX])

    async def asset(request: web.Request) -> web.Response:
        file = files.get(request.match_info["name"])
        if file is None:
            raise web.HTTPNotFound(headers={"Cache-Control": "no-store"})
        return _answer(request, file)

    app.router.add_get("/", index)
    # What such a path means is read in the browser, which also says where it means nothing.
    app.router.add_get("/gateways/{path:.+}", index)
    app.router.add_get("/assets/{name:.+}", asset)


def _find(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    """The files below a folder that a browser may have, by their path in it."""
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _find(entry, f"{prefix}{entry.name}/")
        elif _suffix(entry.name) in _TYPES:
            yield f"{prefix}{entry.name}", entry


def _load(entry: Traversable) -> _File:
    body = entry.read_bytes()
    # The time in the header of gzip is left at 0, so that the same file is the same bytes.
    compressed = gzip.compress(body, mtime=0)
    return _File(_TYPES[_suffix(entry.name)], body, compressed, hashlib.sha256(body).hexdigest()[:32])


def _suffix(name: str) -> str:
    return name[name.rfind(".") :]


def _answer(request: web.Request, file: _File) -> web.Response:
    """The file, or that it has not changed."""
    headers = {**HEADERS, "Content-Type": file.content_type}
    # Both encodings are the same thing to whoever keeps them, but not the same bytes: the tag is a weak one.
    headers["ETag"] = f'W/"{file.etag}"'
    if any(tag.value in {file.etag, "*"} for tag in request.if_none_match or ()):
        return web.Response(status=304, headers={**HEADERS, "ETag": headers["ETag"]})
    compress = negotiate.accepts_gzip(request.headers.get("Accept-Encoding", ""))
    if compress:
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=file.compressed if compress else file.body, headers=headers)
