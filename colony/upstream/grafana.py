"""Which Tempo stands behind a Grafana: asked once, remembered, and asked again when the server is not found there any more."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import httpx2

from colony.outcome import one_line
from colony.upstream.faults import FAULT, Down, ProtocolFault, UpstreamError, fault_of
from colony.upstream.settings import TEMPO_PATH, UpstreamSettings
from colony.upstream.wire import Wire, WireLimits, network

_REMEMBERED_SECONDS = 600.0


def finding(settings: UpstreamSettings) -> Callable[[bool], Awaitable[str]] | None:
    """How the address of this server is found; None when it is configured."""
    return Datasources(settings).find if settings.kind == "grafana" else None


class Datasources:
    """The datasources of a Grafana."""

    def __init__(self, settings: UpstreamSettings) -> None:
        self._settings = settings
        self._url = ""
        self._until = 0.0

    async def find(self, again: bool = False) -> str:
        """Where the Tempo that is meant speaks MCP, through Grafana; ``again``: what is remembered was wrong.

        Raises:
            UpstreamError: Grafana does not answer, may not be asked, or has no such datasource.
        """
        if again or not self._url or time.monotonic() >= self._until:
            self._url = ""
            uid = chosen(self._settings.name, await self._listed(), self._settings.datasource)
            self._url = _under(self._settings.url, f"/api/datasources/proxy/uid/{quote(uid, safe='')}{TEMPO_PATH}")
            self._until = time.monotonic() + _REMEMBERED_SECONDS
        return self._url

    async def _listed(self) -> Any:  # noqa: ANN401 JSON
        settings = self._settings
        limits = WireLimits(settings.deadline_seconds, settings.max_reply_bytes)
        wire = Wire(network(), settings.credentials, limits)
        async with httpx2.AsyncClient(transport=wire) as http, asyncio.timeout(settings.deadline_seconds):
            response = await http.get(_under(settings.url, "/api/datasources"))
        return _document(settings.name, response)


def _under(base: str, path: str) -> str:
    parts = urlsplit(base)
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") + path, "", ""))


def _document(name: str, response: httpx2.Response) -> Any:  # noqa: ANN401 JSON
    try:
        document = json.loads(response.content)
    except ValueError:
        raise ProtocolFault(f"{name}: /api/datasources did not answer JSON; is url that of a Grafana?") from None
    if response.status_code >= 300:
        raise _refused(name, document)
    return document


def _refused(name: str, document: Any) -> UpstreamError:  # noqa: ANN401 JSON
    error = document.get("error") if isinstance(document, dict) else None
    if isinstance(error, dict) and isinstance(error.get("data"), dict) and FAULT in error["data"]:
        return fault_of(name, int(error.get("code", 0)), str(error.get("message", "")), error["data"])
    return Down(f"{name}: Grafana refused to list its datasources")


def chosen(name: str, listed: Any, wanted: str = "") -> str:  # noqa: ANN401 JSON
    """The uid of the Tempo that is meant: by uid or name, else the default one, else the first by name.

    Raises:
        ProtocolFault: there is none.
    """
    sources = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    tempos = sorted(
        (one for one in sources if one.get("type") == "tempo" and one.get("uid")),
        key=lambda one: (one.get("isDefault") is not True, str(one.get("name", ""))),
    )
    found = next((one for one in tempos if not wanted or wanted in (one["uid"], one.get("name"))), None)
    if found is None:
        names = ", ".join(one_line(str(one.get("name", "")))[:40] for one in tempos[:5]) or "none of type tempo"
        what = f'no Tempo datasource "{one_line(wanted)}"' if wanted else "no Tempo datasource"
        raise ProtocolFault(f"{name}: Grafana has {what} that this token may see; it has {names}")
    return str(found["uid"])
