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

from agent.endpoint import Endpoint
from agent.instruments import Instruments
from agent.web import serving_app

_CONNECTIONS = 64
"""A scraper, a kubelet and a few people; more is a mistake or an attack, and costs memory."""


Reason = Callable[[], str | None]


def _admin_app(instruments: Instruments, ready: Reason, dead: Reason) -> Starlette:
    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(instruments.registry), headers={"content-type": content_type})

    async def livez(_: Request) -> Response:
        reason = dead()
        return PlainTextResponse("alive\n") if reason is None else PlainTextResponse(f"dead: {reason}\n", status_code=503)

    async def readyz(_: Request) -> Response:
        reason = ready()
        if reason is None:
            return PlainTextResponse("ready\n")
        return PlainTextResponse(f"not ready: {reason}\n", status_code=503)

    return Starlette(routes=[Route("/metrics", metrics), Route("/livez", livez), Route("/readyz", readyz)])


@contextlib.asynccontextmanager
async def serving_admin(
    endpoint: Endpoint, instruments: Instruments, ready: Reason, dead: Reason = lambda: None
) -> AsyncIterator[str]:
    """Answer on ``endpoint`` and yield the bound address.

    ``ready`` returns None when the agent takes and answers requests, else a short reason why not, free of telemetry.

    Raises:
        ConfigError: the address cannot be had.
    """
    process = ProcessCollector(registry=instruments.registry)
    try:
        app = _admin_app(instruments, ready, dead)
        async with serving_app(app, endpoint, "admin.endpoint", limit_concurrency=_CONNECTIONS) as address:
            yield address
    finally:
        instruments.registry.unregister(process)
