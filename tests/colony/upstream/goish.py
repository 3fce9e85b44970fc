"""Imitations of three generations of the Go library that Tempo's server is made with: their codes, quirks and bodies.

Written from what was observed of them, not from their code: no session is really kept, only the form of its id is looked at.
"""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

SESSION = re.compile(r"mcp-session-[0-9a-f-]{36}")
Answer = Callable[[dict[str, Any]], Awaitable[tuple[str, bool, dict[str, Any]]]]
"""Arguments to text, whether it is an error, and ``_meta``."""


@dataclass(frozen=True)
class Generation:
    """What tells one generation from another."""

    name: str
    newest: str
    bad_session: int


OLD = Generation("v0.37", "2025-06-18", 400)
MIDDLE = Generation("v0.43", "2025-06-18", 400)
NEW = Generation("v0.54", "2025-11-25", 404)
GENERATIONS = (OLD, MIDDLE, NEW)
_ORDER = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")


@dataclass
class GoServer:
    """An ASGI app at /api/mcp; ``tools`` by name: description, input schema, answer."""

    generation: Generation
    tools: dict[str, tuple[str, dict[str, Any], Answer]]
    path: str = "/api/mcp"
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    http: list[str] = field(default_factory=list)
    refuse: list[Response] = field(default_factory=list)
    """Answers to the tool calls to come, instead of the tool's."""
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    streams: bool = False
    """Whether tool calls are answered by an event stream, as when a notification is sent during the call."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._answer(request)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        self.http.append(request.method)
        self.headers.append(dict(request.headers))
        if request.url.path != self.path:
            return PlainTextResponse("404 page not found\n", 404)
        if request.method == "GET":
            return StreamingResponse(self._open_stream(), media_type="text/event-stream")
        if request.method == "DELETE":
            return Response(status_code=200)
        message = json.loads(await request.body())
        if isinstance(message, list):
            return self._error(None, -32700, "request body is not valid json", 400)
        self.requests.append(message)
        return await self._message(request, message)

    async def _open_stream(self) -> Any:
        yield b": open\n\n"
        await self.closing.wait()

    async def _message(self, request: Request, message: dict[str, Any]) -> Response:
        method, number, params = message["method"], message.get("id"), message.get("params") or {}
        if method == "initialize":
            return self._initialized(number, params)
        if not SESSION.fullmatch(request.headers.get("mcp-session-id", "")):
            return PlainTextResponse("Invalid session ID\n", self.generation.bad_session)
        if number is None:
            return Response(status_code=202)
        if method == "tools/list":
            return self._result(number, {"tools": [self._tool(name) for name in self.tools]})
        if method == "tools/call":
            return await self._called(number, params)
        return self._error(number, -32601, f"Method not found: {method}")

    def _initialized(self, number: Any, params: dict[str, Any]) -> Response:
        wanted = params.get("protocolVersion", "")
        known = _ORDER[: _ORDER.index(self.generation.newest) + 1]
        version = wanted if wanted in known else self.generation.newest
        about = {"name": "tempo", "version": "0.1.0"}
        capabilities: dict[str, Any] = {"tools": {}, "resources": {}}
        result = {"protocolVersion": version, "capabilities": capabilities, "serverInfo": about}
        response = self._result(number, result)
        response.headers["Mcp-Session-Id"] = f"mcp-session-{uuid.uuid4()}"
        return response

    def _tool(self, name: str) -> dict[str, Any]:
        description, schema, _ = self.tools[name]
        hints = {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": False, "openWorldHint": False}
        return {"name": name, "description": description, "inputSchema": schema, "annotations": hints}

    async def _called(self, number: Any, params: dict[str, Any]) -> Response:
        if self.refuse:
            return self.refuse.pop(0)
        name = params.get("name", "")
        if name not in self.tools:
            return self._error(number, -32602, f"tool '{name}' not found: tool not found")
        text, is_error, meta = await self.tools[name][2](params.get("arguments") or {})
        result: dict[str, Any] = {"content": [{"type": "text", "text": text}]}
        if is_error:
            result["isError"] = True
        if meta:
            result["_meta"] = meta
        if not self.streams:
            return self._result(number, result)
        body = json.dumps({"jsonrpc": "2.0", "id": number, "result": result})
        return StreamingResponse(iter([f"event: message\ndata: {body}\n\n".encode()]), media_type="text/event-stream")

    def _result(self, number: Any, result: dict[str, Any]) -> Response:
        return JSONResponse({"jsonrpc": "2.0", "id": number, "result": result})

    def _error(self, number: Any, code: int, message: str, status: int = 200) -> Response:
        return JSONResponse({"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}, status)


def rpc_error(code: int, message: str, status: int = 200, number: Any = None) -> Response:
    return JSONResponse({"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}, status)
