"""Which of the two formats the data of a price book has."""

from collections.abc import Mapping

from aigw_receiver.core.pricing import ours, skywalking
from aigw_receiver.core.pricing.book import Book
from aigw_receiver.core.pricing.reading import BookError


def read_book(data: object, source: str, shipped: Book | None = None) -> Book:
    """The book that `data` (mappings, lists, texts, numbers; dates are text) describes; raises BookError.

    `source` is what the book is called, and `shipped` the book that one of ours may extend.
    """
    if isinstance(data, Mapping) and "providers" in data and "entries" not in data:
        return skywalking.read_book(data, source)
    if not isinstance(data, Mapping) or "entries" not in data:
        message = "the price book: expected entries (our format) or providers (SkyWalking's gen-ai-config.yml)"
        raise BookError(message)
    return ours.read_book(data, source, shipped)
