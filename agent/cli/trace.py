"""One trace as a tree on a common time axis: who called whom, when, for how long, and what is missing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf.timestamp_pb2 import Timestamp
from rich.table import Table
from rich.text import Text

from agent.cli.spans import status_text
from agent.cli.text import cell, duration_text, moment, safe

_BAR_WIDTH = 24
_DEEPEST = 30
"""Guides are drawn to this depth: a chain of a thousand spans would leave no room for names."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the tree: a span, or the id of a parent that is not in the answer; and the guides before it."""

    guides: str
    span: api.Span | None
    missing_parent_id: str = ""


def start_us(time: Timestamp) -> int:
    """Microseconds since 1970."""
    return time.seconds * 1_000_000 + time.nanos // 1_000


def rows_of(spans: Sequence[api.Span]) -> list[Row]:
    """Every span exactly once: under its parent, under the name of a parent that is missing, or as a root.

    Siblings go by start time. Spans that share an id are all shown, children under the first; spans whose parents go
    round in a circle begin where the earliest of them does.
    """
    by_time = sorted(spans, key=lambda span: (start_us(span.start_time), span.position))
    known = {span.span_id for span in by_time}
    children: dict[str, list[api.Span]] = defaultdict(list)
    for span in by_time:
        children[span.parent_span_id].append(span)
    rows = list(_below(children.pop("", []), children, ""))
    for parent_id in [parent_id for parent_id in children if parent_id not in known]:
        rows.append(Row("", None, parent_id))
        rows += _below(children.pop(parent_id), children, "", is_under=True)
    while children:
        rows += _below([children[next(iter(children))].pop(0)], children, "")
        for parent_id in [parent_id for parent_id, left in children.items() if not left]:
            del children[parent_id]
    return rows


def _below(
    siblings: list[api.Span], children: dict[str, list[api.Span]], indent: str, *, is_under: bool = False
) -> Iterator[Row]:
    """Depth first, with a stack: a hostile trace may be deeper than Python recurses."""
    stack = _pushed(siblings, indent, is_under=is_under)
    while stack:
        span, guides, indent = stack.pop()
        yield Row(guides, span)
        stack += _pushed(children.pop(span.span_id, []), indent, is_under=True)


def _pushed(siblings: list[api.Span], indent: str, *, is_under: bool) -> list[tuple[api.Span, str, str]]:
    """The siblings, last first, each with the guides before it and the indent of what stands below it."""
    if not is_under:
        return [(span, indent, indent) for span in reversed(siblings)]
    if len(indent) >= 2 * _DEEPEST:
        return [(span, indent[:-2] + "… ", indent) for span in reversed(siblings)]
    last = len(siblings) - 1
    pushed = [
        (span, indent + ("└ " if at == last else "├ "), indent + ("  " if at == last else "│ "))
        for at, span in enumerate(siblings)
    ]
    return pushed[::-1]


def _extent(spans: Sequence[api.Span]) -> tuple[int, int]:
    begin = min(start_us(span.start_time) for span in spans)
    end = max(start_us(span.start_time) + span.duration_us for span in spans)
    return begin, max(end - begin, 1)


def bar(offset_us: int, duration_us: int, whole_us: int) -> str:
    """Where in the whole trace a span lies; the shortest is one cell."""
    first = min(offset_us * _BAR_WIDTH // whole_us, _BAR_WIDTH - 1)
    cells = max(1, min(round(duration_us * _BAR_WIDTH / whole_us), _BAR_WIDTH - first))
    return "·" * first + "━" * cells + "·" * (_BAR_WIDTH - first - cells)


def trace_table(spans: Sequence[api.Span]) -> Table:
    """The tree, with each span's place in time beside it."""
    begin_us, whole_us = _extent(spans)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("SPAN", min_width=32)
    table.add_column("", no_wrap=True, width=_BAR_WIDTH)
    table.add_column("OFFSET", justify="right", no_wrap=True)
    table.add_column("DURATION", justify="right", no_wrap=True)
    table.add_column("STATUS", max_width=32)
    table.add_column("EVENTS", justify="right", no_wrap=True)
    for row in rows_of(spans):
        if row.span is None:
            table.add_row(cell(f"missing parent {row.missing_parent_id}", "yellow italic"))
            continue
        table.add_row(*_cells(row.guides, row.span, begin_us, whole_us))
    return table


def _cells(guides: str, span: api.Span, begin_us: int, whole_us: int) -> Iterable[Text | str]:
    offset_us = start_us(span.start_time) - begin_us
    return (
        Text.assemble(
            (guides, "dim"),
            (safe(span.service_name), "bold red" if span.is_error else "cyan"),
            " ",
            (safe(span.operation_name), "red" if span.is_error else ""),
            overflow="ellipsis",
            no_wrap=True,
        ),
        Text(bar(offset_us, span.duration_us, whole_us), "red" if span.is_error else "blue"),
        f"+{duration_text(offset_us)}",
        duration_text(span.duration_us),
        status_text(span),
        str(len(span.events) + span.dropped_events_count or ""),
    )


def trace_heading(spans: Sequence[api.Span]) -> Text:
    """How much there is, since when, and how long it took."""
    _, whole_us = _extent(spans)
    first = min(spans, key=lambda span: start_us(span.start_time))
    services = len({span.service_name for span in spans})
    failed = sum(span.is_error for span in spans)
    return Text.assemble(
        ("trace ", "bold"),
        (safe(first.trace_id), "bold"),
        f"  {len(spans):,} spans, {services:,} services, ",
        (f"{failed:,} errors", "red" if failed else ""),
        f"  {moment(first.start_time):%Y-%m-%d %H:%M:%S%z}  {duration_text(whole_us)}",
    )
