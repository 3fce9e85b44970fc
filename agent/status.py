"""One table from errors to what the two transports say, and the messages of google.rpc that say it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import grpc
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # no types published

from agent import errors

RETRY_DELAY_SECONDS = 1.7
"""RetryInfo. Of the delays tried, the Python SDK (10 s budget, 6 attempts) survives the longest fault with this one."""

RETRY_AFTER_SECONDS = 2
"""Retry-After takes whole seconds."""


@dataclass(frozen=True, slots=True)
class Status:
    """How an error is said: the gRPC code, the HTTP code, whether a retry can cure it, and the text."""

    grpc_code: grpc.StatusCode
    http_code: int
    retryable: bool
    message: str


_TABLE: tuple[tuple[type[errors.AgentError], grpc.StatusCode, int, bool], ...] = (
    (errors.Rejected, grpc.StatusCode.INVALID_ARGUMENT, 400, False),
    (errors.TooLarge, grpc.StatusCode.RESOURCE_EXHAUSTED, 413, False),
    (errors.Denied, grpc.StatusCode.PERMISSION_DENIED, 403, False),
    (errors.TooManyQueries, grpc.StatusCode.RESOURCE_EXHAUSTED, 429, True),
    (errors.Overloaded, grpc.StatusCode.UNAVAILABLE, 503, True),
    (errors.DeadlinePassed, grpc.StatusCode.DEADLINE_EXCEEDED, 504, False),
    (errors.StoreUnavailable, grpc.StatusCode.UNAVAILABLE, 503, True),
)

_UNEXPECTED = Status(grpc.StatusCode.UNAVAILABLE, 503, True, "unexpected fault in the agent; its log has the details")
"""Never UNKNOWN, INTERNAL or 500: OTLP clients drop the data on those."""


def status_of(error: Exception) -> Status:
    """The status for any exception; one that is not an ``AgentError`` gets a fixed text and says nothing of itself."""
    for kind, code, http_code, retryable in _TABLE:
        if isinstance(error, kind):
            return Status(code, http_code, retryable, error.message)
    return _UNEXPECTED


MAX_ERROR_MESSAGE = 1 << 10
"""Characters. On gRPC it stands in the trailers, twice, and clients take 8 KiB of those."""


def shortened(text: str, limit: int) -> str:
    """At most ``limit`` characters; an ellipsis says that some are missing."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def error_status(error: Exception) -> Status:
    """The status for any exception, its message short enough for trailers."""
    status = status_of(error)
    return dataclasses.replace(status, message=shortened(status.message, MAX_ERROR_MESSAGE))


def retry_info() -> error_details_pb2.RetryInfo:
    """When to come again."""
    delay = duration_pb2.Duration()
    delay.FromMilliseconds(round(RETRY_DELAY_SECONDS * 1000))
    return error_details_pb2.RetryInfo(retry_delay=delay)


def status_message(status: Status) -> status_pb2.Status:
    """``google.rpc.Status``: with RetryInfo when a retry can help, with BadRequest when the request is at fault."""
    message = status_pb2.Status(code=status.grpc_code.value[0], message=status.message)
    if status.retryable:
        message.details.add().Pack(retry_info())
    elif status.http_code == 400:
        violation = error_details_pb2.BadRequest.FieldViolation(description=status.message)
        field, colon, _ = status.message.partition(": ")
        if colon and " " not in field:
            violation.field = field
        message.details.add().Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    return message
