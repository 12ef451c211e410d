"""The table of what HTTP adds: framing, codings, types, methods and paths, and the form of the error bodies."""

import gzip
import os
from collections.abc import Callable
from dataclasses import replace

from contract.build import GOOD, good, padded, sent
from contract.model import HttpCase, Rule, Source, otlp, rfc

HTTP_LIMIT = int(os.environ.get("OTLP_HTTP_LIMIT", "20971520"))
"""Bytes of the largest body, before and after inflating; for a receiver with another limit, set the variable."""

PROTOBUF, JSON = "application/x-protobuf", "application/json"
GZIP = (("Content-Encoding", "gzip"),)

Body = Callable[[Source], bytes]

CODINGS = f"a server supports none and gzip: {otlp('protocol-details')}, {otlp('otlphttp-request')}"
MEMBERS = f"a gzip body is a series of members: {rfc(1952, '2.2')}"
FRAMING = f"a body may come in chunks: {rfc(9112, '7.1')}"
SAME_TYPE = f"the answer has the content type of the request: {otlp('otlphttp-response')}"
BAD_DATA = f"what cannot be decoded is 400 with a Status: {otlp('bad-data')}"
TOO_LARGE = f"a body over the limit, also after decompression, is 413: {otlp('otlphttp-request')}"
WRONG_TYPE = f"a type that is not supported is 415: {rfc(9110, '15.5.16')}"
WRONG_CODING = f"a coding that is not supported is 415, and the answer names those that are: {rfc(9110, '15.5.16')}"
WRONG_METHOD = f"405 names the methods that are allowed: {rfc(9110, '15.5.6')}"
WRONG_PATH = f"what is not served is 404: {otlp('all-other-responses')}, {rfc(9110, '15.5.5')}"


def _protobuf(source: Source) -> bytes:
    return sent(source, good(source)).protobuf


def _json(source: Source) -> bytes:
    return sent(source, good(source)).json


def _zipped(body: Body) -> Body:
    return lambda source: gzip.compress(body(source))


def _members(body: Body) -> Body:
    """Return the body in three members, of which the middle one is empty."""

    def members(source: Source) -> bytes:
        whole = body(source)
        return gzip.compress(whole[:20]) + gzip.compress(b"") + gzip.compress(whole[20:])

    return members


def _wrong_checksum(source: Source) -> bytes:
    whole = bytearray(gzip.compress(_protobuf(source)))
    whole[-5] ^= 0xFF  # the last byte of the CRC32, before the four of the length
    return bytes(whole)


def _full(size: int) -> Body:
    return lambda source: padded(source, size).protobuf


def _full_json(size: int) -> Body:
    return lambda source: padded(source, size).json


_ACCEPTED = tuple(
    replace(case, samples=(GOOD,))
    for case in (
        HttpCase("gzip", CODINGS, 200, _zipped(_protobuf), headers=GZIP),
        HttpCase("gzip_json", CODINGS, 200, _zipped(_json), headers=GZIP, content_type=JSON, answer_type=JSON),
        HttpCase("identity", CODINGS, 200, _protobuf, rule=Rule.OURS, headers=(("Content-Encoding", "identity"),)),
        HttpCase(
            "coding_is_case_insensitive",
            f"codings are case-insensitive: {rfc(9110, '8.4.1')}",
            200,
            _zipped(_protobuf),
            headers=(("content-encoding", "GZIP"),),
        ),
        HttpCase("gzip_members", MEMBERS, 200, _members(_protobuf), headers=GZIP),
        HttpCase("gzip_members_in_chunks", MEMBERS, 200, _members(_protobuf), headers=GZIP, chunks=7),
        HttpCase("chunks", FRAMING, 200, _protobuf, chunks=64),
        HttpCase("chunks_of_one_byte", FRAMING, 200, _protobuf, chunks=1),
        HttpCase("chunks_json", FRAMING, 200, _json, chunks=50, content_type=JSON, answer_type=JSON),
        HttpCase("gzip_chunks", FRAMING, 200, _zipped(_protobuf), chunks=16, headers=GZIP),
        HttpCase("charset", SAME_TYPE, 200, _json, content_type="application/json; charset=utf-8", answer_type=JSON),
        HttpCase(
            "type_is_case_insensitive",
            f"types are case-insensitive: {rfc(9110, '8.3.1')}",
            200,
            _protobuf,
            content_type="Application/X-Protobuf",
        ),
        HttpCase("gzip_answer", CODINGS, 200, _protobuf, headers=(("Accept-Encoding", "gzip"),)),
        HttpCase("full_size", TOO_LARGE, 200, _full(HTTP_LIMIT)),
        HttpCase("full_size_json", TOO_LARGE, 200, _full_json(HTTP_LIMIT), content_type=JSON, answer_type=JSON),
        HttpCase("full_size_gzip", TOO_LARGE, 200, _zipped(_full(HTTP_LIMIT)), headers=GZIP),
    )
)

_UNDECODABLE = (
    HttpCase("no_protobuf", BAD_DATA, 400, lambda _: b"\xff\xff\xff\xff"),
    HttpCase("no_json", BAD_DATA, 400, lambda _: b"{", content_type=JSON, answer_type=JSON),
    HttpCase("no_gzip", BAD_DATA, 400, _protobuf, headers=GZIP),
    HttpCase("truncated_gzip", BAD_DATA, 400, lambda s: gzip.compress(_protobuf(s))[:-12], headers=GZIP),
    HttpCase("gzip_without_trailer", BAD_DATA, 400, lambda s: gzip.compress(_protobuf(s))[:-8], headers=GZIP),
    HttpCase("truncated_second_member", BAD_DATA, 400, lambda s: _members(_protobuf)(s)[:-9], headers=GZIP),
    HttpCase("wrong_checksum", BAD_DATA, 400, _wrong_checksum, headers=GZIP),
    HttpCase(
        "truncated_gzip_json",
        BAD_DATA,
        400,
        lambda s: gzip.compress(_json(s))[:-12],
        headers=GZIP,
        content_type=JSON,
        answer_type=JSON,
    ),
    HttpCase(
        "truncated_gzip_chunks", BAD_DATA, 400, lambda s: gzip.compress(_protobuf(s))[:-12], headers=GZIP, chunks=9
    ),
    HttpCase("json_sent_as_protobuf", BAD_DATA, 400, _json),
    HttpCase("protobuf_sent_as_json", BAD_DATA, 400, _protobuf, content_type=JSON, answer_type=JSON),
)

_TOO_LARGE = (
    HttpCase("over_limit", TOO_LARGE, 413, _full(HTTP_LIMIT + 1)),
    HttpCase("over_limit_json", TOO_LARGE, 413, _full_json(HTTP_LIMIT + 1), content_type=JSON, answer_type=JSON),
    HttpCase("over_limit_gzip", TOO_LARGE, 413, _zipped(_full(HTTP_LIMIT + 1)), headers=GZIP),
    HttpCase("over_limit_gzip_chunks", TOO_LARGE, 413, _zipped(_full(HTTP_LIMIT + 1)), headers=GZIP, chunks=4096),
)

_NOT_SUPPORTED = (
    *(
        HttpCase(f"type_{name}", WRONG_TYPE, 415, _protobuf, content_type=content_type)
        for name, content_type in (
            ("missing", None),
            ("octet_stream", "application/octet-stream"),
            ("text", "text/plain"),
            ("grpc", "application/grpc"),
            ("empty", ""),
        )
    ),
    *(
        HttpCase(
            f"coding_{coding}",
            WRONG_CODING,
            415,
            _protobuf,
            headers=(("Content-Encoding", coding),),
            answer_headers=(("Accept-Encoding", "gzip"),),
        )
        for coding in ("deflate", "br", "zstd", "unheard-of")
    ),
    HttpCase(
        "coding_deflate_json",
        WRONG_CODING,
        415,
        _json,
        headers=(("Content-Encoding", "deflate"),),
        content_type=JSON,
        answer_type=JSON,
        answer_headers=(("Accept-Encoding", "gzip"),),
    ),
)

_NOT_SERVED = (
    *(
        HttpCase(
            f"method_{method.lower()}", WRONG_METHOD, 405, _protobuf, method=method, answer_headers=(("Allow", "POST"),)
        )
        for method in ("PUT", "PATCH", "DELETE")
    ),
    HttpCase(
        "method_get",
        WRONG_METHOD,
        405,
        lambda _: b"",
        method="GET",
        content_type=None,
        answer_headers=(("Allow", "POST"),),
    ),
    *(
        HttpCase(f"path_{name}", WRONG_PATH, 404, _protobuf, path=path)
        for name, path in (("root", "/"), ("unknown", "/v1/unknown"), ("v2", "/v2/metrics"), ("below", "/v1/metrics/x"))
    ),
    *(
        HttpCase(f"path_{name}", WRONG_PATH, 404, lambda _: b"", rule=Rule.OURS, path=path)
        for name, path in (("traces", "/v1/traces"), ("profiles", "/v1development/profiles"))
    ),
    HttpCase(
        "path_traces_json",
        WRONG_PATH,
        404,
        lambda _: b"{}",
        rule=Rule.OURS,
        path="/v1/traces",
        content_type=JSON,
        answer_type=JSON,
    ),
)

_LOGS = tuple(
    replace(case, rule=Rule.OURS, path="/v1/logs")
    for case in (
        HttpCase("logs", SAME_TYPE, 200, lambda _: b""),
        HttpCase("logs_json", SAME_TYPE, 200, lambda _: b"{}", content_type=JSON, answer_type=JSON),
        HttpCase("logs_gzip", CODINGS, 200, lambda _: gzip.compress(b""), headers=GZIP),
        HttpCase("logs_undecodable", BAD_DATA, 400, lambda _: b"\xff"),
        HttpCase("logs_json_undecodable", BAD_DATA, 400, lambda _: b"{", content_type=JSON, answer_type=JSON),
        HttpCase("logs_text", WRONG_TYPE, 415, lambda _: b"", content_type="text/plain"),
        HttpCase(
            "logs_get",
            WRONG_METHOD,
            405,
            lambda _: b"",
            method="GET",
            content_type=None,
            answer_headers=(("Allow", "POST"),),
        ),
    )
)

HTTP_CASES: tuple[HttpCase, ...] = (*_ACCEPTED, *_LOGS, *_UNDECODABLE, *_TOO_LARGE, *_NOT_SUPPORTED, *_NOT_SERVED)
