"""OTLP over gRPC: Export for each signal on raw bytes, every error a status that senders understand.

No deserializer: grpc would answer bytes it cannot decode with INTERNAL, and parse on the event loop. Compression (gzip,
deflate) and the size limit, which it also enforces while it inflates, are grpc's own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
import grpc.aio

from agent.batch import Signal
from agent.endpoint import Endpoint
from agent.receive import replies
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
    for signal in signals:
        export = grpc.unary_unary_rpc_method_handler(_export(receiver, signal))
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
        ("grpc.max_receive_message_length", settings.max_recv_msg_size_mib << 20),
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


def _export(receiver: Receiver, signal: Signal) -> Callable[[bytes, _Context], Awaitable[bytes]]:
    async def export(payload: bytes, context: _Context) -> bytes:
        try:
            receipt = await receiver.take(signal, TRANSPORT, payload)
            return replies.receipt_message(signal, receipt).SerializeToString()
        except Exception as error:  # noqa: BLE001  # receiver.take has counted and logged it; no error may become UNKNOWN
            await abort(context, error)

    return export
