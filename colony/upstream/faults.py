"""What can go wrong with another's server: each class says whether a call may be repeated and on which connection.

Messages reach whoever asked. They never hold a token, a tenant or a session id; a server's own words are cut and on one line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from colony.errors import ColonyError
from colony.outcome import Result, one_line

FAULT = "coral.fault"
"""Where ``wire`` marks an error that it made of a fault of HTTP."""

_SESSION = re.compile(r"session", re.IGNORECASE)
_LOST = re.compile(r"not found|terminated|invalid|expired|unknown|missing|no valid|closed", re.IGNORECASE)
_TIMED_OUT = re.compile(r"time[d ]*\s?out", re.IGNORECASE)
_SESSION_CODES = (-32600, 32600, -32001, -32000, -32602)
_UNKNOWN_TOOL = re.compile(r"(unknown tool|tool\b.*\bnot found|no tool|no such tool)", re.IGNORECASE)


class UpstreamError(ColonyError):
    """Another's server did not do what was asked."""

    word: ClassVar[str] = "failed"
    """For instruments."""
    result: ClassVar[Result] = Result.REFUSED
    is_transient: ClassVar[bool] = False
    """Whether the same call may succeed at once."""
    is_connection: ClassVar[bool] = False
    """Whether the connection is of no more use."""


class Down(UpstreamError):
    """It cannot be reached now."""

    word = "down"
    result = Result.UNREACHABLE


class Broken(UpstreamError):
    """The connection ended before the answer."""

    word = "broken"
    result = Result.UNREACHABLE
    is_transient = True
    is_connection = True


class SessionLost(UpstreamError):
    """It does not know this session any more."""

    word = "session_lost"
    is_transient = True
    is_connection = True


class TimedOut(UpstreamError):
    """No answer within the deadline."""

    word = "timed_out"
    result = Result.TIMED_OUT


class NotAllowed(UpstreamError):
    """HTTP 401 or 403, or a token that cannot be read."""

    word = "not_allowed"


class Throttled(UpstreamError):
    """HTTP 429 or 503."""

    word = "throttled"
    is_transient = True

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ServerFault(UpstreamError):
    """HTTP 5xx, or another status that nothing explains."""

    word = "server_fault"

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class PassingFault(ServerFault):
    """HTTP 502 or 504: whoever stands in front of the server could not reach it."""

    is_transient = True


class WrongAddress(UpstreamError):
    """HTTP 404 where there never was a session: no MCP server answers there."""

    word = "wrong_address"


class TooLarge(UpstreamError):
    """The reply is over ``max_reply_bytes``."""

    word = "too_large"


class ProtocolFault(UpstreamError):
    """It does not speak MCP, or answered an error of JSON-RPC."""

    word = "protocol"

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class NoSuchTool(ProtocolFault):
    """It does not have this tool."""

    word = "no_such_tool"


class BadArguments(UpstreamError):
    """The arguments do not fit the tool's own schema."""

    word = "bad_arguments"


class ToolFailed(UpstreamError):
    """The tool itself answered with an error."""

    word = "tool_error"


class BadQuery(ToolFailed):
    """TraceQL that it cannot read; ``line`` and ``column`` count from 1, None when it did not say."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class WrongTool(ToolFailed):
    """A metrics query for the search, or the other way round."""


class BadTime(ToolFailed):
    """A start or end that it cannot read, or in the wrong order."""


class NotFound(ToolFailed):
    """No such trace."""


_OF_WIRE: Mapping[str, type[UpstreamError]] = {
    kind.word: kind for kind in (Broken, SessionLost, TimedOut, NotAllowed, WrongAddress, TooLarge, ProtocolFault)
}


def fault_of(name: str, code: int, message: str, data: Any) -> UpstreamError:  # noqa: ANN401 JSON
    """An error of JSON-RPC that the server ``name`` answered, or that ``wire`` made."""
    said = one_line(message)
    if isinstance(data, dict) and FAULT in data:
        return _fault_of_wire(f"{name}: {said}", data)
    if _is_session_lost(code, message):
        return SessionLost(f"{name}: it does not know this session any more")
    if code == -32001 and _TIMED_OUT.search(message):
        return TimedOut(f"{name}: no answer within the deadline")
    if (code == -32000 and "closed" in message.lower()) or message.startswith("SSE stream"):
        return Broken(f"{name}: the connection ended before the answer")
    if code == -32602 and _UNKNOWN_TOOL.search(message):
        return NoSuchTool(f"{name}: {said}", code)
    return ProtocolFault(f"{name}: error {code}: {said}", code)


def _is_session_lost(code: int, message: str) -> bool:
    """In every form that servers use: mcp-go, and SDKs in Python of both ages; -32001 is also how others say "not found"."""
    if code == -32001 and not _TIMED_OUT.search(message):
        return True
    return code in _SESSION_CODES and bool(_SESSION.search(message) and _LOST.search(message))


def _fault_of_wire(message: str, data: Mapping[str, Any]) -> UpstreamError:
    word, status = str(data[FAULT]), int(data.get("status") or 0)
    if word == Throttled.word:
        after = data.get("retry_after")
        return Throttled(message, float(after) if isinstance(after, int | float) else None)
    if word == ServerFault.word:
        return (PassingFault if status in (502, 504) else ServerFault)(message, status)
    return _OF_WIRE.get(word, ProtocolFault)(message)
