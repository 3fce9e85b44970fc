"""Spans as a table: of one page, or batch after batch as they come in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from coral.agent.v1 import telemetry_query_pb2 as api
from rich.table import Table
from rich.text import Text

from agent.cli.page import time_texts
from agent.cli.text import cell, duration_text

_STATUSES = {
    api.STATUS_CODE_UNSET: ("-", "dim"),
    api.STATUS_CODE_OK: ("ok", "green"),
    api.STATUS_CODE_ERROR: ("ERROR", "bold red"),
}


def kind_text(kind: int) -> str:
    """``server`` for SPAN_KIND_SERVER; a number that OTLP does not name as itself."""
    if kind == api.SPAN_KIND_UNSPECIFIED:
        return "-"
    name = api.SpanKind.Name(kind) if kind in api.SpanKind.values() else str(kind)
    return name.removeprefix("SPAN_KIND_").lower()


def status_text(span: api.Span) -> Text:
    """The status in its colour, with the sender's message."""
    word, style = _STATUSES.get(span.status_code, (str(span.status_code), ""))
    if span.is_error and span.status_code != api.STATUS_CODE_ERROR:
        word, style = _STATUSES[api.STATUS_CODE_ERROR]
    return cell(f"{word} {span.status_message}" if span.status_message else word, style)


def spans_table(
    spans: Sequence[api.Span], zone: dt.tzinfo | None = None, *, is_steady: bool = False, has_header: bool = True
) -> Table:
    """One span a line; a narrow terminal cuts the columns that are not ``no_wrap``, so the trace id stays whole.

    With ``is_steady`` the columns are as wide as the terminal makes them, whatever is in them: batches stand under each other.
    """
    table = Table(box=None, pad_edge=False, header_style="bold", collapse_padding=True, expand=is_steady)
    table.show_header = has_header
    table.add_column("START", no_wrap=True, min_width=12)
    table.add_column("DURATION", justify="right", no_wrap=True, min_width=8)
    table.add_column("SERVICE", min_width=8, ratio=2 if is_steady else None)
    table.add_column("OPERATION", min_width=12, ratio=4 if is_steady else None)
    table.add_column("KIND", no_wrap=True, min_width=8 if is_steady else None)
    table.add_column("STATUS", max_width=None if is_steady else 32, ratio=3 if is_steady else None)
    table.add_column("TRACE ID", no_wrap=True, min_width=32)
    times = time_texts([span.start_time for span in spans], zone)
    for span, time in zip(spans, times, strict=True):
        table.add_row(
            time,
            duration_text(span.duration_us),
            cell(span.service_name, "cyan"),
            cell(span.operation_name),
            kind_text(span.kind),
            status_text(span),
            cell(span.trace_id, "dim"),
        )
    return table
