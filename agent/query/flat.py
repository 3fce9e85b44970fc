"""The parts that flat messages of every signal share: attributes, ids, scope and Resource; pure."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache

from coral.agent.v1 import telemetry_query_pb2 as api
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.resource.v1 import resource_pb2

from agent import values
from agent.clock import SECOND_NS
from agent.query.rows import Origin, Row

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


_remembered = lru_cache(maxsize=_FLAT_ATTRIBUTES_KEPT)(_flat_attribute)


def flat_attributes(wires: Sequence[bytes]) -> dict[str, str]:
    """Attributes by key in flat text; of duplicate keys the first counts."""
    result: dict[str, str] = {}
    for wire in wires:
        key, text = _remembered(wire) if len(wire) <= _LONGEST_KEPT else _flat_attribute(wire)
        result.setdefault(key, text)
    return result


_KEY, _VALUE, _STRING = 0x0A, 0x12, 0x0A  # tags: of a KeyValue's fields, of an AnyValue's string


def _short_pair(wire: bytes) -> tuple[str, bytes] | None:
    """The key, and key and text as a map's entry, of a short string attribute: its own bytes but for the tag of its kind.

    None for all others. Parsing and writing it again costs three times as much, and most attributes are such.
    """
    size = len(wire)
    if not 6 <= size < 128 or wire[0] != _KEY or wire[1] > size - 6:
        return None
    value = wire[1] + 2
    head = wire[value : value + 4]
    if head[0] != _VALUE or head[1] != size - value - 2 or head[2] != _STRING or head[3] != size - value - 4:
        return None
    try:
        key = wire[2:value].decode()
        wire[value + 4 :].decode()
    except UnicodeDecodeError:
        return None
    return key, wire[: value + 1] + wire[value + 3 :]


class Entries:
    """Attributes as the entries of a message's ``map<string, string>``, in wire form: a third of what setting them costs."""

    def __init__(self, field: int) -> None:
        self._field = field
        self._short = [values.length_delimited(field, bytes(length))[: -length or None] for length in range(128)]
        self._remembered = lru_cache(maxsize=_FLAT_ATTRIBUTES_KEPT)(self._entry)

    def _entry(self, wire: bytes) -> tuple[str, bytes]:
        short = _short_pair(wire)
        if short is not None:
            key, pair = short
            return key, self._short[len(pair)] + pair
        key, text = _flat_attribute(wire)
        parts = (values.length_delimited(number, part.encode()) for number, part in ((1, key), (2, text)))
        return key, values.length_delimited(self._field, b"".join(parts))

    def of(self, wires: Sequence[bytes]) -> bytes:
        """The entries of these KeyValues; of duplicate keys the first counts."""
        if all(map(_LONGEST_KEPT.__ge__, map(len, wires))):
            found = list(map(self._remembered, wires))
        else:
            found = [self._remembered(wire) if len(wire) <= _LONGEST_KEPT else self._entry(wire) for wire in wires]
        entries = dict(found)
        if len(entries) < len(found):
            entries = {}
            for key, entry in found:
                entries.setdefault(key, entry)
        return b"".join(entries.values())


def trace_id_bytes(row: Row) -> bytes:
    """The sixteen bytes of a row's trace id."""
    return struct.pack("<QQ", row["trace_id_high"], row["trace_id_low"])


def optional_trace_id_bytes(row: Row) -> bytes:
    """The sixteen bytes of a row's trace id; none for null."""
    return b"" if row["trace_id_high"] is None else trace_id_bytes(row)


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
