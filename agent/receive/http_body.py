"""A request's body, read and inflated within its limits: bytes, and time."""

from __future__ import annotations

import asyncio
from io import BytesIO

from starlette.requests import Request

from agent import errors
from agent.receive import inflate
from agent.receive.body_budget import BodyShare, inflated_within


class BodyReader:
    """Reads bodies of at most ``max_bytes``, as they come and inflated, that arrive within ``timeout_seconds``."""

    def __init__(self, max_bytes: int, timeout_seconds: float) -> None:
        self._limit = inflate.Limit(max_bytes, "otlp.http.max_request_body_size")
        self._timeout_seconds = timeout_seconds

    async def read(self, request: Request, share: BodyShare) -> bytes:
        """The body without its Content-Encoding; what comes over the wire, and then out of it, is taken from ``share``.

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
        plain = await inflated_within(share, encoding, body, self._limit)
        share.shrink(len(body))
        return plain

    async def _raw(self, request: Request, share: BodyShare) -> bytes:
        if int(request.headers.get("content-length", "0")) > self._limit.max_bytes:
            raise self._limit.error()
        body = BytesIO()
        async for piece in request.stream():
            share.grow(len(piece))
            if body.tell() + len(piece) > self._limit.max_bytes:
                raise self._limit.error()
            body.write(piece)
        return body.getvalue()  # without a copy, as long as nobody else holds it
