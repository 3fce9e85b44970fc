"""Whole batches before they are stored: every place of ``query``'s shapes, column by column, and the origins.

What does not change stays the column it was. Attributes are read where they lie; only those with a hint are walked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2

from agent.batch import Batch, Decoded, Export
from agent.scrub.scrubber import Scrubber
from agent.values import text_of

Cells = list[bytes | None]

_Buckets = metrics_pb2.ExponentialHistogramDataPoint.Buckets
_Quantile = metrics_pb2.SummaryDataPoint.ValueAtQuantile


def _texts(scrubber: Scrubber, column: pa.Array) -> pa.Array:
    """Names, messages and the like: most repeat, so the different ones tell whether anything changes at all."""
    if all(value is None or scrubber.keeps(value) for value in pc.unique(column).to_pylist()):
        return column
    return pa.array(scrubber.texts(column.to_pylist()), column.type)


def _bodies(scrubber: Scrubber, texts: pa.Array, messages: pa.Array) -> dict[str, pa.Array]:
    """The two columns of a body: a string stands in one, any other value in both, as text that follows from its bytes."""
    left = _messages(Scrubber.value)(scrubber, messages)
    cells: Cells = pc.if_else(messages.is_null(), texts.cast(pa.binary()), pa.scalar(None, pa.binary())).to_pylist()
    changed = {place: scrubber.body((cells[place] or b"").decode()) for place in scrubber.suspect_bodies(cells)}
    if left is not messages:
        for place, (raw, clean) in enumerate(zip(messages.to_pylist(), left.to_pylist(), strict=True)):
            if raw != clean and texts[place].as_py():
                changed[place] = text_of(AnyValue.FromString(clean))
    if not changed:
        return {"body_text": texts, "body": left}
    said = texts.to_pylist()
    for place, text in changed.items():
        said[place] = text
    return {"body_text": pa.array(said, texts.type), "body": left}


def _attributes(scrubber: Scrubber, column: pa.Array) -> pa.Array:
    """A list of KeyValues in every row; each different one is looked at once: of twelve a span, two are new to a batch."""
    encoded = column.flatten().dictionary_encode()
    changed = scrubber.changed(encoded.dictionary, lambda: pc.value_counts(encoded.indices).field("counts").to_pylist())
    if not changed:
        return column
    distinct = encoded.dictionary.to_pylist()
    for place, left in changed.items():
        distinct[place] = left
    values = pa.array(distinct, pa.binary()).take(encoded.indices)
    offsets = _offsets(column)
    if values.null_count:  # dropped: the rows behind begin earlier
        lost = pc.cumulative_sum(values.is_null().cast(pa.int32()))
        offsets = pc.subtract(offsets, pa.concat_arrays([pa.array([0], pa.int32()), lost]).take(offsets))
        values = values.drop_null()
    return pa.ListArray.from_arrays(offsets, values, type=column.type)


def _offsets(column: pa.Array) -> pa.Array:
    """Where each row's elements begin among all, from 0 on; lists are never null here."""
    return pc.subtract(column.offsets, column.offsets[0])


def _messages(scrub: Callable[[Scrubber, bytes], bytes]) -> Callable[[Scrubber, pa.Array], pa.Array]:
    """A column of messages, or of lists of them."""

    def scrubbed(scrubber: Scrubber, column: pa.Array) -> pa.Array:
        is_list = pa.types.is_list(column.type)
        cells = (column.flatten() if is_list else column).to_pylist()
        left = [None if cell is None else scrub(scrubber, cell) for cell in cells]
        if all(cell is other for cell, other in zip(cells, left, strict=True)):
            return column
        values = pa.array(left, pa.binary())
        if not is_list:
            return values
        offsets = _offsets(column) if not column.null_count else None
        if offsets is None:  # absent lists hold nothing, but must stay absent
            lists = iter(left)
            return pa.array([None if row is None else [next(lists) for _ in row] for row in column.to_pylist()], column.type)
        return pa.ListArray.from_arrays(offsets, values, type=column.type)

    return scrubbed


def _events(scrubber: Scrubber, column: pa.Array) -> pa.Array:
    """Span.Events: few of them change, and all together tell which may."""
    flat = column.flatten()
    changed = scrubber.changed_events(flat)
    if not changed:
        return column
    wires = flat.to_pylist()
    values = pa.array([changed.get(place, wire) for place, wire in enumerate(wires)], pa.binary())
    return pa.ListArray.from_arrays(_offsets(column), values, type=column.type)


def _numbers(kind: type[Any]) -> Callable[[Scrubber, bytes], bytes]:
    """A message of numbers without fields that OTLP does not define; empty when it cannot be read."""

    def known(_scrubber: Scrubber, wire: bytes) -> bytes:
        try:
            message = kind.FromString(wire)
        except DecodeError:
            return b""
        message.DiscardUnknownFields()
        left = bytes(message.SerializeToString())
        return wire if left == wire else left

    return known


_COLUMNS: dict[str, Callable[[Scrubber, pa.Array], pa.Array]] = {
    **dict.fromkeys(
        (
            *("service_name", "trace_state", "name", "status_message", "severity_text", "event_name"),
            *("metric_name", "description", "unit", "resource_schema_url", "scope_schema_url"),
        ),
        _texts,
    ),
    "attributes": _attributes,
    "metadata": _attributes,
    "events": _events,
    "links": _messages(Scrubber.link),
    "exemplars": _messages(Scrubber.exemplar),
    "resource": _messages(Scrubber.resource),
    "scope": _messages(Scrubber.scope),
    "positive": _messages(_numbers(_Buckets)),
    "negative": _messages(_numbers(_Buckets)),
    "quantile_values": _messages(_numbers(_Quantile)),
}
"""Every column that can hold text or bytes of a sender, but for the two of a log's body."""


def _scrubbed(table: pa.RecordBatch, scrubber: Scrubber) -> pa.RecordBatch:
    names, raw = table.schema.names, table.columns
    by_name = dict(zip(names, raw, strict=True))
    bodies = _bodies(scrubber, by_name["body_text"], by_name["body"]) if "body" in by_name else {}
    columns = [
        _COLUMNS[name](scrubber, column) if name in _COLUMNS else bodies.get(name, column)
        for name, column in zip(names, raw, strict=True)
    ]
    if all(new is old for new, old in zip(columns, raw, strict=True)):
        return table
    return pa.RecordBatch.from_arrays(columns, schema=table.schema)


_HASHED = ("resource", "resource_schema_url", "scope", "scope_schema_url")


def _hash(origin: dict[str, Any]) -> int:
    """The content hash of an origin; its raw content's would let a guess be tested."""
    digest = hashlib.blake2b(digest_size=8)
    for name in _HASHED:
        part = origin[name].encode() if isinstance(origin[name], str) else origin[name]
        digest.update(b"-" if part is None else b"%d:" % len(part))
        digest.update(part or b"")
    return int.from_bytes(digest.digest(), "little")


def _origins(batch: Batch, scrubber: Scrubber) -> tuple[pa.RecordBatch, dict[int, int]]:
    """The origins as they may be stored, each once, and the new hash of each that changed."""
    left = _scrubbed(batch.origins, scrubber)
    if left is batch.origins:
        return left, {}
    by_hash: dict[int, dict[str, Any]] = {}
    moved: dict[int, int] = {}
    for old, new in zip(batch.origins.to_pylist(), left.to_pylist(), strict=True):
        if new != old:
            moved[old["hash"]] = new["hash"] = _hash(new)
        by_hash.setdefault(new["hash"], new)
    return pa.RecordBatch.from_pylist(list(by_hash.values()), schema=left.schema), moved


def scrubbed(batch: Batch, scrubber: Scrubber) -> Batch:
    """The batch as it may be stored."""
    if scrubber.is_off:
        return batch
    rows = _scrubbed(batch.rows, scrubber)
    origins, moved = _origins(batch, scrubber)
    if moved:
        hashes = [moved.get(value, value) for value in rows["origin"].to_pylist()]
        at = rows.schema.get_field_index("origin")
        rows = rows.set_column(at, rows.schema.field(at), pa.array(hashes, pa.uint64()))
    return Batch(batch.signal, rows, origins)


Decode = Callable[[Sequence[Export], int], Decoded]
"""Decodes a group that arrived at a time in nanoseconds."""


def scrubbing(decode: Decode, scrubber: Scrubber, count: Callable[[], None]) -> Decode:
    """``decode``, and what it finds scrubbed before anyone sees it; ``count`` is told behind each group."""

    def decoded(exports: Sequence[Export], now_ns: int) -> Decoded:
        found = decode(exports, now_ns)
        if found.batch is None:
            return found
        batch = scrubbed(found.batch, scrubber)
        count()
        return replace(found, batch=batch)

    return decoded
