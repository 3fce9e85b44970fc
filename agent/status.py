"""One table from errors to what the two transports say."""

from __future__ import annotations

from dataclasses import dataclass

import grpc

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
