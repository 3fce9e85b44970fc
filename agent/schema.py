"""The columns of the store, as Arrow schemas: one table per signal, and the two side tables of every segment.

Scalars are typed; attributes, events and links stay the sender's wire bytes and are decoded only for rows that leave
(ADR 4). A trace id is two UBIGINT halves of its sixteen bytes, each read little-endian: only equality is asked of them,
and scanning one half costs a quarter of scanning a BLOB (9 against 40 ms over 10 M rows).
"""

from __future__ import annotations

import pyarrow as pa

from agent.batch import Signal

VERSION = 1
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
        pa.field("status_code", pa.int32()),  # null: the span has no Status at all
        pa.field("status_message", pa.string()),
    ]
)

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

TABLES: dict[Signal, pa.Schema] = {Signal.TRACES: SPANS}
TABLE_NAMES: dict[Signal, str] = {Signal.TRACES: "spans", Signal.METRICS: "points", Signal.LOGS: "logs"}
TIME_COLUMNS: dict[Signal, str] = {Signal.TRACES: "start_time_ns", Signal.METRICS: "time_ns", Signal.LOGS: "time_ns"}
"""The event time by which windows select, per signal."""
