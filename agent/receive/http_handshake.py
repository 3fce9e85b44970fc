"""TLS before HTTP: a connection counts from when it is accepted, not from the end of its handshake, which has its time.

A server that is given an SSL context hands its connections over after the handshake, and cannot count those that stay in it.
So they are accepted as plain TCP, counted, and taken through the handshake from here.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast


class Handshakes:
    """Those of one server that are not done; ``close`` ends them."""

    def __init__(self, context: ssl.SSLContext, max_connections: int, timeout_seconds: float) -> None:
        self._context = context
        self._max_connections = max_connections
        self._timeout_seconds = timeout_seconds
        self._open: set[_Handshake] = set()

    def before(self, inner: asyncio.Protocol, connections: Callable[[], int]) -> asyncio.Protocol:
        """The protocol of a connection that is to become ``inner``'s; ``connections`` says how many are past this."""
        return _Handshake(self, inner, connections)

    async def close(self) -> None:
        """Cut off all that are open."""
        tasks = [handshake.task for handshake in self._open if handshake.task is not None]
        for handshake in tuple(self._open):
            handshake.cut_off()
        await asyncio.gather(*tasks, return_exceptions=True)

    def enter(self, handshake: _Handshake, connections: int) -> asyncio.TimerHandle | None:
        """Its deadline, or None when there are too many connections."""
        if len(self._open) + connections >= self._max_connections:
            return None
        self._open.add(handshake)
        return asyncio.get_running_loop().call_later(self._timeout_seconds, handshake.cut_off)

    def leave(self, handshake: _Handshake) -> None:
        """It is over, one way or the other."""
        self._open.discard(handshake)

    async def secured(self, transport: asyncio.Transport, inner: asyncio.Protocol, first: bytes) -> asyncio.Transport | None:
        """The transport behind the handshake, of which ``first`` has come already; None when the connection is lost."""
        loop = asyncio.get_running_loop()
        shaking = loop.create_task(
            loop.start_tls(transport, inner, self._context, server_side=True, ssl_handshake_timeout=self._timeout_seconds)
        )
        try:
            for _ in range(2):  # loop iterations: it begins, it is in place
                await asyncio.sleep(0)
            if not shaking.done():
                _push(cast("asyncio.BufferedProtocol", transport.get_protocol()), first)  # asyncio's, uvloop's: both are
            secure = await shaking
        finally:
            shaking.cancel()
        return None if transport.is_closing() else secure


class _Handshake(asyncio.Protocol):
    """A connection until it is through; it begins with the first bytes, since uvloop cannot be told to read none before."""

    def __init__(self, handshakes: Handshakes, inner: asyncio.Protocol, connections: Callable[[], int]) -> None:
        self._handshakes = handshakes
        self._inner = inner
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        self._transport = transport
        self._deadline = self._handshakes.enter(self, self._connections())
        if self._deadline is None:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._transport is None or self._deadline is None:
            return
        self._transport.pause_reading()
        self.task = asyncio.get_running_loop().create_task(self._shake(self._transport, data))

    def connection_lost(self, exc: Exception | None) -> None:
        self._over()

    def cut_off(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.abort()
        self._over()

    async def _shake(self, transport: asyncio.Transport, first: bytes) -> None:
        try:
            secure = await self._handshakes.secured(transport, self._inner, first)
        except OSError:  # ssl.SSLError is one, and what a timeout or a peer that has gone raise
            transport.abort()
        else:
            if secure is not None:
                self._inner.connection_made(secure)
        finally:
            self._over()

    def _over(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._handshakes.leave(self)


def _push(protocol: asyncio.BufferedProtocol, octets: bytes) -> None:
    """Hands bytes to a protocol as its transport does."""
    while octets:
        buffer = memoryview(protocol.get_buffer(len(octets)))
        size = min(len(buffer), len(octets))
        buffer[:size] = octets[:size]
        protocol.buffer_updated(size)
        octets = octets[size:]
