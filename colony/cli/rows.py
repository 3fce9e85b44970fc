"""Spans and log records of many agents, one a line."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf.timestamp_pb2 import Timestamp
from rich.table import Table
from rich.text import Text

from colony.cli.text import attributes_text, cell, clock_text, duration_text, moment, plain, safe
from colony.merge import Sent

_LEVELS = ((21, "FATAL", "bold red"), (17, "ERROR", "red"), (13, "WARN", "yellow"), (9, "INFO", "green"), (5, "DEBUG", "dim"))
_LONGEST_BODY = 1000


def kind_text(kind: int) -> str:
    """``server`` for SPAN_KIND_SERVER; a number that OTLP does not name as itself."""
    name = api.SpanKind.Name(kind) if kind in api.SpanKind.values() else str(kind)
    return "-" if kind == api.SPAN_KIND_UNSPECIFIED else name.removeprefix("SPAN_KIND_").lower()


def status_text(span: api.Span) -> Text:
    """``ERROR`` and the sender's message in red; else ok or a dash."""
    if span.is_error:
        return cell(f"ERROR {span.status_message}".strip(), "bold red")
    return Text("ok", "green") if span.status_code == api.STATUS_CODE_OK else Text("-", "dim")


def time_texts(times: Sequence[Timestamp], zone: dt.tzinfo | None = None) -> list[str]:
    """The times of day, with the day when there are several."""
    moments = [moment(time, zone) for time in times]
    is_one_day = len({found.date() for found in moments}) <= 1
    return [clock_text(found) if is_one_day else f"{found:%m-%d} {clock_text(found)}" for found in moments]


def spans_table(rows: Sequence[Sent], zone: dt.tzinfo | None = None) -> Table:
    """One span a line; a narrow terminal cuts what is not ``no_wrap``, so the trace id stays whole."""
    table = Table(box=None, pad_edge=False, header_style="bold", collapse_padding=True)
    table.add_column("START", no_wrap=True, min_width=12)
    table.add_column("DURATION", justify="right", no_wrap=True, min_width=8)
    table.add_column("AGENT", min_width=6)
    table.add_column("SERVICE", min_width=8)
    table.add_column("OPERATION", min_width=12)
    table.add_column("KIND", no_wrap=True)
    table.add_column("STATUS", max_width=32)
    table.add_column("TRACE ID", no_wrap=True, min_width=32)
    times = time_texts([sent.row.start_time for sent in rows], zone)
    for sent, time in zip(rows, times, strict=True):
        span: api.Span = sent.row
        table.add_row(
            time,
            duration_text(span.duration_us),
            cell(sent.agent, "dim"),
            cell(span.service_name, "cyan"),
            cell(span.operation_name),
            kind_text(span.kind),
            status_text(span),
            cell(span.trace_id, "dim"),
        )
    return table


def log_lines(rows: Sequence[Sent], zone: dt.tzinfo | None = None) -> list[Text]:
    """One record a line."""
    times = time_texts([_log_time(sent.row) for sent in rows], zone)
    return [_log_line(sent, time) for sent, time in zip(rows, times, strict=True)]


def _log_time(record: api.LogRecord) -> Timestamp:
    if record.HasField("time"):
        return record.time
    return record.observed_time if record.HasField("observed_time") else record.arrival_time


def _log_line(sent: Sent, time: str) -> Text:
    record: api.LogRecord = sent.row
    word, style = next(((word, style) for least, word, style in _LEVELS if record.level >= least), ("-", ""))
    first, *more = record.body.strip().splitlines() or [record.event_name]
    line = Text.assemble(
        (f"{time:<12}", "dim"),
        " ",
        (f"{word:<5}", style),
        " ",
        (safe(record.service_name), "cyan"),
        " ",
        safe(plain(first)[:_LONGEST_BODY]),
    )
    counted = f"(+{len(more)} lines)" if more else ""
    for text in (counted, safe(attributes_text(record.attributes)), safe(record.trace_id), f"[{safe(sent.agent)}]"):
        if text:
            line.append(f" {text}", "dim")
    return line
