"""Found rows to a response that fits: a page is cut before it is too large, a single row that is too large is shortened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agent import values
from agent.query import sql
from agent.query.page import PageToken, Position
from agent.query.plan import Plan
from agent.query.rows import Row, Shape
from agent.query.search import Found

ENVELOPE_BYTES = 4096
"""Room for everything in a response but its rows: token, total, warnings."""

FRAMING_BYTES = 16
"""A field's tag and length, and what packing a row into its scope adds."""

_MAX_TOTAL = 2**31 - 1


class Response(Protocol):
    """The fields that every query's response has."""

    total_count: int
    has_more: bool
    next_page_token: str
    total_is_exact: bool
    otlp: bytes
    warnings: Any

    def SerializeToString(self) -> bytes:  # noqa: N802 protobuf's name
        """The response in wire form."""


@dataclass(slots=True)
class Page:
    """What of a search goes into one response: flat messages, or OTLP bytes."""

    messages: list[bytes]
    otlp: bytes
    last: Position | None
    has_more: bool
    warnings: list[str]


def cut(plan: Plan, shape: Shape, found: Found, max_bytes: int) -> Page:
    """As many rows as fit ``max_bytes``, at least one."""
    room = max_bytes - ENVELOPE_BYTES
    warnings = list(found.warnings)
    if plan.otlp:
        otlp = shape.otlp(found.rows)  # nearly always all of it fits: then no row is measured by itself
        if len(otlp) <= room:
            return Page([], otlp, _last(plan, found, found.rows), found.has_more, warnings)
    rows: list[Row] = []
    messages: list[bytes] = []
    flat = [None] * len(found.rows) if plan.otlp else shape.flat(found.rows)
    for row, whole in zip(found.rows, flat, strict=True):
        shown, message, size = row, whole, _size(shape, row, whole)
        if size > room and not rows:
            shown, message, size = _shortened(plan, shape, row, room)
            warnings.append("a row was larger than a reply may be and was shortened; what went is counted as dropped")
        elif size > room:
            break
        room -= size
        rows.append(shown)
        if message is not None:
            messages.append(message)
    was_cut = len(rows) < len(found.rows)
    last = _last(plan, found, rows)
    return Page(messages, shape.otlp(rows) if plan.otlp else b"", last, found.has_more or was_cut, warnings)


def _last(plan: Plan, found: Found, rows: Sequence[Row]) -> Position | None:
    """Where the next page begins."""
    if found.resume is not None and len(rows) == len(found.rows):
        return found.resume
    return Position(rows[-1][sql.key_column(plan)], rows[-1]["arrival"]) if rows else None


def _size(shape: Shape, row: Row, message: bytes | None) -> int:
    """The bytes that a row takes, flat or (without a message) as OTLP."""
    return (len(shape.otlp([row])) if message is None else len(message)) + FRAMING_BYTES


def _shortened(plan: Plan, shape: Shape, row: Row, room: int) -> tuple[Row, bytes | None, int]:
    """A row cut until it fits: flat text can be eleven times as long as its wire bytes."""
    target = room
    while True:
        target //= 2
        shown = shape.shorten(row, target)
        message = None if plan.otlp else shape.flat([shown])[0]
        size = _size(shape, shown, message)
        if size <= room or not target:
            return shown, message, size


ROWS_FIELD = 1
"""Of every query's response: the rows' flat messages."""


def reply(response: Response, plan: Plan, found: Found, page: Page) -> bytes:
    """A response in wire form: the rows, then totals, token and OTLP bytes."""
    response.total_count = min(found.total, _MAX_TOTAL)
    response.total_is_exact = found.total_is_exact and found.total <= _MAX_TOTAL
    response.has_more = page.has_more
    response.otlp = page.otlp
    response.warnings.extend(page.warnings)
    if page.has_more and page.last is not None:
        token = PageToken(plan.fingerprint, plan.window, page.last, (response.total_count, response.total_is_exact))
        response.next_page_token = token.encode()
    rows = [values.length_delimited(ROWS_FIELD, message) for message in page.messages]
    return b"".join((*rows, response.SerializeToString()))
