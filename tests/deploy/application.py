"""An application of one's own, as docs/quickstart.md means it: the SDK knows from the environment who it is and where to send."""

from __future__ import annotations

import time

from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import StatusCode, set_span_in_context


def main() -> None:
    """One slow request that failed, what it logged, and two metrics."""
    traces, logs = TracerProvider(), LoggerProvider()
    metrics = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())])
    traces.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
    logs.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter()))
    meter = metrics.get_meter("application")
    now_ns = time.time_ns()  # noqa: TID251 nobody passes a clock in: it stands alone
    asked = {"http.response.status_code": 500, "cart.items": 3}
    span = traces.get_tracer("application").start_span("POST /pay", start_time=now_ns - 400_000_000, attributes=asked)
    span.set_status(StatusCode.ERROR, "timeout")
    span.end(now_ns)
    meter.create_histogram("http.server.request.duration", "s").record(0.4)
    meter.create_counter("shop.orders", "{order}").add(1)
    logs.get_logger("application").emit(
        timestamp=now_ns,
        severity_number=SeverityNumber.ERROR,
        severity_text="ERROR",
        body="timeout of the bank",
        context=set_span_in_context(span),
    )
    for provider in (traces, metrics, logs):
        provider.shutdown()


if __name__ == "__main__":
    main()
