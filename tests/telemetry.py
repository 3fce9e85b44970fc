"""OTLP requests for tests: small, whole, and with every kind of value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

START = 1_790_000_000_123_456_789
SECOND = 1_000_000_000


_MAKERS: dict[type, Callable[[Any], AnyValue]] = {
    type(None): lambda _: AnyValue(),
    bool: lambda v: AnyValue(bool_value=v),
    int: lambda v: AnyValue(int_value=v),
    float: lambda v: AnyValue(double_value=v),
    str: lambda v: AnyValue(string_value=v),
    bytes: lambda v: AnyValue(bytes_value=v),
    list: lambda v: AnyValue(array_value=ArrayValue(values=[any_value(x) for x in v])),
    dict: lambda v: AnyValue(kvlist_value=KeyValueList(values=attributes(v))),
}


def any_value(value: object) -> AnyValue:
    """A Python value as an AnyValue; None is the unset value."""
    return _MAKERS[type(value)](value)


def attributes(values: Mapping[str, object]) -> list[KeyValue]:
    """A mapping as OTLP attributes."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in values.items()]


EVERY_VALUE: dict[str, object] = {
    "int": 1,
    "double": 1.0,
    "string": "1",
    "bool": True,
    "false": False,
    "negative": -(2**63),
    "largest": 2**63 - 1,
    "beyond double": 2**53 + 1,
    "bytes": b"\x00\xff\x01",
    "no bytes": b"",
    "empty": "",
    "unset": None,
    "list": [1, "1", 1.0, [True, None], {"nested": b"\x00"}],
    "no list": [],
    "map": {"a": {"b": [{"c": 3}]}, "": "empty key"},
    "unicode": "grüße 🎉 \u202e",
    "nul": "a\0b",
}


def span(number: int, **fields: Any) -> Span:
    """A valid span; ``number`` makes its ids and its start."""
    defaults: dict[str, Any] = {
        "trace_id": (number + 1).to_bytes(16, "big"),
        "span_id": (number + 1).to_bytes(8, "big"),
        "name": f"operation {number % 7}",
        "kind": Span.SPAN_KIND_SERVER,
        "start_time_unix_nano": START + number * 1000,
        "end_time_unix_nano": START + number * 1000 + 5_000_000,
    }
    return Span(**(defaults | fields))


def full_span(number: int = 0) -> Span:
    """A span with every field set and every kind of value."""
    return span(
        number,
        trace_state="vendor=value",
        parent_span_id=b"\x01\x02\x03\x04\x05\x06\x07\x08",
        flags=0x0000_0301 | 1 << 31,
        attributes=attributes(EVERY_VALUE),
        dropped_attributes_count=3,
        events=[
            Span.Event(time_unix_nano=START + 1, name="first", attributes=attributes(EVERY_VALUE), dropped_attributes_count=4),
            Span.Event(time_unix_nano=START, name="second"),
        ],
        dropped_events_count=5,
        links=[
            Span.Link(
                trace_id=b"\x07" * 16,
                span_id=b"\x08" * 8,
                trace_state="other=1",
                attributes=attributes({"link": [1, 2.5]}),
                dropped_attributes_count=6,
                flags=0x101,
            )
        ],
        dropped_links_count=7,
        status=Status(code=Status.STATUS_CODE_ERROR, message="it broke"),
    )


def request(*spans: Span, service: str | None = "checkout", **resource: object) -> ExportTraceServiceRequest:
    """One resource, one scope, these spans."""
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add(schema_url="https://opentelemetry.io/schemas/1.44.0")
    values = resource if service is None else {"service.name": service, **resource}
    group.resource.attributes.extend(attributes(values))
    group.resource.dropped_attributes_count = 1
    scope = group.scope_spans.add(schema_url="https://opentelemetry.io/schemas/1.43.0")
    scope.scope.name, scope.scope.version, scope.scope.dropped_attributes_count = "library", "1.2.3", 2
    scope.scope.attributes.extend(attributes({"scope": True}))
    scope.spans.extend(spans)
    return message
