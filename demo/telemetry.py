"""What both services of the demo stand on: the OpenTelemetry SDK's three signals, and HTTP requests that are spans.

Where it sends comes from the SDK's own variables (OTEL_EXPORTER_OTLP_ENDPOINT).
"""

from __future__ import annotations

import json
import logging
import signal
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry import propagate
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode

Answer = Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]
"""What a service does: a request's JSON to a status and the reply's JSON."""

_DELAY_MS = 500
_METRICS_INTERVAL_MS = 5000
_SEVERITIES = {
    logging.DEBUG: SeverityNumber.DEBUG,
    logging.INFO: SeverityNumber.INFO,
    logging.WARNING: SeverityNumber.WARN,
    logging.ERROR: SeverityNumber.ERROR,
    logging.CRITICAL: SeverityNumber.FATAL,
}


class Telemetry:
    """Tracer, meter and log of one service."""

    def __init__(self, service: str) -> None:
        resource = Resource.create({"service.name": service, "service.version": "1.0.0"})
        self._traces = TracerProvider(resource=resource)
        self._traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=_DELAY_MS))
        reader = PeriodicExportingMetricReader(OTLPMetricExporter(), export_interval_millis=_METRICS_INTERVAL_MS)
        self._metrics = MeterProvider(resource=resource, metric_readers=[reader])
        self._logs = LoggerProvider(resource=resource)
        self._logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(), schedule_delay_millis=_DELAY_MS))
        self.tracer = self._traces.get_tracer("demo")
        self.meter = self._metrics.get_meter("demo")
        self.log = logging.getLogger(service)
        self.log.setLevel(logging.DEBUG)
        self.log.addHandler(_Bridge(self._logs))
        self.durations = self.meter.create_histogram("http.server.request.duration", "s", "How long requests took")

    def close(self) -> None:
        """Send what is still here."""
        for provider in (self._traces, self._metrics, self._logs):
            provider.shutdown()


class _Bridge(logging.Handler):
    """Records of Python's logging as LogRecords of the current span; ``extra={"attributes": …}`` are their attributes."""

    def __init__(self, provider: LoggerProvider) -> None:
        super().__init__()
        self._logger = provider.get_logger("logging")

    def emit(self, record: logging.LogRecord) -> None:
        """Hand one on."""
        self._logger.emit(
            timestamp=int(record.created * 1e9),
            severity_number=_SEVERITIES[record.levelno],
            severity_text=record.levelname,
            body=record.getMessage(),
            attributes=getattr(record, "attributes", None),
            exception=record.exc_info[1] if record.exc_info else None,
        )


def serve(telemetry: Telemetry, route: str, answer: Answer) -> None:
    """Answer POSTs to ``route`` on a free port, which is printed first, until SIGTERM; then send what is left."""

    class Requests(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
            status, reply = _answered(telemetry, route, answer, dict(self.headers), body)
            payload = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 http.server's name
            pass

    def end(*_: object) -> None:
        raise SystemExit

    signal.signal(signal.SIGTERM, end)
    with ThreadingHTTPServer(("127.0.0.1", 0), Requests) as server:
        print(server.server_port, flush=True)
        try:
            server.serve_forever()
        finally:
            telemetry.close()


def _answered(
    telemetry: Telemetry, route: str, answer: Answer, headers: dict[str, str], body: dict[str, Any]
) -> tuple[int, dict[str, Any]]:
    """One request as a SERVER span under its caller's, measured."""
    began = time.monotonic()
    parent = propagate.extract({name.lower(): value for name, value in headers.items()})
    attributes = {"http.request.method": "POST", "http.route": route}
    with telemetry.tracer.start_as_current_span(f"POST {route}", parent, SpanKind.SERVER, attributes) as span:
        status, reply = answer(body)
        span.set_attribute("http.response.status_code", status)
        if status >= 500:
            span.set_status(StatusCode.ERROR, str(reply.get("error", "")))
        telemetry.durations.record(time.monotonic() - began, attributes | {"http.response.status_code": status})
    return status, reply
