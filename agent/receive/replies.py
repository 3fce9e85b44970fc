"""Pure: receipts and errors as OTLP's messages, the same for both transports."""

from __future__ import annotations

import dataclasses

from google.protobuf import duration_pb2, json_format
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # no types published
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from agent.batch import Receipt, Signal
from agent.status import RETRY_DELAY_SECONDS, Status, status_of

MAX_PARTIAL_MESSAGE = 16 << 10
"""Characters. Clients take replies up to 4 MiB; nobody reads that much."""

MAX_ERROR_MESSAGE = 1 << 10
"""Characters. On gRPC it stands in the trailers, twice, and clients take 8 KiB of those."""


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


def error_status(error: Exception) -> Status:
    """The status for any exception, its message short enough for trailers."""
    status = status_of(error)
    return dataclasses.replace(status, message=shortened(status.message, MAX_ERROR_MESSAGE))


def retry_info() -> error_details_pb2.RetryInfo:
    """When to come again."""
    delay = duration_pb2.Duration()
    delay.FromMilliseconds(round(RETRY_DELAY_SECONDS * 1000))
    return error_details_pb2.RetryInfo(retry_delay=delay)


def status_message(status: Status) -> status_pb2.Status:
    """``google.rpc.Status``: with RetryInfo when a retry can help, with BadRequest when the request is at fault."""
    message = status_pb2.Status(code=status.grpc_code.value[0], message=status.message)
    if status.retryable:
        message.details.add().Pack(retry_info())
    elif status.http_code == 400:
        violation = error_details_pb2.BadRequest.FieldViolation(description=status.message)
        field, colon, _ = status.message.partition(": ")
        if colon and " " not in field:
            violation.field = field
        message.details.add().Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    return message


def json_of(message: Message) -> bytes:
    """Any of these messages in proto's JSON: 64-bit integers as strings, absent fields absent."""
    return json_format.MessageToJson(message, indent=None).encode()


def shortened(text: str, limit: int) -> str:
    """At most ``limit`` characters; an ellipsis says that some are missing."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
