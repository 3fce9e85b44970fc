"""The colony's client of other people's servers, as the official client scenarios drive it: one process, one scenario, one URL.

The client is ``colony.upstream``'s, with what the colony itself has not: somebody who answers questions, and OAuth by the SDK.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import mcp_types
from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from prometheus_client import CollectorRegistry
from pydantic import AnyUrl

from colony.instruments import Instruments
from colony.upstream.client import Upstream, keeping
from colony.upstream.faults import UpstreamError
from colony.upstream.settings import UpstreamSettings

_REDIRECT = "http://localhost:3030/callback"
_METADATA_URL = "https://conformance-test.local/client-metadata.json"
_SAMPLES = {"string": "test", "number": 1.5, "integer": 1, "boolean": True, "array": [], "object": {}}
CONTEXT = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")


class Memory:
    """What OAuth remembers, for one run."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


class Browser:
    """A person who says yes to everything: follows the redirect and hands the code over."""

    def __init__(self) -> None:
        self._code = AuthorizationCodeResult(code="")

    async def open(self, url: str) -> None:
        async with httpx2.AsyncClient() as http:
            response = await http.get(url)
        said = parse_qs(urlsplit(response.headers["location"]).query)
        first = {name: values[0] for name, values in said.items()}
        self._code = AuthorizationCodeResult(code=first.get("code", ""), state=first.get("state"), iss=first.get("iss"))

    async def code(self) -> AuthorizationCodeResult:
        return self._code


def authorised(url: str) -> OAuthClientProvider:
    """The SDK's OAuth."""
    memory, browser = Memory(), Browser()
    metadata = OAuthClientMetadata(client_name="coral-colony", redirect_uris=[AnyUrl(_REDIRECT)])
    if "client_id" in CONTEXT:
        known: dict[str, Any] = {"client_id": CONTEXT["client_id"], "client_secret": CONTEXT.get("client_secret")}
        if "issuer" in CONTEXT:
            known["issuer"] = CONTEXT["issuer"]
        memory.client = OAuthClientInformationFull(
            redirect_uris=[AnyUrl(_REDIRECT)], token_endpoint_auth_method="client_secret_basic", **known
        )
    return OAuthClientProvider(url, metadata, memory, browser.open, browser.code, _METADATA_URL)


async def accept(_context: Any, params: Any) -> mcp_types.ElicitResult:
    """The defaults of whatever is asked."""
    schema = getattr(params, "requested_schema", None) or {}
    content = {name: one["default"] for name, one in schema.get("properties", {}).items() if "default" in one}
    return mcp_types.ElicitResult(action="accept", content=content)


async def sample(_context: Any, _params: Any) -> mcp_types.CreateMessageResult:
    text = mcp_types.TextContent(type="text", text="an answer")
    return mcp_types.CreateMessageResult(role="assistant", content=text, model="none", stop_reason="endTurn")


async def roots(_context: Any) -> mcp_types.ListRootsResult:
    return mcp_types.ListRootsResult(roots=[])


def calls(tools: tuple[mcp_types.Tool, ...]) -> list[tuple[str, dict[str, Any]]]:
    """The calls that the scenario wants, else each tool once with what its schema asks for."""
    if CONTEXT.get("toolCalls"):
        return [(one["name"], one.get("arguments") or {}) for one in CONTEXT["toolCalls"]]
    found: list[tuple[str, dict[str, Any]]] = []
    for tool in tools:
        if tool.input_schema.get("required") == ["schema"]:  # it wants to see what was made of the other tool's
            found.append((tool.name, {"schema": next(one.input_schema for one in tools if one is not tool)}))
            continue
        properties = tool.input_schema.get("properties") or {}
        needed = tool.input_schema.get("required") or properties
        found.append((tool.name, {name: _SAMPLES.get(_kind(properties.get(name)), "test") for name in needed}))
    return found


def _kind(schema: Any) -> str:
    return str(schema.get("type", "")) if isinstance(schema, dict) else ""


async def main(url: str) -> int:
    scenario = os.environ.get("MCP_CONFORMANCE_SCENARIO", "")
    settings = UpstreamSettings(
        "suite",
        url=url,
        deadline_seconds=20.0,
        auth=authorised(url) if scenario.startswith("auth/") else None,
        client_options={"elicitation_callback": accept, "sampling_callback": sample, "list_roots_callback": roots},
    )
    async with keeping(Upstream(settings, Instruments(CollectorRegistry()))) as upstream:
        status = await upstream.settled()
        if status.state.value != "up":
            sys.stderr.write(f"{status.last_fault}\n")
            return 1
        for name, arguments in calls(upstream.tools):
            try:
                said = (await upstream.call(name, arguments)).text
            except UpstreamError as error:  # some scenarios answer what no server may
                said = error.message
            sys.stdout.write(f"{name}: {said[:200]}\n")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[-1])))
