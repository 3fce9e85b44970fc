"""Log records on their way out: which columns are scrubbed, and how a row becomes a flat LogRecord or OTLP; pure."""

from __future__ import annotations

import pyarrow as pa
from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from otlp_columns import otlp_columns_pb2 as columns

from agent import values
from agent.query.entries import Entries
from agent.query.flat import (
    OwnFields,
    hex_span_ids,
    hex_trace_ids,
    shared_wires,
    span_id_bytes,
    trace_id_bytes,
)
from agent.query.rows import Row, Rows, Shape, by_origin, of_attributes, of_text, shortened
from agent.schema import TimeSource
from agent.scrub.scrubber import Scrubber
from agent.wires import end_to_end


def _scrub_text(scrubber: Scrubber, text: str | None) -> str | None:
    """A body that is a string; one that is JSON is read as such."""
    return None if text is None else scrubber.body(text)


def body_text(row: Row) -> str:
    """The text form of a row's body, which text search reads; empty without one."""
    return _body_text(row["body"], row["body_text"])


def _body_text(body: bytes | None, text: str | None) -> str:
    if body is None:
        return text or ""
    try:
        return values.text_of(AnyValue.FromString(body))
    except DecodeError:
        return values.UNREADABLE


_ATTRIBUTES = Entries(api.LogRecord.ATTRIBUTES_FIELD_NUMBER)
_OWN = OwnFields(api.LogRecord)
_SAME = {
    name: name
    for name in ("service_name", "severity_number", "severity_text", "level", "event_name", "flags", "dropped_attributes_count")
} | {"position": "arrival"}
"""Fields that show a column as it is."""


def flat_logs(rows: Rows) -> pa.BinaryArray:
    """The flat LogRecords of scrubbed rows, in wire form: their own fields, then what they share with others, made once."""
    times = list(zip(rows["time_ns"], rows["time_source"], strict=True))
    own = _OWN.of(
        {field: rows[column] for field, column in _SAME.items()}
        | {
            "body": list(map(_body_text, rows["body"], rows["body_text"])),
            "trace_id": hex_trace_ids(rows),
            "span_id": hex_span_ids(rows["span_id"]),
            "time": [time if source == TimeSource.RECORD else None for time, source in times],
            "arrival_time": [time if source == TimeSource.ARRIVAL else None for time, source in times],
            "observed_time": [time or None for time in rows["observed_time_ns"]],
        }
    )
    return end_to_end(own, _ATTRIBUTES.of_all(rows["attributes"]), shared_wires(rows["origin"], api.LogRecord))


def _otlp_log(row: Row) -> columns.LogRecord:
    record = columns.LogRecord(
        trace_id=trace_id_bytes(row),
        span_id=span_id_bytes(row["span_id"]),
        time_unix_nano=row["time_ns"] if row["time_source"] == TimeSource.RECORD else 0,
        observed_time_unix_nano=row["observed_time_ns"],
        severity_number=row["severity_number"],
        severity_text=row["severity_text"],
        event_name=row["event_name"],
        attributes=values.readable(row["attributes"]),
        dropped_attributes_count=row["dropped_attributes_count"],
        flags=row["flags"],
    )
    if row["body"] is not None:
        record.body.SetInParent()
        record.body.MergeFromString(row["body"])
    elif row["body_text"] is not None:
        record.body.string_value = row["body_text"]
    return record


def otlp_logs(rows: Rows) -> bytes:
    """LogsData of scrubbed rows, grouped by Resource and scope, otherwise in their order."""
    logs = columns.Logs()
    for scope, group in by_origin(logs.resource_logs, "scope_logs", rows):
        scope.log_records.extend(_otlp_log(row) for row in group)
    return logs.SerializeToString()


def _shorten(row: Row, size: int) -> Row:
    cut = shortened(row, size, lists=("attributes",), texts=("severity_text", "event_name"))
    text = body_text(row)
    if len(text) > size // 8:  # a character takes up to four bytes
        cut["body"], cut["body_text"] = None, text[: size // 8]
    return cut


LOGS = Shape(
    scrubbing={
        "service_name": of_text,
        "severity_text": of_text,
        "event_name": of_text,
        "body_text": _scrub_text,
        "body": lambda scrubber, wire: None if wire is None else scrubber.value(wire),
        "attributes": of_attributes,
    },
    flat=flat_logs,
    otlp=otlp_logs,
    shorten=_shorten,
    text=body_text,
)
