"""One uvicorn server in the agent's own event loop: a listening socket of ours, no signals, a bounded goodbye.

Of uvicorn's server only start and shutdown are used, so there is no task besides the requests'.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal, TypedDict, Unpack

import uvicorn
from starlette.types import ASGIApp

from agent import errors
from agent.endpoint import Endpoint

_BACKLOG = 1024
_GOODBYE_SECONDS = 5
"""Requests in flight get this long to finish when the server closes."""

_REASONS = {
    errno.EADDRINUSE: "the address is already in use; stop whoever listens there or choose another port",
    errno.EADDRNOTAVAIL: "this machine has no such address; choose one of its own",
    errno.EACCES: "not permitted; choose a port from 1024 on or a directory this user may write to",
    errno.ENOENT: "its directory does not exist; make it first",
}


class ServerOptions(TypedDict, total=False):
    """What a caller may choose of uvicorn's options."""

    limit_concurrency: int
    timeout_keep_alive: int
    timeout_graceful_shutdown: int
    http: type[asyncio.Protocol] | Literal["httptools"]


def bind(endpoint: Endpoint, key: str) -> socket.socket:
    """A socket that listens on ``endpoint``, alone: without SO_REUSEPORT, a second agent is refused and does not share.

    Raises:
        ConfigError: the address cannot be had; names ``key``.
    """
    try:
        return _unix_socket(endpoint.unix_path) if endpoint.unix_path else _inet_socket(endpoint)
    except socket.gaierror as error:
        raise errors.ConfigError(f'{key} = "{endpoint}": the host name is not known; write an address') from error
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or "cannot listen here")
        raise errors.ConfigError(f'{key} = "{endpoint}": {reason}') from error


def _inet_socket(endpoint: Endpoint) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        endpoint.host, endpoint.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _unix_socket(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        listener.bind(path)
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _remove_stale(path: str) -> None:
    """Unlink the socket of a process that is gone; one that answers stays, and bind says so."""
    if not Path(path).is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink(missing_ok=True)


def bound_endpoint(listener: socket.socket, endpoint: Endpoint) -> Endpoint:
    """``endpoint`` with the port that the system chose for 0."""
    return endpoint if endpoint.unix_path else Endpoint(endpoint.host, listener.getsockname()[1])


def _close(listener: socket.socket, endpoint: Endpoint) -> None:
    listener.close()
    if endpoint.unix_path:
        Path(endpoint.unix_path).unlink(missing_ok=True)


@contextlib.asynccontextmanager
async def serving_app(app: ASGIApp, endpoint: Endpoint, key: str, **options: Unpack[ServerOptions]) -> AsyncIterator[str]:
    """Serve ``app`` on ``endpoint`` and yield the bound address; on leaving, finish the requests in flight.

    Connections are accepted from the moment the address is known.

    Raises:
        ConfigError: the address cannot be had; names ``key``.
    """
    listener = bind(endpoint, key)
    options.setdefault("timeout_graceful_shutdown", _GOODBYE_SECONDS)
    options.setdefault("http", "httptools")
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            backlog=_BACKLOG,
            **options,
        )
    )
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup(sockets=[listener])
    try:
        yield str(bound_endpoint(listener, endpoint))
    finally:
        await server.shutdown(sockets=[listener])
        # Those that uvicorn cancels after the grace still have to say so; it does not wait for them.
        await asyncio.gather(*server.server_state.tasks, return_exceptions=True)
        _close(listener, endpoint)
