"""Other people's tools in the colony's list: as their servers describe them, named as not ours, announced when they change."""

from __future__ import annotations

import asyncio
import json
import time
import weakref
from functools import partial
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel.server import NotificationOptions
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import UnexpectedToolError
from mcp.shared.subscriptions import ToolsListChanged
from mcp_types import CallToolResult, TextContent, Tool, ToolAnnotations
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from colony.answer.told import OUTPUT_SCHEMA, Told, tokens_of
from colony.answer.words import fit, one_line
from colony.errors import ColonyError
from colony.instruments import Instruments
from colony.tools import foreign
from colony.tools.tool import Surroundings
from colony.upstream.factory import Offered, Upstreams

_LABEL = "upstream"
"""For instruments: the names of others' tools are not bounded."""
_LONGEST_DESCRIPTION = 1000
_LONGEST_SCHEMA = 16 << 10
_SETTLE_SECONDS = 0.05
"""Changes that come together are announced once."""


def listed(offered: Offered) -> Tool:
    """A tool as the colony lists it."""
    theirs, hints = offered.tool, offered.tool.annotations
    said = " ".join((theirs.description or "").split())
    about = f'Of the MCP server "{offered.upstream.name}", not Coral\'s own. '
    reads = hints is not None and hints.read_only_hint is True
    return Tool(
        name=offered.name,
        title=one_line(theirs.title or theirs.name, 80),
        description=about + fit(one_line(said, _LONGEST_DESCRIPTION), _LONGEST_DESCRIPTION),
        input_schema=_schema(theirs.input_schema),
        output_schema=OUTPUT_SCHEMA,
        annotations=ToolAnnotations(
            read_only_hint=reads or offered.upstream.is_tempo,
            destructive_hint=hints.destructive_hint if hints else None,
            idempotent_hint=hints.idempotent_hint if hints else None,
            open_world_hint=True,
        ),
    )


def _schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Theirs; one that would fill a model's memory becomes one that takes anything."""
    return schema if len(json.dumps(schema)) <= _LONGEST_SCHEMA else {"type": "object"}


class ForeignTools:
    """The tools of every upstream; what a server lists now is what is offered now."""

    def __init__(self, upstreams: Upstreams, here: Surroundings, instruments: Instruments) -> None:
        self._upstreams = upstreams
        self._here = here
        self._instruments = instruments
        self._sessions: weakref.WeakSet[Any] = weakref.WeakSet()

    def list_tools(self) -> list[Tool]:
        """All of them."""
        return [listed(offered) for offered in self._upstreams.offered().values()]

    def find(self, name: str) -> Offered | None:
        """A tool by its offered name."""
        return self._upstreams.offered().get(name)

    def why_missing(self, name: str) -> str:
        """Of a name that begins like a server's that was never reached: why it has no tools; else nothing."""
        for status in self._upstreams.statuses:
            if name.startswith(f"{status.name}_") and not status.tools:
                return f"{status.name} is {status.state.value}: {status.last_fault or 'it has not answered yet'}"
        return ""

    async def call(self, offered: Offered, arguments: dict[str, Any]) -> CallToolResult:
        """Its answer, or what went wrong as an error that the model reads."""
        began, outcome = time.monotonic(), "cancelled"
        try:
            told = await foreign.answer(self._here, offered, arguments)
            outcome = "answered"
        except ColonyError as error:
            outcome = "refused"
            return CallToolResult(content=[TextContent(type="text", text=fit(error.message, 2000))], is_error=True)
        except Exception as error:
            outcome = "failed"
            raise UnexpectedToolError(f"{offered.name} failed; the colony's log says why") from error
        finally:
            self._instruments.tool_calls.labels(_LABEL, outcome).inc()
            self._instruments.tool_seconds.labels(_LABEL).observe(time.monotonic() - began)
        self._instruments.answer_tokens.labels(_LABEL).observe(tokens_of(told.text))
        return _result(told)

    def announced_by(self, server: MCPServer[Any]) -> None:
        """Let ``server`` say that its list can change, and remember who listens in the older era."""
        spoken = server._lowlevel_server  # noqa: SLF001 the SDK offers no other way to say it
        told = partial(spoken.create_initialization_options, NotificationOptions(tools_changed=True))
        spoken.create_initialization_options = told  # type: ignore[method-assign] # called without arguments alone
        server.middleware.append(self._note)

    async def _note(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            self._sessions.add(ctx.session._connection)  # noqa: SLF001 the session is one request's
        return await call_next(ctx)

    async def announce_forever(self, server: MCPServer[Any]) -> None:
        """Tell every client when the list has changed."""
        while True:
            await self._upstreams.changed.wait()
            await asyncio.sleep(_SETTLE_SECONDS)
            self._upstreams.changed.clear()
            await server._subscriptions.publish(ToolsListChanged())  # noqa: SLF001 as a tool's context would
            for connection in list(self._sessions):
                await connection.send_tool_list_changed()


def _result(told: Told) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=told.text)], structured_content=told.structured)
