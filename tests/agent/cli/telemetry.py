"""Spans to show."""

from __future__ import annotations

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


def shown(renderable: RenderableType, width: int = 140) -> str:
    console = Console(width=width, color_system=None, highlight=False, markup=False)
    with console.capture() as capture:
        console.print(renderable)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"
