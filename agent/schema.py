"""The columns of the store, as Arrow schemas: one table per signal, and the side tables of every segment.

Scalars are typed; attributes, events and links stay the sender's wire bytes and are decoded only for rows that leave
(ADR 4). What SQL filters, orders and counts by is *hot* and lies in DuckDB; the rest is *cold* and lies packed in blocks
(ADR 11). A trace id is two UBIGINT halves of its sixteen bytes, each read little-endian: only equality is asked of them,
and scanning one half costs a quarter of scanning a BLOB (9 against 40 ms over 10 M rows).
"""

from __future__ import annotations

import enum

import pyarrow as pa

from agent.batch import Signal

VERSION = 2
"""Of everything on disk: journal frames and segment files. A change of any column changes it."""

_wire_list = pa.list_(pa.field("item", pa.binary(), nullable=False))

SPANS = pa.schema(
    [
        pa.field("arrival", pa.int64(), nullable=False),
        pa.field("service_name", pa.string(), nullable=False),
        pa.field("origin", pa.uint64(), nullable=False),
        pa.field("trace_id_high", pa.uint64(), nullable=False),
        pa.field("trace_id_low", pa.uint64(), nullable=False),
        pa.field("span_id", pa.uint64(), nullable=False),
        pa.field("parent_span_id", pa.uint64()),  # null: no parent
        pa.field("trace_state", pa.string(), nullable=False),
        pa.field("flags", pa.uint32(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("kind", pa.int32(), nullable=False),
        pa.field("start_time_ns", pa.int64(), nullable=False),
        pa.field("duration_ns", pa.int64(), nullable=False),  # end - start: negative when the sender said so
        pa.field("attributes", _wire_list, nullable=False),
        pa.field("dropped_attributes_count", pa.uint32(), nullable=False),
        pa.field("events", _wire_list, nullable=False),
        pa.field("dropped_events_count", pa.uint32(), nullable=False),
        pa.field("links", _wire_list, nullable=False),
        pa.field("dropped_links_count", pa.uint32(), nullable=False),
        pa.field("failed", pa.bool_(), nullable=False),  # status code ERROR: half of what counting by a nullable code costs
        pa.field("status_code", pa.int32()),  # null: the span has no Status at all
        pa.field("status_message", pa.string()),
    ]
)

LOGS = pa.schema(
    [
        pa.field("arrival", pa.int64(), nullable=False),
        pa.field("service_name", pa.string(), nullable=False),
        pa.field("origin", pa.uint64(), nullable=False),
        pa.field("trace_id_high", pa.uint64()),  # null: not associated with a trace
        pa.field("trace_id_low", pa.uint64()),
        pa.field("span_id", pa.uint64()),
        pa.field("time_ns", pa.int64(), nullable=False),  # the record's, else when it was observed, else when it arrived
        pa.field("time_source", pa.int32(), nullable=False),  # which of the three: see TimeSource
        pa.field("observed_time_ns", pa.int64(), nullable=False),
        pa.field("severity_number", pa.int32(), nullable=False),
        pa.field("level", pa.int32(), nullable=False),  # severity_number, or what severity_text says when that is 0
        pa.field("severity_text", pa.string(), nullable=False),
        pa.field("event_name", pa.string(), nullable=False),
        pa.field("body_text", pa.string()),  # what text search reads; null: no body
        pa.field("body", pa.binary()),  # wire bytes of the AnyValue; null when it is a string, which body_text holds
        pa.field("attributes", _wire_list, nullable=False),
        pa.field("dropped_attributes_count", pa.uint32(), nullable=False),
        pa.field("flags", pa.uint32(), nullable=False),
    ]
)


class TimeSource(enum.IntEnum):
    """Which of a log record's times ``time_ns`` is."""

    RECORD = 0
    OBSERVED = 1
    ARRIVAL = 2


class PointKind(enum.IntEnum):
    """The five kinds of data point; the numbers are those of ``MetricType`` in telemetry_query.proto."""

    GAUGE = 1
    SUM = 2
    HISTOGRAM = 3
    EXPONENTIAL_HISTOGRAM = 4
    SUMMARY = 5


POINTS = pa.schema(
    [
        pa.field("arrival", pa.int64(), nullable=False),
        pa.field("service_name", pa.string(), nullable=False),
        pa.field("origin", pa.uint64(), nullable=False),
        pa.field("metric_name", pa.string(), nullable=False),
        pa.field("description", pa.string(), nullable=False),
        pa.field("unit", pa.string(), nullable=False),
        pa.field("type", pa.int32(), nullable=False),  # PointKind
        pa.field("temporality", pa.int32(), nullable=False),
        pa.field("is_monotonic", pa.bool_(), nullable=False),
        pa.field("series", pa.uint64(), nullable=False),  # hash of the attributes: what series are grouped by
        pa.field("metadata", _wire_list, nullable=False),
        pa.field("start_time_ns", pa.int64(), nullable=False),
        pa.field("time_ns", pa.int64(), nullable=False),
        pa.field("attributes", _wire_list, nullable=False),
        pa.field("flags", pa.uint32(), nullable=False),
        pa.field("exemplars", _wire_list, nullable=False),
        pa.field("int_value", pa.int64()),
        pa.field("double_value", pa.float64()),
        pa.field("count", pa.uint64()),
        pa.field("sum", pa.float64()),
        pa.field("min", pa.float64()),
        pa.field("max", pa.float64()),
        pa.field("bucket_counts", pa.list_(pa.field("item", pa.uint64(), nullable=False))),
        pa.field("explicit_bounds", pa.list_(pa.field("item", pa.float64(), nullable=False))),
        pa.field("scale", pa.int32()),
        pa.field("zero_count", pa.uint64()),
        pa.field("zero_threshold", pa.float64()),
        pa.field("positive", pa.binary()),  # wire bytes of Buckets
        pa.field("negative", pa.binary()),
        pa.field("quantile_values", pa.list_(pa.field("item", pa.binary(), nullable=False))),
    ]
)
"""One row a data point; what belongs to its metric stands in every row, where dictionaries keep it small."""

ORIGINS = pa.schema(
    [
        pa.field("hash", pa.uint64(), nullable=False),
        pa.field("service_name", pa.string(), nullable=False),
        pa.field("resource", pa.binary()),  # wire bytes of the Resource; null: absent
        pa.field("resource_schema_url", pa.string(), nullable=False),
        pa.field("scope", pa.binary()),  # wire bytes of the InstrumentationScope; null: absent
        pa.field("scope_schema_url", pa.string(), nullable=False),
    ]
)
"""Where rows come from, once per segment: the Resource, the scope and both schema URLs, by content hash."""

REQUESTS = pa.schema(
    [
        pa.field("hash", pa.binary(16), nullable=False),
        pa.field("arrived_ns", pa.int64(), nullable=False),
        pa.field("receipt", pa.string(), nullable=False),  # JSON of the Receipt that was sent
    ]
)
"""The requests of a segment by content hash, so that one that comes again within two minutes counts once."""

BLOOMS = pa.schema([pa.field("signal", pa.string(), nullable=False), pa.field("bits", pa.binary(), nullable=False)])
"""Of a sealed segment, per signal: which traces it may hold (``store/bloom.py``)."""

TABLES: dict[Signal, pa.Schema] = {Signal.TRACES: SPANS, Signal.METRICS: POINTS, Signal.LOGS: LOGS}
TABLE_NAMES: dict[Signal, str] = {Signal.TRACES: "spans", Signal.METRICS: "points", Signal.LOGS: "logs"}
TIME_COLUMNS: dict[Signal, str] = {Signal.TRACES: "start_time_ns", Signal.METRICS: "time_ns", Signal.LOGS: "time_ns"}
"""The event time by which windows select, per signal."""

ADDED = ("arrival", "series")
"""Columns that the store fills in, from rows as they are after scrubbing."""

HOT: dict[Signal, tuple[str, ...]] = {
    Signal.TRACES: (
        "arrival",
        "service_name",
        "origin",
        "trace_id_high",
        "trace_id_low",
        "span_id",
        "parent_span_id",
        "name",
        "kind",
        "start_time_ns",
        "duration_ns",
        "failed",
    ),
    Signal.LOGS: ("arrival", "service_name", "origin", "trace_id_high", "trace_id_low", "span_id", "time_ns", "level"),
    Signal.METRICS: (
        "arrival",
        "service_name",
        "origin",
        "metric_name",
        "unit",
        "type",
        "temporality",
        "is_monotonic",
        "series",
        "time_ns",
        "int_value",
        "double_value",
        "count",
        "sum",
    ),
}
"""The columns that statements name; ``arrival`` leads from them to the cold ones."""

COLD: dict[Signal, tuple[str, ...]] = {
    signal: tuple(name for name in table.names if name not in HOT[signal]) for signal, table in TABLES.items()
}
"""The other columns, in the order in which a block packs them."""

ATTRIBUTES = frozenset({"attributes"})
"""Cold columns whose elements repeat from row to row: written once each."""


def hot_schema(signal: Signal) -> pa.Schema:
    """The fields of the hot columns."""
    return pa.schema([TABLES[signal].field(name) for name in HOT[signal]])
