"""Rows as agents send them, small."""

from __future__ import annotations

from typing import Any

from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf.timestamp_pb2 import Timestamp

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND
TRACE = "0af7651916cd43dd8448eb211c80319c"


def at(time_ns: int) -> Timestamp:
    return Timestamp(seconds=time_ns // SECOND, nanos=time_ns % SECOND)


def span(name: str = "a", start_ns: int = START, duration_ns: int = 5_000_000, **fields: Any) -> api.Span:
    """A span; its id is made of its name."""
    usual: dict[str, Any] = {
        "trace_id": TRACE,
        "span_id": name.encode().hex().rjust(16, "0")[:16],
        "service_name": "shop",
        "operation_name": name,
        "start_time": at(start_ns),
        "end_time": at(start_ns + duration_ns),
        "duration_us": max(0, duration_ns // 1000),
        "position": 1,
    }
    return api.Span(**(usual | fields))


def log(body: str, time_ns: int | None = START, **fields: Any) -> api.LogRecord:
    return api.LogRecord(
        **({"body": body, "service_name": "shop"} | ({} if time_ns is None else {"time": at(time_ns)}) | fields)
    )
