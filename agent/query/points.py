"""Data points on their way out: which columns are scrubbed, and how a row becomes a flat DataPoint or OTLP; pure."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf.message import DecodeError
from opentelemetry.proto.metrics.v1 import metrics_pb2
from otlp_columns import otlp_columns_pb2 as columns

from agent import values
from agent.query.entries import Entries
from agent.query.flat import flat_attributes, set_time, shared_wires
from agent.query.rows import Row, Rows, Shape, by_origin, of_attributes, of_text, shortened
from agent.schema import PointKind
from agent.scrub.scrubber import Scrubber
from agent.wires import end_to_end

Buckets = metrics_pb2.ExponentialHistogramDataPoint.Buckets
ValueAtQuantile = metrics_pb2.SummaryDataPoint.ValueAtQuantile

_NUMBERS = ("count", "sum", "min", "max", "scale", "zero_count", "zero_threshold")
_METRIC = ("metric_name", "description", "unit", "type", "temporality", "is_monotonic")


def _numbers_only(kind: type[Any], wire: bytes) -> bytes:
    """A message of numbers as this version knows it: what unknown fields hold nobody has scrubbed."""
    try:
        message = kind.FromString(wire)
    except DecodeError:
        return b""
    message.DiscardUnknownFields()
    return bytes(message.SerializeToString())


def _buckets(wire: bytes | None) -> api.Buckets | None:
    if wire is None:
        return None
    buckets = Buckets.FromString(wire)
    return api.Buckets(offset=buckets.offset, bucket_counts=buckets.bucket_counts)


def _quantile(wire: bytes) -> api.Quantile:
    quantile = ValueAtQuantile.FromString(wire)
    return api.Quantile(quantile=quantile.quantile, value=quantile.value)


def _exemplar(wire: bytes) -> api.Exemplar:
    try:
        exemplar = metrics_pb2.Exemplar.FromString(wire)
    except DecodeError:
        return api.Exemplar()
    message = api.Exemplar(
        trace_id=exemplar.trace_id.hex(),
        span_id=exemplar.span_id.hex(),
        attributes=values.flat(exemplar.filtered_attributes),
    )
    if exemplar.HasField("as_int"):
        message.int_value = exemplar.as_int
    elif exemplar.HasField("as_double"):
        message.double_value = exemplar.as_double
    set_time(message.time, min(exemplar.time_unix_nano, 2**63 - 1))
    return message


_ATTRIBUTES = Entries(api.DataPoint.ATTRIBUTES_FIELD_NUMBER)


def flat_points(rows: Rows) -> pa.BinaryArray:
    """The flat DataPoints of scrubbed rows, in wire form: their own fields, then what they share with others, made once."""
    own = pa.array(list(map(_own, rows)), pa.binary())
    return end_to_end(own, _ATTRIBUTES.of_all(rows["attributes"]), shared_wires(rows["origin"], api.DataPoint))


def _own(row: Row) -> bytes:
    point = api.DataPoint(
        **{name: row[name] for name in (*_METRIC, *_NUMBERS, "int_value", "double_value") if row[name] is not None},
        service_name=row["service_name"],
        no_recorded_value=bool(row["flags"] & metrics_pb2.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK),
        bucket_counts=row["bucket_counts"],
        explicit_bounds=row["explicit_bounds"],
        positive=_buckets(row["positive"]),
        negative=_buckets(row["negative"]),
        quantiles=[_quantile(wire) for wire in row["quantile_values"] or ()],
        exemplars=[_exemplar(wire) for wire in row["exemplars"]],
        flags=row["flags"],
        metadata=flat_attributes(row["metadata"]),
        position=row["arrival"],
    )
    point.time.FromNanoseconds(row["time_ns"])
    set_time(point.start_time, row["start_time_ns"])
    wire: bytes = point.SerializeToString()
    return wire


_POINT_FIELDS: dict[PointKind, dict[str, str]] = {
    PointKind.GAUGE: {"exemplars": "exemplars", "as_int": "int_value", "as_double": "double_value"},
    PointKind.SUM: {"exemplars": "exemplars", "as_int": "int_value", "as_double": "double_value"},
    PointKind.HISTOGRAM: {
        name: name for name in ("count", "sum", "min", "max", "bucket_counts", "explicit_bounds", "exemplars")
    },
    PointKind.EXPONENTIAL_HISTOGRAM: {name: name for name in (*_NUMBERS, "positive", "negative", "exemplars")},
    PointKind.SUMMARY: {name: name for name in ("count", "sum", "quantile_values")},
}
"""The fields of each kind's data point beyond those that all have, and the columns they come from."""


def _add_point(metric: columns.Metric, row: Row) -> None:
    kind = PointKind(row["type"])
    part = getattr(metric, kind.name.lower())
    part.SetInParent()
    if kind in (PointKind.SUM, PointKind.HISTOGRAM, PointKind.EXPONENTIAL_HISTOGRAM):
        part.aggregation_temporality = row["temporality"]
    if kind is PointKind.SUM:
        part.is_monotonic = row["is_monotonic"]
    part.data_points.add(
        attributes=values.readable(row["attributes"]),
        start_time_unix_nano=row["start_time_ns"],
        time_unix_nano=row["time_ns"],
        flags=row["flags"],
        **{field: row[column] for field, column in _POINT_FIELDS[kind].items() if row[column] is not None},
    )


def otlp_points(rows: Rows) -> bytes:
    """MetricsData of scrubbed rows, grouped by Resource, scope and metric, otherwise in their order."""
    data = columns.Metrics()
    for scope, group in by_origin(data.resource_metrics, "scope_metrics", rows):
        metrics: dict[tuple[Any, ...], columns.Metric] = {}
        for row in group:
            key = (*(row[name] for name in _METRIC), *row["metadata"])
            if key not in metrics:
                metrics[key] = scope.metrics.add(
                    name=row["metric_name"],
                    description=row["description"],
                    unit=row["unit"],
                    metadata=values.readable(row["metadata"]),
                )
            _add_point(metrics[key], row)
    return data.SerializeToString()


def _of_exemplars(scrubber: Scrubber, wires: list[bytes]) -> list[bytes]:
    return [scrubber.exemplar(wire) for wire in wires]


def _of_buckets(_scrubber: Scrubber, wire: bytes | None) -> bytes | None:
    return None if wire is None else _numbers_only(Buckets, wire)


POINTS = Shape(
    scrubbing={
        "service_name": of_text,
        "metric_name": of_text,
        "description": of_text,
        "unit": of_text,
        "metadata": of_attributes,
        "attributes": of_attributes,
        "exemplars": _of_exemplars,
        "positive": _of_buckets,
        "negative": _of_buckets,
        "quantile_values": lambda _, wires: wires and [_numbers_only(ValueAtQuantile, wire) for wire in wires],
    },
    flat=flat_points,
    otlp=otlp_points,
    shorten=lambda row, size: shortened(
        row,
        size,
        lists=("exemplars", "metadata", "attributes"),
        texts=("metric_name", "description", "unit"),
    ),
)
