"""HTTP under the SDK's client: headers and limits, and each fault of HTTP as a JSON-RPC error.

The SDK ends its whole connection when a request raises, and tells of an HTTP status nothing but that it was an error. Here a
refused connection, a status, a slow or a large reply becomes an error of that one request, with what ``faults`` needs to know.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx2
import structlog

from colony.outcome import one_line
from colony.upstream.credentials import Credentials
from colony.upstream.faults import (
    FAULT,
    Broken,
    NotAllowed,
    ProtocolFault,
    ServerFault,
    SessionLost,
    Throttled,
    TimedOut,
    TooLarge,
    WrongAddress,
)

_log = structlog.get_logger(__name__)

FAULT_CODE = -32050
_CONNECT_SECONDS = 5.0
_PROBE_SECONDS = 3.0
_GOODBYE_SECONDS = 2.0
_LONGEST_REFUSAL = 16 << 10
_SESSION = "mcp-session-id"
_DISCOVER, _LISTEN = "server/discover", "subscriptions/listen"
_LONGEST_RETRY_AFTER = 3600.0


@dataclass(frozen=True, slots=True)
class WireLimits:
    """How long a request may take, and how large its reply may be."""

    seconds: float = 10.0
    max_reply_bytes: int = 8 << 20
    is_authorised_above: bool = False
    """Whether a flow of authorisation stands above, which must see a refusal as it is."""


@cache
def _trusted() -> ssl.SSLContext:
    """The authorities of this machine; read once, since it takes as long as many requests."""
    return httpx2.create_ssl_context()


def network() -> httpx2.AsyncHTTPTransport:
    """Connections to whoever is addressed."""
    return httpx2.AsyncHTTPTransport(verify=_trusted())


class Wire(httpx2.AsyncBaseTransport):
    """A transport in front of another; raises nothing but what a cancelled task does."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, credentials: Credentials, limits: WireLimits) -> None:
        self._inner = inner
        self._credentials = credentials
        self._limits = limits
        self._session = ""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; the reply, or an error that stands for it."""
        try:
            request.headers.update(self._credentials.current())
        except NotAllowed as error:
            return _refusal(request, NotAllowed.word, error.message)
        request.headers["accept-encoding"] = "identity"  # what is counted is what is read
        seconds = self._seconds(request)
        request.extensions = {**request.extensions, "timeout": _timeouts(seconds)}
        try:
            async with asyncio.timeout(seconds):
                response = await self._inner.handle_async_request(request)
                return await self._told(request, response)
        except (TimeoutError, httpx2.TimeoutException):
            return _refusal(request, TimedOut.word, "no answer within the deadline")
        except httpx2.ConnectError as error:
            return _refusal(request, Broken.word, f"cannot connect: {_reason(error)}")
        except httpx2.TransportError:
            return _refusal(request, Broken.word, "the connection ended before the answer")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()

    def _seconds(self, request: httpx2.Request) -> float | None:
        """None for streams that stay open: the era before has them on GET, the newer one on a POST."""
        method = request.headers.get("mcp-method", "")
        if request.method == "GET" or method == _LISTEN:
            return None
        if request.method == "DELETE":
            return _GOODBYE_SECONDS
        return min(_PROBE_SECONDS, self._limits.seconds / 2) if method == _DISCOVER else self._limits.seconds

    async def _told(self, request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        if request.method == "DELETE":  # 200, 204, 404 and 405 alike: the session is no more
            await response.aclose()
            return httpx2.Response(204, request=request)
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            await response.aclose()
            return _refusal(request, ProtocolFault.word, "the reply is compressed, which was not asked for")
        session = response.headers.get(_SESSION)
        if session and session != self._session:
            _log.debug("an upstream's session", session=f"…{session[-4:]}")
            self._session = session
        if self._limits.is_authorised_above and (response.status_code in (401, 403) or not _is_mcp(request)):
            return await self._read(request, response)
        if response.status_code >= 400:
            return await self._status(request, response)
        return await self._succeeded(request, response)

    async def _succeeded(self, request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        kind = response.headers.get("content-type", "").lower()
        if kind.startswith("text/event-stream"):
            return self._streamed(request, response)
        if kind.startswith("application/json"):
            return await self._read(request, response)
        return response

    async def _read(self, request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        body = await _body(response, self._limits.max_reply_bytes)
        if body is None:
            return _refusal(request, TooLarge.word, self._too_large)
        status = 400 if b'"error"' in body and _is_of_nobody(body) else response.status_code
        return httpx2.Response(status, headers=_plain(response), content=body, request=request)

    @property
    def _too_large(self) -> str:
        return f"the reply is over {self._limits.max_reply_bytes} bytes (max_reply_bytes)"

    async def _status(self, request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        body = await _body(response, _LONGEST_REFUSAL) or b""
        status = response.status_code
        if _is_rpc_error(response, body) and status not in (401, 403, 429) and status < 500:
            return httpx2.Response(status, headers=_plain(response), content=body, request=request)
        said = one_line(self._credentials.hidden(body.decode("utf-8", "replace")))[:120]
        about = f"HTTP {status}" + (f": {said}" if said and not said.startswith("<") else "")
        if status in (401, 403):
            return _refusal(request, NotAllowed.word, f"{about}; look at its token and tenant", status)
        if status in (429, 503):
            return _refusal(request, Throttled.word, about, status, retry_after=_retry_after(response))
        if _SESSION in request.headers and (status == 404 or (status == 400 and "session" in said.lower())):
            return _refusal(request, SessionLost.word, "it does not know this session any more", status)
        if status in (404, 405):
            hint = "no MCP server at this address; look at url, and whether the server has MCP turned on"
            return _refusal(request, WrongAddress.word, f"HTTP {status}: {hint}", status)
        return _refusal(request, ServerFault.word, about, status)

    def _streamed(self, request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        is_bounded = self._seconds(request) is not None
        chunks = self._bounded(response) if is_bounded else response.aiter_bytes()
        return httpx2.Response(
            response.status_code, headers=_plain(response), stream=_Stream(chunks, response), request=request
        )

    async def _bounded(self, response: httpx2.Response) -> AsyncIterator[bytes]:
        """An event stream's bytes; one that is too long ends in an event that says so."""
        left, until = self._limits.max_reply_bytes, time.monotonic() + self._limits.seconds
        chunks = response.aiter_bytes()
        while True:
            try:
                async with asyncio.timeout(max(0.0, until - time.monotonic())):
                    chunk = await anext(chunks, None)
            except TimeoutError:
                yield _event(TimedOut.word, "no answer within the deadline")
                return
            if chunk is None:
                return
            left -= len(chunk)
            if left < 0:
                yield _event(TooLarge.word, self._too_large)
                return
            yield chunk


class _Stream(httpx2.AsyncByteStream):
    def __init__(self, chunks: AsyncIterator[bytes], response: httpx2.Response) -> None:
        self._chunks = chunks
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._chunks:
            yield chunk

    async def aclose(self) -> None:
        await self._response.aclose()


def _is_mcp(request: httpx2.Request) -> bool:
    """Whether it is the protocol's own: others are made by a flow of authorisation."""
    return "text/event-stream" in request.headers.get("accept", "")


def _timeouts(seconds: float | None) -> dict[str, float | None]:
    connect = _CONNECT_SECONDS if seconds is None else min(_CONNECT_SECONDS, seconds)
    return {"connect": connect, "read": seconds, "write": seconds, "pool": seconds}


async def _body(response: httpx2.Response, longest: int) -> bytes | None:
    """The body; None when it is longer."""
    found = bytearray()
    try:
        async for chunk in response.aiter_bytes():
            found += chunk
            if len(found) > longest:
                return None
    finally:
        await response.aclose()
    return bytes(found)


def _plain(response: httpx2.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name not in ("content-length", "transfer-encoding")}


def _is_rpc_error(response: httpx2.Response, body: bytes) -> bool:
    if not response.headers.get("content-type", "").lower().startswith("application/json"):
        return False
    try:
        document = json.loads(body)
    except ValueError:
        return False
    return isinstance(document, dict) and isinstance(document.get("error"), dict) and "code" in document["error"]


def _is_of_nobody(body: bytes) -> bool:
    """Whether it is an error without the request's id: the SDK waits on at 200, and takes it as this request's at 400."""
    try:
        document = json.loads(body)
    except ValueError:
        return False
    return isinstance(document, dict) and document.get("id") is None and isinstance(document.get("error"), dict)


def _retry_after(response: httpx2.Response) -> float | None:
    """Seconds; a date is too vague between two clocks to wait for."""
    try:
        seconds = float(response.headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds <= _LONGEST_RETRY_AFTER else None


def _error(word: str, message: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 JSON
    return {"jsonrpc": "2.0", "id": None, "error": {"code": FAULT_CODE, "message": message, "data": {FAULT: word, **more}}}


def _refusal(request: httpx2.Request, word: str, message: str, status: int = 0, **more: Any) -> httpx2.Response:  # noqa: ANN401 JSON
    document = _error(word, message, status=status, **more)
    return httpx2.Response(400, json=document, request=request)


def _event(word: str, message: str) -> bytes:
    """Whatever came before becomes an event of no known type."""
    return b"\nevent: discarded\n\nevent: message\ndata: " + json.dumps(_error(word, message)).encode() + b"\n\n"


def _reason(error: Exception) -> str:
    """Why a connection failed: of TLS and of names what OpenSSL and the resolver say."""
    return one_line(str(error))[:120] or "no reason given"
