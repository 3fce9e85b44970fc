"""A page of spans as a table, and the line under it that says what the table leaves out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from coral.agent.v1 import telemetry_query_pb2 as api
from rich.table import Table
from rich.text import Text

from agent.cli.text import cell, clock_text, duration_text, moment, safe

_ORDERS = {
    api.ORDER_UNSPECIFIED: "newest first",
    api.ORDER_NEWEST: "newest first",
    api.ORDER_OLDEST: "oldest first",
    api.ORDER_SLOWEST: "slowest first",
}
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


def spans_table(answer: api.QuerySpansResponse, zone: dt.tzinfo | None = None) -> Table:
    """One span a line; a narrow terminal cuts the columns that are not ``no_wrap``, so the trace id stays whole."""
    times = [moment(span.start_time, zone) for span in answer.spans]
    days = {time.date() for time in times}
    table = Table(box=None, pad_edge=False, header_style="bold", collapse_padding=True)
    table.add_column("START", no_wrap=True)
    table.add_column("DURATION", justify="right", no_wrap=True)
    table.add_column("SERVICE", min_width=8)
    table.add_column("OPERATION", min_width=12)
    table.add_column("KIND", no_wrap=True)
    table.add_column("STATUS", max_width=32)
    table.add_column("TRACE ID", no_wrap=True, min_width=32)
    for span, time in zip(answer.spans, times, strict=True):
        start = clock_text(time) if len(days) == 1 else f"{time:%m-%d} {clock_text(time)}"
        table.add_row(
            start,
            duration_text(span.duration_us),
            cell(span.service_name, "cyan"),
            cell(span.operation_name),
            kind_text(span.kind),
            status_text(span),
            cell(span.trace_id, "dim"),
        )
    return table


def spans_footer(answer: api.QuerySpansResponse, order: api.Order, zone: dt.tzinfo | None = None) -> Text:
    """How much of how much, in which order, on which day, and how to go on."""
    if not answer.spans:
        return Text("no spans match; look further back with --last 1h, or see what is kept: coral-agent info", "yellow")
    total = f"{answer.total_count:,}" if answer.total_is_exact else f"at least {answer.total_count:,}"
    first = moment(answer.spans[0].start_time, zone)
    line = f"showing {len(answer.spans):,} of {total}, {_ORDERS.get(order, '')}; {first:%Y-%m-%d}, UTC{first:%z}"
    if answer.next_page_token:
        line += f"; next page: --page-token {answer.next_page_token}"
    return Text(safe(line), "dim")  # never cut: the token is there to be copied


def warning_lines(warnings: Iterable[str]) -> list[Text]:
    """What the answer leaves out, one a line."""
    return [Text.assemble(("warning: ", "yellow"), safe(warning)) for warning in warnings]
