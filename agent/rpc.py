"""What both gRPC doors share: binding an address alone, and errors as statuses with their details."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, NoReturn

import grpc
import grpc.aio
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # no types published

from agent import errors
from agent.endpoint import Endpoint
from agent.status import RETRY_DELAY_SECONDS, Status, status_of
from agent.web import bind

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


async def abort(context: grpc.aio.ServicerContext[Any, Any], error: Exception) -> NoReturn:
    """End a call with the status of an error and both trailers that clients read a retry delay from."""
    status = error_status(error)
    details = status_message(status)
    trailers: list[tuple[str, bytes]] = []
    if details.details:
        trailers.append(("grpc-status-details-bin", details.SerializeToString()))
    if status.retryable:
        # Python's exporter reads the delay from this one only, the Collector and Go from the other.
        trailers.append(("google.rpc.retryinfo-bin", retry_info().SerializeToString()))
    await context.abort(status.grpc_code, status.message, tuple(trailers))
    raise AssertionError("abort raises")


def bind_server(
    server: grpc.aio.Server, endpoint: Endpoint, key: str, credentials: grpc.ServerCredentials | None = None
) -> int:
    """Bind a server's address; the port, or 0 for a unix socket.

    Grpc binds by itself and says a failure in a dozen lines of log without the cause: so it is tried beforehand.

    Raises:
        ConfigError: the address cannot be had; names ``key``.
    """
    bind(endpoint, key).close()
    unlink(endpoint)
    try:
        if credentials is None:
            port = server.add_insecure_port(str(endpoint))
        else:
            port = server.add_secure_port(str(endpoint), credentials)
    except RuntimeError:
        raise errors.ConfigError(f'{key} = "{endpoint}": the address is already in use; choose another') from None
    return 0 if endpoint.unix_path else port


def unlink(endpoint: Endpoint) -> None:
    """Remove a unix socket's name; nothing for other endpoints."""
    if endpoint.unix_path:
        Path(endpoint.unix_path).unlink(missing_ok=True)
