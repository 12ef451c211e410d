"""Small bodies that inflate to something huge: refused by the limit, and never held in memory."""

import zlib

import grpc
import pytest

from contract.build import padded
from contract.target import Target, new_source
from contract.transports import JSON, PROTOBUF, HttpConnection, grpc_export

INFLATED = 256 << 20
HTTP_GROWTH = 64 << 20
"""The most that a refusal may cost: a body of 20 MiB in the process of being copied, and the buffers around it."""
GRPC_GROWTH = 32 << 20


def _bomb(content: bytes, size: int) -> bytes:
    """Return `content`, and then zeros up to `size`, as gzip, without ever holding them."""
    compressor = zlib.compressobj(9, wbits=31)
    parts = [compressor.compress(content)]
    zeros = bytes(1 << 20)
    parts += [compressor.compress(zeros) for _ in range((size - len(content)) >> 20)]
    return b"".join([*parts, compressor.flush()])


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
@pytest.mark.parametrize("members", [1, 8])
def test_http(target: Target, content_type: str, members: int) -> None:
    """A few hundred kilobytes would take hundreds of megabytes from the receiver."""
    body = _bomb(b"", INFLATED // members) * members
    before = target.peak_memory() if target.program else 0
    headers = {"Content-Type": content_type, "Content-Encoding": "gzip", "Content-Length": str(len(body))}

    with HttpConnection(target.http) as connection:
        connection.send_head("POST", "/v1/metrics", headers)
        connection.send_body(body)
        reply = connection.read_reply()

    assert (413, content_type) == (reply.status, reply.content_type)
    if target.program is not None:
        assert target.peak_memory() - before < HTTP_GROWTH


def test_grpc(target: Target) -> None:
    """The limit must hold while inflating: a library that checks it afterwards has held the message already."""
    source = new_source("grpc-bomb")
    body = padded(source, INFLATED).protobuf
    before = target.peak_memory() if target.program else 0

    reply = grpc_export(target.grpc, body, compression=grpc.Compression.Gzip)

    assert (reply.code, reply.retry_delay()) == ("RESOURCE_EXHAUSTED", None)
    if target.program is not None:
        assert target.peak_memory() - before < GRPC_GROWTH
