"""The tools, resources and prompts that the official conformance suite calls, on a server of the colony's own factory.

Names, arguments, URIs, kinds of content, defaults and enumerations are what the suite asks for; everything that is said is ours.
"""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import zlib
from collections.abc import Callable
from typing import Annotated, Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.prompts.base import Prompt, UserMessage
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp.shared.exceptions import MCPError
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    Completion,
    ContentBlock,
    EmbeddedResource,
    EmptyResult,
    ImageContent,
    JSONRPCMessage,
    SamplingMessage,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
    UnsubscribeRequestParams,
)
from pydantic import BaseModel, Field

_PIXEL = zlib.compress(b"\0\xff\xff\xff")
_SILENCE = struct.pack("<4sI8sIHHIIHH4sI", b"RIFF", 36, b"WAVEfmt ", 16, 1, 1, 8000, 8000, 1, 8, b"data", 0)


def _chunk(kind: bytes, content: bytes) -> bytes:
    """Part of a PNG file."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


_PNG = b"\x89PNG\r\n\x1a\n" + b"".join(
    _chunk(*part) for part in ((b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)), (b"IDAT", _PIXEL), (b"IEND", b""))
)
"""One white pixel."""


class Events(EventStore):
    """Events of broken streams, in memory."""

    def __init__(self) -> None:
        self._kept: list[tuple[str, JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        """Keep one; its number is its id."""
        self._kept.append((stream_id, message))
        return str(len(self._kept))

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        """Send again what came later on the same stream."""
        last = int(last_event_id)
        if not 0 < last <= len(self._kept):
            return None
        stream = self._kept[last - 1][0]
        for number, (other, message) in enumerate(self._kept[last:], last + 1):
            if other == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


def text(words: str) -> TextContent:
    """Text content."""
    return TextContent(type="text", text=words)


def _image() -> ImageContent:
    return ImageContent(type="image", data=base64.b64encode(_PNG).decode(), mime_type="image/png")


def _embedded(uri: str, words: str, mime_type: str = "text/plain") -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, mime_type=mime_type, text=words))


def add_contents(server: MCPServer[Any]) -> None:
    """Tools that answer with each kind of content, and one that fails."""
    sound = AudioContent(type="audio", data=base64.b64encode(_SILENCE).decode(), mime_type="audio/wav")
    note = _embedded("test://embedded-resource", "a resource inside an answer")
    figures = _embedded("test://mixed-content-resource", json.dumps({"spans": 3}), "application/json")
    answers: dict[str, list[ContentBlock]] = {
        "test_simple_text": [text("plain words")],
        "test_image_content": [_image()],
        "test_audio_content": [sound],
        "test_embedded_resource": [note],
        "test_multiple_content_types": [text("words, a picture and a resource"), _image(), figures],
    }
    for name, content in answers.items():
        server.add_tool(_answering(content), name)

    @server.tool()
    def test_error_handling() -> str:
        raise ToolError("this tool always fails")

    @server.tool()
    def test_x_mcp_header(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})] = "nowhere") -> str:
        return f"asked from {region}"


def _answering(content: list[ContentBlock]) -> Callable[[], list[ContentBlock]]:
    def answer() -> list[ContentBlock]:
        return content

    return answer


def add_talking(server: MCPServer[Any]) -> None:  # noqa: C901 one small tool after another
    """Tools that speak to the client while they run."""

    @server.tool()
    async def test_tool_with_logging(ctx: Context[Any, Any]) -> str:
        for step in ("asking", "merging", "telling"):
            await ctx.info(step)  # type: ignore[deprecated] # what is tested
            await asyncio.sleep(0.05)
        return "three things were logged"

    @server.tool()
    async def test_tool_with_progress(ctx: Context[Any, Any]) -> str:
        for percent in (0, 50, 100):
            await ctx.report_progress(percent, 100, f"{percent} % of the agents have answered")
            await asyncio.sleep(0.05)
        return "all have answered"

    @server.tool()
    async def test_reconnection(ctx: Context[Any, Any]) -> str:
        await ctx.close_sse_stream()
        await asyncio.sleep(0.2)
        return "said after the stream was closed"

    @server.tool()
    async def test_sampling(prompt: str, ctx: Context[Any, Any]) -> str:
        asked = [SamplingMessage(role="user", content=text(prompt))]
        result = await ctx.session.create_message(asked, max_tokens=100, related_request_id=ctx.request_id)
        return f"the model says: {getattr(result.content, 'text', '')}"

    @server.tool()
    async def test_missing_capability(ctx: Context[Any, Any]) -> str:
        has = ctx.session.client_capabilities
        if has is None or has.sampling is None:
            wanted: dict[str, Any] = {"requiredCapabilities": {"sampling": {}}}
            raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "sampling is needed", wanted)
        return "the client can sample"


class _Answer(BaseModel):
    answer: str = Field("", description="what the user says")


class _Defaults(BaseModel):
    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: str = Field("active", json_schema_extra={"enum": ["active", "inactive", "pending"]})
    verified: bool = True


def _titled(*values: str) -> Any:
    return [{"const": value, "title": value.title()} for value in values]


_THREE: Any = ["one", "two", "three"]


class _Enums(BaseModel):
    untitledSingle: str = Field(json_schema_extra={"enum": _THREE})  # noqa: N815 the suite's name
    titledSingle: str = Field(json_schema_extra={"oneOf": _titled(*_THREE)})  # noqa: N815 the suite's name
    untitledMulti: list[str] = Field(json_schema_extra={"items": {"type": "string", "enum": _THREE}})  # noqa: N815 the suite's
    titledMulti: list[str] = Field(json_schema_extra={"items": {"anyOf": _titled(*_THREE)}})  # noqa: N815 the suite's name
    legacyEnum: str = Field(json_schema_extra={"enum": _THREE, "enumNames": ["A", "B", "C"]})  # noqa: N815 the suite's name


def add_eliciting(server: MCPServer[Any]) -> None:
    """Tools that ask the user, as sessions do."""

    async def asked(ctx: Context[Any, Any], message: str, schema: type[BaseModel]) -> str:
        result = await ctx.elicit(message, schema)
        content = result.data.model_dump_json() if result.action == "accept" else "nothing"
        return f"{result.action}: {content}"

    @server.tool()
    async def test_elicitation(message: str, ctx: Context[Any, Any]) -> str:
        return await asked(ctx, message, _Answer)

    @server.tool()
    async def test_elicitation_sep1034_defaults(ctx: Context[Any, Any]) -> str:
        return await asked(ctx, "Who asks?", _Defaults)

    @server.tool()
    async def test_elicitation_sep1330_enums(ctx: Context[Any, Any]) -> str:
        return await asked(ctx, "Which of these?", _Enums)


def add_resources(server: MCPServer[Any]) -> None:
    """Resources: text, bytes, by template, watched."""

    @server.resource("test://static-text", mime_type="text/plain")
    def static_text() -> str:
        return "a resource of words"

    @server.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        return _PNG

    @server.resource("test://template/{id}/data", mime_type="application/json")
    def template(id: str) -> str:  # noqa: A002 the template's own name
        return json.dumps({"id": id})

    @server.resource("test://watched-resource")
    def watched() -> str:
        return "a resource that somebody watches"


def add_prompts(server: MCPServer[Any]) -> None:
    """Prompts with each kind of content, and what announces that lists have changed."""

    @server.prompt()
    def test_simple_prompt() -> list[UserMessage]:
        return [UserMessage(text("What is slow?"))]

    @server.prompt()
    def test_prompt_with_arguments(arg1: str, arg2: str) -> list[UserMessage]:
        return [UserMessage(text(f"Which requests touched {arg1} and {arg2}?"))]

    @server.prompt()
    def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803 the suite's name
        return [UserMessage(_embedded(resourceUri, "a trace")), UserMessage(text("Why did this fail?"))]

    @server.prompt()
    def test_prompt_with_image() -> list[UserMessage]:
        return [UserMessage(_image()), UserMessage(text("What is to be seen?"))]

    @server.tool()
    async def test_trigger_tool_change(ctx: Context[Any, Any]) -> str:
        await ctx.notify_tools_changed()
        return "told that tools have changed"

    @server.tool()
    async def test_trigger_prompt_change(ctx: Context[Any, Any]) -> str:
        server.add_prompt(Prompt.from_function(lambda: "", name="comes_and_goes"))
        server.remove_prompt("comes_and_goes")
        await ctx.notify_prompts_changed()
        return "told that prompts have changed"


def add_requests(server: MCPServer[Any]) -> None:
    """Requests of the older era that the SDK has no decorator for."""

    async def nothing(_context: Any, _params: Any) -> EmptyResult:
        return EmptyResult()

    for method, params in (
        ("logging/setLevel", SetLevelRequestParams),
        ("resources/subscribe", SubscribeRequestParams),
        ("resources/unsubscribe", UnsubscribeRequestParams),
    ):
        server._lowlevel_server.add_request_handler(method, params, nothing)

    @server.completion()
    async def complete(_ref: Any, _argument: Any, _context: Any) -> Completion:
        return Completion(values=[], total=0, has_more=False)


def describe(server: MCPServer[Any]) -> None:
    """Give every tool and prompt the description that the suite wants to see."""
    for tool in server._tool_manager.list_tools():
        tool.description = tool.description or f"What the suite calls {tool.name}"
    for prompt in server._prompt_manager.list_prompts():
        prompt.description = prompt.description or f"What the suite calls {prompt.name}"
