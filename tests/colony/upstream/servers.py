"""Strict servers made with the official SDK, on a port that stays theirs over a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import uvloop
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import ToolAnnotations
from prometheus_client import CollectorRegistry
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from colony.endpoint import Endpoint
from colony.instruments import Instruments
from colony.upstream.client import Upstream, keeping
from colony.upstream.settings import UpstreamSettings
from colony.web import serving_app
from tests.ports import free_port

Got = TypeVar("Got")
READ = ToolAnnotations(read_only_hint=True)
WRITE = ToolAnnotations(read_only_hint=False)


def run(body: Callable[[], Awaitable[Got]], seconds: float = 60) -> Got:
    """A test's body, bounded; an error in its task groups comes out bare."""

    async def bounded() -> Got:
        async with asyncio.timeout(seconds):
            return await body()

    try:
        return uvloop.run(bounded())
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from group


@dataclass
class Seen:
    """What a server was asked: HTTP methods, headers, tools."""

    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def methods(self, name: str) -> int:
        return sum(method == name for method, _ in self.requests)

    def header(self, name: str) -> set[str]:
        return {headers[name] for _, headers in self.requests if name in headers}


def strict_server(seen: Seen) -> MCPServer[Any]:  # noqa: C901 tools are functions
    """Tools that read, write, are slow, large, or fail."""
    server: MCPServer[Any] = MCPServer("strict", version="1", log_level="ERROR")

    @server.tool(annotations=READ, structured_output=False)
    async def echo(text: str) -> str:
        """Says it again."""
        seen.calls.append("echo")
        return text

    @server.tool(annotations=WRITE, structured_output=False)
    async def write(text: str) -> str:
        """Does something."""
        seen.calls.append("write")
        return text

    @server.tool(annotations=READ, structured_output=False)
    async def wait() -> str:
        """Answers when the gate opens."""
        seen.calls.append("wait")
        await seen.gate.wait()
        return "open"

    @server.tool(annotations=READ, structured_output=False)
    async def large(size: int) -> str:
        """So many characters."""
        return "x" * size

    @server.tool(annotations=READ, structured_output=False)
    async def fails(text: str) -> str:
        """An error of the tool."""
        raise ToolError(text)

    @server.tool(annotations=READ)
    async def structured(number: int) -> dict[str, int]:
        """Structured."""
        return {"number": number}

    @server.tool(annotations=READ, structured_output=False)
    async def says(context: Context[Any, Any]) -> str:
        """Progress, then an answer: the older era answers with an event stream."""
        await context.report_progress(1, 2, "half")
        return "said"

    @server.tool(annotations=READ, structured_output=False)
    async def change(context: Context[Any, Any]) -> str:
        """Says that the list of tools changed, in the way of the era."""
        await context.notify_tools_changed()
        await context.session.send_tool_list_changed()
        return "changed"

    return server


class Watching:
    """In front of an app: notes each request."""

    def __init__(self, app: ASGIApp, seen: Seen) -> None:
        self._app = app
        self._seen = seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self._seen.requests.append((scope["method"], headers))
        await self._app(scope, receive, send)


class Restartable:
    """A server that can be stopped and started again on its port."""

    def __init__(self, make: Callable[[], tuple[ASGIApp, Any]], port: int = 0) -> None:
        self._make = make
        self.port = port or free_port()
        self._life: asyncio.Task[None] | None = None
        self._up = asyncio.Event()
        self._down = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    async def start(self) -> None:
        self._up, self._down = asyncio.Event(), asyncio.Event()
        self._life = asyncio.get_running_loop().create_task(self._live())
        up = asyncio.get_running_loop().create_task(self._up.wait())
        await asyncio.wait([self._life, up], return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if self._life.done():
            await self._life

    async def stop(self) -> None:
        life, self._life = self._life, None
        if life is not None:
            self._down.set()
            await life

    async def _live(self) -> None:
        """In a task of its own: what the SDK opens must be closed by the task that opened it."""
        app, lifespan = self._make()
        options: dict[str, Any] = {"timeout_graceful_shutdown": 0}
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(serving_app(app, Endpoint("127.0.0.1", self.port), "test", **options))
            if lifespan is not None:
                await stack.enter_async_context(lifespan)
            self._up.set()
            await self._down.wait()


class OldOnly:
    """In front of an app: refuses the newer era as servers do that never heard of it, or never answers."""

    def __init__(self, app: ASGIApp, *, hangs: bool) -> None:
        self._app = app
        self._hangs = hangs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        versions = [value for name, value in scope["headers"] if name == b"mcp-protocol-version"]
        if b"2026-07-28" not in versions:
            await self._app(scope, receive, send)
            return
        if self._hangs:
            await asyncio.sleep(30)
        await PlainTextResponse("Bad Request: what is that?\n", 400)(scope, receive, send)


def app_of(server: MCPServer[Any], seen: Seen, era: str = "modern", **options: Any) -> tuple[ASGIApp, Any]:
    security = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    app: ASGIApp = server.streamable_http_app(streamable_http_path="/mcp", transport_security=security, **options)
    if era != "modern":
        app = OldOnly(app, hangs=era == "hangs")
    return Watching(app, seen), server.session_manager.run()


@asynccontextmanager
async def strict(
    seen: Seen, era: str = "modern", server: MCPServer[Any] | None = None, **options: Any
) -> AsyncIterator[Restartable]:
    """A strict server; a new one of the same port after a restart, so that old sessions are gone."""
    here = Restartable(lambda: app_of(server or strict_server(seen), seen, era, **options))
    await here.start()
    try:
        yield here
    finally:
        await here.stop()


def settings(url: str, **fields: Any) -> UpstreamSettings:
    """Quick: short pauses and deadlines."""
    usual: dict[str, Any] = {"name": "there", "url": url, "deadline_seconds": 5.0, "least_pause_seconds": 0.02}
    return UpstreamSettings(**(usual | fields))


@asynccontextmanager
async def asked(url: str, **fields: Any) -> AsyncIterator[Upstream]:
    """A client of a server, after its first attempt to connect."""
    async with keeping(Upstream(settings(url, **fields), Instruments(CollectorRegistry()))) as upstream:
        await upstream.settled()
        yield upstream


def counted(upstream: Upstream, name: str, **labels: str) -> float:
    """An instrument's value of this server."""
    registry = upstream.instruments.registry
    return registry.get_sample_value(f"coral_colony_{name}", {"upstream": upstream.name, **labels}) or 0.0
