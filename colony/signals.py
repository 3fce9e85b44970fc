"""Pure: the three signals as TelemetryQuery answers them, and what their rows are ordered by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf.timestamp_pb2 import Timestamp

from colony.clock import SECOND_NS

Row = Any
"""A Span, LogRecord or DataPoint."""

Request = api.QuerySpansRequest | api.QueryLogsRequest | api.QueryMetricsRequest


def time_ns(time: Timestamp) -> int:
    """Nanoseconds since 1970."""
    return time.seconds * SECOND_NS + time.nanos


def span_duration_ns(span: api.Span) -> int:
    """What agents order slowest first by: below zero for a span that ends before it starts."""
    return time_ns(span.end_time) - time_ns(span.start_time)


def _span_key(span: api.Span, order: int, _: int) -> int:
    return span_duration_ns(span) if order == api.ORDER_SLOWEST else time_ns(span.start_time)


def _log_key(record: api.LogRecord, _: int, before: int) -> int:
    """Its time, else when it was observed, else when it arrived; an older agent tells not that: where it stands then."""
    for name in ("time", "observed_time", "arrival_time"):
        if record.HasField(name):
            return time_ns(getattr(record, name))
    return before


def _point_key(point: api.DataPoint, _: int, __: int) -> int:
    return time_ns(point.time)


@dataclass(frozen=True, slots=True)
class Signal:
    """How one signal is asked for. ``key`` gives what a row is ordered by, from the row, the order and the key before it."""

    name: str
    """As GetDataInfo calls it."""
    rpc: str
    request: type[Request]
    rows: str
    """The field of the response."""
    key: Callable[[Row, int, int], int]

    def rows_of(self, response: Any) -> Sequence[Row]:  # noqa: ANN401 the response of ``rpc``
        """The rows of a response."""
        found: Sequence[Row] = getattr(response, self.rows)
        return found


SPANS = Signal("traces", "QuerySpans", api.QuerySpansRequest, "spans", _span_key)
LOGS = Signal("logs", "QueryLogs", api.QueryLogsRequest, "log_records", _log_key)
POINTS = Signal("metrics", "QueryMetrics", api.QueryMetricsRequest, "data_points", _point_key)
SIGNALS = (SPANS, LOGS, POINTS)


def is_descending(order: int) -> bool:
    """Whether the highest key comes first."""
    return order != api.ORDER_OLDEST
