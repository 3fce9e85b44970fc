"""Spans, log records, data points and series to show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console, RenderableType

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
NOON_NS = 1_769_860_800_000_000_000  # 2026-01-31T12:00:00Z


def at(offset_ms: float) -> Timestamp:
    found = Timestamp()
    found.FromNanoseconds(NOON_NS + int(offset_ms * 1e6))
    return found


def span(span_id: str, parent_id: str = "", offset_ms: float = 0, duration_ms: float = 1, **fields: object) -> api.Span:
    found = api.Span(
        trace_id=TRACE_ID,
        span_id=span_id,
        parent_span_id=parent_id,
        service_name="cart",
        operation_name=f"op {span_id}",
        start_time=at(offset_ms),
        duration_us=int(duration_ms * 1e3),
        kind=api.SPAN_KIND_SERVER,
    )
    found.MergeFrom(api.Span(**fields))  # type: ignore[arg-type] # any field
    return found


def record(body: str = "paid", offset_ms: float = 0, **fields: Any) -> api.LogRecord:
    found = api.LogRecord(time=at(offset_ms), service_name="cart", level=9, body=body, trace_id=TRACE_ID)
    found.MergeFrom(api.LogRecord(**fields))
    return found


def series(kind: str, *steps: Mapping[str, float], delta: bool = False, **fields: Any) -> api.Series:
    """Steps of five seconds; each is ``last``, with what else it says (``max`` is ``last`` when it says nothing)."""
    found = api.Series(
        service_name="cart",
        metric_name="requests",
        type=f"METRIC_TYPE_{kind}",
        temporality=api.AGGREGATION_TEMPORALITY_DELTA if delta else api.AGGREGATION_TEMPORALITY_CUMULATIVE,
        **fields,
    )
    for step in steps:
        numbers: dict[str, Any] = {"max": step.get("last"), "sum": step.get("last"), **step}
        found.steps.add(time=at(numbers.pop("at", 5 * len(found.steps)) * 1000), points=1, **numbers)
    return found


def shown(renderable: RenderableType, width: int = 140) -> str:
    console = Console(width=width, color_system=None, highlight=False, markup=False)
    with console.capture() as capture:
        console.print(renderable)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"
