"""OTLP/JSON to the same request as protobuf bytes, written field by field from the descriptors of opentelemetry-proto.

What a sender may write, where OTLP's JSON mapping leaves a choice:

- Names are lowerCamelCase; every other name, snake_case too, is unknown and ignored. ``null`` is an absent field. Of a key
  that stands twice the last counts.
- ``traceId``, ``spanId`` and ``parentSpanId`` are hexadecimal in either case. One that is not (base64, say) must cost its
  record alone: it becomes at most ``_BROKEN_ID_BYTES`` bytes of the text, a length that no id has.
- Integers are JSON numbers or strings of decimal digits, exact over the whole range of their type; 1e2 is a number, "1e2" not.
  An ``intValue`` beyond int64 or with a fraction becomes a double: Node writes 1e300 so, and one value must not cost a batch.
- Enums are integers, unknown ones included, or, as the Collector takes them too, the name of a value.
- Doubles are numbers, or strings of numbers, "NaN", "Infinity" and "-Infinity". Bytes are base64 in either alphabet.
- A byte order mark is skipped. Lone surrogates, NaN as a literal and messages deeper than ``MAX_DEPTH`` are malformed.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from agent import errors
from agent.batch import Signal
from agent.decode.json_scalars import (
    EXACT_FLOAT,
    IDS,
    INT64,
    LENGTH_DELIMITED,
    SCALARS,
    VARINT,
    Make,
    Write,
    WrongError,
    enums,
)
from agent.decode.json_walk import MAX_PIECE_TOKENS, Walk, parsed, tokens
from agent.decode.wire import varint, with_length

MAX_DEPTH = 100
"""Messages inside each other, the request counted: what protobuf parsers take. Thirty levels of kvlistValue fit."""

MAX_TOKENS = 1 << 22
"""Brackets and commas in a body: a microsecond each. 65536 spans of ten attributes have three million."""

WHOLE_BYTES = 4 << 20
"""A body up to here with at most ``MAX_PIECE_TOKENS`` is read at once, in 10 ms; 2,800 spans of ten attributes have as many."""

MAX_RECORDS = 65_536

_ID_NAMES = frozenset({"traceId", "spanId", "parentSpanId"})
_BOM = b"\xef\xbb\xbf"
_ENVELOPES = (
    *("ResourceSpans", "ScopeSpans", "ResourceLogs", "ScopeLogs", "ResourceMetrics", "ScopeMetrics"),
    *("Metric", "Gauge", "Sum", "Histogram", "ExponentialHistogram", "Summary"),
)
"""Messages that may be as large as the request: a body that is walked is walked through these, and through the request."""

_Walked = Callable[[Walk, int], list[bytes]]
"""From the place of a value, and the depth it stands at, to wire bytes in parts."""


def protobuf_of_json(signal: Signal, body: bytes, max_records: int = MAX_RECORDS) -> bytes:
    """The request in ``body`` as protobuf bytes. The interpreter's lock is never held for more than about 10 ms.

    Raises:
        MalformedExport: not JSON, or a field with a value it cannot have; the message names the field's path.
        TooLarge: more than ``MAX_TOKENS`` brackets and commas, or in a large body a record that is too large for
            ``json_walk``, or more than ``max_records`` of a level.
    """
    found = tokens(body, 0, len(body)) if len(body) > min(MAX_PIECE_TOKENS, MAX_TOKENS) else 0
    if found > MAX_TOKENS:
        raise errors.TooLarge(f"the JSON body has more than {MAX_TOKENS} brackets and commas: send smaller batches")
    request = _REQUESTS[signal]
    try:
        if len(body) <= WHOLE_BYTES and found <= MAX_PIECE_TOKENS:
            return request.write(parsed(body.removeprefix(_BOM)), 0)
        return _joined(request, Walk(body, len(_BOM) if body.startswith(_BOM) else 0, max_records))
    except WrongError as wrong:
        raise errors.MalformedExport(f"{_where(wrong.path)}: expected {wrong.expected}") from None


def _joined(request: _Message, walk: Walk) -> bytes:
    """Written piece by piece: to join 64 MiB at once would hold the lock for 30 ms."""
    out = BytesIO()
    parts = request.walked(walk, 0)
    walk.end()
    for part in parts:
        out.write(part)
    return out.getvalue()


def _where(path: list[str]) -> str:
    """As a sender would write it; of a long path both ends."""
    where = "".join(reversed(path)).lstrip(".") or "the request"
    return where if len(where) <= 200 else f"{where[:100]}...{where[-97:]}"


def _packed(tag: bytes, write_one: Write) -> Write:
    prefixed = with_length(tag)
    return lambda value, depth: prefixed(_each(value, depth, write_one))


def _repeated(write_one: Write) -> Write:
    return lambda value, depth: _each(value, depth, write_one)


def _each(value: object, depth: int, write_one: Write) -> bytes:
    if type(value) is not list:
        raise WrongError("a list")
    out: list[bytes] = []
    try:
        for one in value:
            out.append(write_one(one, depth))  # noqa: PERF401  # its length says where a wrong value stands
    except WrongError as wrong:
        wrong.path.append(f"[{len(out)}]")
        raise
    return b"".join(out)


class _Message:
    """Writes one message type; its fields by JSON name."""

    def __init__(self, descriptor: Descriptor, known: dict[str, _Message]) -> None:
        known[descriptor.full_name] = self  # before its fields: AnyValue holds itself
        fields = sorted(descriptor.fields, key=lambda field: field.number)
        self._fields = {field.json_name: _field(field, known) for field in fields}

        self._walks = {field.json_name: walk for field in fields if (walk := _walk(field, known))}
        if descriptor.full_name == AnyValue.DESCRIPTOR.full_name:
            self._fields["intValue"] = _number(self._fields["intValue"], self._fields["doubleValue"])

    def write(self, value: object, depth: int) -> bytes:
        """The message's fields, without tag and length."""
        if type(value) is not dict:
            raise WrongError("an object")
        if depth >= MAX_DEPTH:
            raise WrongError(f"at most {MAX_DEPTH} messages inside each other")
        fields = self._fields
        out: list[bytes] = []
        name, depth = "", depth + 1
        try:
            # In the order of the fields' numbers, as every SDK writes them: attribute filters compare bytes.
            for name in value if len(value) == 1 else fields:
                member = value.get(name)
                if member is not None and name in fields:
                    out.append(fields[name](member, depth))
        except WrongError as wrong:
            wrong.path.append(f".{name}")
            raise
        return b"".join(out)

    def walked(self, walk: Walk, depth: int) -> list[bytes]:
        """As ``write``, of what stands at ``walk``; in parts."""
        if walk.first() != ord("{"):
            raise WrongError("an object")
        parts: dict[str, list[bytes]] = {}
        name, depth = "", depth + 1
        try:
            for name in walk.members():
                if name in self._walks:
                    parts[name] = self._walks[name](walk, depth)
                elif name in self._fields:
                    member = walk.value()
                    parts[name] = [] if member is None else [self._fields[name](member, depth)]
                else:
                    walk.value()
        except WrongError as wrong:
            wrong.path.append(f".{name}")
            raise
        return [part for name in self._fields for part in parts.get(name, ())]

    def as_field(self, tag: bytes) -> Write:
        """Writes the message as a field."""
        prefixed, write = with_length(tag), self.write
        return lambda value, depth: prefixed(write(value, depth))


def _number(as_integer: Write, as_double: Write) -> Write:
    def write(value: object, depth: int) -> bytes:
        beyond = type(value) is float or (type(value) is int and not INT64[0] <= value <= INT64[1])
        if beyond and not (type(value) is float and value.is_integer() and abs(value) <= EXACT_FLOAT):
            return as_double(value, depth)
        return as_integer(value, depth)

    return write


def _field(field: FieldDescriptor, known: dict[str, _Message]) -> Write:
    make: Make
    if field.message_type is not None:
        inner = known.get(field.message_type.full_name) or _Message(field.message_type, known)
        wire_type, make = LENGTH_DELIMITED, inner.as_field
    elif field.enum_type is not None:
        wire_type, make = VARINT, enums(field.enum_type)
    elif field.json_name in _ID_NAMES:
        wire_type, make = LENGTH_DELIMITED, IDS
    else:
        wire_type, make = SCALARS[field.type]
    tag = varint(field.number << 3 | wire_type)
    if not field.is_repeated:
        return make(tag)
    if wire_type == LENGTH_DELIMITED:
        return _repeated(make(tag))
    return _packed(varint(field.number << 3 | LENGTH_DELIMITED), make(b""))


def _walk(field: FieldDescriptor, known: dict[str, _Message]) -> _Walked | None:
    """How the members of an envelope that may be large are walked; None for a field that is read at once."""
    message, tag = field.message_type, varint(field.number << 3 | LENGTH_DELIMITED)
    if message is None or field.containing_type is None:
        return None
    if field.containing_type.name not in _ENVELOPES and not field.containing_type.name.startswith("Export"):
        return None
    inner = known[message.full_name]

    def with_tag(parts: list[bytes]) -> list[bytes]:
        return [tag + varint(sum(map(len, parts))), *parts]

    def one(walk: Walk, depth: int) -> list[bytes]:
        return with_tag(inner.walked(walk, depth) if message.name in _ENVELOPES else [inner.write(walk.value(), depth)])

    def single(walk: Walk, depth: int) -> list[bytes]:
        return [] if walk.is_null() else one(walk, depth)

    def repeated(walk: Walk, depth: int) -> list[bytes]:
        return [] if walk.is_null() else _each_walked(field.json_name, walk, depth, one)

    if field.is_repeated:
        return repeated
    return single if message.name in _ENVELOPES else None


def _each_walked(name: str, walk: Walk, depth: int, one: _Walked) -> list[bytes]:
    if walk.first() != ord("["):
        raise WrongError("a list")
    out: list[bytes] = []
    index = 0
    try:
        for _ in walk.elements(name):
            out += one(walk, depth)
            index += 1
    except WrongError as wrong:
        wrong.path.append(f"[{index}]")
        raise
    return out


_MESSAGES: dict[str, _Message] = {}
_REQUESTS: dict[Signal, _Message] = {
    signal: _Message(request.DESCRIPTOR, _MESSAGES)
    for signal, request in (
        (Signal.TRACES, ExportTraceServiceRequest),
        (Signal.METRICS, ExportMetricsServiceRequest),
        (Signal.LOGS, ExportLogsServiceRequest),
    )
}
