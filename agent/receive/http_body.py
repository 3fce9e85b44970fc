"""A request's body, read and inflated within its limits: bytes, and time."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from agent import errors
from agent.receive import inflate

_INLINE_COMPRESSED_BYTES = 4 << 10
"""As gzip or deflate it inflates to 4 MiB at the most, 10 ms; more goes to a thread, and zstd, which has no such ratio."""


class BodyReader:
    """Reads bodies of at most ``max_bytes``, as they come and inflated, that arrive within ``timeout_seconds``."""

    def __init__(self, max_bytes: int, timeout_seconds: float) -> None:
        self._max_bytes = max_bytes
        self._timeout_seconds = timeout_seconds

    async def read(self, request: Request) -> bytes:
        """The body without its Content-Encoding.

        Raises:
            TooLarge: as soon as it is known, from Content-Length or while reading or inflating.
            MalformedExport: an encoding that is not taken, or a body that is not in it.
            DeadlinePassed: the body trickles.
        """
        encoding = request.headers.get("content-encoding", "identity").strip().lower() or "identity"
        if encoding not in {*inflate.SUPPORTED, "none"}:
            raise errors.MalformedExport(f"unsupported Content-Encoding, supported: [{', '.join(inflate.SUPPORTED)}]")
        try:
            async with asyncio.timeout(self._timeout_seconds):
                body = await self._raw(request)
        except TimeoutError:
            raise errors.DeadlinePassed(f"the body took longer than {self._timeout_seconds:g} s") from None
        if encoding in {"identity", "none"}:
            return body
        if len(body) <= _INLINE_COMPRESSED_BYTES and encoding != "zstd":
            return inflate.inflated(encoding, body, self._max_bytes)
        return await asyncio.to_thread(inflate.inflated, encoding, body, self._max_bytes)

    async def _raw(self, request: Request) -> bytes:
        if int(request.headers.get("content-length", "0")) > self._max_bytes:
            raise inflate.too_large(self._max_bytes)
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > self._max_bytes:
                raise inflate.too_large(self._max_bytes)
        return bytes(body)
