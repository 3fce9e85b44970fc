"""The parts that flat messages of every signal share: attributes, ids, scope and Resource; pure."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

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
from agent.wires import WireLists

_FLAT_ATTRIBUTES_KEPT = 65_536
_LONGEST_SHOWN = 65_536
"""Bytes of a value that is no string and is written out as JSON: a mebibyte of empty lists would take a second."""

_LONGEST_KEPT = 256
"""Bytes of an attribute whose text is remembered: with both copies at most 64 MiB, and what is longer hardly repeats."""


def _flat_attribute(wire: bytes) -> tuple[str, str]:
    attribute = values.key_value(wire)
    if len(wire) > _LONGEST_SHOWN and not attribute.value.HasField("string_value"):
        return attribute.key, f"[{len(wire)} bytes: ask with encoding OTLP]"
    return attribute.key, values.text_of(attribute.value)


Entry = TypeVar("Entry")


class _Remembered(dict[bytes, Entry]):
    """What was made of short attributes before; half of what ``lru_cache`` costs to ask."""

    def __init__(self, make: Callable[[bytes], Entry]) -> None:
        self._make = make

    def __missing__(self, wire: bytes) -> Entry:
        made = self._make(wire)
        if len(wire) <= _LONGEST_KEPT:
            if len(self) >= _FLAT_ATTRIBUTES_KEPT:
                self.clear()
            self[wire] = made
        return made


_texts = _Remembered(_flat_attribute)


def flat_attributes(wires: Sequence[bytes]) -> dict[str, str]:
    """Attributes by key in flat text; of duplicate keys the first counts."""
    result: dict[str, str] = {}
    for key, text in map(_texts.__getitem__, wires):
        result.setdefault(key, text)
    return result


_KEY, _VALUE, _STRING, _INTEGER = 0x0A, 0x12, 0x0A, 0x18  # tags: of a KeyValue's fields, of an AnyValue's
_SHORT = 128
"""A length below this is one byte."""


def _short_pair(wire: bytes) -> tuple[bytes, bytes] | None:
    """The key, and key and text as a map's entry, of a short attribute that is a string or an integer.

    None for all others. A string's are its own bytes but for the tag of its kind: parsing and writing it again costs five
    times as much, and nearly all attributes are such.
    """
    size = len(wire)
    if not 6 <= size < _SHORT or wire[0] != _KEY or wire[1] > size - 6:
        return None
    value = wire[1] + 2
    if wire[value] != _VALUE or wire[value + 1] != size - value - 2:
        return None
    if wire[value + 2] == _STRING and wire[value + 3] == size - value - 4 and wire.isascii():
        return wire[2:value], wire[: value + 1] + wire[value + 3 :]
    key = wire[2:value]
    number = _varint(wire[value + 3 :]) if wire[value + 2] == _INTEGER and key.isascii() else None
    if number is None:
        return None
    text = b'{"intValue":"%d"}' % number
    if len(key) + len(text) + 4 >= _SHORT:
        return None
    return key, b"%b%b%c%b" % (wire[:value], b"\x12", len(text), text)


def _varint(wire: bytes) -> int | None:
    """The signed integer that is all of these bytes, as protobuf writes it; None when it is written otherwise."""
    number, last = 0, len(wire) - 1
    if not 0 <= last < 9:
        return None
    for place, byte in enumerate(wire):
        if (byte > 0x7F) == (place == last):
            return None
        number |= (byte & 0x7F) << (7 * place)
    return number


class Entries:
    """Attributes as the entries of a message's ``map<string, string>``, in wire form: a third of what setting them costs."""

    def __init__(self, field: int) -> None:
        self._field = field
        self._short = [values.length_delimited(field, bytes(length))[: -length or None] for length in range(128)]
        self._entries = _Remembered(self._entry)

    def _entry(self, wire: bytes) -> tuple[bytes, bytes]:
        short = _short_pair(wire)
        if short is not None:
            key, pair = short
            return key, self._short[len(pair)] + pair
        key, text = (part.encode() for part in _flat_attribute(wire))
        return key, values.length_delimited(self._field, values.length_delimited(1, key) + values.length_delimited(2, text))

    def of_all(self, lists: Sequence[Sequence[bytes]]) -> list[bytes]:
        """The entries of each row's KeyValues; see ``of``."""
        lists = lists if isinstance(lists, WireLists) else WireLists.of(lists)
        found = list(map(self._entries.__getitem__, lists.table))
        if lists.repeat([key for key, _ in found]):
            return list(map(self.of, lists))
        return lists.concatenated([entry for _, entry in found])

    def of(self, wires: Sequence[bytes]) -> bytes:
        """The entries of these KeyValues; of duplicate keys the first counts."""
        found = list(map(self._entries.__getitem__, wires))
        entries = dict(found)
        if len(entries) < len(found):
            entries = {}
            for key, entry in found:
                entries.setdefault(key, entry)
        return b"".join(entries.values())


_POOL = ptars.HandlerPool([api.DESCRIPTOR])


class OwnFields:
    """Fields of many messages at once, in wire form: a quarter of what setting them one by one costs."""

    def __init__(self, message: type[api.Span | api.LogRecord | api.Event]) -> None:
        self._handler = _POOL.get_for_message(message.DESCRIPTOR)
        self._types = {column.name: column.type for column in self._handler.schema()}

    def of(self, columns: Mapping[str, Sequence[Any]]) -> list[bytes]:
        """The messages with these fields; times are in nanoseconds, None leaves a time unset."""
        arrays = [_column(self._types[name], cells) for name, cells in columns.items()]
        messages = self._handler.record_batch_to_array(pa.RecordBatch.from_arrays(arrays, names=list(columns)))
        found: list[bytes] = messages.to_pylist()
        return found


def _column(kind: pa.DataType, cells: Sequence[Any]) -> pa.Array:
    return pa.array(cells, pa.int64()).view(kind) if pa.types.is_timestamp(kind) else pa.array(cells, kind)


def trace_id_bytes(row: Row) -> bytes:
    """The sixteen bytes of a row's trace id; none for null."""
    return b"" if row["trace_id_high"] is None else struct.pack("<QQ", row["trace_id_high"], row["trace_id_low"])


def hex_trace_ids(rows: Rows) -> list[str]:
    """Each row's trace id in hex; nothing for null."""
    return _hex("<QQ", rows["trace_id_high"], rows["trace_id_low"])


def hex_span_ids(words: Sequence[int | None]) -> list[str]:
    """Each span id in hex; nothing for null."""
    return _hex("<Q", words)


def _hex(layout: str, *columns: Sequence[int | None]) -> list[str]:
    """The words of each row side by side; nothing for a row whose first is null."""
    packed = struct.Struct(layout)
    if None in columns[0]:
        return ["" if words[0] is None else packed.pack(*words).hex() for words in zip(*columns, strict=True)]
    whole, size = b"".join(map(packed.pack, *columns)).hex(), 2 * packed.size
    return [whole[at : at + size] for at in range(0, len(whole), size)]


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
