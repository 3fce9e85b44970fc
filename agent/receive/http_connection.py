"""One HTTP connection within bounds that uvicorn lacks: time and bytes for a head, its age, and how many connections.

The time for a body is ``http_body``'s. uvicorn's ``limit_concurrency`` is no such bound: it counts idle connections too and
refuses the requests of everybody.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from agent.receive import http_replies as replies
from agent.receive.http_handshake import Handshakes


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What one connection may cost before it sends a request, and how many there may be."""

    head_timeout_seconds: float = 60
    max_head_bytes: int = 64 << 10
    max_connections: int = 1024
    max_age_seconds: float = 3600
    handshake_timeout_seconds: float = 10


class _Refusal(NamedTuple):
    http_code: int
    text: str


_NOT_HTTP = _Refusal(400, "this is not an HTTP/1.1 request; send HTTP/1.1, HTTP/2 is not spoken here")
_LONG_HEAD = _Refusal(431, "the request's line and headers are too long")


def connections_within(limits: ConnectionLimits, handshakes: Handshakes | None = None) -> type[asyncio.Protocol]:
    """Uvicorn's protocol with ``limits``, behind ``handshakes`` if there are any; uvicorn calls it once per connection."""

    def connection(
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: Any = None,  # noqa: ANN401 uvicorn passes it by position, unused
    ) -> asyncio.Protocol:
        inner = _Connection(limits, config, server_state, app_state)
        return inner if handshakes is None else handshakes.before(inner, lambda: len(server_state.connections))

    return cast("type[asyncio.Protocol]", connection)


class _Connection(HttpToolsProtocol):
    """Counts a head from its first byte to its end, in bytes and in seconds; a new connection owes one at once."""

    def __init__(self, limits: ConnectionLimits, config: Config, server_state: ServerState, app_state: dict[str, Any]) -> None:
        super().__init__(config, server_state, app_state)
        self._limits = limits
        self._in_head = False
        self._head_bytes = 0
        self._head_deadline: asyncio.TimerHandle | None = None
        self._made = 0.0
        self._early: list[bytes] | None = []

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        if self._early is None:
            return
        super().connection_made(transport)
        self._made = self.loop.time()
        if len(self.connections) > self._limits.max_connections:
            transport.abort()
            return
        self._expect_head()
        early, self._early = self._early, []
        for data in early:
            self.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._early = None
        self._forget_deadline()
        if self.transport is not None:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport is None:  # in the packet that ended the handshake, before anybody was told that it ended
            if self._early is not None:
                self._early.append(data)
            return
        if self.transport.is_closing():
            return
        if self._head_deadline is None and self._is_idle():
            # uvicorn forgets its own timeout with the first byte, be it a blank line or the rest of a refused body.
            self._expect_head()
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self._limits.max_head_bytes:
                self._refuse(_LONG_HEAD)

    def on_message_begin(self) -> None:
        self._forget_deadline()
        self._expect_head()
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._forget_deadline()
        self._in_head = False
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > self._limits.max_head_bytes:
            self._refuse(_LONG_HEAD)
            return
        super().on_headers_complete()
        if self.cycle is not None and self.loop.time() - self._made >= self._limits.max_age_seconds:
            self.cycle.keep_alive = False  # the answer says so, and is the last

    def send_400_response(self, msg: str) -> None:
        self._refuse(_NOT_HTTP)

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _expect_head(self) -> None:
        self._head_bytes = 0
        self._head_deadline = self.loop.call_later(self._limits.head_timeout_seconds, self._head_is_late)

    def _forget_deadline(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def _head_is_late(self) -> None:
        self._head_deadline = None
        if self._is_idle():
            self.transport.close()
        else:  # the head of a request that waits for the one before it, whose sender is not read until then
            self._expect_head()

    def _refuse(self, refusal: _Refusal) -> None:
        if self.transport.is_closing():
            return
        if self._is_idle() or (refusal is _NOT_HTTP and not self.pipeline and not self.cycle.response_started):
            self.transport.write(replies.raw(refusal.http_code, refusal.text))
        self.transport.close()
