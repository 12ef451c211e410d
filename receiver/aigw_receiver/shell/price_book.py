"""Reads a price book from its file, and again when the file changes. What a book says is decided in the core.

A file that cannot be used keeps the book that was in use, and that is said once; there is nothing to keep when the
first one is bad, so then nothing has a price. The content is looked at, not its time: a ConfigMap's file is a link to
a link that is swapped, and two edits may fall into one tick of the clock.
"""

import asyncio
import functools
import hashlib
import logging
from collections.abc import Callable, Hashable
from importlib import resources
from pathlib import Path
from typing import Any, Final

import yaml

from aigw_receiver.core.pricing import formats
from aigw_receiver.core.pricing.book import Book
from aigw_receiver.core.pricing.reading import BookError

_log: Final = logging.getLogger(__name__)

# A ConfigMap holds at most 1 MiB; the shipped book is 20 KiB.
_MAX_SIZE: Final = 1 << 20

# The kubelet brings a changed ConfigMap within about a minute; this adds little to it.
PERIOD: Final = 5.0  # seconds

_NOTHING: Final = Book("no price book", "", ())


class _Loader(yaml.SafeLoader):
    """YAML without dates, which stay text, and without keys that stand twice."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the name and the kind are PyYAML's
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """A mapping, refused where a key stands twice: PyYAML would keep the last and say nothing."""
        keys = [key.value for key, _ in node.value]
        doubled = next((key for key in keys if keys.count(key) > 1), None)
        if doubled is not None:
            message = f"line {node.start_mark.line + 1}: the key {doubled!r} stands twice"
            raise BookError(message)
        return super().construct_mapping(node, deep)


def parse(content: bytes, source: str, shipped: Book | None = None) -> Book:
    """The book that a file's content describes; raises BookError."""
    if len(content) > _MAX_SIZE:
        message = f"the file: expected at most {_MAX_SIZE} bytes"
        raise BookError(message)
    try:
        # A subclass of the safe loader that makes nothing but texts, numbers, lists and mappings.
        data = yaml.load(content, _Loader)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        message = f"the file: expected YAML, got: {' '.join(str(error).split())}"
        raise BookError(message) from None
    return formats.read_book(data, source, shipped)


@functools.cache
def shipped_book() -> Book:
    """The book that comes with the receiver."""
    content = resources.files("aigw_receiver").joinpath("prices.yaml").read_bytes()
    return parse(content, "the shipped price book")


def read_file(path: Path) -> bytes:
    """The content of a book's file, cut off behind the limit; raises OSError."""
    with path.open("rb") as file:
        return file.read(_MAX_SIZE + 1)


class PriceBook:
    """The book in use. Without a path it is the shipped one, for good."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._shipped = shipped_book()
        self._last: str | None = None
        self.error = ""
        """why the file as it is now is not in use; "" where it is"""
        self.book = self._shipped if path is None else _NOTHING
        first = self.read()
        if first is not None:
            self.book = first

    def read(self) -> Book | None:
        """The book in the file if its content is new and can be used. It is not in use before `adopt`."""
        if self._path is None:
            return None
        try:
            content = read_file(self._path)
        except OSError as error:
            self._refuse(f"cannot be read: {error.strerror or error}", f"error {error.errno}")
            return None
        digest = hashlib.sha256(content).hexdigest()
        if digest == self._last:
            return None
        try:
            book = parse(content, str(self._path), self._shipped)
        except BookError as error:
            self._refuse(str(error), digest)
            return None
        self._last, self.error = digest, ""
        _log.info("price book read", extra={"file": str(self._path), "date": book.date, "entries": len(book.entries)})
        return book

    def _refuse(self, why: str, content: str) -> None:
        """Say once why a content is not used."""
        if content == self._last:
            return
        self._last, self.error = content, why
        _log.error(
            "the price book cannot be used; %s",
            "nothing has a price" if self.book is _NOTHING else "the one before stays in use",
            extra={"file": str(self._path), "error": why},
        )

    def adopt(self, book: Book) -> None:
        """Use a book from now on."""
        self.book = book


async def follow(prices: PriceBook, change: Callable[[Book], None], period: float = PERIOD) -> None:
    """Hand each new book to `change`, which prices what came before it and then adopts it; until cancelled."""
    while True:
        await asyncio.sleep(period)
        book = await asyncio.to_thread(prices.read)
        if book is not None:
            change(book)
