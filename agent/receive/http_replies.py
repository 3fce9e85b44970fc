"""HTTP answers in the request's encoding: success, google.rpc.Status for every error, and the close after a body unread."""

from __future__ import annotations

import asyncio
import contextlib
import enum
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus

import grpc
from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from agent.batch import Receipt, Signal
from agent.receive import replies
from agent.status import RETRY_AFTER_SECONDS, Status, error_status, status_message

_OWN_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.UNIMPLEMENTED,
    405: grpc.StatusCode.UNIMPLEMENTED,
    415: grpc.StatusCode.INVALID_ARGUMENT,
    431: grpc.StatusCode.INVALID_ARGUMENT,
}
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 64 << 20


class Media(enum.StrEnum):
    """The two encodings of OTLP."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


def media_of(request: Request) -> Media | None:
    """From Content-Type, its case and parameters aside; ``None`` for anything else."""
    text = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return next((media for media in Media if media == text), None)


def success(media: Media, signal: Signal, receipt: Receipt) -> Response:
    """200, with partial_success where there is something to say."""
    return _response(media, 200, replies.receipt_message(signal, receipt))


def error(media: Media | None, cause: Exception) -> Response:
    """Any exception as ``status_of`` has it; Retry-After exactly when a retry can help."""
    status = error_status(cause)
    headers = {"retry-after": str(RETRY_AFTER_SECONDS)} if status.retryable else {}
    if status.http_code not in {413, 504}:
        return _response(media, status.http_code, status_message(status), headers)
    headers["connection"] = "close"
    return _response(media, status.http_code, status_message(status), headers, _ClosingResponse)


def plain(media: Media | None, http_code: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """An error of HTTP's own: path, method, media type, origin."""
    return _response(media, http_code, _own_status(http_code, text), headers)


def raw(http_code: int, text: str) -> bytes:
    """An answer to what is no request yet, as it goes over the wire: in JSON, since no encoding is known."""
    body = replies.json_of(_own_status(http_code, text))
    lines = (
        f"HTTP/1.1 {http_code} {HTTPStatus(http_code).phrase}",
        f"content-type: {Media.JSON}",
        f"content-length: {len(body)}",
        f"date: {formatdate(usegmt=True)}",
        "connection: close",
    )
    return "\r\n".join([*lines, "", ""]).encode() + body


def _own_status(http_code: int, text: str) -> Message:
    message: Message = status_message(Status(_OWN_CODES[http_code], http_code, False, text))
    return message


class _ClosingResponse(Response):
    """Says everything, then takes in some of what the sender still sends, then closes.

    Closed at once, TCP would reset the connection, and the sender would never see why.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                await _discard(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _discard(receive: Receive) -> None:
    left = _LINGER_BYTES
    while left > 0:
        message = await receive()
        if not message.get("more_body"):
            return
        left -= len(message["body"])


def _response(
    media: Media | None,
    http_code: int,
    message: Message,
    headers: Mapping[str, str] | None = None,
    kind: type[Response] = Response,
) -> Response:
    """A sender of neither encoding is a person with curl: JSON."""
    media = media or Media.JSON
    body = message.SerializeToString() if media is Media.PROTOBUF else replies.json_of(message)
    return kind(body, http_code, {"content-type": media, "date": formatdate(usegmt=True), **(headers or {})})
