"""An OpenAI-compatible server that answers from a table of models: the provider behind the gateway.

A model's name decides how it answers: 404, 429, 500, slowly, or by a stream that is too long to wait for. The number of
tokens is what the request asks for, so that the traffic decides and nothing is random here. It must not measure.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from aiohttp import web

Json = dict[str, object]

# Providers cache whole blocks of the prompt; OpenAI's are of 128 tokens.
CACHE_BLOCK: Final = 128
# A stand-in's date, as providers append one to the model's name.
RESPONSE_SUFFIX: Final = "-2026-01-01"
CHUNKS: Final = 8
EMBEDDING_LATENCY: Final = 0.01


@dataclass(frozen=True, slots=True)
class Model:
    """How a model behaves: its latencies in seconds, its error, and whether it tells the details of its usage."""

    status: int = 200
    latency: float = 0.02
    chunk_latency: float = 0.015
    chunks: int = CHUNKS
    details: bool = False


MODELS: Final = {
    "gpt-5-nano": Model(details=True),
    "small": Model(latency=0.005, chunk_latency=0.005),
    "big": Model(latency=0.06),
    "slow": Model(latency=2.2, details=True),
    # 1200 pieces of 50 ms last a minute: the client is gone long before.
    "longstream": Model(chunk_latency=0.05, chunks=1200),
    "missing": Model(status=404),
    "limited": Model(status=429),
    "broken": Model(status=500),
}
ERRORS: Final = {
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
    500: ("server_error", "internal_error"),
}


def build_usage(model: Model, prompt: int, completion: int) -> Json:
    """The usage object of an answer: cached tokens are part of the prompt, reasoning tokens of the completion."""
    usage: Json = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    if model.details:
        usage["prompt_tokens_details"] = {"cached_tokens": prompt // CACHE_BLOCK * CACHE_BLOCK}
        usage["completion_tokens_details"] = {"reasoning_tokens": completion // 2 // CACHE_BLOCK * CACHE_BLOCK}
    return usage


def parse_token_wish(body: Json) -> tuple[int, int]:
    """How many prompt and completion tokens the answer shall tell of: the request's metadata says so."""
    metadata = body.get("metadata")
    wish = metadata if isinstance(metadata, dict) else {}
    return int(wish.get("prompt_tokens", 31)), int(wish.get("completion_tokens", 3))


async def answer_chat(request: web.Request) -> web.StreamResponse:
    """POST /v1/chat/completions."""
    body: Json = await request.json()
    name = str(body.get("model"))
    model = MODELS.get(name, Model(status=404))
    if model.status != 200:
        return build_error(model.status, name)
    await asyncio.sleep(model.latency)
    prompt, completion = parse_token_wish(body)
    usage = build_usage(model, prompt, completion)
    if body.get("stream"):
        return await answer_stream(request, name, model, usage)
    message = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "ok"}}
    return web.json_response({**build_head(name, "chat.completion"), "choices": [message], "usage": usage})


async def answer_stream(request: web.Request, name: str, model: Model, usage: Json) -> web.StreamResponse:
    """The answer as server-sent events, the usage in the last one before [DONE]."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    try:
        async for event in generate_events(name, model, usage):
            await response.write(f"data: {event}\n\n".encode())
        await response.write_eof()
    except ConnectionResetError:
        # The gateway closed the connection, for its client has gone.
        pass
    return response


async def generate_events(name: str, model: Model, usage: Json) -> AsyncIterator[str]:
    """The data of each event of a stream."""
    head = build_head(name, "chat.completion.chunk")
    for number in range(model.chunks):
        delta = {"index": 0, "finish_reason": None, "delta": {"role": "assistant", "content": f"{number} "}}
        yield json.dumps({**head, "choices": [delta], "usage": None})
        await asyncio.sleep(model.chunk_latency)
    stop = {"index": 0, "finish_reason": "stop", "delta": {}}
    yield json.dumps({**head, "choices": [stop], "usage": None})
    yield json.dumps({**head, "choices": [], "usage": usage})
    yield "[DONE]"


async def answer_embeddings(request: web.Request) -> web.StreamResponse:
    """POST /v1/embeddings: one token a word, and no output tokens at all."""
    body: Json = await request.json()
    tokens = len(str(body.get("input", "")).split())
    await asyncio.sleep(EMBEDDING_LATENCY)
    embedding = {"object": "embedding", "index": 0, "embedding": [0.0, 1.0]}
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return web.json_response({"object": "list", "data": [embedding], "model": body.get("model"), "usage": usage})


def build_head(name: str, kind: str) -> Json:
    """The fields that every answer and every piece of a stream begins with."""
    return {"id": "chatcmpl-demo", "object": kind, "created": 0, "model": name + RESPONSE_SUFFIX}


def build_error(status: int, name: str) -> web.Response:
    """An error as the provider writes it."""
    kind, code = ERRORS[status]
    error = {"message": f"the model {name} answers {status}", "type": kind, "code": code, "param": None}
    return web.json_response({"error": error}, status=status)


def add_llm_routes(app: web.Application) -> None:
    """Serve the provider's paths."""
    app.router.add_post("/v1/chat/completions", answer_chat)
    app.router.add_post("/v1/embeddings", answer_embeddings)
