"""Header blocks are decoded as RFC 7541 says, and a hostile one costs little."""

import pytest

from aigw_receiver.core.http2 import hpack, huffman
from aigw_receiver.core.http2.hpack import Kind

Pairs = list[tuple[bytes, bytes]]
_LIMIT = 16 << 10
_PAGE = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"www.example.com")]
_OTHER_PAGE = [
    (b":method", b"GET"),
    (b":scheme", b"https"),
    (b":path", b"/index.html"),
    (b":authority", b"www.example.com"),
    (b"custom-key", b"custom-value"),
]


def _decode(decoder: hpack.Decoder, block: str) -> Pairs:
    return [(field.name, field.value) for field in decoder.decode(bytes.fromhex(block))]


def test_examples_of_the_specification() -> None:
    """Appendix C.4 shows three requests in a row: a wrong Huffman code, index or table spoils one of them."""
    decoder = hpack.Decoder(_LIMIT)

    assert _PAGE == _decode(decoder, "828684418cf1e3c2e5f23a6ba0ab90f4ff")
    assert [*_PAGE, (b"cache-control", b"no-cache")] == _decode(decoder, "828684be5886a8eb10649cbf")
    assert _OTHER_PAGE == _decode(decoder, "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf")


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        (["400a637573746f6d2d6b65790d637573746f6d2d686561646572", "be"], [(b"custom-key", b"custom-header")]),
        (["040c2f73616d706c652f70617468"], [(b":path", b"/sample/path")]),
        (["100870617373776f726406736563726574"], [(b"password", b"secret")]),
        # a smaller table forgets, and a larger one does not remember
        (["4001610162", "20", "3fe11f4001630164", "be"], [(b"c", b"d")]),
        (["4001610162", "4001630164", "bf"], [(b"a", b"b")]),
        (["0f1000"], [(b"content-type", b"")]),
    ],
    ids=["indexed", "not indexed", "never indexed", "resized", "second entry", "long index"],
)
def test_fields(blocks: list[str], expected: Pairs) -> None:
    """A form of a field is misread, or an entry of the table is looked up in the wrong place."""
    decoder = hpack.Decoder(_LIMIT)

    decoded = [_decode(decoder, block) for block in blocks]

    assert expected == decoded[-1]


@pytest.mark.parametrize(
    "block",
    ["80", "be", "ff80ffffffffff", "4001", "400161", "40017f", "3fe21f", "8220", "0081ff00", "008400", "00ff"],
    ids=[
        "index 0",
        "no such entry",
        "endless integer",
        "no name",
        "no value",
        "value too short",
        "table too large",
        "resized late",
        "no padding",
        "bad padding",
        "cut integer",
    ],
)
def test_damaged(block: str) -> None:
    """A block that means nothing is taken for something, or ends in a defect of ours."""
    with pytest.raises(hpack.HpackError):
        hpack.Decoder(_LIMIT).decode(bytes.fromhex(block))


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        (b"grpc-timeout", b"1S", Kind.REGULAR),
        (b":path", b"/", Kind.PSEUDO),
        (b":status", b"200", Kind.MALFORMED),
        (b":unknown", b"", Kind.MALFORMED),
        (b"Upper", b"x", Kind.MALFORMED),
        (b"", b"x", Kind.MALFORMED),
        (b"a b", b"x", Kind.MALFORMED),
        (b"x", b"a\r\nb", Kind.MALFORMED),
        (b"x", b"a\0", Kind.MALFORMED),
        (b"x", b" a", Kind.MALFORMED),
        (b"x", "é".encode(), Kind.REGULAR),
        (b"connection", b"close", Kind.MALFORMED),
        (b"te", b"trailers", Kind.REGULAR),
        (b"te", b"gzip", Kind.MALFORMED),
    ],
)
def test_kinds(name: bytes, value: bytes, kind: Kind) -> None:
    """A request with a forbidden field is let through, or a good one refused (RFC 9113, section 8.2)."""
    (field,) = hpack.Decoder(_LIMIT).decode(hpack.encode([(name, value)]))

    assert (name, value, kind) == field[:3]


def test_list_over_the_limit() -> None:
    """Indices of one byte name a long field again and again; the table must stay in step all the same."""
    decoder = hpack.Decoder(200)
    decoder.decode(b"\x40\x01a\x64" + bytes(100).replace(b"\0", b"x"))

    with pytest.raises(hpack.ListTooLargeError):
        decoder.decode(b"\xbe\xbe\x40\x01b\x01c")

    assert [(b"b", b"c")] == _decode(decoder, "be")


@pytest.mark.parametrize("size", [0, 1, 126, 127, 128, 300, 5000])
def test_our_blocks(size: int) -> None:
    """Clients cannot read our answers where a length is written wrongly."""
    pairs = [(b"grpc-message", b"x" * size), (b"grpc-status", b"0")]

    assert pairs == _decode(hpack.Decoder(_LIMIT), hpack.encode(pairs).hex())


def test_every_symbol() -> None:
    """One wrong length in the table of the Huffman code shifts all codes behind it."""
    codes = {}
    code = before = 0
    for length, symbols in huffman.SYMBOLS_BY_LENGTH.items():
        for symbol in symbols:
            code, before = code << length - before, length
            codes[symbol] = f"{code:0{length}b}"
            code += 1
    everything = "".join(codes[symbol] for symbol in range(256))
    everything += "1" * (-len(everything) % 8)

    assert bytes(range(256)) == huffman.decode(int(everything, 2).to_bytes(len(everything) // 8, "big"))
    # RFC 7541, appendix B: the last code but the end's is that of 22, thirty bits that end in 10.
    assert "1" * 28 + "10" == codes[22]
