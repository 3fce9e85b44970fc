"""One connection to another's server, from handshake to goodbye, in a task of its own: the SDK's scopes belong to one task.

A link that is of no use any more is retired: no new call takes it, and it closes once the calls under way are done.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import httpx2
import mcp_types
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from colony import __version__
from colony.outcome import one_line
from colony.upstream.faults import Broken, ProtocolFault, UpstreamError, fault_of
from colony.upstream.said import Said, said_of
from colony.upstream.settings import UpstreamSettings
from colony.upstream.wire import Wire, WireLimits, network

_MOST_PAGES = 20
_LISTEN_AGAIN_SECONDS = 5.0
_CLIENT = mcp_types.Implementation(name="coral-colony", version=__version__)


class Link:
    """A connection; ``client`` is set while it stands."""

    def __init__(self, settings: UpstreamSettings, generation: int) -> None:
        self.generation = generation
        self.client: Client | None = None
        self.retired = asyncio.Event()
        self.fault: UpstreamError | None = None
        self.changed = asyncio.Event()
        """Set when the server says that its tools changed."""
        self._settings = settings
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def retire(self, fault: UpstreamError | None) -> None:
        """No new calls; those under way may end."""
        if not self.retired.is_set():
            self.fault = fault
            self.retired.set()

    @property
    def era(self) -> str:
        """The protocol's revision that was agreed on."""
        return self.client.protocol_version if self.client else ""

    @property
    def is_modern(self) -> bool:
        """Whether it has no sessions."""
        return self.era in MODERN_PROTOCOL_VERSIONS

    @property
    def server(self) -> str:
        """What the server calls itself."""
        about = self.client.server_info if self.client else None
        return one_line(f"{about.name} {about.version}")[:80] if about else ""

    async def call(self, tool: str, arguments: dict[str, Any], seconds: float) -> Said:
        """One call of a tool.

        Raises:
            UpstreamError: it did not answer.
        """
        return said_of(await self._asked(lambda client: client.call_tool(tool, arguments, read_timeout_seconds=seconds)))

    async def tools(self) -> list[mcp_types.Tool]:
        """Every tool, all pages.

        Raises:
            UpstreamError: it did not answer.
        """
        found: list[mcp_types.Tool] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            page = await self._asked(lambda client, at=cursor: client.list_tools(cursor=at))
            found += page.tools
            cursor = page.next_cursor
            if cursor is None:
                break
        return found

    async def _asked(self, ask: Callable[..., Any]) -> Any:  # noqa: ANN401 any result
        client = self.client
        if client is None:
            raise Broken(f"{self._settings.name}: the connection ended before the answer")
        self._under_way += 1
        self._idle.clear()
        try:
            return await ask(client)
        except Exception as error:  # noqa: BLE001 whatever the SDK raises becomes one of ours
            raise self.fault_from(error) from None  # its text may hold what was sent
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    def fault_from(self, error: BaseException) -> UpstreamError:
        """Any exception of the SDK as one of ours."""
        name = self._settings.name
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, UpstreamError):
            return error
        if isinstance(error, MCPError):
            return fault_of(name, error.code, self._settings.credentials.hidden(error.message), error.data)
        return self._fault_from(name, error)

    def _fault_from(self, name: str, error: BaseException) -> UpstreamError:
        if isinstance(error, ValidationError):
            return ProtocolFault(f"{name}: its reply is not what MCP says")
        if isinstance(error, anyio.ClosedResourceError | anyio.BrokenResourceError | httpx2.TransportError):
            return Broken(f"{name}: the connection ended before the answer")
        if isinstance(error, OSError):
            return Broken(f"{name}: cannot start it: {error.strerror or type(error).__name__}")
        said = one_line(self._settings.credentials.hidden(str(error)))
        return ProtocolFault(f"{name}: {said or type(error).__name__}")

    async def hold(self, url: str, mode: str, ready: Callable[[Link], None]) -> None:
        """Connect, tell ``ready``, stay until retired, let calls end, say goodbye. Raises nothing of its own."""
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(self._settings.deadline_seconds):
                    self.client = await stack.enter_async_context(self._client(url, mode))
                ready(self)
                async with asyncio.TaskGroup() as tasks:
                    listening = tasks.create_task(self._listen()) if self.is_modern else None
                    await self.retired.wait()
                    if listening:
                        listening.cancel()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._settings.deadline_seconds):
                        await self._idle.wait()
        except TimeoutError:
            self.retire(Broken(f"{self._settings.name}: no answer to the handshake within the deadline"))
        except Exception as error:  # noqa: BLE001 whatever the SDK raises, this connection is over
            self.retire(self.fault_from(error))
        finally:
            self.client = None
            self.retire(self.fault)

    @asynccontextmanager
    async def _client(self, url: str, mode: str) -> AsyncIterator[Client]:
        settings = self._settings
        if settings.command:
            program, *rest = settings.command
            async with self._speaking(StdioServerParameters(command=program, args=rest), mode) as client:
                yield client
            return
        limits = WireLimits(settings.deadline_seconds, settings.max_reply_bytes, is_authorised_above=settings.auth is not None)
        wire = Wire(network(), settings.credentials, limits)
        async with (
            httpx2.AsyncClient(transport=wire, auth=settings.auth) as http,
            self._speaking(
                streamable_http_client(url, http_client=http, max_sse_event_size=settings.max_reply_bytes), mode
            ) as client,
        ):
            yield client

    def _speaking(self, server: Any, mode: str) -> Client:  # noqa: ANN401 as the SDK
        return Client(
            server,
            mode=mode,
            read_timeout_seconds=self._settings.deadline_seconds,
            message_handler=self._heard,
            client_info=_CLIENT,
            cache=None,
            **self._settings.client_options,
        )

    async def _heard(self, message: Any) -> None:  # noqa: ANN401 as the SDK
        if isinstance(message, mcp_types.ToolListChangedNotification):
            self.changed.set()

    async def _listen(self) -> None:
        """In the newer era changes are told on a stream that is asked for."""
        while self.client is not None:
            try:
                async with self.client.listen(tools_list_changed=True) as changes:
                    async for _ in changes:
                        self.changed.set()
            except ListenNotSupportedError:
                return
            except (MCPError, SubscriptionLost, TimeoutError):
                pass  # the list is asked for again now and then anyway
            await asyncio.sleep(_LISTEN_AGAIN_SECONDS)
