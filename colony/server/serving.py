"""The MCP server over streamable HTTP, both protocol eras on one path, and over standard input and output."""

from __future__ import annotations

import asyncio
import selectors
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from mcp.server.mcpserver import MCPServer
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http import EventStore

from colony.errors import ConfigError
from colony.server.guard import PATHS, Access, Guard, security_of
from colony.web import ServerOptions, serving_app

_CONNECTIONS = 256
_MAX_REQUEST_BYTES = 1 << 20
_IDLE_SECONDS = 1800.0
_MAX_SESSIONS = 1000
_GOODBYE_SECONDS = 2
_RETRY_MS = 100


@dataclass(frozen=True, slots=True)
class Pair:
    """``[mcp.tls]``."""

    cert_file: Path
    key_file: Path


@asynccontextmanager
async def serving_mcp(
    server: MCPServer[Any], access: Access, tls: Pair | None = None, events: EventStore | None = None
) -> AsyncIterator[str]:
    """Answer on ``access.endpoint`` at /mcp and /api/mcp; yields the bound address.

    Sessions of clients up to 2025-11-25 live in this process; newer ones have none. With ``events`` such a session can go on
    after its stream broke; tools that only read need it not.

    Raises:
        ConfigError: the address or the certificate cannot be had.
    """
    app = server.streamable_http_app(
        streamable_http_path=PATHS[0],
        max_request_body_size=_MAX_REQUEST_BYTES,
        session_idle_timeout=_IDLE_SECONDS,
        max_sessions=_MAX_SESSIONS,
        event_store=events,
        retry_interval=_RETRY_MS if events else None,
        transport_security=security_of(access),
    )
    guard = Guard(app, access.token)
    options: ServerOptions = {"limit_concurrency": _CONNECTIONS, "timeout_graceful_shutdown": _GOODBYE_SECONDS}
    if tls is not None:
        context = _tls_context(tls)
        options["ssl_context_factory"] = lambda _config, _default: context
    serving = serving_app(guard, access.endpoint, "mcp.endpoint", **options)
    # The sessions end first: the server would wait for their open event streams.
    async with serving as address, server.session_manager.run():
        guard.is_open = True
        try:
            yield address
        finally:
            guard.is_open = False


def _tls_context(tls: Pair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.cert_file, tls.key_file, password=lambda: "")
    except (OSError, ssl.SSLError) as error:
        reason = "holds no PEM certificate chain that belongs to the key, or a key with a password"
        raise ConfigError(f'mcp.tls.cert_file = "{tls.cert_file}": {reason}') from error
    return context


LEAST_TOKEN = 16


def token_of(path: Path | None) -> str:
    """The bearer token in a file; empty without one.

    Raises:
        ConfigError: it cannot be read, or is too short to be a secret.
    """
    if path is None:
        return ""
    try:
        token = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise ConfigError(f'mcp.bearer_token_file = "{path}": cannot be read as ASCII text') from error
    if len(token) < LEAST_TOKEN or not token.isprintable() or " " in token:
        raise ConfigError(f'mcp.bearer_token_file = "{path}": write one token of at least {LEAST_TOKEN} characters')
    return token


async def speak(server: MCPServer[Any]) -> None:
    """Serve the host that started this process, over standard input and output, until its input ends."""
    lines: Any = _lines()  # the SDK only iterates
    async with stdio_server(stdin=lines) as (read, write):
        spoken = server._lowlevel_server  # noqa: SLF001 the SDK's own way in would read on a thread that nothing can end
        await spoken.run(read, write, spoken.create_initialization_options())


async def _lines() -> AsyncIterator[str]:
    """Lines of standard input, read by the event loop, so that a signal need not wait for one."""
    if not _can_be_waited_for(sys.stdin):
        for line in sys.stdin.buffer:
            yield line.decode("utf-8", "replace")
        return
    reader = asyncio.StreamReader(limit=4 * _MAX_REQUEST_BYTES)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        while line := await reader.readline():
            yield line.decode("utf-8", "replace")
    finally:
        transport.close()


def _can_be_waited_for(file: TextIO) -> bool:
    """Whether an event loop can watch it: not a file, nor /dev/null, over which libuv ends the process."""
    with selectors.DefaultSelector() as selector:
        try:
            selector.register(file, selectors.EVENT_READ)
        except OSError:
            return False
    return True
