"""OTLP over HTTP: POST /v1/{traces,logs,metrics}, protobuf or JSON, every answer in the request's encoding."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from agent import errors
from agent.batch import Signal
from agent.decode.json import protobuf_of_json
from agent.endpoint import Endpoint
from agent.receive import http_replies as replies
from agent.receive.body_budget import BodyBudget, BodyShare
from agent.receive.cors import CorsSettings, cors_of
from agent.receive.http_body import BodyReader
from agent.receive.http_connection import ConnectionLimits, connections_within
from agent.receive.http_handshake import Handshakes
from agent.receive.receiver import Receiver
from agent.tls import Certificate
from agent.web import ServerOptions, serving_app

TRANSPORT = "http"

_INLINE_JSON_BYTES = 16 << 10
"""About 1 ms of conversion; more goes to a thread."""

_ALONE_JSON_BYTES = 1 << 20
"""Converting takes a microsecond for each bracket and comma of one processor: large bodies are converted one at a time."""


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """``[otlp.http]``."""

    endpoint: Endpoint
    max_request_body_size: int = 64 << 20
    max_reading_bytes: int = 256 << 20
    paths: Mapping[Signal, str] = field(default_factory=lambda: {signal: f"/v1/{signal}" for signal in Signal})
    cors: CorsSettings = field(default_factory=CorsSettings)
    connections: ConnectionLimits = field(default_factory=ConnectionLimits)
    body_timeout_seconds: float = 60
    idle_timeout_seconds: int = 75
    drain_seconds: int = 5


@asynccontextmanager
async def serving_otlp_http(
    settings: HttpSettings, receiver: Receiver, signals: Collection[Signal], certificate: Certificate | None = None
) -> AsyncIterator[int]:
    """Serves until left, then drains; yields the port (0 for a unix socket). TLS exactly with a ``certificate``.

    Raises:
        ConfigError: the endpoint cannot be bound.
    """
    limits = settings.connections
    handshakes = None
    if certificate is not None:
        handshakes = Handshakes(certificate.ssl_context(), limits.max_connections, limits.handshake_timeout_seconds)
    options = ServerOptions(
        timeout_keep_alive=settings.idle_timeout_seconds,
        timeout_graceful_shutdown=settings.drain_seconds,
        http=connections_within(limits, handshakes),
    )
    app = otlp_http_app(settings, receiver, signals)
    try:
        async with serving_app(app, settings.endpoint, "otlp.http.endpoint", **options) as address:
            yield Endpoint.parse(address).port
    finally:
        if handshakes is not None:
            await handshakes.close()


def otlp_http_app(settings: HttpSettings, receiver: Receiver, signals: Collection[Signal]) -> Starlette:
    """The ASGI application, without a server."""
    budget = BodyBudget(settings.max_reading_bytes)
    routes = [Route(settings.paths[signal], _SignalPath(settings, receiver, signal, budget)) for signal in signals]
    text = f"404 page not found, supported: [{', '.join(settings.paths.values())}]"

    async def not_found(request: Request, _error: Exception) -> Response:
        return replies.plain(replies.media_of(request), 404, text)

    app = Starlette(routes=routes, exception_handlers={404: not_found}, middleware=cors_of(settings.cors))
    app.router.redirect_slashes = False
    return app


class _SignalPath:
    """One signal's path, as an ASGI application: Starlette hands it every method."""

    def __init__(self, settings: HttpSettings, receiver: Receiver, signal: Signal, budget: BodyBudget) -> None:
        self._receiver = receiver
        self._signal = signal
        self._body = BodyReader(settings.max_request_body_size, settings.body_timeout_seconds)
        self._budget = budget
        self._conversion = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        media = replies.media_of(request)
        try:
            response = await self._answer(request, media)
        except ClientDisconnect:
            return
        except asyncio.CancelledError:  # only the end of the drain cancels; uvicorn would say 500, and senders would drop
            response = replies.error(media, errors.StoreUnavailable("the agent is shutting down: try again"))
        except Exception as error:  # noqa: BLE001  # counted and logged where it came up; no error may become 500
            response = replies.error(media, error)
        await response(scope, receive, send)

    async def _answer(self, request: Request, media: replies.Media | None) -> Response:
        if request.method != "POST":
            return replies.plain(media, 405, "405 method not allowed, supported: [POST]", {"allow": "POST"})
        if media is None:
            text = "415 unsupported media type, supported: [application/json, application/x-protobuf]"
            return replies.plain(media, 415, text)
        try:
            with self._budget.share() as share:
                payload = await self._payload(request, media, share)
        except Exception as error:
            if not isinstance(error, ClientDisconnect):
                self._receiver.refuse(self._signal, TRANSPORT, error)
            raise
        return replies.success(media, self._signal, await self._receiver.take(self._signal, TRANSPORT, payload))

    async def _payload(self, request: Request, media: replies.Media, share: BodyShare) -> bytes:
        body = await self._body.read(request, share)
        if media is replies.Media.PROTOBUF:
            return body
        if len(body) <= _INLINE_JSON_BYTES:
            return protobuf_of_json(self._signal, body, self._receiver.max_records)
        async with self._conversion if len(body) > _ALONE_JSON_BYTES else contextlib.nullcontext():
            return await asyncio.to_thread(protobuf_of_json, self._signal, body, self._receiver.max_records)
