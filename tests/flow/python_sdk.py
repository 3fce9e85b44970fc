"""The exporters of OpenTelemetry's Python SDK for logs and metrics, with a record of what each really sent."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry.exporter.otlp.json.common._log_encoder import encode_logs as json_logs
from opentelemetry.exporter.otlp.json.common.metrics_encoder import encode_metrics as json_metrics
from opentelemetry.exporter.otlp.json.http._log_exporter import OTLPLogExporter as JsonLogs
from opentelemetry.exporter.otlp.json.http.metric_exporter import OTLPMetricExporter as JsonMetrics
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import (
    AlwaysOnExemplarFilter,
    Counter,
    Histogram,
    MeterProvider,
    ObservableCounter,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import View
from opentelemetry.sdk.resources import Resource

from tests.flow.house import House
from tests.otlp_json import message_of_json

RESOURCE = Resource({"service.name": "checkout", "replicas": 3}, schema_url="https://opentelemetry.io/schemas/1.40.0")
DELTA: dict[type, AggregationTemporality] = dict.fromkeys(
    (Counter, UpDownCounter, Histogram, ObservableCounter, ObservableUpDownCounter), AggregationTemporality.DELTA
)


@dataclass(frozen=True)
class Protocol:
    """One exporter of each signal, and what it writes on the wire, as protobuf."""

    logs: Callable[[House], Any]
    metrics: Callable[..., Any]
    logs_sent: Callable[[Any], ExportLogsServiceRequest]
    metrics_sent: Callable[[Any], ExportMetricsServiceRequest]


PROTOCOLS = {
    "grpc": Protocol(
        lambda agent: GrpcLogs(endpoint=agent.listening.otlp_grpc, insecure=True),
        lambda agent, **wishes: GrpcMetrics(endpoint=agent.listening.otlp_grpc, insecure=True, **wishes),
        encode_logs,
        encode_metrics,
    ),
    "http/protobuf": Protocol(
        lambda agent: HttpLogs(endpoint=f"http://{agent.listening.otlp_http}/v1/logs"),
        lambda agent, **wishes: HttpMetrics(endpoint=f"http://{agent.listening.otlp_http}/v1/metrics", **wishes),
        encode_logs,
        encode_metrics,
    ),
    "http/json": Protocol(
        lambda agent: JsonLogs(endpoint=f"http://{agent.listening.otlp_http}/v1/logs"),
        lambda agent, **wishes: JsonMetrics(endpoint=f"http://{agent.listening.otlp_http}/v1/metrics", **wishes),
        lambda batch: message_of_json(json_logs(batch).to_json(), ExportLogsServiceRequest),
        lambda data: message_of_json(json_metrics(data).to_json(), ExportMetricsServiceRequest),
    ),
}


def _watched(exporter: Any, sent: list[Any]) -> Any:
    """The exporter, which now also notes what it was given to send; it must succeed."""
    export = exporter.export

    def watched(batch: Any, *args: Any, **kwargs: Any) -> Any:
        result = export(batch, *args, **kwargs)
        assert result.name == "SUCCESS"
        sent.append(batch)
        return result

    exporter.export = watched
    return exporter


def send_logs(protocol: Protocol, agent: House, emit: Callable[[LoggerProvider], None]) -> list[ExportLogsServiceRequest]:
    """What ``emit`` logs, sent; the requests that went out."""
    sent: list[Any] = []
    provider = LoggerProvider(resource=RESOURCE, shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(_watched(protocol.logs(agent), sent)))
    emit(provider)
    provider.shutdown()
    return [protocol.logs_sent(batch) for batch in sent]


def send_metrics(
    protocol: Protocol,
    agent: House,
    measure: Callable[[MeterProvider, Callable[[], None]], None],
    views: list[View],
    temporality: Mapping[type, AggregationTemporality],
) -> list[ExportMetricsServiceRequest]:
    """What ``measure`` measures, sent each time that it calls the function it is given; the requests that went out."""
    sent: list[Any] = []
    exporter = _watched(protocol.metrics(agent, preferred_temporality=dict(temporality)), sent)
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=math.inf)
    provider = MeterProvider(
        [reader], resource=RESOURCE, exemplar_filter=AlwaysOnExemplarFilter(), shutdown_on_exit=False, views=views
    )
    measure(provider, lambda: _flushed(provider))
    provider.shutdown()
    return [protocol.metrics_sent(data) for data in sent]


def _flushed(provider: MeterProvider) -> None:
    assert provider.force_flush()
