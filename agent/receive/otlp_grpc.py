"""OTLP over gRPC: Export for each signal on raw bytes, every error a status that senders understand.

No deserializer: grpc would answer bytes it cannot decode with INTERNAL, and parse on the event loop. Nor may it inflate: it
would do so on whichever thread finds the whole message, often the loop's, a fifth of a second for 64 MiB. Compressed messages
(gzip, deflate) come as they are, and are known by how they begin, since grpc keeps to itself which they are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
import grpc.aio

from agent import errors
from agent.batch import Signal
from agent.endpoint import Endpoint
from agent.receive import replies
from agent.receive.body_budget import BodyBudget, inflated_within
from agent.receive.inflate import Limit, encoding_of
from agent.receive.receiver import Receiver
from agent.rpc import abort, bind_server, unlink
from agent.tls import Certificate

TRANSPORT = "grpc"

_KEY = "otlp.grpc.endpoint"
_SERVICES = {
    Signal.TRACES: "opentelemetry.proto.collector.trace.v1.TraceService",
    Signal.METRICS: "opentelemetry.proto.collector.metrics.v1.MetricsService",
    Signal.LOGS: "opentelemetry.proto.collector.logs.v1.LogsService",
}
_Context = grpc.aio.ServicerContext[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Keepalive:
    """Pings and connection ages; grpc's own names, in seconds."""

    time_seconds: float = 7200
    timeout_seconds: float = 20
    min_time_seconds: float = 10
    permit_without_stream: bool = True
    max_connection_age_seconds: float = 3600
    max_connection_age_grace_seconds: float = 60


@dataclass(frozen=True, slots=True)
class GrpcSettings:
    """``[otlp.grpc]``."""

    endpoint: Endpoint
    max_recv_msg_size_mib: int = 64
    max_reading_bytes: int = 256 << 20
    max_concurrent_streams: int = 64
    max_connections: int = 512
    handshake_timeout_seconds: float = 10
    drain_seconds: float = 5
    keepalive: Keepalive = field(default_factory=Keepalive)


@asynccontextmanager
async def serving_otlp_grpc(
    settings: GrpcSettings, receiver: Receiver, signals: Collection[Signal], certificate: Certificate | None = None
) -> AsyncIterator[int]:
    """Serves until left, then drains; yields the port (0 for a unix socket). TLS exactly with a ``certificate``.

    Raises:
        ConfigError: the endpoint cannot be bound.
    """
    server = grpc.aio.server(options=_options(settings))
    messages = _Messages(settings)
    for signal in signals:
        export = grpc.unary_unary_rpc_method_handler(_export(receiver, signal, messages))
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICES[signal], {"Export": export}),))
    credentials = None if certificate is None else certificate.grpc_credentials()
    port = bind_server(server, settings.endpoint, _KEY, credentials)
    await server.start()
    try:
        yield port
    finally:
        await server.stop(settings.drain_seconds)
        unlink(settings.endpoint)


def _options(settings: GrpcSettings) -> list[tuple[str, int]]:
    keepalive = settings.keepalive
    return [
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", settings.max_recv_msg_size_mib << 20),  # as they come
        ("grpc.per_message_decompression", 0),
        # A request of 300 KB read in a few pieces costs a seventh less of grpc's CPU than in pieces of 8 KiB.
        ("grpc.experimental.tcp_min_read_chunk_size", 1 << 16),
        ("grpc.experimental.tcp_read_chunk_size", 1 << 18),
        ("grpc.experimental.tcp_max_read_chunk_size", 1 << 20),
        # grpc.maximum_concurrent_rpcs would answer RESOURCE_EXHAUSTED without RetryInfo: the Collector drops on that.
        ("grpc.max_concurrent_streams", settings.max_concurrent_streams),
        # It counts streams that are answered but not yet freed: of 300 calls at once on one connection a tenth to a half
        # were refused with UNAVAILABLE, and Node's exporter never retries. Without it all wait at the client.
        ("grpc.http.overload_protection", 0),
        ("grpc.max_allowed_incoming_connections", settings.max_connections),
        ("grpc.server_handshake_timeout_ms", _ms(settings.handshake_timeout_seconds)),
        ("grpc.keepalive_time_ms", _ms(keepalive.time_seconds)),
        ("grpc.keepalive_timeout_ms", _ms(keepalive.timeout_seconds)),
        ("grpc.keepalive_permit_without_calls", int(keepalive.permit_without_stream)),
        ("grpc.http2.min_ping_interval_without_data_ms", _ms(keepalive.min_time_seconds)),
        ("grpc.max_connection_age_ms", _ms(keepalive.max_connection_age_seconds)),
        ("grpc.max_connection_age_grace_ms", _ms(keepalive.max_connection_age_grace_seconds)),
    ]


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


class _Messages:
    """Makes what comes into protobuf bytes, within the door's limits."""

    def __init__(self, settings: GrpcSettings) -> None:
        self._limit = Limit(settings.max_recv_msg_size_mib << 20, "otlp.grpc.max_recv_msg_size_mib")
        self._budget = BodyBudget(settings.max_reading_bytes)

    async def plain(self, message: bytes) -> bytes:
        """The message inflated, if it is compressed.

        Raises:
            TooLarge, QueueFull: as it inflates.
            MalformedExport: gzip that is cut off or broken; what only looked like zlib is handed on, for the decoder to judge.
        """
        encoding = encoding_of(message)
        if encoding is None:
            return message
        try:
            with self._budget.share() as share:
                return await inflated_within(share, encoding, message, self._limit)
        except errors.MalformedExport:
            if encoding == "deflate":
                return message
            raise


def _export(receiver: Receiver, signal: Signal, messages: _Messages) -> Callable[[bytes, _Context], Awaitable[bytes]]:
    async def export(message: bytes, context: _Context) -> bytes:
        try:
            receipt = await receiver.take(signal, TRANSPORT, await _plain(message))
            return replies.receipt_message(signal, receipt).SerializeToString()
        except Exception as error:  # noqa: BLE001  # it is counted and logged; no error may become UNKNOWN
            await abort(context, error)

    async def _plain(message: bytes) -> bytes:
        try:
            return await messages.plain(message)
        except Exception as error:
            receiver.refuse(signal, TRANSPORT, error)
            raise

    return export
