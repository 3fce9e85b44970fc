"""A canary in each of the 24 places where a sender may write text, a different one in each, so that none is missed."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import EntityRef, InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Exemplar,
    Gauge,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from agent.batch import Signal
from tests.telemetry import START, any_value, attributes

Plant = Callable[[str], str]
"""A place's name to the text that is planted there."""

COMMON = ("resource attribute", "entity key", "scope attribute", "scope name", "scope version", "schema URL", "attribute key")
VALUES = ("string", "array", "map", "bytes", "JSON", "invisible characters", "sensitive key", "key in JSON", "key in a map")
"""Values of an attribute; all but the first six are masked for their key."""
PLACES: dict[Signal, tuple[str, ...]] = {
    Signal.TRACES: (
        *COMMON,
        *("span name", "trace state", "status message", "event name", "event attribute", "link attribute", "link trace state"),
        *(f"attribute: {value}" for value in VALUES),
    ),
    Signal.LOGS: (
        *COMMON,
        *("severity text", "event name", "body: string", "body: map", "body: array", "body: JSON", "log attribute"),
    ),
    Signal.METRICS: (
        *COMMON,
        *("metric name", "unit", "description", "metadata", "data point attribute", "exemplar attribute"),
    ),
}


def canary(place: str) -> str:
    """What is planted in a place: an address that no other place has."""
    return f"canary.{base64.b32encode(place.encode()).decode().strip('=').lower()}@secret.example"


def unrecognisable(place: str) -> str:
    """What only its key gives away."""
    return f"canary {canary(place).partition('@')[0][7:]}"


def forms(place: str) -> Iterator[bytes]:
    """A canary's tell-tale part as it may lie on a disk: plain, base64 at each offset, hexadecimal, UTF-16."""
    raw = canary(place).partition("@")[0][7:].encode()
    yield raw
    yield raw.hex().encode()
    yield raw.decode().encode("utf-16-le")
    for offset in range(3):
        encoded = base64.b64encode(b"." * offset + raw).rstrip(b"=")
        yield encoded[4 if offset else 0 : -2]


def _resource(plant: Plant) -> Resource:
    planted = attributes({"service.name": "checkout", "note": plant("resource attribute"), plant("attribute key"): "x"})
    return Resource(attributes=planted, entity_refs=[EntityRef(type="host", id_keys=[plant("entity key")])])


def _scope(plant: Plant) -> InstrumentationScope:
    return InstrumentationScope(
        name=plant("scope name"), version=plant("scope version"), attributes=attributes({"note": plant("scope attribute")})
    )


def _values(plant: Plant) -> dict[str, object]:
    """An attribute for each of ``VALUES``."""

    def of(value: str) -> str:
        return plant(f"attribute: {value}")

    hidden = of("invisible characters").replace("@", "\u200b＠")
    return {
        "a": of("string"),
        "b": ["x", [of("array")]],
        "c": {"d": {"e": {"f": of("map")}}},
        "g": of("bytes").encode(),
        "h": f'{{"i":["{of("JSON")}"]}}',
        "j": hidden,
        "db.password": unrecognisable("attribute: sensitive key"),
        "k": f'{{"apiKey":"{unrecognisable("attribute: key in JSON")}"}}',
        "l": {"client_secret": unrecognisable("attribute: key in a map")},
    }


def _url(plant: Plant) -> str:
    return f"https://schemas.example/1?user={plant('schema URL')}"


def trace_request(plant: Plant = canary) -> ExportTraceServiceRequest:
    """One span with a canary in every place."""
    span = Span(
        trace_id=b"\x01" * 16,
        span_id=b"\x02" * 8,
        name=f"GET {plant('span name')}",
        trace_state=f"v={plant('trace state')}",
        start_time_unix_nano=START,
        end_time_unix_nano=START + 1000,
        attributes=attributes(_values(plant)),
        events=[Span.Event(name=plant("event name"), attributes=attributes({"a": plant("event attribute")}))],
        links=[
            Span.Link(
                trace_id=b"\x03" * 16,
                span_id=b"\x04" * 8,
                trace_state=f"v={plant('link trace state')}",
                attributes=attributes({"a": plant("link attribute")}),
            )
        ],
        status=Status(code=Status.STATUS_CODE_ERROR, message=plant("status message")),
    )
    scope = ScopeSpans(scope=_scope(plant), schema_url=_url(plant), spans=[span])
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=_resource(plant), schema_url=_url(plant), scope_spans=[scope])]
    )


def log_request(plant: Plant = canary) -> ExportLogsServiceRequest:
    """A log record for each kind of body, with a canary in every place."""
    bodies: list[object] = [
        f"mail to {plant('body: string')}",
        {"a": {"b": plant("body: map")}},
        ["x", plant("body: array")],
        f'{{"a":"{plant("body: JSON")}"}}',
    ]
    records = [
        LogRecord(
            time_unix_nano=START + number,
            severity_text=plant("severity text"),
            event_name=plant("event name"),
            body=any_value(body),
            attributes=attributes({"a": plant("log attribute")}),
        )
        for number, body in enumerate(bodies)
    ]
    scope = ScopeLogs(scope=_scope(plant), schema_url=_url(plant), log_records=records)
    return ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(resource=_resource(plant), schema_url=_url(plant), scope_logs=[scope])]
    )


def metric_request(plant: Plant = canary) -> ExportMetricsServiceRequest:
    """One data point with a canary in every place."""
    exemplar = Exemplar(
        time_unix_nano=START, as_int=1, filtered_attributes=attributes({"a": plant("exemplar attribute")}), span_id=b"\x05" * 8
    )
    point = NumberDataPoint(
        time_unix_nano=START, as_int=7, attributes=attributes({"a": plant("data point attribute")}), exemplars=[exemplar]
    )
    metric = Metric(
        name=f"requests of {plant('metric name')}",
        unit=plant("unit"),
        description=plant("description"),
        metadata=attributes({"a": plant("metadata")}),
        gauge=Gauge(data_points=[point]),
    )
    scope = ScopeMetrics(scope=_scope(plant), schema_url=_url(plant), metrics=[metric])
    return ExportMetricsServiceRequest(
        resource_metrics=[ResourceMetrics(resource=_resource(plant), schema_url=_url(plant), scope_metrics=[scope])]
    )


REQUESTS: dict[Signal, Callable[[], Any]] = {
    Signal.TRACES: trace_request,
    Signal.LOGS: log_request,
    Signal.METRICS: metric_request,
}


def seen(text: str, signal: Signal) -> set[str]:
    """The places whose canary stands in a text, escaped or not, in any form."""
    haystack = text.encode("utf-8", "replace").lower()
    return {place for place in PLACES[signal] if any(form.lower() in haystack for form in forms(place))}
