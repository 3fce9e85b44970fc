"""A colony's MCP server over HTTP in this process, and clients of both protocol eras."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mcp.client import Client
from mcp_types import CallToolResult, TextContent

from colony.app import Rooms, server_of, serving_tools
from colony.config.model import Config

__all__ = ["ERAS", "LEGACY", "MODERN", "Client", "asking", "first_line", "mcp_config", "refused", "served", "text_of", "told"]

LEGACY, MODERN = "legacy", "2026-07-28"
ERAS = (LEGACY, MODERN)


def mcp_config(**settings: str) -> Config:
    """A free port, else the defaults; ``settings`` are environment names under MCP."""
    environ = {f"CORAL_COLONY__MCP__{name}": value for name, value in settings.items()}
    return Config.load(None, {"CORAL_COLONY__MCP__ENDPOINT": "127.0.0.1:0"} | environ)


@asynccontextmanager
async def served(rooms: Rooms, **settings: str) -> AsyncIterator[str]:
    """The URL of a colony's MCP server."""
    async with serving_tools(mcp_config(**settings), rooms) as address:
        yield f"http://{address}/mcp"


@asynccontextmanager
async def asking(rooms: Rooms, mode: str = MODERN, **settings: str) -> AsyncIterator[Client]:
    """A client of the colony, without a network."""
    async with Client(server_of(mcp_config(**settings), rooms), mode=mode) as client:
        yield client


def text_of(result: CallToolResult) -> str:
    """All that a model reads."""
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


async def told(client: Client, tool: str, **arguments: Any) -> str:
    """A tool's answer, which is no error."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    return text_of(result)


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    """A tool's refusal."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, text_of(result)
    return text_of(result)


def first_line(text: str) -> str:
    return text.partition("\n")[0]
