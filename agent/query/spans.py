"""Spans on their way out: which columns are scrubbed, and how a row becomes a flat Span or OTLP; pure."""

from __future__ import annotations

from collections.abc import Sequence
from operator import add

import pyarrow as pa
from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf.message import DecodeError
from opentelemetry.proto.trace.v1 import trace_pb2
from otlp_columns import otlp_columns_pb2 as columns

from agent import values
from agent.query.entries import Entries
from agent.query.events import event_fields
from agent.query.flat import OwnFields, hex_span_ids, hex_trace_ids, shared_wires, span_id_bytes, trace_id_bytes
from agent.query.rows import Row, Rows, Shape, by_origin, of_attributes, of_events, of_links, of_text, shortened
from agent.wires import as_fields, bytes_of, end_to_end, wire_lists

_UNSET = api.STATUS_CODE_UNSET


def _link(wire: bytes) -> api.Link:
    try:
        link = trace_pb2.Span.Link.FromString(wire)
    except DecodeError:
        return api.Link(trace_state=values.UNREADABLE)
    return api.Link(
        trace_id=link.trace_id.hex(),
        span_id=link.span_id.hex(),
        trace_state=link.trace_state,
        attributes=values.flat(link.attributes),
        dropped_attributes_count=link.dropped_attributes_count,
        flags=link.flags,
    )


_ATTRIBUTES = Entries(api.Span.ATTRIBUTES_FIELD_NUMBER)
_OWN = OwnFields(api.Span)
_SAME = {
    name: name
    for name in (
        "service_name",
        "kind",
        "flags",
        "trace_state",
        "dropped_attributes_count",
        "dropped_events_count",
        "dropped_links_count",
    )
} | {"operation_name": "name", "position": "arrival"}
"""Fields that show a column as it is."""


def flat_spans(rows: Rows) -> pa.BinaryArray:
    """The flat Spans of scrubbed rows, in wire form: their own fields, then what they share with others, made once."""
    starts, durations, codes = rows["start_time_ns"], rows["duration_ns"], rows["status_code"]
    own = _OWN.of(
        {field: rows[column] for field, column in _SAME.items()}
        | {
            "trace_id": hex_trace_ids(rows),
            "span_id": hex_span_ids(rows["span_id"]),
            "parent_span_id": hex_span_ids(rows["parent_span_id"]),
            "start_time": starts,
            "end_time": list(map(add, starts, durations)),
            "duration_us": [max(0, duration) // 1000 for duration in durations],
            "is_error": [code == api.STATUS_CODE_ERROR for code in codes],
            "status_code": [_UNSET if code is None else code for code in codes],
            "status_message": [text or "" for text in rows["status_message"]],
        }
    )
    events, links = event_fields(rows["events"]), _link_fields(rows["links"])
    return end_to_end(own, events, links, _ATTRIBUTES.of_all(rows["attributes"]), shared_wires(rows["origin"], api.Span))


def _link_fields(cells: Sequence[Sequence[bytes]]) -> pa.BinaryArray:
    """The links of each span, as fields of the flat Span."""
    lists = wire_lists(cells)
    links = pa.array([_link(wire).SerializeToString() for wire in bytes_of(lists.table)], pa.binary())
    return lists.concatenated(as_fields(api.Span.LINKS_FIELD_NUMBER, links))


def _otlp_span(row: Row) -> columns.Span:
    span = columns.Span(
        trace_id=trace_id_bytes(row),
        span_id=span_id_bytes(row["span_id"]),
        parent_span_id=span_id_bytes(row["parent_span_id"]),
        start_time_unix_nano=row["start_time_ns"],
        end_time_unix_nano=row["start_time_ns"] + row["duration_ns"],
        attributes=values.readable(row["attributes"]),
        **{
            name: row[name]
            for name in (
                "trace_state",
                "name",
                "kind",
                "dropped_attributes_count",
                "events",
                "dropped_events_count",
                "links",
                "dropped_links_count",
                "flags",
            )
        },
    )
    if row["status_code"] is not None:
        span.status.CopyFrom(columns.Status(code=row["status_code"], message=row["status_message"]))
    return span


def otlp_spans(rows: Rows) -> bytes:
    """TracesData of scrubbed rows, grouped by Resource and scope, otherwise in their order.

    The trimmed descriptors write what they read: attributes, events and links go out as they came in, undecoded.
    """
    traces = columns.Traces()
    for origin, group in by_origin(traces.resource_spans, "scope_spans", rows):
        origin.spans.extend(_otlp_span(row) for row in group)
    return traces.SerializeToString()


SPANS = Shape(
    scrubbing={
        "service_name": of_text,
        "trace_state": of_text,
        "name": of_text,
        "attributes": of_attributes,
        "events": of_events,
        "links": of_links,
        "status_message": of_text,
    },
    flat=flat_spans,
    repeats=False,
    otlp=otlp_spans,
    shorten=lambda row, size: shortened(
        row, size, lists=("links", "events", "attributes"), texts=("name", "trace_state", "status_message")
    ),
)
