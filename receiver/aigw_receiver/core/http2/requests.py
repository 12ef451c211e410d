"""The fields of an HTTP/2 request, checked as RFC 9113, section 8, asks. What they mean is decided elsewhere."""

from typing import Final

from aigw_receiver.core.http2.hpack import Field, Kind

# Two of the enumeration, without its look-up: this is asked of every field.
_REGULAR: Final = Kind.REGULAR
_PSEUDO: Final = Kind.PSEUDO

Head = dict[bytes, bytes]
"""the fields of a request by their names"""


class MalformedError(Exception):
    """The request is malformed: its stream ends with PROTOCOL_ERROR (RFC 9113, section 8.1.1)."""


def request_head(fields: list[Field]) -> Head:
    """The fields by name; those that are repeated are joined as RFC 9110, section 5.3, allows."""
    head: Head = {}
    regular = False
    for name, value, kind, _ in fields:
        if kind is _REGULAR:
            regular = True
            head[name] = value if name not in head else head[name] + b"," + value
        elif kind is _PSEUDO and not regular and name not in head:
            head[name] = value
        else:
            raise MalformedError
    if b":method" not in head or b":scheme" not in head or not head.get(b":path"):
        raise MalformedError
    return head


def check_trailers(fields: list[Field]) -> None:
    """RFC 9113, section 8.1: trailers hold no pseudo-header fields."""
    if any(field.kind is not Kind.REGULAR for field in fields):
        raise MalformedError


def content_length(head: Head) -> int | None:
    """The length that the request promises."""
    text = head.get(b"content-length")
    if text is None:
        return None
    if not text.isdigit() or len(text) > 18:
        raise MalformedError
    return int(text)
