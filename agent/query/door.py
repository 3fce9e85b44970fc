"""Serves TelemetryQuery on its port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import grpc
import grpc.aio
from coral.agent.v1 import telemetry_query_pb2 as api

from agent import rpc
from agent.endpoint import Endpoint
from agent.query.service import Context, TelemetryQuery

KEY = "query.endpoint"
LOCAL_KEY = "query.local_endpoint"
DRAIN_SECONDS = 5.0
MAX_REQUEST_BYTES = 1 << 20
"""A query is a few hundred bytes; 32 attribute filters of 16 KiB still fit."""

_OPTIONS = [
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
    ("grpc.max_concurrent_streams", 64),
    ("grpc.max_allowed_incoming_connections", 128),
    ("grpc.server_handshake_timeout_ms", 10_000),
    # A peer whose certificate has been withdrawn is cut off when its connection ages out.
    ("grpc.max_connection_age_ms", 300_000),
    ("grpc.max_connection_age_grace_ms", 30_000),
]


class _Methods(grpc.GenericRpcHandler):  # type: ignore[type-arg] # generic in the stubs alone
    """Every method that can be called at this port: no request is parsed before it is known who asks."""

    def __init__(self, service: TelemetryQuery, *, local: bool) -> None:
        described = api.DESCRIPTOR.services_by_name["TelemetryQuery"]
        self._known = {
            f"/{described.full_name}/{method.name}": grpc.unary_unary_rpc_method_handler(
                _answering(service, method.name, local)
            )
            for method in described.methods
        }

        async def refuse(_requests: object, context: Context) -> None:
            await service.refuse(context, local=local)

        self._unknown = grpc.stream_stream_rpc_method_handler(refuse)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        """The method's handler; there is one for every name."""
        return self._known.get(handler_call_details.method, self._unknown)


def _answering(service: TelemetryQuery, name: str, local: bool) -> Callable[[bytes, Context], Awaitable[bytes]]:
    async def answer(payload: bytes, context: Context) -> bytes:
        return await service.answer(name, payload, context, local=local)

    return answer


@asynccontextmanager
async def querying(
    service: TelemetryQuery, endpoint: Endpoint, credentials: grpc.ServerCredentials | None
) -> AsyncIterator[str]:
    """Serve until left, then drain; yields the bound address.

    Raises:
        ConfigError: the endpoint cannot be bound.
    """
    async with _serving(service, endpoint, KEY, credentials) as address:
        yield address


@asynccontextmanager
async def querying_locally(service: TelemetryQuery, endpoint: Endpoint) -> AsyncIterator[str]:
    """Serve the operator on this node at a socket that its owner alone may use; an empty address for an endpoint that is off.

    Raises:
        ConfigError: the endpoint cannot be bound.
    """
    if endpoint.is_off:
        yield ""
        return
    async with _serving(service, endpoint, LOCAL_KEY, None, local=True) as address:
        yield address


@asynccontextmanager
async def _serving(
    service: TelemetryQuery, endpoint: Endpoint, key: str, credentials: grpc.ServerCredentials | None, *, local: bool = False
) -> AsyncIterator[str]:
    server = grpc.aio.server(options=_OPTIONS)
    server.add_generic_rpc_handlers((_Methods(service, local=local),))
    with rpc.private_files() if local else nullcontext():
        port = rpc.bind_server(server, endpoint, key, credentials)
    await server.start()
    try:
        yield str(endpoint if endpoint.unix_path else Endpoint(endpoint.host, port))
    finally:
        await server.stop(DRAIN_SECONDS)
        rpc.unlink(endpoint)
