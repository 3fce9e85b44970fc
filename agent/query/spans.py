"""Spans on their way out: which columns are scrubbed, and how a row becomes a flat Span or OTLP; pure."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache

from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2
from otlp_columns import otlp_columns_pb2 as columns

from agent import values
from agent.query.rows import Origin, Row, Shape, of_attributes, of_text

_FLAT_ATTRIBUTES_KEPT = 65_536
_UNSET = api.STATUS_CODE_UNSET


@lru_cache(maxsize=_FLAT_ATTRIBUTES_KEPT)
def _flat_attribute(wire: bytes) -> tuple[str, str]:
    attribute = values.key_value(wire)
    return attribute.key, values.text_of(attribute.value)


def flat_attributes(wires: Sequence[bytes]) -> dict[str, str]:
    """Attributes by key in flat text; of duplicate keys the first counts."""
    result: dict[str, str] = {}
    for wire in wires:
        key, text = _flat_attribute(wire)
        result.setdefault(key, text)
    return result


def trace_id_bytes(row: Row) -> bytes:
    """The sixteen bytes of a row's trace id."""
    return struct.pack("<QQ", row["trace_id_high"], row["trace_id_low"])


def span_id_bytes(word: int | None) -> bytes:
    """The eight bytes of a span id; none for null."""
    return b"" if word is None else word.to_bytes(8, "little")


def _event(wire: bytes) -> api.Event:
    try:
        event = trace_pb2.Span.Event.FromString(wire)
    except DecodeError:
        return api.Event(name=values.UNREADABLE)
    message = api.Event(
        name=event.name,
        attributes=values.flat(event.attributes),
        dropped_attributes_count=event.dropped_attributes_count,
    )
    message.time.FromNanoseconds(min(event.time_unix_nano, 2**63 - 1))
    return message


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


def flat_scope(origin: Origin) -> api.Scope:
    """A row's scope as a message."""
    try:
        scope = common_pb2.InstrumentationScope.FromString(origin.scope or b"")
    except DecodeError:
        return api.Scope(name=values.UNREADABLE)
    return api.Scope(
        name=scope.name,
        version=scope.version,
        attributes=values.flat(scope.attributes),
        dropped_attributes_count=scope.dropped_attributes_count,
        schema_url=origin.scope_schema_url,
    )


@lru_cache(maxsize=1024)
def resource_attributes(resource: bytes | None) -> dict[str, str]:
    """A Resource's attributes in flat text."""
    try:
        return values.flat(resource_pb2.Resource.FromString(resource or b"").attributes)
    except DecodeError:
        return {"": values.UNREADABLE}


def flat_span(row: Row) -> api.Span:
    """The flat Span of a scrubbed row."""
    origin: Origin = row["origin"]
    span = api.Span(
        trace_id=trace_id_bytes(row).hex(),
        span_id=span_id_bytes(row["span_id"]).hex(),
        parent_span_id=span_id_bytes(row["parent_span_id"]).hex(),
        service_name=row["service_name"],
        operation_name=row["name"],
        duration_us=max(0, row["duration_ns"]) // 1000,
        is_error=row["status_code"] == api.STATUS_CODE_ERROR,
        attributes=flat_attributes(row["attributes"]),
        events=[_event(wire) for wire in row["events"]],
        kind=row["kind"],
        status_code=_UNSET if row["status_code"] is None else row["status_code"],
        status_message=row["status_message"] or "",
        links=[_link(wire) for wire in row["links"]],
        flags=row["flags"],
        trace_state=row["trace_state"],
        resource_attributes=resource_attributes(origin.resource),
        scope=flat_scope(origin),
        dropped_attributes_count=row["dropped_attributes_count"],
        dropped_events_count=row["dropped_events_count"],
        dropped_links_count=row["dropped_links_count"],
        resource_schema_url=origin.resource_schema_url,
        position=row["arrival"],
    )
    span.start_time.FromNanoseconds(row["start_time_ns"])
    span.end_time.FromNanoseconds(row["start_time_ns"] + row["duration_ns"])
    return span


def _otlp_span(row: Row) -> columns.Span:
    span = columns.Span(
        trace_id=trace_id_bytes(row),
        span_id=span_id_bytes(row["span_id"]),
        parent_span_id=span_id_bytes(row["parent_span_id"]),
        start_time_unix_nano=row["start_time_ns"],
        end_time_unix_nano=row["start_time_ns"] + row["duration_ns"],
        **{
            name: row[name]
            for name in (
                "trace_state",
                "name",
                "kind",
                "attributes",
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


def otlp_spans(rows: Sequence[Row]) -> bytes:
    """TracesData of scrubbed rows, grouped by Resource and scope, otherwise in their order.

    The trimmed descriptors write what they read: attributes, events and links go out as they came in, undecoded.
    """
    traces = columns.Traces()
    resources: dict[tuple[bytes | None, str], columns.ResourceSpans] = {}
    scopes: dict[Origin, columns.ScopeSpans] = {}
    for row in rows:
        origin: Origin = row["origin"]
        if origin not in scopes:
            key = (origin.resource, origin.resource_schema_url)
            if key not in resources:
                resources[key] = traces.resource_spans.add(resource=origin.resource, schema_url=origin.resource_schema_url)
            scopes[origin] = resources[key].scope_spans.add(scope=origin.scope, schema_url=origin.scope_schema_url)
        scopes[origin].spans.append(_otlp_span(row))
    return traces.SerializeToString()


def shorten_span(row: Row, size: int) -> Row:
    """A row cut to about ``size`` bytes: links, events and attributes go, counted as dropped; names keep their beginning."""
    cut = dict(row)
    for column in ("links", "events", "attributes"):
        wires: list[bytes] = []
        room = size // 4
        for wire in row[column]:
            if len(wire) > room:
                break
            room -= len(wire)
            wires.append(wire)
        cut[column] = wires
        cut[f"dropped_{column}_count"] = min(2**32 - 1, row[f"dropped_{column}_count"] + len(row[column]) - len(wires))
    for column in ("name", "trace_state", "status_message"):
        if row[column] is not None:
            cut[column] = row[column][: size // 32]
    origin: Origin = row["origin"]
    if len(origin.resource or b"") + len(origin.scope or b"") > size // 4:
        cut["origin"] = Origin(origin.service_name[: size // 32], None, "", None, "")
        cut["service_name"] = row["service_name"][: size // 32]
    return cut


SPANS = Shape(
    scrubbing={
        "service_name": of_text,
        "trace_state": of_text,
        "name": of_text,
        "attributes": of_attributes,
        "events": lambda scrubber, wires: [scrubber.event(wire) for wire in wires],
        "links": lambda scrubber, wires: [scrubber.link(wire) for wire in wires],
        "status_message": of_text,
    },
    flat=flat_span,
    otlp=otlp_spans,
    shorten=shorten_span,
)
