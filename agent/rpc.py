"""What both gRPC doors share: binding an address alone, and errors as statuses with their details."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import grpc
import grpc.aio

from agent import errors
from agent.endpoint import Endpoint
from agent.status import error_status, retry_info, status_message
from agent.web import bind


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


@contextmanager
def private_files() -> Iterator[None]:
    """What is made within, a socket above all, is for this user alone from its first moment."""
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)


def unlink(endpoint: Endpoint) -> None:
    """Remove a unix socket's name; nothing for other endpoints."""
    if endpoint.unix_path:
        Path(endpoint.unix_path).unlink(missing_ok=True)
