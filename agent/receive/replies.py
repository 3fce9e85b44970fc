"""Pure: receipts as OTLP's messages, the same for both transports."""

from __future__ import annotations

from google.protobuf import json_format
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from agent.batch import Receipt, Signal
from agent.status import shortened

MAX_PARTIAL_MESSAGE = 16 << 10
"""Characters. Clients take replies up to 4 MiB; nobody reads that much."""


def receipt_message(signal: Signal, receipt: Receipt) -> Message:
    """``Export…ServiceResponse``; ``partial_success`` is absent exactly when everything is kept and nothing is to be said."""
    rejected, message = receipt.rejected, shortened(receipt.message, MAX_PARTIAL_MESSAGE)
    partial = bool(rejected or message)
    if signal is Signal.TRACES:
        traces = trace_service_pb2.ExportTraceServiceResponse()
        if partial:
            traces.partial_success.rejected_spans = rejected
            traces.partial_success.error_message = message
        return traces
    if signal is Signal.LOGS:
        logs = logs_service_pb2.ExportLogsServiceResponse()
        if partial:
            logs.partial_success.rejected_log_records = rejected
            logs.partial_success.error_message = message
        return logs
    metrics = metrics_service_pb2.ExportMetricsServiceResponse()
    if partial:
        metrics.partial_success.rejected_data_points = rejected
        metrics.partial_success.error_message = message
    return metrics


def json_of(message: Message) -> bytes:
    """Any of these messages in proto's JSON: 64-bit integers as strings, absent fields absent."""
    return json_format.MessageToJson(message, indent=None).encode()
