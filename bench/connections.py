"""Connections of the client to an OTLP endpoint: gRPC, or HTTP/1.1 with protobuf. Requests go out as the bytes they are."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

import grpc
import grpc.aio
import httptools

EXPORT = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
TIMEOUT_SECONDS = 30.0
HTTP = "http://"
PROTOBUF = b"application/x-protobuf"

_PARALLEL = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]


class Refused(Exception):
    """A request without an acknowledgement. The message is a gRPC code, an HTTP status or what became of the connection."""


class Connection(Protocol):
    """One connection, kept open from request to request."""

    async def export(self, payload: bytes) -> bytes:
        """The acknowledgement: an OTLP response, empty when there is none.

        Raises:
            Refused: the answer was another, or did not come in its time.
        """

    async def close(self) -> None: ...


async def connected(endpoint: str, signal: str) -> Connection:
    """A connection to ``HOST:PORT``, which is gRPC, or to the signal's own ``http://HOST:PORT/path``.

    Raises:
        OSError: nobody listens there; a TimeoutError, for gRPC.
    """
    if endpoint.startswith(HTTP):
        connection = _Http(endpoint)
        await connection.connect()
        return connection
    channel = grpc.aio.insecure_channel(endpoint, options=_PARALLEL)
    await asyncio.wait_for(channel.channel_ready(), TIMEOUT_SECONDS)
    return _Grpc(channel, EXPORT[signal])


class _Grpc:
    def __init__(self, channel: grpc.aio.Channel, method: str) -> None:
        self._channel = channel
        self._call: Any = channel.unary_unary(method, None, None)

    async def export(self, payload: bytes) -> bytes:
        try:
            return cast("bytes", await self._call(payload, timeout=TIMEOUT_SECONDS))
        except grpc.aio.AioRpcError as error:
            raise Refused(error.code().name) from error

    async def close(self) -> None:
        await self._channel.close(None)


class _Http:
    """One request at a time; a connection that the server closed is opened again for the next."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        fields = f"Host: {parts.netloc}\r\nContent-Type: {PROTOBUF.decode()}\r\nContent-Length: "
        self._head = f"POST {target} HTTP/1.1\r\n{fields}".encode()
        self._turn = asyncio.Lock()
        self._wire: _Wire | None = None

    async def connect(self) -> _Wire:
        _, self._wire = await asyncio.get_running_loop().create_connection(_Wire, self._host, self._port)
        return self._wire

    async def export(self, payload: bytes) -> bytes:
        async with self._turn:
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    is_open = self._wire is not None and not self._wire.is_closing
                    wire = cast("_Wire", self._wire) if is_open else await self.connect()
                    status, body = await wire.ask(self._head + b"%d\r\n\r\n" % len(payload), payload)
            except OSError as error:
                await self.close()
                raise Refused(type(error).__name__) from error
        if not 200 <= status < 300:
            raise Refused(f"HTTP {status}")
        return body

    async def close(self) -> None:
        if self._wire is not None:
            self._wire.transport.abort()


class _Wire(asyncio.Protocol):
    """Bytes out, one reply in; also what ``httptools`` calls while it reads that."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._lost = False
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._begin()

    def _begin(self) -> None:
        self._parser, self._body, self._is_otlp = httptools.HttpResponseParser(self), bytearray(), False

    @property
    def is_closing(self) -> bool:
        return self._lost or self.transport.is_closing()

    async def ask(self, head: bytes, payload: bytes) -> tuple[int, bytes]:
        """The status and, if it is protobuf, the body.

        Raises:
            ConnectionResetError: the connection ended first, or what came is not HTTP.
        """
        self._begin()
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.writelines([head, payload])
        return await self._answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError(str(exc)))

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"content-type":
            self._is_otlp = value.startswith(PROTOBUF)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if not self._parser.should_keep_alive():
            self.transport.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((self._parser.get_status_code(), bytes(self._body) if self._is_otlp else b""))
