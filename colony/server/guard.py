"""Who may speak to the MCP server: Host and Origin are always checked, and the bearer token when there is one."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from mcp.server.transport_security import TransportSecuritySettings
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from colony.endpoint import Endpoint

PATHS = ("/mcp", "/api/mcp")
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Access:
    """``[mcp]``, as far as access goes. ``token`` is empty when none is needed."""

    endpoint: Endpoint
    allowed_hosts: Sequence[str] = ()
    allowed_origins: Sequence[str] = ()
    token: str = ""


def security_of(access: Access) -> TransportSecuritySettings:
    """What Host and Origin may say: the configured names, this machine's on loopback, else the address listened on."""
    hosts, origins = list(access.allowed_hosts), list(access.allowed_origins)
    names = _LOOPBACK if access.endpoint.is_local else (str(access.endpoint).rpartition(":")[0],)
    hosts += [form for name in names for form in (name, f"{name}:*")]
    if access.endpoint.is_local:
        origins += [f"{scheme}://{name}{port}" for scheme in ("http", "https") for name in names for port in ("", ":*")]
    return TransportSecuritySettings(enable_dns_rebinding_protection=True, allowed_hosts=hosts, allowed_origins=origins)


class Guard:
    """In front of the SDK's app: both paths, the bearer token, and nothing before the server is open."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._digest = _digest(token) if token else b""
        self.is_open = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        headers = [(name, value.strip(b" \t")) for name, value in scope["headers"]]  # httptools leaves what follows a value
        await self._app({**scope, "path": PATHS[0], "raw_path": PATHS[0].encode(), "headers": headers}, receive, send)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        if not self.is_open:
            return JSONResponse({"error": "opening or closing; try again"}, 503, {"retry-after": "1"})
        if self._digest and not hmac.compare_digest(_digest(_bearer(Headers(scope=scope))), self._digest):
            return JSONResponse({"error": "a bearer token is needed"}, 401, {"www-authenticate": 'Bearer realm="coral-colony"'})
        if scope["path"].rstrip("/") not in PATHS:
            return JSONResponse({"error": f"MCP answers at {PATHS[0]}"}, 404)
        return None


def _bearer(headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
