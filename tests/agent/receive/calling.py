"""Sending to the real HTTP receiver on loopback, and reading its errors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from google.protobuf import json_format
from google.rpc import status_pb2  # type: ignore[import-untyped]  # no types published

from agent.batch import Signal
from agent.endpoint import Endpoint
from agent.receive.otlp_http import HttpSettings, serving_otlp_http
from tests.agent.receive.recording import SIGNALS, House

ANY = Endpoint("127.0.0.1", 0)
PROTOBUF, JSON = "application/x-protobuf", "application/json"
SPAN = {"traceId": "01" * 16, "spanId": "02" * 8, "name": "x"}


def json_spans(*some: Mapping[str, str]) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": some}]}]}).encode()


def settings(**some: Any) -> HttpSettings:
    return HttpSettings(**{"endpoint": ANY, **some})


@asynccontextmanager
async def calling(house: House, signals: Collection[Signal] = SIGNALS, **some: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        serving_otlp_http(settings(**some), house.receiver, signals) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield client


def send(house: House, content: Any, media: str | None = PROTOBUF, path: str = "/v1/traces", **some: Any) -> httpx.Response:
    """One request; ``method`` and ``headers`` are its own, the rest is settings."""
    headers = {**({"content-type": media} if media else {}), **some.pop("headers", {})}
    method = some.pop("method", "POST")

    async def call() -> httpx.Response:
        async with asyncio.timeout(10), calling(house, **some) as client:
            return await client.request(method, path, content=content, headers=headers)

    return asyncio.run(call())


def head(length: int, *more: str) -> bytes:
    """What stands before a protobuf body of ``length`` on the wire."""
    lines = ["POST /v1/traces HTTP/1.1", "host: x", f"content-type: {PROTOBUF}", f"content-length: {length}", *more]
    return "\r\n".join([*lines, "", ""]).encode()


def status(response: httpx.Response) -> status_pb2.Status:
    """The google.rpc.Status that every error has for a body, in the encoding that it says."""
    if response.headers["content-type"] == PROTOBUF:
        message = status_pb2.Status.FromString(response.content)
    else:
        assert response.headers["content-type"] == JSON
        message = json_format.Parse(response.content, status_pb2.Status())
    assert message.message
    return message


async def chunks(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
