"""Log records: what makes one valid, and which columns it fills."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from otlp_columns import otlp_columns_pb2

from agent import schema, values
from agent.arrays import column_of, nulls_of, numbers_of
from agent.batch import Signal
from agent.decode import columns
from agent.decode.columns import Flat
from agent.decode.group import Decoder
from agent.decode.refusals import MAX_ENTRIES, RESOURCE, Check, crowded, foreign, late
from agent.decode.string_indices import string_indices
from agent.decode.wire import with_length

LEVELS: dict[str, int] = {
    **dict.fromkeys(("trace", "verbose", "finest", "finer"), 1),
    **dict.fromkeys(("debug", "fine", "dbg", "d"), 5),
    **dict.fromkeys(("info", "information", "informational", "i", "config"), 9),
    "notice": 10,
    **dict.fromkeys(("warn", "warning", "w"), 13),
    **dict.fromkeys(("error", "err", "e", "severe"), 17),
    **dict.fromkeys(("fatal", "critical", "crit", "panic", "f"), 21),
    "alert": 22,
    **dict.fromkeys(("emergency", "emerg"), 23),
}
"""Severity numbers of the words that logging libraries use (logs data model, appendix B)."""


def _checks(owns: Callable[[str], bool], max_entries: int) -> tuple[Check, ...]:
    return (
        RESOURCE,
        Check("invalid_time", "with a time after the year 2262", late("time_unix_nano", "observed_time_unix_nano")),
        Check(
            "too_many_entries",
            f"with more than {max_entries} attributes, events, links or exemplars (limits.max_attributes)",
            crowded(max_entries, "attributes"),
        ),
        Check("foreign_service", "of a service that this agent does not keep", foreign(owns)),
        string_indices("attributes"),
    )


def _ids(flat: Flat) -> dict[str, pa.Array]:
    """Ids as words; one that is not valid means that the record is not associated, it stays (logs.proto, trace_id)."""
    trace, span = (flat.columns.field(f"{name}_id") for name in ("trace", "span"))
    none = columns.all_of_length(trace, 0) and columns.all_of_length(span, 0)
    if none:
        nothing = pa.nulls(len(trace), pa.uint64())
        return {"trace_id_high": nothing, "trace_id_low": nothing, "span_id": nothing}
    (high, low), (spans,) = columns.valid_words(trace, 2), columns.valid_words(span, 1)
    return {"trace_id_high": high, "trace_id_low": low, "span_id": spans}


def _times(flat: Flat, now_ns: int) -> dict[str, pa.Array]:
    """The time that windows go by: the record's, else when it was observed, else now."""
    time, observed = (numbers_of(flat.columns.field(f"{name}time_unix_nano")) for name in ("", "observed_"))
    known, seen = time != 0, observed != 0
    said, seen_only, neither = (np.int32(source) for source in schema.TimeSource)
    return {
        "observed_time_ns": column_of(observed, pa.int64()),
        "time_ns": column_of(np.where(known, time, np.where(seen, observed, np.uint64(now_ns))), pa.int64()),
        "time_source": column_of(np.where(known, said, np.where(seen, seen_only, neither)), pa.int32()),
    }


def _level(flat: Flat) -> pa.Array:
    """The severity number, or what the text says when that is 0."""
    numbers, texts = flat.columns.field("severity_number"), flat.columns.field("severity_text")
    given = numbers_of(numbers)
    if given.all():
        return numbers
    encoded = texts.dictionary_encode()
    said = np.array([LEVELS.get(text.strip().lower(), 0) for text in encoded.dictionary.to_pylist()], np.int32)
    return column_of(np.where(given == 0, said[numbers_of(encoded.indices)], given), pa.int32())


_SHOWN_BYTES = 65_536
"""A body that is no string is read for its text up to here; a larger one is kept as it is, and text search passes it by."""

_FIELDS = {"array_value": 5, "kvlist_value": 6}


def _wire(cells: dict[str, Any]) -> bytes:
    """The wire bytes of a body that is no string."""
    for kind, number in _FIELDS.items():
        if cells[kind] is not None:
            return with_length(bytes([number << 3 | 2]))(cells[kind])
    given = {kind: value for kind, value in cells.items() if value is not None and kind not in _FIELDS}
    return AnyValue(**given).SerializeToString()


def _text(wire: bytes) -> str:
    if len(wire) > _SHOWN_BYTES:
        return ""
    try:
        return values.text_of(AnyValue.FromString(wire))
    except DecodeError:
        return values.UNREADABLE


def _bodies(flat: Flat) -> dict[str, pa.Array]:
    """``body_text`` and ``body``: strings go through as a column, the rare other kinds one by one."""
    body = flat.columns.field("body")
    strings = body.flatten()[0]  # with the body's own validity: null where there is none or it is no string
    others = nulls_of(strings) & ~nulls_of(body)
    if not others.any():
        return {"body_text": strings, "body": pa.nulls(len(strings), pa.binary())}
    texts: list[str | None] = strings.to_pylist()
    wires: list[bytes | None] = [None] * len(texts)
    for index in np.flatnonzero(others).tolist():
        wire = _wire(body[index].as_py())
        texts[index], wires[index] = _text(wire), wire
    return {"body_text": pa.array(texts, pa.string()), "body": pa.array(wires, pa.binary())}


def _rows(flat: Flat, now_ns: int) -> pa.RecordBatch:
    """Columns of ``schema.LOGS`` but for ``arrival``."""
    filled = {
        **columns.origin_columns(flat),
        **_ids(flat),
        **_times(flat, now_ns),
        **_bodies(flat),
        "level": _level(flat),
    }
    return columns.rows_of(schema.LOGS, filled, flat.columns.field)


def log_decoder(owns: Callable[[str], bool], max_entries: int = MAX_ENTRIES) -> Decoder:
    """The decoder of log exports; records of services that are not ours are refused."""
    return Decoder(Signal.LOGS, otlp_columns_pb2.Logs, _checks(owns, max_entries), _rows, "log records")
