"""A request's body, read and inflated within its limits: bytes, and time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request

from agent import errors
from agent.receive import inflate

_INLINE_COMPRESSED_BYTES = 4 << 10
"""As gzip or deflate it inflates to 4 MiB at the most, 10 ms; more goes to a thread, and zstd, which has no such ratio."""


class BodyBudget:
    """The bytes of all bodies that are being read and made into protobuf, together at most ``max_bytes``."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0

    @contextmanager
    def share(self) -> Iterator[BodyShare]:
        """One body's part of it, given back at the end."""
        share = BodyShare(self)
        try:
            yield share
        finally:
            self._bytes -= share.bytes

    def take(self, nbytes: int) -> None:
        """A little more.

        Raises:
            QueueFull: there is no more.
        """
        if self._bytes + nbytes > self._max_bytes:
            raise errors.QueueFull(
                f"bodies of {self._bytes} bytes are being read, limits.queue_bytes allows {self._max_bytes}: "
                "try again, or raise it"
            )
        self._bytes += nbytes


class BodyShare:
    """What one body has of a budget."""

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self.bytes = 0

    def grow(self, nbytes: int) -> None:
        """As the body comes; ``QueueFull`` as the budget has it."""
        self._budget.take(nbytes)
        self.bytes += nbytes


class BodyReader:
    """Reads bodies of at most ``max_bytes``, as they come and inflated, that arrive within ``timeout_seconds``."""

    def __init__(self, max_bytes: int, timeout_seconds: float) -> None:
        self._max_bytes = max_bytes
        self._timeout_seconds = timeout_seconds

    async def read(self, request: Request, share: BodyShare) -> bytes:
        """The body without its Content-Encoding; what comes over the wire is taken from ``share``.

        Raises:
            QueueFull: too much is being read already.
            TooLarge: as soon as it is known, from Content-Length or while reading or inflating.
            MalformedExport: an encoding that is not taken, or a body that is not in it.
            DeadlinePassed: the body trickles.
        """
        encoding = request.headers.get("content-encoding", "identity").strip().lower() or "identity"
        if encoding not in {*inflate.SUPPORTED, "none"}:
            raise errors.MalformedExport(f"unsupported Content-Encoding, supported: [{', '.join(inflate.SUPPORTED)}]")
        try:
            async with asyncio.timeout(self._timeout_seconds):
                body = await self._raw(request, share)
        except TimeoutError:
            raise errors.DeadlinePassed(f"the body took longer than {self._timeout_seconds:g} s") from None
        if encoding in {"identity", "none"}:
            return body
        if len(body) <= _INLINE_COMPRESSED_BYTES and encoding != "zstd":
            return inflate.inflated(encoding, body, self._max_bytes)
        return await asyncio.to_thread(inflate.inflated, encoding, body, self._max_bytes)

    async def _raw(self, request: Request, share: BodyShare) -> bytes:
        if int(request.headers.get("content-length", "0")) > self._max_bytes:
            raise inflate.too_large(self._max_bytes)
        body = bytearray()
        async for piece in request.stream():
            share.grow(len(piece))
            body += piece
            if len(body) > self._max_bytes:
                raise inflate.too_large(self._max_bytes)
        return bytes(body)
