"""The MCP server of the official SDK, with the colony's tools: strict arguments, bounded answers, progress, cancellation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from typing import Any

from mcp.server.caching import CacheHint
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import UnexpectedToolError
from mcp.server.mcpserver.tools import Tool as SdkTool
from mcp.server.mcpserver.utilities.func_metadata import func_metadata
from mcp_types import CallToolResult, InputRequiredResult, TextContent, ToolAnnotations
from mcp_types import Tool as ListedTool
from pydantic import PrivateAttr

from colony import __version__
from colony.answer.names import did_you_mean
from colony.answer.told import OUTPUT_SCHEMA, Told, tokens_of
from colony.answer.words import fit, one_line
from colony.errors import ColonyError
from colony.instruments import Instruments
from colony.server.foreign import ForeignTools
from colony.server.instructions import instructions_with
from colony.tools import TOOLS
from colony.tools.arguments import checked, schema_of
from colony.tools.tool import Surroundings, Tool

_LONGEST_REFUSAL_BYTES = 2000
_PROGRESS_SECONDS = 0.5
_LIST_TTL_MS = 3_600_000
_CHANGING_TTL_MS = 60_000
"""Of a list with other people's tools in it."""

_READ_ONLY = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)


def _refused(message: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=fit(message, _LONGEST_REFUSAL_BYTES))], is_error=True)


def _answered(told: Told) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=told.text)], structured_content=told.structured)


async def _nothing() -> None:
    """Stands where the SDK wants a function: ``ColonyTool.run`` takes its place."""


class ColonyTool(SdkTool):
    """One of the colony's tools as the SDK lists and calls it."""

    _tool: Tool = PrivateAttr()
    _here: Surroundings = PrivateAttr()
    _instruments: Instruments = PrivateAttr()

    @classmethod
    def of(cls, tool: Tool, here: Surroundings, instruments: Instruments) -> ColonyTool:
        """The tool, answering from ``here``."""
        made = cls(
            fn=_nothing,
            name=tool.name,
            title=tool.title,
            description=tool.description,
            parameters=schema_of(tool.arguments),
            fn_metadata=func_metadata(_nothing),
            is_async=True,
            context_kwarg=None,
            annotations=_READ_ONLY,
        )
        made._tool, made._here, made._instruments = tool, here, instruments
        return made

    @property
    def output_schema(self) -> dict[str, Any]:
        """Of every tool the same: how much, of how much, who is missing, where to go on."""
        return OUTPUT_SCHEMA

    async def run(self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False) -> CallToolResult:
        """The answer, or what is wrong with the question as an error that the model reads."""
        began, outcome = time.monotonic(), "cancelled"
        try:
            asked = checked(self._tool.arguments, arguments)
            told = await _with_progress(context, self._tool.answer(self._here, asked))
            outcome = "answered"
        except ColonyError as error:
            outcome = "refused"
            return _refused(error.message)
        except Exception as error:
            outcome = "failed"
            raise UnexpectedToolError(f"{self.name} failed; the colony's log says why") from error
        finally:
            self._instruments.tool_calls.labels(self.name, outcome).inc()
            self._instruments.tool_seconds.labels(self.name).observe(time.monotonic() - began)
        self._instruments.answer_tokens.labels(self.name).observe(tokens_of(told.text))
        return _answered(told)


async def _with_progress(context: Context[Any, Any], answer: Awaitable[Told]) -> Told:
    """Await an answer; whoever asked for progress hears every half second that it is still being made."""
    failure: Exception | None = None
    async with asyncio.TaskGroup() as tasks:
        ticking = tasks.create_task(_tick(context))
        try:
            told = await answer
        except Exception as error:  # noqa: BLE001 raised below, bare: the group would wrap it
            failure = error
        finally:
            ticking.cancel()
    if failure is not None:
        raise failure
    return told


async def _tick(context: Context[Any, Any]) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(_PROGRESS_SECONDS)
        waited = round(time.monotonic() - began, 1)
        await context.report_progress(waited, message=f"waiting for agents, {waited:.1f}s")


class ColonyServer(MCPServer[Any]):
    """The SDK's server, other people's tools behind the colony's; one that does not exist is refused with what was meant."""

    foreign: ForeignTools | None = None

    async def list_tools(self) -> list[ListedTool]:
        """The colony's own, then those of upstreams."""
        return [*await super().list_tools(), *(self.foreign.list_tools() if self.foreign else ())]

    def _tool_input_schema(self, name: str) -> dict[str, Any] | None:
        offered = self.foreign.find(name) if self.foreign else None
        return offered.tool.input_schema if offered else super()._tool_input_schema(name)

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool by name."""
        offered = self.foreign.find(name) if self.foreign else None
        if self.foreign and offered:
            return await self.foreign.call(offered, arguments)
        known = [tool.name for tool in await self.list_tools()]
        if name not in known:
            why = self.foreign.why_missing(name) if self.foreign else ""
            if why:
                return _refused(f"no tool {one_line(name, 80)!r} now: {why}")
            return _refused(f"no tool {one_line(name, 80)!r}; {did_you_mean(name, known)}")
        return await super().call_tool(name, arguments, context)


def mcp_server(here: Surroundings, instruments: Instruments, tools: Sequence[Tool] = TOOLS) -> ColonyServer:
    """A server with the colony's tools, not yet spoken to."""
    upstreams = here.desk.upstreams
    listed = CacheHint(ttl_ms=_CHANGING_TTL_MS if upstreams else _LIST_TTL_MS, scope="public")
    server = ColonyServer(
        "coral-colony",
        title="Coral colony",
        version=__version__,
        instructions=instructions_with([upstream.name for upstream in upstreams.each] if upstreams else []),
        tools=[ColonyTool.of(tool, here, instruments) for tool in tools],
        log_level="WARNING",
        cache_hints={"tools/list": listed, "server/discover": listed},
    )
    if upstreams:
        server.foreign = ForeignTools(upstreams, here, instruments)
        server.foreign.announced_by(server)
    return server
