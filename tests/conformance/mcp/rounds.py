"""The suite's tools that need the client's input in rounds: InputRequiredResult of 2026-07-28."""

from __future__ import annotations

import json
from typing import Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp_types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
)

from tests.conformance.mcp.fixtures import text

Asking = Context[Any, Any]


def _form(message: str, name: str, kind: str = "string") -> ElicitRequest:
    schema = {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def _sample(words: str) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=text(words))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=50))


def _field(answers: Any, key: str, name: str) -> str:
    content = getattr(answers[key], "content", None)
    return str(content.get(name, "?")) if isinstance(content, dict) else "?"


def add_single_rounds(server: MCPServer[Any]) -> None:  # noqa: C901 one small tool after another
    """One request, one answer."""

    @server.tool()
    async def test_input_required_result_elicitation(ctx: Asking) -> str | InputRequiredResult:
        given = ctx.input_responses
        if given and "user_name" in given:
            return f"asked by {_field(given, 'user_name', 'name')}"
        return InputRequiredResult(input_requests={"user_name": _form("Who asks?", "name")})

    @server.tool()
    async def test_input_required_result_sampling(ctx: Asking) -> str | InputRequiredResult:
        given: Any = ctx.input_responses
        if given and "capital_question" in given:
            return f"the model says: {getattr(given['capital_question'].content, 'text', '?')}"
        return InputRequiredResult(input_requests={"capital_question": _sample("Which service is slow?")})

    @server.tool()
    async def test_input_required_result_list_roots(ctx: Asking) -> str | InputRequiredResult:
        given: Any = ctx.input_responses
        if given and "client_roots" in given:
            return f"{len(given['client_roots'].roots)} roots"
        return InputRequiredResult(input_requests={"client_roots": ListRootsRequest()})

    @server.tool()
    async def test_input_required_result_multiple_inputs(ctx: Asking) -> str | InputRequiredResult:
        wanted: Any = {
            "user_name": _form("Who asks?", "name"),
            "greeting": _sample("Say what was found"),
            "client_roots": ListRootsRequest(),
        }
        if ctx.input_responses and wanted.keys() <= ctx.input_responses.keys():
            return "all three are here"
        return InputRequiredResult(input_requests=wanted, request_state="multiple")

    @server.tool()
    async def test_input_required_result_capabilities(ctx: Asking) -> InputRequiredResult:
        has, wanted = ctx.client_capabilities, {}
        if has is None or has.sampling is not None:
            wanted["sample"] = _sample("Say what was found")
        if has is None or has.elicitation is not None:
            wanted["ask"] = _form("Who asks?", "name")  # type: ignore[assignment] # either request
        return InputRequiredResult(input_requests=wanted, request_state="gated")  # type: ignore[arg-type] # as above

    @server.prompt()
    async def test_input_required_result_prompt(ctx: Asking) -> list[UserMessage] | InputRequiredResult:
        given = ctx.input_responses
        if given and "user_context" in given:
            return [UserMessage(text(f"Bear in mind: {_field(given, 'user_context', 'context')}"))]
        return InputRequiredResult(input_requests={"user_context": _form("What should be borne in mind?", "context")})


def add_stateful_rounds(server: MCPServer[Any]) -> None:
    """A state that goes to the client and back."""

    @server.tool()
    async def test_input_required_result_request_state(ctx: Asking) -> str | InputRequiredResult:
        if ctx.input_responses and "confirm" in ctx.input_responses and ctx.request_state == "nonce":
            return "it goes on"
        return InputRequiredResult(input_requests={"confirm": _form("Shall it go on?", "ok", "boolean")}, request_state="nonce")

    @server.tool()
    async def test_input_required_result_tampered_state(ctx: Asking) -> str | InputRequiredResult:
        if ctx.request_state is not None:
            return f"the state came back: {ctx.request_state}"
        return InputRequiredResult(input_requests={"confirm": _form("Shall it go on?", "ok", "boolean")}, request_state="first")

    @server.tool()
    async def test_input_required_result_multi_round(ctx: Asking) -> str | InputRequiredResult:
        state = json.loads(ctx.request_state) if ctx.request_state else {"round": 0}
        given = ctx.input_responses or {}
        if state["round"] == 1 and "step1" in given:
            second = json.dumps({"round": 2, "name": _field(given, "step1", "name")})
            return InputRequiredResult(input_requests={"step2": _form("And since when?", "since")}, request_state=second)
        if state["round"] == 2 and "step2" in given:
            return f"{state['name']} asks since {_field(given, 'step2', 'since')}"
        first = json.dumps({"round": 1})
        return InputRequiredResult(input_requests={"step1": _form("Who asks?", "name")}, request_state=first)


SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {"address": {"$anchor": "endpoint", "type": "string", "pattern": "^[^:]+:[0-9]+$"}},
    "properties": {"agent": {"$ref": "#/$defs/address"}, "trace": {"type": "string"}, "since": {"type": "string"}},
    "allOf": [{"anyOf": [{"required": ["trace"]}, {"required": ["since"]}]}],
    "if": {"required": ["trace"]},
    "then": {"properties": {"since": False}},
    "else": {"required": ["agent"]},
    "additionalProperties": False,
}
"""A trace of any agent, or one agent's since a time: with every keyword of JSON Schema 2020-12 that the suite looks for."""


def add_schema(server: MCPServer[Any]) -> None:
    """A tool whose input schema must come out as it went in."""

    @server.tool()
    def json_schema_2020_12_tool() -> str:
        return "json_schema_2020_12_tool"

    tool = server._tool_manager.get_tool("json_schema_2020_12_tool")
    assert tool is not None
    tool.parameters = SCHEMA
