"""Log records as lines that a person reads: when, how severe, who, what."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf.timestamp_pb2 import Timestamp
from rich.text import Text

from agent.cli.options import LEVELS
from agent.cli.page import time_texts
from agent.cli.text import attributes_text, cut, plain, safe

_STYLES = {"trace": "dim", "debug": "dim", "info": "green", "warn": "yellow", "error": "bold red", "fatal": "bold white on red"}
_LONGEST_BODY = 1000
_WIDEST_SERVICE = 24


def log_time(record: api.LogRecord) -> Timestamp | None:
    """The record's time, else when it was observed."""
    if record.HasField("time"):
        return record.time
    return record.observed_time if record.HasField("observed_time") else None


def level_text(level: int) -> Text:
    """The word of OTLP's range in its colour, five wide; ``-`` when the sender gave none."""
    word = next((word for word, least in reversed(LEVELS.items()) if level >= least), "-")
    return Text(f"{word.upper():<5}", _STYLES.get(word, ""))


def log_lines(records: Sequence[api.LogRecord], zone: dt.tzinfo | None = None) -> list[Text]:
    """One record a line, the services of all under each other."""
    times = time_texts([log_time(record) for record in records], zone)
    width = min(max((len(record.service_name) for record in records), default=0), _WIDEST_SERVICE)
    return [_line(record, time, width) for record, time in zip(records, times, strict=True)]


def _line(record: api.LogRecord, time: str, width: int) -> Text:
    first, more = _body(record)
    line = Text.assemble(
        (f"{time:<12}", "dim"),
        " ",
        level_text(record.level),
        " ",
        (f"{safe(record.service_name):<{width}}", "cyan"),
        " ",
        first,
    )
    for text in (more, safe(attributes_text(record.attributes)), safe(record.trace_id)):
        if text:
            line.append(f" {text}", "dim")
    return line


def _body(record: api.LogRecord) -> tuple[str, str]:
    """The body's first line, or the event's name when there is none; and how many lines follow."""
    first, *more = record.body.strip().splitlines() or [record.event_name]
    return safe(cut(plain(first), _LONGEST_BODY)), f"(+{len(more)} lines)" if more else ""
