"""Serves TelemetryQuery on its port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from agent import rpc
from agent.endpoint import Endpoint
from agent.query.service import TelemetryQuery

KEY = "query.endpoint"
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


def _handlers(service: TelemetryQuery) -> grpc.GenericRpcHandler[Any, Any]:
    """The service's methods by its descriptor. Unlike the generated code this takes answers that are in wire form already."""
    described = api.DESCRIPTOR.services_by_name["TelemetryQuery"]
    return grpc.method_handlers_generic_handler(
        described.full_name,
        {
            method.name: grpc.unary_unary_rpc_method_handler(
                getattr(service, method.name),
                request_deserializer=GetMessageClass(method.input_type).FromString,
                response_serializer=_wire,
            )
            for method in described.methods
        },
    )


def _wire(reply: bytes | Message) -> bytes:
    return reply if isinstance(reply, bytes) else reply.SerializeToString()


@asynccontextmanager
async def querying(
    service: TelemetryQuery, endpoint: Endpoint, credentials: grpc.ServerCredentials | None
) -> AsyncIterator[str]:
    """Serve until left, then drain; yields the bound address.

    Raises:
        ConfigError: the endpoint cannot be bound.
    """
    server = grpc.aio.server(options=_OPTIONS)
    server.add_generic_rpc_handlers((_handlers(service),))
    port = rpc.bind_server(server, endpoint, KEY, credentials)
    await server.start()
    try:
        yield str(endpoint if endpoint.unix_path else Endpoint(endpoint.host, port))
    finally:
        await server.stop(DRAIN_SECONDS)
        rpc.unlink(endpoint)
