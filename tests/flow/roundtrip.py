"""Every signal sent and read back through the house, and records compared whatever their grouping."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf import text_format
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

from agent.batch import Signal
from tests.flow.house import House

SINCE_EVER = {"start_time": {"seconds": 0}}


@dataclass(frozen=True)
class Wire:
    """Where a signal goes in, what it is asked for with, and its messages."""

    path: str
    export: str
    query: str
    request: type[Any]
    response: type[Any]
    asks: type[Any]


WIRES = {
    Signal.TRACES: Wire(
        "/v1/traces",
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        "QuerySpans",
        ExportTraceServiceRequest,
        ExportTraceServiceResponse,
        api.QuerySpansRequest,
    ),
    Signal.METRICS: Wire(
        "/v1/metrics",
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        "QueryMetrics",
        ExportMetricsServiceRequest,
        ExportMetricsServiceResponse,
        api.QueryMetricsRequest,
    ),
    Signal.LOGS: Wire(
        "/v1/logs",
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        "QueryLogs",
        ExportLogsServiceRequest,
        ExportLogsServiceResponse,
        api.QueryLogsRequest,
    ),
}


async def send(agent: House, signal: Signal, payload: bytes) -> None:
    """Export over gRPC; everything must be taken."""
    wire = WIRES[signal]
    reply = wire.response.FromString(await agent.otlp.unary_unary(wire.export, bytes, bytes)(payload))
    assert not reply.HasField("partial_success"), reply


async def ask(agent: House, signal: Signal, **fields: Any) -> Any:
    """A query's response, without a time limit of its own unless ``fields`` say one."""
    wire = WIRES[signal]
    return await getattr(agent.query, wire.query)(wire.asks(**{**SINCE_EVER, **fields}))


async def kept(agent: House, signal: Signal) -> Any:
    """All that is kept of a signal, as the request that would send it; it must fit one page."""
    response = await ask(agent, signal, encoding=api.ENCODING_OTLP)
    assert not response.has_more
    assert list(response.warnings) == []
    return WIRES[signal].request.FromString(response.otlp)


def records(*requests: Message) -> Counter[str]:
    """Each span, log record or data point as text, with its Resource, scope and metric; how often each occurs."""
    return Counter(
        "\n".join(
            [
                _part(resource, "resource"),
                resource.schema_url,
                _part(scope, "scope"),
                scope.schema_url,
                *map(_text, parts),
            ]
        )
        for request in requests
        for resource in _members(request)
        for scope in _members(resource)
        for record in _members(scope)
        for parts in _split(record)
    )


def _part(envelope: Any, name: str) -> str:
    """Its text; an absent Resource is not an empty one."""
    return f"{name}: {_text(getattr(envelope, name)) if envelope.HasField(name) else 'absent'}"


def _members(envelope: Any) -> Any:
    """The one repeated field of an envelope."""
    (field,) = (field for field in envelope.DESCRIPTOR.fields if field.is_repeated)
    return getattr(envelope, field.name)


def _split(record: Any) -> Iterator[tuple[Message, ...]]:
    """A metric as its frame and each of its points; every other record as itself."""
    if record.DESCRIPTOR.name != "Metric":
        yield (record,)
        return
    kind = record.WhichOneof("data")
    frame = type(record)()
    frame.CopyFrom(record)
    del getattr(frame, kind).data_points[:]
    for point in getattr(record, kind).data_points:
        yield frame, point


def _text(message: Message) -> str:
    return str(text_format.MessageToString(message, print_unknown_fields=True))
