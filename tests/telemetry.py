"""OTLP requests for tests: small, whole, and with every kind of value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Exemplar, Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

START = 1_790_000_000_123_456_789
SECOND = 1_000_000_000
DELTA = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE


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


def log(number: int, **fields: Any) -> LogRecord:
    """A valid log record; ``number`` makes its time."""
    defaults: dict[str, Any] = {
        "time_unix_nano": START + number * 1000,
        "severity_number": 9,
        "severity_text": "INFO",
        "body": any_value(f"record {number}"),
    }
    return LogRecord(**(defaults | fields))


def full_log(number: int = 0) -> LogRecord:
    """A log record with every field set, its body a value of every kind."""
    return log(
        number,
        observed_time_unix_nano=START + 7,
        severity_number=17,
        severity_text="Error",
        body=any_value(EVERY_VALUE),
        attributes=attributes(EVERY_VALUE),
        dropped_attributes_count=3,
        flags=1,
        trace_id=b"\x07" * 16,
        span_id=b"\x08" * 8,
        event_name="payment.refused",
    )


def _envelope(group: Any, scopes: str, service: str | None, resource: Mapping[str, object]) -> Any:
    """Fill a resource part, and make its one scope part."""
    group.schema_url = "https://opentelemetry.io/schemas/1.44.0"
    named = resource if service is None else {"service.name": service, **resource}
    group.resource.attributes.extend(attributes(named))
    group.resource.dropped_attributes_count = 1
    scope = getattr(group, scopes).add(schema_url="https://opentelemetry.io/schemas/1.43.0")
    scope.scope.name, scope.scope.version, scope.scope.dropped_attributes_count = "library", "1.2.3", 2
    scope.scope.attributes.extend(attributes({"scope": True}))
    return scope


def log_request(*logs: LogRecord, service: str | None = "checkout", **resource: object) -> ExportLogsServiceRequest:
    """One resource, one scope, these log records."""
    message = ExportLogsServiceRequest()
    _envelope(message.resource_logs.add(), "scope_logs", service, resource).log_records.extend(logs)
    return message


def metric_request(*metrics: Metric, service: str | None = "checkout", **resource: object) -> ExportMetricsServiceRequest:
    """One resource, one scope, these metrics."""
    message = ExportMetricsServiceRequest()
    _envelope(message.resource_metrics.add(), "scope_metrics", service, resource).metrics.extend(metrics)
    return message


def gauge(name: str, *numbers: int, **fields: Any) -> Metric:
    """A gauge with one integer point for each number, which is also its time."""
    metric = Metric(name=name, unit="1", description=f"what {name} measures")
    for number in numbers:
        metric.gauge.data_points.add(**{"time_unix_nano": START + number * 1000, "as_int": number} | fields)
    return metric


def every_metric() -> list[Metric]:
    """A metric of each kind with every field set, and what is absent apart from what is zero."""
    common: dict[str, Any] = {
        "start_time_unix_nano": START - 1,
        "time_unix_nano": START,
        "attributes": attributes(EVERY_VALUE),
        "flags": 0,
    }
    exemplar = Exemplar(
        filtered_attributes=attributes({"user": 1}),
        time_unix_nano=START,
        as_double=2.5,
        trace_id=b"\x07" * 16,
        span_id=b"\x08" * 8,
    )
    metadata = attributes({"source": "test"})
    made = Metric(name="gauge", unit="1", description="a gauge", metadata=metadata)
    made.gauge.data_points.add(**common, as_int=-(2**63), exemplars=[exemplar, Exemplar(as_int=3)])
    made.gauge.data_points.add(**common, as_double=-0.0)
    made.gauge.data_points.add(**common | {"flags": 1})
    total = Metric(name="sum", unit="By")
    total.sum.aggregation_temporality, total.sum.is_monotonic = CUMULATIVE, True
    total.sum.data_points.add(**common, as_double=float("inf"), exemplars=[exemplar])
    delta = Metric(name="delta")
    delta.sum.aggregation_temporality = DELTA
    delta.sum.data_points.add(**common, as_int=0)
    histogram = Metric(name="histogram", unit="ms")
    histogram.histogram.aggregation_temporality = DELTA
    histogram.histogram.data_points.add(
        **common, count=2**63 + 5, sum=0.0, min=0.0, max=9.5, bucket_counts=[1, 0, 2**63], explicit_bounds=[0.5, 5]
    )
    histogram.histogram.data_points.add(**common, count=1, exemplars=[exemplar])
    exponential = Metric(name="exponential")
    exponential.exponential_histogram.aggregation_temporality = CUMULATIVE
    exponential.exponential_histogram.data_points.add(
        **common,
        count=7,
        sum=-1.5,
        min=-4.0,
        scale=-3,
        zero_count=2,
        zero_threshold=0.25,
        positive={"offset": -5, "bucket_counts": [1, 2**64 - 1]},
        negative={"offset": 3, "bucket_counts": [4]},
        exemplars=[exemplar],
    )
    exponential.exponential_histogram.data_points.add(**common, count=1, positive={})
    summary = Metric(name="summary")
    summary.summary.data_points.add(**common, count=3, sum=4.5, quantile_values=[{"quantile": 0.99, "value": 1.5}])
    return [made, total, delta, histogram, exponential, summary]


def request(*spans: Span, service: str | None = "checkout", **resource: object) -> ExportTraceServiceRequest:
    """One resource, one scope, these spans."""
    message = ExportTraceServiceRequest()
    _envelope(message.resource_spans.add(), "scope_spans", service, resource).spans.extend(spans)
    return message
