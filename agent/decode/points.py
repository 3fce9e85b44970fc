"""Data points: how a metric becomes its points, what makes one valid, and which columns it fills."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
from opentelemetry.proto.metrics.v1.metrics_pb2 import DataPointFlags
from otlp_columns import otlp_columns_pb2

from agent import schema
from agent.arrays import Mask, Numbers, elements_of, ends_of, nulls_of, numbers_of, parents_of, sizes_of
from agent.batch import Signal
from agent.decode import columns
from agent.decode.columns import Flat, repeated
from agent.decode.group import Decoder
from agent.decode.refusals import MAX_ENTRIES, RESOURCE, Check, crowded, foreign, late, named, some
from agent.decode.string_indices import string_indices
from agent.schema import PointKind

_RENAMED = {
    "int_value": "as_int",
    "double_value": "as_double",
    "start_time_ns": "start_time_unix_nano",
    "time_ns": "time_unix_nano",
}
"""Columns whose field in a data point has another name."""

_TIMES = ("start_time_ns", "time_ns")
_OF_METRIC = ("description", "unit", "metadata")
_POINT_COLUMNS = [name for name in schema.POINTS.names if name not in (*schema.ADDED, "service_name", "origin")]
_EMPTY_LISTS = ("metadata", "exemplars")
_ZERO, _FALSE = pa.scalar(0, pa.int32()), pa.scalar(False, pa.bool_())
"""Where the type is not said Arrow infers it, and looks for dateutil on the disk: 0.1 to 0.2 ms each time."""

_WITH_TEMPORALITY = (PointKind.SUM, PointKind.HISTOGRAM, PointKind.EXPONENTIAL_HISTOGRAM)


def _points(metrics: pa.StructArray, kind: PointKind) -> tuple[pa.StructArray, Numbers] | None:
    """All points of one kind as columns of ``schema.POINTS``, and the metric that each belongs to; None without any."""
    part = metrics.field(kind.name.lower())
    lists = part.flatten()[0]
    points = elements_of(lists)
    if not len(points):
        return None
    parents = parents_of(lists)
    metric = pa.array(parents)
    fields = {points.type.field(i).name for i in range(points.type.num_fields)}
    made: dict[str, pa.Array] = {
        "metric_name": metrics.field("name").take(metric),
        "type": pa.repeat(pa.scalar(int(kind), pa.int32()), len(points)),
        "temporality": _of_part(part, "aggregation_temporality", metric, _ZERO),
        "is_monotonic": _of_part(part, "is_monotonic", metric, _FALSE),
        **{name: metrics.field(name).take(metric) for name in _OF_METRIC},
    }
    arrays = []
    for name in _POINT_COLUMNS:
        field = _RENAMED.get(name, name)
        if name in made:
            arrays.append(made[name])
        elif field in fields:
            arrays.append(points.field(field))
        else:
            arrays.append(_nothing(name, len(points)))
    return pa.StructArray.from_arrays(arrays, _POINT_COLUMNS), parents


def _of_part(part: pa.StructArray, name: str, metric: pa.Array, default: pa.Scalar) -> pa.Array:
    if part.type.get_field_index(name) < 0:
        return pa.repeat(default, len(metric))
    return part.field(name).take(metric)


def _nothing(name: str, length: int) -> pa.Array:
    kind = schema.POINTS.field(name).type
    if name in _EMPTY_LISTS:
        return pa.ListArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), length + 1), pa.array([], pa.binary()), type=kind)
    return pa.nulls(length, pa.uint64() if name in _TIMES else kind)


def _repeated(flat: Flat, payloads: Sequence[bytes]) -> int:
    """Bytes of these payloads with what each metric says beside each of its points."""
    metrics = flat.columns
    metadata = metrics.field("metadata")
    said = sum((sizes_of(metrics.field(name)) for name in ("name", "description", "unit")), _of_lists(metadata))
    kinds = (sizes_of(metrics.field(kind.name.lower()).flatten()[0]) for kind in PointKind)
    points: Numbers = np.sum(list(kinds), axis=0)
    return repeated(payloads, flat.request, said, points)


def _of_lists(lists: pa.ListArray) -> Numbers:
    """Bytes of the elements of each list."""
    ends = np.concatenate(([0], np.cumsum(sizes_of(lists.values))))
    offsets = ends_of(lists)
    return np.asarray(ends[offsets[1:]] - ends[offsets[:-1]])


def _expand(flat: Flat) -> Flat:
    """Metrics to data points, in the order of their kinds."""
    found = [points for kind in PointKind if (points := _points(flat.columns, kind)) is not None]
    if not found:
        nothing = pa.StructArray.from_arrays([_nothing(n, 0) for n in _POINT_COLUMNS], _POINT_COLUMNS)
        return Flat(nothing, flat.request[:0], flat.scope[:0], flat.origins)
    metric = np.concatenate([index for _, index in found])
    points = pa.concat_arrays([rows for rows, _ in found])
    return Flat(points, flat.request[metric], flat.scope[metric], flat.origins)


def _of_kind(flat: Flat, *kinds: PointKind) -> Mask:
    types = numbers_of(flat.columns.field("type"))
    return functools.reduce(np.bitwise_or, (types == int(kind) for kind in kinds))


def _no_time(flat: Flat) -> Mask | None:
    return some(numbers_of(flat.columns.field("time_ns")) == 0)


def _no_value(flat: Flat) -> Mask | None:
    """Numbers without a number that do not say so by their flag (metrics.proto, NumberDataPoint)."""
    neither = nulls_of(flat.columns.field("int_value")) & nulls_of(flat.columns.field("double_value"))
    unsaid = numbers_of(flat.columns.field("flags")) & DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK == 0
    return some(neither & unsaid & _of_kind(flat, PointKind.GAUGE, PointKind.SUM))


def _wrong_buckets(flat: Flat) -> Mask | None:
    """Histograms whose buckets and bounds do not fit: one bucket more than bounds, or neither (HistogramDataPoint)."""
    histograms = some(_of_kind(flat, PointKind.HISTOGRAM))
    if histograms is None:
        return None
    buckets, bounds = (sizes_of(flat.columns.field(name)) for name in ("bucket_counts", "explicit_bounds"))
    return some(histograms & (buckets != bounds + 1) & (buckets + bounds != 0))


def _no_temporality(flat: Flat) -> Mask | None:
    unset = numbers_of(flat.columns.field("temporality")) == 0
    return some(unset & _of_kind(flat, *_WITH_TEMPORALITY))


def _checks(owns: Callable[[str], bool], max_entries: int) -> tuple[Check, ...]:
    return (
        RESOURCE,
        named("metric_name", "unit"),
        Check("invalid_time", "without time_unix_nano", _no_time),
        Check("invalid_time", "with a time after the year 2262", late("time_ns", "start_time_ns")),
        Check("no_value", "without a value and without the flag that says so", _no_value),
        Check("invalid_buckets", "with bucket_counts that do not fit explicit_bounds", _wrong_buckets),
        Check(
            "too_many_entries",
            f"with more than {max_entries} attributes, events, links or exemplars (limits.max_attributes)",
            crowded(max_entries, "attributes", "exemplars", "metadata", "quantile_values"),
        ),
        Check("foreign_service", "of a service that this agent does not keep", foreign(owns)),
        Check("no_temporality", "without aggregation_temporality, which sums and histograms need", _no_temporality, keep=True),
        string_indices("attributes"),
    )


def _rows(flat: Flat, _now_ns: int) -> pa.RecordBatch:
    """Columns of ``schema.POINTS`` but for ``schema.ADDED``."""
    column = flat.columns.field
    filled = columns.origin_columns(flat) | {name: columns.times(column(name)) for name in _TIMES}
    return columns.rows_of(schema.POINTS, filled, column)


def point_decoder(owns: Callable[[str], bool], max_entries: int = MAX_ENTRIES) -> Decoder:
    """The decoder of metric exports; points of services that are not ours are refused."""
    return Decoder(
        Signal.METRICS, otlp_columns_pb2.Metrics, _checks(owns, max_entries), _rows, "data points", _expand, _repeated
    )
