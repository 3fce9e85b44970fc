"""OTLP/JSON as senders write it, and the message that becomes of it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agent import errors
from agent.batch import Signal
from agent.decode.json import protobuf_of_json

REQUESTS: dict[Signal, Any] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
}
TRACE_ID = "5b8efff798038103d269b633813fc60c"


def request(signal: Signal, body: bytes) -> Any:
    return REQUESTS[signal].FromString(protobuf_of_json(signal, body))


def body_of_span(written: Any) -> bytes:
    return orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [written]}]}]})


def span(written: Any) -> Any:
    return request(Signal.TRACES, body_of_span(written)).resource_spans[0].scope_spans[0].spans[0]


def value(written: Any) -> Any:
    return span({"attributes": [{"key": "k", "value": written}]}).attributes[0].value


def point(kind: str, written: Any) -> Any:
    body = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{kind: {"dataPoints": [written]}}]}]}]}
    metric = request(Signal.METRICS, orjson.dumps(body)).resource_metrics[0].scope_metrics[0].metrics[0]
    return getattr(metric, "exponential_histogram" if kind == "exponentialHistogram" else kind).data_points[0]


def wrong(body: Any) -> str:
    """What the sender of a request that is none, or of a span that is none, is told."""
    with pytest.raises(errors.MalformedExport) as caught:
        protobuf_of_json(Signal.TRACES, body if isinstance(body, bytes) else body_of_span(body))
    return caught.value.message
