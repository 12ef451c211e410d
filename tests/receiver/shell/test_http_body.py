"""A body is inflated as it comes, in whole, and never beyond the limit."""

import asyncio
import functools
import gzip
import zlib
from collections.abc import AsyncIterator, Sequence

import pytest

from aigw_receiver.core import status
from aigw_receiver.core.inflate import Inflater
from aigw_receiver.shell.http_body import read_body

# Without a time in it, so that the tests have the same names each time.
_zip = functools.partial(gzip.compress, mtime=0)

_LIMIT = 1 << 20
_TEXT = bytes(range(256)) * 100


async def _pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def _read(body: bytes, size: int = 1 << 16, *, compressed: bool = True, limit: int = _LIMIT) -> bytes:
    return asyncio.run(read_body(_pieces(body, size), gzip=compressed, limit=limit))


@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
@pytest.mark.parametrize(
    ("body", "inflated"),
    [
        (_zip(_TEXT), _TEXT),
        (_zip(b""), b""),
        (b"", b""),
        (_zip(b"one") + _zip(b"") + _zip(b"two"), b"onetwo"),
        (_zip(_TEXT, 0), _TEXT),
        (_zip(bytes(_LIMIT)), bytes(_LIMIT)),
    ],
    ids=["text", "empty member", "empty body", "three members", "stored", "as long as allowed"],
)
def test_inflated(body: bytes, inflated: bytes, size: int) -> None:
    """A valid body loses bytes where it is cut into pieces, or has more than one member."""
    assert inflated == _read(body, size if len(body) < 5000 or size > 1 else 101)


@pytest.mark.parametrize("size", [3, 1 << 20])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (_zip(_TEXT)[:-1], "the body is not valid gzip: it ends early"),
        (_zip(_TEXT)[:20], "the body is not valid gzip: it ends early"),
        (_zip(_TEXT)[:5], "the body is not valid gzip: it ends early"),
        (_zip(b"x") + _zip(b"y")[:-2], "the body is not valid gzip: it ends early"),
        (_zip(b"x") + b"garbage behind", "the body is not valid gzip: Error -3"),
        (b"no gzip at all", "the body is not valid gzip: Error -3"),
        (zlib.compress(b"x"), "the body is not valid gzip: Error -3"),
        (_zip(_TEXT)[:-8] + bytes(8), "the body is not valid gzip: Error -3"),
    ],
    ids=["no end", "half", "only a head", "second cut off", "garbage", "plain", "zlib", "wrong checksum"],
)
def test_damaged(body: bytes, message: str, size: int) -> None:
    """A damaged body is taken in part, or ends in a defect of ours, which senders would repeat."""
    with pytest.raises(status.RefusedError) as error:
        _read(body, size)
    assert status.BAD_DATA.code == error.value.failure.code
    assert error.value.failure.message.startswith(message)


@pytest.mark.parametrize(
    "body",
    [
        _zip(bytes(_LIMIT + 1)),
        _zip(bytes(200 * _LIMIT)),
        _zip(bytes(_LIMIT // 2 + 1)) * 2,
        # too large before it is inflated, though not after that
        _zip(bytes(_LIMIT), 0),
    ],
    ids=["one over", "bomb", "two members", "received"],
)
def test_over_the_limit(body: bytes) -> None:
    """A small body that inflates to a large one fills the memory."""
    with pytest.raises(status.RefusedError) as error:
        _read(body)
    assert (413, f"the body is larger than {_LIMIT} bytes") == (
        error.value.failure.http_status,
        error.value.failure.message,
    )


def test_bomb_is_stopped_while_it_is_inflated() -> None:
    """A bomb is inflated in whole before it is refused."""
    inflater = Inflater(_LIMIT)
    bomb = _zip(bytes(100 * _LIMIT))
    fed = 0
    try:
        for start in range(0, len(bomb), 256):
            fed += 256
            inflater.feed(bomb[start : start + 256])
    except status.RefusedError:
        pass
    assert fed < len(bomb) // 50


def test_members_are_bounded() -> None:
    """A body of empty members, which inflates to nothing, keeps the event loop busy for long."""
    member = _zip(b"")
    assert b"" == _read(member * 4096)
    with pytest.raises(status.RefusedError, match="over 4096 gzip members"):
        _read(member * 4097)


@pytest.mark.parametrize(("sizes", "taken"), [((10, 10), True), ((20,), True), ((10, 11), False), ((21,), False)])
def test_plain_body(sizes: Sequence[int], *, taken: bool) -> None:
    """A plain body over the limit is taken, or one that is as long as allowed refused."""
    body = b"x" * sum(sizes)
    if taken:
        assert body == _read(body, sizes[0], compressed=False, limit=20)
    else:
        with pytest.raises(status.RefusedError):
            _read(body, sizes[0], compressed=False, limit=20)
