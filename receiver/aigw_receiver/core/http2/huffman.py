"""The Huffman code of HTTP/2 header strings (RFC 7541, section 5.2 and appendix B). It decodes only.

The code is canonical: the lengths of appendix B give every code. A byte of input is one step from node to node of the
tree; a step is computed when it is first met, and there are at most 256 times 256.
"""

import functools
from typing import Final

# Appendix B: the symbols by the length of their code, in the order of their codes; 256 is the end of the string.
SYMBOLS_BY_LENGTH: Final[dict[int, bytes]] = {
    5: b"012aceiost",
    6: b" %-./3456789=A_bdfghlmnpru",
    7: b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz",
    8: b"&*,;XZ",
    10: b'!"()?',
    11: b"'+|",
    12: b"#>",
    13: b"\x00$@[]~",
    14: b"^}",
    15: b"<`{",
    19: b"\\\xc3\xd0",
    20: bytes.fromhex("808283a2b8c2e0e2"),
    21: bytes.fromhex("99a1a7acb0b1b3d1d8d9e3e5e6"),
    22: bytes.fromhex("8184858688929a9ca0a3a4a9aaadb2b5b9babbbdbec4c6e4e8e9"),
    23: bytes.fromhex("0187898a8b8c8d8f93959697989b9d9ea5a6a8aeafb4b6b7bcbfc5e7ef"),
    24: bytes.fromhex("098e9091949fabced7e1eced"),
    25: bytes.fromhex("c7cfeaeb"),
    26: bytes.fromhex("c0c1c8c9cacdd2d5dadbeef0f2f3ff"),
    27: bytes.fromhex("cbccd3d4d6dddedff1f4f5f6f7f8fafbfcfdfe"),
    28: bytes.fromhex("020304050607080b0c0e0f1011121314151718191a1b1c1d1e1f7fdcf9"),
    30: b"\n\r\x16",
}
_END: Final = 256
_END_LENGTH: Final = 30


class HuffmanError(Exception):
    """The string is not the Huffman code of anything."""


def _build_tree() -> list[list[int]]:
    """The inner nodes by number, each with its two children: a node, or `~symbol`."""
    lengths = [(length, symbol) for length, symbols in SYMBOLS_BY_LENGTH.items() for symbol in symbols]
    lengths.append((_END_LENGTH, _END))
    nodes: list[list[int]] = [[0, 0]]
    code = before = 0
    for length, symbol in lengths:
        code <<= length - before
        node = 0
        for bit in range(length - 1, 0, -1):
            side = code >> bit & 1
            if not nodes[node][side]:
                nodes.append([0, 0])
                nodes[node][side] = len(nodes) - 1
            node = nodes[node][side]
        nodes[node][code & 1] = ~symbol
        code, before = code + 1, length
    return nodes


def _padding_nodes(nodes: list[list[int]]) -> frozenset[int]:
    """Where a string may end: after at most seven bits of the end symbol, which are all ones."""
    node, allowed = 0, {0}
    for _ in range(7):
        node = nodes[node][1]
        allowed.add(node)
    return frozenset(allowed)


_NODES: Final = _build_tree()
_PADDING: Final = _padding_nodes(_NODES)


@functools.cache
def _step(node: int, byte: int) -> tuple[int, bytes]:
    """Where one byte leads to from a node, and the symbols on the way."""
    symbols = bytearray()
    for bit in range(7, -1, -1):
        child = _NODES[node][byte >> bit & 1]
        if child >= 0:
            node = child
            continue
        if ~child == _END:
            raise HuffmanError
        symbols.append(~child)
        node = 0
    return node, bytes(symbols)


def decode(data: bytes) -> bytes:
    """The string that was encoded; raises HuffmanError where there is none."""
    node = 0
    pieces = []
    for byte in data:
        node, symbols = _step(node, byte)
        pieces.append(symbols)
    if node not in _PADDING:
        raise HuffmanError
    return b"".join(pieces)
