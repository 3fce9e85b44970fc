"""Spans: what makes one valid, and which columns it fills."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pyarrow as pa
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from otlp_columns import otlp_columns_pb2

from agent import schema
from agent.arrays import Mask, booleans_of, column_of, numbers_of, sizes_of
from agent.batch import Signal
from agent.decode import columns
from agent.decode.columns import Flat
from agent.decode.group import Decoder
from agent.decode.refusals import MAX_ENTRIES, RESOURCE, Check, crowded, foreign, late, named, some
from agent.decode.string_indices import string_indices


def _wrong_length(field: str, *allowed: int) -> Callable[[Flat], Mask | None]:
    def bad(flat: Flat) -> Mask | None:
        ids = flat.columns.field(field)
        if columns.all_of_length(ids, allowed[0]):
            return None
        sizes = sizes_of(ids)
        return some(functools.reduce(np.bitwise_and, (sizes != length for length in allowed)))

    return bad


def _zero_trace_id(flat: Flat) -> Mask | None:
    both = columns.word_values(flat.columns.field("trace_id"))
    return some((both[0::2] | both[1::2]) == 0)


def _zero_span_id(flat: Flat) -> Mask | None:
    return some(columns.word_values(flat.columns.field("span_id")) == 0)


def _checks(owns: Callable[[str], bool], max_entries: int) -> tuple[Check, ...]:
    trace_hint = "with a trace_id that is not 16 bytes or is all zeros"
    span_hint = "with a span_id that is not 8 bytes or is all zeros"
    return (
        RESOURCE,
        named("name"),
        Check("invalid_trace_id", trace_hint, _wrong_length("trace_id", 16)),
        Check("invalid_trace_id", trace_hint, _zero_trace_id),
        Check("invalid_span_id", span_hint, _wrong_length("span_id", 8)),
        Check("invalid_span_id", span_hint, _zero_span_id),
        Check(
            "invalid_parent_span_id",
            "with a parent_span_id that is neither empty nor 8 bytes",
            _wrong_length("parent_span_id", 8, 0),
        ),
        Check("invalid_time", "with a time after the year 2262", late("start_time_unix_nano", "end_time_unix_nano")),
        Check(
            "too_many_entries",
            f"with more than {max_entries} attributes, events, links or exemplars (limits.max_attributes)",
            crowded(max_entries, "attributes", "events", "links"),
        ),
        Check("foreign_service", "of a service that this agent does not keep", foreign(owns)),
        string_indices("attributes"),
    )


def _rows(flat: Flat, _now_ns: int) -> pa.RecordBatch:
    """Columns of ``schema.SPANS`` but for ``arrival``; every record is valid."""
    column = flat.columns.field
    high, low = columns.halves(column("trace_id"))
    start, end = column("start_time_unix_nano"), column("end_time_unix_nano")
    status_message, status_code = column("status").flatten()
    filled = {
        **columns.origin_columns(flat),
        "trace_id_high": high,
        "trace_id_low": low,
        "span_id": columns.words(column("span_id")),
        "parent_span_id": columns.optional_words(column("parent_span_id")),
        "start_time_ns": columns.times(start),
        "duration_ns": column_of(numbers_of(end) - numbers_of(start), pa.int64()),
        "failed": booleans_of(numbers_of(status_code) == Status.STATUS_CODE_ERROR),
        "status_code": status_code,
        "status_message": status_message,
    }
    return columns.rows_of(schema.SPANS, filled, column)


def span_decoder(owns: Callable[[str], bool], max_entries: int = MAX_ENTRIES) -> Decoder:
    """The decoder of trace exports; spans of services that are not ours are refused."""
    return Decoder(Signal.TRACES, otlp_columns_pb2.Traces, _checks(owns, max_entries), _rows, "spans")
