"""One server as it is configured, and the address at which it speaks MCP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx2

from colony.upstream.credentials import Credentials

TEMPO_PATH = "/api/mcp"
GENERIC_PATH = "/mcp"


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """One table of ``[[upstream]]``."""

    name: str
    kind: str = "generic"
    url: str = ""
    command: Sequence[str] = ()
    datasource: str = ""
    credentials: Credentials = field(default_factory=Credentials)
    tools: Sequence[str] = ()
    deadline_seconds: float = 10.0
    max_in_flight: int = 8
    max_reply_bytes: int = 8 << 20
    auth: httpx2.Auth | None = field(default=None, repr=False)
    """A flow of authorisation, like the SDK's for OAuth, instead of a token; from Python only."""
    client_options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Options of the SDK's client: callbacks that answer what a server asks. The colony has nobody who could."""
    refresh_seconds: float = 60.0
    """How often the list of tools is asked for again, which also tells whether the server is there."""
    least_pause_seconds: float = 0.1
    most_pause_seconds: float = 30.0


def mcp_url(url: str, kind: str) -> str:
    """Where MCP is spoken: a base gets the kind's path, a full address stays, a doubled path is halved."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    if kind == "generic":
        return urlunsplit(parts._replace(path=path or GENERIC_PATH)) if not path else url
    while path.endswith(TEMPO_PATH):
        path = path.removesuffix(TEMPO_PATH).rstrip("/")
    return urlunsplit(parts._replace(path=path + TEMPO_PATH))


def http_url(url: str) -> str:
    """The base of Tempo's HTTP API, behind whichever of its addresses."""
    parts = urlsplit(mcp_url(url, "tempo"))
    return urlunsplit(parts._replace(path=parts.path.removesuffix(TEMPO_PATH), query=""))


def shown_url(url: str) -> str:
    """An address for people: without what could be a secret."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return urlunsplit((parts.scheme, f"{host}:{parts.port}" if parts.port else host, parts.path, "", ""))
