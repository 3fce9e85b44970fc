"""For the operator and the kubelet: /metrics, /livez, /readyz. Plaintext HTTP that says nothing of the telemetry."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable

from prometheus_client import ProcessCollector
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from colony.endpoint import Endpoint
from colony.instruments import Instruments
from colony.web import serving_app

_CONNECTIONS = 64
"""A scraper, a kubelet and a few people."""


def _admin_app(instruments: Instruments, ready: Callable[[], str | None]) -> Starlette:
    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(instruments.registry), headers={"content-type": content_type})

    async def livez(_: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def readyz(_: Request) -> Response:
        reason = ready()
        if reason is None:
            return PlainTextResponse("ready\n")
        return PlainTextResponse(f"not ready: {reason}\n", status_code=503)

    return Starlette(routes=[Route("/metrics", metrics), Route("/livez", livez), Route("/readyz", readyz)])


@contextlib.asynccontextmanager
async def serving_admin(endpoint: Endpoint, instruments: Instruments, ready: Callable[[], str | None]) -> AsyncIterator[str]:
    """Answer on ``endpoint`` and yield the bound address. ``ready`` returns None, else a short reason why not.

    Raises:
        ConfigError: the address cannot be had.
    """
    process = ProcessCollector(registry=instruments.registry)
    try:
        app = _admin_app(instruments, ready)
        async with serving_app(app, endpoint, "admin.endpoint", limit_concurrency=_CONNECTIONS) as address:
            yield address
    finally:
        instruments.registry.unregister(process)
