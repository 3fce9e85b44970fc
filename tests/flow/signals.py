"""What the promises for every signal need of each: how its records are made, sent, asked for and told apart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from agent.batch import Signal
from tests.flow.house import House
from tests.telemetry import START, gauge, log, log_request, metric_request, request, span


@dataclass(frozen=True)
class Kit:
    """One signal. ``record`` makes a record from its number; ``numbers`` reads the numbers back, in the answer's order."""

    signal: Signal
    record: Callable[..., Any]
    request: Callable[..., Any]
    send: Callable[[House, Any], Awaitable[Any]]
    ask: Callable[..., Awaitable[Any]]
    rows: Callable[[Any], Any]
    rejected: str
    bad: dict[str, Any]

    def numbers(self, answer: Any) -> list[int]:
        """The numbers of an answer's records."""
        field = "start_time" if self.signal is Signal.TRACES else "time"
        return [(getattr(row, field).ToNanoseconds() - START) // 1000 for row in self.rows(answer)]


def _point(number: int, **fields: Any) -> Metric:
    return gauge("requests", number, **fields)


KITS = {
    Signal.TRACES: Kit(
        Signal.TRACES,
        span,
        request,
        House.export,
        House.spans,
        lambda answer: answer.spans,
        "rejected_spans",
        {"trace_id": b"short"},
    ),
    Signal.LOGS: Kit(
        Signal.LOGS,
        log,
        log_request,
        House.export_logs,
        House.logs,
        lambda answer: answer.log_records,
        "rejected_log_records",
        {"time_unix_nano": 2**63},
    ),
    Signal.METRICS: Kit(
        Signal.METRICS,
        _point,
        metric_request,
        House.export_metrics,
        House.points,
        lambda answer: answer.data_points,
        "rejected_data_points",
        {"time_unix_nano": 0},
    ),
}


def flattened(message: Any) -> set[tuple[bytes, ...]]:
    """Each record of an OTLP message with where it comes from, comparable whatever the grouping."""
    found = set()
    for _, groups in message.ListFields():
        for group in groups:
            scopes = getattr(group, next(f.name for f in group.DESCRIPTOR.fields if f.name.startswith("scope_")))
            for scope in scopes:
                where = (
                    group.resource.SerializeToString() if group.HasField("resource") else b"absent",
                    group.schema_url.encode(),
                    scope.scope.SerializeToString() if scope.HasField("scope") else b"absent",
                    scope.schema_url.encode(),
                )
                records = next(getattr(scope, name) for name in ("spans", "log_records", "metrics") if hasattr(scope, name))
                found |= {(*where, *parts) for record in records for parts in _parts(record)}
    return found


def _parts(record: Any) -> list[tuple[bytes, ...]]:
    """A record's bytes; of a metric, each data point beside the metric without them."""
    if not isinstance(record, Metric):
        return [(record.SerializeToString(),)]
    kind = record.WhichOneof("data")
    if kind is None:
        return []
    points = [point.SerializeToString() for point in getattr(record, kind).data_points]
    bare = Metric()
    bare.CopyFrom(record)
    del getattr(bare, kind).data_points[:]
    return [(bare.SerializeToString(), point) for point in points]
