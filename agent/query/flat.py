"""The parts that flat messages of every signal share: attributes, ids, scope and Resource; pure."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import ptars
import pyarrow as pa
from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.resource.v1 import resource_pb2

from agent import values
from agent.clock import SECOND_NS
from agent.query.rows import Origin, Row, Rows

_FLAT_ATTRIBUTES_KEPT = 65_536
_LONGEST_SHOWN = 65_536
"""Bytes of a value that is no string and is written out as JSON: a mebibyte of empty lists would take a second."""

_LONGEST_KEPT = 256
"""Bytes of an attribute whose text is remembered: with both copies at most 64 MiB, and what is longer hardly repeats."""


def flat_attribute(wire: bytes) -> tuple[str, str]:
    """The key and the flat text of one KeyValue."""
    attribute = values.key_value(wire)
    if len(wire) > _LONGEST_SHOWN and not attribute.value.HasField("string_value"):
        return attribute.key, f"[{len(wire)} bytes: ask with encoding OTLP]"
    return attribute.key, values.text_of(attribute.value)


Made = TypeVar("Made")


class Remembered(dict[bytes, Made]):
    """What was made of short attributes before; half of what ``lru_cache`` costs to ask."""

    def __init__(self, make: Callable[[bytes], Made]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, wire: bytes) -> Made:
        made = self._make(wire)
        if len(wire) <= _LONGEST_KEPT:
            if len(self) >= _FLAT_ATTRIBUTES_KEPT:
                self.clear()
            self[wire] = made
        return made


_texts = Remembered(flat_attribute)


def flat_attributes(wires: Sequence[bytes]) -> dict[str, str]:
    """Attributes by key in flat text; of duplicate keys the first counts."""
    result: dict[str, str] = {}
    for key, text in map(_texts.__getitem__, wires):
        result.setdefault(key, text)
    return result


_POOL = ptars.HandlerPool([api.DESCRIPTOR])


class OwnFields:
    """Fields of many messages at once, in wire form: a quarter of what setting them one by one costs."""

    def __init__(self, message: type[api.Span | api.LogRecord | api.Event]) -> None:
        self._handler = _POOL.get_for_message(message.DESCRIPTOR)
        self._types = {column.name: column.type for column in self._handler.schema()}

    def of(self, columns: Mapping[str, Sequence[Any]]) -> pa.BinaryArray:
        """The messages with these fields; times are in nanoseconds, None leaves a time unset."""
        arrays = [_column(self._types[name], cells) for name, cells in columns.items()]
        return self._handler.record_batch_to_array(pa.RecordBatch.from_arrays(arrays, names=list(columns)))


def _column(kind: pa.DataType, cells: Sequence[Any]) -> pa.Array:
    return pa.array(cells, pa.int64()).view(kind) if pa.types.is_timestamp(kind) else pa.array(cells, kind)


def trace_id_bytes(row: Row) -> bytes:
    """The sixteen bytes of a row's trace id; none for null."""
    return b"" if row["trace_id_high"] is None else struct.pack("<QQ", row["trace_id_high"], row["trace_id_low"])


def hex_trace_ids(rows: Rows) -> list[str]:
    """Each row's trace id in hex; nothing for null."""
    return _hex(rows["trace_id_high"], rows["trace_id_low"])


def hex_span_ids(words: Sequence[int | None]) -> list[str]:
    """Each span id in hex; nothing for null."""
    return _hex(words)


def _hex(*columns: Sequence[int | None]) -> list[str]:
    """The words of each row side by side; nothing for a row whose first is null."""
    is_null = [word is None for word in columns[0]] if None in columns[0] else None
    known = columns if is_null is None else [[word or 0 for word in column] for column in columns]
    whole, size = np.array(known, "<u8").T.tobytes().hex(), 16 * len(columns)
    texts = [whole[at : at + size] for at in range(0, len(whole), size)]
    return texts if is_null is None else ["" if null else text for null, text in zip(is_null, texts, strict=True)]


def set_time(message: Timestamp, time_ns: int) -> None:
    """Set a time that 0 leaves unset."""
    if time_ns:
        message.seconds, message.nanos = divmod(time_ns, SECOND_NS)


def span_id_bytes(word: int | None) -> bytes:
    """The eight bytes of a span id; none for null."""
    return b"" if word is None else word.to_bytes(8, "little")


def flat_scope(origin: Origin) -> api.Scope:
    """A row's scope as a message."""
    try:
        scope = common_pb2.InstrumentationScope.FromString(origin.scope or b"")
    except DecodeError:
        return api.Scope(name=values.UNREADABLE)
    return api.Scope(
        name=scope.name,
        version=scope.version,
        attributes=values.flat(scope.attributes),
        dropped_attributes_count=scope.dropped_attributes_count,
        schema_url=origin.scope_schema_url,
    )


def resource_attributes(resource: bytes | None) -> dict[str, str]:
    """A Resource's attributes in flat text."""
    try:
        return values.flat(resource_pb2.Resource.FromString(resource or b"").attributes)
    except DecodeError:
        return {"": values.UNREADABLE}


def shared_wires(origins: Sequence[Origin], message: type[api.Span | api.LogRecord | api.DataPoint]) -> pa.BinaryArray:
    """What the flat message of each row has in common with others of its origin, in wire form."""
    distinct = list({id(origin): origin for origin in origins}.values())
    numbers = {id(origin): number for number, origin in enumerate(distinct)}
    wires = pa.array([shared_wire(origin, message) for origin in distinct], pa.binary())
    return wires.take(pa.array(list(map(numbers.__getitem__, map(id, origins))), pa.int32()))


def shared_wire(origin: Origin, message: type[api.Span | api.LogRecord | api.DataPoint]) -> bytes:
    """What the flat messages of one origin's rows have in common, in wire form."""
    wire = origin.flat.get(message.DESCRIPTOR.name)
    if wire is None:
        shared = message(
            resource_attributes=resource_attributes(origin.resource),
            scope=flat_scope(origin),
            resource_schema_url=origin.resource_schema_url,
        )
        wire = origin.flat[message.DESCRIPTOR.name] = shared.SerializeToString()
    return wire
