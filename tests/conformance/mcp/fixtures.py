"""The tools, resources and prompts that the official conformance suite calls, on a server of the colony's own factory.

Names, texts and schemas are the suite's: it looks for exactly these.
"""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Annotated, Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts.base import Prompt, UserMessage
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp.shared.exceptions import MCPError
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    Completion,
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

_PNG = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cf500f00038101"
        "80cc26a1dc0000000049454e44ae426082"
    )
).decode()
_WAV = base64.b64encode(b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x44\xac\0\0\x88\x58\1\0\2\0\x10\0data\0\0\0\0").decode()


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
    return ImageContent(type="image", data=_PNG, mime_type="image/png")


def _embedded(uri: str, words: str, mime_type: str = "text/plain") -> EmbeddedResource:
    contents = TextResourceContents(uri=uri, mime_type=mime_type, text=words)
    return EmbeddedResource(type="resource", resource=contents)


def add_contents(server: MCPServer[Any]) -> None:
    """Tools that answer with each kind of content."""

    @server.tool()
    def test_simple_text() -> str:
        return "This is a simple text response for testing."

    @server.tool()
    def test_image_content() -> list[ImageContent]:
        return [_image()]

    @server.tool()
    def test_audio_content() -> list[AudioContent]:
        return [AudioContent(type="audio", data=_WAV, mime_type="audio/wav")]

    @server.tool()
    def test_embedded_resource() -> list[EmbeddedResource]:
        return [_embedded("test://embedded-resource", "This is an embedded resource content.")]

    @server.tool()
    def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
        mixed = _embedded("test://mixed-content-resource", '{"test": "data", "value": 123}', "application/json")
        return [text("Multiple content types test:"), _image(), mixed]

    @server.tool()
    def test_error_handling() -> str:
        raise RuntimeError("This tool intentionally returns an error for testing")

    @server.tool()
    def test_x_mcp_header(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})] = "<none>") -> str:
        return f"region={region}"


def add_talking(server: MCPServer[Any]) -> None:  # noqa: C901 one small tool after another
    """Tools that speak to the client while they run."""

    @server.tool()
    async def test_tool_with_logging(ctx: Context[Any, Any]) -> str:
        for words in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            await ctx.info(words)  # type: ignore[deprecated] # what is tested
            await asyncio.sleep(0.05)
        return "Tool with logging executed successfully"

    @server.tool()
    async def test_tool_with_progress(ctx: Context[Any, Any]) -> str:
        for step in (0, 50, 100):
            await ctx.report_progress(step, 100, f"Completed step {step} of 100")
            await asyncio.sleep(0.05)
        return "done"

    @server.tool()
    async def test_reconnection(ctx: Context[Any, Any]) -> str:
        await ctx.close_sse_stream()
        await asyncio.sleep(0.2)
        return "Reconnection test completed"

    @server.tool()
    async def test_sampling(prompt: str, ctx: Context[Any, Any]) -> str:
        asked = [SamplingMessage(role="user", content=text(prompt))]
        result = await ctx.session.create_message(asked, max_tokens=100, related_request_id=ctx.request_id)
        return f"LLM response: {getattr(result.content, 'text', '')}"

    @server.tool()
    async def test_missing_capability(ctx: Context[Any, Any]) -> str:
        has = ctx.session.client_capabilities
        if has is None or has.sampling is None:
            wanted: dict[str, Any] = {"requiredCapabilities": {"sampling": {}}}
            raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "sampling is needed", wanted)
        return "the client can sample"


class _Answer(BaseModel):
    response: str = Field("", description="User's response")


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
    untitledSingle: str = Field(json_schema_extra={"enum": _THREE})  # noqa: N815 the suite's names
    titledSingle: str = Field(json_schema_extra={"oneOf": _titled(*_THREE)})  # noqa: N815
    untitledMulti: list[str] = Field(json_schema_extra={"items": {"type": "string", "enum": _THREE}})  # noqa: N815
    titledMulti: list[str] = Field(json_schema_extra={"items": {"anyOf": _titled(*_THREE)}})  # noqa: N815
    legacyEnum: str = Field(json_schema_extra={"enum": _THREE, "enumNames": ["One", "Two", "Three"]})  # noqa: N815


def add_eliciting(server: MCPServer[Any]) -> None:
    """Tools that ask the user, as sessions do."""

    async def asked(ctx: Context[Any, Any], message: str, schema: type[BaseModel]) -> str:
        result = await ctx.elicit(message, schema)
        content = result.data.model_dump_json() if result.action == "accept" else "{}"
        return f"action={result.action}, content={content}"

    @server.tool()
    async def test_elicitation(message: str, ctx: Context[Any, Any]) -> str:
        return f"User response: {await asked(ctx, message, _Answer)}"

    @server.tool()
    async def test_elicitation_sep1034_defaults(ctx: Context[Any, Any]) -> str:
        return f"Elicitation completed: {await asked(ctx, 'Please provide user information', _Defaults)}"

    @server.tool()
    async def test_elicitation_sep1330_enums(ctx: Context[Any, Any]) -> str:
        return f"Elicitation completed: {await asked(ctx, 'Please select values', _Enums)}"


def add_resources(server: MCPServer[Any]) -> None:  # noqa: C901 one small tool after another
    """Resources, prompts, and what announces that lists have changed."""

    @server.resource("test://static-text", mime_type="text/plain")
    def static_text() -> str:
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        return base64.b64decode(_PNG)

    @server.resource("test://template/{id}/data", mime_type="application/json")
    def template(id: str) -> str:  # noqa: A002 the template's own name
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})

    @server.resource("test://watched-resource")
    def watched() -> str:
        return "Watched resource content"

    @server.prompt()
    def test_simple_prompt() -> list[UserMessage]:
        return [UserMessage(text("This is a simple prompt for testing."))]

    @server.prompt()
    def test_prompt_with_arguments(arg1: str, arg2: str) -> list[UserMessage]:
        return [UserMessage(text(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"))]

    @server.prompt()
    def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803 the suite's name
        return [
            UserMessage(_embedded(resourceUri, "Embedded resource content for testing.")),
            UserMessage(text("Please process the embedded resource above.")),
        ]

    @server.prompt()
    def test_prompt_with_image() -> list[UserMessage]:
        return [UserMessage(_image()), UserMessage(text("Please analyze the image above."))]

    @server.tool()
    async def test_trigger_tool_change(ctx: Context[Any, Any]) -> str:
        await ctx.notify_tools_changed()
        return "tool list changed"

    @server.tool()
    async def test_trigger_prompt_change(ctx: Context[Any, Any]) -> str:
        server.add_prompt(Prompt.from_function(lambda: "", name="test_dynamic_prompt"))
        server.remove_prompt("test_dynamic_prompt")
        await ctx.notify_prompts_changed()
        return "prompt list changed"


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
