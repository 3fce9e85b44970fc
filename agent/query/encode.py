"""Found rows to a response that fits: a page is cut before it is too large, a single row that is too large is shortened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from agent.arrays import ends_of
from agent.query import sql
from agent.query.page import PageToken, Position
from agent.query.plan import Plan
from agent.query.rows import Rows, Shape
from agent.query.search import Found
from agent.wires import as_fields, laid_out

ENVELOPE_BYTES = 4096
"""Room for everything in a response but its rows: token, total, warnings."""

FRAMING_BYTES = 16
"""A field's tag and length, and what packing a row into its scope adds."""

_MAX_TOTAL = 2**31 - 1
_NO_MESSAGES = pa.array([], pa.binary())


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

    messages: pa.BinaryArray
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
            return Page(_NO_MESSAGES, otlp, _last(plan, found, found.rows), found.has_more, warnings)
    messages = _NO_MESSAGES if plan.otlp else shape.flat(found.rows)
    sizes = _otlp_sizes(shape, found.rows) if plan.otlp else iter(np.diff(ends_of(messages)).tolist())
    rows = found.rows.first(_fitting(room, sizes))
    if found.rows and not rows:
        rows, messages = _shortened(plan, shape, found.rows, room)
        warnings.append("a row was larger than a reply may be and was shortened; what went is counted as dropped")
    was_cut = len(rows) < len(found.rows)
    last = _last(plan, found, rows)
    return Page(messages[: len(rows)], shape.otlp(rows) if plan.otlp else b"", last, found.has_more or was_cut, warnings)


def _last(plan: Plan, found: Found, rows: Rows) -> Position | None:
    """Where the next page begins."""
    if found.resume is not None and len(rows) == len(found.rows):
        return found.resume
    return Position(rows[sql.key_column(plan)][-1], rows["arrival"][-1]) if rows else None


def _fitting(room: int, sizes: Iterable[int]) -> int:
    """How many rows of these sizes, the first ones, a reply has room for."""
    count = 0
    for size in sizes:
        room -= size + FRAMING_BYTES
        if room < 0:
            break
        count += 1
    return count


def _otlp_sizes(shape: Shape, rows: Rows) -> Iterator[int]:
    """The bytes that each row takes as OTLP."""
    return (len(shape.otlp(rows.picked([place]))) for place in range(len(rows)))


def _shortened(plan: Plan, shape: Shape, rows: Rows, room: int) -> tuple[Rows, pa.BinaryArray]:
    """The first row cut until it fits: flat text can be eleven times as long as its wire bytes."""
    target = room
    row = next(iter(rows))
    while True:
        target //= 2
        shown = Rows.of([shape.shorten(row, target)], rows.names)
        messages = _NO_MESSAGES if plan.otlp else shape.flat(shown)
        size = FRAMING_BYTES + (len(shape.otlp(shown)) if plan.otlp else int(ends_of(messages)[-1]))
        if size <= room or not target:
            return shown, messages


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
    rows, _ = laid_out(as_fields(ROWS_FIELD, page.messages))
    return rows + response.SerializeToString()
