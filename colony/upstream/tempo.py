"""Grafana Tempo by its MCP server: its tools as methods, its answers as the colony's own values, its errors by kind."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal, Protocol

import structlog
from mcp_types import Tool
from prometheus_client import CollectorRegistry

from colony.clock import SECOND_NS
from colony.errors import InvalidQuestion
from colony.instruments import Instruments
from colony.outcome import one_line
from colony.upstream.client import Upstream, keeping
from colony.upstream.faults import (
    BadArguments,
    BadQuery,
    BadTime,
    NoSuchTool,
    NotAllowed,
    NotFound,
    ProtocolFault,
    ServerFault,
    Throttled,
    TooLarge,
    ToolFailed,
    UpstreamError,
    WrongTool,
)
from colony.upstream.grafana import finding
from colony.upstream.said import Said
from colony.upstream.series import Series, names_by_scope, series, values_of
from colony.upstream.settings import UpstreamSettings
from colony.upstream.shapes import FoundTrace, WholeTrace, found_traces, hex_id, whole_trace

_log = structlog.get_logger(__name__)

SEARCH, GET = "traceql-search", "get-trace"
INSTANT, RANGE = "traceql-metrics-instant", "traceql-metrics-range"
NAMES, VALUES, DOCS = "get-attribute-names", "get-attribute-values", "docs-traceql"
_POSITION = re.compile(r"line (\d+), col (\d+)")
_STATUS = re.compile(r"http status code (\d{3})")
Scope = Literal["", "span", "resource", "event", "link", "instrumentation"]


class Server(Protocol):
    """What a Tempo is asked through."""

    @property
    def name(self) -> str:
        """As configured."""
        ...

    @property
    def tools(self) -> Sequence[Tool]:
        """As the server lists them."""
        ...

    async def call(self, tool: str, arguments: Mapping[str, Any], seconds: float | None = None) -> Said:
        """Call a tool."""
        ...


def fault_of_text(name: str, text: str) -> ToolFailed | UpstreamError:
    """What one of Tempo's errors means; they are texts."""
    said = f"{name}: {one_line(text)}"
    low = text.lower()
    position = _POSITION.search(text)
    if "received on" in low and "tool instead" in low:
        return WrongTool(said)
    if "parse error" in low or "traceql expression exceeds" in low or "filter-query invalid" in low or "invalid traceql" in low:
        line, column = (int(group) for group in position.groups()) if position else (None, None)
        return BadQuery(said, line, column)
    if "invalid start time" in low or "invalid end time" in low or "start must be before end" in low:
        return BadTime(said)
    status = _STATUS.search(text)
    return _of_status(said, int(status.group(1))) if status else ToolFailed(said)


def _of_status(said: str, status: int) -> UpstreamError:
    """Of the HTTP API behind the tool."""
    if status in (401, 403):
        return NotAllowed(said)
    if status == 404:
        return NotFound(said)
    if status in (429, 503):
        return Throttled(said)
    if status in (413, 422):
        return TooLarge(said)
    return BadQuery(said) if status == 400 else ServerFault(said, status)


def rfc3339(time_ns: int) -> str:
    """A moment with its zone, to the second below: Tempo refuses one without, and searches by seconds."""
    return dt.datetime.fromtimestamp(time_ns // SECOND_NS, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class TempoClient:
    """Tempo's tools. Every method raises ``UpstreamError``."""

    def __init__(self, server: Server) -> None:
        self._server = server

    @property
    def name(self) -> str:
        """As configured."""
        return self._server.name

    async def search(
        self, query: str, start_ns: int | None = None, end_ns: int | None = None, seconds: float | None = None
    ) -> list[FoundTrace]:
        """Traces that have spans like these: at most 20 of 3 spans each, not surely the newest; else of the last hour.

        Raises:
            BadQuery: with the position where Tempo stopped reading.
            WrongTool: it is a metrics query.
        """
        return found_traces(await self._json(SEARCH, {"query": query, **_window(start_ns, end_ns)}, seconds))

    async def get_trace(self, trace_id: str, seconds: float | None = None) -> WholeTrace:
        """Every span that it has of a trace.

        Raises:
            NotFound: none.
        """
        wanted = hex_id(trace_id, 32)
        if not wanted:
            raise InvalidQuestion("trace_id must be up to 32 hexadecimal digits")
        found = whole_trace(await self._json(GET, {"trace_id": wanted}, seconds))
        if found is None:
            raise NotFound(f"{self.name}: it has no trace {wanted}")
        return found

    async def metrics_instant(
        self, query: str, start_ns: int | None = None, end_ns: int | None = None, seconds: float | None = None
    ) -> list[Series]:
        """One value a series."""
        return series(await self._json(INSTANT, {"query": query, **_window(start_ns, end_ns)}, seconds))

    async def metrics_range(
        self, query: str, start_ns: int | None = None, end_ns: int | None = None, seconds: float | None = None
    ) -> list[Series]:
        """Values over time."""
        return series(await self._json(RANGE, {"query": query, **_window(start_ns, end_ns)}, seconds))

    async def attribute_names(self, scope: Scope = "", seconds: float | None = None) -> dict[str, list[str]]:
        """Names of attributes by scope."""
        return names_by_scope(await self._json(NAMES, {"scope": scope} if scope else {}, seconds))

    async def attribute_values(self, name: str, only: str = "", seconds: float | None = None) -> list[str]:
        """Values of an attribute, named with its scope as ``traceql.attribute`` writes it; ``only`` of spans like these."""
        return values_of(await self._json(VALUES, {"name": name, **({"filter-query": only} if only else {})}, seconds))

    async def docs(self, name: Literal["basic", "aggregates", "structural", "metrics"] = "basic") -> str:
        """A chapter on TraceQL, in Markdown."""
        return (await self._said(DOCS, {"name": name}, None)).text

    async def _json(self, tool: str, arguments: Mapping[str, Any], seconds: float | None) -> Any:  # noqa: ANN401 JSON
        said = await self._said(tool, arguments, seconds)
        if isinstance(said.structured, dict):
            return said.structured
        try:
            return json.loads(said.text or "{}")
        except ValueError as error:
            raise ProtocolFault(f"{self.name}: {tool} did not answer JSON") from error

    async def _said(self, tool: str, arguments: Mapping[str, Any], seconds: float | None) -> Said:
        said = await self._server.call(tool, self._fitting(tool, arguments), seconds)
        if said.is_error:
            raise fault_of_text(self.name, said.text)
        return said

    def _fitting(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments that the server's own list knows.

        Raises:
            NoSuchTool: the server does not list this tool.
            BadArguments: it wants one that is not there, or of another type.
        """
        listed = next((one for one in self._server.tools if one.name == tool), None)
        if listed is None:
            if not self._server.tools:  # never connected: the call says why
                return dict(arguments)
            names = ", ".join(one_line(one.name)[:40] for one in self._server.tools[:12])
            raise NoSuchTool(f"{self.name}: it has no tool {tool}; it has {names}")
        known = listed.input_schema.get("properties") or {}
        unknown = sorted(set(arguments) - set(known))
        if unknown:
            _log.warning("arguments left out that a tool does not know", name=self.name, tool=tool, arguments=unknown)
        lacking = sorted(set(listed.input_schema.get("required") or ()) - set(arguments))
        if lacking:
            raise BadArguments(f"{self.name}: {tool} also wants {', '.join(lacking)}")
        return {name: value for name, value in arguments.items() if name in known}


def _window(start_ns: int | None, end_ns: int | None) -> dict[str, str]:
    """Half-open in nanoseconds to Tempo's whole seconds: nothing of the window is left out."""
    found = {}
    if start_ns is not None:
        found["start"] = rfc3339(start_ns)
    if end_ns is not None:
        found["end"] = rfc3339(end_ns + SECOND_NS - 1)
    return found


@asynccontextmanager
async def tempo_client(settings: UpstreamSettings, instruments: Instruments | None = None) -> AsyncIterator[TempoClient]:
    """A Tempo of its own connection, closed when left; whether it is there is seen when it is asked."""
    instruments = instruments or Instruments(CollectorRegistry())
    async with keeping(Upstream(settings, instruments, finding(settings))) as upstream:
        await upstream.settled()
        yield TempoClient(upstream)
